"""A person says no to an order, cancels it, or asks for all its money back: no night
pays or books it by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.marketplaces.refusals import ORDER_STATUS_ERROR
from domain.marketplace import Marketplace
from domain.money import Money
from sandbox.control import books
from sandbox.dialects.known import dialects_named
from tests.simulation.episode import NO_QUERY
from tests.simulation.scene import Scene, refuses
from tests.simulation.scripts import (
    HOUR_S,
    Script,
    answered,
    asking,
    buy,
    cancel,
    decline,
    dying,
    follow,
    lay_aside,
    planned_in_the_ui,
    read_again,
    settle,
    steps,
)
from tests.simulation.stage import Stage, stage

CANCEL = "/open/purchase/cancel"
REASONS = "/v2/taobao/order/refund/render"


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


async def ordered_alone(scene: Scene) -> None:
    """A person approves the order, and the run ends before it pays."""
    scene.dies_once_sent("R-1:create")
    await scene.buys()


async def cancel_in_vain(scene: Scene) -> None:
    scene.hears(refuses(CANCEL, ORDER_STATUS_ERROR, "no"))
    await cancel(scene)
    scene.hears()


async def paid_alone(scene: Scene) -> None:
    """The run ends as it has sent the payment, which arrives."""
    scene.dies_once_sent("R-1:pay")
    await scene.buys()
    await asyncio.sleep(HOUR_S)
    await settle(scene)
    await read_again(scene)


async def paid_by_a_person(scene: Scene) -> None:
    order = scene.world.books.orders[str(scene.database.orders()["R-1"].order_id)]
    scene.world.books.receive(order, order.amount_fen, scene.world.now(), "console")


async def cancel_while_no_refund_is_taken(scene: Scene) -> None:
    scene.hears(refuses(REASONS, ORDER_STATUS_ERROR, "no"))
    await cancel(scene)
    scene.hears()


async def night(scene: Scene) -> None:
    """The schedule runs the same file, with a yes given beforehand."""
    await scene.buys(ask=False)


def left(
    made: Stage,
    *then: Script | float,
    at: Marketplace = Marketplace.TAOBAO,
    **settings: Any,
) -> tuple[str, int]:
    """The order's state after that, and how often it was paid."""
    scene = Scene(made, at, **settings)
    scene.run(steps(*then)(scene))  # type: ignore[arg-type]
    assert scene.found == []
    orders = books(scene.sandbox, NO_QUERY, b"")["orders"]
    assert len(orders) <= 1
    paid_times = sum(order["paid_times"] for order in orders)
    return str(scene.database.orders()["R-1"].state), paid_times


@pytest.mark.parametrize("no", [decline, cancel_in_vain])
def test_only_a_person_s_yes_pays_it_after_that(made: Stage, no: Script) -> None:
    settings: dict[str, Any] = {"approval_limit_cny": "1000000"}
    assert left(made, ordered_alone, no, HOUR_S, night, HOUR_S, night, **settings) == (
        "held",
        0,
    )
    assert left(made, ordered_alone, no, HOUR_S, night, HOUR_S, buy, **settings) == (
        "booked",
        1,
    )


REFUSED_REFUND = steps(asking(description="拒绝"), 5 * HOUR_S, follow)


@pytest.mark.parametrize(
    "taken_back", [cancel_while_no_refund_is_taken, REFUSED_REFUND]
)
def test_what_was_paid_and_asked_back_in_vain_is_booked_by_a_person_s_yes_alone(
    made: Stage, taken_back: Script
) -> None:
    settings: dict[str, Any] = {"approval_limit_cny": "1000000"}
    started = (paid_alone, HOUR_S, taken_back, HOUR_S, night, HOUR_S, night)
    assert left(made, *started, **settings) == ("held", 1)
    assert left(made, *started, HOUR_S, buy, **settings) == ("booked", 1)


def test_an_order_that_was_cancelled_in_vain_and_is_paid_all_the_same_is_not_booked_by_a_night(
    made: Stage,
) -> None:
    started = (
        ordered_alone,
        cancel_in_vain,
        paid_by_a_person,
        HOUR_S,
        night,
        HOUR_S,
        night,
    )
    assert left(made, *started) == ("held", 1)
    assert left(made, *started, HOUR_S, buy) == ("booked", 1)


def test_nor_is_one_paid_whose_marketplace_has_no_cancelling(made: Stage) -> None:
    """It closes by itself, unless it is paid."""
    assert left(made, ordered_alone, cancel, HOUR_S, night, at=Marketplace.POIZON) == (
        "held",
        0,
    )


ASKED = planned_in_the_ui()
YES = answered("R-1")
NO = answered()


async def paused_and_asked_elsewhere(scene: Scene) -> None:
    """A second run asks about the same batch and is approved at a terminal; it waits:
    buying is paused.
    """
    await scene.buys(yes=lambda: scene.ledger.pause_buying("mei"))


