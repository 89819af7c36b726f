"""The preview that must come before an order of a big seller. Amounts are fen."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from sandbox.alibaba_1688.cargo import PROBLEMS, Cargo, first_problem
from sandbox.big_major.cargo import read_asked
from sandbox.goods import service_fee
from sandbox.operations import Call, Operations
from sandbox.ordering import by_depot, goods_fen, postage_fen
from sandbox.world import World

operations = Operations()

SEVERAL_SELLERS = "500_002"


@operations.post("/alibaba/ka/order/create/preview")
def preview(world: World, call: Call) -> list[dict[str, Any]]:
    """One entry for each order that a create would make."""
    asked = read_asked(world, call.body)
    problem = first_problem(asked.cargo)
    if not problem:
        world.quotes.keep("big_major", asked.lines, world.now())
    if problem == SEVERAL_SELLERS:
        return [_previewed(asked.cargo)]
    return [
        _previewed(depot) for depot in by_depot(asked.cargo, lambda line: line.item)
    ]


def _previewed(cargo: Sequence[Cargo]) -> dict[str, Any]:
    picks = [line.pick() for line in cargo if not line.problem]
    goods, post = goods_fen(picks), postage_fen(picks)
    return {
        "sumCarriage": post,
        "sumPayment": goods + post,
        "sumTotalPayment": goods + post + service_fee(goods + post),
        "sumPaymentNoCarriage": goods,
        "orderItemTOList": [_previewed_line(line) for line in cargo],
    }


def _previewed_line(line: Cargo) -> dict[str, Any]:
    unit_fen = 0 if line.problem else line.unit_fen
    return {
        "offerId": int(line.item.id),
        "openOfferId": b64encode(line.item.id.encode()).decode(),
        "specId": line.spec_id,
        "skuId": int(line.sku.id) if line.sku else None,
        "amount": line.quantity * unit_fen,
        "finalUnitPrice": unit_fen,
        "message": f"{line.problem}: {PROBLEMS[line.problem]}"
        if line.problem
        else None,
    }
