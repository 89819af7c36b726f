"""`sourcing status`: show the orders of the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from difflib import get_close_matches

from rich.text import Text

from cli.failures import COULD_NOT_RUN, say
from cli.terminal import clock_time, console, person, show_all_orders, show_orders, table_of, zone
from connectors.ledger.send_log import names_a_run
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.money import Money
from domain.reasons import ReasonCode
from domain.report import ReportLine
from domain.wording import shorten
from flows.batch.reporting import line_of

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
    since, at = f"since ({zone()})", f"at ({zone()})"
    _show_rows("Effects", ("key", "status", since, "reason"), _effects(ledger, order_ref))
    _show_rows("Moves", (at, "to", "reason", "by"), _moves(ledger, order_ref))
    _show_rows("Answers", (at, "question", "answer", "by"), _answers(ledger, order_ref))
    _show_rows("Tracking", (at, "number", "status", "what"), _events(ledger, order_ref))
    return 0


def _show_remedies(lines: Iterable[ReportLine]) -> None:
    for remedy in dict.fromkeys(line.remedy for line in lines if line.remedy):
        console.print(Text(f"What to do: {remedy[:1].upper()}{remedy[1:]}"))


def _effects(ledger: Ledger, order_ref: str) -> list[tuple[str, ...]]:
    return [
        (effect.key, effect.status, clock_time(effect.settled_at or effect.intent_at), effect.reason)
        for effect in ledger.effects_of([order_ref])
    ]


def _moves(ledger: Ledger, order_ref: str) -> list[tuple[str, ...]]:
    return [(clock_time(m["at"]), m["new_state"], m["reason"], _who(m["by"])) for m in ledger.moves_of(order_ref)]


def _answers(ledger: Ledger, order_ref: str) -> list[tuple[str, ...]]:
    return [
        (clock_time(a["at"]), a["question"], a["answer"], _who(a["by"])) for a in ledger.resolutions.of_order(order_ref)
    ]


def _events(ledger: Ledger, order_ref: str) -> list[tuple[str, ...]]:
    events = ledger.tracking.listed(order_refs=[order_ref])
    return [(clock_time(e["occurred_at"]), e["tracking_number"], e["status"], e["description"]) for e in events]


def _show_rows(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table of text; nothing for no rows."""
    if rows:
        console.print(table_of(columns, rows, title=title))


def _who(by: str) -> str:
    """A person by name; a run's own name means nothing to a reader."""
    return "run" if names_a_run(by) else by


def open_ledger() -> Ledger:
    """The ledger of the settings, in the name of the person at the terminal."""
    return Ledger(SourcingSettings().ledger_url, clock=lambda: datetime.now(UTC), owner=person())


def print_if_paused(ledger: Ledger) -> None:
    """Print a pause above everything else."""
    if (pause := ledger.buying_paused()) is not None:
        console.print(Text(pause.notice, style="yellow"), soft_wrap=True)
