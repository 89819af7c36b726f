"""The Poizon order preview: amounts and problems, one entry for each order that would
result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.goods import decimal_text
from sandbox.operations import Call, Operations
from sandbox.ordering import by_depot, goods_fen, postage_fen
from sandbox.poizon.views import CURRENCY
from sandbox.poizon.wanted import (
    PROBLEMS,
    WantedLine,
    line_entries,
    order_problem,
    read_address,
    wanted_lines,
)
from sandbox.world import World

operations = Operations()


@operations.post("/poizon/order/orderPreview")
def preview(world: World, call: Call) -> dict[str, Any]:
    address, entries = read_address(call.body), line_entries(call.body)
    lines = wanted_lines(world, entries)
    problem = order_problem(address, lines)
    depots = [] if problem else by_depot(lines, lambda line: line.item)
    return {
        "success": not problem,
        "errorCode": problem or None,
        "errorMessage": PROBLEMS.get(problem),
        "orders": [_previewed(depot) for depot in depots],
    }


def _previewed(lines: Sequence[WantedLine]) -> dict[str, Any]:
    picks = [line.pick() for line in lines if not line.problem]
    goods, post = goods_fen(picks), postage_fen(picks)
    return {
        "goodsAmount": decimal_text(goods),
        "freightAmount": decimal_text(post),
        "totalAmount": decimal_text(goods + post),
        "currency": CURRENCY,
        "items": [_previewed_line(line) for line in lines],
    }


def _previewed_line(line: WantedLine) -> dict[str, Any]:
    return {
        "dwSpuId": line.item.id,
        "dwSkuId": line.sku_id,
        "quantity": line.quantity,
        "price": decimal_text(line.sku.price_fen) if line.sku else None,
        "available": not line.problem,
        "stock": line.sku.stock if line.sku else None,
        "minQuantity": line.item.min_quantity,
        "errorCode": line.problem or None,
        "errorMessage": PROBLEMS.get(line.problem),
    }
