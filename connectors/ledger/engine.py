"""Opens the ledger's database: durable commits, one writer at a time, the declared
tables.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
from sqlalchemy import (
    ARRAY,
    URL,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Text,
    TypeDecorator,
    bindparam,
    create_engine,
    event,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine

from connectors.crash_points import UnknownCrashPoint, is_armed
from connectors.foreign import words_of
from connectors.ledger.schema import SCHEMA_DIGEST, as_text, ledger_schema, metadata

CREATION_LOCK = 7_307_421
BACKENDS = ("sqlite", "postgresql")
ADDRESSES = (
    "SOURCING_LEDGER_URL (or --to) must be sqlite:////FOLDER/ledger.db or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    ", with %40 for an @ in the password. Nothing was sent."
)
ONLY_READS = "sourcing_only_reads"
JSON: Any = {"json_serializer": as_text, "json_deserializer": orjson.loads}
IDLE_S = 15
"""The database ends a transaction that is idle for so long: its process was stopped or
lost its connection.
"""
_UNHURRIED = (
    "SELECT set_config('lock_timeout', '0', false), set_config('statement_timeout', '0', false),"
    " CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END"
)
SILENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A peer that can't be reached for half a minute counts as gone (seconds and, last,
milliseconds: libpq's names).
"""
LOCKED_PATIENCE_S = 60
"""How long to wait for another writer of the file. SQLite has no queue, so one of
several busy runs may wait long.
"""


class LedgerUnusable(Exception):
    """The ledger can't be read or written; nothing was sent. The message names the
    remedy.
    """


class NoLedger(LedgerUnusable):
    """There is none at the address."""


def open_engine(url: str) -> Engine:
    """An engine on a ledger, made where there is none. Raises `LedgerUnusable`."""
    try:
        is_armed()
    except UnknownCrashPoint as error:
        raise LedgerUnusable(str(error)) from error
    engine = durable_engine(url)
    try:
        _make_tables(engine, url)
    except (DatabaseError, OSError) as error:
        engine.dispose()
        raise unusable(url, error) from error
    except LedgerUnusable:
        engine.dispose()
        raise
    return engine


def durable_engine(url: str) -> Engine:
    """An engine whose commits outlive a power cut; the schema stays as it is. Raises
    `LedgerUnusable`.
    """
    address = address_of(url)
    try:
        return _sqlite(url) if url.startswith("sqlite") else _postgresql(address)
    except ArgumentError:
        raise LedgerUnusable(
            f"the ledger's address {shown(url)} can't be read: {ADDRESSES}"
        ) from None
    except (ImportError, OSError) as error:
        raise LedgerUnusable(
            f"the ledger {shown(url)} can't be opened: {words_of(error)}; check SOURCING_LEDGER_URL"
        ) from error


@contextmanager
def blaming(url: str) -> Iterator[None]:
    """Database errors inside become `LedgerUnusable` of this ledger."""
    try:
        yield
    except DBAPIError as error:
        raise unusable(url, error) from error


def reading_engine(url: str) -> Engine:
    """An engine that creates, locks and writes nothing. Raises
    `LedgerUnusable`, also without a ledger.
    """
    if url.startswith("sqlite"):
        return _sqlite_reader(url)
    return create_engine(
        address_of(url), execution_options={"postgresql_readonly": True}, **JSON
    )


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """One consistent view of a ledger while other processes write. Raises
    `LedgerUnusable`, also without a ledger or for one of another version.
    """
    engine = reading_engine(url)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            if not has_schema(connection, url):
                raise NoLedger(f"{shown(url)} is no ledger: give another one")
            yield connection
    except (DatabaseError, OSError) as error:
        raise unusable(url, error) from error
    finally:
        engine.dispose()


