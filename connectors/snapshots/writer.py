"""Writes the tables' files, and ends their history."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from connectors.crash_points import BEFORE_MARKS, reach
from connectors.durable import exclusive, move, sync
from connectors.foreign import words_of
from connectors.snapshots.files import (
    WORK,
    SnapshotError,
    current_files,
    history_files,
    history_path,
    part_path,
)
from connectors.snapshots.rows import Growing, to_arrow
from connectors.snapshots.sources import WORK_MB, connected, in_words, rows_in
from connectors.snapshots.tables import TABLES
from connectors.snapshots.tables.table import Row

ORDER = "order_ref"
ROWS_AT_ONCE = 10_000
FOLDED = "older"
Rows: TypeAlias = Sequence[Row] | pa.RecordBatchReader
Parts = Iterable[Mapping[str, Rows]]
"""Rows by table, some after the others: all together may be too many for memory."""


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Hold the lock of the folder: one process writes. Raises `SnapshotError`."""
    try:
        with exclusive(root / WORK):
            yield
    except OSError as error:
        raise SnapshotError(
            f"the tables can't be written to {root} ({words_of(error)}): free some disk space, and "
            "make the folder writable for this user. The ledger has everything; run again to write them"
        ) from error


@contextmanager
def files_at(
    root: Path, place: Callable[[str], Path]
) -> Iterator[Callable[[str], Growing]]:
    """The file of each table that is asked for. All get their places at the end; none
    does after an error.
    """
    with ExitStack() as opened:
        yield cache(lambda name: opened.enter_context(_file(root, place(name), name)))


@contextmanager
def _file(root: Path, path: Path, table: str) -> Iterator[Growing]:
    staged = root / WORK / ".".join(path.relative_to(root).parts)
    try:
        with Growing(staged, TABLES[table].schema) as file:
            yield file
        sync(staged)
        move(staged, path)
    finally:
        staged.unlink(missing_ok=True)


def write_history(
    root: Path,
    snapshot_id: str,
    row_parts: Parts,
    written_at: datetime,
    batch: str | None,
) -> None:
    """Write rows that the ledger does not have. Raises `SnapshotError`."""
    place = partial(history_path, root, snapshot_id, written_at.date())
    with writing(root), files_at(root, place) as file:
        for order_refs in row_parts:
            for name, rows in order_refs.items():
                for old_rows in _arrow(name, rows, snapshot_id, written_at, batch):
                    file(name).take(old_rows)


def write_whole(
    root: Path,
    table: str,
    row_parts: Iterable[Sequence[Row]],
    snapshot_id: str,
    moment: datetime,
) -> None:
    """Replace all rows of a table. Raises `SnapshotError`."""
    with writing(root), files_at(root, partial(part_path, root, None)) as file:
        whole_file = file(table)
        for rows in row_parts:
            for old_rows in _arrow(table, rows, snapshot_id, moment):
                whole_file.take(old_rows)


def write_orders(
    root: Path,
    snapshot_id: str,
    days: Mapping[date, Collection[str]],
    parts_of: Callable[[Collection[str]], Parts],
    written_at: datetime,
) -> None:
    """Replace the rows of some orders, by the day on which each was recorded, and add
    them to the history.

    The caller holds `writing(root)`. Other orders of a day stay as its files have them.
    """
    history_at = partial(history_path, root, snapshot_id, written_at.date())
    with files_at(root, history_at) as history:
        for day, refs in days.items():
            with files_at(root, partial(part_path, root, day)) as order_refs:
                for name in (one.name for one in TABLES.values() if one.is_by_day):
                    if (old := part_path(root, day, name)).exists():
                        for rows in _others(old, name, refs):
                            order_refs(name).take(rows)
                    elif not (root / name).exists():
                        order_refs(
                            name
                        )  # plain pandas fails on a folder without a file
                for tables in parts_of(refs):
                    for name, rows in tables.items():
                        for old_rows in _arrow(name, rows, snapshot_id, written_at):
                            if TABLES[name].is_by_day:
                                order_refs(name).take(old_rows)
                            if TABLES[name].has_history:
                                history(name).take(old_rows)
    reach(BEFORE_MARKS, snapshot_id)


