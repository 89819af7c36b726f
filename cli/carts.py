"""`sourcing cart ...`: orders prepared by hand in the marketplaces' own carts, at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cli.failures import NEEDS_A_PERSON, require_batch_name, require_encoding
from cli.follow_ups import with_follow_ups
from cli.run import buy, print_report, print_warnings, require_no_faults, require_somebody
from cli.running import run_flow
from cli.terminal import console, print_json, table_of
from domain.orders import CartRow
from domain.reasons import ReasonCode
from domain.report import BatchReport


def add(file: Path, *, batch: str | None, encoding: str, as_json: bool) -> int:
    """Put a file's orders into the carts; answers the exit code."""
    require_batch_name(batch)
    require_encoding(encoding)
    print_warnings(require_no_faults(file, encoding=encoding, as_json=as_json))

    async def flow() -> BatchReport:
        from flows.carts import fill_cart

        return await fill_cart(file, batch, encoding)

    report = run_flow(flow)
    print_json(report.to_json()) if as_json else print_report(report)
    return 0 if all(line.reason_code is ReasonCode.IN_CART for line in report.orders) else NEEDS_A_PERSON


def order(
    order_refs: list[str], *, dry_run: bool, yes: bool, budget_cny: str, as_json: bool, wait: bool = False
) -> int:
    """Order the rows of the carts; answers the exit code."""
    require_somebody("order", "look only with: sourcing cart preview", is_given=dry_run or yes)

    async def flow() -> BatchReport:
        from flows.carts import order_cart

        return await order_cart(order_refs, dry_run, yes, budget_cny)

    return buy(with_follow_ups(flow, budget_cny=budget_cny) if wait else flow, as_json=as_json)


def show_cart(flow: Callable[[], Coroutine[Any, Any, Sequence[CartRow]]], *, as_json: bool) -> int:
    """Run a flow that answers the rows of a cart, and show them; answers the exit code."""
    rows = run_flow(flow)
    if as_json:
        print_json([_as_json(row) for row in rows])
        return 0
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
    console.print(table_of(("row", "item", "sku", "what", "price", "pieces", "stock", "seller"), shown, title="Cart"))
    return 0


def _as_json(row: CartRow) -> dict[str, Any]:
    shown = asdict(row)
    del shown["price"]
    return {**shown, "price_fen": row.price.minor if row.price else None}
