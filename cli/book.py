"""`sourcing book`: look up the rows of the SKU book."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import typer

from cli.failures import (
    NEEDS_A_PERSON,
    BadUsage,
    Json,
    awaited,
    command,
    settings_now,
)
from cli.lazily import lazily
from domain.marketplace import Marketplace
from domain.offers import Offer
from domain.sku_book import BookRow, SkuBook
from domain.spares import judge_row

with lazily():
    from cli import terminal
    from connectors import book_file, concurrently, marketplaces
    from connectors.xportcn import client, errors
    from connectors.xportcn import settings as xportcn

app = typer.Typer(
    help="The SKU book (SOURCING_BOOK): what your own SKUs are at the marketplaces.",
    no_args_is_help=True,
)

ABSENT = "SOURCING_BOOK names no SKU book: name a CSV or XLSX file, or the https address of a sheet"


@command(app, "check")
def check(*, json: Json = False) -> int:
    """Look up every row of the SKU book: what is gone, sold out, dearer than its limit,
    or not clear. Buys nothing.
    """
    if (book := awaited(book_file.read_book(settings_now()))) is None:
        raise BadUsage(ABSENT)
    wrong = awaited(_looked_up(book))
    if json:
        found = [
            {"row": row.row, "own_sku": row.own_sku, "rank": row.rank, "wrong": why}
            for row, why in wrong
        ]
        terminal.print_json(found)
        return NEEDS_A_PERSON if wrong else 0
    if wrong:
        rows = [(str(row.row), row.own_sku, str(row.rank), why) for row, why in wrong]
        terminal.console.print(
            terminal.table_of(("row", "own SKU", "rank", "what to mend"), rows)
        )
    without = sum(row.component.max_unit_price is None for row in book.rows)
    terminal.console.print(
        f"{len(book.rows):,} rows looked up, {without:,} without a limit, {len(wrong):,} to mend"
    )
    return NEEDS_A_PERSON if wrong else 0


async def _looked_up(book: SkuBook) -> Sequence[tuple[BookRow, str]]:
    """The rows that can't be bought as they stand, and why. Each item is looked up
    once.
    """
    items = list(
        dict.fromkeys((row.marketplace, row.component.item) for row in book.rows)
    )
    async with client.XportcnClient(xportcn.XportcnSettings()) as service:
        found = dict(
            zip(
                items,
                await concurrently.concurrently(items, partial(_offer, service)),
                strict=True,
            )
        )
    offers = [(row, found[row.marketplace, row.component.item]) for row in book.rows]
    judged = [
        (row, offer if isinstance(offer, str) else judge_row(row, offer))
        for row, offer in offers
    ]
    return [(row, str(why)) for row, why in judged if why]


async def _offer(
    service: client.XportcnClient, of: tuple[Marketplace, str]
) -> Offer | str | None:
    """The offer, None where there is none, or why it is not known."""
    marketplace, item = of
    try:
        return await marketplaces.offering_of(marketplace, service).channel.offer(item)
    except (errors.Misconfigured, errors.ServiceAway):
        raise
    except errors.XportcnError as error:
        return f"could not be looked up: {error.message}"
