"""Taobao purchases: render, create, pay, cancel, list, details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sandbox import ordering
from sandbox.dialects.receiver_china import check_receiver
from sandbox.dialects.refuses_duplicates import REFUSES_DUPLICATES
from sandbox.entities import Order
from sandbox.fields import Fields
from sandbox.operations import Call, Operations
from sandbox.ordering import (
    ORDER_STATUS_ERROR,
    Addresses,
    order_named,
    pay_order,
    place_orders,
)
from sandbox.quotes import Line, cargo_key
from sandbox.refusals import bad_request
from sandbox.taobao import views
from sandbox.taobao.lines import (
    PROBLEMS,
    SOLD_OUT,
    WantedLine,
    amount_fen,
    as_orders,
    check_address,
    first_problem,
    is_complete,
    read_lines,
    rendered,
)
from sandbox.taobao.listing import select_orders
from sandbox.times import SECOND
from sandbox.world import World

operations = Operations()

FIRST_ID = 200_000_000_000_000_000
MAX_PAID_AT_ONCE = 10
CANCEL_TAKES = 5 * SECOND
PAYMENT_PROBLEMS = ordering.PAYMENT_PROBLEMS | {
    ORDER_STATUS_ERROR: "the order is paid or closed already, or its voucher is being checked"
}


@operations.post("/open/purchase/render")
def render(world: World, call: Call) -> dict[str, Any]:
    check_receiver(
        world.dialects,
        call.body.object("receiver"),
        call.body.object("warehouseAddress"),
    )
    return rendered(read_lines(world, call.body.objects_in_text("renderItemList")))


@operations.post("/open/purchase/render/v2")
def render_v2(world: World, call: Call) -> dict[str, Any]:
    """Render with the id of a warehouse instead of its address, and with the lines as a
    list.
    """
    check_address(call.body.object("receiver"))
    entries = call.body.objects("renderItemList")
    if warehouse_id := call.body.optional_identifier("warehouseId"):
        world.addresses.named(warehouse_id)
    return rendered(read_lines(world, entries))


@operations.post("/open/purchase/create/v2", effect=True)
def create_v2(world: World, call: Call) -> dict[str, Any]:
    """Create an order of all lines, which must be of one seller."""
    body = call.body
    entries = _read_create_form(world, body)
    if body.raw.get("supportPartialSuccess", False) is not False:
        raise bad_request("supportPartialSuccess", "must be false")
    lines = read_lines(world, entries)
    outer_id, addresses = body.text("outerPurchaseId"), _addresses(body)
    if world.books.referenced("taobao", outer_id):
        return _repeated(world, outer_id, lines)[0]
    one_seller = len({line.item.seller.id for line in lines}) == 1
    problem = (
        _address_problem(addresses)
        or ("" if one_seller else "SELLER_MISMATCH")
        or first_problem(lines)
    )
    if problem := problem or _price_problem(body, lines):
        return _not_created(outer_id, problem)
    bought, failed = call.part(lines)
    answer = _created(world, outer_id, addresses, bought, lines, [])
    named = [_failed_line(replace(line, problem=SOLD_OUT)) for line in failed]
    return {**answer, "failedLineList": named} if named else answer


@operations.post("/open/purchase/create", effect=True)
def create_v1(world: World, call: Call) -> dict[str, Any]:
    """Create orders of several sellers' lines; on request without lines that can't be
    bought.
    """
    body = call.body
    entries = _read_create_form(world, body)
    partial = body.flag("supportPartialSuccess")
    lines = read_lines(world, entries)
    outer_id, addresses = body.text("outerPurchaseId"), _addresses(body)
    if world.books.referenced("taobao", outer_id):
        answer, failed = _repeated(world, outer_id, lines)
        return {**answer, "failedLineList": failed}
    buyable = [line for line in lines if not line.problem] if partial else lines
    failed = [_failed_line(line) for line in lines if line.problem and partial]
    problem = (
        _address_problem(addresses)
        or first_problem(buyable or lines)
        or _price_problem(body, buyable)
    )
    if problem:
        return {**_not_created(outer_id, problem), "failedLineList": failed}
    return {
        **_created(world, outer_id, addresses, buyable, lines, failed),
        "failedLineList": failed,
    }


def _read_create_form(world: World, body: Fields) -> list[Fields]:
    """The lines of a create whose fields are all of the right kind."""
    check_receiver(
        world.dialects, body.object("receiver"), body.object("warehouseAddressInfo")
    )
    body.text("outerPurchaseId")
    body.whole("purchaseAmount")
    entries = body.objects_in_text("orderLineList")
    _addresses(body)
    if body.text("channelOrderType") not in ("PANAMA", "PANAMA_DG"):
        raise bad_request("channelOrderType", "must be PANAMA or PANAMA_DG")
    for entry in entries:
        entry.identifier("orderLineNo")
        entry.text("title")
        entry.whole("price")
        if entry.text("currency") != "CNY":
            raise bad_request(entry.named("currency"), "must be CNY")
    if len({entry.identifier("orderLineNo") for entry in entries}) < len(entries):
        raise bad_request("orderLineList", "orderLineNo must differ between lines")
    return entries


def _addresses(body: Fields) -> Addresses:
    receiver, warehouse = body.object("receiver"), body.object("warehouseAddressInfo")
    return Addresses(receiver=dict(receiver.raw), warehouse=dict(warehouse.raw))


def _address_problem(addresses: Addresses) -> str:
    complete = is_complete(addresses.receiver, "country") and is_complete(
        addresses.warehouse
    )
    return "" if complete else "ADDRESS_INVALID"


def _price_problem(body: Fields, lines: Sequence[WantedLine]) -> str:
    return "PRICE_CHANGED" if amount_fen(lines) > body.whole("purchaseAmount") else ""


def _cargo(lines: Sequence[WantedLine]) -> str:
    asked: list[Line] = [
        (line.item.id, line.sku_mp_id, line.quantity) for line in lines
    ]
    return cargo_key(asked)


def _repeated(
    world: World, outer_id: str, lines: Sequence[WantedLine]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The answer to a used outerPurchaseId, and the lines that were left out the first
    time.
    """
    first = world.first_answers.of("taobao", outer_id)
    if (
        first is None
        or first.cargo != _cargo(lines)
        or REFUSES_DUPLICATES in world.dialects
    ):
        return _not_created(outer_id, "DUPLICATE_OUTER_ID"), []
    return views.created(world, world.books.referenced("taobao", outer_id)), first.data[
        "failed"
    ]


