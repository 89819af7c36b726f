"""A disk, a file or a server that fails: said with place and remedy, and nothing is
sent that was not written down.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import psycopg
import pytest

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.guard import LedgerReplaced, as_replaced
from connectors.ledger.plans import put_rows
from connectors.ledger.records import Outcome
from connectors.ledger.send_log import SendLog, never_sent
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots.files import SnapshotError
from connectors.snapshots.writer import write_history
from connectors.xportcn.settings import XportcnSettings
from domain.effects import EffectStatus
from tasks.engine.resources import open_resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents, plan
from tests.connectors.ledger.test_claims import LEASE
from tests.connectors.ledger.test_guard import begin
from tests.connectors.ledger.test_send_log import claim
from tests.connectors.snapshots.sample import order
from tests.needs import leave_out
from tests.postgres import Postgres
from tests.verdicts import in_these_words

PAGE = 4096


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ledger of 300 orders, closed and whole."""
    file = tmp_path / "ledger.db"
    with Ledger(f"sqlite:///{file}", clock=MovableClock(), owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(
            ledger,
            [plan(f"A-{number}", request={"note": "n" * 900}) for number in range(300)],
        )
        ledger.claim(intents(*(f"A-{number}" for number in range(300))), lease=LEASE)
    return file


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A disk of that size, mounted there."""
    folder.mkdir(exist_ok=True)
    built = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder],
        capture_output=True,
        check=False,
    )
    if built.returncode:
        leave_out("a disk that is mounted for the test", "run as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> None:
    """Leave no byte free."""
    with (folder / "filler").open("wb", buffering=0) as filler:
        size = 65_536
        while size:
            try:
                filler.write(b"x" * size)
            except OSError:
                size //= 2


def stop_growth(ledger: Ledger) -> None:
    """Let the file have as many pages as it has and no more, as on a disk that has just
    become full.
    """
    with ledger.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def claim_each(ledger: Ledger, numbers: range) -> None:
    for number in numbers:
        ledger.claim(intents(f"A-{number}"), lease=LEASE)


def note_each(log: SendLog, numbers: range) -> None:
    for number in numbers:
        log.note(claim(f"B-{number}:pay"))


def test_what_cannot_be_written_down_is_not_claimed(ledger: Ledger) -> None:
    """The intents of a chunk are all there or none: without them nothing may be
    sent.
    """
    put_rows(ledger, [plan(f"B-{number}") for number in range(400)])
    stop_growth(ledger)
    with pytest.raises(
        LedgerUnusable,
        match=r"database or disk is full\): free some disk space\. Nothing more is sent",
    ):
        ledger.claim(intents(*(f"B-{number}" for number in range(400))), lease=LEASE)
    assert ledger.effects_of(f"B-{number}" for number in range(400)) == []


def test_an_outcome_that_cannot_be_written_leaves_the_intent(ledger: Ledger) -> None:
    """The effect stays `sending`, so that the next run reads what became of it."""
    record = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
    stop_growth(ledger)
    outcome = Outcome(
        claim=record.claim, status=EffectStatus.DONE, why=in_these_words("r" * 100_000)
    )
    with pytest.raises(LedgerUnusable, match="free some disk space"):
        ledger.record([outcome])
    assert ledger.effects_of(["A-1"])[0].status is EffectStatus.SENDING


def test_a_full_disk_stops_a_claim_and_loses_nothing(tmp_path: Path) -> None:
    """On a real disk of two megabytes: what was claimed before it was full is still
    there, then and afterwards.
    """
    with small_disk(tmp_path / "disk", 2048) as disk:
        url = f"sqlite:///{disk / 'ledger.db'}"
        with Ledger(url, clock=MovableClock(), owner="first") as ledger:
            ledger.start_batch("batch", "file.csv")
            put_rows(ledger, [plan(f"A-{number}") for number in range(600)])
            ledger.claim(intents("A-0"), lease=LEASE)
            fill(disk)
            with pytest.raises(LedgerUnusable, match="free some disk space"):
                claim_each(ledger, range(1, 600))
            claimed = {
                effect.order_ref
                for effect in ledger.effects_of(f"A-{number}" for number in range(600))
            }
            assert "A-0" in claimed
            assert len(claimed) < 600
        (disk / "filler").unlink()
        with Ledger(url, clock=MovableClock(), owner="second") as ledger:
            ledger.require_sound()
            assert {
                e.order_ref
                for e in ledger.effects_of(f"A-{number}" for number in range(600))
            } == claimed


def test_a_send_log_on_a_full_disk_denies_every_further_send(tmp_path: Path) -> None:
    """A note that was cut off must not swallow the next one: what was then sent would
    count as never sent.
    """
    with small_disk(tmp_path / "disk", 8) as disk, SendLog(disk) as log:
        log.note(claim("A-1:pay"))
        fill(disk)
        with pytest.raises(OSError, match=r"free some disk space|No space left"):
            note_each(log, range(2000))
        (disk / "filler").unlink()
        with pytest.raises(OSError, match="could not be written before"):
            log.note(claim("C-1:pay"))
        written = (disk / f"{log.owner}.log").read_text()
    assert "A-1:pay\n" in written
    assert "C-1:pay" not in written


def test_a_run_without_room_for_its_send_log_does_not_start(tmp_path: Path) -> None:
    """It names the folder and the remedy; no log is left that would say nothing."""
    with small_disk(tmp_path / "disk", 4) as disk:
        fill(disk)
        with pytest.raises(
            LedgerUnusable, match=r"the send log in .*disk.* free some disk space"
        ):
            SendLog(disk / "sends")
        assert (
            list((disk / "sends").glob("*.log") if (disk / "sends").exists() else [])
            == []
        )


def test_a_cut_off_note_does_not_prove_that_it_was_never_sent(tmp_path: Path) -> None:
    """Its run is dead, and the key that was cut off never left: only whole lines are
    notes.
    """
    with SendLog(tmp_path) as log:
        log.note(claim("A-1:pay"))
        owner = log.owner
    with (tmp_path / f"{owner}.log").open("a") as file:
        file.write("A-2:p")
    assert never_sent(tmp_path, owner, "A-2:pay")
    assert not never_sent(tmp_path, owner, "A-1:pay")


def test_a_snapshot_on_a_full_disk_names_the_remedy(tmp_path: Path) -> None:
    """The ledger has everything; the snapshot is written by the next run."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with small_disk(tmp_path / "disk", 64) as disk:
        fill(disk)
        with pytest.raises(
            SnapshotError,
            match=r"free some disk space.*run again to write them",
        ):
            write_history(
                disk / "snapshots", "batch", [{"orders": [order()]}], moment, "batch"
            )


@pytest.mark.parametrize(
    ("place", "words"),
    [
        pytest.param(0, "not a database|malformed", id="header"),
        pytest.param(PAGE * 3, "malformed", id="early page"),
        pytest.param(PAGE * 60, "malformed", id="page in the middle"),
    ],
)
def test_a_damaged_file_stops_a_run_before_anything_is_sent(
    file: Path, place: int, words: str
) -> None:
    """Whatever page it is, also one that the run would not have touched; the file is
    left as it is.
    """
    with file.open("r+b") as content:
        content.seek(place)
        content.write(os.urandom(PAGE))
    damaged = file.read_bytes()
    with pytest.raises(LedgerUnusable, match=words) as raised:
        opened(file)
    assert "sourcing ledger restore FILE" in str(raised.value)
    assert file.read_bytes() == damaged


def test_a_missing_index_entry_stops_a_run(file: Path) -> None:
    """The one damage that would let an effect be claimed twice: its row is there, its
    key can't be found.
    """
    with closing(sqlite3.connect(file)) as database:
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_effects_1'"
        ).fetchone()
    with file.open("r+b") as content:
        content.seek((root - 1) * PAGE)
        page = bytearray(content.read(PAGE))
        cells = int.from_bytes(page[3:5], "big")
        page[3:5] = (cells - 1).to_bytes(2, "big")
        content.seek((root - 1) * PAGE)
        content.write(page)
    with pytest.raises(LedgerUnusable, match="malformed"):
        opened(file)


