"""Whole yuan in fen places: nothing tells them from fen but a limit, a person, and the
sandbox's own books.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from domain.marketplace import Marketplace
from domain.money import Money
from tests.simulation.dialects.journey import Journey, _limited
from tests.simulation.stage import Stage, stage

EVERYWHERE = "taobao-yuan-everywhere"
BUDGET = Money(5000)
COSTS_FEN = {"taobao-1": 3500, "taobao-2": 2500}
"""With postage: 29 and 6 yuan, 19 and 6."""


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


class Yuan(Journey):
    """Two orders at whole yuan under a budget that covers one of them: 0.60 CNY, where
    yuan are read as fen.
    """

    def __init__(
        self, made: Stage, seed: int, *, limits: bool, **settings: Any
    ) -> None:
        super().__init__(made, (EVERYWHERE,), seed=seed, settings=settings)
        goods = [item for item in made.on_sale[Marketplace.TAOBAO] if _is_whole(item)]
        requests = [
            _limited(ref, Marketplace.TAOBAO, item)[0]
            for ref, item in zip(COSTS_FEN, goods, strict=True)
        ]
        if not limits:
            lines = [
                tuple(replace(line, max_unit_price=None) for line in request.lines)
                for request in requests
            ]
            requests = [
                replace(request, lines=without)
                for request, without in zip(requests, lines, strict=True)
            ]
        if seed % 2:
            requests.reverse()
        self.scenario = replace(self.scenario, requests=tuple(requests), budget=BUDGET)
        self.asks_first = True

    async def _play(self) -> None:
        for _ in range(2):
            await self._does(self._buys)
            await self._passes(1)

    def _batch(self) -> Any:
        return self.scenario.requests

    def check(self, after: str, *, at_rest: bool = False) -> None:
        """The sandbox's books are judged by the tests, since the ledger's amounts may
        be wrong here.
        """

    def ordered(self) -> dict[str, int]:
        """What was ordered and paid, in the sandbox's own fen."""
        return {
            str(order.reference): order.paid_fen
            for order in self.world.books.every_order()
        }


def _is_whole(item: Any) -> bool:
    return not item.seller.post_fen % 100 and all(
        not sku.price_fen % 100 for sku in item.skus
    )


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.endurance) for seed in (1, 2))]
)
def test_with_limits_nothing_is_ordered_before_the_unit_is_known(
    made: Stage, seed: int
) -> None:
    """Each order is held with price, limit and setting; with the setting the budget
    holds in the sandbox's fen.
    """
    journey = Yuan(made, seed, limits=True)
    journey.run()
    assert journey.ordered() == {}
    assert all(
        "less than a twentieth" in end.reason
        and "XPORTCN_UNITS=taobao=yuan" in end.reason
        for end in journey.told_ends()
    )
    yuan = Yuan(made, seed, limits=True, units="taobao=yuan")
    yuan.run()
    assert yuan.ordered() == dict([list(COSTS_FEN.items())[seed % 2]])


@pytest.mark.parametrize("seed", [0, 1])
def test_without_limits_one_order_at_most_is_made(made: Stage, seed: int) -> None:
    """It is paid; the other waits for a person who compares what the balance fell
    by.
    """
    journey = Yuan(made, seed, limits=False)
    journey.run()
    assert journey.ordered() == dict([list(COSTS_FEN.items())[seed % 2]])


def test_a_unit_that_the_service_does_not_speak_is_noticed_by_the_offer(
    made: Stage,
) -> None:
    """Prices a hundred times too high are far above each limit; one place alone
    contradicts the others.
    """
    for units, message in (
        ("taobao=yuan", "limit "),
        ("taobao.detail=yuan", "about a hundred times apart"),
    ):
        journey = Yuan(made, 0, limits=True, units=units)
        journey.world.dialects.replace(())
        journey.run()
        assert journey.ordered() == {}
        assert all(message in end.reason for end in journey.told_ends())
