"""1688: words, image, shop and category, each with price and sorting; best sellers of a category; the tree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.xportcn.api import alibaba_product
from connectors.xportcn.browse.alibaba_products import BEST_SELLING, hits, keyword_request, price_sort, tree, yuan
from connectors.xportcn.browse.base import ROOT, not_offered, refuse_filters
from connectors.xportcn.browse.images import Image
from connectors.xportcn.browse.products import product_at
from connectors.xportcn.client import XportcnClient
from domain.browsing import Category, Filters, Hits
from domain.marketplace import Marketplace
from domain.offers import Offer


class Alibaba1688Browser:
    """Implements `Browser` (see `browse.base`)."""

    marketplace = Marketplace.ALIBABA_1688
    tells_changes = False
    lists_everything = False

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def by_words(self, words: str, filters: Filters) -> Hits:
        page = await self._client.read(alibaba_product.SEARCH, keyword_request(words, filters))
        return hits(self.marketplace, page)

    async def by_image(self, image: Image, filters: Filters) -> Hits:
        request = alibaba_product.ImageSearchRequest(
            image_base64=image.base64,
            image_address=image.url,
            begin_page=filters.page,
            page_size=filters.page_size,
            sort=price_sort(filters),
            price_start=yuan(filters.min_price),
            price_end=yuan(filters.max_price),
            category_id=filters.category_id or None,
        )
        return hits(self.marketplace, await self._client.read(alibaba_product.IMAGE_SEARCH, request))

    async def by_url(self, url: str) -> Offer | None:
        return await product_at(self.marketplace, self._client, url)

    async def by_shop(self, shop_id: str, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "a shop's offers", filters, offers="sort price")
        request = alibaba_product.ShopSearchRequest(
            seller_open_id=shop_id,
            begin_page=filters.page,
            page_size=filters.page_size,
            sort=price_sort(filters),
            price_start=yuan(filters.min_price),
            price_end=yuan(filters.max_price),
        )
        return hits(self.marketplace, await self._client.read(alibaba_product.SHOP_SEARCH, request))

    async def listing(self, filters: Filters, *, changed_since: datetime | None = None) -> Hits:
        if not filters.category_id:
            raise not_offered(self.marketplace, "list of everything", "list its root categories one by one")
        return await self.by_words("", filters)

    async def hot(self, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "best sellers", filters, offers="price category")
        if not filters.category_id:
            raise not_offered(self.marketplace, "best sellers of everything", "name a category")
        request = keyword_request("", filters, sort=BEST_SELLING)
        return hits(self.marketplace, await self._client.read(alibaba_product.SEARCH, request))

    async def categories(self, parent_id: str = ROOT) -> Sequence[Category]:
        return await tree(self._client, parent_id)
