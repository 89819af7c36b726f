"""A request file without the rows of one order, otherwise unchanged, and the receivers in these rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.foreign import words_of
from connectors.request_files.csv_file import DELIMITERS
from connectors.request_files.decoding import MARKS, Malformed
from connectors.request_files.json_file import ARRAYS
from domain.cells import BLANKS
from domain.forgetting import PARTS, Receiver
from domain.request_files import normal_name

ORDER = "order_ref"
NO_TEXT = "latin-1"
"""Undecodable text is read byte by byte: commas and line ends are alike in all encodings that a spreadsheet saves."""


@dataclass(frozen=True, slots=True)
class Without:
    """The content without the order's rows, and the receivers of these rows; both are empty without such rows."""

    content: bytes = b""
    receivers: tuple[Receiver, ...] = ()


NOTHING = Without()


def without_order(content: bytes, suffix: str, order_ref: str) -> Without:
    """Remove the rows of an order from a file of this kind. Raises `ValueError` for an unreadable file."""
    reader = READERS.get(suffix.lower())
    if reader is None:
        return NOTHING
    try:
        return reader(content, order_ref)
    except Exception as error:  # a file that reading refuses too may contain anything
        raise Malformed(words_of(error)) from error


def text_without_order(text: str, order_ref: str) -> tuple[str, tuple[Receiver, ...]]:
    """The lines of a CSV text but those of an order, and its receivers; the text unchanged where rows are unclear."""
    lines = io.StringIO(text, newline="").readlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    if _is_open_ended(lines, delimiter):
        return text, ()
    records = csv.reader(iter(lines), delimiter=delimiter)
    try:
        found = [(cells, records.line_num) for cells in records]
    except csv.Error:
        return text, ()
    kept: list[str] = []
    receivers: list[Receiver] = []
    columns: list[str] = []
    begin = 0
    for record, end in found:
        cells = dict(zip(columns, record, strict=False))
        if _is_of(cells, order_ref):
            receivers.append(_receiver(cells))
        else:
            kept += lines[begin:end]
        names = [] if columns else [normal_name(cell) for cell in record]
        columns, begin = columns or (names if ORDER in names else []), end
    return "".join(kept), tuple(receivers)


def _is_open_ended(lines: Sequence[str], delimiter: str) -> bool:
    """Whether a quote is never closed: the text after it parses as one cell, and has the rows of other orders."""
    try:
        for _ in csv.reader(iter(lines), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        return "end of data" in str(error)
    return False


def _csv(content: bytes, order_ref: str) -> Without:
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text, encoding = content.decode(NO_TEXT), NO_TEXT
    kept, receivers = text_without_order(text, order_ref)
    return Without(kept.encode(encoding), receivers if encoding != NO_TEXT else ()) if receivers else NOTHING


def _json(content: bytes, order_ref: str) -> Without:
    document = json.loads(content)
    holder = document if isinstance(document, dict) else {"": document}
    receivers: list[Receiver] = []
    for name, rows in holder.items():
        if name in (*ARRAYS, "") and isinstance(rows, list):
            told = [
                ({normal_name(key): cell for key, cell in row.items()} if isinstance(row, dict) else {}) for row in rows
            ]
            receivers += [_receiver(cells) for cells in told if _is_of(cells, order_ref)]
            holder[name] = [row for row, cells in zip(rows, told, strict=True) if not _is_of(cells, order_ref)]
    kept = holder if isinstance(document, dict) else holder[""]
    return Without(json.dumps(kept, ensure_ascii=False, indent=1).encode(), tuple(receivers)) if receivers else NOTHING


def _parquet(content: bytes, order_ref: str) -> Without:
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(pa.BufferReader(content))
    cells = [{normal_name(name): cell for name, cell in row.items()} for row in table.to_pylist()]
    found = [_is_of(row, order_ref) for row in cells]
    if not any(found):
        return NOTHING
    out = pa.BufferOutputStream()
    parquet.write_table(table.filter(pa.array([not one for one in found])), out)
    receivers = [_receiver(row) for row, mine in zip(cells, found, strict=True) if mine]
    return Without(out.getvalue().to_pybytes(), tuple(receivers))


def _xlsx(content: bytes, order_ref: str) -> Without:
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(content))
    receivers: list[Receiver] = []
    for sheet in book.worksheets:
        mine = list(_rows_of(sheet.iter_rows(values_only=True), order_ref))
        for number, receiver in reversed(mine):
            receivers.append(receiver)
            sheet.delete_rows(number)
    if not receivers:
        return NOTHING
    out = io.BytesIO()
    book.save(out)
    return Without(out.getvalue(), tuple(receivers))


def _rows_of(rows: Iterator[Sequence[Any]], order_ref: str) -> Iterator[tuple[int, Receiver]]:
    """The numbers of an order's rows in a sheet, from 1, below the header, each with its receiver."""
    columns: list[str] = []
    for number, row in enumerate(rows, start=1):
        if not columns:
            names = [normal_name(str(cell or "")) for cell in row]
            columns = names if ORDER in names else []
        elif _is_of(cells := dict(zip(columns, row, strict=False)), order_ref):
            yield number, _receiver(cells)


def _is_of(cells: Mapping[str, Any], order_ref: str) -> bool:
    return _text(cells.get(ORDER)) == order_ref


def _receiver(cells: Mapping[str, Any]) -> Receiver:
    """The receiver in the cells, unparsed."""
    return {part: _text(cells.get(f"receiver_{part}", cells.get(part))) for part in PARTS}


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).strip(BLANKS + "\u200b\ufeff")


READERS: Mapping[str, Callable[[bytes, str], Without]] = {
    ".csv": _csv,
    ".json": _json,
    ".parquet": _parquet,
    ".xlsx": _xlsx,
}


def order_in(path: Path, order_ref: str) -> Without:
    """`without_order` of a file; nothing where it can't be read."""
    try:
        return without_order(path.read_bytes(), path.suffix, order_ref)
    except (OSError, ValueError):
        return NOTHING
