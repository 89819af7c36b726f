"""Erases receivers from snapshots, each whole before and after under its id."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from connectors.durable import exclusive
from connectors.foreign import words_of
from connectors.snapshots.current import refresh, settle, sweep
from connectors.snapshots.manifests import (
    REMEDY,
    WORK,
    Manifest,
    SnapshotDamaged,
    SnapshotFile,
    list_snapshots,
    locate,
    manifest_path,
    read_manifest,
)
from connectors.snapshots.rows import Growing
from connectors.snapshots.tables import TABLES
from connectors.snapshots.writer import finished, put_in_place, staged_path, staging
from domain.forgetting import Mentions

Test = Callable[[SnapshotFile, Path], bool]
Erased = Callable[[SnapshotFile, pa.Table], pa.Table]
"""The rows of a file without receivers."""


def any_file(root: Path, manifest: Manifest, test: Test) -> bool:
    """Whether a file of a snapshot passes a test, also when a run replaces or deletes
    the snapshot meanwhile.
    """
    while True:
        try:
            return any(_passes(root, manifest, file, test) for file in manifest.files)
        except SnapshotDamaged:
            path = manifest_path(root, manifest.snapshot_id)
            if not path.exists():
                return False
            if (now := read_manifest(path)) == manifest:
                raise
            manifest = now


def _passes(root: Path, manifest: Manifest, file: SnapshotFile, test: Test) -> bool:
    if not file.rows:
        return False
    try:
        return test(file, locate(root, manifest, file))
    except (OSError, pa.ArrowException) as error:
        words = f"a file of snapshot {manifest.snapshot_id} can't be read ({words_of(error)}); {REMEDY}"
        raise SnapshotDamaged(words) from error


def _is_rewritten(root: Path, manifest: Manifest, is_due: Test, erased: Erased) -> bool:
    """Rewrite a snapshot where it is due, as the writer does it: readers see the old
    one or the new one.
    """
    if not any_file(root, manifest, is_due):
        return False
    with exclusive(root / WORK):  # a run may have replaced it since
        path = manifest_path(root, manifest.snapshot_id)
        if not path.exists():
            return False
        manifest = read_manifest(path)
        settle(root, manifest)
        due = [file for file in manifest.files if _passes(root, manifest, file, is_due)]
        with staging(root, manifest.snapshot_id):
            new = {file.table: _written(root, manifest, file, erased) for file in due}
            if new:
                files = tuple(new.get(file.table, file) for file in manifest.files)
                put_in_place(root, replace(manifest, files=files), new.values())
    return bool(new)


def _written(
    root: Path, manifest: Manifest, file: SnapshotFile, erased: Erased
) -> SnapshotFile:
    """Write the changed file beside the others, for the place of the one that it
    replaces.
    """
    staged = staged_path(root, manifest.snapshot_id, file.table)
    staged.parent.mkdir(parents=True, exist_ok=True)
    with (
        parquet.ParquetFile(locate(root, manifest, file)) as old,
        Growing(staged, old.schema_arrow) as written,
    ):
        for number in range(old.num_row_groups):
            written.write(erased(file, old.read_row_group(number)))
    fresh = finished(
        staged, manifest.snapshot_id, manifest.date, file.table, written.rows
    )
    return replace(fresh, path=file.path)


ORDER = "order_ref"
FREE_TEXTS = (
    "reason",
    "message",
    "question",
    "refusal",
    "expected",
    "seen",
    "remedy",
    "row",
    "tracking_urls",
)
"""The columns with free text that are not marked as personal."""

Erase = Callable[[object, Mentions], object]
"""The value of a column in a row of an order, without the order's receiver."""


def has_order(root: Path, order_ref: str) -> bool:
    """Whether any snapshot has rows of an order. Raises `SnapshotDamaged`."""

    def has_rows(_: SnapshotFile, path: Path) -> bool:
        return any(True for _ in _rows_of(path, [order_ref], ()))

    return any(any_file(root, manifest, has_rows) for manifest in list_snapshots(root))


def erase_snapshots(root: Path, mentions: Mapping[str, Mentions]) -> list[str]:
    """Erase receivers, by order, from every row of their orders in all snapshots, and
    from what a crash left.

    Of an order without mentions only personal columns are emptied. Returns the ids of
    the rewritten snapshots. Raises `SnapshotError`.
    """
    if not root.is_dir():
        return []
    texts = FREE_TEXTS if any(one.receivers for one in mentions.values()) else ()

    def erased(file: SnapshotFile, rows: pa.Table) -> pa.Table:
        refs = rows[ORDER].to_pylist()
        for column, field in enumerate(rows.schema):
            if erase := _erasing(file, field, texts):
                values = zip(refs, rows.column(column).to_pylist(), strict=True)
                new = [
                    erase(value, mentions[ref]) if ref in mentions else value
                    for ref, value in values
                ]
                rows = rows.set_column(column, field, pa.array(new, field.type))
        return rows

    def is_due(file: SnapshotFile, path: Path) -> bool:
        schema = parquet.read_schema(path)
        names = [field.name for field in schema if _erasing(file, field, texts)]
        return bool(names) and any(
            not erased(file, rows).equals(rows)
            for rows in _rows_of(path, mentions, names)
        )

    seen: set[str] = set()
    rewritten: list[str] = []
    # a snapshot may be merged into another meanwhile
    while new := [one for one in list_snapshots(root) if one.snapshot_id not in seen]:
        for manifest in new:
            seen.add(manifest.snapshot_id)
            if _is_rewritten(root, manifest, is_due, erased):
                rewritten.append(manifest.snapshot_id)
    with exclusive(root / WORK):
        sweep(root, list_snapshots(root))
        refresh(root)
    return rewritten


def _rows_of(
    path: Path, order_refs: Iterable[str], columns: Iterable[str]
) -> Iterator[pa.Table]:
    """The rows of some orders in a file, with these columns; none of a file without
    orders.
    """
    wanted = pa.array(order_refs, pa.string())
    with parquet.ParquetFile(path) as file:
        for number in range(
            file.num_row_groups if ORDER in file.schema_arrow.names else 0
        ):
            is_wanted = pc.is_in(file.read_row_group(number, [ORDER])[ORDER], wanted)
            if pc.any(is_wanted).as_py():
                yield file.read_row_group(number, [ORDER, *columns]).filter(is_wanted)


def _erasing(
    file: SnapshotFile, field: pa.Field, texts: Collection[str]
) -> Erase | None:
    """The function that erases a receiver from the values of a column; None for one
    that can't have any.
    """
    table, is_text = TABLES.get(file.table), pa.types.is_string(field.type)
    known = table and table.columns.get(field.name)
    if known and known.personal:
        return lambda value, _: None if value is None else ""
    if field.name not in texts:
        return None
    if is_text:
        return lambda value, mentions: (
            mentions.erased(value) if isinstance(value, str) else value
        )
    return lambda value, mentions: (
        [mentions.erased(one) for one in value] if isinstance(value, list) else value
    )
