"""A table's declaration: its columns, those that name each row's snapshot, and the records that its rows are of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from connectors.snapshots.tables.columns import ID, MOMENT, TEXT, Column, Getter

Row = dict[str, Any]

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
    """One table. Of rows with the same `key`, the newest snapshot's is the current one.

    A row is of one record; `each` gives the records of an order, a plan or an offer. A row refers by the columns `by`
    to a row of one of the tables `owners`. The ledger knows the sum of the column `summed`.
    """

    name: str
    words: str
    key: tuple[str, ...]
    version: int
    columns: Mapping[str, Column]
    schema: pa.Schema
    each: Callable[[Any], Iterable[Any]]
    owners: tuple[str, ...]
    by: tuple[str, ...]
    summed: str
    getters: Mapping[str, Getter]

    def row(self, record: object, **given: object) -> Row:
        """The row of one record, an object or a mapping; `given` values are not read from it."""
        source = SimpleNamespace(**record) if isinstance(record, Mapping) else record
        return {name: given[name] if name in given else get(source) for name, get in self.getters.items()}

    def newest(self, of: str, where: str = "TRUE") -> str:
        """The query of the newest row of each key among those of a relation."""
        key = ", ".join(self.key)
        newest = f"row_number() OVER (PARTITION BY {key} ORDER BY snapshot_at DESC, snapshot_id DESC) = 1"
        return f"SELECT * FROM {of} WHERE {where} QUALIFY {newest}"

    def rows(self, of: object) -> list[Row]:
        """The rows of an order, a plan or an offer."""
        return [self.row(record) for record in self.each(of)]


def table(
    name: str,
    key: str,
    words: str,
    columns: Mapping[str, Column],
    *,
    version: int = 1,
    each: Callable[[Any], Iterable[Any]] = lambda record: (record,),
    owners: str = "",
    by: str = "order_ref",
    summed: str = "",
) -> Table:
    """A table with these columns and those of each row's snapshot; names are joined with commas.

    Raises `ValueError` for a table or column without a description: a reader could not use it.
    """
    every = {**columns, **ENVELOPE}
    silent = [f"{name}.{column_name} has no {lack}" for column_name, column in every.items() for lack in column.lacks]
    if silent or not words:
        raise ValueError("; ".join(silent) or f"table {name} has no words")
    metadata = {"table": name, "key": key, "schema_version": str(version), "description": words}
    return Table(
        name=name,
        words=words,
        key=tuple(key.split(",")),
        version=version,
        columns=every,
        schema=pa.schema([column.field(column_name) for column_name, column in every.items()], metadata),
        each=each,
        owners=tuple(filter(None, owners.split(","))),
        by=tuple(by.split(",")),
        summed=summed,
        getters={column_name: column.getter(column_name) for column_name, column in columns.items()},
    )
