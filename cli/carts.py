"""`sourcing cart`: orders prepared by hand in the marketplaces' own carts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.failures import (
    NEEDS_A_PERSON,
    BatchName,
    Encoding,
    Json,
    Wait,
    amount_of,
    command,
    require_batch_name,
    require_encoding,
)
from cli.lazily import lazily
from domain.marketplace import Marketplace
from domain.orders import CartRow
from domain.reasons import ReasonCode
from domain.report import BatchReport

with lazily():
    from cli import run, running, terminal
    from flows import carts

app = typer.Typer(
    help="Prepare orders by hand in the marketplaces' own carts.", no_args_is_help=True
)

COLUMNS = ("row", "item", "sku", "what", "price", "pieces", "stock", "seller")


@command(app, "add")
def add(
    file: Annotated[
        Path, typer.Argument(help="Request file: CSV, XLSX, JSON or Parquet.")
    ],
    *,
    batch: BatchName = None,
    encoding: Encoding = "",
    json: Json = False,
) -> int:
    """Lay the orders of a request file into the carts; buys nothing."""
    require_batch_name(batch)
    require_encoding(encoding)
    run.print_warnings(run.require_no_faults(file, encoding=encoding, as_json=json))

    report = running.run_flow(lambda: carts.fill_cart(file, batch, encoding))
    terminal.print_json(report.to_json()) if json else run.print_report(report)
    return (
        0
        if all(line.reason_code is ReasonCode.IN_CART for line in report.orders)
        else NEEDS_A_PERSON
    )


@command(app, "list")
def list_rows(marketplace: Marketplace, *, json: Json = False) -> None:
    """Show what lies in a marketplace's cart."""
    _show(lambda: carts.show_cart(marketplace), as_json=json)


@command(app, "set")
def set_quantity(
    marketplace: Marketplace, row: str, quantity: int, *, json: Json = False
) -> None:
    """Change how many pieces a row holds."""
    _show(lambda: carts.change_cart(marketplace, {row: quantity}), as_json=json)


@command(app, "delete")
def delete(marketplace: Marketplace, row: list[str], *, json: Json = False) -> None:
    """Take rows out of a cart."""
    _show(lambda: carts.change_cart(marketplace, delete=row), as_json=json)


@command(app, "preview")
def preview(
    order_ref: Annotated[list[str], typer.Argument(help="Orders that lie in a cart.")],
    *,
    json: Json = False,
) -> int:
    """Show what ordering would cost, with the quantities that lie in the cart now."""
    return _ordered(order_ref, dry_run=True, as_json=json)


@command(app, "order")
def order(
    order_ref: Annotated[list[str], typer.Argument(help="Orders that lie in a cart.")],
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Approve without asking.")
    ] = False,
    budget_cny: Annotated[
        str | None, typer.Option(help="Most that their batch may cost, in yuan.")
    ] = None,
    wait: Wait = False,
    json: Json = False,
) -> int:
    """Order what lies in the carts, then pay, book and ship it like any other order."""
    return _ordered(
        order_ref,
        yes=yes,
        budget_cny=amount_of("--budget-cny", budget_cny),
        as_json=json,
        wait=wait,
    )


def _ordered(
    order_refs: list[str],
    *,
    dry_run: bool = False,
    yes: bool = False,
    budget_cny: str = "",
    as_json: bool,
    wait: bool = False,
) -> int:
    run.require_somebody(
        "order", "look only with: sourcing cart preview", is_given=dry_run or yes
    )

    def flow() -> Coroutine[Any, Any, BatchReport]:
        return carts.order_cart(order_refs, dry_run, yes, budget_cny)

    return run.buy(
        running.with_follow_ups(flow, budget_cny=budget_cny) if wait else flow,
        as_json=as_json,
    )


def _show(
    flow: Callable[[], Coroutine[Any, Any, Sequence[CartRow]]], *, as_json: bool
) -> None:
    """Run a flow that answers the rows of a cart, and show them."""
    rows = running.run_flow(flow)
    if as_json:
        terminal.print_json([_as_json(row) for row in rows])
        return
    shown = (
        (
            row.row_id,
            row.item_id,
            row.sku_id,
            row.title if row.buyable else f"{row.title} (can't be bought)",
            str(row.price or ""),
            str(row.quantity),
            str(row.stock),
            row.seller_name or row.seller_id,
        )
        for row in rows
    )
    terminal.console.print(terminal.table_of(COLUMNS, shown, title="Cart"))


def _as_json(row: CartRow) -> dict[str, Any]:
    shown = asdict(row)
    del shown["price"]
    return {**shown, "price_fen": row.price.minor if row.price else None}
