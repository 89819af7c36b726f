"""`sourcing status` and `sourcing todo`: the orders of the ledger, and all that waits for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from cli.failures import COULD_NOT_RUN, NEEDS_A_PERSON, say
from cli.terminal import (
    MOST_SHOWN,
    and_more,
    clock_time,
    console,
    person,
    print_json,
    show_all_orders,
    show_orders,
    state_colour,
    table_of,
    zone,
)
from connectors.ledger.engine import require_begun
from connectors.ledger.records import line_of
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.money import Money
from domain.reasons import ReasonCode
from domain.report import ReportLine
from domain.wording import MOST_NAMED, counted, shorten
from flows.answers.histories import history_of

if TYPE_CHECKING:
    from flows.answers.todo import ToDo

MOST_ORDERS = 200


def show_status(order_ref: str | None, reason: str = "", most: int | None = MOST_ORDERS) -> int:
    """The newest orders, those of one reason, or one with its effects, moves and events; answers the exit code."""
    code = ReasonCode.of(reason)
    if reason and code is None:
        alike = get_close_matches(reason, map(str, ReasonCode))
        say(f"no reason {reason}; {f'perhaps {shorten(alike)}; ' if alike else ''}all are in docs/reasons.md")
        return COULD_NOT_RUN
    with open_ledger() as ledger:
        print_if_paused(ledger)
        if order_ref is not None:
            return _show_one(ledger, order_ref)
        orders = ledger.newest(most if code is None else None)
        lines = [line_of(order) for order in orders if code is None or (order.why and order.why.is_one_of([code]))]
        if reason and not lines:
            console.print(f"No order has the reason {reason}")
        elif lines:
            show_all_orders("Orders, newest first", lines)
            _show_remedies(lines if code else ())
            if code is None and (others := ledger.count() - len(lines)):
                console.print(f"and {others:,} more: see them with --all")
        else:
            console.print("No orders yet. Begin with: sourcing run FILE")
        return 0


def _show_one(ledger: Ledger, order_ref: str) -> int:
    order = ledger.orders([order_ref]).get(order_ref)
    if order is None:
        say(f"no order {order_ref} in the ledger; see all with: sourcing status")
        return COULD_NOT_RUN
    show_orders(f"Order {order_ref} of batch {order.batch_id}", [line := line_of(order)])
    _show_remedies([line])
    approved = f"approved {Money(order.approved_minor)}" if order.approved_minor is not None else "nothing approved"
    if order.payable > order.approved:
        approved += f", at most {order.payable} with the price tolerance"
    console.print(f"{approved}; paid {order.paid}; order id {order.order_id or '–'}")
    if order.reason_code:
        console.print(f"Reason {order.reason_code}: see docs/reasons.md")
    if forgotten := ledger.forgotten.known([order_ref]):
        console.print(f"Its receiver was forgotten on {clock_time(forgotten[order_ref])} {zone()}")
    for title, columns, rows in history_of(ledger, order):
        heads = [f"{name} ({zone()})" if name in ("at", "since") else name for name in columns]
        cells = [[clock_time(cell) if isinstance(cell, datetime) else str(cell) for cell in row] for row in rows]
        if cells:
            console.print(table_of(heads, cells, title=title))
    return 0


def _show_remedies(lines: Iterable[ReportLine]) -> None:
    for remedy in dict.fromkeys(line.remedy for line in lines if line.remedy):
        console.print(Text(f"What to do: {remedy[:1].upper()}{remedy[1:]}"))


def show_to_do(refused_days: int, *, as_json: bool) -> int:
    """List what waits, the most urgent first, those with one cause together; answers 3 while there is something."""
    from flows.answers.todo import to_do

    with open_ledger() as ledger:
        if not as_json:
            print_if_paused(ledger)
        found = to_do(ledger, refused_for=timedelta(days=refused_days), settings=SourcingSettings())
    if as_json:
        print_json([one.to_json() for one in found])
    elif not found:
        console.print("Nothing waits for you")
    else:
        _show_waiting(found)
    return NEEDS_A_PERSON if found else 0


def _show_waiting(found: list[ToDo]) -> None:
    from flows.answers.todo import alike, shared_commands

    groups = alike(found)
    count = counted(one.state for one in found)
    console.print(f"{len(found):,} to do: {count}; the most urgent first (times in {zone()})", soft_wrap=True)
    for those, reason in groups[:MOST_SHOWN]:
        state, advice = those[0].state, those[0].advice
        refs = shorten([one.order_ref for one in those])
        told = Text.assemble(
            (refs, "bold"), " ", (state, state_colour(state)), f" since {clock_time(those[0].since)}: "
        )
        console.print(Padding(told + Text(reason), (0, 0, 0, 2)))
        for command in (*shared_commands(those), *_dropping(those)):
            console.print(Text(f"      {command}"), soft_wrap=True)
        if advice:
            console.print(Text(f"      {advice}"), soft_wrap=True)
    if len(groups) > MOST_SHOWN:
        console.print(and_more(len(groups), "--json"))


def _dropping(those: Sequence[ToDo]) -> list[str]:
    if not those[0].is_dispensable:
        return []
    whole = f"--batch {shlex.quote(those[0].batch_id)}  # all of it that is held or refused"
    named = whole if len(those) > MOST_NAMED else " ".join(shlex.quote(one.order_ref) for one in those)
    return [f"sourcing drop {named}"]


def open_ledger() -> Ledger:
    """The ledger of the settings, in the name of the person at the terminal. Raises `LedgerUnusable`, also for none."""
    url = SourcingSettings().ledger_url
    require_begun(url)
    return Ledger(url, clock=lambda: datetime.now(UTC), owner=person())


def print_if_paused(ledger: Ledger) -> None:
    """Print a pause above everything else."""
    if (pause := ledger.buying_paused()) is not None:
        console.print(Text(pause.notice, style="yellow"), soft_wrap=True)
