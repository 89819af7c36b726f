"""1688 after-sale: reasons, receipts, a request for money back, the return parcel."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from sandbox.alibaba_1688.orders import order_named
from sandbox.alibaba_1688.refund_rules import (
    WITH_RETURN,
    Reason,
    carriage_fits,
    carriage_left_fen,
    payment_fits,
    row_named,
    rows_now,
)
from sandbox.alibaba_1688.refund_views import refund_info
from sandbox.entities import Order, OrderLine
from sandbox.fields import Fields
from sandbox.operations import Call, Operations
from sandbox.ordering import ORDER_STATUS_ERROR
from sandbox.receipts import DOMAIN
from sandbox.refund import Demand, Refund, ReturnParcel, State
from sandbox.refusals import (
    bad_request,
    order_not_found,
    refund_not_found,
    upstream_refused,
)
from sandbox.return_companies import BY_CODE, COMPANIES
from sandbox.world import World

operations = Operations()

MAX_RECEIPT_BYTES = 1_048_576
JPEG_BEGINS = b"\xff\xd8\xff"
MAX_RECEIPTS = 5
DESCRIPTION_LENGTHS = range(2, 151)


def _lines(order: Order, body: Fields) -> list[OrderLine]:
    """The named entries; all of the order when none is named."""
    if not body.has("orderEntryIds"):
        return order.lines
    entry_ids = body.identifiers("orderEntryIds")
    if not entry_ids:
        raise bad_request("orderEntryIds", "at least one id, or leave it out")
    if unknown := next(
        (entry_id for entry_id in entry_ids if order.line(entry_id) is None), None
    ):
        raise order_not_found(f"{order.id} with entry {unknown}")
    return [line for line in order.lines if line.sub_id in entry_ids]


@operations.post("/alibaba/refund/reason/list")
def reasons(world: World, call: Call) -> dict[str, Any]:
    goods_status = call.body.text("goodsStatus")
    order = order_named(world, call.body)
    _lines(order, call.body)
    rows = rows_now(order, world.now())
    if not rows:
        raise upstream_refused(ORDER_STATUS_ERROR)
    row = row_named(rows, goods_status)
    if row is None:
        raise upstream_refused("GOODS_STATUS_ERROR")
    return {"reasons": [_reason(reason) for reason in row.reasons]}


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "id": reason.id,
        "name": reason.name,
        "needVoucher": reason.needs_voucher,
        "noRefundCarriage": reason.no_carriage,
        "tip": "",
    }


@operations.post("/alibaba/refund/voucher/upload", effect=True)
def upload_receipt(world: World, call: Call) -> dict[str, str]:
    try:
        content = b64decode(call.body.text("imageData"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request("imageData", "must be base64") from error
    if not content.startswith(JPEG_BEGINS):
        raise upstream_refused("IMAGE_FORMAT_ERROR", "only JPG")
    if len(content) >= MAX_RECEIPT_BYTES:
        raise upstream_refused(
            "IMAGE_TOO_LARGE", f"must be below {MAX_RECEIPT_BYTES} bytes"
        )
    return {"imageDomain": DOMAIN, "imageRelativeUrl": world.receipts.keep(content)}


@operations.post("/alibaba/refund/detail/create", effect=True)
def create(world: World, call: Call) -> dict[str, str]:
    body = call.body
    demand = _demand(body)
    order = order_named(world, body)
    lines = _lines(order, body)
    if problem := _problem(world, order, lines, demand, body.text("disputeRequest")):
        raise upstream_refused(problem)
    return {"refundId": world.refunds.ask(order, lines, demand, world.now()).id}


def _demand(body: Fields) -> Demand:
    description = body.text("description")
    if len(description) not in DESCRIPTION_LENGTHS:
        raise bad_request("description", "from 2 to 150 characters")
    return Demand(
        returns=body.text("disputeRequest") == WITH_RETURN,
        goods_status=body.text("goodsStatus"),
        reason_id=body.whole("applyReasonId"),
        goods_fen=body.whole("applyPayment"),
        carriage_fen=body.whole("applyCarriage"),
        description=description,
        images=body.texts("vouchers", at_most=MAX_RECEIPTS),
    )


def _problem(  # noqa: PLR0911
    world: World, order: Order, lines: Sequence[OrderLine], demand: Demand, request: str
) -> str:
    rows = rows_now(order, world.now())
    if not rows:
        return ORDER_STATUS_ERROR
    if any(world.refunds.open_one(line.sub_id) for line in lines):
        return "REFUND_EXISTS"
    row = row_named(rows, demand.goods_status)
    if row is None:
        return "GOODS_STATUS_ERROR"
    if request not in row.demands:
        return "DISPUTE_REQUEST_ERROR"
    reason = row.reason(demand.reason_id)
    if reason is None:
        return "REASON_ERROR"
    if problem := _receipt_problem(world, reason, demand.images):
        return problem
    if not payment_fits(row, lines, demand):
        return "APPLY_PAYMENT_ERROR"
    left_fen = carriage_left_fen(order, world.refunds)
    return (
        ""
        if carriage_fits(row, order, lines, demand, reason, left_fen)
        else "APPLY_CARRIAGE_ERROR"
    )


def _receipt_problem(world: World, reason: Reason, urls: Sequence[str]) -> str:
    if reason.needs_voucher and not urls:
        return "VOUCHER_REQUIRED"
    return "" if all(world.receipts.has(url) for url in urls) else "VOUCHER_INVALID"


def _refund(world: World, body: Fields) -> Refund:
    refund_id = body.text("refundId")
    refund = world.refunds.refund("1688", refund_id)
    if refund is None:
        raise refund_not_found(refund_id)
    return refund


@operations.post("/alibaba/refund/goods/return", effect=True)
def return_goods(world: World, call: Call) -> bool:
    body = call.body
    parcel = ReturnParcel(
        company=body.text("logisticsCompanyNo"),
        number=body.text("freightBill"),
        phone=None,
        description=body.optional_text("description") or None,
        images=body.texts("vouchers", at_most=MAX_RECEIPTS),
    )
    refund = _refund(world, body)
    if refund.state is not State.AGREED:
        raise upstream_refused("REFUND_STATUS_ERROR")
    if parcel.company not in BY_CODE:
        raise upstream_refused("LOGISTICS_COMPANY_UNKNOWN")
    world.refunds.send_back(refund, parcel, world.now())
    return True


@operations.get("/alibaba/refund/logistics/company/list")
def companies(world: World, call: Call) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "companyName": company.name,
            "companyNo": company.code,
            "companyPhone": company.phone,
        }
        for number, company in enumerate(COMPANIES, 1)
    ]


@operations.post("/alibaba/refund/info")
def details(world: World, call: Call) -> dict[str, Any]:
    return refund_info(_refund(world, call.body))
