"""A copy of a ledger that stands whatever runs beside it."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    func,
    select,
)

from connectors.durable import keep_aside, sync
from connectors.foreign import words_of
from connectors.ledger.copying import copy_rows, damage_in, found_sound, note_backup
from connectors.ledger.engine import (
    LedgerUnusable,
    blaming,
    open_engine,
    read_only,
    reading,
    require_file,
    shown,
    sqlite_file,
    unusable,
)
from connectors.ledger.marks import mark_restored
from connectors.ledger.outbox import end_unsent
from connectors.ledger.schema import (
    batches,
    moves,
    orders,
    switches,
)

OF_THE_SOURCE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
)
"""SQLite's errors that are about the source while one file is copied into another."""
DAY = re.compile(r"\d{4}\D?\d\d\D?\d\d")


def backup(url: str, target: Path, moment: datetime) -> Path:
    """Write a backup, consistent while runs go on, and return its file.

    In a folder the file is named by ledger and time. Nothing is overwritten. A
    PostgreSQL ledger becomes a SQLite file. Raises `LedgerUnusable`.
    """
    if target.is_dir():
        name = (sqlite_file(url) or Path("ledger.db")).stem
        target = target / f"{name}-{moment:%Y%m%dT%H%M%SZ}.db"
    if target.exists():
        raise LedgerUnusable(
            f"{target} is there already, and no folder: give the backup another name"
        )
    if not (
        target.suffix or DAY.search(target.name)
    ):  # a file by a folder's name would stop all further nights
        raise LedgerUnusable(
            f"there is no folder {target}: make it (is its disk mounted?), or name a file such as {target}.db"
        )
    if not (folder := target.absolute().parent).is_dir():
        raise LedgerUnusable(
            f"there is no folder {folder}: make it, or choose another place for the backup"
        )
    with _written(target) as unfinished:
        began = datetime.now(UTC)
        if url.startswith("sqlite"):
            _copy_file(require_file(url), unfinished, url)
        else:
            _copy_tables(url, unfinished)
        if damage := damage_in(unfinished):
            raise unusable(url, sqlite3.DatabaseError(f"malformed: {damage}"))
        if url.startswith(
            "sqlite"
        ):  # a copy page by page: what is sound in it is sound in the ledger
            found_sound(require_file(url), began)
    if file := sqlite_file(url):
        note_backup(file)
    return target


def restore(url: str, file: Path, *, now: datetime, by: str) -> Path | None:
    """Put a backup in the ledger's place, marked: it buys nothing until a person
    confirms it.

    A pause and held marketplaces are taken over from the present ledger; the mark says
    where it could not be read. The old ledger is kept beside it, under the returned
    name. In PostgreSQL its place is an empty database. Raises `LedgerUnusable`; then
    nothing has changed.
    """
    _require_backup(file)
    if (path := sqlite_file(url)) is None:
        with reading(f"sqlite:///{file.absolute()}") as source, _writing(url) as copy:
            if copy.execute(select(batches.c.batch_id).limit(1)).first():
                raise LedgerUnusable(
                    f"the ledger {shown(url)} has orders: give an empty database"
                )
            copy_rows(source, copy)
            _mark_restored(copy, file, None, moment=now, by=by)
        return None
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.restored")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(file, unfinished, f"sqlite:///{file}")
        with _writing_file(unfinished) as copy:
            _mark_restored(copy, file, _stopped(url), moment=now, by=by)
        sync(unfinished)
        kept = _keep_aside(path, now)
        os.replace(unfinished, path)
        sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        raise LedgerUnusable(
            f"the ledger's folder {path.parent} can't be written ({words_of(error)}): free some disk space, or make "
            "it writable for this user, and restore again. The ledger is as it was."
        ) from error
    finally:
        _forget(unfinished)
    return kept


@contextmanager
def _written(target: Path) -> Iterator[Path]:
    """An unfinished file that becomes `target` at the end, unless a `target` exists by
    then.
    """
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        sync(unfinished)
        if target.exists():
            raise FileExistsError
        keep_aside(unfinished, target)
    except FileExistsError as error:
        raise LedgerUnusable(
            f"{target} is there already: give the backup another name"
        ) from error
    except (OSError, sqlite3.Error) as error:
        raise LedgerUnusable(
            f"{target} can't be written ({words_of(error)}): free some disk space, or choose another place"
        ) from error
    finally:
        _forget(unfinished)


def _forget(file: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)


