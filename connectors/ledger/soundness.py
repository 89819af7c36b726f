"""When the file of a ledger was last checked whole: time and identity stand in a small file beside it."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.foreign import words_of
from connectors.ledger.engine import read_only
from connectors.ledger.send_log import boot_id

CHECKED_EVERY = timedelta(hours=26)
"""A nightly backup, which reads the whole file and checks its copy, comes in time."""


def damage_in(file: Path) -> str:
    """What SQLite finds wrong with a file; empty for a sound one."""
    try:
        with closing(sqlite3.connect(read_only(file), uri=True)) as database:
            (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return words_of(error)
    return "" if found == "ok" else str(found)


def sound_since(file: Path, now: datetime) -> datetime | None:
    """When this very file was last found sound, if that was lately and since the machine has started."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_record(file).read_text())
        at = datetime.fromisoformat(kept["at"])
        if kept["file"] == _identity(file) and kept["boot"] == boot_id() and timedelta() <= now - at < CHECKED_EVERY:
            return at
    return None


def found_sound(file: Path, at: datetime) -> None:
    """Record that a check that began then found no fault."""
    unfinished = _record(file).with_name(f".{file.name}.{os.getpid()}.sound")
    with suppress(OSError):  # without a record the next run checks again
        unfinished.write_text(
            json.dumps({"file": _identity(file), "boot": boot_id(), "at": at.astimezone(UTC).isoformat()})
        )
        unfinished.replace(_record(file))


def _record(file: Path) -> Path:
    return file.with_name(f"{file.name}.sound")


def _identity(file: Path) -> list[int]:
    found = os.stat(file)
    return [found.st_dev, found.st_ino]
