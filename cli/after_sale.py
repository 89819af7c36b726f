"""The commands that take orders back: drop, cancel, refund, return, refunds."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from cli.failures import (
    BAD_USAGE,
    NEEDS_A_PERSON,
    Json,
    amount_of,
    awaited,
    command,
    say,
    settings_now,
)
from cli.lazily import lazily
from domain.after_sale import RefundKind, standing
from flows.prefect_ui import remedy_parameters as form

with lazily():
    from cli import running, status, terminal
    from flows import after_sale, after_sale_reporting, cancel_orders
    from flows.answers import dropping
    from flows.prefect_ui import artifacts
    from tasks import snapshot

app = typer.Typer()

REASONS = ("reason", "words", "in English", "from", "up to", "voucher")
REFUNDS = ("order", "lines", "kind", "state", "asked", "came back", "refund id")


@command(app)
def cancel(
    order_ref: form.OrderRefs,
    *,
    reason: form.CancelReason = form.CHANGED_MY_MIND,
    json: Json = False,
) -> int:
    """Cancel orders: unpaid ones are closed, for paid ones that are not shipped the
    money is asked back.
    """
    return _taken_back(
        lambda: cancel_orders.cancel_orders(order_ref, reason, only_show=False),
        as_json=json,
    )


@command(app)
def drop(
    order_ref: form.OrderRefs = form.NO_TEXTS,
    *,
    batch: form.DroppedBatch = "",
    why: form.Why = "",
    json: Json = False,
) -> int:
    """Lay aside orders of which nothing was begun: they wait no longer, until a later
    run names them again.
    """
    with status.open_ledger() as ledger:
        source = snapshot.LedgerAlone(ledger, settings_now())
        done = awaited(
            dropping.dropped(source, order_ref, batch, by=terminal.person(), why=why)
        )
    if json:
        stay = {ref: str(reason) for ref, reason in done.stay.items()}
        terminal.print_json({"dropped": list(done.dropped), "stay": stay})
    else:
        terminal.console.print(done.words, highlight=False)
    for ref, reason in done.stay.items():
        terminal.warn("stays:", f"{ref}: {reason}")
    return NEEDS_A_PERSON if done.stay else 0


@command(app)
def refund(
    order_ref: form.OrderRef,
    *,
    kind: form.RefundWay = RefundKind.REFUND,
    reason: form.RefundReason = "",
    amount_cny: Annotated[str | None, form.AMOUNT] = None,
    line: form.RefundLines = form.NO_LINES,
    words: form.SellerWords = "",
    voucher: form.Pictures = form.NO_TEXTS,
    json: Json = False,
) -> int:
    """Ask for a refund or a return of a paid order."""
    amount = amount_of("--amount-cny", amount_cny)
    if not reason:
        return _reasons_listed(order_ref, kind)
    return _taken_back(
        lambda: after_sale.request_refund(
            order_ref, kind, reason, amount, line, words, voucher, only_show=False
        ),
        as_json=json,
    )


@command(app, "return")
def return_(
    order_ref: form.OrderRef,
    *,
    company: form.Company,
    number: form.ParcelNumber,
    line: form.LineNo = 0,
    note: form.ParcelNote = "",
    voucher: form.PictureLinks = form.NO_TEXTS,
    json: Json = False,
) -> int:
    """Name the parcel that brings the goods of an agreed return back to the seller."""
    return _taken_back(
        lambda: after_sale.return_parcel(
            order_ref, company, number, line, note, voucher, only_show=False
        ),
        as_json=json,
    )


@command(app)
def refunds(*, json: Json = False) -> int:
    """Follow every refund and return that is not over, and say what waits for you."""
    # loaded while the server starts
    return _taken_back(lambda: after_sale.follow_after_sale(), as_json=json)  # noqa: PLW0108


def _taken_back(
    flow: Callable[[], Coroutine[Any, Any, after_sale_reporting.AfterSaleReport]],
    *,
    as_json: bool,
) -> int:
    """Run a flow that works on orders after their purchase, and print its report."""
    report = running.run_flow(flow)
    terminal.print_json(report.to_json()) if as_json else _show(report)
    for trouble in report.troubles:
        terminal.warn("not as asked:", str(trouble))
    return 0 if report.all_fine else NEEDS_A_PERSON


def _reasons_listed(order_ref: str, kind: RefundKind) -> int:
    """List the marketplace's reasons for a command that named none."""
    options = awaited(
        after_sale.options_for(order_ref, kind)
    )  # no flow, so it needs no Prefect server
    say(
        "say why with --reason, an id or words of this list"
        if options
        else "the marketplace takes no such refund now"
    )
    rows = (row.values() for row in artifacts.reasons_shown(options))
    terminal.console.print(terminal.table_of(REASONS, rows, title="Reasons"))
    return BAD_USAGE


def _show(report: after_sale_reporting.AfterSaleReport) -> None:
    terminal.show_orders("Orders", report.orders)
    rows = [
        (
            refund.order_ref,
            ", ".join(map(str, refund.lines)),
            refund.kind,
            refund.state,
            str(refund.asked),
            str(refund.refunded),
            refund.refund_id or "",
        )
        for refund in report.refunds
    ]
    if rows:
        terminal.console.print(terminal.table_of(REFUNDS, rows, title="Refunds"))
    for ref, deed in report.did.items():
        terminal.console.print(f"  {ref}: {deed}", markup=False)
    for refund in report.waiting:
        terminal.console.print(f"  {refund.order_ref}: {standing(refund)}")
    terminal.show_snapshot(report.snapshot_id, report.snapshot_root)
