"""`sourcing cancel`, `refund`, `return`, `refunds` and their like: reversing orders, at a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from cli.failures import BAD_USAGE, NEEDS_A_PERSON, say
from cli.running import run_flow
from cli.terminal import console, print_json, show_orders, show_snapshot, table_of, warn
from domain.after_sale import RefundKind
from domain.money import Money

if TYPE_CHECKING:
    from flows.after_sale_reporting import AfterSaleReport

Flow = Callable[[], "Coroutine[Any, Any, AfterSaleReport]"]
REASONS = ("reason", "words", "from", "up to", "voucher")
REFUNDS = ("order", "lines", "kind", "state", "asked", "came back", "refund id")


def take_back(flow: Flow, *, as_json: bool) -> int:
    """Run a flow that works on orders after their purchase, and print its report; answers the exit code."""
    report = run_flow(flow)
    print_json(report.to_json()) if as_json else _show(report)
    for trouble in report.troubles:
        warn("not as asked:", str(trouble))
    return 0 if report.all_fine else NEEDS_A_PERSON


def list_reasons(order_ref: str, kind: RefundKind) -> int:
    """List the marketplace's reasons; answers the exit code of a command that named none."""
    from flows.after_sale import options_for
    from flows.prefect_ui.artifacts import reasons_shown

    options = asyncio.run(options_for(order_ref, kind))  # no flow, so it needs no Prefect server
    say("say why with --reason, an id or words of this list" if options else "the marketplace takes no such refund now")
    console.print(table_of(REASONS, (row.values() for row in reasons_shown(options)), title="Reasons"))
    return BAD_USAGE


def _show(report: AfterSaleReport) -> None:
    show_orders("Orders", report.orders)
    rows = [
        (
            refund.order_ref,
            ", ".join(map(str, refund.lines)),
            refund.kind,
            refund.state,
            str(Money(refund.asked_fen)),
            str(Money(refund.refunded_fen)),
            refund.refund_id or "",
        )
        for refund in report.refunds
    ]
    if rows:
        console.print(table_of(REFUNDS, rows, title="Refunds"))
    for ref, deed in report.did.items():
        console.print(f"  {ref}: {deed}", markup=False)
    for refund in report.refunds:
        if refund.waits_for_a_person:
            console.print(f"  {refund.order_ref}: {refund.words}")
    show_snapshot(report.snapshot_id, report.snapshot_root, report.rejected)
