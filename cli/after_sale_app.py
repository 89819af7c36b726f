"""The commands that take orders back: drop, cancel, refund, return, receive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cli.failures import AnsweredBy, Json, amount_of, explained
from domain.after_sale import RefundKind

if TYPE_CHECKING:
    from cli.after_sale import Flow
    from flows.after_sale_reporting import AfterSaleReport

app = typer.Typer()

Line = Annotated[int | None, typer.Option(min=1, help="The line of the order, where each has a refund of its own.")]
Vouchers = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE|LINK", help="A picture: on 1688 a JPG below 1 MB, on Taobao a link. Up to 5 times."),
]
Links = Annotated[list[str] | None, typer.Option(metavar="LINK", help="A link to a picture. Up to 5 times.")]


def _end(flow: Flow, *, as_json: bool) -> NoReturn:
    from cli.after_sale import take_back

    raise typer.Exit(take_back(flow, as_json=as_json))


@app.command()
@explained
def cancel(
    order_ref: Annotated[list[str], typer.Argument(help="The orders to cancel.")],
    *,
    reason: Annotated[
        str, typer.Option(help="Sent to the marketplace; for paid orders one of its own reasons.")
    ] = "不想要了",
    json: Json = False,
) -> None:
    """Cancel orders: unpaid ones are closed, for paid ones that are not shipped the money is asked back."""

    async def flow() -> AfterSaleReport:
        from flows.cancel_orders import cancel_orders

        return await cancel_orders(order_ref, reason, only_show=False)

    _end(flow, as_json=json)


@app.command()
@explained
def drop(
    order_ref: Annotated[list[str] | None, typer.Argument(help="The orders that are not wanted any more.")] = None,
    *,
    batch: Annotated[str, typer.Option(metavar="ID", help="All of its orders that are held or refused as well.")] = "",
    why: Annotated[str, typer.Option(metavar="TEXT", help="Shown with each of them.")] = "",
    by: AnsweredBy = None,
    json: Json = False,
) -> None:
    """Lay aside orders of which nothing was begun: they wait no longer, until a later run names them again."""
    from cli.drop import drop_orders

    raise typer.Exit(drop_orders(order_ref or [], batch, why, by, as_json=json))


@app.command()
@explained
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
) -> None:
    """Ask for a refund or a return of a paid order, or anew where the seller refused."""
    from cli.after_sale import list_reasons

    amount = amount_of("--amount-cny", amount_cny)
    if not reason:
        raise typer.Exit(list_reasons(order_ref, kind))

    async def flow() -> AfterSaleReport:
        from flows.after_sale import request_refund

        return await request_refund(
            order_ref, kind, reason, amount or "", line or [], words, voucher or [], only_show=False
        )

    _end(flow, as_json=json)


@app.command(name="return")
@explained
def return_(
    order_ref: str,
    *,
    company: Annotated[str, typer.Option(help="The carrier: its code, such as SF, or its name.")],
    number: Annotated[str, typer.Option(help="The parcel's tracking number.")],
    line: Line = None,
    note: Annotated[str, typer.Option(help="The message to the seller about the goods.")] = "",
    voucher: Links = None,
    json: Json = False,
) -> None:
    """Name the parcel that brings the goods of an agreed return back to the seller."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import return_parcel

        return await return_parcel(order_ref, company, number, line or 0, note, voucher or [], only_show=False)

    _end(flow, as_json=json)


@app.command()
@explained
def refunds(*, json: Json = False) -> None:
    """Follow every refund and return that is not over, and say what waits for you."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import follow_after_sale

        return await follow_after_sale()

    _end(flow, as_json=json)


@app.command()
@explained
def withdraw(order_ref: str, *, line: Line = None, json: Json = False) -> None:
    """Take a refund back (Taobao)."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import withdraw_refund

        return await withdraw_refund(order_ref, line or 0, only_show=False)

    _end(flow, as_json=json)


@app.command()
@explained
def message(
    order_ref: str,
    words: Annotated[str, typer.Argument(help="Up to 500 characters; the same words are said once.")],
    *,
    line: Line = None,
    voucher: Links = None,
    json: Json = False,
) -> None:
    """Write to the seller about a refund (Taobao)."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import message_seller

        return await message_seller(order_ref, words, line or 0, voucher or [], only_show=False)

    _end(flow, as_json=json)


@app.command()
@explained
def receive(
    order_ref: Annotated[list[str], typer.Argument(help="The orders whose goods arrived.")], *, json: Json = False
) -> None:
    """Confirm to the marketplace that goods arrived, which lets the seller have the money (1688)."""

    async def flow() -> AfterSaleReport:
        from flows.after_sale import confirm_receipt

        return await confirm_receipt(order_ref, only_show=False)

    _end(flow, as_json=json)
