"""Tables as files of other programs: CSV, XLSX and SQLite; each whole or absent, whatever crashes.

A spreadsheet takes no text for a formula, ids stay text, and an amount keeps the digits of its currency.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from io import BytesIO
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, TextIO, TypeVar
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from connectors.durable import whole
from domain.cells import EXACT_FLOAT_LIMIT, FORMULA, no_formula


class ExportFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    SQLITE = "sqlite"


Cell = str | int | float | Decimal | date | None
T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)

MOST_SHEET_ROWS = 1_048_575
"""The rows of an Excel sheet below its header."""
SHEETS = "xl/worksheets/"
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
IDS = ("item_id", "sku_id", "order_id", "shipment_order_id")
WIDTHS = {"title": 40, "problem": 60, "reason": 60, **dict.fromkeys(IDS, 22)}
WIDTH = 14
FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet has no zones
MOST_DIGITS = 15
"""The digits of a sheet's numbers."""
MOST_TEXT = 32_767
"""The characters that a cell of Excel holds."""
FAST = 1
"""How hard a sheet is compressed: its cells repeat, so that more takes three times as long for a few percent."""


@dataclass(frozen=True, slots=True)
class Column:
    """Cells of a column: the different ones, and which of them each row has."""

    different: Sequence[Cell]
    places: Sequence[int]

    @classmethod
    def of(cls, values: Iterable[Key], cell: Callable[[Key], Cell]) -> Self:
        """The cells of these values, each made once."""
        known: dict[Key, int] = {}
        places = [known.setdefault(value, len(known)) for value in values]
        return cls([cell(value) for value in known], places)

    def made(self, value: Callable[[Cell], T]) -> Iterator[T]:
        """The value of each row's cell, made once of each that differs."""
        return map([value(cell) for cell in self.different].__getitem__, self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A table to write, some rows at a time; `formats` are a spreadsheet's, by heading, where another is meant."""

    name: str
    heads: Sequence[str]
    parts: Iterable[Sequence[Column]]
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
    for part in table.parts:
        lines.writerows(zip(*(column.made(_as_text) for column in part), strict=True))


def write_xlsx(path: Path, tables: Iterable[TableFile]) -> None:
    """Write a sheet a table, with a frozen header. Raises `ValueError` for more rows than a sheet has.

    The rows are written here, since a library takes ten times as long; all around them is the library's.
    """
    from openpyxl import Workbook

    book, around = Workbook(write_only=True), BytesIO()
    book.properties.creator = "sourcing"
    with (
        whole(path) as unfinished,
        ZipFile(unfinished, "w", ZIP_DEFLATED, compresslevel=FAST) as archive,
        TemporaryDirectory() as folder,
    ):
        for number, table in enumerate(tables, 1):
            if table.count > MOST_SHEET_ROWS:
                rows = f"{table.name} has {table.count:,} rows"
                raise ValueError(f"{rows}, more than a sheet of Excel: use another format")
            sheet = Path(folder) / "sheet.xml"
            with sheet.open("w", encoding="utf-8", newline="") as file:
                file.writelines(_sheet(book.create_sheet(table.name), table))
            archive.write(sheet, f"{SHEETS}sheet{number}.xml")
        book.save(around)
        with ZipFile(around) as made:
            for name in made.namelist():
                if not name.startswith(SHEETS):
                    archive.writestr(name, made.read(name))


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
            for part in table.parts:
                rows = zip(*(column.made(_as_value) for column in part), strict=True)
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


def _sheet(sheet: Any, table: TableFile) -> Iterator[str]:
    """The XML of a sheet; `sheet` is the library's, which keeps the styles."""
    from openpyxl.utils import get_column_letter

    letters = [get_column_letter(at) for at in range(1, len(table.heads) + 1)]
    free = min(len(table.key), len(letters) - 1)
    left, pane = (f'xSplit="{free}" ', "bottomRight") if free else ("", "bottomLeft")
    frozen = f'<pane {left}ySplit="1" topLeftCell="{letters[free]}2" activePane="{pane}" state="frozen"/>'
    yield '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews>'
    yield f'<sheetView workbookViewId="0">{frozen}</sheetView></sheetViews><cols>'
    for at, name in enumerate(table.heads, 1):
        yield f'<col min="{at}" max="{at}" width="{WIDTHS.get(name, WIDTH)}" customWidth="1"/>'
    yield "</cols><sheetData>"
    header = _Cells(sheet, None, is_bold=True)
    yield from _rows(letters, [Column([name], [0]).made(header.xml) for name in table.heads], 1)
    cells, first = [_Cells(sheet, table.formats.get(head)) for head in table.heads], 2
    for part in table.parts:
        yield from _rows(letters, [column.made(one.xml) for one, column in zip(cells, part, strict=True)], first)
        first += len(part[0].places) if part else 0
    sheet.auto_filter.ref = f"A1:{letters[-1]}{table.count + 1}"  # the library names the area in the book
    yield f'</sheetData><autoFilter ref="{sheet.auto_filter.ref}"/></worksheet>'


def _rows(letters: Sequence[str], columns: Sequence[Iterator[str]], first: int) -> Iterator[str]:
    """The rows of cells that lack the beginning, which names the place."""
    placed = (
        [f'<c r="{letter}{number}{cell}' if cell else "" for number, cell in zip(count(first), cells)]
        for letter, cells in zip(letters, columns, strict=True)
    )
    return (f'<row r="{number}">{"".join(row)}</row>' for number, row in zip(count(first), zip(*placed, strict=True)))


class _Cells:
    """The cells of a column as XML, from behind their place on; a style takes long to make, so each is made once."""

    def __init__(self, sheet: Any, number_format: str | None, *, is_bold: bool = False) -> None:
        self._sheet, self._number_format, self._is_bold = sheet, number_format, is_bold
        self._styles: dict[tuple[str, bool], int] = {}
        self._decimals: dict[int, int] = {}

    def xml(self, value: Cell) -> str:
        if type(value) is Decimal and len(text := f"{value:f}") <= MOST_DIGITS:  # most cells of a sheet are amounts
            return f'" s="{self._decimal(len(text.partition(".")[2]))}"><v>{text}</v></c>'
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return ""  # a sheet has no such number
        if isinstance(value, bool):
            return f'" t="b"><v>{value:d}</v></c>'
        if isinstance(value, int | Decimal) and not -EXACT_FLOAT_LIMIT < value < EXACT_FLOAT_LIMIT:
            value = f"{value:f}" if isinstance(value, Decimal) else str(value)  # a sheet's numbers have 15 digits
        if isinstance(value, int | float):
            return f'"><v>{value!r}</v></c>'
        style = self._number_format or _format(value)
        if not isinstance(value, str):
            number = f"{value:f}" if isinstance(value, Decimal) else _serial(value)
            return f'" s="{self._style(style)}"><v>{number}</v></c>'
        text = CONTROL.sub("", value)[:MOST_TEXT]
        space = "" if text == text.strip() else ' xml:space="preserve"'
        written = escape(text, {"\r": "&#13;"})
        is_quoted = bool(FORMULA.match(text))  # else a spreadsheet takes `=1` for a formula once it is edited
        return f'" s="{self._style(style, is_quoted=is_quoted)}" t="inlineStr"><is><t{space}>{written}</t></is></c>'

    def _decimal(self, digits: int) -> int:
        if (known := self._decimals.get(digits)) is None:
            number_format = self._number_format or _format(Decimal(1).scaleb(-digits))
            known = self._decimals[digits] = self._style(number_format)
        return known

    def _style(self, number_format: str, *, is_quoted: bool = False) -> int:
        if (known := self._styles.get((number_format, is_quoted))) is None:
            from openpyxl.cell import WriteOnlyCell
            from openpyxl.styles import Font

            cell: Any = WriteOnlyCell(self._sheet)
            cell.number_format, cell.quotePrefix = number_format, is_quoted
            if self._is_bold:
                cell.font = Font(bold=True)
            known = self._styles[number_format, is_quoted] = cell.style_id
        return known


def _serial(day: date) -> str:
    """The days since 1899-12-30, as a sheet counts them."""
    moment = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)  # noqa: DTZ001 - no zone
    return str((moment - FIRST_DAY) / timedelta(days=1))


def _format(value: str | Decimal | date) -> str:
    if isinstance(value, str):
        return "@"
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        digits = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        return f"#,##0{'.' if digits else ''}{'0' * digits}"
    return "yyyy-mm-dd hh:mm:ss" if isinstance(value, datetime) else "yyyy-mm-dd"