def address_of(url: str) -> URL:
    """The parts of a ledger's address. Raises `LedgerUnusable` for one that leads to
    neither SQLite nor PostgreSQL.
    """
    try:
        address = make_url(_with_driver(url))
    except (ArgumentError, ValueError):
        # the cause quotes what it takes for the port, which may be part of a password
        # with an unescaped @
        raise LedgerUnusable(
            f"the ledger's address can't be read (the port is a number): {ADDRESSES}"
        ) from None
    if "@" in (
        address.host or ""
    ):  # what follows the first @ of a password would be shown as the host
        raise LedgerUnusable(
            f"the ledger's address can't be read (an @ in the password is %40): {ADDRESSES}"
        )
    if address.get_backend_name() not in BACKENDS:
        raise LedgerUnusable(
            f"the ledger {shown(url)} is neither SQLite nor PostgreSQL: {ADDRESSES}"
        )
    return address


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite ledger; None for another database. Raises
    `LedgerUnusable`.
    """
    database = address_of(url).database if url.startswith("sqlite") else None
    return Path(database) if database else None


def require_lasting(url: str) -> None:
    """Raise `LedgerUnusable` for SQLite in memory: what was bought would be lost with
    the process.
    """
    if url.startswith("sqlite") and address_of(url).database in (None, "", ":memory:"):
        raise LedgerUnusable(
            f"the ledger {shown(url)} would be kept in memory and forget everything: {ADDRESSES}"
        )


def require_file(url: str) -> Path:
    """The file of a SQLite ledger that is there. Raises `NoLedger`."""
    file = sqlite_file(url)
    if file is None or not file.is_file():
        raise NoLedger(
            f"there is no ledger at {shown(url)}: go to the folder of the installation, or name its data with "
            "SOURCING_DATA_DIR. sourcing run FILE begins a ledger"
        )
    return file


def require_begun(url: str) -> None:
    """Raise `NoLedger` before a command that only looks or answers would begin one.

    In a wrong folder a pause of a new, empty ledger would stop nothing. Opening refuses
    a log without its file.
    """
    if (file := sqlite_file(url)) and not Path(f"{file}-wal").exists():
        require_file(url)


def read_only(file: Path) -> str:
    """The address by which SQLite opens a file without changing it: a writer would drop
    the `-wal` of a damaged one.
    """
    return f"file:{quote(str(file.absolute()))}?mode=ro"


REMEDIES = {
    "readonly": "make the folder and the file writable for this user",
    "read-only": "make the folder and the file writable for this user",
    "unable to open": "make the folder exist and writable for this user",
    "disk is full": "free some disk space",
    "No space left": "free some disk space",
    "disk I/O error": "free some disk space, and look whether the disk is failing",
    "malformed": "keep the damaged file, and restore a backup: sourcing ledger restore FILE",
    "not a database": "keep the damaged file, and restore a backup: sourcing ledger restore FILE",
    "no such table": "keep the damaged file, and restore a backup: sourcing ledger restore FILE",
    "locked": "another program holds the file for long; end it and run again",
    "password authentication failed": "correct user and password in SOURCING_LEDGER_URL",
    "no password supplied": "put the password into SOURCING_LEDGER_URL",
    "does not exist": "create what is missing (createdb, createuser), or correct SOURCING_LEDGER_URL",
    "refused": "start the database server, or correct host and port in SOURCING_LEDGER_URL",
    "permission denied": "grant this database user all rights on the database",
}


def unusable(url: str, error: Exception) -> LedgerUnusable:
    """A database error with its remedy."""
    cause = words_of(error)
    advice = next(
        (text for sign, text in REMEDIES.items() if sign in cause),
        "check SOURCING_LEDGER_URL and the database server",
    )
    return LedgerUnusable(
        f"the ledger {shown(url)} can't be used ({cause}): {advice}. "
        "Nothing more is sent; the next run reads what became of what was."
    )


def _sqlite_reader(url: str) -> Engine:
    address = read_only(require_file(url))
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(address, uri=True, timeout=30),
        **JSON,
    )

    @event.listens_for(engine, "connect")
    def unlocked(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def one_view(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _postgresql(address: URL) -> Engine:
    """An engine that no default of the server or role weakens: in isolation, durable
    commits, or waiting for locks.

    It has time limits, unless the address sets its own: locks of a dead process are
    released in time.
    """
    limits = {
        name: value for name, value in SILENCE.items() if name not in address.query
    }
    # a claim that waited for a lock must see what was committed meanwhile
    engine = create_engine(
        address,
        pool_pre_ping=True,
        connect_args=limits,
        isolation_level="READ COMMITTED",
        **JSON,
    )

    @event.listens_for(engine, "connect")
    def as_claims_need_it(connection: Any, _record: Any) -> None:
        connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_S}s'")
        connection.execute(_UNHURRIED)
        connection.commit()

    return engine


def _sqlite(url: str) -> Engine:
    database = address_of(url).database
    if database and Path(database).is_dir():
        raise LedgerUnusable(
            f"the ledger {shown(url)} is a folder: give the name of a file in it. Nothing was sent."
        )
    if database:
        log = Path(f"{database}-wal")
        if (
            log.exists() and not Path(database).exists()
        ):  # SQLite would drop the commits in it for an empty file
            raise LedgerUnusable(
                f"the ledger {shown(url)} is gone, and {log} is there, with its newest entries: put the file back "
                "beside it, or restore a backup (sourcing ledger restore FILE); to begin anew, move that log away. "
                "Nothing was sent."
            )
        Path(database).parent.mkdir(parents=True, exist_ok=True)
        with suppress(
            OSError
        ):  # SQLite reports a faulty path itself; its other files get the rights of this one
            os.close(os.open(database, os.O_CREAT | os.O_EXCL, 0o600))
    arguments = {"timeout": LOCKED_PATIENCE_S, "check_same_thread": False}
    engine = create_engine(url, connect_args=arguments, **JSON)

    @event.listens_for(engine, "connect")
    def durable(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(
            "SELECT count(*) FROM sqlite_schema"
        )  # opens every file that SQLite will use

    @event.listens_for(engine, "begin")
    def one_writer(connection: Connection) -> None:
        # a transaction that starts as a reader can't become a writer while another
        # transaction writes
        if not connection.get_execution_options().get(ONLY_READS):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn on write-ahead logging. Several first runs do so at once, and SQLite's own
    time-out does not cover it.
    """
    give_up = time.monotonic() + LOCKED_PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
        time.sleep(0.02)


