"""A table's declaration: its columns, those that name each row's snapshot, and the
records that its rows are of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cached_property, partial
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

pa.set_memory_pool(
    pa.system_memory_pool()
)  # as in `connectors`, for programs that have loaded Arrow before
pa.set_io_thread_count(2)  # each keeps memory of its own

Getter = Callable[[Any], object]

TEXT = pa.string()
TEXTS = pa.list_(pa.string())
WHOLE = pa.int64()
FLAG = pa.bool_()
MOMENT = pa.timestamp("us", tz="UTC")
VOLUME_PRICES = pa.list_(pa.struct([("start_quantity", WHOLE), ("price_minor", WHOLE)]))

AMOUNT = re.compile(r"minor units of `(\w+)`")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its values, their meaning, and what they must be.

    `words` also explain 0 and an empty text. `source` names the API answer, the request
    file's column or the ledger. `example` is a value that the column can hold. `unit`
    is that of a number (`pieces`, `minor units of currency`), or the clock of a time.
    `null` says when there is no value: without it there always is one. `personal` marks
    where a receiver is, and free text, which may have anything.

    `get` reads the value from a row's record: a function, or the path of an attribute;
    the attribute of the column's own name where it is empty.
    """

    dtype: pa.DataType
    words: str
    source: str
    example: object
    unit: str = ""
    null: str = ""
    personal: bool = False
    get: str | Getter = ""

    def getter(self, name: str) -> Getter:
        """The function that reads the value from a row's record."""
        return self.get if callable(self.get) else attrgetter(self.get or name)

    @property
    def currency(self) -> str:
        """The column with the currency of an amount; empty for other columns."""
        amount = AMOUNT.fullmatch(self.unit)
        return amount[1] if amount else ""

    def field(self, name: str) -> pa.Field:
        """The Arrow field; its metadata has the parts of this description that are not
        empty.
        """
        metadata = {
            "description": self.words,
            "unit": self.unit,
            "example": self.shown_example,
            "source": self.source,
            "null": self.null,
            "personal": "yes" if self.personal else "",
        }
        return pa.field(
            name,
            self.dtype,
            bool(self.null),
            {
                key: table_metadata
                for key, table_metadata in metadata.items()
                if table_metadata
            },
        )

    @property
    def shown_example(self) -> str:
        """The example as text: a text as it is, a time in ISO 8601, anything else as
        JSON.
        """
        if isinstance(self.example, str):
            return self.example
        if isinstance(self.example, datetime):
            return self.example.isoformat().replace("+00:00", "Z")
        return json.dumps(self.example, ensure_ascii=False)


text, texts, count, flag = (
    partial(Column, dtype) for dtype in (TEXT, TEXTS, WHOLE, FLAG)
)


def or_none(path: str) -> Getter:
    """The attribute at a path, None in place of an empty text."""
    read = attrgetter(path)
    return lambda record: read(record) or None


def unfilled(_: object) -> None:
    """The value of a column that no run fills so far."""


Row = dict[str, Any]

ENVELOPE: Mapping[str, Column] = {
    "snapshot_id": text(
        "The snapshot that wrote the row, the newest that did.",
        source="the flow that wrote it",
        example="autumn-restock-20261102T030405000000",
    ),
    "batch_id": text(
        "The batch of the row's order, whatever run wrote the row.",
        source="`--batch`, else made from the request file's name and content",
        example="autumn-restock",
        null="the row is of no one batch: an offer, a scan, a refund, a reconciliation",
    ),
    "snapshot_at": Column(
        MOMENT,
        "As of when the row tells. Of rows with the same key the one with the newest `snapshot_at` is the current one.",
        source="the flow that wrote it",
        example=datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC),
        unit="UTC, this machine's clock",
    ),
}


class Kept(Enum):
    """What is kept of a table."""

    ORDERS = "by day"
    """The current rows, by the day on which their order was recorded, and what each run
    wrote.
    """
    EVENTS = "events"
    """The rows, by that day: they do not change."""
    RUNS = "runs"
    """What each run wrote: the newest row of a key is the current one."""
    RESULT = "result"
    """What the last run computed, in one file."""


@dataclass(frozen=True)
class Table:
    """One table, with columns of its `own` and those of each row's snapshot.

    Of rows with the same `key`, the newest snapshot's is the current one. A row is of
    one record; `each` gives the records of an order, a plan or an offer.
    """

    name: str
    key: tuple[str, ...]
    words: str
    own: Mapping[str, Column]
    _: KW_ONLY
    kept: Kept = Kept.ORDERS
    each: Callable[[Any], Iterable[Any]] = lambda record: (record,)

    @property
    def is_by_day(self) -> bool:
        """Whether its files are of days."""
        return self.kept in (Kept.ORDERS, Kept.EVENTS)

    @property
    def has_history(self) -> bool:
        """Whether its history is kept."""
        return self.kept in (Kept.ORDERS, Kept.RUNS)

    @property
    def has_current(self) -> bool:
        """Whether it has files of its current rows."""
        return self.kept is not Kept.RUNS

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        return {**self.own, **ENVELOPE}

    @cached_property
    def schema(self) -> pa.Schema:
        table_metadata = {"table": self.name, "key": ",".join(self.key)}
        fields = [column.field(name) for name, column in self.columns.items()]
        return pa.schema(fields, {**table_metadata, "description": self.words})

    @cached_property
    def _getters(self) -> Mapping[str, Getter]:
        return {name: column.getter(name) for name, column in self.own.items()}

    def row(self, record: object, **given: object) -> Row:
        """The row of one record, an object or a mapping; `given` values are not read
        from it.
        """
        source = SimpleNamespace(**record) if isinstance(record, Mapping) else record
        return {
            name: given[name] if name in given else get(source)
            for name, get in self._getters.items()
        }

    def newest(self, of: str, where: str = "TRUE") -> str:
        """The query of the newest row of each key among those of a relation."""
        key = ", ".join(self.key)
        newest = f"row_number() OVER (PARTITION BY {key} ORDER BY snapshot_at DESC, snapshot_id DESC) = 1"
        return f"SELECT * FROM {of} WHERE {where} QUALIFY {newest}"

    def rows(self, of: object) -> list[Row]:
        """The rows of an order, a plan or an offer."""
        return [self.row(record) for record in self.each(of)]
