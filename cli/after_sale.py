"""`sourcing cancel`, `refund`, `return`, `refunds` and their like: taking orders back, at a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from cli.failures import BAD_USAGE, NEEDS_A_PERSON, say
from cli.running import run_flow
from cli.terminal import console, print_json, show_orders, show_snapshot, warn
from domain.after_sale import RefundKind, RefundOption
from domain.money import Money

if TYPE_CHECKING:
    from flows.after_sale_reporting import AfterSaleReport, RefundLine

Flow = Callable[[], "Coroutine[Any, Any, AfterSaleReport]"]


def take_back(flow: Flow, *, as_json: bool) -> int:
    """Run a flow that works on orders after their purchase, and print its report; answers the exit code."""
    report = run_flow(flow)
    print_json(report.to_json()) if as_json else _show(report)
    for trouble in report.troubles:
        warn("not as asked:", trouble)
    return 0 if report.all_fine else NEEDS_A_PERSON


def list_reasons(order_ref: str, kind: RefundKind) -> int:
    """Show what the marketplace takes as a reason; answers the exit code of a command that named none."""
    from flows.after_sale import options_for

    options = asyncio.run(options_for(order_ref, kind))  # no flow, so it needs no Prefect server
    say("say why with --reason, an id or words of this list" if options else "the marketplace takes no such refund now")
    console.print(_reasons_table(options))
    return BAD_USAGE


def _reasons_table(options: Sequence[RefundOption]) -> Table:
    from flows.shown.foreseen import reasons_shown

    table = Table("reason", "words", "from", "up to", "voucher", title="Reasons", title_justify="left")
    for row in reasons_shown(options):
        table.add_row(*row.values())
    return table


def _show(report: AfterSaleReport) -> None:
    show_orders("Orders", report.orders)
    if report.refunds:
        console.print(_refunds_table(report.refunds))
    for refund in report.refunds:
        if refund.waits_for_a_person:
            console.print(f"  {refund.order_ref}: {refund.words}")
    show_snapshot(report.snapshot_id, report.snapshot_root, report.rejected)


def _refunds_table(refunds: Sequence[RefundLine]) -> Table:
    columns = ("order", "lines", "kind", "state", "asked", "came back", "refund id")
    table = Table(*columns, title="Refunds", title_justify="left", header_style="bold")
    for refund in refunds:
        table.add_row(
            refund.order_ref,
            ", ".join(map(str, refund.lines)),
            refund.kind,
            refund.state,
            str(Money(refund.asked_fen)),
            str(Money(refund.refunded_fen)),
            refund.refund_id or "",
        )
    return table
