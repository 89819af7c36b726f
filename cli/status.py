"""`sourcing status` and `sourcing resolve`: look into the ledger, and answer what only a person can know."""

from __future__ import annotations

import getpass
import socket
from datetime import UTC, datetime, timedelta

from rich.table import Table

from cli.failures import BAD_USAGE, COULD_NOT_RUN, say
from cli.terminal import console, show_orders
from connectors.ledger.codec import to_json
from connectors.ledger.records import EffectRecord, OrderChange, Outcome
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.effects import Action, EffectStatus
from domain.money import Money
from domain.service_orders import Shipment
from domain.states import OrderState
from flows.reporting import line_of


def show_status(order_ref: str | None) -> int:
    """All orders, or one with its effects, moves and events; answers the exit code."""
    with _ledger() as ledger:
        if order_ref is not None:
            return _show_one(ledger, order_ref)
        lines = [line_of(order) for order in ledger.all_orders().values()]
        if lines:
            show_orders("Orders, newest first", lines)
        else:
            console.print("No orders yet. Begin with: sourcing run FILE")
        return 0


def answer_booking(order_ref: str, *, booked: str | None, tracking: str | None, not_booked: bool) -> int:
    """Record a person's answer about a booking without one; answers the exit code."""
    shipment = Shipment(shipment_order_id=booked, tracking_numbers=(tracking,)) if booked and tracking else None
    if (shipment is None) is not not_booked or (not_booked and (booked or tracking)):
        say("say either --booked SHIPMENT_ORDER_ID --tracking NUMBER, or --not-booked")
        return BAD_USAGE
    with _ledger() as ledger:
        order = ledger.orders([order_ref]).get(order_ref)
        found = ledger.take_over([order_ref], actions=[Action.BOOK], lease=timedelta(seconds=60), dead_owners=[])
        if order is None or not found:
            say(f"{order_ref} has no booking that waits for an answer; see: sourcing status {order_ref}")
            return COULD_NOT_RUN
        ledger.record([_answer(found[0], shipment, ledger.clock())])
        console.print(f"{order_ref} is now {ledger.orders([order_ref])[order_ref].state}")
    return 0


def _answer(effect: EffectRecord, shipment: Shipment | None, now: datetime) -> Outcome:
    if shipment is None:
        reason = "a person found that it was not booked; run again to book it"
        change = OrderChange(order_ref=effect.order_ref, state=OrderState.PAID, reason=reason)
        return Outcome(claim=effect.claim, status=EffectStatus.UNSENT, reason=reason, change=change)
    columns = {
        "shipment": to_json(shipment),
        "shipment_order_id": shipment.shipment_order_id,
        "booked_at": now,
    }
    reason = f"a person found that it was booked as {shipment.shipment_order_id}"
    change = OrderChange(order_ref=effect.order_ref, state=OrderState.BOOKED, reason=reason, columns=columns)
    return Outcome(claim=effect.claim, status=EffectStatus.DONE, reason=reason, change=change)


def _show_one(ledger: Ledger, order_ref: str) -> int:
    order = ledger.orders([order_ref]).get(order_ref)
    if order is None:
        say(f"no order {order_ref} in the ledger; see all with: sourcing status")
        return COULD_NOT_RUN
    show_orders(f"Order {order_ref} of batch {order.batch_id}", [line_of(order)])
    approved = f"approved {Money(order.approved_minor)}" if order.approved_minor is not None else "nothing approved"
    console.print(f"{approved}; paid {order.paid}; order id {order.order_id or '–'}")
    console.print(_table("Effects", ("key", "status", "since", "reason"), _effects(ledger, order_ref)))
    console.print(_table("Moves", ("at", "to", "reason", "by"), _moves(ledger, order_ref)))
    console.print(_table("Tracking", ("at", "number", "status", "what"), _events(ledger, order_ref)))
    return 0


def _effects(ledger: Ledger, order_ref: str) -> list[tuple[str, ...]]:
    return [
        (effect.key, effect.status, _shown(effect.settled_at or effect.intent_at), effect.reason)
        for effect in ledger.effects_of([order_ref])
    ]


def _moves(ledger: Ledger, order_ref: str) -> list[tuple[str, ...]]:
    return [(_shown(m["at"]), m["new_state"], m["reason"], m["by"]) for m in ledger.moves_of(order_ref)]


def _events(ledger: Ledger, order_ref: str) -> list[tuple[str, ...]]:
    events = ledger.tracking.listed(order_refs=[order_ref])
    return [(_shown(e["occurred_at"]), e["tracking_number"], e["status"], e["description"]) for e in events]


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*row)
    return table


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _ledger() -> Ledger:
    owner = f"{getpass.getuser()}@{socket.gethostname()}"
    return Ledger(SourcingSettings().ledger_url, clock=lambda: datetime.now(UTC), owner=owner)
