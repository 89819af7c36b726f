"""The file of the SKU book: read whole or not at all, and added to."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from openpyxl import Workbook
from pydantic import SecretStr

from connectors.book_file import (
    TableUnusable,
    book_in,
    book_text,
    of_a_night,
    read_book,
)
from connectors.request_files.fetching import Fetched
from connectors.settings import SourcingSettings
from domain.sku_book import SkuBook

HEADER = "own_sku,marketplace,item,pieces\n"
FERN = "610000000001"


def items(book: SkuBook | None) -> dict[str, str]:
    assert book is not None
    return {row.own_sku: row.component.item for row in book.rows}


def test_a_book_is_named_by_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "book.csv"
    file.write_text(f"{HEADER}FERN-1,1688,{FERN},1\n")
    settings = SourcingSettings(data_dir=tmp_path)
    assert asyncio.run(read_book(settings)) is None
    assert items(
        asyncio.run(read_book(SourcingSettings(data_dir=tmp_path, book=str(file))))
    ) == {"FERN-1": FERN}


def test_a_sheet_at_an_address_is_fetched_once_for_the_files_of_a_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host may refuse so many requests within minutes; and all files have one
    book.
    """
    fetched: list[str] = []

    async def fetch(address: str) -> Fetched:
        fetched.append(address)
        return Fetched(f"{HEADER}FERN-{len(fetched)},1688,{FERN},1\n".encode(), ".csv")

    monkeypatch.setattr("connectors.request_files.fetching.fetch", fetch)
    settings = SourcingSettings(
        data_dir=tmp_path, book=SecretStr("https://sheets.example/book")
    )

    async def read() -> list[str]:
        return [*items(await read_book(settings)), *items(await read_book(settings))]

    async def a_night() -> list[str]:
        of_a_night.set({})
        return await read()

    assert asyncio.run(a_night()) == ["FERN-1", "FERN-1"]
    assert asyncio.run(a_night()) == ["FERN-2", "FERN-2"]
    assert asyncio.run(read()) == ["FERN-3", "FERN-4"]


def test_a_faulty_sheet_is_fetched_again_and_so_is_any_by_a_retried_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets = iter(["", f"FERN-1,1688,{FERN},1\n", f"FERN-2,1688,{FERN},1\n"])

    async def fetch(_address: str) -> Fetched:
        return Fetched(f"{HEADER}{next(sheets) or 'FERN-1,1688,,1'}".encode(), ".csv")

    monkeypatch.setattr("connectors.request_files.fetching.fetch", fetch)
    settings = SourcingSettings(
        data_dir=tmp_path, book=SecretStr("https://sheets.example/book")
    )

    async def the_night() -> list[str]:
        of_a_night.set({})
        with suppress(TableUnusable):
            await read_book(settings)
        return [*items(await read_book(settings))]

    assert asyncio.run(the_night()) == ["FERN-1"]
    assert asyncio.run(the_night()) == ["FERN-2"]


def test_a_sheet_is_read_like_a_request_file(tmp_path: Path) -> None:
    """A second sheet and notes do no harm; a number that lost its digits is told by its
    row.
    """
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["own_sku", "marketplace", "item", "pieces"])
    sheet.append([1001, "1688", FERN, 2])
    book.create_sheet("old prices")
    book.save(tmp_path / "book.xlsx")
    assert items(book_in(tmp_path / "book.xlsx")) == {"1001": FERN}
    sheet.append(["MOSS-1", "1688", 6.1e17, 1])
    book.save(tmp_path / "book.xlsx")
    with pytest.raises(
        TableUnusable,
        match="row 3, column item: this is a number that a spreadsheet cut short",
    ):
        book_in(tmp_path / "book.xlsx")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            None,
            "can't be opened (No such file or directory); check the path and its permissions",
        ),
        (b"", "row 1: the file is empty: it has no header"),
        (b"\xef\xbb\xbf\r\n\r\n", "row 1: the file is empty: it has no header"),
        (
            b"\xff\xff",
            "line 1 is no UTF-8 text; save it as CSV UTF-8 (in Excel: Save As, type “CSV UTF-8”)",
        ),
        (
            b"own_sku,item\nFERN-1,1\n",
            "row 1, column marketplace: this column is missing; add it",
        ),
        (
            b"own_sku,marketplace,item,price\n",
            "row 1, column price: not known; the columns are own_sku, rank",
        ),
    ],
)
def test_a_faulty_book_is_told(
    content: bytes | None, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "book.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TableUnusable) as raised:
        book_in(file)
    assert told in str(raised.value)


def test_cells_under_a_column_that_lost_its_name_are_told(tmp_path: Path) -> None:
    """They may be the limits, the pieces or the ranks."""
    message = "row 3: cells under a column without a name are passed over; name the column, or empty them"
    rows = [
        ["own_sku", "marketplace", "item", ""],
        ["MOSS-1", "1688", FERN, " "],
        ["FERN-1", "1688", FERN, "4.50"],
    ]
    (tmp_path / "book.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(tmp_path / "book.xlsx")
    for name in ("book.csv", "book.xlsx"):
        with pytest.raises(TableUnusable, match=message) as raised:
            book_in(tmp_path / name)
        assert "row 2" not in str(raised.value)


@pytest.mark.parametrize(
    ("own_sku", "written"),
    [
        ("=1+1", "'=1+1"),
        ("Pot, +tray", "Pot, '+tray"),
        ("A;-B", "A;'-B"),
        ("＝X", "'＝X"),
        ("O'Neil-1", "O'Neil-1"),
    ],
)
def test_what_is_written_is_read_back(
    own_sku: str, written: str, tmp_path: Path
) -> None:
    """A spreadsheet takes none of it for a formula."""
    row = {"own_sku": own_sku, "marketplace": "1688", "item": FERN}
    (tmp_path / "book.csv").write_bytes(book_text([row]))
    assert written in (tmp_path / "book.csv").read_text(encoding="utf-8-sig")
    assert items(book_in(tmp_path / "book.csv")) == {own_sku: FERN}
