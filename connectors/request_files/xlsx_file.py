"""Request files as XLSX: the first sheet; cells that show something else than they
store are faults.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile

from connectors.foreign import words_of
from connectors.request_files.csv_file import RowSink
from connectors.request_files.decoding import Unusable
from domain.cells import BLANKS, NotACell, value_text
from domain.request_files import MOST_COLUMNS
from domain.request_remarks import HEADER_ROW, UNNAMED

if TYPE_CHECKING:
    from connectors.request_files.xlsx_sheet import Sheet

DAMAGE = (
    AttributeError,
    BadZipFile,
    ExpatError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    ParseError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)

OLE = b"\xd0\xcf\x11\xe0"
"""Begins the container of both a workbook with a password and Excel's old format."""
LOCKED_OR_OLD = (
    "a workbook with a password, or an old Excel file (.xls): take the password off, and save it as XLSX (in Excel: "
    "Save As, type “Excel Workbook”)"
)


def read_xlsx(content: bytes, _encoding: str, table: RowSink) -> None:
    """Add the rows to the table. Raises `Unusable`."""
    if content.startswith(OLE):
        raise Unusable(f"is {LOCKED_OR_OLD}")
    from connectors.request_files.xlsx_sheet import Sheet  # loads openpyxl

    try:
        _read(Sheet(content), table)
    except DAMAGE as error:
        problem = f"can't be read as XLSX ({words_of(error)}); open it in a spreadsheet and save it again"
        raise Unusable(problem) from error


def _read(sheet: Sheet, table: RowSink) -> None:
    for name in sheet.other_names:
        table.warn(
            0,
            "",
            f"sheet {name!r} is passed over: only the first sheet, {sheet.name!r}, is read",
        )
    rows = sheet.rows()
    header = _first_row(rows)
    columns = _header(header, table)
    table.begin(columns)
    named = [at for at, column in enumerate(columns) if column.strip(BLANKS)]
    filled = _data(rows, columns, named, table)
    if columns or filled:
        table.lack([column for column in columns if column])
    _refuse_hidden(sheet, columns, table)
    _refuse_merged(sheet, named, filled, table)


def _first_row(rows: Iterator[tuple[int, list[object]]]) -> list[object]:
    for number, cells in rows:
        if number == HEADER_ROW:
            return cells
        raise Unusable(
            f"has no header in row 1: the first cells are in row {number}; delete the rows above the header"
        )
    return []


def _header(cells: list[object], table: RowSink) -> list[str]:
    if len(cells) > MOST_COLUMNS:
        last = (
            max((at for at, cell in enumerate(cells) if cell is not None), default=-1)
            + 1
        )
        if last > MOST_COLUMNS:
            raise Unusable(f"has {last:,} columns; up to {MOST_COLUMNS} are possible")
        cells = cells[:last]
    for cell in cells:
        if isinstance(cell, NotACell):
            table.fault(HEADER_ROW, "", f"in the header {cell.why}")
    return [
        "" if cell is None or isinstance(cell, NotACell | bool) else value_text(cell)
        for cell in cells
    ]


def _data(
    rows: Iterator[tuple[int, list[object]]],
    columns: list[str],
    named: list[int],
    table: RowSink,
) -> int:
    """Add the rows to the table; returns the last row with anything under a named
    column.
    """
    last = 0
    known = set(named)
    for number, cells in rows:
        table.add(number, cells)
        if any(cells[at] is not None for at in named if at < len(cells)):
            last = number
        if any(
            cell is not None and at not in known and str(cell).strip(BLANKS)
            for at, cell in enumerate(cells)
        ):
            table.warn(number, "", UNNAMED)
        if table.is_full:
            break
    return last


def _refuse_hidden(sheet: Sheet, columns: list[str], table: RowSink) -> None:
    for number in sheet.hidden_rows:
        table.fault(
            number,
            "",
            "this row is hidden or filtered out in the spreadsheet; show it, or delete it",
        )
    for at, column in enumerate(columns):
        if column and any(
            first <= at + 1 <= last for first, last in sheet.hidden_columns
        ):
            table.warn(
                HEADER_ROW,
                column.strip(BLANKS).lower(),
                "hidden in the spreadsheet, and read like any other",
            )


def _refuse_merged(sheet: Sheet, named: list[int], filled: int, table: RowSink) -> None:
    for area in sheet.merged_areas:
        columns = range(area.min_col - 1, area.max_col)
        if area.min_row <= filled and any(at in columns for at in named):
            table.fault(
                area.min_row,
                "",
                f"cells {area.coord} are merged; take the merge apart and fill in each cell",
            )
