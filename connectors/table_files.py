"""Tables as files of other programs: CSV, XLSX and SQLite; each whole or absent, whatever crashes.

A spreadsheet takes no text for a formula, ids stay text, and an amount keeps the digits of its currency.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from connectors.durable import whole
from domain.cells import EXACT_FLOAT_LIMIT, FORMULA, no_formula


class ExportFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    SQLITE = "sqlite"


Cell = str | int | float | Decimal | date | None

MOST_SHEET_ROWS = 1_048_575
"""The rows of an Excel sheet below its header."""
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
IDS = ("item_id", "sku_id", "order_id", "shipment_order_id")
WIDTHS = {"title": 40, "problem": 60, "reason": 60, **dict.fromkeys(IDS, 22)}
WIDTH = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A table to write; `formats` are a spreadsheet's, by heading, where that of the type is not meant."""

    name: str
    heads: Sequence[str]
    rows: Iterable[Sequence[Cell]]
    count: int
    key: Sequence[str] = ()
    formats: Mapping[str, str] = field(default_factory=dict)


def write_csv(path: Path, table: TableFile) -> None:
    """Write UTF-8 with a byte order mark, by which Excel recognizes it."""
    with whole(path) as unfinished, unfinished.open("w", encoding="utf-8-sig", newline="") as file:
        write_lines(file, table)


def write_lines(file: TextIO, table: TableFile) -> None:
    """Write lines with commas; `'` precedes texts that a spreadsheet would take for formulas."""
    lines = csv.writer(file)
    lines.writerow(map(no_formula, table.heads))
    lines.writerows(map(_as_text, row) for row in table.rows)


def write_xlsx(path: Path, tables: Iterable[TableFile]) -> None:
    """Write a sheet a table, with a frozen header. Raises `ValueError` for more rows than a sheet has."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    book.properties.creator = "sourcing"
    for table in tables:
        if table.count > MOST_SHEET_ROWS:
            raise ValueError(f"{table.name} has {table.count:,} rows, more than a sheet of Excel: use another format")
        sheet = book.create_sheet(table.name)
        _lay_out(sheet, table)
        cells = [_Cells(sheet, table.formats.get(head)) for head in table.heads]
        for row in table.rows:
            sheet.append([column.styled(value) for column, value in zip(cells, row, strict=True)])
    with whole(path) as unfinished:
        book.save(unfinished)


def write_sqlite(path: Path, tables: Iterable[TableFile]) -> None:
    """Write a database with a table each; decimals are SQLite's REAL, times are text, which sorts as they do."""
    import sqlite3
    from contextlib import closing

    with whole(path) as unfinished, closing(sqlite3.connect(unfinished)) as database:
        for table in tables:
            columns = ", ".join(map(_quoted, table.heads))
            key = f", PRIMARY KEY ({', '.join(map(_quoted, table.key))})" if table.key else ""
            database.execute(f"CREATE TABLE {_quoted(table.name)} ({columns}{key})")
            marks = ", ".join("?" * len(table.heads))
            rows = (list(map(_as_value, row)) for row in table.rows)
            database.executemany(f"INSERT INTO {_quoted(table.name)} VALUES ({marks})", rows)
        database.commit()


def _as_text(cell: Cell) -> str:
    if isinstance(cell, str):
        return no_formula(CONTROL.sub("", cell))
    if isinstance(cell, bool):
        return str(cell).lower()
    return "" if cell is None else f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


def _as_value(cell: Cell) -> object:
    return float(cell) if isinstance(cell, Decimal) else str(cell) if isinstance(cell, date) else cell


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _lay_out(sheet: Any, table: TableFile) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    letters = [get_column_letter(at) for at in range(1, len(table.heads) + 1)]
    for letter, name in zip(letters, table.heads, strict=True):
        sheet.column_dimensions[letter].width = WIDTHS.get(name, WIDTH)
    sheet.freeze_panes = f"{letters[min(len(table.key), len(letters) - 1)]}2"
    sheet.auto_filter.ref = f"A1:{letters[-1]}{table.count + 1}"
    header = [WriteOnlyCell(sheet, CONTROL.sub("", name)) for name in table.heads]
    for cell in header:
        cell.font = Font(bold=True)
        cell.data_type = "s"
    sheet.append(header)


class _Cells:
    """The cells of a column, one a style, filled anew for each row: a style takes longer than writing a row."""

    def __init__(self, sheet: Any, number_format: str | None) -> None:
        self._sheet, self._number_format = sheet, number_format
        self._made: dict[tuple[str, bool], Any] = {}

    def styled(self, value: Cell) -> object:
        if isinstance(value, float) and not math.isfinite(value):
            return None  # a sheet has no such number
        if isinstance(value, int | Decimal) and not -EXACT_FLOAT_LIMIT < value < EXACT_FLOAT_LIMIT:
            value = f"{value:f}" if isinstance(value, Decimal) else str(value)  # a sheet's numbers have 15 digits
        if value is None or isinstance(value, int | float):
            return value
        text = CONTROL.sub("", value) if isinstance(value, str) else value
        style = self._number_format or _format(value), isinstance(text, str) and bool(FORMULA.match(text))
        if style not in self._made:
            self._made[style] = self._cell(*style)
        cell = self._made[style]
        cell.value = text
        if isinstance(text, str):
            cell.data_type = "s"  # else `=1` is a formula, and `#N/A` an error
        return cell

    def _cell(self, number_format: str, is_quoted: bool) -> Any:  # noqa: FBT001
        from openpyxl.cell import WriteOnlyCell

        cell: Any = WriteOnlyCell(self._sheet)
        cell.number_format, cell.quotePrefix = number_format, is_quoted
        return cell


def _format(value: str | Decimal | date) -> str:
    if isinstance(value, str):
        return "@"
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        digits = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        return f"#,##0{'.' if digits else ''}{'0' * digits}"
    return "yyyy-mm-dd hh:mm:ss" if isinstance(value, datetime) else "yyyy-mm-dd"
