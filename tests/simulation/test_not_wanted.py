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
from domain.wording import ALL
from flows.approval.pause import CancelledBelow
from sandbox.control import books
from sandbox.dialects.known import dialects_named
from tests.simulation.episode import NO_QUERY
from tests.simulation.scene import Scene, refuses
from tests.simulation.scripts import (
    HOUR_S,
    Script,
    asked_in_the_ui,
    asking,
    buy,
    cancel,
    decline,
    follow,
    lay_aside,
    read_again,
    settle,
    steps,
)
from tests.simulation.stage import Stage, stage

CANCEL, REASONS = "/open/purchase/cancel", "/v2/taobao/order/refund/render"


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
    [order] = books(scene.sandbox, NO_QUERY, b"")["orders"]
    return str(scene.database.orders()["R-1"].state), order["paid_times"]


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
    begun = (paid_alone, HOUR_S, taken_back, HOUR_S, night, HOUR_S, night)
    assert left(made, *begun, **settings) == ("held", 1)
    assert left(made, *begun, HOUR_S, buy, **settings) == ("booked", 1)


def test_an_order_that_was_cancelled_in_vain_and_is_paid_all_the_same_is_not_booked_by_a_night(
    made: Stage,
) -> None:
    begun = (
        ordered_alone,
        cancel_in_vain,
        paid_by_a_person,
        HOUR_S,
        night,
        HOUR_S,
        night,
    )
    assert left(made, *begun) == ("held", 1)
    assert left(made, *begun, HOUR_S, buy) == ("booked", 1)


def test_nor_is_one_paid_whose_marketplace_has_no_cancelling(made: Stage) -> None:
    """It closes by itself, unless it is paid."""
    assert left(made, ordered_alone, cancel, HOUR_S, night, at=Marketplace.POIZON) == (
        "held",
        0,
    )


@pytest.mark.parametrize(
    ("begun", "state"),
    [(steps(), "planned"), (steps(ordered_alone, decline, HOUR_S), "ordered")],
)
def test_the_silence_about_a_question_leaves_what_another_run_was_answered_meanwhile(
    made: Stage, begun: Script, state: str
) -> None:
    """Two runs ask about one batch, as after a double click. One is approved, and
    waits: buying is paused.
    """

    async def approved_elsewhere(scene: Scene) -> None:
        await scene.buys(yes=lambda: scene.ledger.pause_buying("mei"))

    scene = Scene(made, Marketplace.TAOBAO)
    scene.run(steps(begun, asked_in_the_ui(None, approved_elsewhere))(scene))  # type: ignore[arg-type]
    assert scene.found == []
    order = scene.database.orders()["R-1"]
    assert (
        order.state,
        bool(order.plan_hash),
        scene.ledger.outbox.causes("not-approved:"),
    ) == (
        state,
        True,
        {},
    )


async def unattended(scene: Scene, budget: Money | None = None) -> None:
    """A night with a yes given beforehand, and nobody to ask."""
    await scene.buys(ask=False, yes=None, budget=budget)


async def lay_aside_and_wait(scene: Scene) -> None:
    await lay_aside(scene)
    await asyncio.sleep(HOUR_S)


UNASKED = "not approved: run it without --yes, or from the Prefect UI, to be asked"
SILENCE, CANCELLED = asked_in_the_ui(None), asked_in_the_ui(CancelledBelow())


def states(made: Stage, *then: Script | float, **settings: Any) -> dict[str, str]:
    scene = Scene(made, Marketplace.TAOBAO, **settings)
    scene.run(steps(*then)(scene))  # type: ignore[arg-type]
    assert scene.found == []
    return {ref: str(order.state) for ref, order in scene.database.orders().items()}


@pytest.mark.parametrize(
    ("no", "stays"),
    [
        (decline, "held"),
        (SILENCE, "held"),
        (CANCELLED, "held"),
        (steps(decline, lay_aside_and_wait), "cancelled"),
    ],
    ids=["no", "silence", "cancelled", "dropped"],
)
def test_a_yes_given_beforehand_buys_nothing_that_a_person_has_not_said_yes_to_when_asked(
    made: Stage, no: Script, stays: str
) -> None:
    nights = (no, HOUR_S, unattended, HOUR_S, unattended)
    assert states(made, *nights) == {"R-1": stays}
    assert states(made, *nights, HOUR_S, buy) == {"R-1": "booked"}


@pytest.mark.parametrize("no", [decline, SILENCE], ids=["no", "silence"])
def test_nor_ships_what_a_person_has_not_said_yes_to_shipping(
    made: Stage, no: Script
) -> None:
    nights = (paid_alone, HOUR_S, no, HOUR_S, unattended, HOUR_S, unattended)
    assert states(made, *nights) == {"R-1": "held"}
    assert states(made, *nights, HOUR_S, buy) == {"R-1": "booked"}


