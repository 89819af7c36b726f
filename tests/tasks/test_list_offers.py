"""Pages of a list that the service refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.marketplaces import Offering
from connectors.xportcn.errors import Refused
from domain.catalogue import Listing, Way
from domain.marketplace import Marketplace
from domain.offers import Filters, Hits
from tasks.engine.resources import Resources
from tasks.fetch_offers import list_items

SHOP = Listing(marketplace=Marketplace.TAOBAO, way=Way.SHOP, key="77")
ITEMS = ("1", "2", "3", "4")


class RefusingShop:
    """Gives two items a page and refuses those from `ends` on; it counts all, or each
    page alone.
    """

    def __init__(self, ends: int, *, counts_pages: bool) -> None:
        self.ends = ends
        self.counts_pages = counts_pages

    async def by_shop(self, _key: str, filters: Filters) -> Hits:
        if filters.page >= self.ends:
            raise Refused("page out of range")
        ids = ITEMS[2 * filters.page - 2 : 2 * filters.page]
        result = tuple(SimpleNamespace(item_id=text) for text in ids)
        return Hits(
            total=len(ids) if self.counts_pages else len(ITEMS),
            offers=cast(Any, result),
        )


async def read(resources: Resources, shop: RefusingShop) -> tuple[list[str], int]:
    resources.offerings[Marketplace.TAOBAO] = Offering(cast(Any, None), cast(Any, shop))
    listed = await list_items(SHOP, limit=None)
    return [item_id for _, item_id in listed.items], listed.pages


@pytest.mark.parametrize(("counts_pages", "pages"), [(True, 3), (False, 2)])
async def test_a_refused_page_behind_what_the_first_counts_ends_the_list(
    resources: Resources, *, counts_pages: bool, pages: int
) -> None:
    """A list that counts each page alone ends there; one that counts its items ends
    with the last.
    """
    shop = RefusingShop(3, counts_pages=counts_pages)
    assert await read(resources, shop) == ([*ITEMS], pages)


@pytest.mark.parametrize("ends", [1, 2])
async def test_a_refused_page_that_the_first_counts_is_a_failure(
    resources: Resources, ends: int
) -> None:
    with pytest.raises(Refused, match="page out of range"):
        await read(resources, RefusingShop(ends, counts_pages=False))
