"""1688 / Order: preview, create, pay, cancel, receive, list, details, logistics
(contract 2.7).
"""

from __future__ import annotations

from pydantic import Field

from connectors.xportcn.models import (
    EffectAnswer,
    FittingRows,
    HeadNames,
    Page,
    Request,
    Response,
    alias,
)
from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Group
from connectors.xportcn.operations.warehouse import BookedParcel, SentTime
from connectors.xportcn.wire import (
    ChinaTime,
    Counted,
    Fen,
    GivenId,
    Id,
    IdNumber,
    MaybeChinaTime,
    ParcelNumbers,
    Reference,
    Word,
    Yuan,
)
from domain.effects import Action

FLOW = "general"


class AddressParam(Request):
    full_name: str
    mobile: str
    phone: str
    post_code: str
    province_text: str
    city_text: str
    area_text: str
    town_text: str
    address: str


class Cargo(Request):
    """`spec_id` is the SKU's 32-hex twin."""

    offer_id: IdNumber
    spec_id: str
    quantity: int


class PreviewRequest(Request):
    address_param: AddressParam
    cargo_param_list: tuple[Cargo, ...]


class PreviewedCargo(Response):
    """`amount` and `final_unit_price` are in yuan, unlike the sums around them."""

    offer_id: GivenId
    spec_id: str = ""
    amount: Yuan | None = None
    result_code: str = ""
    message: str = ""


class PreviewedOrder(Response):
    """One order that creating would make; sums in fen. `status` is false where it can't
    be made, whatever its code.
    """

    status: Word = ""
    result_code: str = ""
    message: str = ""
    sum_payment: Fen | None = None
    sum_carriage: Fen | None = None
    sum_payment_no_carriage: Fen | None = None
    discount_fee: Fen | None = None
    additional_fee: Fen | None = None
    flow_flag: str = ""
    trade_mode_name_list: tuple[str, ...] = ()
    cargo_list: tuple[PreviewedCargo, ...] = ()


class Preview(Response):
    success: bool | None = None
    error_code: str = ""
    error_msg: str = ""
    results: tuple[PreviewedOrder, ...] = Field(
        (), validation_alias=alias("orderPreviewResuslt", "orderPreviewResult")
    )


class CreateRequest(Request):
    """`message` goes to the seller and comes back as `buyerFeedback`; `out_order_id` is
    our own id (assumed).
    """

    flow: str = FLOW
    message: str
    out_order_id: str | None = None
    address_param: AddressParam
    cargo_param_list: tuple[Cargo, ...]
    trade_type: str | None = None


class FailedOffer(Response):
    offer_id: Id = ""
    spec_id: str = ""
    error_code: str = ""
    error_message: str = ""


class CreatedOrder(Response):
    """A part of a create, which may fail for itself (contract 2.7)."""

    order_id: Id = ""
    order_amount: Fen | None = Field(
        None, validation_alias=alias("orderAmmount", "orderAmount")
    )
    post_fee: Fen | None = None
    success: bool | None = None
    result_code: str = ""
    message: str = ""

    @property
    def is_made(self) -> bool:
        return bool(self.order_id) and self.success is not False


class CreationAnswer(EffectAnswer):
    """Base of the answers of 1688 and bigMajor to a create."""

    success: bool | None = None
    code: str = ""
    message: str = ""
    failed_offer_list: tuple[FailedOffer, ...] = ()


class CreateAnswer(CreationAnswer):
    """`total_success_amount` and `order_id` are empty when several orders result."""

    order_id: Id = ""
    total_success_amount: Fen | None = None
    post_fee: Fen | None = None
    order_list: tuple[CreatedOrder, ...] = ()


class CancelRequest(Request):
    web_site: str = "1688"
    order_id: IdNumber
    cancel_reason: str = Field(min_length=1, max_length=100)
    remark: str | None = None


class ReceiveRequest(Request):
    """Whole orders: the entries, when given, must be all of them."""

    order_id: IdNumber
    order_entry_ids: tuple[IdNumber, ...] | None = None


