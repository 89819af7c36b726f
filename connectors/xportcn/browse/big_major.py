"""bigMajor: words and category as on 1688, whose tree it shares; neither image nor shop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.xportcn.api import big_major
from connectors.xportcn.browse.alibaba_products import BEST_SELLING, hits, keyword_request, tree
from connectors.xportcn.browse.base import ROOT, not_offered, refuse_filters
from connectors.xportcn.browse.images import Image
from connectors.xportcn.browse.products import product_at
from connectors.xportcn.client import XportcnClient
from domain.browsing import Category, Filters, Hits
from domain.marketplace import Marketplace
from domain.offers import Offer


class BigMajorBrowser:
    """Implements `Browser` (see `browse.base`)."""

    marketplace = Marketplace.BIG_MAJOR
    tells_changes = False
    lists_everything = False

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def by_words(self, words: str, filters: Filters) -> Hits:
        return hits(self.marketplace, await self._client.read(big_major.SEARCH, keyword_request(words, filters)))

    async def by_image(self, image: Image, filters: Filters) -> Hits:
        raise not_offered(self.marketplace, "search by image", "search by words or category")

    async def by_url(self, url: str) -> Offer | None:
        return await product_at(self.marketplace, self._client, url)

    async def by_shop(self, shop_id: str, filters: Filters) -> Hits:
        raise not_offered(self.marketplace, "search by shop", "search by words or category")

    async def listing(self, filters: Filters, *, changed_since: datetime | None = None) -> Hits:
        if not filters.category_id:
            raise not_offered(self.marketplace, "list of everything", "list its root categories one by one")
        return await self.by_words("", filters)

    async def hot(self, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "best sellers", filters, offers="price category")
        if not filters.category_id:
            raise not_offered(self.marketplace, "best sellers of everything", "name a category")
        request = keyword_request("", filters, sort=BEST_SELLING)
        return hits(self.marketplace, await self._client.read(big_major.SEARCH, request))

    async def categories(self, parent_id: str = ROOT) -> Sequence[Category]:
        return await tree(self._client, parent_id)
