"""Taobao: words and image; shops and categories by the list of distribution products;
links.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from connectors.marketplaces.browsing import SORTS, Browser, Image, refuse_filters
from connectors.marketplaces.refusals import PRODUCT_NOT_FOUND, unless_missing
from connectors.marketplaces.taobao import reading
from connectors.xportcn.models import PageOf
from connectors.xportcn.operations import taobao_product
from connectors.xportcn.operations.taobao_product import SearchHit, Spu
from domain.marketplace import Marketplace
from domain.offers import Filters, Hits, Offer


class TaobaoBrowser(Browser):
    marketplace = Marketplace.TAOBAO

    async def by_words(self, words: str, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "words", filters, offers="sort price")
        request = taobao_product.SearchRequest(keyword=words, **_paged(filters))
        page = await self._client.read(taobao_product.SEARCH, request)
        return _hits(page)

    async def by_image(self, image: Image, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "images", filters, offers="sort price")
        request = taobao_product.ImageSearchRequest(
            image_base64=image.base64, image_url=image.url, **_paged(filters)
        )
        page = await self._client.read(taobao_product.IMAGE_SEARCH, request)
        return _hits(page)

    async def by_url(self, url: str) -> Offer | None:
        """The product of a link. Short links name no item: the service resolves
        them.
        """
        try:
            return await super().by_url(url)
        except ValueError:
            if not _is_ours(url):
                raise
        return await self._inquire(url)

    async def _inquire(self, url: str) -> Offer | None:
        inquiry = self._client.read(
            taobao_product.INQUIRY, taobao_product.InquiryRequest(url=url)
        )
        product = await unless_missing(inquiry, PRODUCT_NOT_FOUND)
        return reading.offer(product) if product else None

    async def by_shop(self, shop_id: str, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "a shop's offers", filters, offers="category")
        return await self._listed(filters, shop_id=shop_id)

    async def listing(self, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "listings", filters, offers="category")
        return await self._listed(filters)

    async def _listed(self, filters: Filters, *, shop_id: str = "") -> Hits:
        request = taobao_product.SpuPageRequest(
            page_no=filters.page,
            page_size=filters.page_size,
            category_id=filters.category_id or None,
            shop_id=shop_id or None,
        )
        page = await self._client.read(taobao_product.SPU_PAGE, request)
        return _hits(page)


def _paged(filters: Filters) -> dict[str, Any]:
    paged = {
        "page_no": filters.page,
        "page_size": filters.page_size,
        "sort": SORTS[filters.sort],
    }
    return paged | {"price_start": filters.min_price, "price_end": filters.max_price}


def _is_ours(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return any(
        host == site or host.endswith(f".{site}")
        for site in Marketplace.TAOBAO.pages.sites
    )


def _hits(page: PageOf[SearchHit] | PageOf[Spu]) -> Hits:
    return Hits(
        total=page.total_records,
        offers=tuple(reading.summary(hit) for hit in page.data),
    )
