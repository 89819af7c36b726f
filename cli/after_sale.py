"""`sourcing cancel`, `refund`, `return`, `refunds` and their like: taking orders back, at a terminal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from cli.failures import BAD_USAGE, NEEDS_A_PERSON, say
from cli.options import is_amount
from cli.running import run_flow
from cli.terminal import console, show_orders, warn
from domain.after_sale import RefundFault, RefundKind, RefundOption
from domain.money import Money

if TYPE_CHECKING:
    from flows.after_sale_reporting import AfterSaleReport, RefundLine


def cancel(order_refs: list[str], *, reason: str, as_json: bool) -> int:
    """Cancel orders; answers the exit code."""

    async def flow() -> AfterSaleReport:
        from flows.cancel_orders import cancel_orders

        return await cancel_orders(order_refs, reason)

    return _run(flow, as_json=as_json)


def ask_refund(
    order_ref: str,
    *,
    kind: RefundKind,
    reason: str,
    amount_cny: str | None,
    lines: list[int],
    words: str,
    vouchers: list[str],
    as_json: bool,
) -> int:
    """Ask for a refund or a return; without a reason list the reasons. Answers the exit code."""
    if not is_amount("--amount-cny", amount_cny):
        return BAD_USAGE
    if not reason:
        return _list_reasons(order_ref, kind)

    async def flow() -> AfterSaleReport:
        from flows.after_sale import ask_for_refund

        return await ask_for_refund(order_ref, kind, reason, amount_cny, lines, words, vouchers)

    return _run(flow, as_json=as_json)


def send_back(
    order_ref: str, *, company: str, number: str, line: int | None, note: str, vouchers: list[str], as_json: bool
) -> int:
    """Name the return parcel; answers the exit code."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import send_back

        return await send_back(order_ref, company, number, line, note, vouchers)

    return _run(flow, as_json=as_json)


def withdraw(order_ref: str, *, line: int | None, as_json: bool) -> int:
    """Take a refund back; answers the exit code."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import withdraw_refund

        return await withdraw_refund(order_ref, line)

    return _run(flow, as_json=as_json)


def message(order_ref: str, words: str, *, line: int | None, vouchers: list[str], as_json: bool) -> int:
    """Write to the seller about a refund; answers the exit code."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import write_to_seller

        return await write_to_seller(order_ref, words, line, vouchers)

    return _run(flow, as_json=as_json)


def receive(order_refs: list[str], *, as_json: bool) -> int:
    """Confirm receipt; answers the exit code."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import receive_orders

        return await receive_orders(order_refs)

    return _run(flow, as_json=as_json)


def follow(*, as_json: bool) -> int:
    """Follow all refunds; answers the exit code."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import follow_after_sale

        return await follow_after_sale()

    return _run(flow, as_json=as_json)


def _run(flow: Callable[[], Coroutine[Any, Any, AfterSaleReport]], *, as_json: bool) -> int:
    try:
        report = run_flow(flow)
    except RefundFault as fault:
        say(str(fault))
        return BAD_USAGE
    if as_json:
        print(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
    else:
        _show(report)
    for trouble in report.troubles:
        warn("not as asked:", trouble)
    return 0 if report.all_fine else NEEDS_A_PERSON


def _list_reasons(order_ref: str, kind: RefundKind) -> int:
    from flows.after_sale import options_for

    try:
        options = asyncio.run(options_for(order_ref, kind))  # no flow, so it needs no Prefect server
    except RefundFault as fault:
        say(str(fault))
        return BAD_USAGE
    say("say why with --reason, an id or words of this list" if options else "the marketplace takes no such refund now")
    console.print(_reasons_table(options))
    return BAD_USAGE


def _reasons_table(options: Sequence[RefundOption]) -> Table:
    table = Table("reason", "words", "from", "up to", "voucher", title="Reasons", title_justify="left")
    for option in options:
        table.add_row(
            str(option.reason_id),
            option.name,
            str(option.least + option.least_postage),
            str(option.most + option.most_postage),
            "needed" if option.needs_voucher else "",
        )
    return table


def _show(report: AfterSaleReport) -> None:
    show_orders("Orders", report.orders)
    if report.refunds:
        console.print(_refunds_table(report.refunds))
    for refund in report.refunds:
        if refund.waits_for_a_person:
            console.print(f"  {refund.order_ref}: {refund.words}")
    if report.snapshot_id:
        console.print(f"Snapshot {report.snapshot_id} in {report.snapshot_root}", soft_wrap=True)


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
