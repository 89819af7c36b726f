"""Taobao after-sale: ask for money back, return goods, talk about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sandbox.auth import SANDBOX_ACCOUNT
from sandbox.entities import Order, OrderLine
from sandbox.fields import Fields
from sandbox.operations import Call, Operations
from sandbox.ordering import ORDER_STATUS_ERROR
from sandbox.refund import Demand, Note, Refund, ReturnParcel, State
from sandbox.refusals import order_not_found, refund_not_found, upstream_refused
from sandbox.return_companies import BY_CODE, COMPANIES
from sandbox.taobao.refund_rules import (
    BEFORE_SHIPPING,
    NOT_RECEIVED,
    NOT_SHIPPED,
    RETURN_AND_MONEY,
    Row,
    row_for,
    rows_now,
)
from sandbox.taobao.refund_views import (
    FEE_TIPS,
    RETURN_ADDRESS,
    RETURN_TIPS,
    aggregate,
    answer,
    company_view,
    messages,
    order_and_line,
    refund_order,
    refund_type,
)
from sandbox.taobao.views import REFUND_STATUS
from sandbox.world import World

operations = Operations()

STATUS_ERROR = "REFUND_STATUS_ERROR"
LONGEST_DESCRIPTION, LONGEST_MESSAGE = 200, 500
MODIFIABLE = (State.ASKED, State.REFUSED)
PROBLEMS = {
    ORDER_STATUS_ERROR: "the order is not paid or is closed",
    "REFUND_EXISTS": "the sub-order has an open refund",
    STATUS_ERROR: "the refund's state does not allow it",
    "GOODS_STATUS_ERROR": "type and goods status are not allowed now",
    "REASON_INVALID": "the reason is not one of those offered",
    "REFUND_FEE_INVALID": "the fee is not within the limits",
}


def _order_line(world: World, body: Fields) -> tuple[Order, OrderLine]:
    sub_id = body.identifier("subOrderId")
    found = world.books.order_of_line(sub_id)
    if found is None or found[0].marketplace != "taobao" or not found[0].sequence:
        raise order_not_found(sub_id)
    return found


def _refund(world: World, asked: Fields) -> Refund:
    refund_id = asked.identifier("refundId")
    refund = world.refunds.refund("taobao", refund_id)
    if refund is None:
        raise refund_not_found(refund_id)
    return refund


@operations.post("/v2/taobao/order/refund/render")
def render(world: World, call: Call) -> dict[str, Any]:
    """Render the reasons and limits of a refund."""
    kind, goods = call.body.whole("refundType"), call.body.whole("goodsStatus")
    order, line = _order_line(world, call.body)
    rows = rows_now(order, line, world.now())
    if not rows:
        raise upstream_refused(ORDER_STATUS_ERROR)
    row = row_for(rows, kind, goods)
    if row is None:
        raise upstream_refused("GOODS_STATUS_ERROR")
    open_refund = world.refunds.open_one(line.sub_id)
    template = {
        "refundReasons": [
            _reason(number, words) for number, words in row.reasons.items()
        ],
        "goodsStatusList": list(dict.fromkeys(row.goods_status for row in rows)),
        "refundOrder": refund_order(open_refund, world.now()) if open_refund else None,
        "maxRefundFee": _limits(row, order, line),
    }
    return {
        "refundOrderTemplate": template,
        "distributorId": SANDBOX_ACCOUNT.user_id,
        "currency": "CNY",
        "saleFlag": 0,
    }


def _reason(number: int, words: str) -> dict[str, Any]:
    return {"reasonId": number, "reasonDesc": words, "tips": ""}


def _limits(row: Row, order: Order, line: OrderLine) -> dict[str, Any]:
    lowest, highest = row.limits(order, line)
    return {
        "refundFee": highest,
        "minRefundFee": min(lowest, highest),
        "canEditRefundFee": not row.all_of_it,
        "feeTips": FEE_TIPS,
    }


@operations.post("/open/order/refund/submit", effect=True)
def submit(world: World, call: Call) -> dict[str, Any]:
    kind = call.body.whole("refundType")
    demand = _demand(call.body, kind, call.body.whole("goodsStatus"))
    order, line = _order_line(world, call.body)
    rows = rows_now(order, line, world.now())
    if not rows:
        return _refused(ORDER_STATUS_ERROR)
    if open_refund := world.refunds.open_one(line.sub_id):
        return _refused("REFUND_EXISTS", open_refund.id)
    if problem := _problem(
        row_for(rows, kind, int(demand.goods_status)), order, line, demand
    ):
        return _refused(problem)
    return _accepted(world.refunds.ask(order, [line], demand, world.now()))


def _demand(body: Fields, kind: int, goods_status: int) -> Demand:
    description = body.optional_text("refundDesc")
    if description:
        body.short_text("refundDesc", LONGEST_DESCRIPTION)
    return Demand(
        returns=kind == RETURN_AND_MONEY,
        goods_status=str(goods_status),
        reason_id=body.whole("reasonId"),
        goods_fen=body.whole("refundFee"),
        carriage_fen=0,
        description=description,
        images=_images(body),
    )


def _images(body: Fields) -> list[str]:
    return [url for url in body.optional_text("refundImages").split(",") if url]


def _problem(row: Row | None, order: Order, line: OrderLine, demand: Demand) -> str:
    if row is None:
        return "GOODS_STATUS_ERROR"
    if demand.reason_id not in row.reasons:
        return "REASON_INVALID"
    return "" if row.allows_fee(order, line, demand.goods_fen) else "REFUND_FEE_INVALID"


def _accepted(refund: Refund) -> dict[str, Any]:
    return {
        "success": True,
        "refundId": refund.id,
        "errorCode": None,
        "errorMessage": None,
    }


def _refused(problem: str, refund_id: str | None = None) -> dict[str, Any]:
    return {
        "success": False,
        "refundId": refund_id,
        "errorCode": problem,
        "errorMessage": PROBLEMS[problem],
    }


@operations.post("/open/order/refund/modify", effect=True)
def modify(world: World, call: Call) -> dict[str, Any]:
    """Ask anew, by the rules of now; the type stays, and goods that were not shipped
    are not received once they are.
    """
    body = call.body
    for name in ("reasonId", "refundFee"):
        body.whole(name)
    refund = _refund(world, body)
    demand = _demand(body, refund_type(refund), int(refund.demand.goods_status))
    if refund.state not in MODIFIABLE:
        return _refused(STATUS_ERROR)
    order, line = order_and_line(world, refund)
    rows = rows_now(order, line, world.now())
    if int(demand.goods_status) == NOT_SHIPPED and BEFORE_SHIPPING not in rows:
        demand = replace(demand, goods_status=str(NOT_RECEIVED))
    row = row_for(rows, refund_type(refund), int(demand.goods_status))
    if problem := _problem(row, order, line, demand):
        return _refused(problem)
    world.refunds.ask_anew(refund, demand, world.now())
    return _accepted(refund)


@operations.get("/open/order/refund/cancel/{refundId}", effect=True)
def cancel(world: World, call: Call) -> dict[str, Any]:
    refund = _refund(world, call.query)
    allowed = refund.state in MODIFIABLE or (
        refund.state is State.AGREED and refund.demand.returns
    )
    if allowed:
        world.refunds.cancel(refund, world.now())
    return {"cancelSuccess": allowed, **answer(world, refund)}


@operations.get("/v2/taobao/order/refund/query")
def query(world: World, call: Call) -> dict[str, Any]:
    return answer(world, _refund(world, call.query))


@operations.post("/open/order/refund/queryList")
def query_list(world: World, call: Call) -> dict[str, Any]:
    page = call.body.page("pageNo")
    found = _selected(world, call.body)
    return page.answer(
        len(found),
        [aggregate(world, refund) for refund in found[page.start : page.stop]],
    )


def _selected(world: World, asked: Fields) -> list[Refund]:
    """Newest first."""
    refund_id, order_id = (
        asked.optional_identifier("refundId"),
        asked.optional_identifier("purchaseOrderId"),
    )
    reference = asked.optional_identifier("salesOrderId")
    status = (
        asked.whole("refundStatus", minimum=-100) if asked.has("refundStatus") else None
    )
    start, end = (
        asked.optional_whole("refundStartTime"),
        asked.optional_whole("refundEndTime"),
    )
    return [
        refund
        for refund in reversed(world.refunds.every())
        if refund.marketplace == "taobao"
        and (not refund_id or refund.id == refund_id)
        and (not order_id or refund.order_id == order_id)
        and (
            not reference or world.books.orders[refund.order_id].reference == reference
        )
        and (status is None or REFUND_STATUS[refund.state] == status)
        and (start is None or refund.created_at >= start)
        and (end is None or refund.created_at <= end)
    ]


def _check_return_awaited(refund: Refund) -> None:
    if refund.state is not State.AGREED or not refund.demand.returns:
        raise upstream_refused(STATUS_ERROR)


@operations.get("/open/order/refund/return/logistics/render")
def return_render(world: World, call: Call) -> dict[str, Any]:
    """Render the address for the goods."""
    refund = _refund(world, call.query)
    _check_return_awaited(refund)
    return {
        "refundId": refund.id,
        "receiverName": "退货组",
        "receiverPhone": "13800000009",
        "receiverAddress": RETURN_ADDRESS,
        "returnGoodsDesc": RETURN_TIPS,
        "logisticsCompanyList": [
            company_view(company.code, company.name) for company in COMPANIES
        ],
    }


@operations.post("/open/order/refund/return/logistics/submit", effect=True)
def return_submit(world: World, call: Call) -> bool:
    body = call.body
    parcel = ReturnParcel(
        company=body.text("logisticsCompanyCode"),
        number=body.text("mailNo"),
        phone=body.optional_text("buyerPhone") or None,
        description=body.optional_text("returnGoodsDesc") or None,
        images=_images(body),
    )
    refund = _refund(world, body)
    _check_return_awaited(refund)
    if parcel.company not in BY_CODE:
        raise upstream_refused("LOGISTICS_COMPANY_UNKNOWN")
    world.refunds.send_back(refund, parcel, world.now())
    return True


@operations.post("/open/order/refund/submit/message", effect=True)
def submit_message(world: World, call: Call) -> bool:
    note = Note(
        world.now(),
        call.body.short_text("refundMessage", LONGEST_MESSAGE),
        _images(call.body),
    )
    refund = _refund(world, call.body)
    if not refund.open:
        raise upstream_refused(STATUS_ERROR)
    world.refunds.add_note(refund, note)
    return True


@operations.post("/open/order/refund/message/list")
def message_list(world: World, call: Call) -> dict[str, Any]:
    page = call.body.page("pageNo")
    said = messages(_refund(world, call.body), world.now())
    return page.answer(len(said), said[page.start : page.stop])