def _with_driver(url: str) -> str:
    for plain in ("postgres://", "postgresql://"):
        if url.startswith(plain):
            url = "postgresql+psycopg://" + url.removeprefix(plain)
    if url.startswith("postgresql") and find_spec("psycopg") is None:
        raise LedgerUnusable(
            "a ledger on PostgreSQL needs psycopg: pip install 'psycopg[binary]'. Nothing was sent."
        )
    return url


def _make_tables(engine: Engine, url: str) -> None:
    """Make the tables of an empty database. Raises `LedgerUnusable` for others."""
    with engine.connect() as connection:
        if has_schema(connection, url):
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CREATION_LOCK}
            )
        if not has_schema(connection, url):
            create_tables(connection)


def create_tables(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    ledger_schema.create(connection)
    connection.execute(insert(ledger_schema).values(digest=SCHEMA_DIGEST))


def has_schema(connection: Connection, url: str) -> bool:
    """Whether this database has the declared tables; False for an empty one. Raises
    `LedgerUnusable` for tables of another version.
    """
    try:
        tables = set(inspect(connection).get_table_names())
    except OperationalError:
        connection.rollback()
        raise
    digest = ""
    if ledger_schema.name in tables:
        digest = connection.execute(select(ledger_schema.c.digest)).scalar() or ""
    elif tables.isdisjoint(metadata.tables):
        return False
    if digest != SCHEMA_DIGEST:
        raise LedgerUnusable(
            f"the ledger {shown(url)} was made by another version of the program"
            f" (schema {digest or 'unknown'}, this one has {SCHEMA_DIGEST}), whose"
            " data is not read: start with a new data folder (SOURCING_DATA_DIR) or"
            " another SOURCING_LEDGER_URL, or use the version that made it."
            " Nothing was changed or sent."
        )
    return True


def shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "address in SOURCING_LEDGER_URL"


T = TypeVar("T")

CHUNK = 500


def chunked(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Lists of at most `size` items, in order."""
    remaining = iter(items)
    while items_chunk := list(islice(remaining, size)):
        yield items_chunk


class _Texts(TypeDecorator[Iterable[str]]):
    """A JSON list for SQLite, an array for PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(
            ARRAY(Text()) if dialect.name == "postgresql" else Text()
        )

    def process_bind_param(self, value: Iterable[str] | None, dialect: Dialect) -> Any:
        texts = list(value or ())
        return texts if dialect.name == "postgresql" else orjson.dumps(texts).decode()


class _OneOf(FunctionElement[bool]):
    inherit_cache = True
    # as a boolean it would be written `... = 1` for SQLite, which then uses no index
    type = NullType()  # type: ignore[assignment]


def one_of(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether a column is one of the texts in the parameter `name`, however many they
    are.
    """
    return _OneOf(column, bindparam(name, type_=_Texts()))


@compiles(_OneOf, "sqlite")
def _in_a_list(element: _OneOf, compiler: Any, **options: Any) -> str:
    column, texts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({texts}))"


@compiles(_OneOf, "postgresql")
def _of_an_array(element: _OneOf, compiler: Any, **options: Any) -> str:
    column, texts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({texts})"
