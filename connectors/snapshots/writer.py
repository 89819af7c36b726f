"""Writes a snapshot: all of its files, then its manifest. It is complete or absent,
whatever crashes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from connectors.crash_points import BEFORE_MANIFEST, reach
from connectors.durable import exclusive, move, sync
from connectors.foreign import words_of
from connectors.snapshots.current import refresh, settle
from connectors.snapshots.manifests import (
    HISTORY,
    STATE,
    WORK,
    Manifest,
    SnapshotDamaged,
    SnapshotError,
    SnapshotFile,
    aside_path,
    described,
    history_path,
    manifest_path,
    read_manifest,
)
from connectors.snapshots.rows import Growing, to_arrow
from connectors.snapshots.tables import TABLES, Table

Slices = Iterable[Mapping[str, Sequence[Mapping[str, object]]]]
Part = Mapping[str, pa.Table | pa.RecordBatchReader]
SNAPSHOT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}")


def write_snapshot(
    root: Path,
    snapshot_id: str,
    date: date,
    tables: Mapping[str, Sequence[Mapping[str, object]] | pa.RecordBatchReader]
    | Slices,
    *,
    batch_id: str | None,
    written_at: datetime,
) -> Manifest:
    """Write one snapshot, or replace the one with this id, also if that had other
    tables or another date.

    Rows get `snapshot_id`, `batch_id` and `snapshot_at` (= `written_at`) unless they
    have their own. A table without rows gets a file without rows, so that plain pandas
    reads its folder instead of failing on a missing one. A table too large for memory
    comes as a reader of batches in exactly the table's schema, with these columns and
    one row per key. Tables that are too large together come as slices, one after the
    other, each with some rows of each table. Raises `ValueError` for an id that can't
    be a file name, an unknown table or a time without zone, and `SnapshotValueError`
    for a row that its table can't hold; then everything is as it was.

    New files wait in `_work` beside the table folders, since Polars and DuckDB read
    hidden files in them. Those that replace others wait there until the manifest
    counts. So our reader sees the old snapshot or the new one, and readers of plain
    folders never a half-written file.
    """
    _check_arguments(snapshot_id, written_at)
    envelope: dict[str, object] = {
        "snapshot_id": snapshot_id,
        "batch_id": batch_id,
        "snapshot_at": written_at,
    }
    place = partial(staged_path, root, snapshot_id)
    arrow = partial(_arrow, envelope)
    given = [tables] if isinstance(tables, Mapping) else tables
    parts: Iterable[Part] = (
        {name: arrow(_table(name), rows) for name, rows in part.items()}
        for part in given
    )
    if isinstance(tables, Mapping):
        parts = list(parts)  # what can't be written leaves no trace
    with (
        _disk_errors_in_words(root, f"snapshot {snapshot_id}", "the snapshot"),
        exclusive(root / WORK),
    ):
        pa.default_memory_pool().release_unused()  # what the run has freed
        (root / WORK / snapshot_id).mkdir(parents=True, exist_ok=True)
        with staging(root, snapshot_id):
            rows = _write(parts, place)
            files = tuple(
                finished(place(name), snapshot_id, date, name, count)
                for name, count in rows.items()
            )
            manifest = Manifest(
                snapshot_id=snapshot_id,
                batch_id=batch_id,
                date=date,
                written_at=written_at.astimezone(UTC),
                files=files,
                first_written_at=_first_written(root, snapshot_id),
            )
            put_in_place(root, manifest, files)
        beside = f"snapshot {snapshot_id} is complete; the tables with it"
        with (
            _disk_errors_in_words(root, beside, "them"),
            suppress(SnapshotDamaged),
        ):  # of another: our readers tell
            refresh(root)
    return manifest


def put_in_place(root: Path, manifest: Manifest, files: Iterable[SnapshotFile]) -> None:
    """Make a snapshot of staged `files` and its present ones; the old one counts until
    this one does.

    A file for a place that is taken waits aside until then, where readers find it by
    its hash. The caller holds `exclusive(root / WORK)`.
    """
    for file in files:
        path = root / file.path
        if path.exists():
            path = aside_path(root, manifest.snapshot_id, file)
        move(staged_path(root, manifest.snapshot_id, file.table), path)
    sync(root)
    reach(BEFORE_MANIFEST, manifest.snapshot_id)
    write_manifest(root, manifest)
    settle(root, manifest)
    _clean(root, manifest)


def drop_tables(root: Path, snapshot_id: str, tables: Collection[str]) -> None:
    """Drop tables of a snapshot. Without any table left, or with an unreadable
    manifest, the snapshot is deleted.
    """
    with exclusive(root / WORK):
        path = manifest_path(root, snapshot_id)
        try:
            manifest = read_manifest(path)
        except SnapshotDamaged:
            path.unlink(missing_ok=True)
            return
        if (
            manifest.snapshot_id != snapshot_id
        ):  # a copy under another name; its files belong to the original
            own = manifest_path(root, manifest.snapshot_id)
            path.unlink() if own.exists() else move(path, own)
            return
        settle(root, manifest)
        kept = tuple(file for file in manifest.files if file.table not in tables)
        write_manifest(root, replace(manifest, files=kept)) if kept else path.unlink()
        for file in manifest.files:
            if file.table in tables:
                (root / file.path).unlink(missing_ok=True)
        shutil.rmtree(root / WORK / snapshot_id, ignore_errors=True)
        (root / STATE).unlink(missing_ok=True)
        with suppress(SnapshotDamaged):
            refresh(root)


@contextmanager
def staging(root: Path, snapshot_id: str) -> Iterator[None]:
    """Leave no staged file of what fails here, else a full disk stays full; files that
    wait aside may count.
    """
    try:
        yield
    except BaseException:
        for left in (root / WORK / snapshot_id).glob("*.new"):
            left.unlink(missing_ok=True)
        raise


@contextmanager
def _disk_errors_in_words(root: Path, what: str, again: str) -> Iterator[None]:
    """Turn errors of the disk into `SnapshotError`: the ledger is safe, and the
    snapshot can be written again.
    """
    try:
        yield
    except OSError as error:
        raise SnapshotError(
            f"{what} can't be written to {root} ({words_of(error)}): free some disk space, and "
            f"make the folder writable for this user. The ledger has everything; run again to write {again}"
        ) from error


def _check_arguments(snapshot_id: str, written_at: datetime) -> None:
    if not SNAPSHOT_ID.fullmatch(snapshot_id):
        allowed = (
            "1 to 150 letters, digits, '-', '_' and '.', with a letter or digit first"
        )
        raise ValueError(
            f"snapshot id {snapshot_id!r} can't be a file name; give {allowed}"
        )
    if written_at.tzinfo is None:
        raise ValueError(f"written_at {written_at} has no time zone; give UTC")


def _table(name: str) -> Table:
    if name not in TABLES:
        raise ValueError(f"unknown table {name}; there are {', '.join(TABLES)}")
    return TABLES[name]


def staged_path(root: Path, snapshot_id: str, name: str) -> Path:
    """The path of a table's new file before it is put in place."""
    return root / WORK / snapshot_id / f"{name}.new"


