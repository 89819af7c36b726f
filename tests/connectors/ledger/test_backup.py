"""Backups: consistent while a run writes, never over anything, and put back so that
nothing is bought twice.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text

from connectors.ledger.backup import backup, restore
from connectors.ledger.copying import ROWS_AT_ONCE, copy_rows, last_backup, move_ledger
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.marks import Mark
from connectors.ledger.plans import drop, put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.resolutions import ResolutionRecord
from connectors.ledger.schema import switches
from connectors.ledger.store import Ledger
from connectors.ledger.switches import hold
from connectors.ledger.verify import verify
from domain.effects import EffectStatus
from domain.forgetting import Mentions
from domain.marketplace import Marketplace
from domain.messages import Message
from domain.states import OrderState
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents, plan
from tests.connectors.ledger.test_claims import LEASE, claim_one
from tests.connectors.ledger.test_trouble import small_disk
from tests.history import all_orders
from tests.notified import taken_messages
from tests.postgres import Postgres
from tests.verdicts import in_these_words

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SETTLED = timedelta(seconds=1020)


def opened(file: Path) -> Ledger:
    return Ledger(f"sqlite:///{file}", clock=MovableClock(), owner="reader")


def test_a_backup_is_one_whole_file(ledger: Ledger, url: str, tmp_path: Path) -> None:
    """All that is committed is in it, also what is still in the write-ahead log;
    nothing lies beside it.
    """
    ledger.claim(intents("A-1"), lease=LEASE)
    (tmp_path / "backups").mkdir()
    written = backup(url, tmp_path / "backups" / "b.db", NOW)
    assert [path.name for path in (tmp_path / "backups").iterdir()] == ["b.db"]
    assert verify(f"sqlite:///{written}").faults == []
    with opened(written) as copy:
        assert [effect.key for effect in copy.effects_of(["A-1"])] == ["A-1:create"]


def test_a_backup_in_a_folder_is_named_by_its_time(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """What a schedule needs: each night another file."""
    (tmp_path / "backups").mkdir()
    assert backup(url, tmp_path / "backups", NOW).name == "ledger-20260102T030405Z.db"


def test_the_age_of_the_last_backup_is_known(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """Nothing told that the disk of the backups was gone, until the other one was."""
    now = datetime.now(UTC)
    assert last_backup(url, now) == "never"
    backup(url, tmp_path / "b.db", NOW)
    days = (-9, 0.9, 1.1, 17.5)
    told = [last_backup(url, now + timedelta(days=one)) for one in days]
    assert told == ["within a day", "within a day", "1 day ago", "17 days ago"]
    assert last_backup("postgresql://office/ledger", now) == ""


def test_a_backup_overwrites_nothing(ledger: Ledger, url: str, tmp_path: Path) -> None:
    """Not even another backup."""
    backup(url, tmp_path / "b.db", NOW)
    before = (tmp_path / "b.db").read_bytes()
    with pytest.raises(LedgerUnusable, match=r"b\.db is there already"):
        backup(url, tmp_path / "b.db", NOW)
    assert (tmp_path / "b.db").read_bytes() == before


def test_a_backup_needs_a_ledger(tmp_path: Path) -> None:
    """It creates no empty one."""
    with pytest.raises(LedgerUnusable, match="there is no ledger at"):
        backup(f"sqlite:///{tmp_path / 'none.db'}", tmp_path / "b.db", NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_backup_of_a_damaged_ledger_is_not_kept(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """A backup that can't be restored is worse than a clear no."""
    put_rows(
        ledger,
        [plan(f"B-{number}", request={"note": "n" * 900}) for number in range(200)],
    )
    ledger.close()
    with (tmp_path / "ledger.db").open("r+b") as content:
        content.seek(4096 * 40)
        content.write(b"\xff" * 4096)
    with pytest.raises(LedgerUnusable, match=r"malformed|damaged"):
        backup(url, tmp_path / "b.db", NOW)
    assert {path.name for path in tmp_path.iterdir()} <= {
        "ledger.db",
        "ledger.db-wal",
        "ledger.db-shm",
    }


