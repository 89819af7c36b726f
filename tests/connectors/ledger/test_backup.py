"""Backups: consistent while a run writes, never over anything, and put back so that
nothing is bought twice.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from connectors.ledger.backup import backup, restore
from connectors.ledger.copying import ROWS_AT_ONCE, last_backup
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.schema import switches
from connectors.ledger.store import Ledger
from connectors.ledger.switches import hold
from connectors.ledger.verify import verify
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
    moment = datetime.now(UTC)
    assert last_backup(url, moment) == "never"
    backup(url, tmp_path / "b.db", NOW)
    days = (-9, 0.9, 1.1, 17.5)
    notices = [last_backup(url, moment + timedelta(days=day)) for day in days]
    assert notices == ["within a day", "within a day", "1 day ago", "17 days ago"]
    assert last_backup("postgresql://office/ledger", moment) == ""


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
        url = request.getfixturevalue("in_postgresql")
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
    assert ledger.marks.restored() == ""


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
        verifications = [
            verify(f"sqlite:///{backup(url, tmp_path / f'b{number}.db', NOW)}")
            for number in range(5)
        ]
    finally:
        stop.set()
        thread.join()
    assert [verdict.faults for verdict in verifications] == [[]] * 5
    assert verifications[-1].rows["orders"] > verifications[0].rows["orders"] > 1


def test_what_a_backup_was_about_to_tell_is_old_news(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    message = Message(cause="run:1", subject="A run failed", body="")
    ledger.outbox.put(message)
    saved = backup(url, tmp_path / "b.db", NOW)
    ledger.close()
    restore(url, saved, now=NOW, by="ann")
    with Ledger(url, clock=ledger.clock, owner="second") as restored:
        restored.outbox.put(message)
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
    path = restore(url, saved, now=NOW, by="ann")
    assert path is not None
    assert path.name == "ledger.db.replaced-20260102T030405Z"
    with opened(path) as old:
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
        message = r"sent before may still arrive until 2026-01-02 03:22 UTC, so it buys nothing before then\. Nothing was"
        with pytest.raises(LedgerUnusable, match=message):
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
            marketplace: [reason for reason, _ in reasons]
            for marketplace, reasons in restored.holds.standing().items()
        }
        standing = restored.rows(select(switches).where(switches.c.ended_at.is_(None)))
        message = restored.marks.restored()
    assert pause is not None
    assert (pause.by, pause.why) == ("mei", "prices look wrong")
    assert held == ({} if damage else {Marketplace.TAOBAO: ["100 times as dear"]})
    assert len(standing) == 1 + len(held)
    assert ("whether buying was paused since" in message) == bool(damage)


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
    path = restore(url, saved, now=NOW, by="ann")
    assert path is not None
    assert path.read_bytes().startswith(b"this is no database")
    assert Path(f"{path}-wal").read_bytes() == b"remains"
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
        assert restored.marks.restored()
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
    path = restore(url, saved, now=NOW, by="ann")
    assert path is not None
    with pytest.raises(LedgerUnusable, match="is there already: restore again"):
        restore(url, saved, now=NOW, by="ann")
    with opened(tmp_path / "ledger.db") as restored, opened(path) as old:
        assert restored.marks.restored()
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
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute(work).fetchall()
        with pytest.raises(
            LedgerUnusable,
            match=r"another program has the ledger .*ledger\.db open: close it .* and restore again",
        ):
            restore(url, saved, now=NOW, by="ann")
    with opened(tmp_path / "ledger.db") as untouched:
        assert set(all_orders(untouched)) == {"A-1", "A-2", "A-3"}
        assert untouched.marks.restored() == ""
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
    assert ledger.marks.restored() == ""


@pytest.fixture
def in_postgresql(ledger: Ledger, url: str, postgres: Postgres, tmp_path: Path) -> str:
    """A database into which the ledger's backup was put."""
    put_rows(ledger, [plan(f"B-{number}") for number in range(ROWS_AT_ONCE + 1)])
    ledger.record([claim_one(ledger)])
    saved = backup(url, tmp_path / "saved.db", NOW)
    database = postgres.new_database()
    assert restore(database, saved, now=NOW, by="ann") is None
    return database


def test_a_ledger_goes_on_in_postgresql_and_back_in_a_file(
    ledger: Ledger, in_postgresql: str, tmp_path: Path
) -> None:
    """All rows come along, more than are read at once; numbering goes on; neither buys
    before a person has confirmed it.
    """
    held = OrderChange(
        order_ref="A-2", state=OrderState.HELD, why=in_these_words("over budget")
    )
    back = f"sqlite:///{tmp_path / 'back.db'}"
    with Ledger(in_postgresql, clock=MovableClock(), owner="first") as moved:
        assert all_orders(moved) == all_orders(ledger)
        assert moved.moves_of("A-1") == ledger.moves_of("A-1")
        with pytest.raises(LedgerUnusable, match=r"was restored from saved\.db"):
            moved.claim(intents("A-2"), lease=LEASE)
        moved.change([held])
        saved = backup(in_postgresql, tmp_path / "b.db", NOW)
        assert restore(back, saved, now=NOW, by="ann") is None
        with opened(tmp_path / "back.db") as file:
            assert all_orders(file) == all_orders(moved)
            with pytest.raises(LedgerUnusable, match=r"was restored from b\.db"):
                file.claim(intents("A-2"), lease=LEASE)
    assert verify(in_postgresql).faults == verify(back).faults == []


def test_faults_are_found_in_postgresql_too(in_postgresql: str) -> None:
    with (
        Ledger(in_postgresql, clock=MovableClock(), owner="x") as ledger,
        ledger.transaction() as connection,
    ):
        connection.execute(
            text(
                "UPDATE orders SET order_id = '78', paid_minor = 9 WHERE order_ref = 'A-1'"
            )
        )
        connection.execute(text("DELETE FROM moves WHERE order_ref = 'A-2'"))
        connection.execute(text("DELETE FROM receivers WHERE order_ref = 'B-0'"))
    words = {
        (flaw.row, flaw.words.split(",")[0]) for flaw in verify(in_postgresql).faults
    }
    assert words >= {
        ("A-1", "is paid with 9 fen"),
        ("A-2", "is planned"),
    }


def test_a_backup_goes_into_an_empty_database_only(
    in_postgresql: str, tmp_path: Path
) -> None:
    with pytest.raises(LedgerUnusable, match="has orders: give an empty database"):
        restore(in_postgresql, tmp_path / "saved.db", now=NOW, by="ann")
