"""InternationalAlibaba: words and category, in the marketplace's own order; nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.xportcn.api import international
from connectors.xportcn.browse.base import ROOT, not_offered, refuse_filters
from connectors.xportcn.browse.images import Image
from connectors.xportcn.browse.products import product_at
from connectors.xportcn.channels import international_reading as reading
from connectors.xportcn.client import XportcnClient
from domain.browsing import Category, Filters, Hits
from domain.marketplace import Marketplace
from domain.offers import Offer


class InternationalBrowser:
    """Implements `Browser` (see `browse.base`)."""

    marketplace = Marketplace.INTERNATIONAL
    tells_changes = False
    lists_everything = True

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def by_words(self, words: str, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "words", filters, offers="category")
        return await self._listed(words, filters)

    async def by_image(self, image: Image, filters: Filters) -> Hits:
        raise not_offered(self.marketplace, "search by image", "search by words or category")

    async def by_url(self, url: str) -> Offer | None:
        return await product_at(self.marketplace, self._client, url)

    async def by_shop(self, shop_id: str, filters: Filters) -> Hits:
        raise not_offered(self.marketplace, "search by shop", "search by words or category")

    async def listing(self, filters: Filters, *, changed_since: datetime | None = None) -> Hits:
        refuse_filters(self.marketplace, "listings", filters, offers="category")
        return await self._listed("", filters)

    async def hot(self, filters: Filters) -> Hits:
        raise not_offered(self.marketplace, "best sellers", "search by words or category")

    async def categories(self, parent_id: str = ROOT) -> Sequence[Category]:
        raise not_offered(self.marketplace, "category tree", "its offers name their category: search by words first")

    async def _listed(self, words: str, filters: Filters) -> Hits:
        request = international.SearchRequest(
            index=filters.page - 1,  # pages count from 0 here
            size=filters.page_size,
            keyword=words or None,
            category_id=filters.category_id or None,
        )
        page = await self._client.read(international.SEARCH, request)
        return Hits(total=page.result_total, offers=tuple(reading.summary(hit) for hit in page.result_data))
