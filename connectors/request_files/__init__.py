"""Reads a merchant's request file: CSV, XLSX, JSON or Parquet. A file is understood or
refused, never guessed.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from pathlib import Path

from connectors.request_files.csv_file import LONGEST_LINE, header_of, read_csv
from connectors.request_files.decoding import (
    MOST_BYTES,
    Unusable,
    check_encoding,
    content_of,
    is_utf_8,
    too_large,
)
from connectors.request_files.json_file import read_json
from connectors.request_files.parquet_file import read_parquet
from connectors.request_files.xlsx_file import read_xlsx
from connectors.shop_files import shipped
from domain.request_files import ParsedRequests, RequestTable
from domain.shop_files import Profile, ShopTable, profile_of
from domain.sku_book import SkuBook

__all__ = [
    "READERS",
    "UnreadableFile",
    "check_encoding",
    "read_request_file",
    "read_request_text",
]
PASTED = Path("pasted lines")
FileReader = Callable[[bytes, str, RequestTable], None]
READERS: dict[str, FileReader] = {
    ".csv": read_csv,
    ".xlsx": read_xlsx,
    ".json": read_json,
    ".parquet": read_parquet,
}
READERS |= dict.fromkeys((".txt", ".tsv"), read_csv)


class UnreadableFile(Exception):
    """The file can't be read as a table; the message names it and the remedy."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


def read_request_file(
    path: Path,
    *,
    encoding: str = "",
    require_limit: bool = False,
    book: SkuBook | None = None,
    shops: Sequence[Profile] | None = None,
) -> ParsedRequests:
    """Read and check a whole file. Raises `UnreadableFile`; errors of single cells are
    returned as faults.

    Text is UTF-8, or UTF-16 with a byte order mark; `encoding` names another one. With
    `require_limit` each row without a price limit is a fault. Own SKUs are looked up in
    the `book`. An export of one of the `shops`, else of those that come along, is read
    by its profile.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise UnreadableFile(
            path,
            f"files ending in {path.suffix!r} can't be read; save it as {', '.join(READERS)}",
        )
    try:
        table = RequestTable(require_limit=require_limit, book=book)
        return _parsed(
            read,
            content_of(path),
            encoding,
            table,
            shipped() if shops is None else shops,
        )
    except OSError as error:
        raise UnreadableFile(
            path,
            f"can't be opened ({error.strerror}); check the path and its permissions",
        ) from error
    except Unusable as error:
        raise UnreadableFile(path, str(error)) from error


def read_request_text(
    text: str,
    *,
    require_limit: bool = False,
    book: SkuBook | None = None,
    shops: Sequence[Profile] | None = None,
) -> ParsedRequests:
    """Read and check rows pasted from a spreadsheet, header first. Raises
    `UnreadableFile`.

    Blank lines before the header don't count: row 1 is the header, as in a file.
    """
    try:
        content = text.lstrip("\r\n").encode(errors="surrogatepass")
        if len(content) > MOST_BYTES:
            raise Unusable(too_large(len(content)))
        table = RequestTable(require_limit=require_limit, book=book)
        return _parsed(
            read_csv, content, "utf-8", table, shipped() if shops is None else shops
        )
    except Unusable as error:
        raise UnreadableFile(PASTED, str(error)) from error


def _header(start: bytes) -> list[str]:
    return header_of(start.removeprefix(BOM_UTF8).lstrip(b"\r\n").decode("latin-1"))


def _parsed(
    read: FileReader,
    content: bytes,
    encoding: str,
    table: RequestTable,
    shops: Sequence[Profile],
) -> ParsedRequests:
    if read in (read_csv, read_xlsx):
        table = ShopTable(shops, table)
    profile = (
        profile_of(_header(content[:LONGEST_LINE]), shops) if read is read_csv else None
    )
    if profile and profile.encoding and not encoding and not is_utf_8(content):
        encoding = profile.encoding
    try:
        read(content, encoding, table)
    except Unusable as error:
        if profile is None:
            raise
        raise Unusable(f"{profile.title}: {error}") from error
    return table.finish()