def _arrow(
    envelope: Mapping[str, object],
    table: Table,
    rows: Sequence[Mapping[str, object]] | pa.RecordBatchReader,
) -> pa.Table | pa.RecordBatchReader:
    if not isinstance(rows, pa.RecordBatchReader):
        return to_arrow(table, [{**envelope, **row} for row in rows])
    if not rows.schema.equals(table.schema):
        raise ValueError(
            f"the batches for table {table.name} have another schema than the table"
        )
    return rows


def _write(parts: Iterable[Part], place: Callable[[str], Path]) -> dict[str, int]:
    """Write the tables side by side as their rows come; returns the rows of each."""
    files: dict[str, Growing] = {}
    with ExitStack() as opened:
        for part in parts:
            for name, rows in part.items():
                if name not in files:
                    files[name] = opened.enter_context(
                        Growing(place(name), TABLES[name].schema)
                    )
                for some in (
                    [rows]
                    if isinstance(rows, pa.Table)
                    else (pa.Table.from_batches([one]) for one in rows)
                ):
                    files[name].take(some)
    return {name: file.rows for name, file in files.items()}


def finished(
    path: Path, snapshot_id: str, date: date, name: str, rows: int
) -> SnapshotFile:
    """The manifest's entry for a staged file."""
    return described(path, name, history_path(name, date, snapshot_id), rows)


def _first_written(root: Path, snapshot_id: str) -> datetime | None:
    with suppress(SnapshotDamaged):  # none exists, or writing it again is the remedy
        old = read_manifest(manifest_path(root, snapshot_id))
        return old.first_written_at or old.written_at
    return None


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Write a manifest, in place of an earlier one with its id."""
    staged = staged_path(root, manifest.snapshot_id, "manifest")
    staged.parent.mkdir(parents=True, exist_ok=True)
    staged.write_bytes(manifest.to_json())
    sync(staged)
    move(staged, manifest_path(root, manifest.snapshot_id))


def _clean(root: Path, manifest: Manifest) -> None:
    """Remove what earlier writes of this id left, in any date's folder, finished or
    not.
    """
    current = {root / file.path for file in manifest.files}
    for path in (root / HISTORY).glob(f"*/date=*/{manifest.snapshot_id}.parquet"):
        if path not in current:
            path.unlink(missing_ok=True)
    shutil.rmtree(root / WORK / manifest.snapshot_id, ignore_errors=True)
