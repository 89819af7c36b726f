"""Erases a receiver from snapshots: each is whole before and after, and keeps its id and time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from connectors.durable import exclusive
from connectors.foreign import words_of
from connectors.snapshots.current import refresh
from connectors.snapshots.manifests import (
    HISTORY,
    REMEDY,
    WORK,
    Manifest,
    SnapshotDamaged,
    SnapshotFile,
    list_snapshots,
    locate,
    manifest_path,
    old_files,
    read_manifest,
)
from connectors.snapshots.rows import Growing
from connectors.snapshots.sweeping import settle
from connectors.snapshots.tables import TABLES
from connectors.snapshots.writer import finished, put_in_place, staged_path
from domain.forgetting import Mentions

T = TypeVar("T")

ORDER = "order_ref"
SAID = ("reason", "message", "question", "refusal", "expected", "seen", "remedy", "row", "tracking_urls")
"""The columns with free text that are not marked as personal."""


def _at_rest(root: Path, manifest: Manifest, read: Callable[[Manifest], T]) -> T | None:
    """A reading of a snapshot, repeated when a run replaces it meanwhile; None when it was deleted meanwhile."""
    while True:
        try:
            return read(manifest)
        except SnapshotDamaged:
            path = manifest_path(root, manifest.snapshot_id)
            if not path.exists():
                return None
            if (now := read_manifest(path)) == manifest:
                raise
            manifest = now


@contextmanager
def _damage_told(manifest: Manifest) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        words = f"a file of snapshot {manifest.snapshot_id} can't be read ({words_of(error)}); {REMEDY}"
        raise SnapshotDamaged(words) from error


def has_order(root: Path, order_ref: str) -> bool:
    """Whether any snapshot has rows of an order. Raises `SnapshotDamaged`."""
    return any(
        _at_rest(root, manifest, lambda seen: any(_tells(root, seen, file, [order_ref]) for file in seen.files))
        for manifest in list_snapshots(root)
    )


def erase_snapshots(root: Path, mentions: Mapping[str, Mentions]) -> list[str]:
    """Erase receivers, by order, from every row of their orders in all snapshots, and from what a crash left.

    Returns the ids of the rewritten snapshots. Each is replaced as the writer does it: readers see the old one or the
    new one. Raises `SnapshotError`.
    """
    if not root.is_dir():
        return []
    seen: set[str] = set()
    erased: list[str] = []
    while new := [one for one in list_snapshots(root) if one.snapshot_id not in seen]:  # one may be pruned into another
        seen |= {one.snapshot_id for one in new}
        erased += [one.snapshot_id for one in new if _rewritten(root, one, mentions)]
    _sweep(root, mentions)
    return erased


def _rewritten(root: Path, manifest: Manifest, mentions: Mapping[str, Mentions]) -> bool:
    """Rewrite a snapshot without the receivers; whether any of its files had something to erase."""
    if not _at_rest(root, manifest, lambda seen: any(_tells(root, seen, file, mentions) for file in seen.files)):
        return False
    with exclusive(root / WORK):  # a run may have replaced it since
        path = manifest_path(root, manifest.snapshot_id)
        if not path.exists():
            return False
        manifest = read_manifest(path)
        settle(root, manifest)
        telling = [file for file in manifest.files if _tells(root, manifest, file, mentions)]
        erased = {file.table: _erase_file(root, manifest, file, mentions) for file in telling}
        changed = {table: new for table, new in erased.items() if new}
        if changed:
            files = tuple(changed.get(file.table, file) for file in manifest.files)
            put_in_place(root, replace(manifest, files=files), changed.values())
    return bool(changed)


def _tells(root: Path, manifest: Manifest, file: SnapshotFile, order_refs: Collection[str]) -> bool:
    """Whether a file has rows of the orders; its statistics decide most cases."""
    known = TABLES.get(file.table)
    if not file.rows or (known and ORDER not in known.columns):
        return False
    with _damage_told(manifest):
        return _has_rows_of(locate(root, manifest, file), order_refs)


def _has_rows_of(path: Path, order_refs: Collection[str]) -> bool:
    file = parquet.ParquetFile(path)
    if ORDER not in file.schema_arrow.names:
        return False
    wanted = pa.array(order_refs, pa.string())
    return any(
        pc.any(pc.is_in(file.read_row_group(number, columns=[ORDER])[ORDER], wanted)).as_py()
        for number in range(file.num_row_groups)
    )


def _erase_file(
    root: Path, manifest: Manifest, file: SnapshotFile, mentions: Mapping[str, Mentions]
) -> SnapshotFile | None:
    """Write the file anew beside the others, in its own schema; None where there is nothing to erase."""
    source = parquet.ParquetFile(locate(root, manifest, file))
    place, is_changed = staged_path(root, manifest.snapshot_id, file.table), False
    place.parent.mkdir(parents=True, exist_ok=True)
    with Growing(place, source.schema_arrow) as written:
        for number in range(source.num_row_groups):
            group = source.read_row_group(number)
            new = group
            for order_ref, of_order in mentions.items():
                new = erased_rows(new, file.table, order_ref, of_order)
            is_changed = is_changed or not new.equals(group)
            written.write(new)
    if not is_changed:
        place.unlink()
        return None
    fresh = finished(place, manifest.snapshot_id, manifest.date, file.table, written.rows)
    return replace(fresh, path=file.path, schema_version=file.schema_version)


def erased_rows(rows: pa.Table, table: str, order_ref: str, mentions: Mentions) -> pa.Table:
    """A table's rows without the receiver of one order: personal columns are empty, free text names no receiver."""
    mine = pc.equal(rows[ORDER], order_ref)
    for column, field in enumerate(rows.schema):
        if (erase := _erasing(table, field, mentions)) is not None:
            old = rows.column(column).to_pylist()
            new = [erase(value) if of_order else value for value, of_order in zip(old, mine.to_pylist(), strict=True)]
            rows = rows.set_column(column, field, pa.array(new, field.type))
    return rows


def _erasing(table: str, field: pa.Field, mentions: Mentions) -> Callable[[object], object] | None:
    """The function that erases a receiver from a column's value; None for a column that can't have one."""
    known = TABLES[table].columns.get(field.name) if table in TABLES else None
    if known is not None and known.personal:
        return lambda value: None if value is None else "" if isinstance(value, str) else []
    if field.name not in SAID:
        return None
    if pa.types.is_string(field.type):
        return lambda value: mentions.erased(value) if isinstance(value, str) else value
    return lambda value: [mentions.erased(one) for one in value] if isinstance(value, list) else value


def _sweep(root: Path, order_refs: Collection[str]) -> None:
    """Delete what dead writers have left: files that no manifest names, and those of `_work`."""
    with exclusive(root / WORK):
        manifests = list_snapshots(root)
        for manifest in manifests:
            settle(root, manifest)
        for left in (root / WORK).glob("[!.]*"):
            rmtree(left, ignore_errors=True)
        named = {file.place(root) for manifest in manifests for file in manifest.files}
        for path in (*old_files(root), *old_files(root / HISTORY)):
            with suppress(OSError, pa.ArrowException):  # not whole: no reader gets it
                if path not in named and _has_rows_of(path, order_refs):
                    path.unlink(missing_ok=True)
        refresh(root)
