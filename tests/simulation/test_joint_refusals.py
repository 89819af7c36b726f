"""A request to pay several orders is refused as a whole, before or after they were
paid: each is paid once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from domain.marketplace import Marketplace
from tests.simulation.deviations.wire import Role
from tests.simulation.scene import Scene, refuses
from tests.simulation.scripts import SETTLED_S
from tests.simulation.stage import Stage, stage

WORDS = "Batch pay : not surport MANUAL-TRADE!"


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as one:
        yield one


@pytest.mark.parametrize("instead", [True, False])
@pytest.mark.parametrize(
    ("code", "words"), [(400, WORDS), (40001, "orderIds: at most one")]
)
@pytest.mark.parametrize("marketplace", [Marketplace.TAOBAO, Marketplace.ALIBABA_1688])
def test_what_is_refused_together_is_paid_once(
    made: Stage, marketplace: Marketplace, code: int, words: str, *, instead: bool
) -> None:
    """`instead` of being carried out, or although it was: the orders themselves tell,
    and none is left unpaid.
    """
    scene = Scene(made, *[marketplace] * 3)

    async def script() -> None:
        scene.hears(refuses(Role.PAY, code, words, instead=instead, skip=1, times=1))
        for _ in range(2):
            await scene.buys()
            await asyncio.sleep(SETTLED_S)

    scene.run(script())
    assert (scene.found, [*scene.service.odd.values()]) == (
        [],
        [4 if instead else 2],
    )  # calls to pay
    assert sorted(
        order.paid_times
        for order in scene.world.books.orders.values()
        if order.reference
    ) == [1, 1, 1]
