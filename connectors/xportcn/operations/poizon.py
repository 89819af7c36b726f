"""Poizon: products, preview, create, pay, list (contract 2.12, all 5.3).

Amounts are fen in requests and yuan text in answers; times are UTC milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from connectors.xportcn.models import (
    CheckedAnswer,
    FittingRows,
    HeadNames,
    PagedRequest,
    PageOf,
    Request,
    Response,
    RowsWithin,
    if_it_fits,
)
from connectors.xportcn.operations.operation import ASSUMED, UPSTREAM, Group
from connectors.xportcn.operations.warehouse import BookedParcel
from connectors.xportcn.wire import (
    Count,
    Counted,
    Fen,
    GivenId,
    Id,
    MaybeUnixMs,
    ParcelNumbers,
    Reference,
    UnixMs,
    Word,
    Yuan,
)
from domain.effects import Action

OnlyCny = Literal["CNY"]
"""Amounts are read as yuan, so an answer in another currency does not fit."""


class SearchRequest(PagedRequest):
    """An empty `keyword` matches all. Prices in fen."""

    keyword: str
    category_id: str | None = None
    price_start: int | None = None
    price_end: int | None = None
    sort: str | None = None


class SearchHit(Response):
    dw_spu_id: GivenId
    title: str = ""
    pic_url: str = ""
    min_price: Yuan
    currency: OnlyCny = "CNY"
    seller_id: Id = ""


class DetailRequest(Request):
    dw_spu_id: str


class Property(Response):
    name: str = ""
    value: str = ""


class ProductSku(Response):
    dw_sku_id: GivenId
    dist_sku_id: Id = ""
    properties: tuple[Property, ...] = ()
    price: Yuan
    stock: Count = 0
    pic_url: str = ""


class Product(Response):
    dw_spu_id: GivenId
    dist_spu_id: Id = ""
    title: str = ""
    images: tuple[str, ...] = ()
    category_id: Id = ""
    category_name: str = ""
    status: Word = ""
    seller_id: Id = ""
    seller_name: str = ""
    min_quantity: Count = 1
    currency: OnlyCny = "CNY"
    skus: tuple[ProductSku, ...] = ()


class ShippingAddress(Request):
    name: str
    phone: str
    province: str
    city: str
    district: str
    detail_address: str
    email: str | None = None


class AskedProduct(Request):
    dw_spu_id: str
    dw_sku_id: str
    dist_spu_id: str
    dist_sku_id: str
    quantity: int


class PreviewRequest(Request):
    shipping_address: ShippingAddress
    product_list: tuple[AskedProduct, ...]


class PreviewedItem(Response):
    """`price` and `stock` are absent for an unknown SKU."""

    dw_spu_id: GivenId
    dw_sku_id: GivenId
    quantity: Count = 0
    price: Yuan | None = None
    available: bool = True
    error_code: str = ""
    error_message: str = ""


class PreviewedOrder(Response):
    """One order that creating would make; amounts count only the lines that can be
    bought.
    """

    goods_amount: Yuan | None = None
    freight_amount: Yuan | None = None
    total_amount: Yuan
    currency: OnlyCny = "CNY"
    items: tuple[PreviewedItem, ...] = ()


class Preview(Response):
    success: bool | None = None
    error_code: str = ""
    error_message: str = ""
    orders: tuple[PreviewedOrder, ...] = ()


class OrderedProduct(AskedProduct):
    """`price` is the most that one piece may cost."""

    price: Fen


class CreateRequest(Request):
    """`request_id` is the idempotency key."""

    request_id: str
    shipping_address: ShippingAddress
    product_list: tuple[OrderedProduct, ...]


class OrderItem(Response):
    dw_spu_id: Id = ""
    dw_sku_id: Id = ""
    quantity: Counted = 0
    price: Yuan | None = None
    real_pay_amount: Yuan | None = None
    currency: OnlyCny = "CNY"


class CreatedOrder(Response):
    dist_order_no: Id = ""
    goods_amount: Yuan | None = None
    freight_amount: Yuan | None = None
    total_amount: Yuan | None = None
    currency: OnlyCny = "CNY"
    order_items: tuple[OrderItem, ...] = ()


class CreateAnswer(CheckedAnswer):
    order_list: tuple[CreatedOrder, ...] = ()


class PayRequest(Request):
    dist_order_no: str


class PayAnswer(CheckedAnswer):
    dist_order_no: Id = ""
    real_pay_amount: Yuan | None = None


class OrderListRequest(PagedRequest):
    """At most 50 ids or references. Times are UTC milliseconds."""

    request_ids: tuple[str, ...] | None = None
    dist_order_nos: tuple[str, ...] | None = None
    order_status: str | None = None
    create_time_start: int | None = None


class Trace(Response):
    time: UnixMs
    status: str = ""
    desc: str = ""


class DomesticParcel(Response):
    express_no: ParcelNumbers = ""
    express_company: str = ""
    sent_time: Annotated[MaybeUnixMs, if_it_fits(None)] = None
    traces: RowsWithin[Trace] = FittingRows()


class ParcelAbroad(BookedParcel):
    traces: RowsWithin[Trace] = FittingRows()


class Order(Response):
    """`real_pay_amount` is absent until paid."""

    head_names = HeadNames(("distOrderNo",), "createTime", "requestId")
    request_id: Reference = ""
    dist_order_no: GivenId
    order_status: Word = ""
    goods_amount: Yuan | None = None
    freight_amount: Yuan | None = None
    total_amount: Yuan
    real_pay_amount: Yuan | None = None
    currency: OnlyCny = "CNY"
    create_time: MaybeUnixMs = None
    pay_time: MaybeUnixMs = None
    close_reason: str = ""
    order_items: tuple[OrderItem, ...] = ()
    logistics_list: tuple[DomesticParcel, ...] = ()
    international_logistics: tuple[ParcelAbroad, ...] = ()


GROUP = Group("Poizon")
SEARCH = GROUP(
    91, "keyword serch", "POST /poizon/product/keywordSearch", ASSUMED, "poizon.search"
).read(SearchRequest, PageOf[SearchHit])
DETAIL = GROUP(
    92, "product detail", "POST /poizon/product/detail", ASSUMED, "poizon.detail"
).read(DetailRequest, Product)
PAY = GROUP(
    93, "PayOrder", "POST /poizon/order/payOrder", ASSUMED, "poizon.orders"
).sends(PayRequest, PayAnswer, Action.PAY)
ORDER_LIST = GROUP(
    94, "OrderList", "POST /poizon/order/orderList", ASSUMED, "poizon.orders"
).read(OrderListRequest, PageOf[Order])
CREATE = GROUP(
    95, "CreateOrder", "POST /poizon/order/createOrder", UPSTREAM, "poizon.create"
).sends(CreateRequest, CreateAnswer, Action.CREATE)
PREVIEW = GROUP(
    96, "OrderPreview", "POST /poizon/order/orderPreview", ASSUMED, "poizon.preview"
).read(PreviewRequest, Preview)
