"""Poizon: words and category with price and sorting; neither image, shop nor tree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.xportcn.api import poizon
from connectors.xportcn.browse.base import ROOT, not_offered
from connectors.xportcn.browse.images import Image
from connectors.xportcn.browse.products import product_at
from connectors.xportcn.channels import poizon_reading as reading
from connectors.xportcn.client import XportcnClient
from domain.browsing import Category, Filters, Hits, Sort
from domain.marketplace import Marketplace
from domain.offers import Offer

SORTS = {Sort.RELEVANCE: None, Sort.PRICE_UP: "price_asc", Sort.PRICE_DOWN: "price_desc"}


class PoizonBrowser:
    """Implements `Browser` (see `browse.base`)."""

    marketplace = Marketplace.POIZON
    tells_changes = False
    lists_everything = True

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def by_words(self, words: str, filters: Filters) -> Hits:
        request = poizon.SearchRequest(
            keyword=words,
            page_no=filters.page,
            page_size=filters.page_size,
            category_id=filters.category_id or None,
            price_start=filters.min_price.minor if filters.min_price else None,
            price_end=filters.max_price.minor if filters.max_price else None,
            sort=SORTS[filters.sort],
        )
        page = await self._client.read(poizon.SEARCH, request)
        return Hits(total=page.total_records, offers=tuple(reading.summary(hit) for hit in page.data))

    async def by_image(self, image: Image, filters: Filters) -> Hits:
        raise not_offered(self.marketplace, "search by image", "search by words or category")

    async def by_url(self, url: str) -> Offer | None:
        return await product_at(self.marketplace, self._client, url)

    async def by_shop(self, shop_id: str, filters: Filters) -> Hits:
        raise not_offered(self.marketplace, "search by shop", "search by words or category")

    async def listing(self, filters: Filters, *, changed_since: datetime | None = None) -> Hits:
        return await self.by_words("", filters)

    async def hot(self, filters: Filters) -> Hits:
        raise not_offered(self.marketplace, "best sellers", "search by words or category")

    async def categories(self, parent_id: str = ROOT) -> Sequence[Category]:
        raise not_offered(self.marketplace, "category tree", "its offers name their category: search by words first")
