"""The snapshots as pandas frames: `Snapshots()["orders"]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import pyarrow as pa

from connectors.snapshots.files import QueryError, SnapshotDamaged, snapshots_below
from connectors.snapshots.reader import arrow_answer, moment_of
from connectors.snapshots.rows import currency_columns, with_decimals
from connectors.snapshots.sources import (
    AHEAD,
    FAULTS,
    Source,
    open_file,
    require_readable,
    rows_in,
    steady,
)
from connectors.snapshots.tables import TABLES, Table

if TYPE_CHECKING:
    import pandas as pd
    from pyarrow.compute import Expression

T = TypeVar("T")
Moment: TypeAlias = datetime | str
Where: TypeAlias = "Expression | Sequence[object]"


class Snapshots:
    """Reads the snapshots below `root`; without it, those of the settings.

    Frames have Arrow's types: ids are text, amounts `int64` minor units, times UTC,
    nulls stay nulls. A table without files is an empty frame of these types;
    a column that an old snapshot lacks is null there. `columns` and `where` read no
    more than they need; `where` is a `pyarrow.compute` expression such as
    `field("state") == "held"`, or a list as for `pandas.read_parquet`: `[("state",
    "==", "held")]`. Files may be replaced
    meanwhile. `frame.attrs` has the words of the table, and of each of its columns.

    `at`, `since` and `until` are the id of a snapshot (the state as of its writing), a
    `datetime` with a zone, or a text such as `2026-11-26 06:00` or `06:00`, in UTC
    without a zone, or `12h`, `7d` ago.

    With `money=True` amounts are decimals in their currency, in columns without
    `_minor`: `paid` for `paid_minor`. With `categories=True` texts that repeat are
    pandas' categories, which group and sort faster in less memory.

    Raises `QueryError` for an impossible query, and `SnapshotDamaged` for a damaged
    file.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self._root = _settings_root() if root is None else Path(root)

    def __repr__(self) -> str:
        """The tables with their rows in the current state."""
        names = max(map(len, TABLES))
        field_metadata = []
        for table in TABLES.values():
            if table.has_current:
                rows = rows_in(Source(self._root, table).current, table).count_rows()
                field_metadata.append(f"  {table.name:{names}} {rows:>11,}")
        return "\n".join([f"Snapshots({str(self._root)!r})", *field_metadata])

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.table(name)

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def _ipython_key_completions_(self) -> list[str]:
        return list(TABLES)

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(TABLES)

    def table(
        self,
        name: str,
        at: Moment | None = None,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        *,
        money: bool = False,
        categories: bool = False,
    ) -> pd.DataFrame:
        """The newest row of each key as of `at`, if it meets `where`."""
        return _frame(
            self.arrow(name, at, columns, where), money=money, categories=categories
        )

    def batches(
        self,
        name: str,
        rows: int = 50_000,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        *,
        money: bool = False,
    ) -> Iterator[pd.DataFrame]:
        """The current state in frames of at most so many rows, for a table that is
        larger than the memory.

        All are of the moment of the call, also where a file is replaced between two of
        them.
        """
        table = _table(name)
        column_names = _columns(table, columns)
        condition = _condition(table, where)
        schema = pa.schema(
            [table.schema.field(column) for column in column_names],
            table.schema.metadata,
        )
        how = {
            **AHEAD,
            "columns": column_names,
            "filter": condition,
            "batch_size": rows,
        }

        def opened(source: Source) -> Iterator[pa.RecordBatch]:
            files = [open_file(path) for path in source.current]
            return (
                batch
                for file in files
                for batch in file.scanner(table.schema, **how).to_batches()
            )

        batches = (
            self._read(opened, table)
            if table.has_current
            else self.arrow(name, None, columns, where).to_batches(rows)
        )
        return (
            _frame(pa.Table.from_batches([batch], schema), money=money)
            for batch in batches
            if batch.num_rows
        )

    def arrow(
        self,
        name: str,
        at: Moment | None = None,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
    ) -> pa.Table:
        """The newest row of each key as of `at`, if it meets `where`, as an Arrow
        table.
        """
        table = _table(name)
        column_names = _columns(table, columns)
        condition = _condition(table, where)

        def read(source: Source) -> pa.Table:
            data = rows_in(source.current, table, texts_as_numbers=condition is None)
            schema = pa.schema(
                [table.schema.field(column) for column in column_names],
                table.schema.metadata,
            )
            batches = data.scanner(
                columns=column_names, filter=condition, **AHEAD
            ).to_batches()
            return pa.Table.from_batches(
                (batch.cast(schema) for batch in batches), schema=schema
            )

        if at is None and table.has_current:
            return self._read(read, table)
        of = f"{name}_at($at)" if at else name
        query = f"FROM {of} ORDER BY {', '.join(table.key)}"
        rows = arrow_answer(self._root, query, {"at": self._moment(at)}).cast(
            table.schema
        )
        return (rows if condition is None else rows.filter(condition)).select(
            column_names
        )

    def history(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        *,
        money: bool = False,
        categories: bool = False,
    ) -> pd.DataFrame:
        """What each run wrote, the oldest day first."""
        table = _table(name)
        column_names = _columns(table, columns)
        condition = _condition(table, where)

        def read(source: Source) -> pa.Table:
            return (
                rows_in(source.history, table)
                .scanner(column_names, filter=condition, **AHEAD)
                .to_table()
            )

        return _frame(self._read(read, table), money=money, categories=categories)

    def sql(
        self, query: str, *, money: bool = False, categories: bool = False
    ) -> pd.DataFrame:
        """The answer to one reading statement in DuckDB's SQL, as `sourcing sql` gives
        it.
        """
        return _frame(
            arrow_answer(self._root, query), money=money, categories=categories
        )

    def _moment(self, moment: Moment | None) -> str | None:
        """The moment for SQL: an id stays as it is."""
        if isinstance(moment, str) and moment not in dict(snapshots_below(self._root)):
            moment = moment_of(moment, datetime.now(UTC), "UTC")
        return _utc(moment).isoformat() if isinstance(moment, datetime) else moment

    def _read(self, read: Callable[[Source], T], table: Table) -> T:
        def read_or_raise() -> T:
            source = Source(self._root, table)
            try:
                return read(source)
            except FAULTS as error:
                require_readable(source)
                raise SnapshotDamaged(f"{table.name} has just changed") from error

        return steady(read_or_raise)


