"""1688: words, image, shop and category, each with price and sorting; best sellers of a category; the tree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from connectors.marketplaces.alibaba_1688 import reading
from connectors.marketplaces.browsing import ROOT, Image, Browser, not_offered, refuse_filters
from connectors.xportcn.operations import ReadCall, alibaba_product
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Category, Filters, Hits, Sort

BEST_SELLING = json.dumps({"monthSold": "desc"})
DIRECTIONS = {Sort.PRICE_UP: "asc", Sort.PRICE_DOWN: "desc"}


def keyword_request(words: str, filters: Filters, *, sort: str | None = None) -> alibaba_product.SearchRequest:
    """A query by words, by category, or both."""
    return alibaba_product.SearchRequest(
        keyword=words,
        begin_page=filters.page,
        page_size=filters.page_size,
        sort=sort or price_sort(filters),
        price_start=yuan(filters.min_price),
        price_end=yuan(filters.max_price),
        category_id=filters.category_id or None,
    )


def price_sort(filters: Filters) -> str | None:
    """The sorting by price in the service's form; None for its own ranking."""
    direction = DIRECTIONS.get(filters.sort)
    return json.dumps({"price": direction}) if direction else None


def yuan(price: Money | None) -> str | None:
    """A bound of the price in the service's form."""
    return None if price is None else f"{price.major:.2f}"


def hits(marketplace: Marketplace, page: alibaba_product.SearchPage) -> Hits:
    """A page of either marketplace."""
    return Hits(total=page.total_records, offers=tuple(reading.summary(hit, marketplace) for hit in page.data))


class AlibabaBrowser(Browser):
    """Words, categories, best sellers of a category, and the tree, by a `product_search` of one form."""

    lists_everything = False
    product_search: ReadCall[alibaba_product.SearchRequest, alibaba_product.SearchPage]

    async def by_words(self, words: str, filters: Filters) -> Hits:
        return await self._hits(keyword_request(words, filters))

    async def _hits(self, request: alibaba_product.SearchRequest) -> Hits:
        return hits(self.marketplace, await self._client.read(self.product_search, request))

    async def listing(self, filters: Filters, *, changed_since: datetime | None = None) -> Hits:
        if not filters.category_id:
            raise not_offered(self.marketplace, "list of everything", "list its root categories one by one")
        return await self.by_words("", filters)

    async def hot(self, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "best sellers", filters, offers="price category")
        if not filters.category_id:
            raise not_offered(self.marketplace, "best sellers of everything", "name a category")
        return await self._hits(keyword_request("", filters, sort=BEST_SELLING))

    async def categories(self, parent_id: str = ROOT) -> Sequence[Category]:
        """The categories right below a category, alike on both marketplaces."""
        request = alibaba_product.CategoryRequest(category_id=parent_id)
        return [
            Category(category_id=one.category_id, name=one.name, level=one.level or 1, is_leaf=one.is_leaf)
            for one in await self._client.read(alibaba_product.CATEGORY, request)
        ]


class Alibaba1688Browser(AlibabaBrowser):
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
