"""Snapshot tables, or the answer to a query, as files that other programs read.

Amounts are decimals of their currency, times of the merchant's zone, ids and lists
texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    Cell,
    TableFile,
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
        rows=_rows(rows, currencies, zone),
        count=rows.num_rows,
        key=key,
    )


def _currencies(name: str, rows: pa.Table) -> dict[str, str]:
    return currency_columns(
        rows.column_names, [TABLES[name]] if name in TABLES else TABLES.values()
    )


def _rows(
    rows: pa.Table, currencies: dict[str, str], zone: ZoneInfo
) -> Iterator[Sequence[Cell]]:
    read = _reader(zone)
    for batch in rows.to_batches(RECORDS_AT_ONCE):
        columns = (
            amounts(batch[name], batch[currencies[name]])
            if name in currencies
            else map(read, batch[name].to_pylist())
            for name in batch.schema.names
        )
        yield from zip(*columns, strict=True)


def amounts(minor: pa.Array, currency: pa.Array) -> Iterator[Decimal | None]:
    """The amounts in their currency; None without one, as for an order that nothing was
    approved of.
    """
    for amount, code in zip(minor.to_pylist(), currency.to_pylist(), strict=True):
        has_both = amount is not None and code
        yield Decimal(amount).scaleb(-minor_digits(code)) if has_both else None


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
DAYS = ("paid_on", "rate_date", "freight_rate_date")


def cost_lines(rows: pa.Table) -> TableFile:
    """The lines of these costs, for one file."""
    return TableFile(
        name="landed costs",
        heads=[name.removesuffix("_minor") for name in rows.column_names],
        rows=(
            row
            for batch in rows.to_batches(RECORDS_AT_ONCE)
            for row in zip(
                *(_column(batch, name) for name in rows.column_names), strict=True
            )
        ),
        count=len(rows),
        key=LANDED_COSTS.key,
        formats=dict.fromkeys(RATES, "0.0###########"),
    )


def _column(rows: pa.RecordBatch, name: str) -> Iterable[Cell]:
    if name.endswith("_minor"):
        currency = LANDED_COSTS.columns[name].currency
        return amounts(rows[name], pc.coalesce(rows[currency], rows["currency"]))
    texts: list[Any] = rows[name].to_pylist()
    if name in RATES:
        return (text and Decimal(text) for text in texts)
    if name in DAYS:
        return (text and date.fromisoformat(text) for text in texts)
    return texts
