"""The lines of a CSV text but those of some orders."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence

from connectors.request_files.csv_file import DELIMITERS
from domain.cells import BLANKS
from domain.request_files import normal_name

ORDER = "order_ref"


def without_orders(text: str, order_refs: Collection[str]) -> tuple[str, set[str]]:
    """The text without the lines of these orders, and which of them it had; unchanged where rows are unclear."""
    lines = io.StringIO(text, newline="").readlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    if _is_open_ended(lines, delimiter):
        return text, set()
    records = csv.reader(iter(lines), delimiter=delimiter)
    try:
        found = [(cells, records.line_num) for cells in records]
    except csv.Error:
        return text, set()
    kept: list[str] = []
    had: set[str] = set()
    columns: list[str] = []
    begin = 0
    for record, end in found:
        order_ref = dict(zip(columns, record, strict=False)).get(ORDER, "").strip(BLANKS + "\u200b\ufeff")
        if order_ref in order_refs:
            had.add(order_ref)
        else:
            kept += lines[begin:end]
        names = [] if columns else [normal_name(cell) for cell in record]
        columns, begin = columns or (names if ORDER in names else []), end
    return "".join(kept), had


def _is_open_ended(lines: Sequence[str], delimiter: str) -> bool:
    """Whether a quote is never closed: the text after it parses as one cell, and has the rows of other orders."""
    try:
        for _ in csv.reader(iter(lines), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        return "end of data" in str(error)
    return False