def test_a_truncated_log_of_newest_commits_is_an_older_ledger(tmp_path: Path) -> None:
    """What was cut off is forgotten, the rest is whole: as a restored backup, it is
    protected by reading first.
    """
    path = tmp_path / "kept"
    path.mkdir()
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=MovableClock(), owner="first"
    ) as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1")])
        for name in ("ledger.db", "ledger.db-wal"):
            shutil.copy(tmp_path / name, path / name)
    total = (path / "ledger.db-wal").read_bytes()
    (path / "ledger.db-wal").write_bytes(total[: len(total) * 3 // 4])
    opened(path / "ledger.db")


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_read_only_place_is_named(tmp_path: Path, what: str) -> None:
    """On a real disk that is mounted to be read only, or a file that only others may
    write.
    """
    if os.geteuid() != 0:
        (tmp_path / "ledger.db").touch()
        (tmp_path / "ledger.db" if what == "file" else tmp_path).chmod(
            0o400 if what == "file" else 0o500
        )
        with pytest.raises(LedgerUnusable, match="writable for this user"):
            Ledger(
                f"sqlite:///{tmp_path / 'ledger.db'}",
                clock=MovableClock(),
                owner="first",
            )
        tmp_path.chmod(0o700)
        return
    with small_disk(tmp_path / "disk", 4096) as disk:
        if what == "file":
            Ledger(
                f"sqlite:///{disk / 'ledger.db'}", clock=MovableClock(), owner="first"
            ).close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(
            LedgerUnusable, match=r"ledger\.db can't be used .* writable for this user"
        ):
            Ledger(
                f"sqlite:///{disk / 'ledger.db'}", clock=MovableClock(), owner="first"
            )


def opened(file: Path, ledger_url: str = "") -> None:
    """Begin a run as far as opening what it needs."""

    async def run() -> None:
        settings = SourcingSettings(
            data_dir=file.parent, SOURCING_LEDGER_URL=ledger_url
        )
        async with open_resources(
            settings, XportcnSettings(base_url="http://127.0.0.1:9")
        ):
            pass

    asyncio.run(run())


def test_a_database_server_that_is_down_is_named() -> None:
    """Host and port are shown, the password is not."""
    with pytest.raises(LedgerUnusable, match="start the database server") as raised:
        Ledger(
            "postgresql://me:secret@127.0.0.1:9/sourcing",
            clock=MovableClock(),
            owner="first",
        )
    assert "127.0.0.1:9/sourcing" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_database_that_is_not_there_is_named(postgres: Postgres) -> None:
    """The remedy is to create it."""
    url = postgres.new_database() + "_missing"
    with pytest.raises(
        LedgerUnusable, match=r"does not exist\): create what is missing \(createdb"
    ):
        Ledger(url, clock=MovableClock(), owner="first")


def test_a_wrong_password_is_named(postgres: Postgres) -> None:
    """The remedy names the setting; neither password is shown."""
    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE strict LOGIN PASSWORD 'right'")
        rules = postgres.data / "pg_hba.conf"
        rules.write_text(
            "host all strict 127.0.0.1/32 scram-sha-256\n" + rules.read_text()
        )
        connection.execute("SELECT pg_reload_conf()")
    strict = url.replace("postgres@", "strict:wrong@")
    for _ in range(50):  # the server takes the new rules a moment later
        with pytest.raises(LedgerUnusable) as raised:
            Ledger(strict, clock=MovableClock(), owner="first")
        if "password" in str(raised.value):
            break
        time.sleep(0.1)
    assert "correct user and password in SOURCING_LEDGER_URL" in str(raised.value)
    assert ":wrong@" not in str(raised.value)


def test_a_run_waits_for_a_database_server_that_restarts(
    postgres: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once, and opens the ledger as soon as the server is back."""
    url = postgres.new_database()
    postgres.stop()
    back = threading.Timer(0.5, postgres.start)
    back.start()
    try:
        opened(tmp_path / "ledger.db", url)
    finally:
        back.join()
    waited = [record.message for record in caplog.records if record.name == "sourcing"]
    assert waited == [
        "The ledger's database does not answer; waiting for it up to 60 s"
    ]


def test_a_run_does_not_wait_for_what_no_waiting_mends(
    postgres: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that does not exist is told at once."""
    with pytest.raises(LedgerUnusable, match="create what is missing"):
        opened(tmp_path / "ledger.db", postgres.new_database() + "_missing")
    assert [record for record in caplog.records if record.name == "sourcing"] == []


def test_machines_with_different_times_do_not_share_a_ledger(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases mean something only where clocks agree; the database's clock is the one
    that all can see.
    """
    with Ledger(postgres.new_database(), clock=MovableClock(), owner="first") as ledger:
        ledger.require_sound()
        monkeypatch.setattr("connectors.ledger.store.datetime", Ahead)
        with pytest.raises(
            LedgerUnusable, match=r"are 6[01] s apart, more than 30: .* Turn NTP on"
        ):
            ledger.require_sound()


class Ahead(datetime):
    """A clock that is a minute ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(seconds=60)


@pytest.fixture
def on_postgres(postgres: Postgres) -> Iterator[tuple[Ledger, str]]:
    url = postgres.new_database()
    with Ledger(url, clock=MovableClock(), owner="running") as ledger:
        begin(ledger)
        yield ledger, url


def test_a_database_that_was_dropped_and_made_anew_is_noticed(
    on_postgres: tuple[Ledger, str],
) -> None:
    """A new table of the same name is not the same ledger, also when it has the same
    rows.
    """
    ledger, url = on_postgres
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE TABLE again (LIKE effects INCLUDING ALL)")
        admin.execute("INSERT INTO again SELECT * FROM effects")
        admin.execute("DROP TABLE effects CASCADE")
        admin.execute("ALTER TABLE again RENAME TO effects")
    with pytest.raises(LedgerReplaced, match="was dropped and made anew"):
        ledger.claim(intents("A-1"), lease=LEASE)


def test_a_database_that_was_put_back_to_an_earlier_state_is_noticed(
    on_postgres: tuple[Ledger, str],
) -> None:
    """It does not know what this run claimed last."""
    ledger, url = on_postgres
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DELETE FROM effects")
    with pytest.raises(
        LedgerReplaced,
        match=r"no longer has what this run wrote into it \(A-0:create\)",
    ):
        ledger.claim(intents("A-1"), lease=LEASE)


def test_a_database_without_its_tables_is_noticed(
    on_postgres: tuple[Ledger, str],
) -> None:
    """Dropped and created, and not restored yet."""
    ledger, url = on_postgres
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA public CASCADE")
        admin.execute("CREATE SCHEMA public")
    with pytest.raises(LedgerUnusable) as raised:
        ledger.claim(intents("A-1"), lease=LEASE)
    assert str(as_replaced(raised.value, url)).endswith(
        'was using it (relation "marks" does not exist)'
    )
