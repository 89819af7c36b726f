"""Erases receivers from snapshots."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from connectors.durable import exclusive
from connectors.snapshots.current import refresh, sweep
from connectors.snapshots.manifests import WORK, SnapshotFile, list_snapshots
from connectors.snapshots.rewriting import Change, any_file, is_gone, rewrite
from connectors.snapshots.tables import TABLES
from domain.forgetting import Mentions

ORDER = "order_ref"
SAID = ("reason", "message", "question", "refusal", "expected", "seen", "remedy", "row", "tracking_urls")
"""The columns with free text that are not marked as personal."""

Erase = Callable[[object, Mentions], object]
"""The value of a column in a row of an order, without the order's receiver."""


def has_order(root: Path, order_ref: str) -> bool:
    """Whether any snapshot has rows of an order. Raises `SnapshotDamaged`."""

    def has_rows(_: SnapshotFile, path: Path) -> bool:
        return any(True for _ in _rows_of(path, [order_ref], ()))

    return any(any_file(root, manifest, has_rows) for manifest in list_snapshots(root))


def erase_snapshots(root: Path, mentions: Mapping[str, Mentions]) -> list[str]:
    """Erase receivers, by order, from every row of their orders in all snapshots, and from what a crash left.

    Of an order without mentions only personal columns are emptied. Returns the ids of the rewritten snapshots. Raises
    `SnapshotError`.
    """
    if not root.is_dir():
        return []
    said = SAID if any(one.receivers for one in mentions.values()) else ()

    def erased(file: SnapshotFile, rows: pa.Table) -> pa.Table:
        refs = rows[ORDER].to_pylist()
        for column, field in enumerate(rows.schema):
            if erase := _erasing(file, field, said):
                values = zip(refs, rows.column(column).to_pylist(), strict=True)
                new = [erase(value, mentions[ref]) if ref in mentions else value for ref, value in values]
                rows = rows.set_column(column, field, pa.array(new, field.type))
        return rows

    def is_due(file: SnapshotFile, path: Path) -> bool:
        table = TABLES.get(file.table)
        schema = table.schema if table and table.version == file.schema_version else parquet.read_schema(path)
        names = [field.name for field in schema if _erasing(file, field, said)]
        return bool(names) and any(not erased(file, rows).equals(rows) for rows in _rows_of(path, mentions, names))

    rewritten = rewrite(root, Change(is_due, erased))
    with exclusive(root / WORK):
        sweep(root, list_snapshots(root))
        refresh(root)
    return rewritten


def _rows_of(path: Path, order_refs: Iterable[str], columns: Iterable[str]) -> Iterator[pa.Table]:
    """The rows of some orders in a file, with these columns; none of a file without orders."""
    wanted = pa.array(order_refs, pa.string())
    with parquet.ParquetFile(path) as file:
        for number in range(file.num_row_groups if ORDER in file.schema_arrow.names else 0):
            is_wanted = pc.is_in(file.read_row_group(number, [ORDER])[ORDER], wanted)
            if pc.any(is_wanted).as_py():
                yield file.read_row_group(number, [ORDER, *columns]).filter(is_wanted)


def _erasing(file: SnapshotFile, field: pa.Field, said: Collection[str]) -> Erase | None:
    """The function that erases a receiver from the values of a column; None for one that can't have any."""
    table, is_text = TABLES.get(file.table), pa.types.is_string(field.type)
    known = table and table.columns.get(field.name)
    if known.personal if known else is_text and is_gone(file, field.name):
        return lambda value, _: None if value is None else ""
    if field.name not in said:
        return None
    if is_text:
        return lambda value, mentions: mentions.erased(value) if isinstance(value, str) else value
    return lambda value, mentions: [mentions.erased(one) for one in value] if isinstance(value, list) else value
