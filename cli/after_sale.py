"""The commands that take orders back: drop, cancel, refund, return, receive, and their like."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.failures import BAD_USAGE, NEEDS_A_PERSON, AnsweredBy, Json, amount_of, awaited, command, say
from domain.after_sale import RefundKind
from domain.money import Money

if TYPE_CHECKING:
    from flows.after_sale_reporting import AfterSaleReport

app = typer.Typer()

REASONS = ("reason", "words", "from", "up to", "voucher")
REFUNDS = ("order", "lines", "kind", "state", "asked", "came back", "refund id")

Line = Annotated[int | None, typer.Option(min=1, help="The line of the order, where each has a refund of its own.")]
Vouchers = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE|LINK", help="A picture: on 1688 a JPG below 1 MB, on Taobao a link. Up to 5 times."),
]
Links = Annotated[list[str] | None, typer.Option(metavar="LINK", help="A link to a picture. Up to 5 times.")]


@command(app)
def cancel(
    order_ref: Annotated[list[str], typer.Argument(help="The orders to cancel.")],
    *,
    reason: Annotated[
        str, typer.Option(help="Sent to the marketplace; for paid orders one of its own reasons.")
    ] = "不想要了",
    json: Json = False,
) -> int:
    """Cancel orders: unpaid ones are closed, for paid ones that are not shipped the money is asked back."""

    async def flow() -> AfterSaleReport:
        from flows.cancel_orders import cancel_orders

        return await cancel_orders(order_ref, reason, only_show=False)

    return _taken_back(flow, as_json=json)


@command(app)
def drop(
    order_ref: Annotated[list[str] | None, typer.Argument(help="The orders that are not wanted any more.")] = None,
    *,
    batch: Annotated[str, typer.Option(metavar="ID", help="All of its orders that are held or refused as well.")] = "",
    why: Annotated[str, typer.Option(metavar="TEXT", help="Shown with each of them.")] = "",
    by: AnsweredBy = None,
    json: Json = False,
) -> int:
    """Lay aside orders of which nothing was begun: they wait no longer, until a later run names them again."""
    from cli.status import open_ledger
    from cli.terminal import console, person, print_json, warn
    from connectors.settings import SourcingSettings
    from flows.answers.dropping import NOTHING_NAMED, dropped
    from tasks.snapshot import LedgerAlone

    with open_ledger() as ledger:
        source = LedgerAlone(ledger, SourcingSettings())
        done = awaited(dropped(source, order_ref or [], batch, by=by or person(), why=why))
    if done is None:
        say(NOTHING_NAMED)
        return BAD_USAGE
    if json:
        print_json({"dropped": list(done.dropped), "stay": {ref: str(reason) for ref, reason in done.stay.items()}})
    else:
        console.print(done.words, highlight=False)
    for ref, reason in done.stay.items():
        warn("stays:", f"{ref}: {reason}")
    return NEEDS_A_PERSON if done.stay else 0


@command(app)
def refund(
    order_ref: str,
    *,
    kind: Annotated[RefundKind, typer.Option(help="Money back alone, or goods back for money.")] = RefundKind.REFUND,
    reason: Annotated[str, typer.Option(help="An id or words of the marketplace's list; without it the list.")] = "",
    amount_cny: Annotated[str | None, typer.Option(help="How much, in yuan; without it the most possible.")] = None,
    line: Annotated[list[int] | None, typer.Option(min=1, help="A line of the order; without it all.")] = None,
    words: Annotated[str, typer.Option(help="The message to the seller, 2 to 150 characters.")] = "",
    voucher: Vouchers = None,
    json: Json = False,
) -> int:
    """Ask for a refund or a return of a paid order, or anew where the seller refused."""
    amount = amount_of("--amount-cny", amount_cny)
    if not reason:
        return _reasons_listed(order_ref, kind)

    async def flow() -> AfterSaleReport:
        from flows.after_sale import request_refund

        return await request_refund(
            order_ref, kind, reason, amount or "", line or [], words, voucher or [], only_show=False
        )

    return _taken_back(flow, as_json=json)


@command(app, "return")
def return_(
    order_ref: str,
    *,
    company: Annotated[str, typer.Option(help="The carrier: its code, such as SF, or its name.")],
    number: Annotated[str, typer.Option(help="The parcel's tracking number.")],
    line: Line = None,
    note: Annotated[str, typer.Option(help="The message to the seller about the goods.")] = "",
    voucher: Links = None,
    json: Json = False,
) -> int:
    """Name the parcel that brings the goods of an agreed return back to the seller."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import return_parcel

        return await return_parcel(order_ref, company, number, line or 0, note, voucher or [], only_show=False)

    return _taken_back(flow, as_json=json)


@command(app)
def refunds(*, json: Json = False) -> int:
    """Follow every refund and return that is not over, and say what waits for you."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import follow_after_sale

        return await follow_after_sale()

    return _taken_back(flow, as_json=json)


@command(app)
def withdraw(order_ref: str, *, line: Line = None, json: Json = False) -> int:
    """Take a refund back (Taobao)."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import withdraw_refund

        return await withdraw_refund(order_ref, line or 0, only_show=False)

    return _taken_back(flow, as_json=json)


@command(app)
def message(
    order_ref: str,
    words: Annotated[str, typer.Argument(help="Up to 500 characters; the same words are said once.")],
    *,
    line: Line = None,
    voucher: Links = None,
    json: Json = False,
) -> int:
    """Write to the seller about a refund (Taobao)."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import message_seller

        return await message_seller(order_ref, words, line or 0, voucher or [], only_show=False)

    return _taken_back(flow, as_json=json)


@command(app)
def receive(
    order_ref: Annotated[list[str], typer.Argument(help="The orders whose goods arrived.")], *, json: Json = False
) -> int:
    """Confirm to the marketplace that goods arrived, which lets the seller have the money (1688)."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import confirm_receipt

        return await confirm_receipt(order_ref, only_show=False)

    return _taken_back(flow, as_json=json)


def _taken_back(flow: Callable[[], Coroutine[Any, Any, AfterSaleReport]], *, as_json: bool) -> int:
    """Run a flow that works on orders after their purchase, and print its report."""
    from cli.running import run_flow
    from cli.terminal import print_json, warn

    report = run_flow(flow)
    print_json(report.to_json()) if as_json else _show(report)
    for trouble in report.troubles:
        warn("not as asked:", str(trouble))
    return 0 if report.all_fine else NEEDS_A_PERSON


def _reasons_listed(order_ref: str, kind: RefundKind) -> int:
    """List the marketplace's reasons for a command that named none."""
    from cli.terminal import console, table_of
    from flows.after_sale import options_for
    from flows.prefect_ui.artifacts import reasons_shown

    options = awaited(options_for(order_ref, kind))  # no flow, so it needs no Prefect server
    say("say why with --reason, an id or words of this list" if options else "the marketplace takes no such refund now")
    console.print(table_of(REASONS, (row.values() for row in reasons_shown(options)), title="Reasons"))
    return BAD_USAGE


def _show(report: AfterSaleReport) -> None:
    from cli.terminal import console, show_orders, show_snapshot, table_of

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
