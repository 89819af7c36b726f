"""Opening the ledger: schema, account, and what can be wrong with the file."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    inspect,
    select,
    text,
)
from sqlalchemy.schema import SchemaItem

from connectors.ledger.engine import (
    LedgerUnusable,
    durable_engine,
    open_engine,
    reading,
)
from connectors.ledger.schema import SCHEMA_DIGEST, digest_of, ledger_schema, metadata
from connectors.ledger.store import Ledger
from connectors.ledger.verify import verify
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


def test_a_ledger_of_another_version_is_refused_with_the_remedy(
    url: str, tmp_path: Path
) -> None:
    """By whatever opens it, and it stays as it is."""
    open_ledger(url).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        database.execute("UPDATE ledger_schema SET digest = 'other'")
    before = (tmp_path / "ledger.db").read_bytes()
    message = (
        rf"the ledger {url} was made by another version of the program \(schema other, "
        r".*: start with a new data folder .* or use the version that made it"
    )
    for opening in (open_ledger, verify):
        with pytest.raises(LedgerUnusable, match=message):
            opening(url)
    assert (tmp_path / "ledger.db").read_bytes() == before


def test_a_ledger_from_before_the_digest_is_refused_too(ledger_url: str) -> None:
    """Its tables are no new ledger, on SQLite and on PostgreSQL."""
    engine = durable_engine(ledger_url)
    with engine.begin() as connection:
        metadata.drop_all(connection)
        ledger_schema.drop(connection, checkfirst=True)
        connection.exec_driver_sql("CREATE TABLE moves (id INTEGER)")
    with pytest.raises(LedgerUnusable, match=r"another version .*\(schema unknown, "):
        open_engine(ledger_url)
    assert inspect(engine).get_table_names() == ["moves"]
    engine.dispose()


def test_a_new_ledger_holds_the_digest_of_the_declared_tables(ledger_url: str) -> None:
    """It is the same on SQLite and on PostgreSQL."""
    engine = open_engine(ledger_url)
    with engine.connect() as connection:
        assert connection.scalars(select(ledger_schema.c.digest)).all() == [
            SCHEMA_DIGEST
        ]
    assert metadata.tables.keys() <= {*inspect(engine).get_table_names()}
    engine.dispose()


def declared(*rules: SchemaItem, name: str = "pace", **options: Any) -> str:
    column = Column("at", **({"type_": Integer} | options))
    return digest_of(table_of(name, column, *rules))


def table_of(name: str, *parts: SchemaItem) -> MetaData:
    of_it = MetaData()
    Table(name, of_it, *parts)
    return of_it


def test_whatever_is_declared_otherwise_has_another_digest() -> None:
    """Names, types, lengths, nulls, keys, defaults, rules and indexes."""
    assert declared() == declared()
    neighbours = [
        declared(name="other"),
        declared(type_=BigInteger),
        declared(type_=String(8)),
        declared(type_=String(9)),
        declared(nullable=False),
        declared(primary_key=True),
        declared(server_default=text("0")),
        declared(server_default=text("1")),
        declared(Column("more", Integer)),
        declared(CheckConstraint("at > 0", name="ck")),
        declared(CheckConstraint("at > 1", name="ck")),
        declared(Index("ix", "at")),
        declared(Index("ix", "at", unique=True)),
        declared(Index("ix", "at", sqlite_where=text("at > 0"))),
    ]
    assert len({declared(), *neighbours}) == len(neighbours) + 1


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
        ) as output:
            opening(address)
        assert not any(
            text in str(output.value) for text in ("secret", "cret", "word@")
        )


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


def test_a_new_file_that_another_run_is_setting_up_is_waited_for(
    url: str, tmp_path: Path
) -> None:
    """SQLite answers a change of journal mode "locked" at once, whatever its
    time-out.
    """
    connection = sqlite3.connect(
        tmp_path / "ledger.db", isolation_level=None, check_same_thread=False
    )
    connection.execute("CREATE TABLE being_set_up (n)")
    connection.execute("BEGIN IMMEDIATE")
    ends = threading.Timer(0.3, connection.rollback)
    ends.start()
    try:
        open_engine(url).dispose()
    finally:
        ends.join()
        connection.close()
