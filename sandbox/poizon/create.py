"""Poizon's create: the caller's requestId makes it idempotent, the price of each line
limits the cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.dialects.refuses_duplicates import REFUSES_DUPLICATES
from sandbox.entities import Order
from sandbox.fields import Fields
from sandbox.operations import Call, Operations
from sandbox.ordering import Addresses, place_orders
from sandbox.poizon import views
from sandbox.poizon.wanted import (
    PROBLEMS,
    WantedLine,
    line_entries,
    order_problem,
    read_address,
    wanted_lines,
)
from sandbox.quotes import cargo_key
from sandbox.world import World

operations = Operations()

FIRST_ID = 500_000_000_000_000_000
LONGEST_REQUEST_ID = 64


@operations.post("/poizon/order/createOrder", effect=True)
def create(world: World, call: Call) -> dict[str, Any]:
    request_id = call.body.short_text("requestId", LONGEST_REQUEST_ID)
    address, entries = read_address(call.body), line_entries(call.body)
    quoted_fen = [entry.whole("price") for entry in entries]
    call.body.optional_text("remark")
    lines, cargo = wanted_lines(world, entries), _cargo(entries)
    if (first := world.first_answers.of("poizon", request_id)) is not None:
        again = first.cargo == cargo and REFUSES_DUPLICATES not in world.dialects
        return first.data if again else _not_created(request_id, "DUPLICATE_REQUEST_ID")
    if problem := order_problem(address, lines) or _line_problem(lines, quoted_fen):
        return _not_created(request_id, problem)
    picks = [line.pick() for line in call.part(lines)[0]]
    answer = _created(
        world,
        place_orders(world, picks, request_id, Addresses(address, address), FIRST_ID),
    )
    world.first_answers.keep("poizon", request_id, cargo, answer)
    return answer


def _cargo(entries: Sequence[Fields]) -> str:
    return cargo_key(
        (
            entry.identifier("dwSpuId"),
            entry.identifier("dwSkuId"),
            entry.whole("quantity"),
        )
        for entry in entries
    )


def _line_problem(lines: Sequence[WantedLine], quoted_fen: Sequence[int]) -> str:
    if problem := next((line.problem for line in lines if line.problem), ""):
        return problem
    dearer = (
        line.pick().unit_fen > quoted
        for line, quoted in zip(lines, quoted_fen, strict=True)
    )
    return "PRICE_CHANGED" if any(dearer) else ""


def _created(world: World, orders: Sequence[Order]) -> dict[str, Any]:
    return {
        "success": True,
        "errorCode": None,
        "errorMessage": None,
        "requestId": orders[0].reference,
        "orderList": [views.created(world, order) for order in orders],
    }


def _not_created(request_id: str, problem: str) -> dict[str, Any]:
    return {
        "success": False,
        "errorCode": problem,
        "errorMessage": PROBLEMS[problem],
        "requestId": request_id,
        "orderList": [],
    }
