"""Request files as XLSX: the first sheet; cells that show something else than they
store are faults.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile

from connectors.foreign import words_of
from connectors.request_files.decoding import Unusable
from domain.cell_table import MOST_COLUMNS, Row, RowOrRemark
from domain.cells import BLANKS, NotACell, value_text
from domain.request_remarks import HEADER_ROW, WHOLE_FILE, Fault, Remark

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


def read_xlsx(content: bytes, _encoding: str) -> Iterator[RowOrRemark]:
    """The rows of the first sheet. Raises `Unusable`."""
    if content.startswith(OLE):
        raise Unusable(f"is {LOCKED_OR_OLD}")
    from connectors.request_files.xlsx_sheet import Sheet  # loads openpyxl

    try:
        yield from _found(Sheet(content))
    except DAMAGE as error:
        problem = f"can't be read as XLSX ({words_of(error)}); open it in a spreadsheet and save it again"
        raise Unusable(problem) from error


def _found(sheet: Sheet) -> Iterator[RowOrRemark]:
    for name in sheet.other_names:
        words = f"sheet {name!r} is passed over: only the first sheet, {sheet.name!r}, is read"
        yield Remark(WHOLE_FILE, "", words)
    header: list[str] = []
    last = 0  # row with anything under a named column
    for number, cells in sheet.rows():
        if header:
            yield Row(number, cells)
            if any(
                cell is not None
                for cell, name in zip(cells, header, strict=False)
                if name
            ):
                last = number
            continue
        if number != HEADER_ROW:
            raise Unusable(
                f"has no header in row 1: the first cells are in row {number}; delete the rows above the header"
            )
        if len(cells) > MOST_COLUMNS:
            raise Unusable(f"has more than {MOST_COLUMNS} columns")
        for cell in cells:
            if isinstance(cell, NotACell):
                yield Fault(HEADER_ROW, "", f"in the header {cell.why}")
        header = [_name(cell) for cell in cells]
        yield Row(number, header)
    yield from _unseen(sheet, header, last)


def _unseen(sheet: Sheet, header: Sequence[str], last: int) -> Iterator[Remark]:
    """What a person does not see as it is read: hidden rows and columns, and merged
    cells down to the `last` row.
    """
    for number in sheet.hidden_rows:
        words = "this row is hidden or filtered out in the spreadsheet; show it, or delete it"
        yield Fault(number, "", words)
    for at, name in enumerate(header, start=1):
        if name and any(first <= at <= last for first, last in sheet.hidden_columns):
            words = "hidden in the spreadsheet, and read like any other"
            yield Remark(HEADER_ROW, name.lower(), words)
    for area in sheet.merged_areas:
        if area.min_row <= last and any(header[area.min_col - 1 : area.max_col]):
            words = f"cells {area.coord} are merged; take the merge apart and fill in each cell"
            yield Fault(area.min_row, "", words)


def _name(cell: object) -> str:
    is_none = cell is None or isinstance(cell, NotACell | bool)
    return "" if is_none else value_text(cell).strip(BLANKS)
