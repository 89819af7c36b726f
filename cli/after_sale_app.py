"""The commands after a purchase: cancel, refund, return, receive."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.failures import explained
from cli.options import Json
from domain.after_sale import RefundKind

app = typer.Typer()

Line = Annotated[int | None, typer.Option(min=1, help="The line of the order, where each has a refund of its own.")]
Vouchers = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE|LINK", help="A picture: on 1688 a JPG below 1 MB, on Taobao a link. Up to 5 times."),
]


@app.command()
@explained
def cancel(
    order_ref: Annotated[list[str], typer.Argument(help="The orders to cancel.")],
    *,
    reason: Annotated[
        str, typer.Option(help="Told to the marketplace; for paid orders one of its own reasons.")
    ] = "不想要了",
    json: Json = False,
) -> None:
    """Cancel orders: unpaid ones are closed, for paid ones that are not shipped the money is asked back."""
    from cli.after_sale import cancel as run_cancel

    raise typer.Exit(run_cancel(order_ref, reason=reason, as_json=json))


@app.command()
@explained
def refund(
    order_ref: str,
    *,
    kind: Annotated[RefundKind, typer.Option(help="Money back alone, or goods back for money.")] = RefundKind.REFUND,
    reason: Annotated[str, typer.Option(help="An id or words of the marketplace's list; without it the list.")] = "",
    amount_cny: Annotated[str | None, typer.Option(help="How much, in yuan; without it the most possible.")] = None,
    line: Annotated[list[int] | None, typer.Option(min=1, help="A line of the order; without it all.")] = None,
    words: Annotated[str, typer.Option(help="What to tell the seller, 2 to 150 characters.")] = "",
    voucher: Vouchers = None,
    json: Json = False,
) -> None:
    """Ask for a refund or a return of a paid order, or anew where the seller refused."""
    from cli.after_sale import ask_refund

    raise typer.Exit(
        ask_refund(
            order_ref,
            kind=kind,
            reason=reason,
            amount_cny=amount_cny,
            lines=line or [],
            words=words,
            vouchers=voucher or [],
            as_json=json,
        )
    )


@app.command(name="return")
@explained
def return_(
    order_ref: str,
    *,
    company: Annotated[str, typer.Option(help="The carrier: its code, such as SF, or its name.")],
    number: Annotated[str, typer.Option(help="The parcel's tracking number.")],
    line: Line = None,
    note: Annotated[str, typer.Option(help="What to tell the seller about the goods.")] = "",
    voucher: Annotated[
        list[str] | None, typer.Option(metavar="LINK", help="A link to a picture. Up to 5 times.")
    ] = None,
    json: Json = False,
) -> None:
    """Name the parcel that brings the goods of an agreed return back to the seller."""
    from cli.after_sale import send_back

    raise typer.Exit(
        send_back(order_ref, company=company, number=number, line=line, note=note, vouchers=voucher or [], as_json=json)
    )


@app.command()
@explained
def refunds(*, json: Json = False) -> None:
    """Follow every refund and return that is not over, and say what waits for you."""
    from cli.after_sale import follow

    raise typer.Exit(follow(as_json=json))


@app.command()
@explained
def withdraw(order_ref: str, *, line: Line = None, json: Json = False) -> None:
    """Take a refund back (Taobao)."""
    from cli.after_sale import withdraw as run_withdraw

    raise typer.Exit(run_withdraw(order_ref, line=line, as_json=json))


@app.command()
@explained
def message(
    order_ref: str,
    words: Annotated[str, typer.Argument(help="Up to 500 characters; the same words are said once.")],
    *,
    line: Line = None,
    voucher: Annotated[
        list[str] | None, typer.Option(metavar="LINK", help="A link to a picture. Up to 5 times.")
    ] = None,
    json: Json = False,
) -> None:
    """Write to the seller about a refund (Taobao)."""
    from cli.after_sale import message as run_message

    raise typer.Exit(run_message(order_ref, words, line=line, vouchers=voucher or [], as_json=json))


@app.command()
@explained
def receive(
    order_ref: Annotated[list[str], typer.Argument(help="The orders whose goods arrived.")], *, json: Json = False
) -> None:
    """Confirm to the marketplace that goods arrived, which lets the seller have the money (1688)."""
    from cli.after_sale import receive as run_receive

    raise typer.Exit(run_receive(order_ref, as_json=json))
