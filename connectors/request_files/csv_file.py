"""CSV files: commas, semicolons or tabs between the cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import TextIOBase

from connectors.foreign import words_of
from connectors.request_files.decoding import Unusable, text_of, undecodable
from domain.cell_table import CheckedTable
from domain.cells import BLANKS
from domain.request_files import MOST_COLUMNS, RequestTable
from domain.request_remarks import HEADER_ROW, UNNAMED

DELIMITERS = ",;\t"
LEFT_OUT = "Excel leaves out empty cells at the end of rows: save as XLSX, or fill the last column of each row"
LONGEST_ROW = 2**18  # characters, over all lines of one row


RowSink = RequestTable | CheckedTable
"""The receiver of a file's rows."""


def read_csv(content: bytes, encoding: str, table: RowSink) -> None:
    """Add the rows to the table. Raises `Unusable`."""
    lines = _Lines(text_of(content, encoding))
    try:
        _read(lines, table)
    except UnicodeDecodeError as error:
        raise Unusable(undecodable(error, lines.read)) from error


class _Lines:
    """The lines of a text; one row may have at most `LONGEST_ROW` characters."""

    def __init__(self, text: TextIOBase) -> None:
        self.text = text
        self.read = 0
        self.row_length = 0

    def __iter__(self) -> Iterator[str]:
        while line := self.text.readline(LONGEST_ROW):
            self.row_length += len(line)
            if self.row_length >= LONGEST_ROW:
                raise Unusable(
                    f"the row at line {self.read + 1} is too long to be one; check the quotes there"
                )
            if "\0" in line:
                raise Unusable(
                    f"line {self.read + 1} holds NUL characters: this is no text; save it as CSV UTF-8"
                )
            self.read += 1
            yield line


def _read(lines: _Lines, table: RowSink) -> None:
    source = iter(lines)
    first = next(source, "")
    while first and not first.strip(BLANKS):  # such as above eBay's header
        first = next(source, "")
    above = max(lines.read - 1, 0)
    _require_header(first)
    delimiter = max(DELIMITERS, key=first.count)
    records = csv.reader(_with_first(first, source), delimiter=delimiter, strict=True)
    row = HEADER_ROW
    try:
        columns = next(records, [])
        if len(columns) > MOST_COLUMNS:
            raise Unusable(
                f"has {len(columns):,} columns; up to {MOST_COLUMNS} are possible"
            )
        table.begin(columns)
        if delimiter == "\t" and not table.is_quoted:
            records = csv.reader(
                source, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True
            )
        unnamed = [at for at, column in enumerate(columns) if not column.strip(BLANKS)]
        for row, record in enumerate(records, start=above + HEADER_ROW + 1):
            lines.row_length = 0
            if len(record) == len(columns):
                table.add(row, record)
                if unnamed and any(record[at].strip(BLANKS) for at in unnamed):
                    table.warn(row, "", UNNAMED)
            elif any(cell.strip(BLANKS) for cell in record) and not table.skips(record):
                table.broken_row(row, _ragged(record, columns))
            else:
                table.add(row, ())
            if table.is_full:
                break
    except csv.Error as error:
        problem = f"line {lines.read} can't be read as CSV ({words_of(error)}); check its quotes"
        raise Unusable(problem) from error
    if columns or row > HEADER_ROW:
        table.lack(columns)


def header_of(text: str) -> list[str]:
    """The names in the first line of a text; none where they can't be separated."""
    first = text.partition("\n")[0].rstrip("\r")
    try:
        return next(csv.reader([first], delimiter=max(DELIMITERS, key=first.count)), [])
    except csv.Error:
        return []


def _with_first(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _require_header(first: str) -> None:
    if first[:4].lower() == "sep=":
        raise Unusable(
            f"begins with {first.strip()!r}; delete that line, so that the header is the first"
        )


def _ragged(record: list[str], columns: list[str]) -> str:
    """The fault of a row whose cells have probably shifted: even those that fit
    mislead.
    """
    lengths = f"this row has {len(record)} cells where the header has {len(columns)}"
    hint = f". {LEFT_OUT}" if len(record) < len(columns) else ""
    return f"{lengths}; check its separators and quotes{hint}"
