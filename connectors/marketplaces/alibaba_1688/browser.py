"""1688: words, image, shop and category, each with price and sorting; best sellers of a category; the tree."""

from __future__ import annotations

from connectors.marketplaces.alibaba_1688.products import AlibabaBrowser, hits, price_sort, yuan
from connectors.marketplaces.browsing import refuse_filters
from connectors.marketplaces.images import Image
from connectors.xportcn.operations import alibaba_product
from domain.browsing import Filters, Hits
from domain.marketplace import Marketplace


class Alibaba1688Browser(AlibabaBrowser):
    """Implements `Browser` (see `marketplaces.browsing`)."""

    marketplace = Marketplace.ALIBABA_1688
    product_search = alibaba_product.SEARCH

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
