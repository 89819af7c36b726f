"""Backups of a ledger, and putting one back: whole files or none, whatever runs or crashes meanwhile."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from connectors.ledger.copying import copy_rows
from connectors.ledger.engine import (
    LedgerUnusable,
    open_engine,
    read_only,
    reading,
    require_file,
    sqlite_file,
    unusable,
    version_of,
)
from connectors.ledger.marks import Mark
from connectors.ledger.schema import SCHEMA_VERSION, marks, moves, orders
from connectors.snapshots.durable import sync


def backup(url: str, target: Path, now: datetime) -> Path:
    """Write a backup, consistent while runs go on; answers its file.

    A folder gets a file named by ledger and time. Nothing is overwritten. A PostgreSQL ledger becomes a SQLite file.
    Raises `LedgerUnusable`.
    """
    if target.is_dir():
        name = (sqlite_file(url) or Path("ledger.db")).stem
        target = target / f"{name}-{now:%Y%m%dT%H%M%SZ}.db"
    if target.exists():
        raise LedgerUnusable(f"{target} is there already: give the backup another name")
    with _written(target) as unfinished:
        if url.startswith("sqlite"):
            _copy_file(require_file(url), unfinished, url)
        else:
            _copy_tables(url, unfinished)
        _require_whole(unfinished)
    return target


def restore(url: str, file: Path, *, now: datetime, by: str) -> Path | None:
    """Put a backup in the ledger's place, marked so that it buys nothing until somebody confirms it.

    What was there is kept beside it; answers under which name. Raises `LedgerUnusable`, and then nothing has changed.
    """
    place = sqlite_file(url)
    if place is None:
        raise LedgerUnusable("a PostgreSQL ledger is restored with PostgreSQL's own tools; docs/ledger.md says how")
    _require_whole(file)
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.with_name(f".{place.name}.{os.getpid()}.restored")
    try:
        _copy_file(file, unfinished, f"sqlite:///{file}")
        _mark_restored(unfinished, file, now=now, by=by)
        kept = _keep_aside(place, now) if place.exists() else None
        os.replace(unfinished, place)
        sync(place.parent)
    finally:
        _forget(unfinished)
    return kept


@contextmanager
def _written(target: Path) -> Iterator[Path]:
    """A file under another name that becomes `target` at the end, unless that is there by then."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        sync(unfinished)
        os.link(unfinished, target)
        sync(target.absolute().parent)
    except FileExistsError as error:
        raise LedgerUnusable(f"{target} is there already: give the backup another name") from error
    except (OSError, sqlite3.Error) as error:
        raise LedgerUnusable(
            f"{target} can't be written ({error}): free some disk space, or choose another place"
        ) from error
    finally:
        _forget(unfinished)


def _forget(file: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)


def _copy_file(source: Path, target: Path, url: str) -> None:
    try:
        with (
            closing(sqlite3.connect(read_only(source), uri=True, timeout=30)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
    except sqlite3.DatabaseError as error:
        raise unusable(url, error) from error


def _copy_tables(url: str, target: Path) -> None:
    engine = open_engine(f"sqlite:///{target}")
    try:
        with reading(url) as source, engine.begin() as copy:
            require_version(source)
            copy_rows(source, copy)
    finally:
        engine.dispose()
    _settle_file(target)


def require_version(connection: Connection) -> None:
    """Raise `LedgerUnusable` for a ledger of another schema than this program's."""
    if (version := version_of(connection)) != SCHEMA_VERSION:
        raise LedgerUnusable(
            f"the ledger has schema {version}, this program's is {SCHEMA_VERSION}: any command that opens it, such as "
            "sourcing status, brings it up to date; before that, pg_dump is the way to back it up"
        )


def _settle_file(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=DELETE")


def _settle_alone(file: Path) -> None:
    """Take what is in the write-ahead log into the file; that needs the file for oneself."""
    try:
        _settle_file(file)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        raise LedgerUnusable(
            f"another program has the ledger {file} open: close it (`fuser {file}` names it) and restore again. "
            "Nothing was changed."
        ) from error


def _is_whole(file: Path) -> bool:
    try:
        _require_whole(file)
    except LedgerUnusable:
        return False
    return True


def _require_whole(file: Path) -> None:
    try:
        with closing(sqlite3.connect(read_only(file), uri=True)) as database:
            (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        raise LedgerUnusable(f"{file} is no whole ledger ({error}): take another backup") from error
    if found != "ok":
        raise LedgerUnusable(f"{file} is damaged ({found}): take another backup")
    if not {"orders", "effects", "alembic_version"} <= tables:
        raise LedgerUnusable(f"{file} is no ledger: it has no orders and effects")


def _mark_restored(file: Path, source: Path, *, now: datetime, by: str) -> None:
    engine = open_engine(f"sqlite:///{file}")
    try:
        with engine.begin() as connection:
            words = f"was restored from {source.name}, whose newest entry is of {_newest(connection)}"
            connection.execute(insert(marks).values(name=Mark.RESTORED, at=now, by=by, words=words))
    finally:
        engine.dispose()
    _settle_file(file)
    sync(file)


def _newest(connection: Connection) -> str:
    times = [connection.execute(select(func.max(column))).scalar() for column in (moves.c.at, orders.c.updated_at)]
    known = [moment for moment in times if moment is not None]
    return f"{max(known):%Y-%m-%d %H:%M:%S} UTC" if known else "no time"


def _keep_aside(place: Path, now: datetime) -> Path:
    """Give the present ledger a second name; its write-ahead log must not meet the file that comes."""
    aside = place.with_name(f"{place.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
    if _is_whole(place):  # opened for writing, a damaged one would lose its log
        _settle_alone(place)
    os.link(place, aside)
    for suffix in ("-wal", "-shm"):
        beside = place.with_name(f"{place.name}{suffix}")
        if beside.exists():
            beside.rename(f"{aside}{suffix}")
    sync(place.parent)
    return aside
