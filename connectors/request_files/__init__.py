"""Reads a merchant's request file: CSV, XLSX, JSON or Parquet. A file is understood or
refused, never guessed.
"""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

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
from domain.cell_table import RowOrRemark
from domain.request_files import ParsedRequests, parse_requests
from domain.shop_files import Profile, ShopExport, profile_of
from domain.sku_book import SkuBook

__all__ = [
    "READERS",
    "Reader",
    "Reading",
    "UnreadableFile",
    "check_encoding",
    "read_request_file",
    "read_request_text",
]
PASTED = Path("pasted lines")
Reader = Callable[[bytes, str], Iterator[RowOrRemark]]
READERS: dict[str, Reader] = {
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


class Reading(TypedDict, total=False):
    """Whether each row needs a price limit, what own SKUs are, and the profiles of
    shops' exports: those that come along, where there are no others.
    """

    require_limit: bool
    book: SkuBook | None
    shops: Sequence[Profile]


def read_request_file(
    path: Path, *, encoding: str = "", **reading: Unpack[Reading]
) -> ParsedRequests:
    """Read and check a whole file. Raises `UnreadableFile`; errors of single cells are
    returned as faults.

    Text is UTF-8, or UTF-16 with a byte order mark; `encoding` names another one.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise UnreadableFile(
            path,
            f"files ending in {path.suffix!r} can't be read; save it as {', '.join(READERS)}",
        )
    try:
        return _parsed(read, content_of(path), encoding, **reading)
    except OSError as error:
        raise UnreadableFile(
            path,
            f"can't be opened ({error.strerror}); check the path and its permissions",
        ) from error
    except Unusable as error:
        raise UnreadableFile(path, str(error)) from error


def read_request_text(text: str, **reading: Unpack[Reading]) -> ParsedRequests:
    """Read and check rows pasted from a spreadsheet, header first. Raises
    `UnreadableFile`.

    Blank lines before the header don't count: row 1 is the header, as in a file.
    """
    try:
        content = text.lstrip("\r\n").encode(errors="surrogatepass")
        if len(content) > MOST_BYTES:
            raise Unusable(too_large(len(content)))
        return _parsed(read_csv, content, "utf-8", **reading)
    except Unusable as error:
        raise UnreadableFile(PASTED, str(error)) from error


def _header(start: bytes) -> list[str]:
    """The names in the first line, as far as they are ASCII."""
    is_wide = start.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    text = start.removeprefix(BOM_UTF8).decode(
        "utf-16" if is_wide else "latin-1", "ignore"
    )
    return header_of(text.lstrip("\r\n"))


def _parsed(
    read: Reader,
    content: bytes,
    encoding: str,
    *,
    require_limit: bool = False,
    book: SkuBook | None = None,
    shops: Sequence[Profile] | None = None,
) -> ParsedRequests:
    shops = shipped() if shops is None else shops
    if read not in (read_csv, read_xlsx):
        shops = ()
    profile = None
    if read is read_csv:
        profile = profile_of(_header(content[:LONGEST_LINE]), shops)
    if profile:
        read = partial(read_csv, is_quoted=profile.quoted)
        if profile.encoding and not encoding and not is_utf_8(content):
            encoding = profile.encoding
    export = ShopExport(shops)
    try:
        rows = export.rows(read(content, encoding))
        parsed = parse_requests(rows, require_limit=require_limit, book=book)
    except Unusable as error:
        if profile is None:
            raise
        raise Unusable(f"{profile.title}: {error}") from error
    return export.orders(parsed)
