"""Taobao / Order: render, create, pay, cancel, list, details, logistics of purchase
orders (contract 2.3).

And the older family, whose `orderId` is the `purchaseId`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from connectors.xportcn.models import (
    AnyRequest,
    CheckedAnswer,
    EffectAnswer,
    FittingRows,
    HeadNames,
    JsonObjectText,
    JsonText,
    PagedRequest,
    PageOf,
    Request,
    Response,
    alias,
)
from connectors.xportcn.operations import upstream_render
from connectors.xportcn.operations.operation import ASSUMED, CONFIRMED, SIBLING, Group
from connectors.xportcn.operations.warehouse import BookedParcel, SentTime
from connectors.xportcn.wire import (
    ChinaTime,
    Code,
    Count,
    Counted,
    Fen,
    GivenId,
    Id,
    MaybeChinaTime,
    ParcelNumbers,
    Reference,
    Word,
)
from domain.effects import Action


class Address(Request):
    country: str
    state: str
    city: str
    district: str
    address: str
    zip: str
    name: str
    phone: str
    mobile_phone: str


class RenderItem(Request):
    """Distribution ids: `item_id` is the product's `mpId`, `sku_id` its `mpSkuId`."""

    item_id: str
    sku_id: str
    quantity: int


class RenderRequest(Request):
    receiver: Address
    warehouse_address: Address
    render_item_list: Annotated[tuple[RenderItem, ...], JsonText]


class RenderV2Request(Request):
    """The items are a real list here."""

    receiver: Address
    render_item_list: tuple[RenderItem, ...]


class RenderedLine(Response):
    """`amount` is what the line costs, where the answer has it."""

    item_id: GivenId
    sku_id: GivenId
    quantity: Count
    price: Fen | None = None
    amount: Fen | None = None
    available: bool = True
    error_code: str = ""
    error_message: str = ""


class RenderedOrder(Response):
    """The cost of one seller's lines; amounts count only the lines that can be
    bought.
    """

    supplier_nick: str = ""
    product_amount: Fen | None = None
    domestic_post_fee: Fen | None = None
    purchase_amount: Fen
    lines: tuple[RenderedLine, ...] = ()


class Rendered(Response):
    """The orders of a preview, in this shape or in upstream's (`upstream_render`),
    wrapped or not.

    `real_pay` is upstream's total of all orders; `is_refused` where it refuses inside a
    success.
    """

    orders: tuple[RenderedOrder, ...] = ()
    is_refused: bool = False
    error_code: str = ""
    error_message: str = ""
    real_pay: Fen | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_one_shape(cls, raw: Any) -> Any:
        return upstream_render.in_contract_shape(raw)


class CreateLine(Request):
    item_id: str
    sku_id: str
    order_line_no: str
    quantity: int
    price: Fen
    currency: str
    title: str


class CreateRequest(Request):
    """`outer_purchase_id` is the idempotency key."""

    outer_purchase_id: str
    purchase_amount: Fen
    order_line_list: Annotated[tuple[CreateLine, ...], JsonText]
    receiver: Address
    warehouse_address_info: Address
    channel_order_type: str = "PANAMA"
    support_partial_success: bool = False


class CreatedLine(Response):
    estimate_amount: Fen | None = None


class CreatedOrder(Response):
    purchase_id: GivenId
    estimate_amount: Fen | None = None
    order_line_list: tuple[CreatedLine, ...] = ()


class FailedLine(Response):
    order_line_no: Id = ""
    error_code: str = ""
    error_message: str = ""


class CreateAnswer(CheckedAnswer):
    order_list: tuple[CreatedOrder, ...] = ()
    failed_line_list: tuple[FailedLine, ...] = ()


class CancelRequest(Request):
    purchase_id: str
    cancel_reason: str = Field(min_length=1, max_length=200)


class CancelAnswer(CheckedAnswer):
    """`success` is an acceptance: whether the order closed is read from the order,
    seconds later.
    """


class PayRequest(Request):
    """At most 10 ids."""

    purchase_order_id_list: tuple[str, ...]


class PayFailure(Response):
    gsp_order_id: Id = ""
    error_code: str = ""
    error_message: str = ""


class PayAnswer(EffectAnswer):
    will_pay_purchase_order_ids: tuple[Id, ...] = ()
    pay_failure_purchase_order_ids: tuple[Id, ...] = ()
    pay_failed_results: tuple[PayFailure, ...] = ()


class ListedSince(PagedRequest):
    """Base of both order lists' requests. Times are unix milliseconds."""

    status: int | None = None
    outer_purchase_id: str | None = None
    create_time_start: int | None = None


class OrderPageRequest(ListedSince):
    purchase_ids: tuple[str, ...] | None = None


class LogisticOrder(Response):
    logistic_company_name: str = ""
    logistic_number: ParcelNumbers = Field(
        "", validation_alias=alias("logisticNumber", "logisticNumer")
    )
    rts_time: SentTime = None


