"""Poizon orders after their create: pay and list. Times are UTC milliseconds."""

from __future__ import annotations

from typing import Any

from sandbox.fields import Fields
from sandbox.goods import decimal_text
from sandbox.operations import Call, Operations
from sandbox.order_lists import (
    OrderFilter,
    Showing,
    named_ids,
    named_texts,
    select_orders,
)
from sandbox.ordering import PAYMENT_PROBLEMS, order_named, pay_order
from sandbox.poizon import views
from sandbox.traces import trace_modified_at
from sandbox.world import World

operations = Operations()

SHOWING = Showing(views.status, trace_modified_at)


@operations.post("/poizon/order/payOrder", effect=True)
def pay(world: World, call: Call) -> dict[str, Any]:
    order = order_named(world, "poizon", call.body.identifier("distOrderNo"))
    problem = pay_order(world, order, call)
    return {
        "success": not problem,
        "distOrderNo": order.id,
        "realPayAmount": None if problem else decimal_text(order.amount_fen),
        "errorCode": problem,
        "errorMessage": PAYMENT_PROBLEMS[problem] if problem else None,
    }


@operations.post("/poizon/order/orderList")
def order_list(world: World, call: Call) -> dict[str, Any]:
    page = call.body.page("pageNo")
    orders = select_orders(world, "poizon", _wanted(call.body), SHOWING)
    return page.answer(
        len(orders),
        [views.order_view(world, order) for order in orders[page.start : page.stop]],
    )


def _wanted(asked: Fields) -> OrderFilter:
    return OrderFilter(
        created=(
            asked.optional_whole("createTimeStart"),
            asked.optional_whole("createTimeEnd"),
        ),
        status=asked.optional_text("orderStatus"),
        ids=named_ids(asked, "distOrderNos"),
        references=named_texts(asked, "requestIds"),
    )
