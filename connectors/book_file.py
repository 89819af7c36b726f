"""The tables that a merchant keeps, SKU book and rates, used whole or not at all; and
how request files are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from connectors.fetched_files import fetch_stored, is_address
from connectors.request_files import Reader, Reading, UnreadableFile
from connectors.request_files.csv_file import read_csv
from connectors.request_files.decoding import REMEDY, SAVE_IT, Unusable, content_of
from connectors.request_files.xlsx_file import read_xlsx
from connectors.settings import BadSetting, SourcingSettings
from connectors.shop_files import profiles_in
from domain.cell_table import BadTable
from domain.cells import csv_text, no_formula
from domain.landed import Rates
from domain.rates_file import parse_rates
from domain.sku_book import COLUMNS, SkuBook, parse_book

READERS: dict[str, Reader] = {".csv": read_csv, ".xlsx": read_xlsx}
BOOK = "SOURCING_BOOK"
NAMES = [column.name for column in COLUMNS]
of_a_night: ContextVar[dict[str, SkuBook]] = ContextVar("of_a_night")
"""The sound books of a run over an inbox, by address: a sheet is fetched once for all
its files.
"""


class TableUnusable(BadSetting):
    """The file of a setting can't be used; the message names both, and every fault with
    its row and its remedy.
    """

    def __init__(self, setting: str, file: str, problem: str) -> None:
        super().__init__(f"{setting}, {file}: {problem}")


@contextmanager
def _sound(setting: str, file: str) -> Iterator[None]:
    """A table that a person keeps is used whole and faultless, or not at all."""
    try:
        yield
    except OSError as error:
        raise TableUnusable(
            setting,
            file,
            f"can't be opened ({error.strerror}); check the path and its permissions",
        ) from error
    except Unusable as error:
        raise TableUnusable(
            setting, file, str(error).replace(REMEDY, SAVE_IT)
        ) from error
    except BadTable as error:
        raise TableUnusable(setting, file, error.listed) from error


def read_rates(path: Path | None) -> Rates:
    """All rates of the file; none for None. Raises `TableUnusable`: a faulty file is
    never used in part.
    """
    if path is None:
        return Rates()
    with _sound("SOURCING_RATES", str(path)):
        return parse_rates(read_csv(content_of(path), ""))


def rates_of(settings: SourcingSettings) -> Rates:
    """The merchant's rates. An unusable file gives none, with the reason where a rate
    is needed: the run goes on.
    """
    try:
        return read_rates(settings.rates_file)
    except TableUnusable as error:
        return Rates(fault=str(error).partition("\n")[0].rstrip(":"))


async def read_book(settings: SourcingSettings) -> SkuBook | None:
    """The whole book; None where no file is named. Raises `TableUnusable`: a faulty
    book is never used in part.
    """
    if not (named := settings.book.get_secret_value()):
        return None
    if not is_address(named):
        return book_in(Path(named), require_limit=settings.require_price_limit)
    if named in (books := of_a_night.get({})):
        return books[named]
    place_name = "the sheet at its address"  # which may hold a token
    try:
        file = await fetch_stored(named, settings)
    except UnreadableFile as error:
        raise TableUnusable(BOOK, place_name, str(error)) from None
    books[named] = book_in(
        file, shown=place_name, require_limit=settings.require_price_limit
    )
    return books[named]


def book_in(file: Path, *, shown: str = "", require_limit: bool = False) -> SkuBook:
    """The book in a file. Raises `TableUnusable`."""
    shown = shown or str(file)
    if (read := READERS.get(file.suffix.lower())) is None:
        raise TableUnusable(
            BOOK, shown, f"ends in {file.suffix!r}; save it as {' or '.join(READERS)}"
        )
    with _sound(BOOK, shown):
        return parse_book(read(content_of(file), ""), require_limit=require_limit)


def book_text(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Rows of a SKU book as a CSV file that spreadsheets open as UTF-8."""
    cells = [[no_formula(row.get(name, "")) for name in NAMES] for row in rows]
    return csv_text([NAMES, *cells]).encode("utf-8-sig")


def missing_file(data_dir: Path, batch_id: str) -> Path:
    """Where the rows lie that the SKU book lacks for a batch."""
    return data_dir / f"book-missing-{batch_id}.csv"


async def reading_by(settings: SourcingSettings) -> Reading:
    """The one way for each door by which a request file comes in. Raises `BadSetting`
    for a faulty book or profile.
    """
    return {
        "require_limit": settings.require_price_limit,
        "book": await read_book(settings),
        "shops": profiles_in(settings.data_dir),
    }
