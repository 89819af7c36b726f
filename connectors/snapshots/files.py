"""Where the tables' files are.

`<table>/day=YYYY-MM-DD/part.parquet` has the rows of the orders that were recorded on a
day as the ledger has them now; `history/<table>/YYYY-MM-DD/<snapshot>.parquet` has the
rows that one run wrote. Each file is whole, and replaced by one rename.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from connectors.durable import require_writable
from connectors.foreign import words_of

HISTORY = "history"
WORK = "_work"
PART = "part.parquet"
STAMP = "%Y%m%dT%H%M%S%f"
STAMP_LENGTH = 21
WRITTEN_AT = re.compile(r"-(\d{8}T\d{12})$")
REMEDY = (
    "write the tables again from the ledger (sourcing snapshot rebuild); a file of history can be restored from a "
    "backup, or deleted"
)


class SnapshotError(Exception):
    """The base of all errors of snapshots."""


class SnapshotDamaged(SnapshotError):
    """A file that can't be read; the message names it and the remedy."""


class QueryError(SnapshotError):
    """A query that fails, or does more than read; the message is DuckDB's or says what
    is allowed.
    """


def require_place(root: Path) -> None:
    """Raise `SnapshotError` unless tables can be written to `root`: a run learns it
    before it buys.
    """
    try:
        require_writable(root)
    except OSError as error:
        raise SnapshotError(
            f"no snapshot can be written to {root} ({words_of(error)}): make it writable for this user, free "
            "some disk space, or set SOURCING_SNAPSHOTS to another folder. Nothing was sent"
        ) from error


def snapshot_name(beginning: str, written_at: datetime) -> str:
    """The id of what a run writes: `autumn-restock-20261102T030405000000`, in UTC."""
    return f"{beginning}-{written_at.astimezone(UTC):{STAMP}}"


def written_at(snapshot_id: str) -> datetime | None:
    """The time in a snapshot's id."""
    stamp = WRITTEN_AT.search(snapshot_id)
    return datetime.strptime(f"{stamp[1]}Z", f"{STAMP}%z") if stamp else None


def part_path(root: Path, day: date | None, table: str) -> Path:
    """The file of the current rows of a day; without a day of all."""
    return root / table / (f"day={day:%Y-%m-%d}" if day else "") / PART


def history_path(root: Path, snapshot_id: str, day: date, table: str) -> Path:
    return root / HISTORY / table / f"{day:%Y-%m-%d}" / f"{snapshot_id}.parquet"


def current_files(root: Path, table: str) -> list[Path]:
    """The files of the current rows of a table, the oldest day first."""
    return sorted((root / table).glob(f"**/{PART}"))


def history_files(root: Path, table: str = "*") -> list[Path]:
    """The files of a table's history, or of all, the oldest day first."""
    return sorted(
        (root / HISTORY).glob(f"{table}/*/*.parquet"),
        key=lambda path: (path.parent.name, path.stem[-STAMP_LENGTH:], path.stem),
    )


def snapshots_below(root: Path) -> Iterator[tuple[str, list[Path]]]:
    """The snapshots of the history with their files, the oldest first."""
    files: dict[str, list[Path]] = {}
    for path in history_files(root):
        files.setdefault(path.stem, []).append(path)
    yield from files.items()
