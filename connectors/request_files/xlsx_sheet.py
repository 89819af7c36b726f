"""The rows of one XLSX sheet as openpyxl reads them, and what openpyxl passes over:
formulas without a value, number formats, hidden rows and columns, merged cells.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element

from openpyxl.utils.cell import range_boundaries
from openpyxl.utils.escape import unescape
from openpyxl.worksheet._reader import (
    FORMULA_TAG,
    INLINE_STRING,
    VALUE_TAG,
    WorkSheetParser,
)
from openpyxl.xml.constants import SHEET_MAIN_NS

from connectors.request_files.decoding import Malformed, Unusable
from connectors.request_files.number_formats import (
    AS_IT_IS,
    NumberFormat,
    builtin_format,
    format_of,
)
from connectors.request_files.xlsx_package import (
    ENTRY_IN_GROUP,
    ENTRY_IN_LIST,
    Package,
    local_name,
)
from domain.cells import NotACell
from domain.request_files import MOST_BLANK_ROWS, MOST_COLUMNS

# with the point: a longer number lost none of its digits to a formula alone
MAX_SHOWN_DIGITS = 12
SPREADSHEET_LIMIT = 10**15  # spreadsheets round what is typed to 15 digits
NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
WHOLE = re.compile(r"-?[0-9]{1,15}")
MAX_CELLS = 2_000_000
TEXT = f"{{{SHEET_MAIN_NS}}}t"
FORMATTED_TEXT = f"{{{SHEET_MAIN_NS}}}r/{TEXT}"
ON = ("1", "true")


class Workbook:
    """The first sheet of a package. Hidden and merged cells are known once all rows
    were read.
    """

    def __init__(self, package: Package) -> None:
        self.hidden_rows: list[int] = []
        self.hidden_columns: list[tuple[int, int]] = []
        self.merged: list[str] = []
        self._package = package
        self._is_stale = False
        self._read_parts()

    def _read_parts(self) -> None:
        files = self._package.related().values()
        books = [file.part for file in files if file.kind == "officeDocument"]
        book = (*books, "xl/workbook.xml")[0]
        related = self._package.related(book)
        links: list[str] = []
        states: list[str] = []
        self._names: list[str] = []
        for group, entry in self._package.entries(book, ENTRY_IN_GROUP):
            name = local_name(entry)
            if group == "sheets" and name == "sheet":
                self._names.append(entry.get("name", ""))
                states.append(entry.get("state", "visible"))
                links += [
                    link for key, link in entry.attrib.items() if key.endswith("}id")
                ]
            elif name == "calcPr":
                self._is_stale = entry.get("fullCalcOnLoad") in ON
        self._sheets = [related[link] for link in links]
        if not self._sheets:
            raise Malformed("it has no sheet")
        _require_visible_table(self.name, self._sheets[0].kind, states[0])
        parts = {file.kind: file.part for file in related.values()}
        self._texts = self._read_texts(parts.get("sharedStrings", ""))
        self._formats = self._read_formats(parts.get("styles", ""))

    @property
    def name(self) -> str:
        """The name of the first sheet."""
        return self._names[0]

    def other_sheets(self) -> Iterator[str]:
        """The names of further sheets with filled cells."""
        for name, sheet in zip(self._names[1:], self._sheets[1:], strict=True):
            if sheet.kind == "worksheet" and self._is_filled(sheet.part):
                yield name

    def _is_filled(self, part: str) -> bool:
        rows = (
            row
            for group, row in self._package.entries(part, ENTRY_IN_GROUP)
            if group == "sheetData"
        )
        return any(len(cell) for row in rows for cell in row)

    def _read_texts(self, part: str) -> list[str]:
        if part not in self._package:
            return []
        return [
            _text_of(entry) for _, entry in self._package.entries(part, ENTRY_IN_LIST)
        ]

    def _read_formats(self, part: str) -> list[NumberFormat]:
        """The number formats of the cells' styles.

        openpyxl takes the currency of the computer, which is yuan in China, and dollars
        for one and the same format. So the codes are read as they stand in the file.
        """
        if part not in self._package:
            return []
        formats: dict[int, NumberFormat] = {}
        numbers: list[int] = []
        for group, entry in self._package.entries(part, ENTRY_IN_GROUP):
            number = int(entry.get("numFmtId", 0))
            if group == "numFmts":
                formats[number] = format_of(entry.get("formatCode", ""))
            elif group == "cellXfs":
                numbers.append(number)
        return [formats.get(number) or builtin_format(number) for number in numbers]

    def rows(self) -> Iterator[tuple[int, list[object]]]:
        """The rows with filled cells and their numbers. Cells beyond the header's last
        column share one place after it.
        """
        cells = Cells(self._texts, self._formats, is_stale=self._is_stale)
        last_number = 0
        cell_count = 0
        width = MOST_COLUMNS
        rows_are_hidden = False
        part = self._sheets[0].part
        for group, entry in self._package.entries(part, ENTRY_IN_GROUP):
            name = local_name(entry)
            if (group, name) == ("sheetData", "row"):
                number, row = cells.parse_row(entry)
                if not last_number < number <= MOST_BLANK_ROWS:
                    raise Malformed(f"row {number} comes after row {last_number}")
                last_number = number
                cell_count += len(entry)
                if cell_count > MAX_CELLS:
                    raise Unusable(
                        f"has more than {MAX_CELLS:,} cells, blank ones included; delete those or split it"
                    )
                values = _values(row, width)
                if not values:
                    continue
                if width == MOST_COLUMNS:  # this row is the header
                    width = min(len(values), MOST_COLUMNS)
                if _is_hidden_row(entry, by_default=rows_are_hidden):
                    self.hidden_rows.append(number)
                yield number, values
            elif name == "sheetFormatPr":
                rows_are_hidden = entry.get("zeroHeight") in ON
            elif name == "mergeCell":
                self.merged.append(entry.get("ref", ""))
            elif name == "col" and _is_hidden(entry, "width"):
                columns = (int(entry.get("min", "")), int(entry.get("max", "")))
                self.hidden_columns.append(columns)


class Cells(WorkSheetParser):
    """The cells of a row by openpyxl, which leaves these to judge: formulas without a
    value, errors, dates, and what a number's format shows.
    """

    def __init__(
        self, texts: list[str], formats: list[NumberFormat], *, is_stale: bool
    ) -> None:
        super().__init__(io.BytesIO(), texts, data_only=True)
        self._formats = formats
        self._is_stale = is_stale

    def parse_row(self, row: Any) -> Any:
        """The row's number, and its cells as columns with their values."""
        self.row_dimensions.clear()
        return super().parse_row(row)

    def parse_cell(self, element: Any) -> Any:
        inline = element.find(INLINE_STRING)
        if inline is not None:  # openpyxl makes twenty objects of it
            inline.text = _text_of(inline)
            inline.tag = VALUE_TAG
            element.set("t", "str")
        cell: dict[str, Any] = super().parse_cell(element)
        return cell["column"], self._value(element, cell)

    def _value(self, element: Element, cell: dict[str, Any]) -> object:
        value = cell["value"]
        kind = cell["data_type"]
        if value is None:
            return _empty(element)
        if kind == "s":
            return (unescape(value) if "_x" in value else value) or None
        if kind == "n":
            return self._number(element, cell["style_id"])
        if kind == "e":
            return NotACell(
                f"{value[:20]} is a spreadsheet's error; put the value in its place"
            )
        if kind not in ("b", "d"):
            raise Malformed(f"a cell is of the unknown kind {kind[:20]!r}")
        return value

    def _number(self, element: Element, style: int) -> object:
        written = element.findtext(VALUE_TAG, "")
        is_unset = self._is_stale and written in ("0", "0.0")
        if is_unset and element.find(FORMULA_TAG) is not None:
            return _without_value(element)
        if style or self._formats:
            return _shown_number(written, self._formats[style])
        return _shown_number(written, AS_IT_IS)


