"""Tables as files of other programs: CSV and XLSX; each whole or absent,
whatever crashes.

A spreadsheet takes no text for a formula, ids stay text, and an amount keeps the digits
of its currency.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

import pyarrow as pa
import pyarrow.compute as pc

from connectors.durable import whole
from domain.cells import FORMULA, no_formula

Cell = str | int | float | Decimal | date | None
TEXT = pa.large_string()

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
TEXT_FORMAT = "@"
PLAIN_TEXT = r"^[\p{L}\p{N}]([\p{L}\p{N} _.:/-]*[\p{L}\p{N}])?$"
PLAIN_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
"""What stands in no file for anything else: it needs no quotes, and is no formula."""
SPECIAL = re.compile('[",\r\n]')
FAST = 1
"""How hard a sheet is compressed: its cells repeat, so that more takes three times as
long for a few percent.
"""


@dataclass(frozen=True)
class Column:
    """Cells of a column: what each is `read` of. What matches `plain` is written as it
    stands, up to `most` characters.

    What does not is made a cell in Python, once of each value that differs.
    """

    values: pa.Array
    read: Callable[[Any], Cell]
    plain: str = ""
    most: int = 0

    def texts(
        self, quick: Callable[[pa.Array], pa.Array], slow: Callable[[Cell], str | None]
    ) -> pa.Array:
        """The text of each row's cell: `quick` makes those of plain texts."""
        plain, is_plain = self._plain
        other_styles = [
            slow(self.read(text))
            for text in self._encoded.dictionary.filter(pc.invert(is_plain)).to_pylist()
        ]
        archive = quick(plain) if pc.any(is_plain).as_py() else plain
        return pc.replace_with_mask(
            archive, pc.invert(is_plain), pa.array(other_styles, TEXT)
        ).take(self._encoded.indices)

    @cached_property
    def _encoded(self) -> pa.DictionaryArray:
        return self.values.dictionary_encode(null_encoding="encode")

    @cached_property
    def _plain(self) -> tuple[pa.Array, pa.Array]:
        """The different texts, and which of them are plain."""
        different = self._encoded.dictionary
        texts = different.cast(TEXT) if self.plain else pa.nulls(len(different), TEXT)
        is_short = pc.less_equal(pc.utf8_length(texts), self.most)
        return texts, pc.and_(
            pc.match_substring_regex(texts, self.plain), is_short
        ).fill_null(False)  # noqa: FBT003


def text_column(values: pa.Array) -> Column:
    return Column(values, _same, PLAIN_TEXT, MOST_TEXT)


def number_column(values: pa.Array) -> Column:
    """Decimals that are written as texts."""
    return Column(
        values,
        lambda text: None if text is None else Decimal(text),
        PLAIN_NUMBER,
        MOST_DIGITS,
    )


def _same(cell: Cell) -> Cell:
    return cell


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A table to write, some rows at a time; `formats` are a spreadsheet's, by heading,
    where another is meant.
    """

    name: str
    heads: Sequence[str]
    parts: Iterable[Sequence[Column]]
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
    csv.writer(file).writerow(map(no_formula, table.heads))
    for column in table.parts:
        texts = [column.texts(_same, _as_csv) for column in column]
        if len(texts) == 1:
            texts = [
                pc.if_else(pc.equal(texts[0], ""), '""', texts[0])
            ]  # an empty line is none
        file.writelines(
            f"{line}\r\n" for line in _joined(*texts, between=",").to_pylist()
        )


def write_xlsx(path: Path, tables: Iterable[TableFile]) -> None:
    """Write a sheet a table, with a frozen header. Raises `ValueError` for more rows
    than a sheet has.

    The rows are written here, since a library takes ten times as long; all around them
    is the library's.
    """
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    around = BytesIO()
    book.properties.creator = "sourcing"
    with (
        whole(path) as unfinished,
        ZipFile(unfinished, "w", ZIP_DEFLATED, compresslevel=FAST) as archive,
        TemporaryDirectory() as folder,
    ):
        for number, table in enumerate(tables, 1):
            if table.count > MOST_SHEET_ROWS:
                rows = f"{table.name} has {table.count:,} rows"
                raise ValueError(
                    f"{rows}, more than a sheet of Excel: use another format"
                )
            sheet = Path(folder) / "sheet.xml"
            with sheet.open("w", encoding="utf-8", newline="") as file:
                file.writelines(_sheet(book.create_sheet(table.name), table))
            archive.write(sheet, f"{SHEETS}sheet{number}.xml")
        book.save(around)
        with ZipFile(around) as made:
            for name in made.namelist():
                if not name.startswith(SHEETS):
                    archive.writestr(name, made.read(name))


def _as_csv(cell: Cell) -> str:
    if isinstance(cell, str):
        text = no_formula(CONTROL.sub("", cell))
        doubled = text.replace('"', '""')
        return f'"{doubled}"' if SPECIAL.search(text) else text
    if isinstance(cell, bool):
        return str(cell).lower()
    return (
        "" if cell is None else f"{cell:f}" if isinstance(cell, Decimal) else str(cell)
    )


def _sheet(sheet: Any, table: TableFile) -> Iterator[str]:
    """The XML of a sheet; `sheet` is the library's, which keeps the styles."""
    from openpyxl.utils import get_column_letter

    letters = [get_column_letter(at) for at in range(1, len(table.heads) + 1)]
    free = min(len(table.key), len(letters) - 1)
    x_split, pane = (f'xSplit="{free}" ', "bottomRight") if free else ("", "bottomLeft")
    frozen = f'<pane {x_split}ySplit="1" topLeftCell="{letters[free]}2" activePane="{pane}" state="frozen"/>'
    yield '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews>'
    yield f'<sheetView workbookViewId="0">{frozen}</sheetView></sheetViews><cols>'
    for at, name in enumerate(table.heads, 1):
        yield f'<col min="{at}" max="{at}" width="{WIDTHS.get(name, WIDTH)}" customWidth="1"/>'
    yield "</cols><sheetData>"
    header = _Cells(sheet, None, is_bold=True)
    yield from _rows(
        letters, [pa.array([header.xml(name)], TEXT) for name in table.heads], 1
    )
    cells = [_Cells(sheet, table.formats.get(head)) for head in table.heads]
    first = 2
    for column in table.parts:
        yield from _rows(
            letters,
            [cell.of(column) for cell, column in zip(cells, column, strict=True)],
            first,
        )
        first += len(column[0].values) if column else 0
    sheet.auto_filter.ref = (
        f"A1:{letters[-1]}{table.count + 1}"  # the library names the area in the book
    )
    yield f'</sheetData><autoFilter ref="{sheet.auto_filter.ref}"/></worksheet>'


