"""Rows to Arrow and into files: every value is checked against the table's schema, and
none is cast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pyarrow as pa
from pyarrow import parquet

from connectors.snapshots.tables import TABLES, Table
from connectors.snapshots.tables.table import (
    FLAG,
    MOMENT,
    TEXT,
    TEXTS,
    VOLUME_PRICES,
    WHOLE,
)
from domain.money import minor_digits

MAX_INT64 = 2**63 - 1
RECORDS_AT_ONCE = 10_000
MOST_IN_GROUP = 10_000
"""A reader of one key reads a group a file: files are sorted by key."""

MOST_PARTS = 8
"""Small parts are put together: what Arrow keeps for each column of a hundred parts is
more than their rows.
"""


class SnapshotValueError(ValueError):
    """A value that its table can't hold; the message names table, row (the first is 1)
    and column.
    """

    def __init__(self, table: Table, row: int, column: str, problem: str) -> None:
        super().__init__(f"table {table.name}, row {row}, column {column}: {problem}")


def to_arrow(table: Table, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """The rows as an Arrow table of exactly the table's schema; an absent column is
    null.

    Raises `SnapshotValueError` for a value of another type, a null in a required
    column, and an unknown column.
    """
    column_names = set(table.schema.names)
    for number, row in enumerate(rows, start=1):
        for column in row.keys() - column_names:
            raise SnapshotValueError(
                table, number, column, "the table has no such column"
            )
    columns = {field.name: _column(table, field, rows) for field in table.schema}
    arrays = [pa.array(columns[field.name], field.type) for field in table.schema]
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _column(
    table: Table, field: pa.Field, rows: Sequence[Mapping[str, object]]
) -> list[object]:
    check = CHECKS[field.type]
    values: list[object] = []
    for number, row in enumerate(rows, start=1):
        value = row.get(field.name)
        if value is None and not field.nullable:
            raise SnapshotValueError(table, number, field.name, "there must be a value")
        try:
            values.append(None if value is None else check(value))
        except ValueError as error:
            raise SnapshotValueError(table, number, field.name, str(error)) from error
    return values


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text (ids are text too)")
    text = str.__str__(value)  # an enum's value, whatever its own `str` says
    return text.encode(errors="replace").decode()  # no file holds half a character


def _texts(value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is not a list of texts")
    return [_text(table_part) for table_part in value]


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(
            f"{value!r} is not a whole number (amounts are whole minor units)"
        )
    if abs(value) > MAX_INT64:
        raise ValueError(f"{value} does not fit 64 bits")
    return int(value)


def _volume_prices(value: object) -> list[dict[str, int]]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is not a list of volume prices")
    return [_volume_price(step) for step in value]


def _volume_price(step: object) -> dict[str, int]:
    names = ("start_quantity", "price_minor")
    if not isinstance(step, Mapping) or {*step} != {*names}:
        raise ValueError(
            f"{step!r} is not a volume price: it must have {' and '.join(names)}"
        )
    return {name: _whole(step[name]) for name in names}


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not true or false")
    return value


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(f"{value!r} is not a time with a time zone")
    return value.astimezone(UTC)


CHECKS: Mapping[pa.DataType, Callable[[object], object]] = {
    TEXT: _text,
    TEXTS: _texts,
    WHOLE: _whole,
    VOLUME_PRICES: _volume_prices,
    FLAG: _flag,
    MOMENT: _moment,
}


class Growing:
    """A file that is written in groups of `MOST_IN_GROUP` rows, whatever parts it is
    given; `rows` counts them.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        self._waiting: list[pa.Table] = []
        self._has_group = False
        self._writer = parquet.ParquetWriter(
            path, schema, compression="zstd", write_page_checksum=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None and (self._waiting or not self._has_group):
            self.write(
                pa.concat_tables(
                    [self._schema.empty_table(), *self._waiting]
                ).combine_chunks()
            )
        self._writer.close()

    def take(self, table: pa.Table) -> None:
        self._waiting.append(table)
        if (
            len(self._waiting) < MOST_PARTS
            and sum(table_part.num_rows for table_part in self._waiting) < MOST_IN_GROUP
        ):
            return
        rows = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting = [rows]
        if whole_rows := rows.num_rows - rows.num_rows % MOST_IN_GROUP:
            self.write(rows[:whole_rows])
            self._waiting = [rows[whole_rows:]] if whole_rows < rows.num_rows else []
            del rows
            pa.default_memory_pool().release_unused()

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table, row_group_size=MOST_IN_GROUP)
        self._has_group = True
        self.rows += table.num_rows


DECIMAL = pa.decimal128(25, 4)
"""Every amount of 64 bits, in every currency: none has more than four digits."""


def currency_columns(
    names: Sequence[str], tables: Iterable[Table] = TABLES.values()
) -> dict[str, str]:
    """The column of currencies for each amount among these columns; without it here, an
    amount stays as it is.
    """
    column_names = list(tables)
    beside = {
        name: {
            one.columns[name].currency for one in column_names if name in one.columns
        }
        & {*names}
        for name in names
    }
    return {
        name: currency_column.pop()
        for name, currency_column in beside.items()
        if len(currency_column) == 1
    }


def major_name(name: str, names: Sequence[str]) -> str:
    """`paid` for `paid_minor`; `paid_amount` where `paid` is another column."""
    shorter = name.removesuffix("_minor")
    return f"{shorter}_amount" if shorter in names else shorter


def with_decimals(rows: pa.Table, currencies: Mapping[str, str]) -> pa.Table:
    """The rows with decimals in place of these amounts; null where the currency is,
    which means that there is none.
    """
    names = rows.column_names
    for name, currency in currencies.items():
        index = names.index(name)
        field = rows.schema.field(index).with_type(DECIMAL).with_nullable(nullable=True)
        decimals = _decimals(rows.column(name), rows.column(currency))
        rows = rows.set_column(
            index, field.with_name(major_name(name, names)), decimals
        )
    return rows


def _decimals(minor: pa.ChunkedArray, currency: pa.ChunkedArray) -> pa.ChunkedArray:
    from decimal import Decimal

    from pyarrow import compute

    codes = compute.unique(currency)
    units = [
        Decimal(1).scaleb(-minor_digits(code)) if code else None
        for code in codes.to_pylist()
    ]
    unit = pa.array(units, pa.decimal128(5, 4)).take(compute.index_in(currency, codes))
    return compute.multiply(minor.cast(pa.decimal128(19, 0)), unit).cast(DECIMAL)
