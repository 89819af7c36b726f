"""Poizon: words and category with price and sorting; neither image, shop nor tree."""

from __future__ import annotations

from datetime import datetime

from connectors.marketplaces.browsing import PlainBrowser
from connectors.marketplaces.poizon import reading
from connectors.xportcn.operations import poizon
from domain.browsing import Filters, Hits, Sort
from domain.marketplace import Marketplace

SORTS = {Sort.RELEVANCE: None, Sort.PRICE_UP: "price_asc", Sort.PRICE_DOWN: "price_desc"}


class PoizonBrowser(PlainBrowser):
    """Implements `Browser` (see `marketplaces.browsing`)."""

    marketplace = Marketplace.POIZON

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

    async def listing(self, filters: Filters, *, changed_since: datetime | None = None) -> Hits:
        return await self.by_words("", filters)