def _rows(
    letters: Sequence[str], columns: Sequence[pa.Array], first: int
) -> Iterator[str]:
    """The rows of cells that lack the beginning, which names the place; none is written
    where there is no cell.
    """
    if not columns:
        return
    numbers = pa.array(range(first, first + len(columns[0]))).cast(TEXT)
    placed = (
        _joined(f'<c r="{letter}', numbers, cells)
        for letter, cells in zip(letters, columns, strict=True)
    )
    yield from _joined(
        '<row r="', numbers, '">', *placed, "</row>", null_handling="skip"
    ).to_pylist()


def _joined(
    *parts: str | pa.Array, between: str = "", null_handling: str = "emit_null"
) -> pa.Array:
    texts = [
        pa.scalar(text, TEXT) if isinstance(text, str) else text
        for text in (*parts, between)
    ]
    return pc.binary_join_element_wise(*texts, null_handling=null_handling)


class _Cells:
    """The cells of a column as XML, from behind their place on; a style takes long to
    make, so each is made once.
    """

    def __init__(
        self, sheet: Any, number_format: str | None, *, is_bold: bool = False
    ) -> None:
        self._sheet = sheet
        self._number_format = number_format
        self._is_bold = is_bold
        self._styles: dict[tuple[str, bool], int] = {}

    def of(self, column: Column) -> pa.Array:
        return column.texts(
            self._numbers if column.plain == PLAIN_NUMBER else self._texts, self.xml
        )

    def _texts(self, plain: pa.Array) -> pa.Array:
        style = self._style(self._number_format or TEXT_FORMAT)
        return _joined(f'" s="{style}" t="inlineStr"><is><t>', plain, "</t></is></c>")

    def _numbers(self, plain: pa.Array) -> pa.Array:
        decimals = pc.utf8_length(pc.replace_substring_regex(plain, r"^[^.]*\.?", ""))
        different = decimals.unique()
        style_number = [
            None if digits is None else self._style(self._decimals(digits))
            for digits in different.to_pylist()
        ]
        styles = (
            pa.array(style_number).cast(TEXT).take(pc.index_in(decimals, different))
        )
        return _joined('" s="', styles, '"><v>', plain, "</v></c>")

    def _decimals(self, digits: int) -> str:
        return self._number_format or _format(Decimal(1).scaleb(-digits))

    def xml(self, value: Cell) -> str | None:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return None  # a sheet has no such number
        if isinstance(value, bool):
            return f'" t="b"><v>{value:d}</v></c>'
        if isinstance(value, int | Decimal) and abs(value) >= 10**MOST_DIGITS:
            value = f"{value:f}" if isinstance(value, Decimal) else str(value)
        if isinstance(value, int | float):
            return f'"><v>{value!r}</v></c>'
        style = self._number_format or _format(value)
        if not isinstance(value, str):
            number = f"{value:f}" if isinstance(value, Decimal) else _serial(value)
            return f'" s="{self._style(style)}"><v>{number}</v></c>'
        text = CONTROL.sub("", value)[:MOST_TEXT]
        space = "" if text == text.strip() else ' xml:space="preserve"'
        written = escape(text, {"\r": "&#13;"})
        is_quoted = bool(
            FORMULA.match(text)
        )  # else a spreadsheet takes `=1` for a formula once it is edited
        return f'" s="{self._style(style, is_quoted=is_quoted)}" t="inlineStr"><is><t{space}>{written}</t></is></c>'

    def _style(self, number_format: str, *, is_quoted: bool = False) -> int:
        if (style_number := self._styles.get((number_format, is_quoted))) is None:
            from openpyxl.cell import WriteOnlyCell
            from openpyxl.styles import Font

            cell: Any = WriteOnlyCell(self._sheet)
            cell.number_format = number_format
            cell.quotePrefix = is_quoted
            if self._is_bold:
                cell.font = Font(bold=True)
            style_number = self._styles[number_format, is_quoted] = cell.style_id
        return style_number


def _serial(day: date) -> str:
    """The days since 1899-12-30, as a sheet counts them."""
    moment = (
        day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)  # noqa: DTZ001
    )
    return str((moment - FIRST_DAY) / timedelta(days=1))


def _format(value: str | Decimal | date) -> str:
    if isinstance(value, str):
        return TEXT_FORMAT
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        digits = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        return f"#,##0{'.' if digits else ''}{'0' * digits}"
    return "yyyy-mm-dd hh:mm:ss" if isinstance(value, datetime) else "yyyy-mm-dd"
