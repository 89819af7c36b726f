"""InternationalAlibaba: words and category, in the marketplace's own order; nothing else."""

from __future__ import annotations

from datetime import datetime

from connectors.marketplaces.browsing import PlainBrowser, refuse_filters
from connectors.marketplaces.international import reading
from connectors.xportcn.operations import international
from domain.browsing import Filters, Hits
from domain.marketplace import Marketplace


class InternationalBrowser(PlainBrowser):
    """Implements `Browser` (see `marketplaces.browsing`)."""

    marketplace = Marketplace.INTERNATIONAL

    async def by_words(self, words: str, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "words", filters, offers="category")
        return await self._listed(words, filters)

    async def listing(self, filters: Filters, *, changed_since: datetime | None = None) -> Hits:
        refuse_filters(self.marketplace, "listings", filters, offers="category")
        return await self._listed("", filters)

    async def _listed(self, words: str, filters: Filters) -> Hits:
        request = international.SearchRequest(
            index=filters.page - 1,  # pages count from 0 here
            size=filters.page_size,
            keyword=words or None,
            category_id=filters.category_id or None,
        )
        page = await self._client.read(international.SEARCH, request)
        return Hits(total=page.result_total, offers=tuple(reading.summary(hit) for hit in page.result_data))
