"""The rows of one XLSX sheet, and what it shows otherwise than it stores: hidden rows
and columns, merged cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from connectors.request_files.decoding import Malformed, Unusable
from connectors.request_files.xlsx_book import (
    AS_IT_IS,
    Shown,
    TextReader,
    Workbook,
    XmlParser,
    unescaped,
)
from domain.cells import DATE, NotACell
from domain.request_files import MOST_BLANK_ROWS, MOST_COLUMNS

MOST_DIGITS = (
    12  # with the point: a longer number lost none of its digits to a formula alone
)
SPREADSHEET_LIMIT = 10**15  # spreadsheets round what is typed to 15 digits
NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
WHOLE = re.compile(r"-?[0-9]{1,15}")
AREA = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})(?::\$?([A-Z]{1,3})\$?([0-9]{1,7}))?")
DIGITS = "0123456789"
MOST_AREAS = 10_000
MOST_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class Area:
    """A range of merged cells, such as `A3:B5`; rows and columns count from 1."""

    name: str
    first_row: int
    first_column: int
    last_column: int


class Sheet:
    """Reads the first sheet of a book. Hidden and merged cells are known once all rows
    were read.
    """

    def __init__(self, book: Workbook) -> None:
        self.hidden_rows: list[int] = []
        self.hidden_columns: list[tuple[int, int]] = []
        self.merged: list[Area] = []
        self._book = book
        self._inline = TextReader()
        self._is_row_hidden = self._rows_are_hidden = False
        self._width = MOST_COLUMNS
        self._places: dict[str, int] = {}
        self._row = self._count = 0
        self._cells: list[object] = []
        self._done: list[tuple[int, list[object]]] = []
        self._column = -1
        self._cell: dict[str, str] = {}
        self._value: list[str] = []
        self._is_value = self._has_value = self._is_formula = self._is_inline = (
            self._in_data
        ) = False

    def rows(self) -> Iterator[tuple[int, list[object]]]:
        """The present rows with their numbers. Cells beyond the header's last column
        share one place after it.
        """
        parser = XmlParser(self._start, self._end, self._data)
        for chunk in self._book.chunks(self._book.part):
            parser.feed(chunk)
            yield from self._done
            self._done.clear()
        parser.close()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._cell = attributes
            self._value = []
            self._has_value = self._is_formula = False
            self._column = self._place(attributes.get("r", ""))
            self._count += 1
            if self._count > MOST_CELLS:
                raise Unusable(
                    f"has more than {MOST_CELLS:,} cells, blank ones included; delete those or split it"
                )
        elif name == "v":
            self._is_value = self._has_value = True
        elif name == "row":
            if self._in_data:  # drawings have rows of their own
                self._begin_row(attributes)
        elif name == "f":
            self._is_formula = True
        elif name == "is":
            self._is_inline = True
            self._inline.start(name, attributes)
        elif self._is_inline:
            self._inline.start(name, attributes)
        elif name == "mergeCell":
            self._merge(attributes.get("ref", ""))
        elif name == "col" and (
            _is_on(attributes, "hidden") or attributes.get("width") == "0"
        ):
            self._bound(self.hidden_columns)
            self.hidden_columns.append((int(attributes["min"]), int(attributes["max"])))
        elif name == "sheetData":
            self._in_data = True
        elif name == "sheetFormatPr":
            self._rows_are_hidden = _is_on(attributes, "zeroHeight")

    def _end(self, name: str) -> None:
        if name == "v":
            self._is_value = False
        elif name == "c":
            if (value := self._read()) is not None:
                self._put(value)
        elif name == "row":
            if self._in_data:
                self._end_row()
        elif name == "sheetData":
            self._in_data = False
        elif name == "is":
            self._is_inline = False
            self._value = [self._inline.take()]
        elif self._is_inline:
            self._inline.end(name)

    def _data(self, text: str) -> None:
        if self._is_value:
            self._value.append(text)
        elif self._is_inline:
            self._inline.data(text)

    def _begin_row(self, attributes: dict[str, str]) -> None:
        number = int(attributes.get("r", self._row + 1))
        if not self._row < number <= MOST_BLANK_ROWS:
            raise Malformed(f"row {number} comes after row {self._row}")
        self._row, self._cells, self._column = number, [], -1
        self._is_row_hidden = (
            _is_on(attributes, "hidden") or attributes.get("ht") == "0"
        )
        if (
            self._rows_are_hidden
            and "hidden" not in attributes
            and attributes.get("customHeight") not in ("1", "true")
        ):
            self._is_row_hidden = True

    def _end_row(self) -> None:
        if not self._cells:
            return
        if self._width == MOST_COLUMNS:  # this row is the header
            self._width = min(len(self._cells), MOST_COLUMNS)
        if self._is_row_hidden:
            self.hidden_rows.append(self._row)
        self._done.append((self._row, self._cells))

    def _place(self, reference: str) -> int:
        """The column of a cell, from 0. A cell without a reference follows the cell
        before it.
        """
        if not reference:
            return self._column + 1
        letters = reference.rstrip(DIGITS)
        if (place := self._places.get(letters)) is None:
            place = self._places[letters] = column_number(letters) - 1
        if place <= self._column:
            raise Malformed(f"cell {reference} comes too late in its row")
        return place

    def _put(self, value: object) -> None:
        at = min(self._column, self._width)
        missing = at + 1 - len(self._cells)
        if missing > 0:
            self._cells += [None] * missing
        self._cells[at] = value

    def _read(self) -> object:
        """The value of the cell that has just ended."""
        kind = self._cell.get("t", "n")
        text = "".join(self._value)
        if not text and kind != "inlineStr":
            return self._empty(kind)
        if kind == "s":
            return self._book.texts[int(text)] or None
        if kind == "n":
            if self._is_formula and self._book.is_stale and text in ("0", "0.0"):
                return self._uncalculated()
            return _number(text, self._shown())
        if kind in ("str", "inlineStr"):
            return (text if kind == "inlineStr" else unescaped(text)) or None
        return _of_another_kind(kind, text)

    def _empty(self, kind: str) -> object:
        if not self._is_formula:
            return None
        # a formula with an empty text leaves no empty cell but a blank, which is no
        # valid limit
        return " " if kind == "str" and self._has_value else self._uncalculated()

    def _uncalculated(self) -> NotACell:
        where = self._cell.get("r", "this cell")
        return NotACell(
            f"{where} holds a formula without its value; open the file in a spreadsheet and save it again, or write "
            "the value"
        )

    def _shown(self) -> Shown:
        style = int(self._cell.get("s", 0))
        return self._book.formats[style] if style or self._book.formats else AS_IT_IS

    def _merge(self, name: str) -> None:
        self._bound(self.merged)
        if not (found := AREA.fullmatch(name)):
            raise Malformed(f"it merges {name[:40]!r}")
        first, row, last, _ = found.groups()
        self.merged.append(
            Area(name, int(row), column_number(first), column_number(last or first))
        )

    def _bound(self, areas: list[Area] | list[tuple[int, int]]) -> None:
        if len(areas) >= MOST_AREAS:
            raise Unusable(
                f"has more than {MOST_AREAS:,} merged cells or hidden columns; take them out"
            )


def column_number(letters: str) -> int:
    """1 for `A`, 27 for `AA`."""
    number = 0
    for letter in letters:
        if not "A" <= letter <= "Z":
            raise Malformed(f"{letters[:10]!r} names no column")
        number = 26 * number + ord(letter) - 64
    if not 1 <= number <= 16_384:
        raise Malformed(f"{letters[:10]!r} names no column")
    return number


def _is_on(attributes: dict[str, str], name: str) -> bool:
    return attributes.get(name) in ("1", "true")


def _number(text: str, shown: Shown) -> object:
    if shown.refused:
        return shown.refused
    if WHOLE.fullmatch(text):
        return (
            text.zfill(shown.zeros)
            if shown.zeros > len(text) and text[0] != "-"
            else int(text)
        )
    if not NUMBER.fullmatch(text):
        raise Malformed("a cell of numbers holds something else")
    value, shown_digits = float(text), f"{float(text):.15g}"
    if len(shown_digits) <= MOST_DIGITS:
        value = float(
            shown_digits
        )  # what a spreadsheet shows of a formula: 3.3 for 3.3000000000000003
    if not value and re.search("[1-9]", text.lower().partition("e")[0]):
        raise Malformed("a cell holds a number that is too small")
    if abs(value) >= SPREADSHEET_LIMIT:
        return (
            f"{Decimal(value):.16e}" if abs(value) < float("inf") else value
        )  # the digits after the 15th are lost
    if value.is_integer() and shown.zeros:
        return str(int(value)).zfill(shown.zeros)
    return value


def _of_another_kind(kind: str, text: str) -> object:
    if kind == "b":
        return text.strip() in ("1", "true")
    if kind == "e":
        return NotACell(
            f"{text[:20]} is a spreadsheet's error; put the value in its place"
        )
    if kind == "d":
        return DATE
    raise Malformed(f"a cell is of the unknown kind {kind[:20]!r}")
