"""Opening the ledger: schema, account, and what can be wrong with the file."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect

from connectors.ledger.engine import (
    LedgerUnusable,
    durable_engine,
    open_engine,
    reading,
)
from connectors.ledger.plans import put_rows
from connectors.ledger.store import Ledger
from connectors.ledger.verify import verify
from domain.effects import EffectStatus
from domain.money import Money
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents, plan
from tests.connectors.ledger.test_backup import to_older_schema
from tests.postgres import Postgres


def open_ledger(url: str) -> Ledger:
    return Ledger(url, clock=lambda: datetime.now(UTC), owner="me")


def test_commits_are_durable(url: str) -> None:
    """Write-ahead log and full synchronisation, so that an intent survives a power
    cut.
    """
    engine = open_engine(url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


def test_commits_are_durable_whatever_the_default_of_the_server(
    postgres: Postgres,
) -> None:
    engine = open_engine(postgres.new_ledger())
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    engine.dispose()


def test_a_newer_schema_is_left_alone(url: str, tmp_path: Path) -> None:
    """An old program must not write into a ledger it doesn't understand."""
    open_ledger(url).close()
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(
        LedgerUnusable,
        match=r"schema 9999, newer than this program's .*: update the program",
    ):
        open_ledger(url)


def test_a_ledger_that_is_older_than_any_archive_is_left_alone_with_the_remedy(
    url: str, tmp_path: Path
) -> None:
    open_ledger(url).close()
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0005'")
    database.close()
    before = (tmp_path / "ledger.db").read_bytes()
    words = rf"the ledger {url} has schema 0005, older than .*: run sourcing status of version 0\.1\.0, with this address"
    for opening in (open_ledger, verify):
        with pytest.raises(LedgerUnusable, match=words):
            opening(url)
    assert (tmp_path / "ledger.db").read_bytes() == before


def test_tables_without_a_version_are_left_alone(url: str) -> None:
    """They are no new ledger: what they are is not known."""
    engine = durable_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE moves (id INTEGER)")
    with pytest.raises(LedgerUnusable, match=r"table \w+ already exists"):
        open_engine(url)
    assert inspect(engine).get_table_names() == ["moves"]
    engine.dispose()


def test_a_damaged_file_is_named_with_the_remedy(url: str, tmp_path: Path) -> None:
    """Garbage in place of the database is neither repaired nor overwritten."""
    (tmp_path / "ledger.db").write_bytes(b"this is no database, by far" * 100)
    with pytest.raises(
        LedgerUnusable, match="restore a backup: sourcing ledger restore FILE"
    ):
        open_ledger(url)
    assert (tmp_path / "ledger.db").read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("postgresql://a:secret@127.0.0.1:abc/x", "can't be read"),
        ("postgresql://a:se@cret:word@127.0.0.1/x", "can't be read"),
        ("no address at all", "can't be read"),
        ("mysql://a:secret@127.0.0.1/x", "neither SQLite nor PostgreSQL"),
    ],
)
def test_an_address_that_leads_to_no_ledger_is_refused_with_the_remedy(
    address: str, fault: str
) -> None:
    """The message names the setting and what belongs there, for writers and readers,
    and never a password.
    """
    for opening in (open_ledger, lambda url: reading(url).__enter__()):
        with pytest.raises(
            LedgerUnusable,
            match=f"{fault}.*SOURCING_LEDGER_URL .* sqlite:.* or postgresql:",
        ) as said:
            opening(address)
        assert not any(word in str(said.value) for word in ("secret", "cret", "word@"))


def test_a_ledger_belongs_to_one_account(url: str) -> None:
    """Orders of a try-out and real orders never mix."""
    with open_ledger(url) as ledger:
        ledger.belong_to("user 1 at the sandbox")
        ledger.belong_to("user 1 at the sandbox")
        with pytest.raises(
            LedgerUnusable,
            match=r"holds orders of user 1 at the sandbox, .* user 2 at real\.example",
        ):
            ledger.belong_to("user 2 at real.example")


def test_processes_may_open_a_new_ledger_at_once(url: str, postgres: Postgres) -> None:
    """The first makes the tables, the other waits for it, on both databases."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for new in (url, postgres.new_database()):
            assert pool.map(_open_in_process, [new] * 2, chunksize=1) == ["ok"] * 2


def _open_in_process(url: str) -> str:
    open_ledger(url).close()
    return "ok"


def test_an_older_ledger_is_brought_up_to_date(url: str, tmp_path: Path) -> None:
    """Its orders and effects are kept; what an open effect may have sent counts as
    sent.
    """
    clock = MovableClock()
    with Ledger(url, clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1", payable_minor=110)])
        ledger.claim(intents("A-1"), lease=timedelta(seconds=60))
    to_older_schema(tmp_path / "ledger.db")
    with Ledger(url, clock=clock, owner="second") as ledger:
        order = ledger.orders(["A-1"])["A-1"]
        assert (order.payable_minor, order.payable, order.shop) == (
            110,
            Money(110),
            None,
        )
        (effect,) = ledger.effects_of(["A-1"])
        assert (effect.status, effect.doubtful_sends) == (EffectStatus.SENDING, 1)
        assert ledger.resolutions.of_order("A-1") == []


def test_a_new_file_that_another_run_is_setting_up_is_waited_for(
    url: str, tmp_path: Path
) -> None:
    """SQLite answers a change of journal mode "locked" at once, whatever its
    time-out.
    """
    other = sqlite3.connect(
        tmp_path / "ledger.db", isolation_level=None, check_same_thread=False
    )
    other.execute("CREATE TABLE being_set_up (n)")
    other.execute("BEGIN IMMEDIATE")
    ends = threading.Timer(0.3, other.rollback)
    ends.start()
    try:
        open_engine(url).dispose()
    finally:
        ends.join()
        other.close()