def _copy_file(source: Path, target: Path, url: str) -> None:
    """Copy a SQLite ledger. Raises `LedgerUnusable` for what is wrong with it,
    `sqlite3.Error` for the target.
    """
    with _blamed(url):
        old = sqlite3.connect(read_only(source), uri=True, timeout=30)
    with closing(old), closing(sqlite3.connect(target)) as new:
        with _blamed(url):
            old.execute("SELECT count(*) FROM sqlite_schema")
        with _blamed(url, *OF_THE_SOURCE):
            old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it


@contextmanager
def _blamed(url: str, *codes: int) -> Iterator[None]:
    """SQLite's errors, or only those with one of these codes, become `LedgerUnusable`
    of this ledger.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if codes and error.sqlite_errorcode & 0xFF not in codes:
            raise
        raise unusable(url, error) from error


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    """A transaction in a ledger that is being made, of this program's schema."""
    engine = open_engine(url)
    try:
        with blaming(url), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _writing_file(file: Path) -> Iterator[Connection]:
    """That of a file, which stands alone at its end.

    Errors come as SQLite's own: the caller knows what the file is to become.
    """
    try:
        with _writing(f"sqlite:///{file}") as connection:
            yield connection
    except LedgerUnusable as error:
        cause = getattr(error.__cause__, "orig", None)
        if isinstance(cause, sqlite3.Error):
            raise cause from error
        raise
    _settle_file(file)


def _copy_tables(url: str, target: Path) -> None:
    with reading(url) as source, _writing_file(target) as copy:
        copy_rows(source, copy)


def _settle_file(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=DELETE")


def _settle_alone(file: Path) -> None:
    """Merge the write-ahead log into the file. No other process may have it open."""
    try:
        _settle_file(file)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        raise LedgerUnusable(
            f"another program has the ledger {file} open: close it (`fuser {file}` names it) and restore again. "
            "Nothing was changed."
        ) from error


def _require_backup(file: Path) -> None:
    if not file.is_file():
        raise LedgerUnusable(f"there is no backup {file}: give the name of one")
    if damage := damage_in(file):
        raise LedgerUnusable(
            f"{file} is no whole ledger ({damage}): take another backup"
        )
    with reading(f"sqlite:///{file.absolute()}"):
        pass  # refuses what is no ledger of this version


_OFF = select(*(column for column in switches.c if column.name != "id")).where(
    switches.c.ended_at.is_(None)
)


def _stopped(url: str) -> list[dict[str, Any]] | None:
    """The switches that are off in a ledger; None where it is not there, or damaged, as
    a time may be.
    """
    with suppress(LedgerUnusable, ValueError), reading(url) as connection:
        return [dict(row) for row in connection.execute(_OFF).mappings()]
    return None


def _mark_restored(
    connection: Connection,
    source: Path,
    stopped: list[dict[str, Any]] | None,
    *,
    moment: datetime,
    by: str,
) -> None:
    message = f"was restored from {source.name}, whose newest entry is of {_newest(connection)}"
    if stopped is None:
        message += "; whether buying was paused since is not known: sourcing pause"
    mark_restored(connection, message, by=by, at=moment)
    end_unsent(connection, moment)  # of its time, and sent long ago
    of_its_time = [
        (row["name"], row["why"]) for row in connection.execute(_OFF).mappings()
    ]
    if new := [
        row for row in stopped or () if (row["name"], row["why"]) not in of_its_time
    ]:
        connection.execute(switches.insert(), new)


def _newest(connection: Connection) -> str:
    times = [
        connection.execute(select(func.max(column))).scalar()
        for column in (moves.c.at, orders.c.updated_at)
    ]
    known_moments = [moment for moment in times if moment is not None]
    return f"{max(known_moments):%Y-%m-%d %H:%M:%S} UTC" if known_moments else "no time"


def _keep_aside(path: Path, moment: datetime) -> Path | None:
    """Give the present ledger, if there is one, a second name.

    Its write-ahead log, also one that was left alone, must not meet the file that
    comes: SQLite would replay it there.
    """
    aside = path.with_name(f"{path.name}.replaced-{moment:%Y%m%dT%H%M%SZ}")
    if aside.exists():
        raise LedgerUnusable(
            f"{aside} is there already: restore again. Nothing was changed."
        )
    if path.exists() and not damage_in(
        path
    ):  # opened for writing, a damaged one would lose its log
        _settle_alone(path)
    keep_aside(path, aside)
    for suffix in ("-wal", "-shm", "-journal"):
        beside = path.with_name(f"{path.name}{suffix}")
        if beside.exists():
            beside.rename(f"{aside}{suffix}")
    sync(path.parent)
    return aside if aside.exists() else None
