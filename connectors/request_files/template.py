"""An empty request file to fill in: the columns and one example row, which is never
bought.
"""

from __future__ import annotations

from pathlib import Path

from connectors.durable import whole
from domain.cells import csv_text
from domain.request_cells import COLUMNS

WRITERS = (".xlsx", ".csv")
WIDTH = 18
AS_TEXT = "@"


def write_template(path: Path) -> None:
    """Write the template whole or not at all, in the format of the path's suffix.

    Raises `ValueError` for another suffix, and `FileExistsError` where a file exists:
    it may be filled in.
    """
    if path.suffix.lower() not in WRITERS:
        raise ValueError(f"{path}: a template ends in {' or '.join(WRITERS)}")
    if path.exists():
        raise FileExistsError(
            f"{path} is there already: name another file, or move it away"
        )
    with whole(path) as unfinished:
        (_write_sheet if path.suffix.lower() == ".xlsx" else _write_text)(unfinished)


def _write_text(path: Path) -> None:
    """Write CSV with a byte order mark, by which Excel recognizes UTF-8."""
    rows = ([column.name for column in COLUMNS], [column.example for column in COLUMNS])
    path.write_text(csv_text(rows), "utf-8-sig", newline="")


def _write_sheet(path: Path) -> None:
    """Write XLSX with text cells only, so that a spreadsheet neither rounds an id nor
    drops a zero.
    """
    from openpyxl import Workbook
    from openpyxl.comments import Comment
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.active
    assert sheet is not None  # of a new book
    sheet.title = "requests"
    sheet.freeze_panes = "A2"
    for number, column in enumerate(COLUMNS, start=1):
        head = sheet.cell(1, number, column.name)
        head.font = Font(bold=True)
        head.comment = Comment(column.words, "sourcing")
        sheet.cell(2, number, column.example or None).number_format = AS_TEXT
        column_dimension = sheet.column_dimensions[get_column_letter(number)]
        column_dimension.width = WIDTH
        column_dimension.number_format = AS_TEXT
    with path.open("wb") as file:
        book.save(file)
