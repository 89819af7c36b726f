"""`sourcing cart`: orders prepared by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.failures import BatchName, Encoding, Json, Wait, amount_of, explained
from domain.marketplace import Marketplace
from domain.orders import CartRow

app = typer.Typer(help="Prepare orders by hand in the marketplaces' own carts.", no_args_is_help=True)


@app.command("add")
@explained
def cart_add(
    file: Annotated[Path, typer.Argument(help="Request file: CSV, XLSX, JSON or Parquet.")],
    *,
    batch: BatchName = None,
    encoding: Encoding = "",
    json: Json = False,
) -> None:
    """Lay the orders of a request file into the carts; buys nothing."""
    from cli.carts import add

    raise typer.Exit(add(file, batch=batch, encoding=encoding, as_json=json))


@app.command("list")
@explained
def cart_list(marketplace: Marketplace, *, json: Json = False) -> None:
    """Show what lies in a marketplace's cart."""
    from cli.carts import show_cart

    async def flow() -> tuple[CartRow, ...]:
        from flows import carts

        return await carts.show_cart(marketplace)

    raise typer.Exit(show_cart(flow, as_json=json))


@app.command("set")
@explained
def cart_set(marketplace: Marketplace, row: str, quantity: int, *, json: Json = False) -> None:
    """Change how many pieces a row holds."""
    from cli.carts import show_cart

    async def flow() -> tuple[CartRow, ...]:
        from flows import carts

        return await carts.change_cart(marketplace, {row: quantity})

    raise typer.Exit(show_cart(flow, as_json=json))


@app.command("delete")
@explained
def cart_delete(marketplace: Marketplace, row: list[str], *, json: Json = False) -> None:
    """Take rows out of a cart."""
    from cli.carts import show_cart

    async def flow() -> tuple[CartRow, ...]:
        from flows import carts

        return await carts.change_cart(marketplace, delete=row)

    raise typer.Exit(show_cart(flow, as_json=json))


@app.command("preview")
@explained
def cart_preview(
    order_ref: Annotated[list[str], typer.Argument(help="Orders that lie in a cart.")], *, json: Json = False
) -> None:
    """Show what ordering would cost, with the quantities that lie in the cart now."""
    from cli.carts import order

    raise typer.Exit(order(order_ref, dry_run=True, yes=False, budget_cny="", as_json=json))


@app.command("order")
@explained
def cart_order(
    order_ref: Annotated[list[str], typer.Argument(help="Orders that lie in a cart.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve without asking.")] = False,
    budget_cny: Annotated[str | None, typer.Option(help="Most that their batch may cost, in yuan.")] = None,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Order what lies in the carts, then pay, book and ship it like any other order."""
    from cli.carts import order

    budget = amount_of("--budget-cny", budget_cny)
    raise typer.Exit(order(order_ref, dry_run=False, yes=yes, budget_cny=budget, as_json=json, wait=wait))
