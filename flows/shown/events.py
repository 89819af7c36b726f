"""Events that automations can trigger on: what changed about orders and effects since the last look (docs/events.md).

All are told from one place, by comparing the ledger with what was known before. They go to the server in one call a
chunk, not through `prefect.events.emit_event`: its queue must be empty before a process may end, and when the server is
gone it takes seconds an event. What can't be told is tried again with the next, and never stops a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from prefect.client.orchestration import get_client
from prefect.events import Event, RelatedResource, Resource
from prefect.events.related import related_resources_from_run_context
from prefect.settings import PREFECT_API_URL

from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import Ledger
from connectors.xportcn.gate import GateNews
from domain.effects import OPEN, EffectStatus
from domain.report import BatchReport
from domain.states import OrderState
from flows.shown.progress import shown

TOLD_STATES = (
    OrderState.BOOKED,
    OrderState.HELD,
    OrderState.REFUSED,
    OrderState.UNKNOWN,
    OrderState.CANCELLED,
    OrderState.REFUNDED,
)
TRAVELLING = (OrderState.BOOKED, OrderState.SHIPPED, OrderState.IN_WAREHOUSE, OrderState.IN_TRANSIT)
SERVICE = {"prefect.resource.id": "sourcing.service", "prefect.resource.name": "the service"}
STALLED_AFTER = timedelta(days=7)
LONGEST_REASON = 500
MOST_REFS = 100
TOLD_OF_A_RUN = ("flow-run", "deployment")
"""What more Prefect knows of a run would triple the room that an event takes in its database."""


class EventFeed:
    """What was last known of some orders and their effects; each `tell` says what is new since.

    `without_run` for what a person does outside a flow run and automations have to hear of.
    """

    def __init__(self, ledger: Ledger, order_refs: Iterable[str], *, without_run: bool = False) -> None:
        self._ledger = ledger
        self._without_run = without_run
        self._orders = ledger.orders(order_refs)
        self._effects = _statuses(ledger.effects_of(self._orders))
        self._untold: list[Event] = []

    async def tell(self, order_refs: Sequence[str], *further: Event) -> dict[str, OrderRecord]:
        """Tell what changed about these orders, and further events; answers how the orders stand."""
        orders = self._ledger.orders(order_refs)
        effects = self._ledger.effects_of(order_refs)
        self._untold += [
            event for ref, order in orders.items() for event in events_of_order(self._orders.get(ref), order)
        ]
        self._untold += [
            event
            for effect in effects
            if (event := event_of_effect(self._effects.get(effect.key), effect, orders[effect.order_ref]))
        ]
        self._untold += further
        self._orders |= orders
        self._effects |= _statuses(effects)
        if await send(self._untold, without_run=self._without_run):
            self._untold = []
        return orders


async def send(events: Sequence[Event], *, without_run: bool = False) -> bool:
    """Give events to the Prefect server, with the flow run they belong to; True unless that failed."""
    if not events or not PREFECT_API_URL.value():
        return True  # Prefect would start a server of its own for them
    return await shown(f"{len(events):,} events", _post(events), without_run=without_run)


async def _post(events: Sequence[Event]) -> None:
    async with get_client() as client:
        run = [one for one in await related_resources_from_run_context(client) if one.role in TOLD_OF_A_RUN]
        whole = [event.model_copy(update={"related": [*event.related, *run]}) for event in events]
        await client.request("POST", "/events", json=[event.model_dump(mode="json") for event in whole])


def batch_finished(report: BatchReport) -> Event:
    """`sourcing.batch.finished`: the sums of a run."""
    payload = {
        "counts": report.counts,
        "spent_fen": report.spent_fen,
        "spent_this_run_fen": report.spent_this_run_fen,
        "bought_this_run": report.bought_this_run,
        "snapshot_id": report.snapshot_id,
    }
    return _event("sourcing.batch.finished", _batch(report.batch_id), payload)


def budget_used_up(batch_id: str, report: BatchReport) -> list[Event]:
    """`sourcing.budget.used-up`: orders are held since a budget or the day's limit has no room; one event a run."""
    held = [line for line in report.orders if line.state is OrderState.HELD and "does not fit the" in line.reason]
    if not held:
        return []
    payload = {"orders": [line.order_ref for line in held][:MOST_REFS], "count": len(held), "reason": held[0].reason}
    return [_event("sourcing.budget.used-up", _batch(batch_id), payload)]


def stalled(ledger: Ledger, orders: Mapping[str, OrderRecord], now: datetime) -> list[Event]:
    """`sourcing.tracking.stalled`: booked orders of which nothing was heard for `STALLED_AFTER`."""
    found: list[Event] = []
    heard: dict[str, datetime] = {}
    for event in ledger.tracking.listed(order_refs=orders):
        heard[event["order_ref"]] = max(event["recorded_at"], heard.get(event["order_ref"], event["recorded_at"]))
    for order in orders.values():
        if order.state not in TRAVELLING:
            continue
        last = max(filter(None, (heard.get(order.order_ref), order.booked_at)), default=order.updated_at)
        if now - last >= STALLED_AFTER:
            payload = {**_about(order), "days": (now - last).days, "last_heard_of": last.isoformat()}
            found.append(_event("sourcing.tracking.stalled", _order(order.order_ref), payload, batch_id=order.batch_id))
    return found


def events_of_order(before: OrderRecord | None, now: OrderRecord) -> list[Event]:
    """What became of one order. `paid` is told also when the order went further within the same chunk."""
    names = ["paid"] if now.paid_minor is not None and (before is None or before.paid_minor is None) else []
    moved = before is None or (before.state, before.reason) != (now.state, now.reason)
    names += [str(now.state)] if moved and now.state in TOLD_STATES else []
    return [
        _event(f"sourcing.order.{name}", _order(now.order_ref), _about(now), batch_id=now.batch_id) for name in names
    ]


def event_of_effect(before: EffectStatus | None, now: EffectRecord, order: OrderRecord) -> Event | None:
    """That nothing is known of an effect, or that something is again."""
    if now.status is EffectStatus.UNKNOWN and before is not EffectStatus.UNKNOWN:
        name = "sourcing.effect.unknown"
    elif before is EffectStatus.UNKNOWN and now.status not in OPEN:
        name = "sourcing.effect.settled"
    else:
        return None
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
    return _event(name, resource, payload, batch_id=order.batch_id, order_ref=now.order_ref)


def service_waits(news: GateNews) -> Event:
    """`sourcing.service.away`, or `.throttled`: calls wait; told when a run begins to."""
    name = "throttled" if "too many calls" in news.why else "away"
    payload = {"reason": news.why[:LONGEST_REASON], "for_s": round(news.for_s), "next_try_s": round(news.next_try_s)}
    return _event(f"sourcing.service.{name}", SERVICE, payload)


def service_back(said: str) -> Event:
    """`sourcing.service.back`: calls go on."""
    return _event("sourcing.service.back", SERVICE, {"reason": said})


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


def _event(
    name: str, resource: dict[str, str], payload: dict[str, Any], *, batch_id: str = "", order_ref: str = ""
) -> Event:
    related = [{**_batch(batch_id), "prefect.resource.role": "batch"}] if batch_id else []
    related += [{**_order(order_ref), "prefect.resource.role": "order"}] if order_ref else []
    return Event(event=name, resource=Resource(resource), related=list(map(RelatedResource, related)), payload=payload)