@pytest.mark.parametrize("begun", [steps(), steps(ordered_alone, decline, HOUR_S)])
def test_an_answer_to_what_another_run_was_answered_meanwhile_changes_nothing(
    made: Stage, begun: Script
) -> None:
    for answer in (NO, YES):
        scene = Scene(made, Marketplace.TAOBAO)
        scene.run(steps(begun, ASKED, paused_and_asked_elsewhere, answer)(scene))  # type: ignore[arg-type]
        assert scene.found == []
        assert scene.database.orders()["R-1"].plan_hash


def test_a_plan_is_approved_in_another_run_and_bought_once(made: Stage) -> None:
    """Also by a second click, and whatever a night does in between."""
    assert states(made, ASKED) == {"R-1": "held"}
    assert states(made, ASKED, HOUR_S, unattended, YES, YES) == {"R-1": "booked"}
    assert states(made, ASKED, NO, YES, unattended) == {"R-1": "held"}
    assert left(made, ASKED, YES, YES) == ("booked", 1)


@pytest.mark.parametrize(
    "point", ["take_answer: after the commit", "effect: before the first byte"]
)
def test_what_was_approved_by_a_run_that_died_is_bought_once_by_the_next(
    made: Stage, point: str
) -> None:
    started = (ASKED, dying(point), YES, 3 * HOUR_S)
    assert left(made, *started, finish) == ("booked", 1)


def test_an_answer_that_never_arrived_leaves_the_question(made: Stage) -> None:
    lost = (ASKED, dying("take_answer: before the commit"), YES, HOUR_S)
    assert left(made, *lost, finish) == ("held", 0)
    assert left(made, *lost, YES) == ("booked", 1)


def test_an_old_plan_approves_nothing(made: Stage) -> None:
    """The price has risen, and a person's own run has planned anew."""
    anew = (ASKED, dearer, ASKED)
    assert left(made, *anew, answered("R-1", newest=0)) == ("held", 0)
    assert left(made, *anew, YES) == ("booked", 1)


def test_a_plan_that_is_older_than_a_day_is_bought_for_what_was_approved_or_asked_about_again(
    made: Stage,
) -> None:
    day_s = 25 * HOUR_S
    assert left(made, ASKED, day_s, YES) == ("booked", 1)
    assert left(made, ASKED, day_s, dearer, YES) == ("held", 0)
    repeated = (ASKED, day_s, dearer, YES, show_again, YES)
    assert left(made, *repeated) == ("booked", 1)


async def dearer(scene: Scene) -> None:
    request = scene.scenario.requests[0]
    shelf = scene.world.catalogue.shelf(request.marketplace)
    scene.world.catalogue.raise_prices([shelf.by_id[request.lines[0].item]])


async def finish(scene: Scene) -> None:
    """As the ledger has it: nothing is planned or asked about."""
    await scene.start("look")


async def show_again(scene: Scene) -> None:
    """A night, which has nothing to plan, shows what waits."""
    await scene.buys(yes=None, ask=False, waits=True)


async def unattended(scene: Scene, budget: Money | None = None) -> None:
    """A night with a yes given beforehand, and nobody to ask."""
    await scene.buys(ask=False, yes=None, budget=budget)


async def lay_aside_and_wait(scene: Scene) -> None:
    await lay_aside(scene)
    await asyncio.sleep(HOUR_S)


UNASKED = "not approved: run it without --yes, or from the Prefect UI, to be asked"


def states(made: Stage, *then: Script | float, **settings: Any) -> dict[str, str]:
    scene = Scene(made, Marketplace.TAOBAO, **settings)
    scene.run(steps(*then)(scene))  # type: ignore[arg-type]
    assert scene.found == []
    return {ref: str(order.state) for ref, order in scene.database.orders().items()}


@pytest.mark.parametrize(
    ("no", "stays"),
    [
        (decline, "held"),
        (ASKED, "held"),
        (steps(ASKED, NO), "held"),
        (steps(decline, lay_aside_and_wait), "cancelled"),
    ],
    ids=["no", "asked", "answered", "dropped"],
)
def test_a_yes_given_beforehand_buys_nothing_that_a_person_has_not_said_yes_to_when_asked(
    made: Stage, no: Script, stays: str
) -> None:
    nights = (no, HOUR_S, unattended, HOUR_S, unattended)
    assert states(made, *nights) == {"R-1": stays}
    assert states(made, *nights, HOUR_S, buy) == {"R-1": "booked"}


@pytest.mark.parametrize(
    "no",
    [decline, steps(decline, ASKED), steps(decline, ASKED, NO)],
    ids=["no", "asked", "answered"],
)
def test_nor_ships_what_a_person_has_not_said_yes_to_shipping(
    made: Stage, no: Script
) -> None:
    nights = (paid_alone, HOUR_S, no, HOUR_S, unattended, HOUR_S, unattended)
    assert states(made, *nights) == {"R-1": "held"}
    assert states(made, *nights, HOUR_S, buy) == {"R-1": "booked"}


