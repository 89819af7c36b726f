"""A table's declaration: its columns, and those that name each row's snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from connectors.snapshots.schemas.columns import ID, MOMENT, TEXT, Column

ENVELOPE: Mapping[str, Column] = {
    "snapshot_id": Column(
        ID,
        "The snapshot that the row is of. A rerun of a batch replaces its snapshot and keeps the id.",
        source="the flow that wrote it",
        example="autumn-restock",
    ),
    "batch_id": Column(
        TEXT,
        "The batch of the row's order, whatever run wrote the row.",
        source="`--batch`, else made from the request file's name and content",
        example="autumn-restock",
        null="the row is of no one batch: an offer of the catalogue, a scan, a refund, a reconciliation",
    ),
    "snapshot_at": Column(
        MOMENT,
        "As of when the row tells. Of rows with the same key the one with the newest `snapshot_at` is the current one.",
        source="the flow that wrote it",
        example=datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC),
        unit="UTC, this machine's clock",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table. Of rows with the same `key`, the newest snapshot's is the current one."""

    name: str
    words: str
    key: tuple[str, ...]
    version: int
    columns: Mapping[str, Column]
    schema: pa.Schema


def table(name: str, key: str, words: str, columns: Mapping[str, Column], *, version: int = 1) -> Table:
    """A table with these columns and those of each row's snapshot.

    Raises `ValueError` for a table or column without a description: a reader could not use it.
    """
    every = {**columns, **ENVELOPE}
    silent = [f"{name}.{column_name} has no {lack}" for column_name, column in every.items() for lack in column.lacks]
    if silent or not words:
        raise ValueError("; ".join(silent) or f"table {name} has no words")
    metadata = {"table": name, "key": key, "schema_version": str(version), "description": words}
    schema = pa.schema([column.field(column_name) for column_name, column in every.items()], metadata)
    return Table(name=name, words=words, key=tuple(key.split(",")), version=version, columns=every, schema=schema)
