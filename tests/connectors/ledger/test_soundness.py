"""The file is checked whole once a day, and whenever something may have befallen it;
not by each run.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.ledger import copying
from connectors.ledger.backup import backup, restore
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.plans import put_rows
from connectors.ledger.send_log import SendLog
from connectors.ledger.store import Ledger
from tests.clock import MovableClock
from tests.connectors.ledger.plans import plan
from tests.connectors.ledger.test_trouble import opened

PAGE = 4096


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ledger that a run has found sound; a second run is needed for anything else."""
    file = tmp_path / "data" / "ledger.db"
    with Ledger(url(file), clock=MovableClock(), owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan(f"A-{number}") for number in range(50)])
    opened(file)
    return file


def url(file: Path) -> str:
    return f"sqlite:///{file}"


def lose_an_index_entry(file: Path) -> None:
    """A fault that no reading of a run meets: only a check of the whole file finds
    it.
    """
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'ix_moves_at'"
        ).fetchone()
    with file.open("r+b") as content:
        content.seek((root - 1) * PAGE)
        page = bytearray(content.read(PAGE))
        page[3:5] = (int.from_bytes(page[3:5], "big") - 1).to_bytes(2, "big")
        content.seek((root - 1) * PAGE)
        content.write(page)


def a_run_can_t_use_it(file: Path) -> None:
    with (
        pytest.raises(LedgerUnusable),
        Ledger(url(file), clock=MovableClock(), owner="me"),
    ):
        raise LedgerUnusable("disk I/O error")


def the_machine_restarts(file: Path) -> None:
    record = file.with_name("ledger.db.sound")
    record.write_text(json.dumps({**json.loads(record.read_text()), "boot": "another"}))


def a_day_passes(file: Path) -> None:
    record = file.with_name("ledger.db.sound")
    at = datetime.now(UTC) - copying.CHECKED_EVERY
    record.write_text(
        json.dumps({**json.loads(record.read_text()), "at": at.isoformat()})
    )


def another_file_takes_its_place(file: Path) -> None:
    path = file.with_name("other.db")
    path.write_bytes(file.read_bytes())
    path.replace(file)


def it_is_marked_as_restored(file: Path) -> None:
    clock = MovableClock()
    clock.now = datetime.now(UTC) + timedelta(seconds=1)
    with Ledger(url(file), clock=clock, owner="ann") as ledger:
        ledger.marks.put_back("was put back by hand", by="ann")


@pytest.mark.parametrize(
    "event",
    [
        a_run_can_t_use_it,
        the_machine_restarts,
        a_day_passes,
        another_file_takes_its_place,
        it_is_marked_as_restored,
    ],
)
def test_a_fault_is_found_after(event: Callable[[Path], None], file: Path) -> None:
    event(file)
    lose_an_index_entry(file)
    with pytest.raises(LedgerUnusable, match="malformed"):
        opened(file)
    with pytest.raises(
        LedgerUnusable, match="malformed"
    ):  # nor is it forgotten by having been told
        opened(file)


def test_between_two_checks_a_run_trusts_the_file(file: Path) -> None:
    """The price of a start that does not grow with the file; a backup finds the
    fault.
    """
    lose_an_index_entry(file)
    opened(file)
    with pytest.raises(LedgerUnusable, match="malformed"):
        backup(url(file), file.with_name("b.db"), datetime.now(UTC))


def test_a_run_that_could_not_use_it_costs_one_check(file: Path) -> None:
    a_run_can_t_use_it(file)
    opened(file)
    lose_an_index_entry(file)
    opened(file)


def test_a_run_that_is_killed_costs_none(file: Path) -> None:
    """What SQLite commits outlives its process."""
    SendLog(file.parent / "sends")._end()
    lose_an_index_entry(file)
    opened(file)


def test_a_backup_counts_as_a_check(file: Path) -> None:
    a_day_passes(file)
    backup(url(file), file.with_name("b.db"), datetime.now(UTC))
    lose_an_index_entry(file)
    opened(file)


def test_a_restored_ledger_is_checked(file: Path) -> None:
    """By its mark, whatever the number of its file is."""
    saved = backup(url(file), file.with_name("b.db"), datetime.now(UTC))
    restore(url(file), saved, now=datetime.now(UTC), by="ann")
    lose_an_index_entry(file)
    with pytest.raises(LedgerUnusable, match="malformed"):
        opened(file)
