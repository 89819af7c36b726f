"""1688 orders of one seller: preview, create, pay, cancel, confirm receipt, list,
details.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sandbox import ordering
from sandbox.alibaba_1688 import views
from sandbox.alibaba_1688.buying import (
    FAILED_PART,
    check_trade,
    created,
    place,
    previewed,
    read_out_order_id,
)
from sandbox.alibaba_1688.cargo import (
    SOLD_OUT,
    check_address,
    first_problem,
    read_cargo,
)
from sandbox.dialects.refuses_unknown_fields import check_fields
from sandbox.entities import Order
from sandbox.fields import Fields
from sandbox.lifecycle import modified_at
from sandbox.operations import Call, Operations
from sandbox.order_lists import end_of_second, start_of_second
from sandbox.ordering import BALANCE_NOT_ENOUGH, ORDER_STATUS_ERROR, pay_order
from sandbox.refusals import bad_request, upstream_refused
from sandbox.times import SECOND
from sandbox.world import World

operations = Operations()

CASHIER = "https://trade.1688.com/order/cashier.htm?orderId="
CREATE_FIELDS = (
    "flow",
    "message",
    "addressParam",
    "cargoParamList",
    "tradeType",
    "shopPromotionId",
)
YOUNGEST_TO_CANCEL = 10 * SECOND
RECEIPT_PROBLEMS = {
    ORDER_STATUS_ERROR: "the order is not on its way",
    "4003": "there is no such order",
}


@operations.post("/alibaba/order/create/preview")
def preview(world: World, call: Call) -> dict[str, Any]:
    check_address(call.body.object("addressParam"))
    return previewed(read_cargo(world, call.body))


@operations.post("/alibaba/order/create", effect=True)
def create(world: World, call: Call) -> dict[str, Any]:
    """Create an order, without an idempotency key: a repeated request makes two
    orders.
    """
    check_fields(world.dialects, call.body, *CREATE_FIELDS)
    address = call.body.object("addressParam")
    check_trade(call.body)
    check_address(address)
    cargo = read_cargo(world, call.body)
    if first_problem(cargo):
        return created([], cargo)
    out_order_id, message = (
        read_out_order_id(world, "1688", call.body),
        call.body.optional_text("message"),
    )
    bought, failed = call.part(cargo)
    placed = place(world, bought, message, address, out_order_id=out_order_id)
    answer = created(placed, [replace(line, problem=SOLD_OUT) for line in failed])
    unsaid = len(cargo) - len(bought) - len(failed)
    return {**answer, "orderList": [*answer["orderList"], *[FAILED_PART] * unsaid]}


@operations.get("/alibaba/order/pay/url", effect=True)
def pay(world: World, call: Call) -> dict[str, Any]:
    order = order_named(world, call.query)
    problem = pay_order(world, order, call)
    if problem == ORDER_STATUS_ERROR:
        raise upstream_refused(ORDER_STATUS_ERROR)
    short = problem == BALANCE_NOT_ENOUGH
    return {
        "orderId": order.id,
        "protocolPaySuccess": not short,
        "payUrl": f"{CASHIER}{order.id}" if short else None,
        "cantPayOrderList": [],
    }


@operations.post("/alibaba/order/cancel", effect=True)
def cancel(world: World, call: Call) -> bool:
    """Cancel an order: before payment only, and not in the order's first seconds."""
    _check_site(call.body)
    call.body.short_text("cancelReason", 100)
    call.body.optional_text("remark")
    order = order_named(world, call.body)
    if not order.payable:
        raise upstream_refused(ORDER_STATUS_ERROR)
    if world.now() < order.created_at + YOUNGEST_TO_CANCEL:
        raise upstream_refused("CLOSE_ORDER_TOO_FAST")
    world.close(order, "BUYER_CANCEL")
    return True


@operations.post("/alibaba/order/receivegoods", effect=True)
def confirm_receipt(world: World, call: Call) -> dict[str, Any]:
    """Confirm the receipt of a whole order; an unknown order is refused in words of its
    own (contract 1.6).
    """
    order = world.books.order("1688", call.body.identifier("orderId"))
    entries = (
        call.body.identifiers("orderEntryIds")
        if call.body.has("orderEntryIds")
        else None
    )
    if order is None:
        return _receipt("4003")
    if entries is not None and set(entries) != {line.sub_id for line in order.lines}:
        raise bad_request(
            "orderEntryIds", "must be all entries of the order, or left out"
        )
    if views.status(order, world.now()) != "waitbuyerreceive":
        return _receipt(ORDER_STATUS_ERROR)
    order.confirmed_at = world.now()
    world.books.touch(order, world.now())
    return _receipt("")


def _receipt(problem: str) -> dict[str, Any]:
    return {
        "success": not problem,
        "errorCode": problem or None,
        "errorInfo": RECEIPT_PROBLEMS.get(problem),
    }


@operations.post("/v2/alibaba/order/page")
def page_list(world: World, call: Call) -> dict[str, Any]:
    page = call.body.page("page")
    orders = _selected(world, call.body)
    rows = orders[::-1][page.start : page.stop]
    return {
        "totalRecord": len(orders),
        "page": page.number,
        "pageSize": page.size,
        "result": [views.listed(world, order) for order in rows],
    }


def _selected(world: World, asked: Fields) -> Sequence[Order]:
    """The selected orders, oldest first; only filters on status and change scan, and
    only orders of the asked time.
    """
    created_in = (
        start_of_second(asked, "createStartTime"),
        end_of_second(asked, "createEndTime"),
    )
    orders = world.books.created_between("1688", *created_in)
    now = world.now()
    tests: list[Callable[[Order], bool]] = []
    if wanted := asked.optional_text("orderStatus"):
        tests.append(lambda order: views.status(order, now) == wanted)
    if (start := start_of_second(asked, "modifyStartTime")) is not None:
        tests.append(lambda order: modified_at(order, now) >= start)
    if (end := end_of_second(asked, "modifyEndTime")) is not None:
        tests.append(lambda order: modified_at(order, now) <= end)
    return (
        [order for order in orders if all(test(order) for test in tests)]
        if tests
        else orders
    )


@operations.post("/alibaba/order/detail")
def details(world: World, call: Call) -> dict[str, Any]:
    _check_site(call.body)
    return views.order_view(world, order_named(world, call.body))


def _check_site(asked: Fields) -> None:
    if asked.text("webSite") != "1688":
        raise bad_request("webSite", "must be 1688")


def order_named(world: World, asked: Fields) -> Order:
    return ordering.order_named(world, "1688", asked.identifier("orderId"))