def _settings_root() -> Path:
    from connectors.settings import SourcingSettings

    return SourcingSettings().snapshot_root


def _frame(
    table: pa.Table, *, money: bool = False, categories: bool = False
) -> pd.DataFrame:
    import pandas as pd

    whole = (
        table if table.num_rows else table.schema.empty_table()
    )  # pandas can't merge columns without a chunk
    if money:
        metadata = whole.schema.metadata or {}
        of = (
            [TABLES[metadata[b"table"].decode()]]
            if b"table" in metadata
            else TABLES.values()
        )
        whole = with_decimals(whole, currency_columns(whole.column_names, of))
    if categories:
        whole = _with_categories(whole)
    frame: pd.DataFrame = whole.to_pandas(
        types_mapper=lambda kind: (
            None if pa.types.is_dictionary(kind) else pd.ArrowDtype(kind)
        )
    )
    frame.attrs.update(_words(whole.schema))
    return frame


def _with_categories(table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        if field.type == pa.string():
            values = table.column(index).combine_chunks().dictionary_encode()
            if len(values.dictionary) <= table.num_rows // 2:
                table = table.set_column(index, field.with_type(values.type), values)
    return table


def _words(schema: pa.Schema) -> dict[str, object]:
    field_metadata = {field.name: field.metadata for field in schema if field.metadata}
    columns = {
        name: {
            key.decode(): metadata[key].decode()
            for key in (b"description", b"unit")
            if key in metadata
        }
        for name, metadata in field_metadata.items()
    }
    about = (schema.metadata or {}).get(b"description")
    return {
        **({"description": about.decode()} if about else {}),
        **({"columns": columns} if columns else {}),
    }


def _table(name: str) -> Table:
    if name not in TABLES:
        raise QueryError(f"there is no table {name}; there are {', '.join(TABLES)}")
    return TABLES[name]


def _columns(table: Table, columns: Sequence[str] | None) -> list[str]:
    column_names = (
        table.schema.names if columns is None else list(dict.fromkeys(columns))
    )
    if unknown := [name for name in column_names if name not in table.columns]:
        raise QueryError(
            f"table {table.name} has no column {unknown[0]}; it has {', '.join(table.columns)}"
        )
    return column_names


def _condition(table: Table, where: Where | None) -> Expression | None:
    from pyarrow.compute import Expression
    from pyarrow.parquet import filters_to_expression

    if where is None:
        return None
    try:
        condition = (
            where if isinstance(where, Expression) else filters_to_expression(where)
        )
        pa.Table.from_pylist([{}], table.schema).filter(
            condition
        )  # without a row a time without zone is not refused
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise QueryError(
            f"where {where} can't be asked of table {table.name}: {error}"
        ) from error
    return condition


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise QueryError(
            f"{moment} has no time zone; give UTC, such as datetime(2026, 11, 26, 6, tzinfo=UTC)"
        )
    return moment.astimezone(UTC)
