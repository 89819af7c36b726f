"""Reading a merchant's request file: CSV, XLSX, JSON or Parquet."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from domain.request_files import HEADER_ROW, Fault, ParsedRequests, parse_requests

DELIMITERS = ",;\t"
PASTED = Path("pasted lines")
SPREADSHEET_LIMIT = 10**15  # spreadsheets round what is typed to 15 digits
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# An umlaut inside a word, in a Western code page: GB18030 would read it and the letter after it as one rare character.
WESTERN_LETTER = re.compile(rb"[A-Za-z][\xc0-\xff][a-z]")


class UnreadableFile(Exception):
    """The file can't be read as a table; the message names it and the remedy."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


@dataclass(frozen=True, slots=True)
class _Table:
    columns: Sequence[str]
    rows: Sequence[Mapping[str, object]]
    faults: Sequence[Fault] = field(default=())


def read_request_file(path: Path) -> ParsedRequests:
    """Read and check a whole file. Raises `UnreadableFile`; what is wrong with single cells comes as faults.

    Text in CSV files may be UTF-8, UTF-16 with its mark, or GB18030 as Chinese spreadsheets save it.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise UnreadableFile(path, f"files ending in {path.suffix!r} can't be read; save it as {', '.join(READERS)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, f"can't be opened ({error.strerror}); check the path and its permissions") from error
    table = read(path, content)
    return parse_requests(table.rows, table.columns, found=table.faults)


def read_request_text(text: str) -> ParsedRequests:
    """Read and check rows as they come out of a spreadsheet, the header first. Raises `UnreadableFile`.

    Blank lines before the header don't count: row 1 is the header, as in a file.
    """
    table = _table_of(PASTED, text.lstrip("\r\n"))
    return parse_requests(table.rows, table.columns, found=table.faults)


def _read_csv(path: Path, content: bytes) -> _Table:
    return _table_of(path, _decoded(path, content))


def _table_of(path: Path, text: str) -> _Table:
    delimiter = max(DELIMITERS, key=text.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        records = list(reader)
    except csv.Error as error:
        problem = f"line {reader.line_num} can't be read as CSV ({error}); check its quotes"
        raise UnreadableFile(path, problem) from error
    columns = records[0] if records else []
    rows = [dict(zip(columns, record, strict=False)) for record in records[1:]]
    return _Table(columns, rows, _ragged_rows(records))


def _decoded(path: Path, content: bytes) -> str:
    try:
        if content.startswith(UTF_16_MARKS):
            return content.decode("utf-16")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        if not WESTERN_LETTER.search(content):
            return content.decode("gb18030")
    except UnicodeDecodeError:
        pass
    raise UnreadableFile(path, "is neither UTF-8 nor GB18030 text; save it as CSV UTF-8")


def _ragged_rows(records: Sequence[Sequence[str]]) -> list[Fault]:
    """Rows of another length than the header's: their cells have probably shifted, so even those that fit mislead."""
    return [
        Fault(
            number,
            "",
            f"this row has {len(record)} cells where the header has {len(records[0])}; check its separators and quotes",
        )
        for number, record in enumerate(records, start=HEADER_ROW)
        if len(record) != len(records[0]) and any(cell.strip() for cell in record)
    ]


def _read_xlsx(path: Path, content: bytes) -> _Table:
    from openpyxl import load_workbook

    try:
        workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = workbook.worksheets[0]
        sheet.reset_dimensions()  # some programs write a wrong one, and rows beyond it would be lost
        records = [tuple(record) for record in sheet.iter_rows(values_only=True)]
        workbook.close()
    except Exception as error:  # a damaged archive fails in any of a dozen ways
        problem = f"can't be read as XLSX ({error}); open it in a spreadsheet and save it again"
        raise UnreadableFile(path, problem) from error
    columns = ["" if cell is None else str(cell) for cell in records[0]] if records else []
    named = [(position, column) for position, column in enumerate(columns) if column.strip()]
    rows = [{column: _as_kept(record[at]) for at, column in named if at < len(record)} for record in records[1:]]
    return _Table([column for _, column in named], rows)


def _as_kept(cell: object) -> object:
    """The cell; a number in exponent form when it has more digits than a spreadsheet keeps, since the rest are lost."""
    if isinstance(cell, int | float) and abs(cell) >= SPREADSHEET_LIMIT:
        return f"{Decimal(cell):.16e}"
    return cell


def _read_json(path: Path, content: bytes) -> _Table:
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        problem = f"can't be read as JSON ({error}); it must be an array of objects in UTF-8"
        raise UnreadableFile(path, problem) from error
    if isinstance(document, dict):
        document = document.get("orders", document.get("rows"))
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise UnreadableFile(path, 'must be an array of objects, or an object with such an array as "orders" or "rows"')
    return _Table(list(dict.fromkeys(key for row in document for key in row)), document)


def _read_parquet(path: Path, content: bytes) -> _Table:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        table = ParquetFile(pa.BufferReader(content)).read()
        return _Table(table.column_names, table.to_pylist())
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableFile(path, f"can't be read as Parquet ({error}); write it again") from error


READERS: dict[str, Callable[[Path, bytes], _Table]] = {
    ".csv": _read_csv,
    ".xlsx": _read_xlsx,
    ".json": _read_json,
    ".parquet": _read_parquet,
}
