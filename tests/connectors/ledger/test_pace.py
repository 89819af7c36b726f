"""The account's pace in the ledger: one row that several processes take permits from,
on both databases.
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
from connectors.ledger.store import Ledger
from domain.pace import Block
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


def test_processes_that_ask_at_once_get_no_more_than_there_is(
    shared: list[Ledger],
) -> None:
    """Four processes find no row: together they get the second's worth of an idle
    account.
    """
    start = threading.Barrier(4)

    def take_blocks(ledger: Ledger) -> int:
        start.wait()
        return sum(ledger.pace.take_block(5, 0.001).permits for _ in range(5))

    with ThreadPoolExecutor(4) as crew:
        assert sum(crew.map(take_blocks, shared)) == 1


def test_permits_gather_by_the_clock(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    """A tenth of a second's worth after a tenth of a second."""
    assert ledger.pace.take_block(80, 50) == Block(permits=50)
    clock.advance(0.11)
    assert other.pace.take_block(80, 50).permits == 5


def test_a_pause_holds_every_process(shared: list[Ledger]) -> None:
    shared[0].pace.pause(60, 50)
    block = shared[1].pace.take_block(1, 50)
    assert block.permits == 0
    assert 40 < block.pause_s <= 60


def test_processes_share_the_calls_of_a_day(shared: list[Ledger]) -> None:
    """Whoever asks gets no more than are left; what is given back is there again, and
    the next day begins anew.
    """
    today = datetime(2026, 9, 3, tzinfo=UTC)
    tomorrow = datetime(2026, 9, 4, tzinfo=UTC)
    with ThreadPoolExecutor(4) as crew:
        result = list(
            crew.map(lambda ledger: ledger.pace.take_today(today, 30, 100), shared)
        )
    assert sorted(result) == [10, 30, 30, 30]
    assert shared[0].pace.take_today(today, -5, 100) == -5
    assert [shared[1].pace.take_today(today, 30, limit) for limit in (50, 100)] == [
        0,
        5,
    ]
    assert shared[2].pace.take_today(tomorrow, 30, 100) == 30
    assert shared[0].pace.take_today(today, -40, 100) == 0
    assert shared[2].pace.take_today(tomorrow, 100, 100) == 70
    assert shared[3].pace.take_block(1, 50).permits == 1


def test_calls_of_a_clock_that_was_a_month_ahead_are_none_of_today(
    shared: list[Ledger],
) -> None:
    """Those of the day that has just begun elsewhere count."""
    today = datetime(2026, 9, 3, tzinfo=UTC)
    ahead = datetime(2026, 10, 3, tzinfo=UTC)
    assert shared[0].pace.take_today(ahead, 100, 100) == 100
    assert [shared[at].pace.take_today(today, 60, 100) for at in (1, 0, 2)] == [
        60,
        40,
        0,
    ]
    assert shared[1].pace.take_today(today, -5, 100) == -5
    assert shared[2].pace.take_today(today, 30, 100) == 5


def test_who_stands_still_with_the_row_in_hand_is_thrown_out(
    postgres: Postgres,
) -> None:
    """On PostgreSQL, where else nobody could lease for as long as a stopped process or
    machine had it.
    """
    url = postgres.new_ledger()
    with (
        Ledger(url, clock=utc_now, owner="stopped") as stopped,
        Ledger(url, clock=utc_now, owner="other") as ledger,
    ):

        def stand_still() -> None:
            with stopped.pace._writing() as connection:
                stopped.pace._lock_bucket(connection, 50)
                assert ledger.pace.take_block(1, 50).permits == 1
                connection.execute(select(1))

        with pytest.raises(LedgerUnusable, match="timeout"):
            stand_still()
        assert stopped.pace.take_block(1, 50).permits == 1