def delete_parts(root: Path, days: Collection[date] | None = None) -> None:
    """Delete the files of some days, or of all. The caller holds `writing(root)`."""
    for table in (one.name for one in TABLES.values() if one.is_by_day):
        for path in current_files(root, table):
            if days is None or path in {part_path(root, day, table) for day in days}:
                path.unlink()


def _others(path: Path, table: str, refs: Collection[str]) -> Iterator[pa.Table]:
    """The rows of other orders."""
    these = pa.array(refs, pa.string())
    with in_words(path):
        rows = rows_in([path], TABLES[table])
        for batch in rows.scanner(
            batch_size=ROWS_AT_ONCE, use_threads=False
        ).to_batches():
            old_rows = pa.Table.from_batches([batch])
            yield old_rows.filter(pc.invert(pc.is_in(old_rows[ORDER], these)))


def _arrow(
    name: str,
    rows: Rows,
    snapshot_id: str,
    written_at: datetime,
    batch: str | None = None,
) -> Iterator[pa.Table]:
    """Rows in the table's schema. Each is of this snapshot unless it says otherwise."""
    table = TABLES[name]
    if isinstance(rows, pa.RecordBatchReader):
        yield from (pa.Table.from_batches([row]) for row in rows)
    elif rows:
        envelope = {
            "snapshot_id": snapshot_id,
            "batch_id": batch,
            "snapshot_at": written_at,
        }
        yield to_arrow(table, [envelope | row for row in rows])


def end_history(root: Path, moment: datetime, keep_days: int) -> None:
    """Delete the history of days that are over for so long.

    Of a table that has nothing else its newest rows stay, in one file.
    """
    first = f"{moment.astimezone(UTC) - timedelta(days=keep_days):%Y-%m-%d}"
    with writing(root):
        for table in TABLES.values():
            files = history_files(root, table.name)
            old = [path for path in files if path.parent.name < first]
            if table.has_current:
                folded = None
            elif len(old) > 1:
                folded = _fold(root, table.name, old)
            else:
                continue
            for path in old:
                if path != folded:
                    path.unlink()


def _fold(root: Path, name: str, old: Sequence[Path]) -> Path:
    """Write the newest rows of old files into one; answers its path."""
    table = TABLES[name]
    day = date.fromisoformat(old[-1].parent.name)
    with (
        files_at(root, partial(history_path, root, FOLDED, day)) as file,
        connected(memory_mb=WORK_MB, work=root / WORK / "spill") as connection,
    ):
        connection.register("old", rows_in(old, table))
        newest_rows = connection.sql(table.newest("old")).to_arrow_reader(ROWS_AT_ONCE)
        for batch in newest_rows:
            rows = pa.Table.from_batches([batch]).select(table.schema.names)
            file(name).take(rows.cast(table.schema))
    return history_path(root, FOLDED, day, name)


def erase_orders(root: Path, order_refs: Collection[str]) -> list[str]:
    """Take the rows of some orders out of the history. Answers the ids of what was
    written again.
    """
    newest_rows: dict[str, None] = {}
    with writing(root):
        for table in TABLES.values():
            if ORDER not in table.columns:
                continue
            for path in history_files(root, table.name):
                if _has_rows(path, table.name, order_refs):
                    with _file(root, path, table.name) as file:
                        for rows in _others(path, table.name, order_refs):
                            file.take(rows)
                    newest_rows[path.stem] = None
    return [*newest_rows]


def knows_order(root: Path, order_ref: str) -> bool:
    """Whether the history of a dry run has an order."""
    return any(
        _has_rows(path, name, [order_ref])
        for name in ("requests", "quotes")
        for path in history_files(root, name)
    )


def _has_rows(path: Path, table: str, refs: Collection[str]) -> bool:
    of_these = pc.field(ORDER).isin(pa.array(refs, pa.string()))
    with in_words(path):
        return bool(rows_in([path], TABLES[table]).count_rows(of_these))


def has_bought_orders(root: Path) -> bool:
    """Whether the tables have an order of the service."""
    ordered = pc.field("order_id").is_valid()
    return any(
        rows_in(current_files(root, name), TABLES[name]).count_rows(ordered)
        for name in ("orders", "payments")
    )
