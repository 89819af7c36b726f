"""Landed costs as files for bookkeeping: CSV, and a sheet for Excel; each whole or absent, whatever crashes.

Both have one row per order line, the columns of the table `landed_costs`, and amounts in yuan, euros, … instead of
minor units. A spreadsheet takes none of their texts for a formula.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.durable import whole
from connectors.snapshots.rows import each_record
from connectors.snapshots.tables import LANDED_COSTS
from domain.cells import FORMULA, no_formula
from domain.money import Money, minor_digits

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
Cell = str | int | Decimal | date | None

MOST_SHEET_ROWS = 1_048_575
"""The rows of an Excel sheet below its header."""
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
WIDTHS = {"title": 40, "problem": 60, "item_id": 22, "sku_id": 22, "order_id": 22, "shipment_order_id": 22}
WIDTH = 14
NUMBERS = ("line_no", "quantity")
RATES = ("rate", "freight_rate")
DAYS = ("paid_on", "rate_date", "freight_rate_date")


def write_csv(path: Path, costs: pd.DataFrame) -> None:
    """Write UTF-8 with a byte order mark, and commas; `'` precedes texts that a spreadsheet would take for formulas."""
    with whole(path) as unfinished, unfinished.open("w", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(map(_heading, costs.columns))
        lines.writerows([_as_text(cell) for cell in _cells(row)] for row in each_record(costs))


def write_xlsx(path: Path, costs: pd.DataFrame) -> None:
    """Write one sheet with a frozen header, numbers, dates, and ids as text. At most `MOST_SHEET_ROWS` rows."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("landed costs")
    _lay_out(sheet, list(costs.columns), len(costs))
    for row in each_record(costs):
        sheet.append([_styled(sheet, cell, name, row) for name, cell in zip(row, _cells(row), strict=True)])
    book.properties.creator = "sourcing"
    with whole(path) as unfinished:
        book.save(unfinished)


def _cells(row: Row) -> Iterator[Cell]:
    for name, value in row.items():
        if value is None:
            yield None
        elif name.endswith("_minor"):
            yield Money(value, _currency(name, row)).major
        elif name in DAYS:
            yield date.fromisoformat(value)
        else:
            yield Decimal(value) if name in RATES else CONTROL.sub("", value) if isinstance(value, str) else value


def _currency(name: str, row: Row) -> str:
    return str(row[LANDED_COSTS.columns[name].currency] or row["currency"])


def _heading(name: str) -> str:
    return name.removesuffix("_minor")


def _as_text(cell: Cell) -> str:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return no_formula(cell) if isinstance(cell, str) else "" if cell is None else str(cell)


def _lay_out(sheet: Any, names: list[str], rows: int) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    letters = [get_column_letter(at) for at in range(1, len(names) + 1)]
    for letter, name in zip(letters, names, strict=True):
        sheet.column_dimensions[letter].width = WIDTHS.get(name, WIDTH)
    sheet.freeze_panes = "C2"
    sheet.auto_filter.ref = f"A1:{letters[-1]}{rows + 1}"
    header = [WriteOnlyCell(sheet, _heading(name)) for name in names]
    for cell in header:
        cell.font = Font(bold=True)
    sheet.append(header)


def _styled(sheet: Any, value: Cell, name: str, row: Row) -> object:
    from openpyxl.cell import WriteOnlyCell

    if value is None or type(value) is int:
        return value
    cell: Any = WriteOnlyCell(sheet, value)  # type: ignore[arg-type]  # its stubs lack dates and decimals
    if isinstance(value, str):
        cell.data_type, cell.number_format = "s", "@"  # else `=1` is a formula, and `#N/A` an error
        cell.quotePrefix = bool(FORMULA.match(value))
    elif isinstance(value, date):
        cell.number_format = "yyyy-mm-dd"
    elif name in RATES:
        cell.number_format = "0.0###########"
    elif isinstance(value, Decimal):
        digits = minor_digits(_currency(name, row))
        cell.number_format = f"#,##0{'.' if digits else ''}{'0' * digits}"
    return cell