def test_begun_orders_are_approved_in_another_run_as_well(made: Stage) -> None:
    """To be paid, or to be shipped; an old answer does neither."""
    for started in (ordered_alone, paid_alone):
        calls = (started, HOUR_S, decline, ASKED)
        assert left(made, *calls, YES) == ("booked", 1)
        paid = int(started is paid_alone)
        state, paid_times = left(made, *calls, cancel_in_vain, YES)
        assert (state == "booked", paid_times) == (False, paid)


def test_nor_ships_what_was_refused_while_its_payment_was_pending(
    made: Stage,
) -> None:
    """The debit hours later makes it an order like others that are paid."""

    async def submitted(scene: Scene) -> None:
        scene.world.dialects.replace(dialects_named(["pay-is-submission"]))
        await scene.buys()

    nights = (
        submitted,
        decline,
        5 * HOUR_S,
        read_again,
        unattended,
        HOUR_S,
        unattended,
    )
    assert states(made, *nights, pay_is="submission") == {"R-1": "held"}
    assert states(made, *nights, HOUR_S, buy, pay_is="submission") == {"R-1": "booked"}


def test_a_night_leaves_a_question_as_it_is_and_shows_it(made: Stage) -> None:
    """The same link answers, night after night; only what is new is asked about too."""
    scene = Scene(made, Marketplace.TAOBAO, Marketplace.TAOBAO, approval_limit_cny="1")
    scenario = scene.scenario

    async def script() -> None:
        scene.scenario = replace(scenario, requests=scenario.requests[:1])
        for _ in range(2):
            await scene.buys(yes=None, ask=False, waits=True)
            await asyncio.sleep(HOUR_S)
        scene.scenario = scenario
        await scene.buys(yes=None, ask=False, waits=True)
        await answered("R-1", "R-2")(scene)

    scene.run(script())
    assert scene.found == []
    first, second, third = scene.questions
    assert first == second != third
    assert {*third.plans} == {"R-1", "R-2"}
    assert [str(order.state) for order in scene.database.orders().values()] == [
        "booked",
        "booked",
    ]


def test_what_a_corrected_file_changes_of_a_question_is_asked_about_and_the_rest_bought(
    made: Stage,
) -> None:
    scene = Scene(made, Marketplace.TAOBAO, Marketplace.TAOBAO)
    scenario = scene.scenario

    async def script() -> None:
        scene.scenario = replace(scenario, requests=scenario.requests[:1])
        await ASKED(scene)
        scene.scenario = scenario
        scene.wants(quantity=2)
        await scene.buys(yes=None, ask=False, waits=True)

    scene.run(script())
    assert scene.found == []
    assert scene.database.orders()["R-1"].reason == "waits for your yes"
    assert [str(order.state) for order in scene.database.orders().values()] == [
        "held",
        "booked",
    ]


@pytest.mark.parametrize(
    "budget", [None, Money(3000)], ids=["no-limit", "room-for-one"]
)
def test_what_was_not_declined_is_bought_beforehand_beside_it(
    made: Stage, budget: Money | None
) -> None:
    """At 25.00 and 29.06 CNY: what the yes does not cover takes no room from the
    other.
    """
    scene = Scene(made, Marketplace.TAOBAO, Marketplace.TAOBAO)
    scenario = scene.scenario

    async def script() -> None:
        scene.scenario = replace(scenario, requests=scenario.requests[:1])
        await decline(scene)
        scene.scenario = scenario
        await unattended(scene, budget)

    scene.run(script())
    assert scene.found == []
    assert {
        ref: str(order.state) for ref, order in scene.database.orders().items()
    } == {"R-1": "held", "R-2": "booked"}


def test_what_a_person_said_of_an_order_stays_its_reason_night_after_night(
    made: Stage,
) -> None:
    """It is not even looked up, unless its file has other contents by then."""
    trails = list[list[str]]()

    async def look(scene: Scene) -> None:
        trails.append([move["reason"] for move in scene.ledger.moves_of("R-1")])

    assert states(
        made, decline, HOUR_S, look, unattended, HOUR_S, unattended, look
    ) == {"R-1": "held"}
    assert trails[0][-1].startswith("not approved by ")
    assert trails[1] == trails[0]


@pytest.mark.parametrize(
    "no", [decline, steps(decline, lay_aside_and_wait)], ids=["no", "dropped"]
)
def test_a_corrected_file_for_what_was_declined_waits_for_a_yes(
    made: Stage, no: Script
) -> None:
    """It would go to `done` without a word otherwise."""

    async def correct(scene: Scene) -> None:
        requests = (
            replace(
                request,
                lines=tuple(replace(line, quantity=2) for line in request.lines),
            )
            for request in scenario.requests
        )
        scene.scenario = replace(scenario, requests=tuple(requests))

    scene = Scene(made, Marketplace.TAOBAO)
    scenario = scene.scenario
    scene.run(steps(no, correct, unattended, HOUR_S, unattended)(scene))  # type: ignore[arg-type]
    assert scene.found == []
    [order] = scene.database.orders().values()
    assert (str(order.state), order.reason) == ("held", UNASKED)
