"""`sourcing report`, and `sourcing forget`, which erases a receiver."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.failures import (
    COULD_NOT_RUN,
    NEEDS_A_PERSON,
    BadUsage,
    Json,
    say,
    settings_now,
    utc_now,
)
from cli.lazily import lazily
from domain.forgetting import Erased
from domain.wording import first_lines

with lazily():
    from cli import run, status, terminal
    from connectors import durable
    from connectors.ledger import forgetting
    from deployments import forgetting as erasing
    from flows.prefect_ui import markdown
    from flows.report import page, sections

MOST_LINES = 20
OUTSIDE = (
    "Elsewhere it stays: at the marketplace and at the warehouse, which have the address; in backups and exports "
    "outside the data folder; in your mails. docs/operating.md says more."
)


def report(
    batch: Annotated[
        str, typer.Argument(help="Of this batch; without it of everything.")
    ] = "",
    *,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write it with plots, as one page that needs no network.",
        ),
    ] = None,
) -> None:
    """Show orders by state and marketplace, what was paid, freight, and what waits for
    you.
    """
    with status.open_ledger() as ledger:
        try:
            orders = sections.read_report(ledger, batch)
        except sections.UnknownBatch as error:
            raise BadUsage(str(error)) from error
        records = ledger.orders(markdown.shown_whole(orders))
    moment = f"as of {terminal.clock_time(utc_now())} {terminal.zone()}"
    if not orders.orders:
        terminal.console.print("No orders yet. Begin with: sourcing run FILE")
        return
    if html:
        parts = sections.describe(orders, records)
        title = sections.title_of(orders)
        durable.put(html, page.page(title, moment, parts).encode())
        message = f"Report of {len(orders.orders):,} orders in {html.absolute()}"
        terminal.console.print(message, soft_wrap=True)
        return
    run.print_report(orders, moment)


def forget(
    order_ref: Annotated[
        list[str],
        typer.Argument(help="The orders whose receiver asks to be forgotten."),
    ],
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Strike without asking.")
    ] = False,
    json: Json = False,
) -> int:
    """Erase a receiver's name, phone, e-mail and address from all that is kept here;
    the order itself stays.
    """
    refs = list(dict.fromkeys(order_ref))
    with status.open_ledger() as ledger:
        try:
            standing = [
                stands for ref in refs if (stands := ledger.forgotten.standing(ref))
            ]
            for stands in standing:
                forgetting.require_over(stands)
            _require_yes(
                refs,
                [
                    order_standing.order_ref
                    for order_standing in standing
                    if order_standing.never_begun
                ],
                yes=yes,
            )
            erasure = erasing.forget(settings_now(), ledger, refs, by=terminal.person())
        except forgetting.StillNeeded as error:
            say(str(error))
            return COULD_NOT_RUN
    if json:
        terminal.print_json({"orders": refs, **asdict(erasure)})
    else:
        _show_erased(refs, erasure)
    return NEEDS_A_PERSON if erasure.left else 0


def _require_yes(
    order_refs: Sequence[str], unordered: Sequence[str], *, yes: bool
) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadUsage(
            "there is no terminal to ask whether to forget the receiver: add --yes"
        )
    never = (
        f" Nothing of {', '.join(unordered)} was ordered, and nothing will be."
        if unordered
        else ""
    )
    message = f"Strike name, phone, e-mail and address of {', '.join(order_refs)} for good?{never} This can't be undone"
    typer.confirm(message, default=False, abort=True, err=True)


def _show_erased(order_refs: Sequence[str], erasure: Erased) -> None:
    message = f"Forgotten: the receiver of {', '.join(order_refs)}. Orders stay in the ledger, with their amounts."
    terminal.console.print(message, soft_wrap=True)
    _list("Struck also from", erasure.erased)
    _list("Left, and to be checked", erasure.left)
    _list(
        "May name them until",
        [f"{day}: {records}" for records, day in erasure.ends.items()],
    )
    _list("Not this program's to change", erasure.elsewhere)
    terminal.console.print(OUTSIDE, soft_wrap=True)


def _list(title: str, lines: list[str]) -> None:
    if lines:
        terminal.console.print(f"{title}:")
    for line in first_lines(lines, MOST_LINES, "and {more} more: see them with --json"):
        terminal.console.print(
            f"  {line}", soft_wrap=True, highlight=False, markup=False
        )
