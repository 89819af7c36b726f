"""`sourcing status` and `sourcing todo`: the orders of the ledger, and all that waits
for a person.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer

from cli.failures import COULD_NOT_RUN, NEEDS_A_PERSON, Json, say, settings_now, utc_now
from cli.lazily import lazily
from domain.money import Money
from domain.reasons import ReasonCode
from domain.report import BatchReport, ReportLine
from domain.wording import MOST_NAMED, counted, shorten

with lazily():
    from rich import padding, text

    from cli import terminal
    from connectors.ledger import engine, records, store
    from flows.answers import histories
    from flows.answers import todo as waiting
    from flows.prefect_ui import markdown

MOST_ORDERS = 200


def status(
    order_ref: Annotated[
        str | None, typer.Argument(help="One order, with its history.")
    ] = None,
    *,
    reason: Annotated[
        str,
        typer.Option(
            metavar="CODE",
            help="Only orders that stand as they do for this reason (docs/reasons.md).",
        ),
    ] = "",
    every: Annotated[
        bool,
        typer.Option("--all", help="All orders, not only the 200 that changed last."),
    ] = False,
    json: Json = False,
) -> int:
    """Show the orders that changed last, or everything known of one."""
    code = ReasonCode.of(reason)
    if reason and code is None:
        say(f"no reason {reason}; all are in docs/reasons.md")
        return COULD_NOT_RUN
    with open_ledger() as ledger:
        orders = (
            [*ledger.newest(None if every or code else MOST_ORDERS)]
            if order_ref is None
            else [*ledger.orders([order_ref]).values()]
        )
        lines = [
            records.line_of(order)
            for order in orders
            if code is None or order.reason_code is code
        ]
        report = BatchReport(orders=lines)
        if order_ref is not None and not orders:
            say(f"no order {order_ref} in the ledger; see all with: sourcing status")
            return COULD_NOT_RUN
        if json:
            terminal.print_json(report.to_json())
            return 0
        print_if_paused(ledger)
        if order_ref is not None:
            _show_one(ledger, orders[0])
        elif lines:
            terminal.show_all_orders("Orders, newest first", lines)
            terminal.console.print(markdown.in_short(report))
            _show_remedies(lines if code else ())
            if code is None and (other_count := ledger.count() - len(lines)):
                terminal.console.print(f"and {other_count:,} more: see them with --all")
        elif reason:
            terminal.console.print(f"No order has the reason {reason}")
        else:
            terminal.console.print("No orders yet. Begin with: sourcing run FILE")
        return 0


def _show_one(ledger: store.Ledger, order: records.OrderRecord) -> None:
    order_ref = order.order_ref
    line = records.line_of(order)
    terminal.show_orders(f"Order {order_ref} of batch {order.batch_id}", [line])
    _show_remedies([line])
    approved = (
        f"approved {Money(order.approved_minor)}"
        if order.approved_minor is not None
        else "nothing approved"
    )
    if order.payable > order.approved:
        approved += f", at most {order.payable} with the price tolerance"
    terminal.console.print(
        f"{approved}; paid {order.paid}; order id {order.order_id or '–'}"
    )
    if order.reason_code:
        terminal.console.print(f"Reason {order.reason_code}: see docs/reasons.md")
    if forgotten := ledger.forgotten.known([order_ref]):
        at = f"{terminal.clock_time(forgotten[order_ref])} {terminal.zone()}"
        terminal.console.print(f"Its receiver was forgotten on {at}")
    for title, columns, rows in histories.history_of(ledger, order):
        heads = [
            f"{name} ({terminal.zone()})" if name in ("at", "since") else name
            for name in columns
        ]
        if cells := [[_shown(cell) for cell in row] for row in rows]:
            terminal.console.print(terminal.table_of(heads, cells, title=title))


def _shown(cell: object) -> str:
    return terminal.clock_time(cell) if isinstance(cell, datetime) else str(cell)


def _show_remedies(lines: Iterable[ReportLine]) -> None:
    for remedy in dict.fromkeys(line.remedy for line in lines if line.remedy):
        terminal.console.print(
            text.Text(f"What to do: {remedy[:1].upper()}{remedy[1:]}")
        )


def todo(*, json: Json = False) -> int:
    """List everything that waits for you, over all batches, the most urgent first: why,
    and what to do.
    """
    with open_ledger() as ledger:
        if not json:
            print_if_paused(ledger)
        to_dos = waiting.to_do(
            ledger,
            settings_now(),
            begun_for=timedelta(0),
        )
    if json:
        terminal.print_json([to_do.to_json() for to_do in to_dos])
    elif not to_dos:
        terminal.console.print("Nothing waits for you")
    else:
        _show_waiting(to_dos)
    return NEEDS_A_PERSON if to_dos else 0


def _show_waiting(to_dos: list[waiting.ToDo]) -> None:
    """Those with one cause together."""
    groups = waiting.alike(to_dos)
    count = f"{len(to_dos):,} to do: {counted(to_do.state for to_do in to_dos)}"
    terminal.console.print(
        f"{count}; the most urgent first (times in {terminal.zone()})", soft_wrap=True
    )
    for those, reason in groups[: terminal.MOST_SHOWN]:
        state = those[0].state
        advice = those[0].advice
        refs = shorten([to_do.order_ref for to_do in those])
        if batch := those[0].batch_id:
            refs += f" of {batch}"
        since = f" since {terminal.clock_time(those[0].since)}: "
        told = text.Text.assemble(
            (refs, "bold"), " ", (state, terminal.state_colour(state)), since, reason
        )
        terminal.console.print(padding.Padding(told, (0, 0, 0, 2)))
        commands = (*waiting.shared_commands(those), *_dropping(those))
        for line in (*commands, *([advice] if advice else [])):
            terminal.console.print(text.Text(f"      {line}"), soft_wrap=True)
    terminal.show_more(len(groups))


def _dropping(those: Sequence[waiting.ToDo]) -> list[str]:
    if not those[0].is_dispensable:
        return []
    totals = (
        f"--batch {shlex.quote(those[0].batch_id)}  # all of it that is held or refused"
    )
    named = (
        totals
        if len(those) > MOST_NAMED
        else " ".join(shlex.quote(to_do.order_ref) for to_do in those)
    )
    return [f"sourcing drop {named}"]


def open_ledger() -> store.Ledger:
    """The ledger of the settings, in the name of the person at the terminal. Raises
    `LedgerUnusable`, also for none.
    """
    url = settings_now().ledger_url
    engine.require_begun(url)
    return store.Ledger(url, clock=utc_now, owner=terminal.person())


def print_if_paused(ledger: store.Ledger) -> None:
    """Print a pause above everything else."""
    if (pause := ledger.buying_paused()) is not None:
        terminal.console.print(text.Text(pause.notice, style="yellow"), soft_wrap=True)
