"""Tables as files of other programs: CSV and XLSX; each whole or absent,
whatever crashes.

A spreadsheet takes no text for a formula, ids stay text, and an amount keeps the digits
of its currency.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from connectors.durable import whole
from domain.cells import FORMULA, no_formula

Cell = str | int | float | Decimal | date | None

MOST_SHEET_ROWS = 1_048_575
"""The rows of an Excel sheet below its header."""
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
IDS = ("item_id", "sku_id", "order_id", "shipment_order_id")
WIDTHS = {"title": 40, "problem": 60, "reason": 60, **dict.fromkeys(IDS, 22)}
WIDTH = 14
MOST_DIGITS = 15
"""The digits of a sheet's numbers."""
MOST_TEXT = 32_767
"""The characters that a cell of Excel holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A table to write, row by row; `formats` are a spreadsheet's, by heading, where
    another is meant.
    """

    name: str
    heads: Sequence[str]
    rows: Iterable[Sequence[Cell]]
    count: int
    key: Sequence[str] = ()
    formats: Mapping[str, str] = field(default_factory=dict)


def write_csv(path: Path, table: TableFile) -> None:
    """Write UTF-8 with a byte order mark, by which Excel recognizes it."""
    with (
        whole(path) as unfinished,
        unfinished.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        write_lines(file, table)


def write_lines(file: TextIO, table: TableFile) -> None:
    """Write lines with commas; `'` precedes texts that a spreadsheet would take for
    formulas.
    """
    lines = csv.writer(file)
    lines.writerow(map(no_formula, table.heads))
    lines.writerows([_as_csv(cell) for cell in row] for row in table.rows)


def _as_csv(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return no_formula(CONTROL.sub("", cell))
    if isinstance(cell, bool):
        return str(cell).lower()
    return f"{cell:f}" if isinstance(cell, Decimal) else cell


def write_xlsx(path: Path, tables: Iterable[TableFile]) -> None:
    """Write a sheet a table, with a frozen header. Raises `ValueError` for more rows
    than a sheet has.
    """
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    book.properties.creator = "sourcing"
    for table in tables:
        if table.count > MOST_SHEET_ROWS:
            rows = f"{table.name} has {table.count:,} rows"
            raise ValueError(f"{rows}, more than a sheet of Excel: use another format")
        _fill(book.create_sheet(table.name), table)
    with whole(path) as unfinished:
        book.save(unfinished)


def _fill(sheet: Any, table: TableFile) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    letters = [get_column_letter(at) for at in range(1, len(table.heads) + 1)]
    sheet.freeze_panes = f"{letters[min(len(table.key), len(letters) - 1)]}2"
    sheet.auto_filter.ref = f"A1:{letters[-1]}{table.count + 1}"
    for letter, head in zip(letters, table.heads, strict=True):
        sheet.column_dimensions[letter].width = WIDTHS.get(head, WIDTH)
    styled: dict[tuple[int, str, bool], Any] = {}

    def cell(at: int, value: Cell, number_format: str) -> Any:
        """A style takes long to make, so each column has one cell of each style."""
        is_quoted = isinstance(value, str) and bool(FORMULA.match(value))
        if (made := styled.get((at, number_format, is_quoted))) is None:
            made = styled[at, number_format, is_quoted] = WriteOnlyCell(sheet)
            made.number_format = number_format
            made.quotePrefix = is_quoted
        made.value = value
        if isinstance(value, str):  # else `=1` is a formula, and `#N/A` an error
            made.data_type = "s"
        return made

    header = [WriteOnlyCell(sheet, value=head) for head in table.heads]
    for title in header:
        title.font = Font(bold=True)
    sheet.append(header)
    formats = [table.formats.get(head) for head in table.heads]
    for row in table.rows:
        values = map(_as_sheet, row)
        sheet.append(
            None if value is None else cell(at, value, number_format or _format(value))
            for at, (value, number_format) in enumerate(
                zip(values, formats, strict=True)
            )
        )


def _as_sheet(value: Cell) -> Cell:
    """What a sheet holds: no number of more digits than it keeps."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int | Decimal) and abs(value) >= 10**MOST_DIGITS:
        value = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return CONTROL.sub("", value)[:MOST_TEXT] if isinstance(value, str) else value


def _format(value: str | float | Decimal | date) -> str:
    match value:
        case str():
            return "@"
        case Decimal():
            digits = max(0, -int(value.as_tuple().exponent))
            return f"#,##0{'.' if digits else ''}{'0' * digits}"
        case datetime():
            return "yyyy-mm-dd hh:mm:ss"
        case date():
            return "yyyy-mm-dd"
    return "General"
