"""Taobao / Product: search, lists, products, and the distribution ids that orders need
(contract 2.2).

`item_map_id` is an opaque id of the service; it is passed on and never built or parsed.
"""

from __future__ import annotations

from typing import Annotated

from connectors.xportcn.models import (
    JsonText,
    PagedRequest,
    PageOf,
    Request,
    Response,
)
from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Group
from connectors.xportcn.wire import Count, Fen, GivenId, Id, Word


class SearchRequest(PagedRequest):
    keyword: str
    price_start: Fen | None = None
    price_end: Fen | None = None
    sort: str | None = None


class Listed(Response):
    """Base of the products in lists."""

    item_id: GivenId
    title: str = ""
    pic_url: str = ""
    shop_id: Id = ""
    shop_name: str = ""


class SearchHit(Listed):
    """`price` is the lowest variant's."""

    price: Fen


class HotRequest(PagedRequest):
    category_id: str | None = None


class ImageSearchRequest(PagedRequest):
    """Exactly one of the two images; `image_base64` is at most 3 MB of picture."""

    image_base64: str | None = None
    image_url: str | None = None
    price_start: Fen | None = None
    price_end: Fen | None = None
    sort: str | None = None


class SpuPageRequest(PagedRequest):
    """`modify_time_start` is unix milliseconds."""

    category_id: str | None = None
    shop_id: str | None = None
    modify_time_start: int | None = None


class Spu(Listed):
    """A distribution product, offline ones too. `price` is the lowest variant's."""

    mp_id: GivenId
    price: Fen | None = None


class SpuRequest(Request):
    mp_id: str


class MapIdRequest(Request):
    item_map_id: str


class InquiryRequest(Request):
    """The address of a product page."""

    url: str


class ProductRequest(Request):
    item_id: str


class SkuProperty(Response):
    prop_name: str = ""
    value_name: str = ""


class ProductSku(Response):
    sku_id: GivenId
    mp_sku_id: Id = ""
    pic_url: str = ""
    price: Fen
    promotion_price: Fen | None = None
    post_fee: Fen | None = None
    quantity: Count = 0
    status: Word = ""
    properties: tuple[SkuProperty, ...] = ()


class Product(Response):
    """`begin_amount` is the minimum quantity."""

    item_id: GivenId
    mp_id: Id = ""
    title: str = ""
    category_id: Id = ""
    category_name: str = ""
    pic_urls: tuple[str, ...] = ()
    price: Fen | None = None
    promotion_price: Fen | None = None
    begin_amount: Count = 1
    status: Word = ""
    shop_id: Id = ""
    shop_name: str = ""
    sku_list: tuple[ProductSku, ...] = ()


class MappingItem(Request):
    item_id: str
    sku_ids: tuple[str, ...]


class MappingRequest(Request):
    """At most 20 items a call (assumed)."""

    params: Annotated[tuple[MappingItem, ...], JsonText]


class MappedSku(Response):
    sku_id: GivenId
    mp_sku_id: Id = ""


class MappedItem(Response):
    item_id: GivenId
    mp_id: Id = ""
    sku_list: tuple[MappedSku, ...] = ()


class Mapping(Response):
    mp_products: tuple[MappedItem, ...] = ()


GROUP = Group("Taobao / Product")
HOT = GROUP(
    1,
    "Taobao Hot product recommendation",
    "POST /open/product/hot/list",
    ASSUMED,
    "taobao.search",
).read(HotRequest, object)
SPU_PAGE = GROUP(
    2,
    "Taobao Spus list query interface",
    "POST /open/product/spu/page",
    ASSUMED,
    "taobao.search",
).read(SpuPageRequest, PageOf[Spu])
SPU = GROUP(
    3,
    "Taobao Spus Details Query Interface",
    "GET /open/product/spu/get",
    ASSUMED,
    "taobao.detail",
).read(SpuRequest, object)
PRODUCT_V2 = GROUP(
    4,
    "Taobao Product Detail V2",
    "GET /v2/taobao/product/get",
    SIBLING,
    "taobao.detail",
).read(MapIdRequest, object)
SEARCH = GROUP(
    5,
    "Taobao product search API",
    "POST /open/product/search",
    ASSUMED,
    "taobao.search",
).read(SearchRequest, PageOf[SearchHit])
IMAGE_SEARCH = GROUP(
    6,
    "Taobao product image search API",
    "POST /open/product/image/search",
    ASSUMED,
    "taobao.search",
).read(ImageSearchRequest, PageOf[SearchHit])
ID_MAPPING = GROUP(
    7,
    "Batch query products according to Taobao product id",
    "POST /open/product/batch/check",
    SIBLING,
).read(MappingRequest, Mapping)
PRODUCT = GROUP(
    8,
    "Query product by Taobao product ID",
    "GET /open/product/get",
    SIBLING,
    "taobao.detail",
).read(ProductRequest, Product)
INQUIRY = GROUP(
    9, "Taobao product inquiry", "POST /open/product/inquiry", ASSUMED, "taobao.detail"
).read(InquiryRequest, Product)
