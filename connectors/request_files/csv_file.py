"""CSV files: commas, semicolons or tabs between the cells."""

from __future__ import annotations

import csv
from functools import partial
from typing import Literal

from connectors.foreign import words_of
from connectors.request_files.decoding import Unusable, text_of
from domain.cell_table import CheckedTable
from domain.cells import BLANKS
from domain.request_files import MOST_COLUMNS, RequestTable
from domain.request_remarks import HEADER_ROW, UNNAMED

DELIMITERS = ",;\t"
LEFT_OUT = "Excel leaves out empty cells at the end of rows: save as XLSX, or fill the last column of each row"

LONGEST_LINE = 2**18  # characters; the rest counts as a row of its own

RowSink = RequestTable | CheckedTable
"""The receiver of a file's rows."""


def read_csv(content: bytes, encoding: str, table: RowSink) -> None:
    """Add the rows to the table. Raises `Unusable`."""
    text = text_of(content, encoding)
    lines = iter(partial(text.readline, LONGEST_LINE), "")
    blank_lines = 0  # such as above eBay's header
    header = ""
    for header in lines:
        if header.strip(BLANKS):
            break
        blank_lines += 1
    if header[:4].lower() == "sep=":
        raise Unusable(
            f"begins with {header.strip()!r}; delete that line, so that the header is the first"
        )
    columns = header_of(header)
    if len(columns) > MOST_COLUMNS:
        raise Unusable(
            f"has {len(columns):,} columns; up to {MOST_COLUMNS} are possible"
        )
    table.begin(columns)
    delimiter = max(DELIMITERS, key=header.count)
    is_plain = delimiter == "\t" and not table.is_quoted
    quoting: Literal[0, 3] = csv.QUOTE_NONE if is_plain else csv.QUOTE_MINIMAL
    records = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    row = blank_lines + HEADER_ROW
    unnamed = [at for at, column in enumerate(columns) if not column.strip(BLANKS)]
    try:
        for record in records:
            row += 1
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
        line = blank_lines + HEADER_ROW + records.line_num
        problem = (
            f"line {line} can't be read as CSV ({words_of(error)}); check its quotes"
        )
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


def _ragged(record: list[str], columns: list[str]) -> str:
    """The fault of a row whose cells have probably shifted: even those that fit
    mislead.
    """
    lengths = f"this row has {len(record)} cells where the header has {len(columns)}"
    hint = f". {LEFT_OUT}" if len(record) < len(columns) else ""
    return f"{lengths}; check its separators and quotes{hint}"
