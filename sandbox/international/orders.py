"""Alibaba.com orders: create, pay, list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.dialects.refuses_duplicates import REFUSES_DUPLICATES
from sandbox.entities import Order
from sandbox.fields import Fields
from sandbox.goods import decimal_text
from sandbox.international import views
from sandbox.international.freight import CARRIERS
from sandbox.international.views import CURRENCY
from sandbox.international.wanted import (
    WRONG_CARRIER,
    WantedLine,
    check_destination,
    check_one_seller,
    read_destination,
    read_lines,
    wanted_lines,
)
from sandbox.operations import Call, Operations
from sandbox.order_lists import (
    OrderFilter,
    Showing,
    end_of_second,
    named_ids,
    named_texts,
    select_orders,
    start_of_second,
)
from sandbox.ordering import (
    BALANCE_NOT_ENOUGH,
    Addresses,
    Pick,
    by_depot,
    order_named,
    pay_order,
    place_order,
)
from sandbox.quotes import Line, cargo_key
from sandbox.refusals import UPSTREAM_REFUSED, Refusal, bad_request
from sandbox.times import HOUR
from sandbox.traces import trace_modified_at
from sandbox.world import World

operations = Operations()

FIRST_ID = 100_000_000_000_000_000
LONGEST_REFERENCE = 64
FREIGHT_QUOTE_LIVES = HOUR
CASHIER = "https://biz.alibaba.com/ta/detail.htm?orderId="
SHOWING = Showing(views.status, trace_modified_at)


@operations.post("/alibaba/international/order/create", effect=True)
def create(world: World, call: Call) -> dict[str, Any]:
    reference = call.body.short_text("channelReferId", LONGEST_REFERENCE)
    asked = read_lines(call.body)
    logistics = call.body.object("logisticsDetail")
    destination, carrier_code = (
        read_destination(logistics),
        logistics.text("carrierCode"),
    )
    call.body.optional_text("remark")
    lines = wanted_lines(world, asked)
    if (first := world.first_answers.of("international", reference)) is not None:
        if first.cargo != cargo_key(asked) or REFUSES_DUPLICATES in world.dialects:
            raise Refusal(
                UPSTREAM_REFUSED,
                "DUPLICATE_CHANNEL_REFER_ID: channelReferId was used before",
            )
        return first.data
    check_destination(*destination)
    check_one_seller(lines)
    _check_lines(lines)
    _check_freight_quote(world, asked, carrier_code)
    address = dict(logistics.object("shipmentAddress").raw)
    picks = [line.pick() for line in call.part(lines)[0]]
    orders = _place(world, picks, reference, carrier_code, Addresses(address, address))
    answer = _created(orders)
    world.first_answers.keep("international", reference, cargo_key(asked), answer)
    return answer


def _check_lines(lines: Sequence[WantedLine]) -> None:
    for line in lines:
        if line.problem:
            raise Refusal(line.problem, line.words)


def _check_freight_quote(
    world: World, asked: Sequence[Line], carrier_code: str
) -> None:
    quoted = world.quotes.quoted_since(
        "international", asked, world.now() - FREIGHT_QUOTE_LIVES
    )
    if carrier_code not in CARRIERS or not quoted:
        message = f"carrier {carrier_code} is not from a freight calculation of these lines in the last 60 minutes"
        raise Refusal(WRONG_CARRIER, message)


def _place(
    world: World,
    picks: Sequence[Pick],
    reference: str,
    carrier_code: str,
    addresses: Addresses,
) -> list[Order]:
    """One order a depot, each with a fee of its own for the carrier."""
    carrier = CARRIERS[carrier_code]
    return [
        place_order(
            world,
            depot,
            reference,
            addresses,
            FIRST_ID,
            post_fen=carrier.fee_fen(depot),
            carrier=carrier.code,
        )
        for depot in by_depot(picks, lambda pick: pick.item)
    ]


def _created(orders: Sequence[Order]) -> dict[str, Any]:
    only = orders[0].id if len(orders) == 1 else None
    return {
        "tradeId": only,
        "payUrl": CASHIER + only if only else None,
        "orderList": [
            {
                "tradeId": order.id,
                "totalAmount": decimal_text(order.amount_fen),
                "productAmount": decimal_text(order.goods_fen),
                "freightAmount": decimal_text(order.post_fen),
                "currency": CURRENCY,
            }
            for order in orders
        ],
    }


@operations.post("/alibaba/international/order/pay", effect=True)
def pay(world: World, call: Call) -> dict[str, Any]:
    order_ids = call.body.identifiers("orderIdList")
    if len(order_ids) != 1:
        raise bad_request("orderIdList", "exactly one id")
    order = order_named(world, "international", order_ids[0])
    problem = pay_order(world, order, call)
    return {
        "status": "PAY_FAILED" if problem else "PAY_SUCCESS",
        "reasonCode": problem,
        "payUrl": CASHIER + order.id if problem == BALANCE_NOT_ENOUGH else None,
    }


@operations.post("/alibaba/international/order/list")
def order_list(world: World, call: Call) -> dict[str, Any]:
    page = call.body.page("startPage")
    orders = select_orders(world, "international", _wanted(call.body), SHOWING)
    return {
        "totalCount": len(orders),
        "orderList": [
            views.order_view(world, order) for order in orders[page.start : page.stop]
        ],
    }


def _wanted(asked: Fields) -> OrderFilter:
    return OrderFilter(
        created=(
            start_of_second(asked, "createDateStart"),
            end_of_second(asked, "createDateEnd"),
        ),
        modified=(
            start_of_second(asked, "modifyDateStart"),
            end_of_second(asked, "modifyDateEnd"),
        ),
        status=asked.optional_text("status"),
        ids=named_ids(asked, "tradeIds"),
        references=named_texts(asked, "channelReferIds"),
    )
