"""Files that the product keeps: what is over is struck, what runs still work on is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.inbox import Inbox
from connectors.kept_files import (
    Left,
    old_ledgers,
    receivers_in_files,
    strike_fetched,
    strike_inbox,
    strike_old_ledgers,
    sweep,
)
from connectors.ledger.backup import backup
from connectors.ledger.send_log import SendLog, never_sent
from connectors.ledger.store import Ledger
from connectors.traces import Needles
from domain.effects import Action, Claim
from domain.forgetting import Traces
from flows.batch.request_batches import default_batch_id
from tests.clock import MovableClock

TEXT = "order_ref,receiver_name\nA-1,Quentin Z\nA-2,Ann\n"
NEEDLES = Needles(["Quentin Z"])


def test_a_file_that_runs_still_work_on_is_left_and_named(tmp_path: Path) -> None:
    """Another content would be another batch, with a budget of its own; its results say nothing all the same."""
    root = Inbox(tmp_path / "inbox").root
    for place in ("new.csv", "open/a.csv", "working/b.csv", "done/c.csv"):
        (root / place).write_text(TEXT)
    (root / "open" / "a.csv.result.csv").write_text("A-1,held: Quentin Z\n")
    (root / "done" / ".c.csv.struck").write_text("half")
    told = Left()
    strike_inbox(root, "A-1", NEEDLES, told)
    left = [words.split(":")[0] for words in told.left]
    assert left == [str(root / place) for place in ("new.csv", "working/b.csv", "open/a.csv")]
    assert (root / "open/a.csv").read_text() == TEXT
    assert (root / "open/a.csv.result.csv").read_text() == "A-1,held: [forgotten]\n"
    assert (root / "done/c.csv").read_text() == "order_ref,receiver_name\nA-2,Ann\n"
    assert not (root / "done" / ".c.csv.struck").exists()
    sweep(tmp_path, NEEDLES, again := Left(), besides=[root / "new.csv", root / "working", root / "open"])
    assert again == Left()


def test_a_fetched_file_is_struck_and_keeps_its_batch(tmp_path: Path) -> None:
    file = tmp_path / "fetched" / f"{'ab' * 32}.csv"
    file.parent.mkdir()
    file.write_text(TEXT)
    assert [one["name"] for one in receivers_in_files(tmp_path / "inbox", tmp_path, "A-1")] == ["Quentin Z"]
    strike_fetched(tmp_path, "A-1", told := Left())
    assert (file.read_text(), told.struck) == ("order_ref,receiver_name\nA-2,Ann\n", [str(file)])
    assert default_batch_id(file) == "fetched-abababab"


def test_every_file_is_looked_through_in_every_writing(tmp_path: Path) -> None:
    """Encodings, capitals, JSON's escapes; logs are overwritten in place, the rest is named."""
    (tmp_path / "a.bin").write_bytes(b"\0\1" + "王小明的".encode("utf-16-be"))
    (tmp_path / "b.txt").write_text('{"name": "\\u738b\\u5c0f\\u660e"}')
    (tmp_path / "c.log").write_text("for QUENTIN Z and 王小明\nmore\n")
    (tmp_path / "sandbox.db").write_text("王小明")
    (tmp_path / "empty").touch()
    told = Left()
    sweep(tmp_path, Needles(["王小明", "Quentin Z"]), told, besides=[])
    assert [Path(words.split(":")[0]).name for words in told.left] == ["a.bin", "b.txt"]
    assert [Path(words.split(":")[0]).name for words in told.elsewhere] == ["sandbox.db"]
    assert (tmp_path / "c.log").read_text() == "for xxxxxxxxx and xxxxxxxxx\nmore\n"
    sweep(tmp_path, Needles([]), told, besides=[])


def test_what_proves_that_nothing_was_sent_stays_as_it_is(tmp_path: Path) -> None:
    """A phone may stand in an order's reference: struck there, a payment would count as never sent, and be repeated."""
    until = datetime(2026, 1, 2, tzinfo=UTC)
    claim = Claim(key="20261126-1:pay", order_ref="20261126-1", action=Action.PAY, fence=1, lease_until=until)
    with SendLog(tmp_path / "sends") as log:
        log.note(claim)
    sweep(tmp_path, Needles(["20261126"]), told := Left(), besides=[])
    assert not never_sent(tmp_path / "sends", log.owner, claim.key)
    assert told == Left()


def test_an_old_ledger_that_can_not_be_read_is_named_and_stops_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "old.db"
    broken.write_bytes(b"SQLite format 3\0" + bytes(5000))
    strike_old_ledgers([broken], {"order_ref": "A-1", "at": None, "by": "ann"}, Traces(()), told := Left())
    assert [words.split(" (")[0] for words in told.left] == [f"{broken}: an old ledger that can't be changed"]


def test_the_ledger_in_use_is_no_old_one_however_the_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ledger = tmp_path / "data" / "ledger.db"
    with Ledger(f"sqlite:///{ledger}", clock=MovableClock(), owner="first"):
        backup(f"sqlite:///{ledger}", tmp_path / "data" / "old.db", datetime(2026, 1, 2, tzinfo=UTC))
        assert old_ledgers(Path("data"), ledger) == [Path("data/old.db")]
