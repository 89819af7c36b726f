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

from sqlalchemy import Connection, func, insert, select, text

from connectors.durable import put
from connectors.foreign import words_of
from connectors.ledger.engine import LedgerUnusable, read_only, sqlite_file
from connectors.ledger.schema import metadata
from connectors.ledger.send_log import boot_id
from domain.wording import pluralize

ROWS_AT_ONCE = 500
NUMBERED = ("moves", "answers", "marks", "not_ours", "switches", "unwritten")


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy every row of every table into empty tables. Raises `LedgerUnusable`."""
    for table in metadata.sorted_tables:
        # an option of the statement, not of the connection: there PostgreSQL would send
        # later inserts as cursors too
        rows = source.execute(
            select(table).execution_options(yield_per=ROWS_AT_ONCE)
        ).mappings()
        copied = 0
        for row_batch in rows.partitions(ROWS_AT_ONCE):
            target.execute(insert(table), [dict(row) for row in row_batch])
            copied += len(row_batch)
        target_count = target.execute(
            select(func.count()).select_from(table)
        ).scalar_one()
        if target_count != copied:
            raise LedgerUnusable(
                f"of table {table.name} {copied} rows were copied and {target_count} are there"
            )
    if target.dialect.name == "postgresql":
        for name in NUMBERED:
            target.execute(
                text(
                    f"SELECT setval('{name}_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM {name}), false)"
                )
            )


CHECKED_EVERY = timedelta(hours=26)
"""A nightly backup, which reads the whole file and checks its copy, comes in time."""


def damages(file: Path, most: int) -> list[str]:
    """What SQLite finds wrong with a file, none for a sound one. Raises
    `sqlite3.DatabaseError` for one not to read.
    """
    with closing(sqlite3.connect(read_only(file), uri=True, timeout=30)) as database:
        return [
            fault
            for (fault,) in database.execute(f"PRAGMA integrity_check({most})")
            if fault != "ok"
        ]


def damage_in(file: Path) -> str:
    """The first of these, or why it can't be read; empty for a sound one."""
    try:
        return next(iter(damages(file, 1)), "")
    except sqlite3.DatabaseError as error:
        return words_of(error)


def sound_since(file: Path, moment: datetime) -> datetime | None:
    """When this very file was last found sound, if that was lately and since the
    machine has started.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept_record = json.loads(_record(file).read_text())
        at = datetime.fromisoformat(kept_record["at"])
        if (
            kept_record["file"] == _identity(file)
            and kept_record["boot"] == boot_id()
            and timedelta() <= moment - at < CHECKED_EVERY
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


def require_check(file: Path) -> None:
    """Have the next run check a file."""
    with suppress(OSError):
        _record(file).unlink()


def _record(file: Path) -> Path:
    return file.with_name(f"{file.name}.sound")


def note_backup(file: Path) -> None:
    with suppress(OSError):
        _backed_up(file).touch()


def last_backup(url: str, moment: datetime) -> str:
    """How long ago this program backed a ledger up, in words; empty for one on
    PostgreSQL, which has its own tools.
    """
    if (file := sqlite_file(url)) is None:
        return ""
    try:
        days = int(moment.timestamp() - _backed_up(file).stat().st_mtime) // 86_400
    except OSError:
        return "never"
    return f"{pluralize(days, 'day')} ago" if days > 0 else "within a day"


def _backed_up(file: Path) -> Path:
    return file.with_name(f"{file.name}.backed-up")


def _identity(file: Path) -> list[int]:
    file_stat = os.stat(file)
    return [file_stat.st_dev, file_stat.st_ino]
