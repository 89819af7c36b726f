"""`sourcing book`: look up the rows of the SKU book, and add to them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.failures import NEEDS_A_PERSON, BadUsage, say
from cli.terminal import console, print_json, table_of
from connectors.book_file import add_row, read_book
from connectors.concurrently import task_group
from connectors.fetched_files import is_address
from connectors.marketplaces import offering_of
from connectors.settings import SourcingSettings, XportcnSettings
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Misconfigured, ServiceAway, XportcnError
from domain.items import marketplace_of
from domain.marketplace import Marketplace
from domain.offers import Offer
from domain.sku_book import BookRow, SkuBook
from domain.spares import judge_row

AT_ONCE = 8
NO_FILE = "rows are added to a CSV file: name one in SOURCING_BOOK"
ABSENT = "SOURCING_BOOK names no SKU book: name a CSV or XLSX file, or the https address of a sheet"


def check(*, as_json: bool) -> int:
    """Print what is wrong with each row; answers the exit code."""
    book = asyncio.run(read_book(SourcingSettings()))
    if book is None:
        raise BadUsage(ABSENT)
    wrong = asyncio.run(_looked_up(book))
    if as_json:
        print_json([{"row": row.row, "own_sku": row.own_sku, "rank": row.rank, "wrong": why} for row, why in wrong])
    else:
        if wrong:
            rows = [(str(row.row), row.own_sku, str(row.rank), why) for row, why in wrong]
            console.print(table_of(("row", "own SKU", "rank", "what to mend"), rows))
        console.print(f"{len(book.rows):,} rows looked up, {len(wrong):,} to mend")
    return NEEDS_A_PERSON if wrong else 0


async def _looked_up(book: SkuBook) -> Sequence[tuple[BookRow, str]]:
    """The rows that can't be bought as they stand, and why. Each item is looked up once."""
    slots = asyncio.Semaphore(AT_ONCE)
    found: dict[tuple[Marketplace, str], asyncio.Task[Offer | str | None]] = {}
    async with XportcnClient(XportcnSettings()) as client, task_group() as running:
        for row in book.rows:
            key = row.marketplace, row.component.item
            if key not in found:
                found[key] = running.create_task(_offer(client, slots, *key))
    offers = [(row, found[row.marketplace, row.component.item].result()) for row in book.rows]
    judged = [(row, offer if isinstance(offer, str) else judge_row(row, offer)) for row, offer in offers]
    return [(row, str(why)) for row, why in judged if why]


async def _offer(
    client: XportcnClient, slots: asyncio.Semaphore, marketplace: Marketplace, item: str
) -> Offer | str | None:
    """The offer, None where there is none, or why it is not known."""
    async with slots:
        try:
            return await offering_of(marketplace, client).channel.offer(item)
        except (Misconfigured, ServiceAway):
            raise
        except XportcnError as error:
            return f"could not be looked up: {error.message}"


def add(row: Mapping[str, str], marketplace: Marketplace | None) -> int:
    """Add a row to the book; answers the exit code."""
    named = SourcingSettings().book.get_secret_value()
    if not named or is_address(named):
        raise BadUsage(NO_FILE)
    at = marketplace or marketplace_of(row["item"])
    if at is None:
        raise BadUsage(f"{row['item']!r} does not say where it is: add --marketplace")
    add_row(Path(named), {**row, "marketplace": at})
    say(f"added {row['own_sku']} to {named}; to look it up: sourcing book check")
    return 0
