"""Snapshot tables, or the answer to a query, as files that other programs read.

Amounts are decimals of their currency, times of the merchant's zone, ids and lists
texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from connectors.durable import whole
from connectors.export_formats import ExportFormat
from connectors.settings import SourcingSettings
from connectors.snapshots.files import QueryError
from connectors.snapshots.frames import Snapshots
from connectors.snapshots.reader import QueryBounds, arrow_answer
from connectors.snapshots.rows import (
    RECORDS_AT_ONCE,
    currency_columns,
    major_name,
    with_decimals,
)
from connectors.snapshots.tables import LANDED_COSTS, TABLES
from connectors.table_files import (
    TEXT,
    Cell,
    Column,
    TableFile,
    number_column,
    text_column,
    write_csv,
    write_lines,
    write_xlsx,
)
from domain.money import minor_digits

QUERY = "query"


def export(
    settings: SourcingSettings,
    kind: ExportFormat,
    file: Path | None = None,
    *,
    tables: Sequence[str] = (),
    query: str = "",
    bounds: QueryBounds,
) -> tuple[Path, dict[str, int]]:
    """Write tables (all of them, where neither tables nor a query are named); answers
    the file, and its rows by table.

    Raises `ValueError` for what can't be exported so, `QueryError`, `SnapshotDamaged`
    and `OSError`.
    """
    names = list(dict.fromkeys(tables)) or ([QUERY] if query else list(TABLES))
    if query and tables:
        raise ValueError("give tables or a query, not both")
    if kind in (ExportFormat.CSV, ExportFormat.PARQUET) and len(names) > 1:
        raise ValueError(f"{kind} holds one table: name one, or export to xlsx")
    target = (
        file
        or settings.data_dir
        / "exports"
        / f"{names[0] if len(names) == 1 else 'tables'}.{kind}"
    )
    _require_place(target.resolve(), settings)
    counts: dict[str, int] = {}
    zone = ZoneInfo(settings.timezone)

    def read() -> Iterator[tuple[str, pa.Table]]:
        for name in names:
            rows = (
                _answer(settings, query, bounds)
                if query
                else Snapshots(settings.snapshot_root).arrow(name)
            )
            counts[name] = rows.num_rows
            yield name, rows

    files = (table_file(name, rows, zone) for name, rows in read())
    if kind is ExportFormat.PARQUET:
        _write_parquet(target, typed(*next(read()), zone))
    elif kind is ExportFormat.CSV:
        write_csv(target, next(files))
    else:
        write_xlsx(target, files)
    return target, counts


def _write_parquet(target: Path, rows: pa.Table) -> None:
    try:
        with whole(target) as unfinished:
            parquet.write_table(rows, unfinished, compression="zstd")
    except pa.ArrowNotImplementedError:
        kinds = ", ".join(sorted({str(field.type) for field in rows.schema}))
        raise ValueError(
            f"Parquet has no place for one of these types, cast it to VARCHAR: {kinds}"
        ) from None


def print_csv(
    settings: SourcingSettings, query: str, bounds: QueryBounds, file: TextIO
) -> None:
    """Write the answer to a query as lines of CSV."""
    write_lines(
        file,
        table_file(
            QUERY, _answer(settings, query, bounds), ZoneInfo(settings.timezone)
        ),
    )


def typed(name: str, rows: pa.Table, zone: ZoneInfo) -> pa.Table:
    """The rows with decimals of amounts, and times of the zone."""
    rows = with_decimals(rows, _currencies(name, rows))
    for index, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz:
            local = pa.timestamp("us", zone.key)
            rows = rows.set_column(
                index, field.with_type(local), rows.column(index).cast(local)
            )
    return rows


def table_file(name: str, rows: pa.Table, zone: ZoneInfo) -> TableFile:
    """The rows as cells."""
    names = rows.column_names
    currencies = _currencies(name, rows)
    heads = [
        major_name(column, names) if column in currencies else column
        for column in names
    ]
    key = TABLES[name].key if name in TABLES else ()
    return TableFile(
        name=name,
        heads=heads,
        parts=_parts(rows, currencies, zone),
        count=rows.num_rows,
        key=key,
    )


def _currencies(name: str, rows: pa.Table) -> dict[str, str]:
    return currency_columns(
        rows.column_names, [TABLES[name]] if name in TABLES else TABLES.values()
    )


def _parts(
    rows: pa.Table, currencies: dict[str, str], zone: ZoneInfo
) -> Iterator[Sequence[Column]]:
    read = _reader(zone)
    for batch in rows.to_batches(RECORDS_AT_ONCE):
        yield [
            amounts(batch[name], batch[currencies[name]])
            if name in currencies
            else column(batch[name], read)
            for name in batch.schema.names
        ]


def column(values: pa.Array, read: Callable[[Any], Cell]) -> Column:
    """The cells of an Arrow column."""
    values = (
        values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    )
    if pa.types.is_string(values.type):
        return text_column(values)
    if pa.types.is_decimal(values.type):
        return number_column(values.cast(pa.string()))
    if pa.types.is_primitive(values.type) and not pa.types.is_time(values.type):
        return Column(values, read)
    cells = map(read, values.to_pylist())
    return text_column(
        pa.array([cell if cell is None else str(cell) for cell in cells], TEXT)
    )


def amounts(minor: pa.Array, currency: pa.Array) -> Column:
    """The amounts in their currency; None without one, as for an order that nothing was
    approved of.
    """
    texts = pa.nulls(len(minor), pa.string())
    for code in filter(None, currency.unique().to_pylist()):
        unit = pa.scalar(Decimal(1).scaleb(-minor_digits(code)))
        of_it = pc.multiply(minor.cast(pa.decimal128(19, 0)), unit).cast(pa.string())
        texts = pc.if_else(pc.equal(currency, code), of_it, texts)
    return number_column(texts)


def _reader(zone: ZoneInfo) -> Callable[[object], Cell]:
    def cell(value: object) -> Cell:
        if isinstance(value, datetime):
            return (value.astimezone(zone) if value.tzinfo else value).replace(
                tzinfo=None, microsecond=0
            )
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return ", ".join(value)
        if isinstance(value, list | dict):
            return json.dumps(value, ensure_ascii=False, default=str)
        return value if value is None or isinstance(value, Cell) else str(value)

    return cell


def _answer(settings: SourcingSettings, query: str, bounds: QueryBounds) -> pa.Table:
    rows = arrow_answer(settings.snapshot_root, query, bounds=bounds)
    if len({*map(str.lower, rows.column_names)}) < rows.num_columns:
        raise QueryError(
            f"two columns of the answer have one name among {', '.join(rows.column_names)}: use AS"
        )
    return rows


def _require_place(file: Path, settings: SourcingSettings) -> None:
    """Refuse what would replace a file of the product, such as the ledger."""
    own = [settings.data_dir.resolve(), settings.snapshot_root.resolve()]
    free = own[0] / "exports"
    ledger = settings.ledger_url.partition(":///")[2].partition("?")[0]
    if file == Path(ledger).resolve() or (
        any(map(file.is_relative_to, own)) and not file.is_relative_to(free)
    ):
        raise ValueError(
            f"{file} is among the product's own files: name one below {free}, or elsewhere"
        )


RATES = ("rate", "freight_rate")
LINES_AT_ONCE = 4_000
DAYS = ("paid_on", "rate_date", "freight_rate_date")


def cost_lines(rows: pa.Table) -> TableFile:
    """The lines of these costs, for any number of files."""
    return TableFile(
        name="landed costs",
        heads=[name.removesuffix("_minor") for name in rows.column_names],
        parts=[
            [_column(batch, name) for name in rows.column_names]
            for batch in rows.to_batches(LINES_AT_ONCE)
        ],
        count=len(rows),
        key=LANDED_COSTS.key,
        formats=dict.fromkeys(RATES, "0.0###########"),
    )


def _column(rows: pa.RecordBatch, name: str) -> Column:
    if name.endswith("_minor"):
        return amounts(
            rows[name],
            pc.coalesce(rows[LANDED_COSTS.columns[name].currency], rows["currency"]),
        )
    if name in RATES:
        return number_column(rows[name])
    return (
        Column(rows[name], _day)
        if name in DAYS
        else column(rows[name], lambda value: value)
    )


def _day(text: str | None) -> Cell:
    return None if text is None else date.fromisoformat(text)
