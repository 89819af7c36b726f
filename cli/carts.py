"""`sourcing cart ...`: orders prepared by hand in the marketplaces' own carts, at a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from rich.table import Table

from cli.failures import BAD_USAGE, NEEDS_A_PERSON, say
from cli.options import as_given, is_amount, is_encoding
from cli.run import ask, print_report, require_no_faults, say_warnings
from cli.running import run_flow
from cli.terminal import console
from domain.cart import CartFault, CartRow
from domain.marketplace import Marketplace
from domain.report import BatchReport

R = TypeVar("R")


def add(file: Path, *, batch: str | None, encoding: str, as_json: bool) -> int:
    """Lay a file's orders into the carts; answers the exit code."""

    async def flow() -> BatchReport:
        from flows.carts import fill_cart

        return await fill_cart(file, batch, encoding)

    if not is_encoding(encoding):
        return BAD_USAGE
    say_warnings(require_no_faults(file, encoding=encoding, as_json=as_json))
    report = _run(flow)
    if report is None:
        return BAD_USAGE
    from tasks.fill_cart import IN_CART

    _print(report, as_json=as_json)
    return 0 if all(line.reason.startswith(IN_CART) for line in report.orders) else NEEDS_A_PERSON


def order(order_refs: list[str], *, dry_run: bool, yes: bool, budget_cny: str | None, as_json: bool) -> int:
    """Order what lies in the carts; answers the exit code."""
    if not (dry_run or yes or sys.stdin.isatty()):
        say("nobody can be asked to approve the order here: add --yes, or look only with: sourcing cart preview")
        return BAD_USAGE
    if not is_amount("--budget-cny", budget_cny):
        return BAD_USAGE

    async def flow() -> BatchReport:
        from flows.approval import approver
        from flows.carts import order_from_cart

        approver.set(ask)
        return await order_from_cart(order_refs, dry_run, yes, as_given(budget_cny))

    report = _run(flow)
    if report is None:
        return BAD_USAGE
    _print(report, as_json=as_json)
    return 0 if report.all_fine else NEEDS_A_PERSON


def show(marketplace: Marketplace, *, as_json: bool) -> int:
    """Show a cart; answers the exit code."""

    async def flow() -> tuple[CartRow, ...]:
        from flows.carts import show_cart

        return await show_cart(marketplace)

    return _show(_run(flow), as_json=as_json)


def change(marketplace: Marketplace, *, quantities: dict[str, int], delete: list[str], as_json: bool) -> int:
    """Set quantities or take rows out, and show the cart; answers the exit code."""

    async def flow() -> tuple[CartRow, ...]:
        from flows.carts import change_cart

        return await change_cart(marketplace, quantities, delete)

    return _show(_run(flow), as_json=as_json)


def _run(flow: Callable[[], Coroutine[Any, Any, R]]) -> R | None:
    """The flow's answer; None after a fault, which is said."""
    try:
        return run_flow(flow)
    except CartFault as fault:
        say(str(fault))
        return None


def _print(report: BatchReport, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
    else:
        print_report(report)


def _show(rows: Sequence[CartRow] | None, *, as_json: bool) -> int:
    if rows is None:
        return BAD_USAGE
    if as_json:
        print(json.dumps([_as_json(row) for row in rows], ensure_ascii=False, indent=2))
        return 0
    table = Table(
        "row", "item", "sku", "what", "price", "pieces", "stock", "seller", title="Cart", title_justify="left"
    )
    for row in rows:
        table.add_row(
            row.row_id,
            row.item_id,
            row.sku_id,
            row.title if row.buyable else f"{row.title} (can't be bought)",
            str(row.price or ""),
            str(row.quantity),
            str(row.stock),
            row.seller_name or row.seller_id,
        )
    console.print(table)
    return 0


def _as_json(row: CartRow) -> dict[str, Any]:
    shown = asdict(row)
    del shown["price"]
    return {**shown, "price_fen": row.price.minor if row.price else None}
