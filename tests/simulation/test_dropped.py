"""A person drops an order while a run is at work on it: nothing of it is begun, and the
others go on.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.ledger.plans import drop
from domain.marketplace import Marketplace
from tests.simulation.scene import Scene
from tests.simulation.scripts import Script, buy, decline, steps
from tests.simulation.stage import Stage, stage


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


def standing(made: Stage, *then: Script | float) -> dict[str, str]:
    """Where three orders stand after that; nothing else happens."""
    scene = Scene(made, *[Marketplace.TAOBAO] * 3)
    scene.run(steps(*then)(scene))  # type: ignore[arg-type]
    assert scene.found == []
    return {ref: str(order.state) for ref, order in scene.database.orders().items()}


async def drop_the_second(scene: Scene) -> None:
    assert drop(scene.ledger, ["R-2"], by="mei") == {}


async def dropped_before_the_yes(scene: Scene) -> None:
    await scene.buys(yes=lambda: drop(scene.ledger, ["R-2"], by="mei"))


async def dropped_once_the_first_is_sent(scene: Scene) -> None:
    scene.when_sent = lambda key: (
        key == "R-1:create" and drop(scene.ledger, ["R-2"], by="mei")
    )
    await scene.buys()


async def dropped_before_the_plan(scene: Scene) -> None:
    await scene.buys(begun=lambda: drop(scene.ledger, ["R-2"], by="mei"))


WITHOUT_THE_SECOND = {"R-1": "booked", "R-2": "cancelled", "R-3": "booked"}


@pytest.mark.parametrize(
    "script",
    [
        steps(dropped_before_the_yes),
        pytest.param(
            steps(dropped_once_the_first_is_sent), marks=pytest.mark.endurance
        ),
        pytest.param(
            steps(decline, 60, dropped_before_the_plan), marks=pytest.mark.endurance
        ),
    ],
)
def test_no_run_that_is_at_work_on_it_begins_it(made: Stage, script: Script) -> None:
    assert standing(made, script) == WITHOUT_THE_SECOND


def test_the_next_run_that_names_it_buys_it(made: Stage) -> None:
    assert standing(made, decline, drop_the_second, 60, buy) == dict.fromkeys(
        ("R-1", "R-2", "R-3"), "booked"
    )