def _require_visible_table(name: str, kind: str, state: str) -> None:
    if kind != "worksheet":
        what = "a chart" if kind == "chartsheet" else "no table"
        raise Unusable(
            f"the first sheet, {name!r}, is {what}; move the sheet with the rows to the front"
        )
    if state != "visible":
        raise Unusable(
            f"the first sheet, {name!r}, is hidden; show it, or move the sheet with the rows to the front"
        )


def _values(row: list[tuple[int, object]], width: int) -> list[object]:
    """The values of a row under their columns."""
    values: list[object] = []
    last_column = 0
    for column, value in row:
        if column <= last_column:
            raise Malformed(f"column {column} comes after column {last_column}")
        last_column = column
        if value is None:
            continue
        place = min(column - 1, width)
        values += [None] * (place + 1 - len(values))
        values[place] = value
    return values


def _is_hidden(entry: Element, size: str) -> bool:
    return entry.get("hidden") in ON or entry.get(size) == "0"


def _is_hidden_row(row: Element, *, by_default: bool) -> bool:
    if by_default and "hidden" not in row.attrib:
        return row.get("customHeight") not in ON or row.get("ht") == "0"
    return _is_hidden(row, "ht")


def area_of(name: str) -> tuple[int, int, int, int]:
    """First column and row, last column and row of a range such as `A3:B5`, from 1."""
    first_column, first_row, last_column, last_row = range_boundaries(name)
    if first_column is None or last_column is None:
        raise Malformed(f"it merges {name[:40]!r}")
    if first_row is None or last_row is None:
        raise Malformed(f"it merges {name[:40]!r}")
    return first_column, first_row, last_column, last_row


def _text_of(element: Element) -> str:
    """The text of an `si` or `is` element, without phonetic readings."""
    texts = element.findall(TEXT) or element.findall(FORMATTED_TEXT)
    return "".join(text.text or "" for text in texts)


def _empty(element: Element) -> object:
    if element.find(FORMULA_TAG) is None:
        return None
    is_text = element.get("t") == "str" and element.find(VALUE_TAG) is not None
    # no empty cell but a blank, which is no valid limit
    return " " if is_text else _without_value(element)


def _without_value(element: Element) -> NotACell:
    place = element.get("r", "this cell")
    return NotACell(
        f"{place} holds a formula without its value; open the file in a spreadsheet and save it again, or write "
        "the value"
    )


def _shown_number(written: str, number_format: NumberFormat) -> object:
    if number_format.refusal:
        return number_format.refusal
    zeros = number_format.min_digits
    if WHOLE.fullmatch(written):
        is_padded = zeros > len(written) and written[0] != "-"
        return written.zfill(zeros) if is_padded else int(written)
    if not NUMBER.fullmatch(written):
        raise Malformed("a cell of numbers holds something else")
    value = float(written)
    shown = f"{value:.15g}"
    if len(shown) <= MAX_SHOWN_DIGITS:
        # what a spreadsheet shows of a formula: 3.3 for 3.3000000000000003
        value = float(shown)
    if not value and re.search("[1-9]", written.lower().partition("e")[0]):
        raise Malformed("a cell holds a number that is too small")
    if abs(value) >= SPREADSHEET_LIMIT:
        # the digits after the 15th are lost
        return f"{Decimal(value):.16e}" if abs(value) < float("inf") else value
    if value.is_integer() and zeros:
        return str(int(value)).zfill(zeros)
    return value
