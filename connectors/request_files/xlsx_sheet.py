"""The rows of one XLSX sheet as openpyxl reads them, and what openpyxl passes over:
formulas without a value, number formats, hidden rows and columns, merged cells.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from openpyxl.utils.escape import unescape
from openpyxl.worksheet._reader import (
    FORMULA_TAG,
    INLINE_STRING,
    VALUE_TAG,
    WorkSheetParser,
)
from openpyxl.xml.constants import REL_NS, SHEET_MAIN_NS

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
MAX_CELLS = 2_000_000
ON = ("1", "true")
LINK = f"{{{REL_NS}}}id"
TEXT = f"{{{SHEET_MAIN_NS}}}t"
FORMATTED_TEXT = f"{{{SHEET_MAIN_NS}}}r/{TEXT}"
Row = tuple[int, list[object]]


class Sheet:
    """The first sheet of a package. Hidden and merged cells are known once all rows
    were read.
    """

    def __init__(self, package: Package) -> None:
        self.hidden_rows: list[int] = []
        self.hidden_columns: list[tuple[int, int]] = []
        self.merged_areas: list[str] = []
        self.name = ""
        self.other_names: list[str] = []
        """The names of further sheets."""
        self._package = package
        self._part = ""
        self._is_stale = False
        self._texts: list[str] = []
        self._formats = [AS_IT_IS]
        self._read_book()

    def _read_book(self) -> None:
        book = dict(self._package.related().values())["officeDocument"]
        related = self._package.related(book)
        for group, entry in self._package.entries(book, ENTRY_IN_GROUP):
            if group == "sheets":
                self._add_sheet(entry, *related[entry.get(LINK, "")])
            elif local_name(entry) == "calcPr":
                self._is_stale = entry.get("fullCalcOnLoad") in ON
        if not self._part:
            raise Malformed("it has no sheet")
        for kind, part in related.values():
            if kind == "sharedStrings":
                texts = self._package.entries(part, ENTRY_IN_LIST)
                self._texts = [_text_of(text) for _, text in texts]
            elif kind == "styles":
                self._formats = self._read_formats(part) or self._formats

    def _add_sheet(self, entry: Element, kind: str, part: str) -> None:
        name = entry.get("name", "")
        if self._part:
            self.other_names.append(name)
            return
        if kind != "worksheet":
            what = "a chart" if kind == "chartsheet" else "no table"
            raise Unusable(
                f"the first sheet, {name!r}, is {what}; move the sheet with the rows to the front"
            )
        if entry.get("state", "visible") != "visible":
            raise Unusable(
                f"the first sheet, {name!r}, is hidden; show it, or move the sheet with the rows to the front"
            )
        self.name = name
        self._part = part

    def _read_formats(self, part: str) -> list[NumberFormat]:
        """The number formats of the cells' styles.

        openpyxl gives one code for the currency of each computer and for dollars. So
        the codes are read as they stand in the file.
        """
        formats: dict[int, NumberFormat] = {}
        numbers: list[int] = []
        for group, entry in self._package.entries(part, ENTRY_IN_GROUP):
            number = int(entry.get("numFmtId", 0))
            if group == "numFmts":
                formats[number] = format_of(entry.get("formatCode", ""))
            elif group == "cellXfs":
                numbers.append(number)
        return [formats.get(number) or builtin_format(number) for number in numbers]

    def rows(self) -> Iterator[Row]:
        """The rows with filled cells and their numbers. Cells beyond the header's last
        column share one place after it.
        """
        cells = Cells(self._texts, self._formats, is_stale=self._is_stale)
        last_number = 0
        cell_count = 0
        width = MOST_COLUMNS
        hidden_by_default: str | None = None
        for group, entry in self._package.entries(self._part, ENTRY_IN_GROUP):
            name = local_name(entry)
            if group == "sheetData":
                number, row = cells.parse_row(entry)
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
                if _is_hidden(entry, "ht", hidden_by_default):
                    self.hidden_rows.append(number)
                yield number, values
            elif name == "sheetFormatPr":
                hidden_by_default = entry.get("zeroHeight")
            elif name == "mergeCell":
                self.merged_areas.append(entry.get("ref", ""))
            elif name == "col" and _is_hidden(entry, "width"):
                columns = (int(entry.get("min", "")), int(entry.get("max", "")))
                self.hidden_columns.append(columns)


class Cells(WorkSheetParser):
    """The cells of a row by openpyxl, which leaves these to judge: formulas without a
    value, errors, and what a number's format shows.
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
            return unescape(value) if "_x" in value else value
        if kind == "e":
            return NotACell(
                f"{value[:20]} is a spreadsheet's error; put the value in its place"
            )
        if value and kind not in ("b", "d"):
            raise Malformed(f"a cell is of the unknown kind {kind[:20]!r}")
        return value


def _is_hidden(entry: Element, size: str, by_default: str | None = None) -> bool:
    return entry.get("hidden", by_default) in ON or entry.get(size) == "0"


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


def _text_of(element: Element) -> str:
    """The text of an `si` or `is` element, without phonetic readings."""
    texts = element.findall(TEXT) or element.findall(FORMATTED_TEXT)
    return "".join(text.text or "" for text in texts)


def _without_value(element: Element) -> NotACell:
    place = element.get("r", "this cell")
    return NotACell(
        f"{place} holds a formula without its value; open the file in a spreadsheet and save it again, or write "
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