class OrderRequest(Request):
    order_id: str


class OrderPageRequest(Request):
    """Times are China-time text."""

    page: int
    page_size: int
    order_status: str | None = None
    create_start_time: str | None = None


class BaseInfo(Response):
    """`id_text` first: samples show `id` rounded (contract 1.8). `refund` is the sum
    given back.

    `out_order_id` is assumed.
    """

    id: Id = ""
    id_text: Id = Field("", validation_alias=alias("idOfStr"))
    status: Word = ""
    total_amount: Yuan
    shipping_fee: Yuan | None = None
    refund: Yuan | None = None
    create_time: MaybeChinaTime = None
    pay_time: MaybeChinaTime = None
    buyer_feedback: Reference = ""
    out_order_id: Reference = ""
    close_reason: str = ""


class ProductItem(Response):
    """`entry_id` is what after-sale calls the order entry."""

    product_id: Id = Field("", validation_alias=alias("productID", "productId"))
    sku_id: Id = Field("", validation_alias=alias("skuID", "skuId"))
    spec_id: str = ""
    quantity: Counted = 0
    item_amount: Yuan | None = None
    entry_id: Id = Field(
        "", validation_alias=alias("subItemIDString", "subItemIdString", "subItemID")
    )
    status: str = ""
    refund_id: Id = ""


class LogisticsItem(Response):
    logistics_bill_no: ParcelNumbers = ""
    logistics_company_name: str = ""
    delivered_time: SentTime = None


class NativeLogistics(Response):
    logistics_items: tuple[LogisticsItem, ...] = ()


class Order(Response):
    head_names = HeadNames(
        ("idOfStr", "id"),
        "createTime",
        "buyerFeedback",
        "outOrderId",
        within="baseInfo",
    )
    base_info: BaseInfo
    product_items: tuple[ProductItem, ...] = ()
    native_logistics: NativeLogistics = NativeLogistics()
    international_logistics: tuple[BookedParcel, ...] = ()


class OrderPage(Page):
    result: FittingRows[Order] = FittingRows()


class OrderDetailRequest(Request):
    web_site: str = "1688"
    order_id: str


class LogisticsStep(Response):
    accept_time: ChinaTime
    remark: str = ""
    status: str = ""


class LogisticsTrace(Response):
    logistics_bill_no: ParcelNumbers = ""
    logistics_steps: FittingRows[LogisticsStep] = FittingRows()


class Logistics(Response):
    logistics_trace: tuple[LogisticsTrace, ...] = ()


GROUP = Group("1688 / Order")
PREVIEW = GROUP(
    50,
    "Preview the data before creating the order",
    "POST /alibaba/order/create/preview",
    SIBLING,
    "1688.preview",
).read(PreviewRequest, Preview)
CREATE = GROUP(
    52, "Create an order", "POST /alibaba/order/create", SIBLING, "1688.create"
).sends(CreateRequest, CreateAnswer, Action.CREATE)
CANCEL = GROUP(
    54, "Cancel the order before payment", "POST /alibaba/order/cancel", SIBLING
).sends(CancelRequest, bool, Action.CANCEL)
PAY = GROUP(55, "Order payment", "GET /alibaba/order/pay/url", SIBLING).sends(
    OrderRequest, object, Action.PAY
)
RECEIVE = GROUP(
    56, "Buyer confirms receipt of goods", "POST /alibaba/order/receivegoods", SIBLING
).sends(ReceiveRequest, object, Action.CALL)
LOGISTICS = GROUP(
    58,
    "Get logistics tracking information for orders",
    "GET /alibaba/order/logistics/trace/get",
    ASSUMED,
).read(OrderRequest, Logistics)
ORDER_PAGE = GROUP(
    59, "Order list paging query", "POST /v2/alibaba/order/page", SIBLING, "1688.orders"
).read(OrderPageRequest, OrderPage)
ORDER_DETAIL = GROUP(
    None, "details (sibling only)", "POST /alibaba/order/detail", SIBLING, "1688.orders"
).read(OrderDetailRequest, Order)
