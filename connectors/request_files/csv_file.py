"""CSV files: commas, semicolons or tabs between the cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import partial
from typing import Literal

from connectors.foreign import words_of
from connectors.request_files.decoding import Unusable, text_of
from domain.cell_table import MOST_COLUMNS, Row, RowOrRemark
from domain.cells import BLANKS
from domain.request_remarks import HEADER_ROW

DELIMITERS = ",;\t"
LEFT_OUT = "Excel leaves out empty cells at the end of rows: save as XLSX, or fill the last column of each row"

LONGEST_LINE = 2**18  # characters; the rest counts as a row of its own


def read_csv(
    content: bytes, encoding: str, *, is_quoted: bool = True
) -> Iterator[RowOrRemark]:
    """The rows; a quote in a tab file that is not `is_quoted` is a character like any
    other. Raises `Unusable`.
    """
    text = text_of(content, encoding)
    lines = iter(partial(text.readline, LONGEST_LINE), "")
    row = HEADER_ROW - 1
    header = ""
    for header in lines:
        row += 1  # of blank lines, such as above eBay's header
        if header.strip(BLANKS):
            break
    else:
        return
    first_line = row
    if header[:4].lower() == "sep=":
        raise Unusable(
            f"begins with {header.strip()!r}; delete that line, so that the header is the first"
        )
    columns = header_of(header)
    if len(columns) > MOST_COLUMNS:
        raise Unusable(
            f"has {len(columns):,} columns; up to {MOST_COLUMNS} are possible"
        )
    yield Row(row, columns)
    delimiter = max(DELIMITERS, key=header.count)
    is_plain = delimiter == "\t" and not is_quoted
    quoting: Literal[0, 3] = csv.QUOTE_NONE if is_plain else csv.QUOTE_MINIMAL
    records = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    try:
        for record in records:
            row += 1
            if len(record) == len(columns):
                yield Row(row, record)
            elif any(cell.strip(BLANKS) for cell in record):
                yield Row(row, record, _ragged(record, columns))
            else:
                yield Row(row, ())
    except csv.Error as error:
        line = first_line + records.line_num
        problem = (
            f"line {line} can't be read as CSV ({words_of(error)}); check its quotes"
        )
        raise Unusable(problem) from error


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
