"""The first payment at a marketplace is a question: nothing further is bought there
before a person has answered it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.holds import Topic
from domain.marketplace import Marketplace
from flows.answers.marketplaces import answered, first_payments
from flows.answers.todo import to_do
from flows.batch.plan_sources import FromRequests
from sandbox.control import books
from sandbox.dialects.known import dialects_named
from tests.simulation.episode import NO_QUERY
from tests.simulation.scene import Scene
from tests.simulation.scripts import HOUR_S, Script, buy, steps, track
from tests.simulation.stage import Stage, stage

TAOBAO = Marketplace.TAOBAO


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


def asking(
    made: Stage,
    *then: Script | float,
    dialect: str = "",
    at: tuple[Marketplace, ...] = (TAOBAO,) * 3,
) -> Scene:
    scene = Scene(made, *at, asks_first=True)
    scene.world.dialects.replace(dialects_named([dialect] if dialect else []))
    scene.run(steps(*then)(scene))  # type: ignore[arg-type]
    assert scene.found == []
    return scene


def confirming(otherwise: str = "") -> Script:
    async def confirm(scene: Scene) -> None:
        ledger = scene.ledger
        ledger.asks_first = True
        answered(ledger, TAOBAO, [Topic.FIRST_PAYMENT], by="mei", otherwise=otherwise)

    return confirm


def states(scene: Scene) -> list[str]:
    return [
        str(scene.database.orders()[request.order_ref].state)
        for request in scene.scenario.requests
    ]


def paid(scene: Scene) -> int:
    return sum(
        book["paid_times"] for book in books(scene.sandbox, NO_QUERY, b"")["orders"]
    )


def test_one_order_is_bought_and_the_others_wait_for_the_answer(made: Stage) -> None:
    """Night after night; then all of them go on."""
    scene = asking(made, buy, HOUR_S, buy)
    assert (states(scene), paid(scene)) == (["booked", "held", "held"], 1)
    assert scene.database.orders()["R-2"].reason.startswith(
        "not bought yet: R-1 goes first at taobao, and it is not "
    )
    scene = asking(made, buy, confirming(), HOUR_S, buy)
    assert (states(scene), paid(scene)) == (["booked"] * 3, 3)


def test_each_marketplace_has_a_first_order_of_its_own(made: Stage) -> None:
    at = (TAOBAO, Marketplace.POIZON, TAOBAO, Marketplace.POIZON)
    assert states(asking(made, buy, at=at)) == ["booked", "booked", "held", "held"]


def test_a_run_that_is_killed_once_it_has_paid_leaves_the_question(made: Stage) -> None:
    """It stands among what waits for a person, as soon as it is known that the payment
    has happened.
    """

    async def die_then_buy(scene: Scene) -> None:
        scene.dies_once_sent("R-1:pay")
        await scene.buys()
        await buy(scene)

    scene = asking(made, die_then_buy)
    assert (states(scene)[1:], paid(scene)) == (["held", "held"], 1)
    waits = [entry for entry in to_do(scene.ledger) if entry.state == "question"]
    assert [(item.order_ref, item.commands) for item in waits] == [
        ("taobao", ["sourcing confirm taobao"])
    ]
    amount = scene.ledger.orders(["R-1"])["R-1"].paid
    assert (
        f"Did the balance fall by exactly {amount}, once, by which channel"
        in waits[0].reason
    )


def test_an_account_that_bought_yesterday_without_asking_is_held_and_asked(
    made: Stage,
) -> None:
    """In the first night that asks, each order with the command; with the answer all
    go on.
    """

    async def without_asking(scene: Scene) -> None:
        scene.asks_first = False
        await scene.buys(FromRequests(scene.scenario.requests[:1], "yesterday.csv"))
        scene.asks_first = True

    scene = asking(made, without_asking, HOUR_S, buy)
    assert (states(scene), paid(scene)) == (["booked", "held", "held"], 1)
    assert scene.database.orders()["R-2"].reason.endswith(
        "sourcing confirm taobao; then run the file again"
    )
    scene = asking(made, without_asking, HOUR_S, buy, confirming(), buy)
    assert (states(scene), paid(scene)) == (["booked"] * 3, 3)


@pytest.mark.endurance
def test_two_runs_at_once_pay_one_order(made: Stage) -> None:
    async def twice(scene: Scene) -> None:
        item = scene.start("source")
        second = scene.start("source")
        await item
        await second

    scene = asking(made, twice)
    assert (paid(scene), states(scene).count("held")) == (1, 2)


def test_a_payment_on_credit_is_what_the_answer_stops(made: Stage) -> None:
    """Nothing that the service shows tells it; once a person has said so, nothing
    further is bought.
    """
    scene = asking(made, buy, dialect="pay-by-credit")
    wallet = books(scene.sandbox, NO_QUERY, b"")["wallet"]
    assert (paid(scene), wallet["opening_fen"] - wallet["balance_fen"]) == (1, 0)
    scene = asking(
        made,
        buy,
        confirming("it was paid by 先采后付"),
        HOUR_S,
        buy,
        dialect="pay-by-credit",
    )
    assert (states(scene), paid(scene)) == (["booked", "held", "held"], 1)
    assert (
        "taobao is held (the payment of R-1 was not as expected: it was paid by 先采后付)"
        in (scene.database.orders()["R-2"].reason)
    )


@pytest.mark.parametrize("dialect", ["pay-is-submission", "pay-refused-by-finance"])
def test_a_submission_is_the_first_payment_too(made: Stage, dialect: str) -> None:
    """Asked as soon as the service has accepted it."""
    scene = asking(made, buy, dialect=dialect)
    assert (states(scene)[1:], paid(scene)) == (["held", "held"], 1)
    assert list(first_payments(scene.ledger)) == [TAOBAO]


def test_the_ledger_has_the_warehouse_of_an_order_and_when_it_was_told_of_its_parcel(
    made: Stage,
) -> None:
    """The address that the order was created with; the time of the report, which is
    days after the booking.
    """
    scene = Scene(made, TAOBAO)
    scene.run(steps(buy, 72 * HOUR_S, track)(scene))  # type: ignore[arg-type]
    order = scene.ledger.orders(["R-1"])["R-1"]
    warehouse = scene.world.addresses.default()
    assert (
        order.warehouse
        == f"{warehouse.name}, {warehouse.province} {warehouse.city} {warehouse.district} {warehouse.address}"
    )
    assert order.booked_at is not None
    assert order.parcel_reported_at is not None
    assert order.parcel_reported_at - order.booked_at > timedelta(days=2)