def test_a_backup_needs_its_folder(ledger: Ledger, url: str, tmp_path: Path) -> None:
    """A disk that is not mounted: the folder is named, not the ledger, and none is made
    in its place.
    """
    with pytest.raises(
        LedgerUnusable,
        match=r"^there is no folder .*/backups: make it, or choose another place",
    ):
        backup(url, tmp_path / "backups" / "b.db", NOW)
    assert not (tmp_path / "backups").exists()


def test_a_folder_of_backups_that_is_gone_is_named_and_no_file_takes_its_place(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """As the nightly command names it. A file by that name would stop all further
    nights, also with the disk back.
    """
    with pytest.raises(
        LedgerUnusable,
        match=r"^there is no folder .*/backups: make it \(is its disk mounted\?\)",
    ):
        backup(url, tmp_path / "backups", NOW)
    assert not (tmp_path / "backups").exists()


def test_a_file_that_is_named_by_its_day_needs_no_ending(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """As by `$(date +%F)` in a schedule; the next night has another name."""
    assert backup(url, tmp_path / "2026-11-29", NOW) == tmp_path / "2026-11-29"


def test_a_backup_needs_no_hard_links(
    ledger: Ledger, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A memory stick has none. Nothing is overwritten there either."""

    def no_link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    (tmp_path / "stick").mkdir()
    monkeypatch.setattr("os.link", no_link)
    written = backup(url, tmp_path / "stick", NOW)
    assert list((tmp_path / "stick").iterdir()) == [written]
    assert verify(f"sqlite:///{written}").faults == []
    with pytest.raises(LedgerUnusable, match="is there already"):
        backup(url, tmp_path / "stick", NOW)


@pytest.mark.parametrize(
    "server", [False, pytest.param(True, marks=pytest.mark.endurance)]
)
def test_a_backup_onto_a_full_disk_names_the_backup(
    ledger: Ledger,
    url: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    *,
    server: bool,
) -> None:
    """The ledger is well; nothing half-made stays behind."""
    if server:
        url, old = request.getfixturevalue("postgres").new_database(), url
        move_ledger(old, url, now=NOW, by="ann")
    with small_disk(tmp_path / "disk", 64) as disk:
        with pytest.raises(
            LedgerUnusable,
            match=r"^\S*/disk/b\.db can't be written \(.*full\): free some disk space",
        ):
            backup(url, disk / "b.db", NOW)
        assert list(disk.iterdir()) == []


def test_a_restore_onto_a_full_disk_names_the_ledgers_folder(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """The backup is well, and the ledger is as it was."""
    saved = backup(url, tmp_path / "b.db", NOW)
    with small_disk(tmp_path / "disk", 64) as disk:
        with pytest.raises(
            LedgerUnusable,
            match=r"folder \S*/disk can't be written \(.*full\): free .* The ledger is as it was",
        ):
            restore(f"sqlite:///{disk / 'ledger.db'}", saved, now=NOW, by="ann")
        assert list(disk.iterdir()) == []


def test_a_backup_of_another_version_is_not_restored(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """The backup is named, and the remedy; the ledger is as it was."""
    saved = backup(url, tmp_path / "b.db", NOW)
    with closing(sqlite3.connect(saved)) as database, database:
        database.execute("UPDATE ledger_schema SET digest = 'other'")
    with pytest.raises(
        LedgerUnusable, match=r"b\.db was made by another version .*schema other"
    ):
        restore(url, saved, now=NOW, by="ann")
    assert ledger.marks.standing() == {}


def test_a_backup_that_is_not_there_is_named(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """Most often its name is misspelt."""
    with pytest.raises(LedgerUnusable, match=r"there is no backup \S*/b\.db"):
        restore(url, tmp_path / "b.db", now=NOW, by="ann")


def test_a_backup_while_a_run_writes_is_consistent(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """Every order and its move are written in one commit: a backup has both or neither,
    at any moment.
    """
    stop = threading.Event()

    def write() -> None:
        with Ledger(url, clock=MovableClock(), owner="writer") as writer:
            for number in range(10_000):
                if stop.is_set():
                    return
                put_rows(writer, [plan(f"B-{number}")])
                writer.change(
                    [
                        OrderChange(
                            order_ref=f"B-{number}",
                            state=OrderState.HELD,
                            why=in_these_words("over budget"),
                        )
                    ]
                )

    thread = threading.Thread(target=write)
    thread.start()
    try:
        seen = [
            verify(f"sqlite:///{backup(url, tmp_path / f'b{number}.db', NOW)}")
            for number in range(5)
        ]
    finally:
        stop.set()
        thread.join()
    assert [verdict.faults for verdict in seen] == [[]] * 5
    assert seen[-1].rows["orders"] > seen[0].rows["orders"] > 1


def test_what_a_backup_was_about_to_tell_is_old_news(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    told = Message(cause="run:1", subject="A run failed", body="")
    ledger.outbox.put(told)
    saved = backup(url, tmp_path / "b.db", NOW)
    ledger.close()
    restore(url, saved, now=NOW, by="ann")
    with Ledger(url, clock=ledger.clock, owner="second") as restored:
        restored.outbox.put(told)
        assert taken_messages(restored) == []


def test_a_restored_ledger_buys_nothing_until_it_is_confirmed(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """It has forgotten what came after the backup: claims are refused with the way out,
    reading goes on.
    """
    saved = backup(url, tmp_path / "b.db", NOW)
    ledger.record([claim_one(ledger)])
    ledger.close()
    kept = restore(url, saved, now=NOW, by="ann")
    assert kept is not None
    assert kept.name == "ledger.db.replaced-20260102T030405Z"
    with opened(kept) as old:
        assert old.orders(["A-1"])["A-1"].state is OrderState.ORDERED
    with opened(tmp_path / "ledger.db") as restored:
        assert restored.orders(["A-1"])["A-1"].state is OrderState.PLANNED
        with pytest.raises(
            LedgerUnusable,
            match=r"was restored from b\.db, whose newest entry is of 2026-01-01 12:00:00 UTC\. It has forgotten .*"
            "Run `sourcing reconcile`, .* sourcing confirm. Nothing was sent",
        ):
            restored.claim(intents("A-1"), lease=LEASE)
        assert restored.effects_of(["A-1"]) == []
        assert (
            restored.marks.confirm_restored(
                by="ann", listed_within=SETTLED, last_sent=None
            )
            == NOW + SETTLED
        )
        restored.clock = clock = MovableClock()
        clock.now = NOW + SETTLED - timedelta(seconds=1)
        words = r"sent before may still arrive until 2026-01-02 03:22 UTC, so it buys nothing before then\. Nothing was"
        with pytest.raises(LedgerUnusable, match=words):
            restored.claim(intents("A-1"), lease=LEASE)
        clock.advance(1)
        assert set(restored.claim(intents("A-1"), lease=LEASE).won) == {"A-1"}


@pytest.mark.parametrize("damage", ["", "no file", "no ledger", "no time"])
def test_what_a_person_stopped_since_the_backup_stays_stopped(
    ledger: Ledger, url: str, tmp_path: Path, damage: str
) -> None:
    """As far as the replaced file can be read, else the mark says so; once each, also
    where the backup has it.
    """
    ledger.pause_buying("mei", "prices look wrong")
    saved = backup(url, tmp_path / "b.db", NOW)
    with ledger.transaction() as connection:
        hold(connection, Marketplace.TAOBAO, ["100 times as dear"], by="run", at=NOW)
        if damage == "no time":
            connection.execute(text("UPDATE switches SET at = 'noon'"))
    ledger.close()
    if damage in ("no file", "no ledger"):
        for file in tmp_path.glob("ledger.db*"):
            file.unlink()
    if damage == "no ledger":
        (tmp_path / "ledger.db").write_bytes(b"no ledger")
    restore(url, saved, now=NOW, by="ann")
    with opened(tmp_path / "ledger.db") as restored:
        pause = restored.buying_paused()
        held = {
            one: [why for why, _ in reasons]
            for one, reasons in restored.holds.standing().items()
        }
        standing = restored.rows(select(switches).where(switches.c.ended_at.is_(None)))
        words = restored.marks.standing()[Mark.RESTORED]
    assert pause is not None
    assert (pause.by, pause.why) == ("mei", "prices look wrong")
    assert held == ({} if damage else {Marketplace.TAOBAO: ["100 times as dear"]})
    assert len(standing) == 1 + len(held)
    assert ("whether buying was paused since" in words) == bool(damage)


def test_a_log_that_was_written_after_a_restore_is_waited_for(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """By another machine's run, say; and a ledger that was never put back waits for
    nothing.
    """
    last_sent = NOW + timedelta(minutes=3)
    assert (
        ledger.marks.confirm_restored(
            by="ann", listed_within=SETTLED, last_sent=last_sent
        )
        is None
    )
    saved = backup(url, tmp_path / "b.db", NOW)
    ledger.close()
    restore(url, saved, now=NOW, by="ann")
    with opened(tmp_path / "ledger.db") as restored:
        until = restored.marks.confirm_restored(
            by="ann", listed_within=SETTLED, last_sent=last_sent
        )
        assert (until, restored.marks.restored_at()) == (last_sent + SETTLED, NOW)


def test_a_damaged_ledger_is_kept_when_a_backup_takes_its_place(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """Its write-ahead log goes with it: the restored file must not meet it."""
    saved = backup(url, tmp_path / "b.db", NOW)
    ledger.close()
    (tmp_path / "ledger.db").write_bytes(b"this is no database, by far" * 100)
    (tmp_path / "ledger.db-wal").write_bytes(b"remains")
    kept = restore(url, saved, now=NOW, by="ann")
    assert kept is not None
    assert kept.read_bytes().startswith(b"this is no database")
    assert Path(f"{kept}-wal").read_bytes() == b"remains"
    with opened(tmp_path / "ledger.db") as restored:
        assert set(all_orders(restored)) == {"A-1", "A-2"}


def test_a_restored_ledger_stays_marked_where_only_the_log_of_the_old_one_was_left(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """As after `mv ledger.db elsewhere`. SQLite would replay it over the restored file,
    which would buy at once.
    """
    saved = backup(url, tmp_path / "b.db", NOW)
    put_rows(ledger, [plan("A-3")])
    log = (tmp_path / "ledger.db-wal").read_bytes()
    (tmp_path / "ledger.db").rename(tmp_path / "elsewhere.db")
    ledger.close()
    (tmp_path / "ledger.db-wal").write_bytes(log)
    assert restore(url, saved, now=NOW, by="ann") is None
    assert (tmp_path / "ledger.db.replaced-20260102T030405Z-wal").read_bytes() == log
    with opened(tmp_path / "ledger.db") as restored:
        assert set(restored.marks.standing()) == {Mark.RESTORED}
        assert set(all_orders(restored)) == {"A-1", "A-2"}


def test_a_restore_needs_no_hard_links(
    ledger: Ledger, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data folder may be on a share. Of two restores in one second the second is
    refused, or it would keep none.
    """
    saved = backup(url, tmp_path / "b.db", NOW)
    put_rows(ledger, [plan("A-3")])
    ledger.close()

    def no_link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_link)
    kept = restore(url, saved, now=NOW, by="ann")
    assert kept is not None
    with pytest.raises(LedgerUnusable, match="is there already: restore again"):
        restore(url, saved, now=NOW, by="ann")
    with opened(tmp_path / "ledger.db") as restored, opened(kept) as old:
        assert set(restored.marks.standing()) == {Mark.RESTORED}
        assert set(all_orders(old)) == {"A-1", "A-2", "A-3"}


@pytest.mark.parametrize("work", ["SELECT count(*) FROM orders", "BEGIN IMMEDIATE"])
def test_a_ledger_that_another_program_has_open_is_not_replaced(
    ledger: Ledger, url: str, tmp_path: Path, work: str
) -> None:
    """Also when that one only looked: the message names the file and what to do, and
    all is as it was.
    """
    saved = backup(url, tmp_path / "b.db", NOW)
    put_rows(ledger, [plan("A-3")])
    ledger.close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute(work).fetchall()
        with pytest.raises(
            LedgerUnusable,
            match=r"another program has the ledger .*ledger\.db open: close it .* and restore again",
        ):
            restore(url, saved, now=NOW, by="ann")
    with opened(tmp_path / "ledger.db") as untouched:
        assert set(all_orders(untouched)) == {"A-1", "A-2", "A-3"}
        assert untouched.marks.standing() == {}
    assert {path.name for path in tmp_path.iterdir()} == {
        "b.db",
        "ledger.db",
        "ledger.db.backed-up",
        "ledger.db.sound",
    }


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_what_is_no_backup_is_not_restored(
    ledger: Ledger, url: str, tmp_path: Path, content: bytes
) -> None:
    """The ledger in use stays as it is."""
    (tmp_path / "b.db").write_bytes(content)
    with pytest.raises(LedgerUnusable, match=r"b\.db is no"):
        restore(url, tmp_path / "b.db", now=NOW, by="ann")
    assert set(all_orders(ledger)) == {"A-1", "A-2"}
    assert ledger.marks.standing() == {}


def test_a_moved_ledger_goes_on_elsewhere_and_nowhere_else(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """All rows are there; the old ledger refuses to buy, so that a forgotten schedule
    buys nothing twice.
    """
    ledger.record([claim_one(ledger)])
    to = f"sqlite:///{tmp_path / 'new.db'}"
    assert move_ledger(url, to, now=NOW, by="ann")["effects"] == 1
    with opened(tmp_path / "new.db") as moved:
        assert all_orders(moved) == all_orders(ledger)
        assert moved.moves_of("A-1") == ledger.moves_of("A-1")
        assert set(moved.claim(intents("A-2"), lease=LEASE).won) == {"A-2"}
    with pytest.raises(
        LedgerUnusable,
        match=r"was moved to sqlite:.*new\.db at 2026-01-02 .* Set SOURCING_LEDGER_URL",
    ):
        ledger.claim(intents("A-2"), lease=LEASE)
    with pytest.raises(LedgerUnusable, match="was moved"):
        ledger.belong_to("user 1 at the sandbox")
    with pytest.raises(LedgerUnusable, match="was moved"):
        move_ledger(url, f"sqlite:///{tmp_path / 'third.db'}", now=NOW, by="ann")


def test_what_a_person_says_while_a_ledger_is_copied_is_not_written_into_the_old_one(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """It waits for the copy, and is then refused: the one in use would never see it."""
    no = OrderChange(order_ref="A-1")
    (intent,) = intents("A-1")
    said = ResolutionRecord(
        order_ref="A-1",
        by="ann",
        question="?",
        answer="not ordered",
        status=EffectStatus.REFUSED,
        why=in_these_words(""),
        intent=intent,
        change=no,
    )
    move_ledger(url, f"sqlite:///{tmp_path / 'new.db'}", now=NOW, by="ann")
    for says in (
        lambda: drop(ledger, ["A-1"], by="ann"),
        lambda: ledger.forgotten.erase("A-1", Mentions.of([]), by="ann"),
        lambda: ledger.marks.confirm(Marketplace.TAOBAO, by="ann"),
        lambda: ledger.resolutions.record(said),
    ):
        with pytest.raises(LedgerUnusable, match="was moved"):
            says()


def test_a_backup_takes_no_moved_ledgers_place(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """Confirmed, it would buy what the one elsewhere buys too."""
    saved = backup(url, tmp_path / "b.db", NOW)
    move_ledger(url, f"sqlite:///{tmp_path / 'new.db'}", now=NOW, by="ann")
    ledger.close()
    with pytest.raises(
        LedgerUnusable,
        match=r"was moved to sqlite:.*new\.db at .* rename .*ledger\.db first",
    ):
        restore(url, saved, now=NOW, by="ann")
    (tmp_path / "ledger.db").rename(tmp_path / "given-up.db")
    assert restore(url, saved, now=NOW, by="ann") is None


def test_a_ledger_moves_into_an_empty_database_only(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """Two ledgers in one database would be neither; the old one goes on."""
    with opened(tmp_path / "new.db") as other:
        other.start_batch("theirs", "file.csv")
    with pytest.raises(
        LedgerUnusable, match="has rows in table batches: give an empty database"
    ):
        move_ledger(url, f"sqlite:///{tmp_path / 'new.db'}", now=NOW, by="ann")
    assert set(ledger.claim(intents("A-1"), lease=LEASE).won) == {"A-1"}


def test_a_ledger_with_a_run_at_work_does_not_move(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    """Its outcomes would be written into the old one."""
    ledger.claim(intents("A-1"), lease=LEASE)
    with pytest.raises(
        LedgerUnusable,
        match=r"a run is at work \(A-1:create, until 2026-01-01 12:01:00 UTC\)",
    ):
        move_ledger(
            url, f"sqlite:///{tmp_path / 'new.db'}", now=ledger.clock(), by="ann"
        )


def test_a_ledger_moves_back_from_postgresql(
    ledger: Ledger,
    url: str,
    postgres: Postgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All rows come along, more than are read at once; the PostgreSQL ledger refuses to
    buy, the file buys.
    """

    def waiting(old: Connection, new: Connection) -> dict[str, int]:
        """PostgreSQL waits for the commit of a large file."""
        assert (
            old.execute(text("SHOW idle_in_transaction_session_timeout")).scalar()
            == "0"
        )
        return copy_rows(old, new)

    put_rows(ledger, [plan(f"B-{number}") for number in range(ROWS_AT_ONCE + 1)])
    away, back = postgres.new_database(), f"sqlite:///{tmp_path / 'back.db'}"
    move_ledger(url, away, now=NOW, by="ann")
    monkeypatch.setattr("connectors.ledger.copying.copy_rows", waiting)
    assert move_ledger(away, back, now=NOW, by="ann")["orders"] == ROWS_AT_ONCE + 3
    with (
        Ledger(away, clock=MovableClock(), owner="first") as old,
        pytest.raises(LedgerUnusable, match=r"was moved to sqlite:.*back\.db"),
    ):
        old.claim(intents("A-1"), lease=LEASE)
    with opened(tmp_path / "back.db") as moved:
        assert all_orders(moved) == all_orders(ledger)
        assert set(moved.claim(intents("A-1"), lease=LEASE).won) == {"A-1"}
    assert verify(back).faults == []


MOVE = """
import sys
from datetime import UTC, datetime
from connectors.ledger.copying import ROWS_AT_ONCE, move_ledger
move_ledger(sys.argv[1], sys.argv[2], now=datetime(2026, 1, 2, tzinfo=UTC), by="ann")
"""


def killed_while_moving(url: str, to: str, point: str) -> None:
    environment = {**os.environ, "SOURCING_CRASH_AT": f"during-move:{point}"}
    done = subprocess.run(
        [sys.executable, "-c", MOVE, url, to], env=environment, check=False
    )
    assert done.returncode == -signal.SIGKILL


def buys(url: str) -> bool:
    """Whether this ledger lets a run begin, and buy."""
    with Ledger(url, clock=MovableClock(), owner="run") as ledger:
        try:
            ledger.belong_to("user 1 at the sandbox")
            return set(ledger.claim(intents("A-2"), lease=LEASE).won) == {"A-2"}
        except LedgerUnusable:
            return False


def both(tmp_path: Path, postgres: Postgres | None) -> tuple[str, str]:
    """An old ledger with two orders, and where it is to go."""
    old = postgres.new_database() if postgres else f"sqlite:///{tmp_path / 'old.db'}"
    with Ledger(old, clock=MovableClock(), owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1"), plan("A-2")])
    return old, f"sqlite:///{tmp_path / 'new.db'}"


@pytest.mark.parametrize(
    "server", [False, pytest.param(True, marks=pytest.mark.endurance)]
)
def test_a_move_killed_before_the_old_ledger_is_marked_leaves_that_one_in_use(
    tmp_path: Path, request: pytest.FixtureRequest, *, server: bool
) -> None:
    """The copy may not buy, and says so; moving again says what to delete, and then it
    works.
    """
    old, new = both(tmp_path, request.getfixturevalue("postgres") if server else None)
    killed_while_moving(old, new, "copied")
    with (
        opened(tmp_path / "new.db") as copy,
        pytest.raises(
            LedgerUnusable,
            match=r"a copy of .* not finished\. Set SOURCING_LEDGER_URL to the old one",
        ),
    ):
        copy.belong_to("user 1 at the sandbox")
    with pytest.raises(
        LedgerUnusable,
        match=r"new\.db holds a copy that was broken off .*: delete it .* copy again",
    ):
        move_ledger(old, new, now=NOW, by="ann")
    for left in tmp_path.glob("new.db*"):
        left.unlink()
    move_ledger(old, new, now=NOW, by="ann")
    assert (buys(old), buys(new)) == (False, True)


@pytest.mark.parametrize(
    "server", [False, pytest.param(True, marks=pytest.mark.endurance)]
)
def test_a_move_killed_after_the_old_ledger_is_marked_is_finished_by_the_next(
    tmp_path: Path, request: pytest.FixtureRequest, *, server: bool
) -> None:
    """Until then neither may buy; the same command lifts the mark of the copy."""
    old, new = both(tmp_path, request.getfixturevalue("postgres") if server else None)
    killed_while_moving(old, new, "marked")
    assert (buys(old), buys(new)) == (False, False)
    with pytest.raises(LedgerUnusable, match="was moved to"):
        move_ledger(old, f"sqlite:///{tmp_path / 'third.db'}", now=NOW, by="ann")
    assert move_ledger(old, new, now=NOW, by="ann")["orders"] == 2
    assert (buys(old), buys(new)) == (False, True)


def test_a_killed_move_leaves_the_old_ledger_buying(tmp_path: Path) -> None:
    """What was not marked goes on as if nobody had tried to move it."""
    old, new = both(tmp_path, None)
    killed_while_moving(old, new, "copied")
    assert (buys(new), buys(old)) == (False, True)


def test_a_ledger_moves_to_postgresql_and_back_into_a_backup(
    ledger: Ledger, url: str, postgres: Postgres, tmp_path: Path
) -> None:
    """Row by row the same; numbering goes on; a backup of PostgreSQL is a SQLite file
    that can be verified.
    """
    ledger.record([claim_one(ledger)])
    to = postgres.new_database()
    move_ledger(url, to, now=NOW, by="ann")
    with Ledger(to, clock=MovableClock(), owner="first") as moved:
        assert all_orders(moved) == all_orders(ledger)
        moved.change(
            [
                OrderChange(
                    order_ref="A-2",
                    state=OrderState.HELD,
                    why=in_these_words("over budget"),
                )
            ]
        )
        assert [move["new_state"] for move in moved.moves_of("A-2")] == [
            "planned",
            "held",
        ]
        assert verify(to).faults == []
        saved = backup(to, tmp_path / "b.db", NOW)
        with opened(saved) as copy:
            assert all_orders(copy) == all_orders(moved)
    assert verify(f"sqlite:///{saved}").faults == []