class SubPurchaseOrder(Response):
    sub_purchase_order_id: GivenId
    item_id: Id = ""
    sku_id: Id = ""
    title: str = ""
    quantity: Counted = 0
    status: Code | None = None
    refund_id: Id = ""
    purchase_amount: Fen | None = None
    close_reason: str = ""
    logistic_orders: tuple[LogisticOrder, ...] = ()
    international_logistic_orders: tuple[BookedParcel, ...] = ()

    @property
    def is_sent(self) -> bool:
        """Whether a parcel has a number or a time of sending: what has neither is the
        place of one to come.
        """
        return any(one.logistic_number or one.rts_time for one in self.logistic_orders)


class PurchaseOrder(Response):
    """The contract's `TaoBaoOrderVO`. `pay_amount` is absent until paid."""

    head_names = HeadNames(("purchaseId",), "createdTime", "outerPurchaseId")
    purchase_id: GivenId
    outer_purchase_id: Reference = ""
    status: Word = ""
    purchase_amount: Fen
    product_amount: Fen | None = None
    domestic_post_fee: Fen | None = None
    pay_amount: Fen | None = None
    pay_time: MaybeChinaTime = None
    created_time: MaybeChinaTime = None
    sub_purchase_orders: tuple[SubPurchaseOrder, ...] = ()


class OrderDetailRequest(Request):
    purchase_order_id: str


class LogisticsRequest(Request):
    sub_purchase_order_id: str


class LogisticsTrace(Response):
    time: ChinaTime
    status: str = ""
    status_desc: str = ""
    standard_desc: str = Field(
        "", validation_alias=alias("standerdDesc", "standardDesc")
    )
    facility_name: str = ""
    city: str = ""


class TracedParcel(Response):
    mail_no: ParcelNumbers = ""
    logistics_traces: FittingRows[LogisticsTrace] = FittingRows()


class Logistics(Response):
    pnm_logistics_details: tuple[TracedParcel, ...] = ()


GROUP = Group("Taobao / Order")
ORDER_PAGE = GROUP(
    10,
    "purchase order page list",
    "POST /open/purchase/page",
    CONFIRMED,
    "taobao.orders",
).read(OrderPageRequest, PageOf[PurchaseOrder])
CANCEL = GROUP(
    11, "purchase order cancel", "POST /open/purchase/cancel", ASSUMED
).sends(CancelRequest, CancelAnswer, Action.CANCEL)
PAY = GROUP(12, "purchase order pay", "POST /open/purchase/pay", ASSUMED).sends(
    PayRequest, PayAnswer, Action.PAY
)
RENDER = GROUP(
    13, "purchase order render", "POST /open/purchase/render", ASSUMED, "taobao.preview"
).read(RenderRequest, Rendered)
CREATE = GROUP(
    14,
    "purchase order create V2",
    "POST /open/purchase/create/v2",
    ASSUMED,
    "taobao.create",
).sends(CreateRequest, CreateAnswer, Action.CREATE)
RENDER_V2 = GROUP(
    15,
    "purchase order render v2",
    "POST /open/purchase/render/v2",
    ASSUMED,
    "taobao.preview",
).read(RenderV2Request, object)
CREATE_V1 = GROUP(
    16, "purchase order create", "POST /open/purchase/create", ASSUMED, "taobao.create"
).sends(CreateRequest, object, Action.CREATE)
ORDER_DETAIL = GROUP(
    23,
    "Get order details based on the order ID",
    "GET /open/order/detail/get",
    ASSUMED,
    "taobao.orders",
).read(OrderDetailRequest, PurchaseOrder)
LOGISTICS = GROUP(
    24, "Get logistics details", "GET /open/order/logistics/detail/get", SIBLING
).read(LogisticsRequest, Logistics)


class OrderListRequest(ListedSince):
    purchase_order_id: str | None = None
    create_time_end: int | None = None


class UpdateWarehouseRequest(Request):
    order_id: str
    warehouse_name: str
    warehouse_address: str


class PageParam(Request):
    """`biz_id` is an item id or a purchase id."""

    source_type: Literal["item", "order"]
    biz_id: str


class ImLinkRequest(Request):
    """The schema's `loginName`, `password` and `pageName` are not sent: the signature
    identifies the account.
    """

    page_param_map: Annotated[PageParam, JsonObjectText]


ORDER_LIST = GROUP(
    17, "Query the order list by page", "GET /open/order/page", ASSUMED, "taobao.orders"
).read(OrderListRequest, object)
PAYMENT_VOUCHER = GROUP(
    18,
    "Upload payment voucher",
    "POST /open/order/voucher/upload",
    ASSUMED,
    "taobao.orders",
).sends(AnyRequest, object, Action.PAY)
CANCEL_AT_ONCE = GROUP(19, "Cancel an order", "POST /open/order/cancel", ASSUMED).sends(
    AnyRequest, object, Action.CANCEL
)
UPDATE_WAREHOUSE = GROUP(
    20, "Modify order advance information", "POST /open/order/updateWarehouse", SIBLING
).sends(UpdateWarehouseRequest, object, Action.CALL)
PAY_ONE = GROUP(21, "Pay an order", "POST /open/order/pay", ASSUMED).sends(
    AnyRequest, object, Action.PAY
)
# The link logs its holder in: it is a secret, never logged or stored.
IM_LINK = GROUP(22, "Get IM link", "POST /open/order/page/link/get", SIBLING).read(
    ImLinkRequest, SecretStr
)
