"""1688 / After-sale: refunds and returns of an order or some of its entries (contract
2.8); amounts in fen.

`goods_status`, `dispute_request` and the states of a refund are of 2.8 and 4.3.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connectors.xportcn.models import EffectAnswer, Nothing, Request, Response
from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Group
from connectors.xportcn.wire import Fen, GivenId, Id, IdNumber
from domain.effects import Action


class ReasonsRequest(Request):
    """Without entries the whole order is meant."""

    order_id: IdNumber
    order_entry_ids: tuple[IdNumber, ...] | None = None
    goods_status: str


class Reason(Response):
    id: GivenId
    name: str = ""
    need_voucher: bool = False
    no_refund_carriage: bool = False


class Reasons(Response):
    reasons: tuple[Reason, ...] = ()


class VoucherRequest(Request):
    """A JPG below 1 MB, in base64."""

    image_data: str


class Voucher(Response):
    image_domain: str
    image_relative_url: str

    @property
    def url(self) -> str:
        """The link that a refund request names."""
        return self.image_domain + self.image_relative_url


class CreateRequest(Request):
    order_id: IdNumber
    order_entry_ids: tuple[IdNumber, ...] | None = None
    dispute_request: Literal["refund", "returnRefund"]
    apply_payment: Fen
    apply_carriage: Fen
    apply_reason_id: IdNumber
    description: str = Field(min_length=2, max_length=150)
    goods_status: str
    vouchers: tuple[str, ...] | None = Field(None, max_length=5)


class CreateAnswer(EffectAnswer):
    refund_id: GivenId


class ReturnRequest(Request):
    refund_id: str
    logistics_company_no: str
    freight_bill: str
    description: str | None = None
    vouchers: tuple[str, ...] | None = None


class LogisticsCompany(Response):
    company_name: str = ""
    company_no: str


class RefundRequest(Request):
    refund_id: str


class Refund(Response):
    """`refund_payment` is the sum given back so far (assumed); it counts once the
    refund is done.
    """

    refund_id: GivenId
    status: str
    apply_payment: Fen
    apply_carriage: Fen | None = None
    refund_payment: Fen | None = None
    reject_reason: str = ""
    buyer_logistics_name: str = ""
    freight_bill: Id = ""


GROUP = Group("1688 / After-sale")
REASONS = GROUP(
    60,
    "Find the reason for a refund return (to create a refund return)",
    "POST /alibaba/refund/reason/list",
    ASSUMED,
).read(ReasonsRequest, Reasons)
VOUCHER = GROUP(
    61, "Upload refund receipt", "POST /alibaba/refund/voucher/upload", ASSUMED
).read(VoucherRequest, Voucher)
CREATE = GROUP(
    62,
    "Create a refund return request",
    "POST /alibaba/refund/detail/create",
    SIBLING,
    "1688.refunds",
).sends(CreateRequest, CreateAnswer, Action.REFUND)
RETURN = GROUP(
    63, "Buyer submits refund information", "POST /alibaba/refund/goods/return", SIBLING
).sends(ReturnRequest, bool, Action.RETURN)
COMPANIES = GROUP(
    64,
    "List of logistics companies - All logistics companies",
    "GET /alibaba/refund/logistics/company/list",
    ASSUMED,
).read(Nothing, tuple[LogisticsCompany, ...])
REFUND = GROUP(
    65,
    "Query the details of the after-sales order",
    "POST /alibaba/refund/info",
    SIBLING,
    "1688.refunds",
).read(RefundRequest, Refund)
