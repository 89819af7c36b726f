"""Copies all rows of one ledger into another; and when the file of a ledger was last
checked whole.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, select, text

from connectors.crash_points import DURING_MOVE, reach
from connectors.durable import put
from connectors.foreign import words_of
from connectors.ledger.engine import (
    LedgerUnusable,
    blaming,
    open_engine,
    read_only,
    shown,
    sqlite_file,
)
from connectors.ledger.marks import (
    Mark,
    end_mark,
    require_unmarked,
    set_mark,
    standing_marks,
    standing_since,
)
from connectors.ledger.schema import effects, metadata
from connectors.ledger.send_log import boot_id
from domain.effects import EffectStatus
from domain.wording import pluralize

ROWS_AT_ONCE = 500
NUMBERED = ("moves", "answers", "marks", "not_ours", "switches")


def move_ledger(url: str, to: str, *, now: datetime, by: str) -> dict[str, int]:
    """Copy a ledger into an empty database and keep the old one from ever buying again;
    returns the rows by table.

    At no moment both may buy: the copy arrives marked, then the old one is marked, then
    the copy's mark is lifted. Another call finishes a move that was interrupted after
    the second step. No other process may write meanwhile. Raises `LedgerUnusable`.
    """
    if url == to:
        raise LedgerUnusable(
            f"{shown(to)} is the ledger itself: give an empty database"
        )
    source, target = open_engine(url), open_engine(to)
    try:
        if not _is_copied(source, target, url, to):
            with blaming(url), source.begin() as old:
                _require_movable(old, url, now)
                with blaming(to), target.begin() as new:
                    _require_empty(new, to)
                    copy_rows(old, new)
                    set_mark(
                        new,
                        Mark.ARRIVING,
                        f"is a copy of {shown(url)} that was not finished",
                        at=now,
                        by=by,
                    )
                reach(DURING_MOVE, "copied")
                set_mark(
                    old,
                    Mark.MOVED,
                    f"was moved to {shown(to)} at {now:%Y-%m-%d %H:%M:%S} UTC",
                    at=now,
                    by=by,
                )
        reach(DURING_MOVE, "marked")
        with blaming(to), target.begin() as new:
            end_mark(new, Mark.ARRIVING, at=now, by=by)
            return _counts(new)
    finally:
        source.dispose()
        target.dispose()


def _is_copied(source: Engine, target: Engine, url: str, to: str) -> bool:
    """Whether an earlier move has marked both ledgers: the two marks have one time."""
    with blaming(url), source.connect() as old:
        moved = standing_since(old, Mark.MOVED)
    with blaming(to), target.connect() as new:
        return moved is not None and moved == standing_since(new, Mark.ARRIVING)


def _require_movable(connection: Connection, url: str, now: datetime) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SET LOCAL idle_in_transaction_session_timeout = 0")
        )  # SQLite's commit may take long
        # a claim reads the marks first: the lock waits for claims under way, and later
        # ones see the mark
        connection.execute(text("LOCK TABLE marks IN ACCESS EXCLUSIVE MODE"))
        connection.execute(
            text("LOCK TABLE orders, effects, batches IN EXCLUSIVE MODE")
        )
    require_unmarked(connection, shown(url))
    _require_quiet(connection, now)


def copy_rows(source: Connection, target: Connection) -> dict[str, int]:
    """Copy every row of every table; returns the counts by table."""
    copied = {}
    for table in metadata.sorted_tables:
        # an option of the statement, not of the connection: there PostgreSQL would send
        # later inserts as cursors too
        rows = source.execute(
            select(table).execution_options(yield_per=ROWS_AT_ONCE)
        ).mappings()
        copied[table.name] = 0
        for part in rows.partitions(ROWS_AT_ONCE):
            target.execute(insert(table), [dict(row) for row in part])
            copied[table.name] += len(part)
        there = target.execute(select(func.count()).select_from(table)).scalar_one()
        if there != copied[table.name]:
            raise LedgerUnusable(
                f"of table {table.name} {copied[table.name]} rows were copied and {there} are there"
            )
    if target.dialect.name == "postgresql":
        for name in NUMBERED:
            target.execute(
                text(
                    f"SELECT setval('{name}_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM {name}), false)"
                )
            )
    return copied


def _require_quiet(connection: Connection, now: datetime) -> None:
    held = connection.execute(
        select(effects.c.key, effects.c.lease_until)
        .where(effects.c.status == EffectStatus.SENDING, effects.c.lease_until > now)
        .order_by(effects.c.lease_until.desc())
    ).first()
    if held:
        raise LedgerUnusable(
            f"a run is at work ({held.key}, until {held.lease_until:%Y-%m-%d %H:%M:%S} UTC): wait for its end. "
            "Nothing was copied."
        )


def _require_empty(connection: Connection, url: str) -> None:
    if Mark.ARRIVING in standing_marks(connection):
        raise LedgerUnusable(
            f"{shown(url)} holds a copy that was broken off before the old ledger was marked: delete it (the file with "
            "its -wal and -shm, or dropdb and createdb) and copy again. Until then the old ledger stays in use"
        )
    for table, rows in _counts(connection).items():
        if rows:
            raise LedgerUnusable(
                f"the ledger {shown(url)} has rows in table {table}: give an empty database"
            )


def _counts(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.execute(
            select(func.count()).select_from(table)
        ).scalar_one()
        for table in metadata.sorted_tables
    }


CHECKED_EVERY = timedelta(hours=26)
"""A nightly backup, which reads the whole file and checks its copy, comes in time."""


def damages(file: Path, most: int) -> list[str]:
    """What SQLite finds wrong with a file, none for a sound one. Raises
    `sqlite3.DatabaseError` for one not to read.
    """
    with closing(sqlite3.connect(read_only(file), uri=True, timeout=30)) as database:
        return [
            words
            for (words,) in database.execute(f"PRAGMA integrity_check({most})")
            if words != "ok"
        ]


def damage_in(file: Path) -> str:
    """The first of these, or why it can't be read; empty for a sound one."""
    try:
        return next(iter(damages(file, 1)), "")
    except sqlite3.DatabaseError as error:
        return words_of(error)


