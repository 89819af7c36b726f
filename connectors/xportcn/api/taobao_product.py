"""Taobao / Product: search, product by id, and the mapping to the distribution ids that orders need (contract 2.2)."""

from __future__ import annotations

from typing import Annotated

from connectors.xportcn import operations
from connectors.xportcn.api.base import ReadCall
from connectors.xportcn.wire import Fen, Id, JsonText, Reader, Writer


class SearchRequest(Writer):
    keyword: str
    page_no: int
    page_size: int
    price_start: Fen | None = None
    price_end: Fen | None = None
    sort: str | None = None


class SearchHit(Reader):
    """`price` is the lowest variant's."""

    item_id: Id
    title: str = ""
    pic_url: str = ""
    price: Fen
    shop_id: Id = ""
    shop_name: str = ""
    quantity: int = 0


class SearchPage(Reader):
    total_records: int = 0
    total_page: int = 0
    page_size: int = 0
    current_page: int = 0
    data: tuple[SearchHit, ...] = ()


class ProductRequest(Writer):
    item_id: str


class SkuProperty(Reader):
    prop_id: Id = ""
    prop_name: str = ""
    value_id: Id = ""
    value_name: str = ""


class ProductSku(Reader):
    sku_id: Id
    mp_sku_id: Id = ""
    pic_url: str = ""
    price: Fen
    promotion_price: Fen | None = None
    post_fee: Fen | None = None
    quantity: int = 0
    status: str = ""
    properties: tuple[SkuProperty, ...] = ()


class Product(Reader):
    """`begin_amount` is the minimum quantity."""

    item_id: Id
    mp_id: Id = ""
    title: str = ""
    category_id: Id = ""
    category_name: str = ""
    description: str = ""
    pic_urls: tuple[str, ...] = ()
    price: Fen | None = None
    promotion_price: Fen | None = None
    begin_amount: int = 1
    quantity: int = 0
    product_unit: str = ""
    status: str = ""
    shop_id: Id = ""
    shop_name: str = ""
    user_nick: str = ""
    sku_list: tuple[ProductSku, ...] = ()


class MappingItem(Writer):
    item_id: str
    sku_ids: tuple[str, ...]


class MappingRequest(Writer):
    """At most 20 items a call (assumed)."""

    params: Annotated[tuple[MappingItem, ...], JsonText]


class MappedSku(Reader):
    sku_id: Id
    mp_sku_id: Id = ""


class MappedItem(Reader):
    item_id: Id
    mp_id: Id = ""
    sku_list: tuple[MappedSku, ...] = ()


class UnmappedItem(Reader):
    item_id: Id
    reason: str = ""


class Mapping(Reader):
    mp_products: tuple[MappedItem, ...] = ()
    no_mp_product_item_ids: tuple[Id, ...] = ()
    no_mp_reason_list: tuple[UnmappedItem, ...] = ()


SEARCH = ReadCall(operation=operations.TAOBAO_SEARCH, request=SearchRequest, response=SearchPage)
PRODUCT = ReadCall(operation=operations.TAOBAO_PRODUCT, request=ProductRequest, response=Product)
ID_MAPPING = ReadCall(operation=operations.TAOBAO_ID_MAPPING, request=MappingRequest, response=Mapping)