@pytest.mark.parametrize(
    "no", [decline, SILENCE, CANCELLED], ids=["no", "silence", "cancelled"]
)
def test_nor_ships_what_was_refused_while_its_payment_was_pending(
    made: Stage, no: Script
) -> None:
    """The debit hours later makes it an order like others that are paid."""

    async def submitted(scene: Scene) -> None:
        scene.world.dialects.replace(dialects_named(["pay-is-submission"]))
        await scene.buys()

    nights = (submitted, no, 5 * HOUR_S, read_again, unattended, HOUR_S, unattended)
    assert states(made, *nights, pay_is="submission") == {"R-1": "held"}
    assert states(made, *nights, HOUR_S, buy, pay_is="submission") == {"R-1": "booked"}


def test_a_night_whose_yes_was_given_beforehand_asks_nobody_about_it(
    made: Stage,
) -> None:
    """A question would keep the report of the rest, its messages and its follow-up
    waiting for up to 20 hours.
    """
    for no in (decline, SILENCE):
        assert states(made, no, HOUR_S, night) == {"R-1": "held"}, (
            "its person, at a terminal, would say yes"
        )
    assert states(made, decline, HOUR_S, asked_in_the_ui(ALL, ask=False)) == {
        "R-1": "held"
    }


@pytest.mark.parametrize(
    ("no", "limit", "ends"),
    [
        (SILENCE, "", ["booked"]),
        (CANCELLED, "", ["booked"]),
        (SILENCE, "", ["held", "booked"]),
        (SILENCE, "1", ["booked", "booked"]),
        (decline, "1", ["held", "booked"]),
    ],
    ids=[
        "alone",
        "cancelled",
        "beside-others",
        "beside-a-question",
        "a-no-beside-a-question",
    ],
)
def test_where_a_night_asks_or_has_nothing_else_it_asks_once_more_about_what_nobody_answered(
    made: Stage, no: Script, limit: str, ends: list[str]
) -> None:
    """A silent weekend loses no file, and keeps none from being bought."""
    settings: dict[str, Any] = {"approval_limit_cny": limit} if limit else {}
    scene = Scene(made, *[Marketplace.TAOBAO] * len(ends), **settings)
    both = scene.scenario

    async def script() -> None:
        scene.scenario = replace(both, requests=both.requests[:1])
        await no(scene)
        await asyncio.sleep(HOUR_S)
        scene.scenario = both
        await asked_in_the_ui(ALL, ask=False)(scene)

    scene.run(script())
    assert scene.found == []
    assert [str(order.state) for order in scene.database.orders().values()] == ends


def test_it_asks_also_beside_a_begun_order_that_no_night_may_go_on_with(
    made: Stage,
) -> None:
    scene = Scene(made, Marketplace.TAOBAO, Marketplace.TAOBAO)
    both = scene.scenario

    async def script() -> None:
        scene.scenario = replace(both, requests=both.requests[:1])
        await steps(paid_alone, HOUR_S, decline, HOUR_S)(scene)
        scene.scenario = replace(both, requests=both.requests[1:])
        await SILENCE(scene)
        scene.scenario = both
        await asked_in_the_ui(ALL, ask=False)(scene)

    scene.run(script())
    assert scene.found == []
    assert [str(order.state) for order in scene.database.orders().values()] == [
        "held",
        "booked",
    ]


def test_it_asks_nobody_before_it_has_bought_what_could_not_be_looked_up_at_first(
    made: Stage,
) -> None:
    """The answer may take 20 hours."""
    scene = Scene(made, Marketplace.TAOBAO, Marketplace.POIZON)
    both = scene.scenario

    async def script() -> None:
        scene.scenario = replace(both, requests=both.requests[:1])
        await SILENCE(scene)
        scene.scenario = both
        scene.hears(refuses("/poizon/order/orderPreview", 503, "busy", times=6))
        await asked_in_the_ui(ALL, ask=False)(scene)

    scene.run(script())
    assert scene.found == []
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
    both = scene.scenario

    async def script() -> None:
        scene.scenario = replace(both, requests=both.requests[:1])
        await decline(scene)
        scene.scenario = both
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
            replace(one, lines=tuple(replace(line, quantity=2) for line in one.lines))
            for one in both.requests
        )
        scene.scenario = replace(both, requests=tuple(requests))

    scene = Scene(made, Marketplace.TAOBAO)
    both = scene.scenario
    scene.run(steps(no, correct, unattended, HOUR_S, unattended)(scene))  # type: ignore[arg-type]
    assert scene.found == []
    [order] = scene.database.orders().values()
    assert (str(order.state), order.reason) == ("held", UNASKED)
