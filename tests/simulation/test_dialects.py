"""Where the service's lists hide our references: nothing is ordered twice, whatever
gets lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from connectors.ledger.marks import Note
from domain.holds import Topic
from domain.marketplace import Marketplace
from flows.answers.marketplaces import answered
from sandbox.control import books
from sandbox.dialects.known import dialects_named
from tests.simulation.episode import (
    BOOKED_ONCE,
    NO_QUERY,
    Episode,
    Service,
    one_order,
    play,
)
from tests.simulation.ledgers import WatchedLedger
from tests.simulation.misfortune import Call, Fault, Kind, Misfortune
from tests.simulation.scene import Scene
from tests.simulation.scripts import HOUR_S, Script, buy, steps
from tests.simulation.stage import Stage, stage

PAID_WHILE_IT_IS_CANCELLED = 931
EPISODES = 2
SUBMISSIONS = (0, PAID_WHILE_IT_IS_CANCELLED)
BOOKINGS = 1
HIDING = pytest.mark.parametrize(
    "dialect",
    [
        "list-without-message",
        pytest.param("list-without-reference", marks=pytest.mark.endurance),
    ],
)
WITHOUT_A_KEY = pytest.mark.parametrize(
    "marketplace", [Marketplace.ALIBABA_1688, Marketplace.BIG_MAJOR]
)


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


class CutAfterCreating(Misfortune):
    """The answer to the first create is lost, and nothing else."""

    def __init__(self) -> None:
        super().__init__(dice=Random(1), calm=True)
        self.planned = {Call.CREATE: Fault(Kind.DROP_AFTER)}

    def fault(self, call: Call) -> Fault | None:
        return self.planned.pop(call, None)


def after_a_lost_answer(
    made: Stage, marketplace: Marketplace, dialect: str, *, is_confirmed: bool = False
) -> tuple[int, str]:
    """How many orders there are after four runs, and where the order stands."""
    service = Service(dialects=(dialect,))
    scenario = one_order(made, marketplace)
    episode = Episode(seed=1, stage=made, given=scenario, speaks=service)
    episode.misfortune = CutAfterCreating()

    async def script() -> None:
        episode.bought_before()
        if is_confirmed:
            settings = episode.scenario.settings
            ledger = WatchedLedger(
                settings.ledger_url, clock=episode.clock, owner="mei"
            )
            episode.watched(ledger).marks.note(Note.KNOWN.at(marketplace), "", by="mei")
        for _ in range(4):
            await episode.start("source")
            await episode.later()

    assert episode.run(script()).found == []
    ordered = [
        order
        for order in books(episode.sandbox, NO_QUERY, b"")["orders"]
        if order["reference"] == "R-1"
    ]
    return len(ordered), str(episode.database.orders()["R-1"].state)


@WITHOUT_A_KEY
def test_an_order_is_found_by_its_own_id_where_lists_hide_the_message(
    made: Stage, marketplace: Marketplace
) -> None:
    """Created, the answer lost: the run finds it at once and goes on."""
    assert after_a_lost_answer(made, marketplace, "list-without-message") == (
        1,
        "booked",
    )


@WITHOUT_A_KEY
def test_an_order_is_not_given_up_where_lists_show_no_reference(
    made: Stage, marketplace: Marketplace
) -> None:
    """Created, the answer lost, and the list looks as if it were not there: one order,
    and a question.

    Nothing is ordered at all before a person has confirmed the account.
    """
    assert after_a_lost_answer(made, marketplace, "list-without-reference") == (
        0,
        "held",
    )
    assert after_a_lost_answer(
        made, marketplace, "list-without-reference", is_confirmed=True
    ) == (1, "unknown")


def buying(
    made: Stage, marketplace: Marketplace, dialect: str, *then: Script | float
) -> tuple[list[str], int]:
    """Where three orders stand, and how many were paid."""
    scene = Scene(made, *[marketplace] * 3)
    scene.world.dialects.replace(dialects_named([dialect]))
    scene.run(steps(*then)(scene))  # type: ignore[arg-type]
    assert scene.found == []
    orders = books(scene.sandbox, NO_QUERY, b"")["orders"]
    return [str(scene.database.orders()[f"R-{n}"].state) for n in (1, 2, 3)], sum(
        order["paid_times"] for order in orders
    )


async def say_it_is_ours(scene: Scene) -> None:
    for marketplace in {request.marketplace for request in scene.scenario.requests}:
        answered(
            scene.ledger, marketplace, [Topic.REFERENCE, Topic.ALL_KNOWN], by="mei"
        )


@WITHOUT_A_KEY
def test_orders_without_any_reference_are_paid_once_a_person_has_confirmed_one(
    made: Stage, marketplace: Marketplace
) -> None:
    """Before that one is created, asked about and not paid; none of the others is
    created.
    """
    hidden = "detail-without-reference"
    assert buying(made, marketplace, hidden, buy, HOUR_S, buy) == (
        ["ordered", "held", "held"],
        0,
    )
    assert buying(made, marketplace, hidden, buy, say_it_is_ours, HOUR_S, buy) == (
        ["booked"] * 3,
        3,
    )


@pytest.mark.parametrize(
    "marketplace", [Marketplace.TAOBAO, Marketplace.ALIBABA_1688, Marketplace.BIG_MAJOR]
)
def test_an_order_that_is_answered_without_a_number_is_found_by_its_reference(
    made: Stage, marketplace: Marketplace
) -> None:
    assert buying(made, marketplace, "create-before-number", buy) == (["booked"] * 3, 3)


def test_nothing_is_submitted_twice_where_paying_is_a_submission(made: Stage) -> None:
    """Lost and late answers, kills, and a person who is asked; a second submission
    would debit again.
    """
    service = Service(dialects=("pay-is-submission",))
    assert {
        seed: findings
        for seed in SUBMISSIONS
        if (findings := play(seed, made, service).found)
    } == {}


@pytest.mark.parametrize("dialect", ["booking-one-a-render", "booking-one-an-order"])
def test_a_booking_is_repeated_where_a_second_is_refused_and_no_order_travels_twice(
    made: Stage, dialect: str
) -> None:
    """Lost and late answers and kills; one is booked by its second call where the first
    never arrived.
    """
    service = Service(dialects=(dialect,))
    assert {
        seed: findings
        for seed in range(BOOKINGS)
        if (findings := play(seed, made, service).found)
    } == {}
    scene = Scene(
        made,
        faults={Call.BOOK: [Fault(Kind.DROP_BEFORE)]},
        booking_repeated=BOOKED_ONCE[dialect],
    )
    scene.world.dialects.replace(dialects_named([dialect]))
    scene.run(steps(buy, HOUR_S, buy)(scene))  # type: ignore[arg-type]
    assert (scene.found, str(scene.database.orders()["R-1"].state)) == ([], "booked")


@HIDING
@WITHOUT_A_KEY
def test_nothing_is_ordered_twice_in_any_dialect(
    made: Stage, marketplace: Marketplace, dialect: str
) -> None:
    """Seeded episodes with lost answers, late effects and crashes; `make soak` takes
    the same options.
    """
    service = Service(dialects=(dialect,), marketplace=marketplace)
    assert {
        seed: findings
        for seed in range(EPISODES)
        if (findings := play(seed, made, service).found)
    } == {}
