"""The account's pace in the ledger: one row that several processes lease from, on both
databases.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.pace import pace_in
from connectors.ledger.store import Ledger
from domain.fair_pace import RateClient
from tasks.engine.resources import utc_now
from tests.clock import MovableClock
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres
) -> Iterator[list[Ledger]]:
    """One ledger in the hands of four processes."""
    url = (
        f"sqlite:///{tmp_path / 'ledger.db'}"
        if request.param == "sqlite"
        else postgres.new_ledger()
    )
    ledgers = [Ledger(url, clock=utc_now, owner=f"run-{number}") for number in range(4)]
    yield ledgers
    for ledger in ledgers:
        ledger.close()


def test_all_that_ask_at_once_get_no_more_than_there_is(shared: list[Ledger]) -> None:
    """Four processes that find no row each ask again and again within a moment: in the
    end each has its part.
    """
    start = threading.Barrier(4)

    def asked(number: int) -> None:
        start.wait()
        for _ in range(5):
            shared[number].pace.lease(f"run-{number}", calling())
            with shared[number].reading() as connection:
                _, known = pace_in(connection, utc_now)
            assert known is not None
            assert sum(client.share for client in known.clients.values()) <= 50

    with ThreadPoolExecutor(4) as crew:
        list(crew.map(asked, range(4)))
    told = [
        [
            ledger.pace.lease(f"run-{at}", calling()).share
            for at, ledger in enumerate(shared)
        ]
        for _ in range(9)
    ]
    assert [12.5] * 4 in told


def test_processes_share_the_calls_of_a_day(shared: list[Ledger]) -> None:
    """Whoever asks gets no more than are left; what is given back is there again, and
    the next day begins anew.
    """
    today, tomorrow = datetime(2026, 9, 3, tzinfo=UTC), datetime(2026, 9, 4, tzinfo=UTC)
    shared[0].pace.lease("run-0", calling())
    with ThreadPoolExecutor(4) as crew:
        taken = list(
            crew.map(lambda ledger: ledger.pace.take_today(today, 30, 100), shared)
        )
    assert sorted(taken) == [10, 30, 30, 30]
    assert shared[0].pace.take_today(today, -5, 100) == -5
    assert [shared[1].pace.take_today(today, 30, most) for most in (50, 100)] == [0, 5]
    assert shared[2].pace.take_today(tomorrow, 30, 100) == 30
    assert shared[0].pace.take_today(today, -40, 100) == 0
    assert shared[2].pace.take_today(tomorrow, 100, 100) == 70
    assert shared[3].pace.poll()[0] == 0


def test_calls_of_a_clock_that_was_a_month_ahead_are_none_of_today(
    shared: list[Ledger],
) -> None:
    """Those of the day that has just begun elsewhere count."""
    today, ahead = datetime(2026, 9, 3, tzinfo=UTC), datetime(2026, 10, 3, tzinfo=UTC)
    assert shared[0].pace.take_today(ahead, 100, 100) == 100
    assert [shared[at].pace.take_today(today, 60, 100) for at in (1, 0, 2)] == [
        60,
        40,
        0,
    ]
    assert shared[1].pace.take_today(today, -5, 100) == -5
    assert shared[2].pace.take_today(today, 30, 100) == 5


def test_nobody_waits_for_a_clock_that_was_ahead(
    ledger: Ledger, clock: MovableClock
) -> None:
    """A pause of then would last until the hour it ended at, for whoever has no limit
    of its own.
    """
    clock.advance(8 * 3600)
    ledger.pace.hold(900)
    assert ledger.pace.poll()[0] == 300
    clock.advance(-8 * 3600)
    assert ledger.pace.poll()[0] == 0


def test_a_pause_is_seen_by_all_and_by_who_has_no_limit(shared: list[Ledger]) -> None:
    """One process was told to wait a minute."""
    first, second, *_ = shared
    assert first.pace.poll() == (0, False)
    first.pace.hold(60)
    lease = second.pace.lease("run-1", calling())
    pause, is_limited = first.pace.poll()
    assert 40 < pause <= lease.pause_s <= 60
    assert is_limited


def test_who_leaves_gives_back_what_it_had(shared: list[Ledger]) -> None:
    """The next one has all of the rate, and begins with what was left; and nobody has a
    limit when all are gone.
    """
    first, second, *_ = shared
    slow = 0.001
    assert first.pace.lease("run-0", calling(slow)).permits == 1
    assert second.pace.lease("run-1", calling(slow)).share == 0
    second.pace.leave("run-1", 0)
    first.pace.leave("run-0", 1)
    lease = second.pace.lease("run-1", calling(slow))
    assert (lease.share, lease.permits) == (slow, 1)
    second.pace.leave("run-1", 0)
    assert second.pace.poll() == (0, False)


def test_who_stands_still_with_the_row_in_hand_is_thrown_out(
    postgres: Postgres,
) -> None:
    """On PostgreSQL, where else nobody could lease for as long as a stopped process or
    machine had it.
    """
    url = postgres.new_ledger()
    with (
        Ledger(url, clock=utc_now, owner="stopped") as stopped,
        Ledger(url, clock=utc_now, owner="other") as other,
    ):
        other.pace.hold(0)

        def stand_still() -> None:
            with stopped.pace._writing() as connection:
                pace_in(connection, utc_now, locked=True)
                assert other.pace.lease("other", calling()).share == 50
                connection.execute(select(1))

        with pytest.raises(LedgerUnusable, match="timeout"):
            stand_still()
        assert stopped.pace.lease("stopped", calling()).again_s == 0.25


def test_permits_gather_by_the_clock(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    """A tenth of a second's worth after a tenth of a second."""
    assert ledger.pace.lease("a", calling()).permits == 50
    ledger.pace.leave("a", 0)
    clock.advance(0.1)
    lease = other.pace.lease("a", calling())
    assert (lease.share, lease.again_s, round(lease.permits)) == (50, 0.25, 5)


def calling(limit: float = 50, *, wants: float = 200) -> RateClient:
    return RateClient(wants=wants, limit=limit)
