"""The first sheet of a workbook as openpyxl reads it, and what openpyxl passes over:
formulas without a value, number formats, hidden rows and columns, merged cells.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator
from typing import IO, Any
from xml.etree.ElementTree import Element
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
from openpyxl.styles.stylesheet import Stylesheet
from openpyxl.utils.escape import unescape
from openpyxl.worksheet._reader import FORMULA_TAG, VALUE_TAG, WorkSheetParser
from openpyxl.xml.constants import ARC_STYLE
from openpyxl.xml.functions import fromstring

from connectors.request_files.decoding import Malformed, Unusable
from connectors.request_files.number_formats import (
    AS_IT_IS,
    FOREIGN_DATES,
    SHOWS_DATE,
    NumberFormat,
    format_of,
)
from domain.cell_table import MOST_BLANK_ROWS, MOST_COLUMNS
from domain.cells import NotACell

MAX_PARTS = 5_000
MAX_UNPACKED_BYTES = 192 * 2**20
HARMLESS_UNPACKED_BYTES = 16 * 2**20
MAX_GROWTH = 200  # a sheet of equal rows unpacks to less than half as many times
MAX_TAGS = 4_000_000  # of texts and styles: openpyxl keeps some of each
MAX_TAGS_OF_ROW = 200_000  # a row has at most 16,384 cells
CHUNK_BYTES = 2**16
MAX_CELLS = 2_000_000
# with the point: a longer number lost none of its digits to a formula alone
MAX_SHOWN_DIGITS = 12
SPREADSHEET_LIMIT = 10**15  # spreadsheets round what is typed to 15 digits
NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
CONTROL = re.compile("_x(00[01][0-9A-Fa-f])_")  # as a workbook writes one in a text
ON = ("1", "true")
SHEETS = "xl/worksheets/"
Row = tuple[int, list[object]]

# of what openpyxl can't keep when it saves: nothing is saved here
warnings.filterwarnings("ignore", module="openpyxl")


class Sheet:
    """The first sheet of a workbook. Hidden and merged cells are known once all rows
    were read.

    Raises `Unusable` for a file out of bounds, and for a damaged one any of a dozen
    other errors.
    """

    def __init__(self, content: bytes) -> None:
        _require_bounds(content)
        self._reader = ExcelReader(
            io.BytesIO(content), read_only=True, data_only=True, keep_links=False
        )
        self._reader.read_manifest()
        self._reader.read_strings()
        self._reader.read_workbook()
        (sheet, link), *other_sheets = self._reader.parser.find_sheets()
        if link.Type.endswith("/chartsheet"):
            raise Unusable(
                f"the first sheet, {sheet.name!r}, is a chart; move the sheet with the rows to the front"
            )
        if sheet.state != "visible":
            raise Unusable(
                f"the first sheet, {sheet.name!r}, is hidden; show it, or move the sheet with the rows to the front"
            )
        self.name = sheet.name
        self.other_names = [child_sheet.name for child_sheet, _ in other_sheets]
        self.hidden_rows: list[int] = []
        self.hidden_columns: list[tuple[int, int]] = []
        self.merged_areas: list[Any] = []
        self._part = link.target

    def rows(self) -> Iterator[Row]:
        """The rows with filled cells and their numbers. Cells beyond the header's last
        column share one place after it.
        """
        last_number = 0
        cell_count = 0
        width = MOST_COLUMNS
        with self._reader.archive.open(self._part) as archive_member:
            source = _BoundedSource(archive_member)
            cells = Cells(source, self._reader)
            for number, row in cells.parse():
                source.tags = 0
                if not last_number < number <= MOST_BLANK_ROWS:
                    raise Malformed(f"row {number} comes after row {last_number}")
                last_number = number
                cell_count += len(row)
                if cell_count > MAX_CELLS:
                    raise Unusable(
                        f"has more than {MAX_CELLS:,} cells, blank ones included; delete those or split it"
                    )
                values = _values(row, width)
                if not values:
                    continue
                if width == MOST_COLUMNS:  # this row is the header
                    width = min(len(values), width)
                if cells.is_row_hidden():
                    self.hidden_rows.append(number)
                yield number, values
        self.hidden_columns = [
            (int(column["min"]), int(column["max"]))
            for column in cells.column_dimensions.values()
            if column.get("hidden") in ON or column.get("width") == "0"
        ]
        if cells.merged_cells:
            self.merged_areas = cells.merged_cells.mergeCell


class Cells(WorkSheetParser):
    """The cells of a row by openpyxl, which leaves these to judge: formulas without a
    value, errors, and what a number's format shows.
    """

    def __init__(self, source: _BoundedSource, reader: ExcelReader) -> None:
        super().__init__(source, reader.shared_strings, data_only=True)
        self.sheet_format: Any = None
        calculation = reader.wb.calculation
        self._is_stale = bool(calculation and calculation.fullCalcOnLoad)
        self._formats = [AS_IT_IS]
        if ARC_STYLE in reader.valid_files:
            tree: Any = fromstring(reader.archive.read(ARC_STYLE))
            styles: Any = Stylesheet.from_tree(tree)
            self._formats = [
                _format_of(style.numFmtId, styles.number_formats)
                for style in styles.cell_styles
            ]

    def parse_row(self, row: Any) -> Any:
        """The row's number, and its cells as columns with their values."""
        self.row_dimensions.clear()
        return super().parse_row(row)

    def is_row_hidden(self) -> bool:
        """Whether the row that was read last is hidden or filtered out."""
        row = self.row_dimensions.get(str(self.row_counter), {})
        if "hidden" in row:
            return row["hidden"] in ON
        is_hidden_else = self.sheet_format and self.sheet_format.zeroHeight
        return row.get("ht") == "0" or bool(is_hidden_else)

    def parse_cell(self, element: Any) -> Any:
        cell: dict[str, Any] = super().parse_cell(element)
        return cell["column"], self._value(element, cell)

    def _value(self, element: Element, cell: dict[str, Any]) -> object:
        value = cell["value"]
        kind = cell["data_type"]
        written = element.findtext(VALUE_TAG)
        is_unset = self._is_stale and kind == "n" and written in ("0", "0.0")
        is_bare = value is None or is_unset
        if is_bare and element.find(FORMULA_TAG) is not None:
            # no empty cell but a blank, which is no valid limit
            is_text = kind == "str" and written is not None
            return " " if is_text else _without_value(element)
        if kind == "n" and written:
            return _shown_number(written, self._formats[cell["style_id"]])
        if kind == "s" and value:
            return _written_text(value, is_shared=element.get("t") == "s")
        if kind == "e":
            return NotACell(
                f"{value[:20]} is a spreadsheet's error; put the value in its place"
            )
        if value and kind not in ("b", "d"):
            raise Malformed(f"a cell is of the unknown kind {kind[:20]!r}")
        return value


