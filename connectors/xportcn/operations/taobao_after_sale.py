"""Taobao / After-sale: refunds and returns of one sub-order each (contract 2.4);
amounts in fen.

`refund_type` 1 is money only, 2 is return and money; `goods_status` 1 is not shipped, 2
shipped, 3 not received, 4 received at the warehouse, 5 sent back, 6 the seller has it
(upstream, assumed here); `refund_status` is of 4.1: 10 asked, 20 agreed, 30 parcel on
its way back, 100 refunded, -10 seller refused, -20 closed.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.xportcn.models import (
    CheckedAnswer,
    Page,
    PagedRequest,
    Request,
    Response,
    alias,
)
from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Group
from connectors.xportcn.wire import (
    Code,
    CommaText,
    Fen,
    GivenId,
    Id,
    IdNumber,
    MaybeChinaTime,
    ParcelNumber,
    Word,
)
from domain.effects import Action


class RefundPageRequest(PagedRequest):
    """Times of creation are unix milliseconds."""

    refund_id: str | None = None
    purchase_order_id: str | None = None
    refund_status: int | None = None
    refund_start_time: int | None = None


class LogisticsCompany(Response):
    logistics_company_code: str
    logistics_company_name: str = ""


class ReturnLogistics(Response):
    """The parcel with the goods, once they are sent."""

    logistics_company: LogisticsCompany | None = None
    mail_no: ParcelNumber = Field("", validation_alias=alias("mailNo", "logisticsNo"))


class RefundOrder(Response):
    """`pay_order_id` is the purchase id."""

    refund_id: GivenId
    refund_fee: Fen
    refund_type: Code | None = None
    refund_status: Annotated[Word, Field(min_length=1)]
    pay_order_id: Id = ""
    timeout_date: MaybeChinaTime = None
    seller_refuse_reason: str = ""
    seller_refuse_reason_describe: str = ""


class RefundedLine(Response):
    purchase_order_id: Id = ""
    price: Fen | None = None
    product_fee: Fen | None = None
    post_fee: Fen | None = None
    total_price: Fen | None = None


class RefundAggregate(Response):
    """The contract's `refundOrderAggregate`; `logistics` from the seller's consent to a
    return on.
    """

    logistics: ReturnLogistics | None = None
    refund_order: RefundOrder
    purchase_order_line: RefundedLine = RefundedLine()


class RefundPage(Page):
    data: tuple[RefundAggregate, ...] = ()


class RefundRequest(Request):
    refund_id: str = Field(min_length=1)


class Refund(Response):
    refund_order_aggregate: RefundAggregate


class RenderRequest(Request):
    sub_order_id: str
    refund_type: int
    goods_status: int


class RefundReason(Response):
    reason_id: GivenId
    reason_desc: str = ""


class MaxRefundFee(Response):
    """The amounts that may be asked for: from `min_refund_fee` to `refund_fee`."""

    refund_fee: Fen
    min_refund_fee: Fen | None = None
    can_edit_refund_fee: bool = False


class RefundTemplate(Response):
    refund_reasons: tuple[RefundReason, ...] = ()
    max_refund_fee: MaxRefundFee


class Rendered(Response):
    refund_order_template: RefundTemplate


class RefundTerms(Request):
    """What a refund is asked for with, at first and when it is modified."""

    reason_id: IdNumber
    refund_fee: Fen
    refund_desc: str | None = Field(None, max_length=200)
    refund_images: CommaText | None = None


class SubmitRequest(RenderRequest, RefundTerms):
    """One of the reasons that rendering has answered, and an amount within its
    bounds.
    """


class ModifyRequest(RefundTerms):
    """Type and goods status stay."""

    refund_id: str


class SubmitAnswer(CheckedAnswer):
    """With `REFUND_EXISTS`, `refund_id` is the existing refund."""

    refund_id: Id = ""


class ReturnRendered(Response):
    """The carriers that may bring the goods."""

    logistics_company_list: tuple[LogisticsCompany, ...] = ()


class ReturnRequest(Request):
    refund_id: str
    logistics_company_code: str
    mail_no: str
    return_goods_desc: str | None = None
    refund_images: CommaText | None = None


class MessageRequest(Request):
    refund_id: str
    refund_message: str = Field(min_length=1, max_length=500)
    refund_images: CommaText | None = None


class MessagePageRequest(PagedRequest):
    refund_id: str


class Message(Response):
    """A `system` message has the new state in `refund_status`. Its id distinguishes
    pages.
    """

    message_id: GivenId
    role: str = ""
    content: str = ""
    refund_status: Code | None = None
    create_time: MaybeChinaTime = None


class MessagePage(Page):
    """Oldest first."""

    data: tuple[Message, ...] = ()


GROUP = Group("Taobao / After-sale")
PAGE = GROUP(
    25,
    "After-sale single-column table query",
    "POST /open/order/refund/queryList",
    SIBLING,
    "taobao.refunds",
).read(RefundPageRequest, RefundPage)
RENDER = GROUP(
    26,
    "After-sale order rendering interface",
    "POST /v2/taobao/order/refund/render",
    SIBLING,
    "taobao.refunds",
).read(RenderRequest, Rendered)
RETURN_RENDER = GROUP(
    27,
    "Return logistics rendering",
    "GET /open/order/refund/return/logistics/render",
    ASSUMED,
).read(RefundRequest, ReturnRendered)
RETURN_SUBMIT = GROUP(
    28,
    "Return logistics submission",
    "POST /open/order/refund/return/logistics/submit",
    ASSUMED,
).sends(ReturnRequest, bool, Action.RETURN)
# A GET that changes something.
CANCEL = GROUP(
    29,
    "After-sale order cancellation",
    "GET /open/order/refund/cancel/{refundId}",
    SIBLING,
).sends(RefundRequest, object, Action.CALL)
MESSAGE = GROUP(
    30,
    "Submit After-sale order message",
    "POST /open/order/refund/submit/message",
    SIBLING,
).sends(MessageRequest, object, Action.CALL)
SUBMIT = GROUP(
    31,
    "After-sale order submission",
    "POST /open/order/refund/submit",
    ASSUMED,
    "taobao.refunds",
).sends(SubmitRequest, SubmitAnswer, Action.REFUND)
MESSAGES = GROUP(
    32,
    "After-sale order message list query",
    "POST /open/order/refund/message/list",
    ASSUMED,
).read(MessagePageRequest, MessagePage)
MODIFY = GROUP(
    33,
    "After-sale order modification",
    "POST /open/order/refund/modify",
    ASSUMED,
    "taobao.refunds",
).sends(ModifyRequest, object, Action.CALL)
REFUND = GROUP(
    34,
    "After-sale simple query",
    "GET /v2/taobao/order/refund/query",
    SIBLING,
    "taobao.refunds",
).read(RefundRequest, Refund)
