"""Orders of big sellers: create, pay, list, details. Amounts are fen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sandbox.alibaba_1688.buying import read_out_order_id
from sandbox.alibaba_1688.cargo import (
    PROBLEMS,
    SOLD_OUT,
    Cargo,
    failed_offer,
    first_problem,
)
from sandbox.big_major import views
from sandbox.big_major.cargo import read_asked
from sandbox.dialects.refuses_unknown_fields import check_fields
from sandbox.entities import Order
from sandbox.fields import Fields
from sandbox.lifecycle import modified_at
from sandbox.operations import Call, Operations
from sandbox.order_lists import (
    OrderFilter,
    Showing,
    end_of_second,
    select_orders,
    start_of_second,
)
from sandbox.ordering import (
    PAYMENT_PROBLEMS,
    Addresses,
    order_named,
    pay_order,
    place_orders,
)
from sandbox.refusals import UPSTREAM_REFUSED, Refusal, bad_request
from sandbox.times import HOUR
from sandbox.world import World

operations = Operations()

FIRST_ID = 2_800_000_000_000_000_000
LONGEST_MESSAGE = 500
CREATE_FIELDS = (
    "flow",
    "message",
    "addressParam",
    "cargoParamList",
    "tradeType",
    "shopPromotionId",
)
PREVIEW_LIVES = HOUR // 2
SHOWING = Showing(views.status, lambda world, order: modified_at(order, world.now()))


@operations.post("/alibaba/ka/order/create", effect=True)
def create(world: World, call: Call) -> dict[str, Any]:
    """Create orders at today's prices and without an idempotency key: a repeated
    request makes two orders.
    """
    check_fields(world.dialects, call.body, *CREATE_FIELDS)
    message = _message(call.body)
    asked = read_asked(world, call.body)
    if not world.quotes.quoted_since(
        "big_major", asked.lines, world.now() - PREVIEW_LIVES
    ):
        words = "no preview of the same cargo, with every line buyable, in the last 30 minutes"
        raise Refusal(UPSTREAM_REFUSED, f"PREVIEW_REQUIRED: {words}")
    if first_problem(asked.cargo):
        return _not_created(asked.cargo)
    (bought, failed), addresses = (
        call.part(asked.cargo),
        Addresses(asked.address, asked.address),
    )
    picks, out_order_id = (
        [line.pick() for line in bought],
        read_out_order_id(world, "big_major", call.body),
    )
    placed = place_orders(
        world, picks, message, addresses, FIRST_ID, out_order_id=out_order_id
    )
    return _created(placed, [replace(line, problem=SOLD_OUT) for line in failed])


def _message(body: Fields) -> str:
    message = body.optional_text("message")
    if len(message) > LONGEST_MESSAGE:
        raise bad_request("message", f"must have at most {LONGEST_MESSAGE} characters")
    return message


def _created(orders: Sequence[Order], failed: Sequence[Cargo]) -> dict[str, Any]:
    return {
        "success": True,
        "code": None,
        "message": None,
        "orderList": [views.head(order) for order in orders],
        "failedOfferList": [failed_offer(line) for line in failed],
    }


def _not_created(cargo: Sequence[Cargo]) -> dict[str, Any]:
    problem = first_problem(cargo)
    return {
        "success": False,
        "code": problem,
        "message": PROBLEMS[problem],
        "orderList": [],
        "failedOfferList": [failed_offer(line) for line in cargo if line.problem],
    }


@operations.post("/alibaba/ka/order/pay", effect=True)
def pay(world: World, call: Call) -> dict[str, Any]:
    order = order_of(world, call.body)
    problem = pay_order(world, order, call)
    return {
        "orderId": order.id,
        "paySuccess": not problem,
        "errorCode": problem,
        "errorMessage": PAYMENT_PROBLEMS[problem] if problem else None,
    }


@operations.post("/alibaba/ka/order/page")
def page_list(world: World, call: Call) -> dict[str, Any]:
    page = call.body.page("pageNo")
    orders = select_orders(world, "big_major", _wanted(call.body), SHOWING)
    return page.answer(
        len(orders),
        [views.listed(world, order) for order in orders[page.start : page.stop]],
    )


def _wanted(asked: Fields) -> OrderFilter:
    return OrderFilter(
        created=(
            start_of_second(asked, "createTimeStart"),
            end_of_second(asked, "createTimeEnd"),
        ),
        modified=(
            start_of_second(asked, "modifyTimeStart"),
            end_of_second(asked, "modifyTimeEnd"),
        ),
        status=asked.optional_text("orderStatus"),
    )


@operations.post("/alibaba/ka/order/detail")
def details(world: World, call: Call) -> dict[str, Any]:
    return views.order_view(world, order_of(world, call.body))


def order_of(world: World, asked: Fields) -> Order:
    """The big seller's order that a request names."""
    return order_named(world, "big_major", asked.identifier("orderId"))
