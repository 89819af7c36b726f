"""Effects that land up to ten minutes after the service answered with an error: never a
second one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.marketplace import Marketplace
from sandbox.control import books
from tests.simulation.episode import NO_QUERY, Episode, one_order
from tests.simulation.misfortune import Call, Fault, Kind, Misfortune
from tests.simulation.stage import Stage, stage

LATE = pytest.mark.parametrize(
    "delay_s",
    [*(pytest.param(s, marks=pytest.mark.endurance) for s in (30.0, 300.0)), 600.0],
)
TAOBAO, ALIBABA, *OTHERS = Marketplace
MARKETPLACES = pytest.mark.parametrize(
    "marketplace",
    [
        TAOBAO,
        ALIBABA,
        *(
            pytest.param(marketplace, marks=pytest.mark.endurance)
            for marketplace in OTHERS
        ),
    ],
)
QUESTION = (
    "no answer to book. Does the warehouse console show a shipment for order {order_id}? Answer with: "
    "sourcing resolve R-1 booked SHIPMENT_ORDER_ID --tracking NUMBER, or not-booked"
)

ASKED_ABOUT_CREATING = (
    "no answer to create: nothing shows it, but nothing shows an older order of ours by its reference either, so "
    "that is no proof. Does the marketplace's console show an order with reference R-1? Answer with: "
    "sourcing resolve R-1 ordered ORDER_ID, or not-ordered"
)


class OneFault(Misfortune):
    """The first request for this call goes wrong, and nothing else does."""

    def __init__(self, dice: object, call: Call, fault: Fault) -> None:
        super().__init__(dice=dice, calm=True)  # type: ignore[arg-type]
        self.planned: dict[Call, Fault] = {call: fault}

    def fault(self, call: Call) -> Fault | None:
        return self.planned.pop(call, None)


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


def late_episode(
    made: Stage,
    marketplace: Marketplace,
    call: Call,
    delay_s: float,
    *,
    hidden: bool = False,
) -> Episode:
    episode = Episode(seed=1, stage=made)
    episode.scenario = replace(one_order(made, marketplace), hides_bookings=hidden)
    episode.limits = replace(episode.limits, batches={}, day=None)
    episode.misfortune = OneFault(episode.dice, call, Fault(Kind.LATE_EFFECT, delay_s))
    if hidden:
        episode.hide_bookings()
    return episode


def counts(episode: Episode) -> tuple[int, int, int]:
    """How many orders, payments and shipments the service has."""
    stored = books(episode.sandbox, NO_QUERY, b"")
    return (
        sum(order["reference"] == "R-1" for order in stored["orders"]),
        len(stored["payments"]),
        len(stored["shipments"]),
    )


def state(episode: Episode) -> str:
    return str(episode.database.orders()["R-1"].state)


def reason(episode: Episode) -> str:
    return str(episode.database.orders()["R-1"].reason)


async def until_it_landed(
    episode: Episode, delay_s: float, before: tuple[int, int, int]
) -> None:
    """A run that gets the error, one that comes at once, and one right before the
    effect lands.
    """
    await episode.start("source")
    started_at = episode.now()
    assert (state(episode), counts(episode)) == ("unknown", before)
    for pause_s in (0.0, delay_s - 0.7):
        if episode.now() - started_at + max(pause_s, 0) < delay_s - 0.6:
            await asyncio.sleep(max(pause_s, 0))
            await episode.start("source")
            assert (state(episode), counts(episode)) == ("unknown", before)
    await asyncio.sleep(delay_s)


@LATE
@MARKETPLACES
@pytest.mark.parametrize(
    ("call", "before", "after"),
    [
        (Call.CREATE, (0, 0, 0), (1, 0, 0)),
        (Call.PAY, (1, 0, 0), (1, 1, 0)),
        (Call.BOOK, (1, 1, 0), (1, 1, 1)),
    ],
)
def test_a_late_effect_is_found_and_never_repeated(
    made: Stage,
    marketplace: Marketplace,
    call: Call,
    before: tuple[int, int, int],
    after: tuple[int, int, int],
    delay_s: float,
) -> None:
    """The order is unknown until it lands, whoever runs; the run after that goes on
    from there to booked.
    """
    episode = late_episode(made, marketplace, call, delay_s)

    async def script() -> None:
        await until_it_landed(episode, delay_s, before)
        assert counts(episode) == after
        await asyncio.sleep(200)
        await episode.start("source")
        assert (state(episode), counts(episode)) == ("booked", (1, 1, 1))
        await asyncio.sleep(2000)
        await episode.start("source")
        assert counts(episode) == (1, 1, 1)

    assert episode.run(script()).found == []


@LATE
def test_a_late_booking_that_is_shown_nowhere_stays_a_question(
    made: Stage, delay_s: float
) -> None:
    """Neither key nor lookup: no run books again, and each says what a person has to
    look for.
    """
    episode = late_episode(made, Marketplace.TAOBAO, Call.BOOK, delay_s, hidden=True)

    async def script() -> None:
        await until_it_landed(episode, delay_s, (1, 1, 0))
        for _ in range(3):
            await asyncio.sleep(2000)
            await episode.start("source")
            assert (state(episode), counts(episode)) == ("unknown", (1, 1, 1))
            order_id = episode.database.orders()["R-1"].order_id
            assert reason(episode) == QUESTION.format(order_id=order_id)

    assert episode.run(script()).found == []


@pytest.mark.parametrize(
    ("call", "lists_behind_s"), [(Call.CREATE, 1800), (Call.PAY, 0)]
)
def test_what_never_lands_is_sent_again_only_after_the_settle_time(
    made: Stage, call: Call, lists_behind_s: int
) -> None:
    """Lost before it arrived: unknown for lease and settle time, and as long as a list
    may lag; then sent once more.
    """
    episode = late_episode(made, Marketplace.ALIBABA_1688, call, 0.0)
    episode.bought_before()
    episode.misfortune = OneFault(episode.dice, call, Fault(Kind.DROP_BEFORE))

    async def script() -> None:
        await episode.start("source")
        await asyncio.sleep(1000 + lists_behind_s)
        await episode.start("source")
        assert (state(episode), counts(episode)[1]) == ("unknown", 0)
        await asyncio.sleep(25)
        await episode.start("source")
        assert (state(episode), counts(episode)) == ("booked", (1, 1, 1))

    assert episode.run(script()).found == []


@MARKETPLACES
def test_a_create_that_nothing_tells_of_stays_a_question(
    made: Stage, marketplace: Marketplace
) -> None:
    """No older order of ours shows that the list would show it: no run orders again,
    and each says what to look for.
    """
    episode = late_episode(made, marketplace, Call.CREATE, 0.0)
    episode.misfortune = OneFault(episode.dice, Call.CREATE, Fault(Kind.DROP_BEFORE))

    async def script() -> None:
        await episode.start("source")
        for _ in range(2):
            await asyncio.sleep(2000)
            await episode.start("source")
            assert (state(episode), counts(episode)) == ("unknown", (0, 0, 0))
        assert reason(episode) == ASKED_ABOUT_CREATING

    assert episode.run(script()).found == []
