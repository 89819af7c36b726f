"""Events that automations can trigger on: changes of orders and effects since the last
comparison (docs/events.md).

All are emitted from one place, by comparing the ledger with its earlier state. An event
takes about 6 KB of Prefect's database, whatever it says: so orders of a batch that come
into the same state share one. They go to the server in one call a chunk, not through
`prefect.events.emit_event`: its queue must be empty before a process may end, and when
the server is gone it takes seconds an event. Unsent events are tried again with the
next, and never stop a run.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from prefect.client.orchestration import get_client
from prefect.events import Event, RelatedResource, Resource
from prefect.settings import PREFECT_API_URL

from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import Ledger
from connectors.xportcn.breaker import BreakerNews
from domain.effects import OPEN, EffectStatus
from domain.reasons import Reason, ReasonCode, because
from domain.report import BatchReport
from domain.states import TRAVELLING, OrderState
from flows.prefect_ui.expected_errors import best_effort
from flows.prefect_ui.runs import current_run

EVENT_STATES = (
    OrderState.BOOKED,
    OrderState.HELD,
    OrderState.REFUSED,
    OrderState.UNKNOWN,
    OrderState.CANCELLED,
    OrderState.REFUNDED,
)
SERVICE = {
    "prefect.resource.id": "sourcing.service",
    "prefect.resource.name": "the service",
}
STALLED_AFTER = timedelta(days=7)
LONGEST_REASON = 500
MOST_REFS = 100

_Known = tuple[OrderState, Reason | None, bool]
"""State, its reason, and whether money has left."""


class EventFeed:
    """The last known state of some orders and their effects; each `emit` sends the
    changes since.

    It begins with these `orders`.
    """

    def __init__(self, ledger: Ledger, orders: Iterable[OrderRecord]) -> None:
        self._ledger = ledger
        self._known: dict[str, _Known] = {}
        self._doubts: dict[str, set[str]] = {}
        self._pending: list[Event] = []
        self._reading = asyncio.Lock()
        self._compare(orders)

    async def emit(self, order_refs: Iterable[str], *further: Event) -> Counter[str]:
        """Send the changes of these orders, and further events; answers the number of
        orders in each state.
        """
        async with self._reading:  # in a thread: other chunks have effects on the wire, whose answers must be read
            states, news = await asyncio.to_thread(self._changes, order_refs)
        # concurrent chunks send their own events each
        telling = [*self._pending, *news, *further]
        self._pending = []
        if not await send(telling):
            self._pending = [*telling, *self._pending]
        return states

    def clear(self) -> None:
        """Forget how the orders were; what could not be sent yet stays."""
        self._known.clear()

    def _changes(self, order_refs: Iterable[str]) -> tuple[Counter[str], list[Event]]:
        return self._compare(self._ledger.each_order(order_refs))

    def _compare(
        self, orders: Iterable[OrderRecord]
    ) -> tuple[Counter[str], list[Event]]:
        """The number of orders in each state, and the news: of state changes one for
        alike orders of a batch.

        `paid` is emitted also when the order went further since the last comparison.
        """
        states = Counter[str]()
        batches = dict[str, str]()
        alike = defaultdict[tuple[str, str], list[dict[str, Any]]](list)
        for order in orders:
            ref = order.order_ref
            before = self._known.get(order.order_ref)
            current_reason = _known(order)
            for name in _news_of(before, current_reason):
                alike[name, order.batch_id].append(_about(order))
            self._known[ref] = current_reason
            batches[ref] = order.batch_id
            states[str(order.state)] += 1
        news = [
            _event(
                f"sourcing.order.{name}",
                _batch(batch_id),
                {"batch_id": batch_id, "orders": entries_chunk},
            )
            for (name, batch_id), entries in alike.items()
            for entries_chunk in (
                entries[at : at + MOST_REFS] for at in range(0, len(entries), MOST_REFS)
            )
        ]
        doubted = self._ledger.unsettled(batches) | self._doubts.keys() & batches.keys()
        for effect in self._ledger.effects_of(doubted) if doubted else ():
            doubts = self._doubts.setdefault(effect.order_ref, set())
            if event := event_of_effect(
                effect, batches[effect.order_ref], was_unknown=effect.key in doubts
            ):
                news.append(event)
            (doubts.add if effect.status is EffectStatus.UNKNOWN else doubts.discard)(
                effect.key
            )
        return states, news


async def send(events: Sequence[Event]) -> bool:
    """Give events to the Prefect server, with the flow run that they belong to, if any;
    True unless that failed.
    """
    if not events or not PREFECT_API_URL.value():
        return True  # Prefect would start a server of its own for them
    return await best_effort(f"{len(events):,} events", _post(events), without_run=True)


async def _post(events: Sequence[Event]) -> None:
    whole = [
        event.model_copy(update={"related": [*event.related, *_origin()]})
        for event in events
    ]
    async with get_client() as client:
        await client.request(
            "POST", "/events", json=[event.model_dump(mode="json") for event in whole]
        )


def _origin() -> list[RelatedResource]:
    """The flow run and the deployment that an event comes from; none outside a run."""
    run = current_run()
    ids = {"flow-run": run.id, "deployment": run.deployment_id} if run else {}
    return [
        RelatedResource(
            {
                "prefect.resource.id": f"prefect.{kind}.{id}",
                "prefect.resource.role": kind,
            }
        )
        for kind, id in ids.items()
        if id
    ]


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
    """`sourcing.budget.used-up`: orders are held since a budget or the day's limit has
    no room; one event a run.
    """
    if not (held := report.without_room):
        return []
    payload = {
        "orders": [line.order_ref for line in held][:MOST_REFS],
        "count": len(held),
    }
    payload |= {"reason": held[0].reason, "reason_code": held[0].reason_code}
    return [_event("sourcing.budget.used-up", _batch(batch_id), payload)]


def parcel_silent(days: int) -> Reason:
    """The reason of a parcel that no carrier has scanned for so many days."""
    return because(ReasonCode.PARCEL_SILENT, days=days)


def stalled(
    ledger: Ledger, orders: Mapping[str, OrderRecord], moment: datetime
) -> list[Event]:
    """`sourcing.tracking.stalled`: booked orders without any scan for
    `STALLED_AFTER`.
    """
    events: list[Event] = []
    heard = ledger.tracking.last_recorded(orders)
    for order in orders.values():
        if order.state not in TRAVELLING:
            continue
        last = max(
            filter(None, (heard.get(order.order_ref), order.booked_at)),
            default=order.updated_at,
        )
        if moment - last >= STALLED_AFTER:
            days = (moment - last).days
            payload = {
                "batch_id": order.batch_id,
                **_about(order),
                "days": days,
                "last_heard_of": last.isoformat(),
            }
            payload |= {
                "reason": str(reason := parcel_silent(days)),
                "reason_code": reason.code,
            }
            events.append(
                _event(
                    "sourcing.tracking.stalled",
                    _order(order.order_ref),
                    payload,
                    batch_id=order.batch_id,
                )
            )
    return events


def _known(order: OrderRecord) -> _Known:
    return order.state, order.why, order.paid_minor is not None


def _news_of(before: _Known | None, current_reason: _Known) -> list[str]:
    names = ["paid"] if current_reason[2] and (before is None or not before[2]) else []
    moved = before is None or before[:2] != current_reason[:2]
    return names + (
        [str(current_reason[0])] if moved and current_reason[0] in EVENT_STATES else []
    )


def event_of_effect(
    effect: EffectRecord, batch_id: str, *, was_unknown: bool
) -> Event | None:
    """The event of an effect that became unknown, or is known again."""
    if effect.status is EffectStatus.UNKNOWN and not was_unknown:
        name = "sourcing.effect.unknown"
    elif was_unknown and effect.status not in OPEN:
        name = "sourcing.effect.settled"
    else:
        return None
    payload = {
        "order_ref": effect.order_ref,
        "action": str(effect.action),
        "status": str(effect.status),
        "amount_minor": effect.amount_minor,
        "currency": effect.currency,
        "sent_at": effect.intent_at.isoformat(),
        "reason": effect.reason[:LONGEST_REASON],
        "reason_code": effect.reason_code,
    }
    resource = {
        "prefect.resource.id": f"sourcing.effect.{effect.key}",
        "prefect.resource.name": effect.key,
    }
    return _event(
        name, resource, payload, batch_id=batch_id, order_ref=effect.order_ref
    )


def service_waits(news: BreakerNews) -> Event:
    """`sourcing.service.away`, or `.throttled`: calls wait; emitted when a run begins
    to wait.
    """
    name = "throttled" if news.is_throttled else "away"
    payload = {
        "reason": news.why[:LONGEST_REASON],
        "for_s": round(news.for_s),
        "next_try_s": round(news.next_try_s),
    }
    return _event(f"sourcing.service.{name}", SERVICE, payload)


def service_back(message: str) -> Event:
    """`sourcing.service.back`: calls go on."""
    return _event("sourcing.service.back", SERVICE, {"reason": message})


def _about(order: OrderRecord) -> dict[str, Any]:
    """The fields of an order in an event, without empty ones; nothing about the
    receiver.
    """
    facts = {
        "order_ref": order.order_ref,
        "marketplace": str(order.marketplace),
        "state": str(order.state),
        "reason": order.reason[:LONGEST_REASON],
        "reason_code": order.reason_code,
        "order_id": order.order_id,
        "paid_fen": order.paid_minor,
        "refunded_fen": order.refunded_minor,
        "tracking_numbers": order.tracking_numbers,
    }
    return {
        name: fact for name, fact in facts.items() if fact not in (None, "", [], ())
    }


def _order(order_ref: str) -> dict[str, str]:
    return {
        "prefect.resource.id": f"sourcing.order.{order_ref}",
        "prefect.resource.name": order_ref,
    }


def _batch(batch_id: str) -> dict[str, str]:
    return {
        "prefect.resource.id": f"sourcing.batch.{batch_id}",
        "prefect.resource.name": batch_id,
    }


def _event(
    name: str,
    resource: dict[str, str],
    payload: dict[str, Any],
    *,
    batch_id: str = "",
    order_ref: str = "",
) -> Event:
    related = (
        [{**_batch(batch_id), "prefect.resource.role": "batch"}] if batch_id else []
    )
    related += (
        [{**_order(order_ref), "prefect.resource.role": "order"}] if order_ref else []
    )
    return Event(
        event=name,
        resource=Resource(resource),
        related=list(map(RelatedResource, related)),
        payload=payload,
    )