def sound_since(file: Path, now: datetime) -> datetime | None:
    """When this very file was last found sound, if that was lately and since the
    machine has started.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_record(file).read_text())
        at = datetime.fromisoformat(kept["at"])
        if (
            kept["file"] == _identity(file)
            and kept["boot"] == boot_id()
            and timedelta() <= now - at < CHECKED_EVERY
        ):
            return at
    return None


def found_sound(file: Path, at: datetime) -> None:
    """Record that a check that began then found no fault."""
    with suppress(OSError):  # without a record the next run checks again
        record = {
            "file": _identity(file),
            "boot": boot_id(),
            "at": at.astimezone(UTC).isoformat(),
        }
        put(_record(file), json.dumps(record).encode())


def _record(file: Path) -> Path:
    return file.with_name(f"{file.name}.sound")


def note_backup(file: Path) -> None:
    with suppress(OSError):
        _backed_up(file).touch()


def last_backup(url: str, now: datetime) -> str:
    """How long ago this program backed a ledger up, in words; empty for one on
    PostgreSQL, which has its own tools.
    """
    if (file := sqlite_file(url)) is None:
        return ""
    try:
        days = int(now.timestamp() - _backed_up(file).stat().st_mtime) // 86_400
    except OSError:
        return "never"
    return f"{pluralize(days, 'day')} ago" if days > 0 else "within a day"


def _backed_up(file: Path) -> Path:
    return file.with_name(f"{file.name}.backed-up")


def _identity(file: Path) -> list[int]:
    found = os.stat(file)
    return [found.st_dev, found.st_ino]
