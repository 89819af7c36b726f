"""`sourcing book`: the merchant's own SKUs."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.failures import Json, explained
from domain.marketplace import Marketplace

app = typer.Typer(
    help="The SKU book (SOURCING_BOOK): what your own SKUs are at the marketplaces.", no_args_is_help=True
)


@app.command("check")
@explained
def book_check(*, json: Json = False) -> None:
    """Look up every row of the SKU book: what is gone, sold out, dearer than its limit, or not clear. Buys nothing."""
    from cli.book import check

    raise typer.Exit(check(as_json=json))


@app.command("add")
@explained
def book_add(
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
) -> None:
    """Add a row to the SKU book, which must be a CSV file; it is made where there is none."""
    from cli.book import add

    row = {"own_sku": own_sku, "country": country, "rank": str(rank), "item": item, "sku": sku}
    row |= {"pieces": str(pieces), "max_unit_price": max_unit_price, "group": group}
    raise typer.Exit(add(row, marketplace))
