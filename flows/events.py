"""Events that automations can trigger on: what changed about orders and effects since the last look (docs/events.md).

All are told from one place, by comparing the ledger with what was known before. Telling costs nothing without a Prefect
server and never stops a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import OPEN, Ledger
from domain.effects import EffectStatus
from domain.report import BatchReport
from domain.states import OrderState
from flows.failures import run_logger

TOLD_STATES = (
    OrderState.BOOKED,
    OrderState.HELD,
    OrderState.REFUSED,
    OrderState.UNKNOWN,
    OrderState.CANCELLED,
    OrderState.REFUNDED,
)
TRAVELLING = (OrderState.BOOKED, OrderState.SHIPPED, OrderState.IN_WAREHOUSE, OrderState.IN_TRANSIT)
STALLED_AFTER = timedelta(days=7)
LONGEST_REASON = 500


class News:
    """What was last known of some orders and their effects; each `tell` says what is new since."""

    def __init__(self, ledger: Ledger, order_refs: Iterable[str]) -> None:
        self._ledger = ledger
        self._orders = ledger.orders(order_refs)
        self._effects = _statuses(ledger.effects_of(self._orders))

    def tell(self, order_refs: Sequence[str]) -> dict[str, OrderRecord]:
        """Emit the events of these orders; answers how they stand."""
        orders = self._ledger.orders(order_refs)
        effects = self._ledger.effects_of(order_refs)
        for order in orders.values():
            _tell_order(self._orders.get(order.order_ref), order)
        for effect in effects:
            _tell_effect(self._effects.get(effect.key), effect, orders[effect.order_ref])
        self._orders |= orders
        self._effects |= _statuses(effects)
        return orders


def tell_finished(report: BatchReport) -> None:
    """`sourcing.batch.finished`: the sums of a run; not after a dry run, which changes nothing."""
    if report.dry_run:
        return
    payload = {
        "counts": report.counts,
        "spent_fen": report.spent_fen,
        "spent_this_run_fen": report.spent_this_run_fen,
        "bought_this_run": report.bought_this_run,
        "snapshot_id": report.snapshot_id,
    }
    _emit("sourcing.batch.finished", _batch(report.batch_id), payload)


def tell_used_up(batch_id: str, reasons: Mapping[str, str]) -> None:
    """`sourcing.budget.used-up`: orders held since a budget or the day's limit has no room; one event a run."""
    without_room = {ref: reason for ref, reason in reasons.items() if "does not fit the" in reason}
    if without_room:
        payload = {"orders": len(without_room), "reason": next(iter(without_room.values()))}
        _emit("sourcing.budget.used-up", _batch(batch_id), payload)


def tell_stalled(ledger: Ledger, orders: Mapping[str, OrderRecord], now: datetime) -> None:
    """`sourcing.tracking.stalled`: booked orders of which nothing was heard for `STALLED_AFTER`."""
    heard: dict[str, datetime] = {}
    for event in ledger.tracking.listed(order_refs=orders):
        heard[event["order_ref"]] = max(event["recorded_at"], heard.get(event["order_ref"], event["recorded_at"]))
    for order in orders.values():
        if order.state not in TRAVELLING:
            continue
        last = max(filter(None, (heard.get(order.order_ref), order.booked_at)), default=order.updated_at)
        if now - last >= STALLED_AFTER:
            payload = {**_about(order), "days": (now - last).days, "last_heard_of": last.isoformat()}
            _emit("sourcing.tracking.stalled", _order(order.order_ref), payload, batch_id=order.batch_id)


def _tell_order(before: OrderRecord | None, now: OrderRecord) -> None:
    if now.paid_minor is not None and (before is None or before.paid_minor is None):
        _emit("sourcing.order.paid", _order(now.order_ref), _about(now), batch_id=now.batch_id)
    moved = before is None or (before.state, before.reason) != (now.state, now.reason)
    if moved and now.state in TOLD_STATES:
        _emit(f"sourcing.order.{now.state}", _order(now.order_ref), _about(now), batch_id=now.batch_id)


def _tell_effect(before: EffectStatus | None, now: EffectRecord, order: OrderRecord) -> None:
    if now.status is EffectStatus.UNKNOWN and before is not EffectStatus.UNKNOWN:
        name = "sourcing.effect.unknown"
    elif before is EffectStatus.UNKNOWN and now.status not in OPEN:
        name = "sourcing.effect.settled"
    else:
        return
    payload = {
        "order_ref": now.order_ref,
        "action": str(now.action),
        "status": str(now.status),
        "amount_minor": now.amount_minor,
        "currency": now.currency,
        "sent_at": now.intent_at.isoformat(),
        "reason": now.reason[:LONGEST_REASON],
    }
    resource = {"prefect.resource.id": f"sourcing.effect.{now.key}", "prefect.resource.name": now.key}
    _emit(name, resource, payload, batch_id=order.batch_id, order_ref=now.order_ref)


def _about(order: OrderRecord) -> dict[str, Any]:
    """What an event says of an order: nothing about the receiver."""
    return {
        "order_ref": order.order_ref,
        "batch_id": order.batch_id,
        "marketplace": str(order.marketplace),
        "state": str(order.state),
        "reason": order.reason[:LONGEST_REASON],
        "order_id": order.order_id,
        "paid_fen": order.paid_minor,
        "refunded_fen": order.refunded_minor,
        "tracking_numbers": order.tracking_numbers,
    }


def _statuses(effects: Iterable[EffectRecord]) -> dict[str, EffectStatus]:
    return {effect.key: effect.status for effect in effects}


def _order(order_ref: str) -> dict[str, str]:
    return {"prefect.resource.id": f"sourcing.order.{order_ref}", "prefect.resource.name": order_ref}


def _batch(batch_id: str) -> dict[str, str]:
    return {"prefect.resource.id": f"sourcing.batch.{batch_id}", "prefect.resource.name": batch_id}


def _emit(
    name: str, resource: dict[str, str], payload: dict[str, Any], *, batch_id: str = "", order_ref: str = ""
) -> None:
    """Hand the event to Prefect's own thread, which sends it when it can."""
    if not PREFECT_API_URL.value():
        return  # else Prefect would start a server of its own for it
    related = [{**_batch(batch_id), "prefect.resource.role": "batch"}] if batch_id else []
    related += [{**_order(order_ref), "prefect.resource.role": "order"}] if order_ref else []
    try:
        emit_event(name, resource, related=related, payload=payload)
    except Exception as error:  # noqa: BLE001 - an event that can't be told is no reason to stop
        run_logger().warning("The event %s was not told (%s)", name, type(error).__name__)