class _BoundedSource(io.RawIOBase):
    """The XML of a sheet. A row that has no end would be kept whole."""

    def __init__(self, part: IO[bytes]) -> None:
        self.tags = 0
        self._part = part

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._part.read(size)
        self.tags += chunk.count(b"<")
        if self.tags > MAX_TAGS_OF_ROW:
            raise Malformed("a row has more entries than any workbook")
        return chunk


def _require_bounds(content: bytes) -> None:
    # the list of parts alone would fill the memory
    if content.count(b"PK\x01\x02") > MAX_PARTS:
        raise Unusable(
            f"is an archive of more than {MAX_PARTS:,} parts, and no workbook"
        )
    archive = ZipFile(io.BytesIO(content))
    members = archive.infolist()
    if len(archive.NameToInfo) < len(members):
        raise Malformed("it has a part twice")
    # other methods unpack without a bound
    if any(
        archive_member.compress_type not in (ZIP_STORED, ZIP_DEFLATED)
        for archive_member in members
    ):
        raise Malformed("it is packed as no spreadsheet packs")
    # `zipfile` unpacks no more of a part than is declared here
    texts = [
        archive_member
        for archive_member in members
        if archive_member.filename.endswith((".xml", ".rels"))
    ]
    unpacked = sum(archive_member.file_size for archive_member in texts)
    is_bomb = unpacked > max(HARMLESS_UNPACKED_BYTES, MAX_GROWTH * len(content))
    if is_bomb or unpacked > MAX_UNPACKED_BYTES:
        raise Unusable(
            f"unpacks to {unpacked / 2**20:,.0f} MiB; up to {MAX_UNPACKED_BYTES // 2**20} MiB, and {MAX_GROWTH} "
            "times its size, are possible: split it"
        )
    for archive_member in texts:
        with archive.open(archive_member) as file:
            _require_few_tags(file, is_sheet=archive_member.filename.startswith(SHEETS))


def _require_few_tags(file: IO[bytes], *, is_sheet: bool) -> None:
    """Raise `Malformed` for a part that declares entities, which can grow without end,
    or that takes much memory. The tags of a sheet are counted as its rows are read.
    """
    chunk = file.read(CHUNK_BYTES)
    if b"<!DOCTYPE" in chunk.replace(b"\0", b""):
        raise Malformed("it declares a document type")
    tags = 0
    while chunk and not is_sheet:
        tags += chunk.count(b"<") - chunk.count(b"</")
        if tags > MAX_TAGS:
            raise Malformed("it has more entries than any workbook")
        chunk = file.read(CHUNK_BYTES)


def _format_of(number: int, codes: Any) -> NumberFormat:
    if number in FOREIGN_DATES:
        return SHOWS_DATE
    if number < BUILTIN_FORMATS_MAX_SIZE:
        return format_of(BUILTIN_FORMATS.get(number, ""))
    return format_of(codes[number - BUILTIN_FORMATS_MAX_SIZE])


def _values(row: list[tuple[int, object]], width: int) -> list[object]:
    """The values of a row under their columns."""
    values: list[object] = []
    last_column = 0
    for column, value in row:
        if column <= last_column:
            raise Malformed(f"column {column} comes after column {last_column}")
        last_column = column
        if value not in (None, ""):
            place = min(column - 1, width)
            values += [None] * (place + 1 - len(values))
            values[place] = value
    return values


def _written_text(text: str, *, is_shared: bool) -> str:
    """The text without a workbook's escapes; openpyxl has undone those of `_` in shared
    texts alone.
    """
    if "_x" not in text:
        return text
    if is_shared:
        return CONTROL.sub(lambda match: chr(int(match[1], 16)), text)
    return unescape(text)


def _without_value(element: Element) -> NotACell:
    column = element.get("r", "this cell")
    return NotACell(
        f"{column} holds a formula without its value; open the file in a spreadsheet and save it again, or write "
        "the value"
    )


def _shown_number(written: str, number_format: NumberFormat) -> object:
    if number_format.refusal:
        return number_format.refusal
    if not NUMBER.fullmatch(written):
        raise Malformed("a cell of numbers holds something else")
    value = float(written)
    shown = f"{value:.15g}"
    if len(shown) <= MAX_SHOWN_DIGITS:
        # what a spreadsheet shows of a formula: 3.3 for 3.3000000000000003
        value = float(shown)
    if SPREADSHEET_LIMIT <= abs(value) < math.inf:
        return f"{value:.16e}"  # the digits after the 15th are lost
    if not value.is_integer():
        return value
    digits = number_format.min_digits
    return str(int(value)).zfill(digits) if digits else int(value)
