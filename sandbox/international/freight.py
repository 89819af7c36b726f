"""Carriers that bring an Alibaba.com order to the warehouse, and their prices: the
marketplace's preview.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.goods import decimal_text
from sandbox.international.views import CURRENCY
from sandbox.international.wanted import (
    WantedLine,
    check_destination,
    check_one_seller,
    read_destination,
    read_lines,
    wanted_lines,
)
from sandbox.operations import Call, Operations
from sandbox.ordering import Pick, by_depot, goods_fen, postage_fen
from sandbox.world import World

operations = Operations()


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier, which charges the seller's postage and `extra_fen` for each order."""

    code: str
    name: str
    extra_fen: int
    min_days: int
    max_days: int

    def fee_fen(self, picks: Sequence[Pick]) -> int:
        return postage_fen(picks) + self.extra_fen


CARRIERS = {
    carrier.code: carrier
    for carrier in (
        Carrier("CN_STANDARD", "China Standard", 0, 3, 6),
        Carrier("CN_EXPRESS", "China Express", 800, 1, 3),
    )
}


@operations.post("/alibaba/international/order/freight/calculate")
def calculate(world: World, call: Call) -> dict[str, Any]:
    asked = read_lines(call.body)
    destination = read_destination(call.body)
    lines = wanted_lines(world, asked)
    check_destination(*destination)
    check_one_seller(lines)
    problems = [line for line in lines if line.problem]
    picks = [line.pick() for line in lines if not line.problem]
    if not problems:
        world.quotes.keep("international", asked, world.now())
    return {
        "productAmount": decimal_text(goods_fen(picks)),
        "currency": CURRENCY,
        "carriers": []
        if problems
        else [_carrier(carrier, picks) for carrier in CARRIERS.values()],
        "problemList": [_problem(line) for line in problems],
    }


def _carrier(carrier: Carrier, picks: Sequence[Pick]) -> dict[str, Any]:
    depots = by_depot(picks, lambda pick: pick.item)
    return {
        "carrierCode": carrier.code,
        "carrierName": carrier.name,
        "fee": decimal_text(sum(carrier.fee_fen(depot) for depot in depots)),
        "currency": CURRENCY,
        "minDays": carrier.min_days,
        "maxDays": carrier.max_days,
    }


def _problem(line: WantedLine) -> dict[str, str]:
    return {
        "productId": line.item.id,
        "skuId": line.sku_id,
        "errorCode": str(line.problem),
        "errorMessage": line.words,
    }
