"""bigMajor, the KA twin of 1688: products, preview, create, pay, list, details,
logistics (contract 2.13, all 5.2).

Products and logistics have 1688's requests and answers.
"""

from __future__ import annotations

from pydantic import Field

from connectors.xportcn.models import (
    EffectAnswer,
    HeadNames,
    PagedRequest,
    PageOf,
    Response,
    alias,
)
from connectors.xportcn.operations import alibaba_order, alibaba_product
from connectors.xportcn.operations.alibaba_order import OrderRequest
from connectors.xportcn.operations.operation import ASSUMED, CONFIRMED, Group
from connectors.xportcn.operations.warehouse import BookedParcel
from connectors.xportcn.wire import (
    Code,
    Counted,
    Fen,
    GivenId,
    Id,
    MaybeChinaTime,
    Reference,
    Word,
)
from domain.effects import Action

FLOW = "fenxiaonew"


class PreviewRequest(alibaba_order.PreviewRequest):
    flow: str = FLOW


class PreviewedItem(Response):
    """Amounts in fen, unlike 1688's. `message` is why it can't be bought: a code, a
    colon, words.
    """

    offer_id: GivenId
    spec_id: str = ""
    amount: Fen | None = None
    message: str = ""


class PreviewedOrder(Response):
    """One order that creating would make. `sum_total_payment` includes the service's
    fee: paying takes that amount.
    """

    sum_carriage: Fen | None = None
    sum_payment: Fen | None = None
    sum_total_payment: Fen
    sum_payment_no_carriage: Fen | None = None
    flow_flag: str = ""
    trade_mode_name_list: tuple[str, ...] = ()
    items: tuple[PreviewedItem, ...] = Field(
        (), validation_alias=alias("orderItemTOList", "orderItemToList")
    )


class CreateRequest(alibaba_order.CreateRequest):
    """`message` and `out_order_id` carry our reference; the second is assumed from the
    preview's page.
    """

    flow: str = FLOW


class CreatedOrder(Response):
    order_id: Id = ""
    total_payment: Fen | None = None
    total_amount: Fen | None = None
    product_amount: Fen | None = None
    shipping_fee: Fen | None = None
    service_fee: Fen | None = None


class CreateAnswer(alibaba_order.CreationAnswer):
    order_list: tuple[CreatedOrder, ...] = ()


class PayAnswer(EffectAnswer):
    order_id: Id = ""
    pay_success: bool | None = None
    error_code: str = ""
    error_message: str = ""


class OrderPageRequest(PagedRequest):
    """Times are China-time text."""

    order_status: str | None = None
    create_time_start: str | None = None


class OrderItem(Response):
    offer_id: Id = ""
    sku_id: Id = ""
    quantity: Counted = 0
    unit_price: Fen | None = None
    amount: Fen | None = None


class Order(Response):
    """`total_payment` includes the service's fee. Our reference: `message`,
    `out_order_id` (assumed).
    """

    head_names = HeadNames(("orderId",), "tbCreateTime", "message", "outOrderId")
    order_id: GivenId
    order_status: Word = ""
    pay_status: Code | None = None
    total_payment: Fen
    total_amount: Fen | None = None
    product_amount: Fen | None = None
    shipping_fee: Fen | None = None
    service_fee: Fen | None = None
    refund_amount: Fen | None = None
    close_reason: str = ""
    created_at: MaybeChinaTime = Field(None, validation_alias=alias("tbCreateTime"))
    pay_time: MaybeChinaTime = None
    message: Reference = ""
    out_order_id: Reference = ""
    order_items: tuple[OrderItem, ...] = ()
    logistics_items: tuple[alibaba_order.LogisticsItem, ...] = ()
    international_logistics: tuple[BookedParcel, ...] = ()


GROUP = Group("bigMajor")
DETAIL = GROUP(
    85,
    "1688BigMajorProductDetail",
    "POST /alibaba/ka/product/detail/get",
    ASSUMED,
    "big_major.detail",
).read(alibaba_product.DetailRequest, alibaba_product.Product)
ORDER_PAGE = GROUP(
    86, "Order list", "POST /alibaba/ka/order/page", ASSUMED, "big_major.orders"
).read(OrderPageRequest, PageOf[Order])
PREVIEW = GROUP(
    87,
    "Order Preview (The preview interface needs to be called before creating an order)",
    "POST /alibaba/ka/order/create/preview",
    CONFIRMED,
    "big_major.preview",
).read(PreviewRequest, tuple[PreviewedOrder, ...])
CREATE = GROUP(
    88,
    "Create an order",
    "POST /alibaba/ka/order/create",
    CONFIRMED,
    "big_major.create",
).sends(CreateRequest, CreateAnswer, Action.CREATE)
ORDER_DETAIL = GROUP(
    89,
    "Get order details",
    "POST /alibaba/ka/order/detail",
    ASSUMED,
    "big_major.orders",
).read(OrderRequest, Order)
SEARCH = GROUP(
    None,
    "AlibabaProductKeywordsQuery (KA only)",
    "POST /alibaba/ka/product/keywords/query",
    CONFIRMED,
    "big_major.search",
).read(alibaba_product.SearchRequest, PageOf[alibaba_product.SearchHit])
PAY = GROUP(None, "order pay (KA only)", "POST /alibaba/ka/order/pay", CONFIRMED).sends(
    OrderRequest, PayAnswer, Action.PAY
)
LOGISTICS = GROUP(
    None, "Order Logistics (KA only)", "POST /alibaba/ka/order/logistics", ASSUMED
).read(OrderRequest, alibaba_order.Logistics)
