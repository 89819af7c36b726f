"""How a merchant's settings have request files read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from connectors.book_file import read_book
from connectors.settings import SourcingSettings
from connectors.shop_files import profiles_in
from domain.shop_files import Profile
from domain.sku_book import SkuBook


class Reading(TypedDict, total=False):
    """Whether each row needs a price limit, what own SKUs are, and the profiles of shops' exports."""

    require_limit: bool
    book: SkuBook | None
    shops: Sequence[Profile]


async def reading_by(settings: SourcingSettings) -> Reading:
    """The one way for each door by which a request file comes in. Raises `BadSetting` for a faulty book or profile."""
    return {
        "require_limit": settings.require_price_limit,
        "book": await read_book(settings),
        "shops": profiles_in(settings.data_dir),
    }
