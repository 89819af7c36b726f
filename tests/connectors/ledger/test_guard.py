"""The ledger's file, folder or database goes away or changes under a run: it stops
before the next effect.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connectors.ledger.guard import LedgerReplaced, explain_replaced, sent_by
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.store import Ledger
from domain.effects import Action, EffectStatus
from domain.states import OrderState
from tests.clock import MovableClock
from tests.connectors.ledger.plans import NEVER_LEFT, Columns, intents, plan
from tests.connectors.ledger.test_claims import LEASE
from tests.history import all_orders

REFS = [f"A-{number}" for number in range(60)]


def begin(ledger: Ledger) -> None:
    """A batch of which one order is created."""
    ledger.start_batch("batch", "file.csv")
    put_rows(ledger, [plan(ref) for ref in REFS])
    record = ledger.claim(intents("A-0"), lease=LEASE).won["A-0"]
    change = OrderChange(
        order_ref="A-0", state=OrderState.ORDERED, writes=Columns({"order_id": "6001"})
    )
    ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def running(folder: Path) -> Iterator[Ledger]:
    """A run in the middle of a batch; before it the ledger's file was copied."""
    url = f"sqlite:///{folder / 'ledger.db'}"
    clock = MovableClock()
    with Ledger(url, clock=clock, owner="earlier") as earlier:
        earlier.start_batch("old", "old.csv")
    shutil.copy(folder / "ledger.db", folder.parent / "raw.db")
    with Ledger(url, clock=clock, owner="running") as ledger:
        begin(ledger)
        yield ledger


def deleted(folder: Path) -> None:
    (folder / "ledger.db").unlink()


def moved(folder: Path) -> None:
    (folder / "ledger.db").rename(folder / "elsewhere.db")


def folder_deleted(folder: Path) -> None:
    shutil.rmtree(folder)


def folder_replaced(folder: Path) -> None:
    folder.rename(folder.with_name("old"))
    folder.mkdir()
    shutil.copy(folder.parent / "raw.db", folder / "ledger.db")


def replaced(folder: Path) -> None:
    shutil.copy(folder.parent / "raw.db", folder / "new.db")
    os.replace(folder / "new.db", folder / "ledger.db")


def log_of_commits_deleted(folder: Path) -> None:
    (folder / "ledger.db-wal").unlink()