def _created(
    world: World,
    outer_id: str,
    addresses: Addresses,
    lines: Sequence[WantedLine],
    asked: Sequence[WantedLine],
    failed: list[dict[str, Any]],
) -> dict[str, Any]:
    world.first_answers.keep("taobao", outer_id, _cargo(asked), {"failed": failed})
    return views.created(world, place(world, lines, outer_id, addresses))


def place(
    world: World, lines: Sequence[WantedLine], outer_id: str, addresses: Addresses
) -> list[Order]:
    """Order lines that can all be bought: one order a seller and depot."""
    depots = [[line.pick() for line in depot] for depot in as_orders(lines)]
    return [
        order
        for picks in depots
        for order in place_orders(world, picks, outer_id, addresses, FIRST_ID)
    ]


def _not_created(outer_id: str, problem: str) -> dict[str, Any]:
    return views.not_created(outer_id, problem, PROBLEMS[problem])


def _failed_line(line: WantedLine) -> dict[str, Any]:
    return {
        "orderLineNo": line.number,
        "errorCode": line.problem,
        "errorMessage": PROBLEMS[line.problem],
    }


@operations.post("/open/purchase/pay", effect=True)
def pay(world: World, call: Call) -> dict[str, Any]:
    order_ids = call.body.identifiers("purchaseOrderIdList")
    if not 1 <= len(order_ids) <= MAX_PAID_AT_ONCE:
        raise bad_request("purchaseOrderIdList", f"from 1 to {MAX_PAID_AT_ONCE} ids")
    problems = [_pay_one(world, order_id, call) for order_id in order_ids]
    failed = [
        (order_id, problem)
        for order_id, problem in zip(order_ids, problems, strict=True)
        if problem
    ]
    return {
        "willPayPurchaseOrderIds": [
            order_id
            for order_id, problem in zip(order_ids, problems, strict=True)
            if not problem
        ],
        "payFailurePurchaseOrderIds": [order_id for order_id, _ in failed],
        "payFailedResults": [
            {
                "gspOrderId": order_id,
                "errorCode": problem,
                "errorMessage": PAYMENT_PROBLEMS[problem],
            }
            for order_id, problem in failed
        ],
    }


def _pay_one(world: World, order_id: str, call: Call) -> str:
    order = world.books.order("taobao", order_id)
    return (pay_order(world, order, call) or "") if order else "ORDER_NOT_EXIST"


@operations.post("/open/purchase/cancel", effect=True)
def cancel(world: World, call: Call) -> dict[str, Any]:
    """Accept the cancellation; the order closes a little later unless it is paid by
    then.
    """
    call.body.short_text("cancelReason", 200)
    call.body.optional_text("cancelRemark")
    order = order_named(world, "taobao", call.body.identifier("purchaseId"))
    if order.payable and order.cancel_due_at is None:
        order.cancel_due_at = world.now() + CANCEL_TAKES
        world.books.touch(order, world.now())
        world.expect_cancel(order)
    return {
        "success": order.payable,
        "purchaseId": order.id,
        "errorCode": None if order.payable else ORDER_STATUS_ERROR,
        "errorMessage": None if order.payable else PAYMENT_PROBLEMS[ORDER_STATUS_ERROR],
    }


@operations.post("/open/purchase/page")
def page_list(world: World, call: Call) -> dict[str, Any]:
    page = call.body.page("pageNo")
    orders = select_orders(world, call.body)
    rows = [views.order_view(world, order) for order in orders[page.start : page.stop]]
    return page.answer(len(orders), rows)


@operations.get("/open/order/detail/get")
def details(world: World, call: Call) -> dict[str, Any]:
    return views.order_view(
        world, order_named(world, "taobao", call.query.identifier("purchaseOrderId"))
    )
