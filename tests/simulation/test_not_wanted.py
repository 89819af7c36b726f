"""A person says no to an order that is ordered and unpaid, or tries to cancel it: no night pays it by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.marketplaces.refusals import ORDER_STATUS_ERROR
from sandbox.control import books
from tests.simulation.episode import NO_QUERY
from tests.simulation.scene import Scene, refuses
from tests.simulation.scripts import HOUR_S, Script, buy, cancel, decline, steps
from tests.simulation.stage import Stage, stage

CANCEL = "/open/purchase/cancel"


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as one:
        yield one


async def ordered_alone(scene: Scene) -> None:
    """A person approves the order, and the run ends before it pays."""
    scene.dies_once_sent("R-1:create")
    await scene.buys()


async def cancel_in_vain(scene: Scene) -> None:
    scene.hears(refuses(CANCEL, ORDER_STATUS_ERROR, "no"))
    await cancel(scene)
    scene.hears()


async def night(scene: Scene) -> None:
    """The schedule runs the same file, with a yes given beforehand."""
    await scene.buys(ask=False)


def left(made: Stage, *then: Script | float, **settings: object) -> tuple[str, int]:
    """The order's state after that, and how often it was paid."""
    scene = Scene(made, **settings)  # type: ignore[arg-type]
    scene.run(steps(*then)(scene))  # type: ignore[arg-type]
    assert scene.found == []
    [order] = books(scene.sandbox, NO_QUERY, b"")["orders"]
    return str(scene.database.orders()["R-1"].state), order["paid_times"]


@pytest.mark.parametrize("no", [decline, cancel_in_vain])
@pytest.mark.parametrize("counts_freight", [False, True])
def test_only_a_person_s_yes_pays_it_after_that(made: Stage, no: Script, *, counts_freight: bool) -> None:
    settings = {"approval_limit_cny": "1000000", "approval_counts_freight": counts_freight}
    assert left(made, ordered_alone, no, HOUR_S, night, HOUR_S, night, **settings) == ("held", 0)
    assert left(made, ordered_alone, no, HOUR_S, night, HOUR_S, buy, **settings) == ("booked", 1)
