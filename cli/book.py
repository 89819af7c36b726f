"""`sourcing book`: the merchant's own SKUs; look up the rows of the SKU book, and add to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.failures import NEEDS_A_PERSON, BadUsage, Json, awaited, command, say
from domain.marketplace import Marketplace, marketplace_of
from domain.wording import shorten

if TYPE_CHECKING:
    import asyncio

    from connectors.xportcn.client import XportcnClient
    from domain.offers import Offer
    from domain.sku_book import BookRow, SkuBook

app = typer.Typer(
    help="The SKU book (SOURCING_BOOK): what your own SKUs are at the marketplaces.", no_args_is_help=True
)

AT_ONCE = 8
NO_FILE = "rows are added to a CSV file: name one in SOURCING_BOOK"
ABSENT = "SOURCING_BOOK names no SKU book: name a CSV or XLSX file, or the https address of a sheet"


@command(app, "check")
def check(*, json: Json = False) -> int:
    """Look up every row of the SKU book: what is gone, sold out, dearer than its limit, or not clear. Buys nothing."""
    from cli.terminal import console, print_json, table_of
    from connectors.book_file import read_book
    from connectors.settings import SourcingSettings

    if (book := awaited(read_book(SourcingSettings()))) is None:
        raise BadUsage(ABSENT)
    wrong = awaited(_looked_up(book))
    if json:
        print_json([{"row": row.row, "own_sku": row.own_sku, "rank": row.rank, "wrong": why} for row, why in wrong])
        return NEEDS_A_PERSON if wrong else 0
    if wrong:
        rows = [(str(row.row), row.own_sku, str(row.rank), why) for row, why in wrong]
        console.print(table_of(("row", "own SKU", "rank", "what to mend"), rows))
    without = sum(row.component.max_unit_price is None for row in book.rows)
    console.print(f"{len(book.rows):,} rows looked up, {without:,} without a limit, {len(wrong):,} to mend")
    if book.bundles:
        console.print(f"bundles, each bought whole: {shorten(book.bundles)}")
    return NEEDS_A_PERSON if wrong else 0


async def _looked_up(book: SkuBook) -> Sequence[tuple[BookRow, str]]:
    """The rows that can't be bought as they stand, and why. Each item is looked up once."""
    import asyncio

    from connectors.concurrently import task_group
    from connectors.xportcn.client import XportcnClient
    from connectors.xportcn.settings import XportcnSettings
    from domain.spares import judge_row

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
    from connectors.marketplaces import offering_of
    from connectors.xportcn.errors import Misconfigured, ServiceAway, XportcnError

    async with slots:
        try:
            return await offering_of(marketplace, client).channel.offer(item)
        except (Misconfigured, ServiceAway):
            raise
        except XportcnError as error:
            return f"could not be looked up: {error.message}"


@command(app, "add")
def add(
    own_sku: Annotated[str, typer.Argument(help="Your own SKU.")],
    item: Annotated[str, typer.Argument(help="A product URL, or an item id with --marketplace.")],
    *,
    marketplace: Annotated[
        Marketplace | None, typer.Option(help="Where the item is; an URL says so by itself.")
    ] = None,
    sku: Annotated[str, typer.Option(help="The variant, where the item has several.")] = "",
    pieces: Annotated[int, typer.Option(min=1, help="Pieces that make one own SKU.")] = 1,
    rank: Annotated[int, typer.Option(min=1, max=99, help="2 and more: a spare offer.")] = 1,
    country: Annotated[str, typer.Option(help="For receivers in this country alone.")] = "",
    max_unit_price: Annotated[str, typer.Option(help="The most one piece may cost, in yuan.")] = "",
    group: Annotated[str, typer.Option(help="What is bought together, such as the seller.")] = "",
    bundle: Annotated[bool, typer.Option("--bundle", help="Buy it together with what has this rank.")] = False,
) -> None:
    """Add a row to the SKU book, which must be a CSV file; it is made where there is none."""
    from connectors.book_file import add_row
    from connectors.fetched_files import is_address
    from connectors.settings import SourcingSettings

    named = SourcingSettings().book.get_secret_value()
    if not named or is_address(named):
        raise BadUsage(NO_FILE)
    if (at := marketplace or marketplace_of(item)) is None:
        raise BadUsage(f"{item!r} does not say where it is: add --marketplace")
    row = {"own_sku": own_sku, "country": country, "rank": str(rank), "item": item, "sku": sku}
    row |= {"pieces": str(pieces), "max_unit_price": max_unit_price, "group": group}
    add_row(Path(named), {**row, "marketplace": at}, bundle=bundle)
    say(f"added {own_sku} to {named}; to look it up: sourcing book check")
