"""The switch that stops all buying: what it forbids, what it lets through, and what it
costs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread

import pytest
from sqlalchemy import event, func, select

from connectors.callbacks import MAKING_LOCK
from connectors.ledger import switches
from connectors.ledger.engine import CREATION_LOCK, LedgerUnusable
from connectors.ledger.order_ids import ID_OWNERS_LOCK
from connectors.ledger.plans import put_rows
from connectors.ledger.records import Outcome, SpendLimits
from connectors.ledger.spending import SPENDING_LOCK
from connectors.ledger.store import Ledger
from connectors.ledger.switches import BUYING_LOCK, share_switch
from domain.effects import Action, EffectStatus
from domain.holds import Pause
from domain.money import Money
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents, plan
from tests.postgres import Postgres
from tests.running import PATIENCE_S

LEASE = timedelta(seconds=60)
LIMITS = SpendLimits(batch_id="batch", batch=Money(10**6), day=None)


@contextmanager
def statements(ledger: Ledger) -> Iterator[list[str]]:
    """What is sent to the ledger's database meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(ledger.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(ledger.engine, "before_cursor_execute", note)


@pytest.fixture
def on_postgres(postgres: Postgres, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(postgres.new_ledger(), clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1"), plan("A-2")])
        yield ledger


def test_nothing_that_buys_is_claimed_while_it_is_paused(
    ledger: Ledger, other: Ledger
) -> None:
    """Whoever asks hears who paused and why; the order stays as it is, and goes on
    after resume.
    """
    pause = other.pause_buying("mei", "prices look wrong")
    for action in (Action.CREATE, Action.PAY, Action.BOOK):
        claimed = ledger.claim(
            intents("A-1", action=action), lease=LEASE, limits=LIMITS
        )
        assert (claimed.won, claimed.open, claimed.paused) == ({}, {}, pause)
    assert (ledger.effects_of(["A-1"]), ledger.orders(["A-1"])["A-1"].state) == (
        [],
        "planned",
    )
    assert other.resume_buying("mei") == pause
    assert set(ledger.claim(intents("A-1"), lease=LEASE).won) == {"A-1"}


@pytest.mark.parametrize(
    "action",
    [Action.CANCEL, Action.REFUND, Action.NOTIFY, Action.RETURN],
)
def test_what_takes_back_or_tells_goes_on(ledger: Ledger, action: Action) -> None:
    """A pause keeps money from leaving; it keeps nobody from getting it back, nor a
    parcel from being known.
    """
    ledger.pause_buying("mei")
    assert set(ledger.claim(intents("A-1", action=action), lease=LEASE).won) == {"A-1"}


def test_outcomes_are_written_while_it_is_paused(ledger: Ledger, other: Ledger) -> None:
    """What was claimed before may have happened: the ledger hears of it."""
    record = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
    other.pause_buying("mei")
    assert ledger.record([Outcome(claim=record.claim, status=EffectStatus.DONE)]) == [
        True
    ]


def test_the_first_who_pauses_is_named(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    """A second pause changes nothing, a resume without a pause says so; each is told in
    the ledger's words.
    """
    first = ledger.pause_buying("mei", "prices look wrong")
    clock.advance(60)
    assert other.pause_buying("li") == first == other.buying_paused()
    assert (
        first.words
        == f"buying is paused since {first.at:%Y-%m-%d %H:%M} UTC by mei: prices look wrong"
    )
    assert Pause(by="li", at=first.at).words.endswith("UTC by li")
    assert (other.resume_buying("li"), other.resume_buying("li")) == (first, None)
    assert ledger.buying_paused() is None


@pytest.mark.parametrize("is_paused_before", [False, True])
def test_a_resume_does_not_end_a_pause_that_was_said_after_it(
    ledger: Ledger, other: Ledger, clock: MovableClock, *, is_paused_before: bool
) -> None:
    """Whichever of the two is carried out first: their processes start side by side, or
    one is taken up a day later.
    """
    if is_paused_before:
        ledger.pause_buying("li")
    resumed, paused, moment = (
        clock() + timedelta(seconds=seconds) for seconds in (10, 12, 60)
    )
    clock.advance(90)
    standing = ledger.pause_buying("mei", requested_at=paused)
    assert other.resume_buying("mei", resumed) is None
    assert other.buying_paused() is not None
    assert other.resume_buying("mei", moment) in (standing, Pause(by="mei", at=paused))
    assert other.buying_paused() is None


def test_a_pause_of_long_before_a_resume_stops_nothing(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    """As of a run that was lost, and is taken up when the machine is on again. Clocks
    may be a little apart.
    """
    yesterday = clock()
    clock.advance(86_400)
    ledger.pause_buying("mei")
    clock.advance(60)
    other.resume_buying("mei")
    ledger.pause_buying("mei", requested_at=yesterday)
    assert other.buying_paused() is None
    ledger.pause_buying("mei", requested_at=clock() - timedelta(seconds=5))
    assert other.buying_paused() is not None


@pytest.mark.parametrize("by_the_button", [False, True])
def test_a_resume_by_a_clock_that_was_ahead_keeps_nobody_from_pausing(
    ledger: Ledger, other: Ledger, clock: MovableClock, *, by_the_button: bool
) -> None:
    """As of a clock read in the wrong time zone. What was asked for the day before is
    late all the same.
    """
    moment = clock()
    clock.advance(8 * 3600)
    ledger.pause_buying("mei")
    other.resume_buying("mei")
    clock.advance(-8 * 3600 + 60)
    ledger.pause_buying("li", requested_at=moment - timedelta(days=1))
    assert other.buying_paused() is None
    ledger.pause_buying(
        "li", requested_at=moment + timedelta(seconds=50) if by_the_button else None
    )
    assert other.buying_paused() == Pause(
        by="li", at=moment + timedelta(seconds=50 if by_the_button else 60)
    )


def test_a_pause_without_a_reason_takes_the_first_one_that_is_given(
    ledger: Ledger, clock: MovableClock
) -> None:
    """The button first, its reason later; when it began stays."""
    began = ledger.pause_buying("").at
    clock.advance(60)
    pauses = [
        ledger.pause_buying("mei", "odd prices"),
        ledger.pause_buying("jo", "something else"),
    ]
    assert [(pause.by, pause.why, pause.at) for pause in pauses] == [
        ("mei", "odd prices", began)
    ] * 2
    assert ledger.buying_paused() == pauses[1]


def test_who_pauses_on_postgres_waits_for_claims_that_are_under_way(
    on_postgres: Ledger,
) -> None:
    """A claim in the midst of its transaction is in the ledger when `pause_buying`
    returns, and later ones see it.
    """
    with on_postgres._begun() as claiming:
        share_switch(claiming)
        pausing = Thread(target=on_postgres.pause_buying, args=("mei",))
        pausing.start()
        while on_postgres.buying_paused() is None:
            time.sleep(0.01)
        pausing.join(0.2)
        assert pausing.is_alive()
    pausing.join()
    assert on_postgres.claim(intents("A-1"), lease=LEASE).paused is not None


def test_a_claim_that_hangs_does_not_keep_postgres_from_being_paused(
    on_postgres: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause stands for all others, and who asked for it is told what to do."""
    monkeypatch.setattr(switches, "PATIENCE_S", 0.1)
    with on_postgres._begun() as hanging:
        share_switch(hanging)
        with pytest.raises(LedgerUnusable, match="end that run, then pause again"):
            on_postgres.pause_buying("mei")
    assert on_postgres.claim(intents("A-1"), lease=LEASE).paused is not None


def test_a_claim_on_postgres_waits_for_no_other_lock_of_the_product(
    on_postgres: Ledger,
) -> None:
    """Each has a number of its own: else nothing could be claimed while another run
    writes down an id.
    """
    locks = [MAKING_LOCK, CREATION_LOCK, ID_OWNERS_LOCK, SPENDING_LOCK]
    assert len({BUYING_LOCK, *locks}) == 5
    with on_postgres._begun() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(ID_OWNERS_LOCK)))
        claiming = Thread(
            target=on_postgres.claim, args=(intents("A-1"),), kwargs={"lease": LEASE}
        )
        claiming.start()
        claiming.join(PATIENCE_S)
        assert not claiming.is_alive()
    claiming.join()


def test_what_buys_waits_for_a_lock_on_postgres_alone(
    ledger: Ledger, on_postgres: Ledger
) -> None:
    """PostgreSQL is asked for one in shared memory before the switch is read."""
    for database, locks in ((ledger, 0), (on_postgres, 1)):
        with statements(database) as cancelling:
            database.claim(intents("A-1", action=Action.CANCEL), lease=LEASE)
        with statements(database) as creating:
            database.claim(intents("A-2"), lease=LEASE)
        assert not any("advisory" in statement for statement in cancelling)
        assert sum("advisory" in statement for statement in creating) == locks