def older_file_copied_over(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(folder.parent / "raw.db", folder / "ledger.db")


LOSSES: dict[Callable[[Path], None], str] = {
    deleted: "was deleted or moved away",
    moved: "was deleted or moved away",
    folder_deleted: "was deleted or moved away",
    folder_replaced: "was replaced by another",
    replaced: "was replaced by another",
    log_of_commits_deleted: "has lost its ledger.db-wal",
    older_file_copied_over: "no longer has what this run wrote into it",
}


@pytest.mark.parametrize("happens", LOSSES, ids=lambda happens: happens.__name__)
def test_a_run_claims_nothing_more_once_its_ledger_is_gone(
    running: Ledger, folder: Path, happens: Callable[[Path], None]
) -> None:
    """Whatever takes the file away, the run says which and sends nothing that is
    written down nowhere.
    """
    happens(folder)
    with pytest.raises(LedgerReplaced, match=LOSSES[happens]):
        running.claim(intents("A-1"), lease=LEASE)


@pytest.mark.parametrize(
    "happens", [deleted, moved, folder_deleted, folder_replaced, replaced]
)
def test_nothing_leaves_that_was_claimed_before(
    running: Ledger, folder: Path, happens: Callable[[Path], None]
) -> None:
    """The look before the first byte needs no statement."""
    running.guard.require_files()
    happens(folder)
    with pytest.raises(LedgerReplaced):
        running.guard.require_files()


def test_no_empty_ledger_is_put_in_its_place(running: Ledger, folder: Path) -> None:
    """SQLite would make a new file for a further connection, and the next run would
    begin with it.
    """
    deleted(folder)
    with running.engine.connect(), pytest.raises(LedgerReplaced):
        running.engine.connect()
    assert not (folder / "ledger.db").exists()


@pytest.mark.parametrize(
    "happens",
    [deleted, moved, folder_deleted, folder_replaced, replaced, log_of_commits_deleted],
)
def test_what_the_run_still_sees_is_saved(
    running: Ledger, folder: Path, happens: Callable[[Path], None]
) -> None:
    """The whole ledger as it was, in a file of its own that can be restored."""
    happens(folder)
    rescued = running.guard.rescue(running.clock())
    assert rescued
    assert rescued.name == "ledger.rescued-20260101T120000Z.db"
    with Ledger(f"sqlite:///{rescued}", clock=MovableClock(), owner="after") as ledger:
        assert ledger.orders(["A-0"])["A-0"].order_id == "6001"
        assert len(all_orders(ledger)) == 60
    if not folder.exists():
        rescued.unlink()


def test_the_account_says_what_was_done_and_how_to_go_on(running: Ledger) -> None:
    """From what was saved of the ledger that is gone."""
    book = running.claim(intents("A-1", action=Action.PAY), lease=LEASE).won["A-1"]
    unsent = running.claim(intents("A-2"), lease=LEASE).won["A-2"]
    running.record(
        [Outcome(claim=unsent.claim, status=EffectStatus.UNSENT, proof=NEVER_LEFT)]
    )
    assert book.status is EffectStatus.SENDING
    rescued = running.guard.rescue(running.clock())
    message = explain_replaced(
        LedgerReplaced("the ledger is gone"), running.owner, rescued
    )
    assert (
        message.splitlines()[0]
        == "the ledger is gone. Nothing more is sent. This run had sent:"
    )
    assert message.splitlines()[1:3] == [
        "  A-0: ordered as 6001",
        "  A-1: pay without an answer that settles it",
    ]
    assert "A-2" not in message
    assert f"sourcing ledger restore {rescued}" in message
    assert "sourcing reconcile" in message


def test_without_a_copy_the_account_names_the_log_of_what_was_sent() -> None:
    message = explain_replaced(LedgerReplaced("the ledger is gone"), "me", None)
    assert "What this run had sent is noted in sends/me.log." in message


def test_the_account_names_the_first_orders_and_counts_the_others(
    running: Ledger,
) -> None:
    """What never left is none of them, nor what another run has sent."""
    claimed = running.claim(intents(*REFS[1:]), lease=LEASE).won
    unsent = [
        Outcome(claim=claimed[ref].claim, status=EffectStatus.UNSENT, proof=NEVER_LEFT)
        for ref in REFS[1:3]
    ]
    running.record(unsent)
    running.claim(intents("A-59", action=Action.PAY), lease=LEASE)
    rescued = running.guard.rescue(running.clock())
    assert rescued
    lines = sent_by(running.owner, rescued).splitlines()
    assert lines[1:3] == [
        "  A-0: ordered as 6001",
        "  A-10: create without an answer that settles it",
    ]
    assert lines[51:] == ["  and 8 orders more"]
    assert sent_by("another", rescued) == "This run had sent nothing."


def test_a_folder_that_is_stood_on_is_missed(running: Ledger, tmp_path: Path) -> None:
    """The data folder and the send log, also where the ledger is elsewhere."""
    sends = tmp_path / "sends"
    sends.mkdir()
    running.guard.watch(sends)
    running.claim(intents("A-1"), lease=LEASE)
    sends.rmdir()
    with pytest.raises(LedgerReplaced, match="sends, which was deleted or moved away"):
        running.claim(intents("A-2"), lease=LEASE)


def test_a_ledger_that_is_written_anew_in_its_place_is_no_loss(
    running: Ledger, folder: Path
) -> None:
    """`sourcing forget` leaves no free pages, also while a run is at work: the file
    gets smaller.
    """
    padded = {"lines": [{"words": "x" * 7000}]}
    put_rows(running, [plan(f"P-{number}", **padded) for number in range(50)])
    put_rows(running, [plan(f"P-{number}") for number in range(50)])
    with closing(sqlite3.connect(folder / "ledger.db")) as second:
        second.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert running.claim(intents("A-1"), lease=LEASE).won
    large = (folder / "ledger.db").stat().st_size
    with closing(sqlite3.connect(folder / "ledger.db")) as second:
        second.execute("VACUUM")
        second.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (folder / "ledger.db").stat().st_size < large / 2
    assert running.claim(intents("A-2"), lease=LEASE).won


def test_a_checkpoint_and_growth_are_no_loss(running: Ledger, folder: Path) -> None:
    """What SQLite itself does to the file, for this process and for others."""
    for number in range(1, 12):
        running.claim(intents(f"A-{number}"), lease=LEASE)
        with closing(sqlite3.connect(folder / "ledger.db")) as second:
            second.execute("PRAGMA wal_checkpoint(TRUNCATE)")
