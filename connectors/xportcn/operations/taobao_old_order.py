"""Taobao / Order, the older family, whose `orderId` is the `purchaseId`: list, voucher, cancel, warehouse, pay, IM."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Group
from connectors.xportcn.operations.taobao_order import OrderPage
from connectors.xportcn.wire import EffectAnswer, Fen, Id, JsonObjectText, Request
from domain.effects import Action


class OrderListRequest(Request):
    """Times are unix milliseconds."""

    page_no: int
    page_size: int
    status: int | None = None
    outer_purchase_id: str | None = None
    purchase_order_id: str | None = None
    create_time_start: int | None = None
    create_time_end: int | None = None


class PaymentVoucherRequest(Request):
    """The proof of a bank transfer: pictures and the sum paid."""

    order_id: str
    voucher_urls: tuple[str, ...] = Field(min_length=1, max_length=5)
    amount: Fen
    remark: str | None = None


class CancelRequest(Request):
    order_id: str
    cancel_reason: str | None = None


class UpdateWarehouseRequest(Request):
    order_id: str
    warehouse_name: str
    warehouse_address: str


class PayOneRequest(Request):
    order_id: str


class PayOneAnswer(EffectAnswer):
    order_id: Id = ""
    pay_success: bool | None = None
    error_code: str = ""
    error_message: str = ""


class PageParam(Request):
    """`biz_id` is an item id or a purchase id."""

    source_type: Literal["item", "order"]
    biz_id: str


class ImLinkRequest(Request):
    """The schema's `loginName`, `password` and `pageName` are not sent: the signature identifies the account."""

    page_param_map: Annotated[PageParam, JsonObjectText]


GROUP = Group("Taobao / Order")
ORDER_LIST = GROUP(17, "Query the order list by page", "GET /open/order/page", ASSUMED).read(
    OrderListRequest, OrderPage
)
PAYMENT_VOUCHER = GROUP(18, "Upload payment voucher", "POST /open/order/voucher/upload", ASSUMED).effect(
    PaymentVoucherRequest, bool, Action.PAY
)
CANCEL_AT_ONCE = GROUP(19, "Cancel an order", "POST /open/order/cancel", ASSUMED).effect(
    CancelRequest, bool, Action.CANCEL
)
UPDATE_WAREHOUSE = GROUP(20, "Modify order advance information", "POST /open/order/updateWarehouse", SIBLING).effect(
    UpdateWarehouseRequest, bool, Action.NOTIFY
)
PAY_ONE = GROUP(21, "Pay an order", "POST /open/order/pay", ASSUMED).effect(PayOneRequest, PayOneAnswer, Action.PAY)
# The link logs its holder in: it is a secret, never logged or stored.
IM_LINK = GROUP(22, "Get IM link", "POST /open/order/page/link/get", SIBLING).read(ImLinkRequest, SecretStr)
