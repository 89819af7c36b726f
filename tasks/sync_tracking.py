"""Follow booked orders: parcels, events, states; and tell the warehouse which domestic parcels are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.codec import lines_of, shipment_of
from connectors.ledger.records import EffectRecord, Intent, OrderChange, OrderRecord, Outcome
from connectors.xportcn.errors import Misconfigured, XportcnError
from connectors.xportcn.freight import update_domestic
from domain.effects import Action, EffectStatus
from domain.service_orders import DomesticParcel, ServiceOrder, ServiceStatus
from domain.states import ROAD, OrderState
from domain.tracking import state_from_parcels
from tasks.bounded import each
from tasks.by_channel import read_each
from tasks.resources import Resources

NOT_FOUND = "404"


@task(name="sync_tracking", task_run_name="track {label}", cache_policy=NO_CACHE, persist_result=False, retries=0)
async def sync_tracking(resources: Resources, orders: Mapping[str, OrderRecord], *, label: str) -> list[str]:
    """Bring these orders up to date; answers which of them could not be asked about, with the reason."""
    shown, unread = await read_each(resources, orders.values())
    await tell_warehouse(resources, orders, shown)
    troubles = await each(
        [ref for ref in orders if ref in shown],
        lambda ref: _follow(resources, orders[ref], shown[ref]),
        at_once=resources.concurrency,
    )
    return [f"{ref}: {reason}" for ref, reason in unread.items()] + [trouble for trouble in troubles if trouble]


async def _follow(resources: Resources, order: OrderRecord, shown: ServiceOrder) -> str:
    try:
        events = await resources.channels[order.marketplace].trace(shown)
    except XportcnError as error:
        if isinstance(error, Misconfigured) and error.code != NOT_FOUND:
            raise
        return f"{order.order_ref}: {error.message}"
    await asyncio.to_thread(resources.ledger.tracking.add, order.order_ref, events)
    if shown.status is ServiceStatus.CLOSED:
        change = _closed(order, shown)
        await asyncio.to_thread(resources.ledger.change, [change])
        return ""
    state = state_from_parcels(shown, events, order.tracking_numbers)
    if state is not None and order.state in ROAD and ROAD.index(state) > ROAD.index(order.state):
        change = OrderChange(order_ref=order.order_ref, state=state, expected=order.state)
        await asyncio.to_thread(resources.ledger.change, [change])
    return ""


def _closed(order: OrderRecord, shown: ServiceOrder) -> OrderChange:
    why = shown.close_reason or "no reason given"
    if order.paid_minor is None:
        reason = f"the marketplace closed the unpaid order ({why})"
        state = OrderState.HELD if order.state is OrderState.UNKNOWN else OrderState.CANCELLED
        return OrderChange(order_ref=order.order_ref, state=state, expected=order.state, reason=reason)
    reason = f"the marketplace closed the order after it was paid ({why})"
    return OrderChange(order_ref=order.order_ref, state=OrderState.HELD, expected=order.state, reason=reason)


async def tell_warehouse(
    resources: Resources, orders: Mapping[str, OrderRecord], shown: Mapping[str, ServiceOrder]
) -> None:
    """Report each domestic parcel of a booked order to the warehouse, once.

    A report without an answer is made again later: it spends nothing, and a parcel that the warehouse can't match
    would lie there for ever.
    """
    parcels = {ref: list(one.parcels) for ref, one in shown.items() if orders[ref].shipment is not None}
    for place in range(max((len(listed) for listed in parcels.values()), default=0)):
        now = {ref: listed[place] for ref, listed in parcels.items() if place < len(listed)}
        await _report(resources, orders, now)


async def _report(
    resources: Resources, orders: Mapping[str, OrderRecord], parcels: Mapping[str, DomesticParcel]
) -> None:
    dead = resources.dead_owners(list(parcels))
    stale = resources.ledger.take_over(
        parcels,
        actions=[Action.NOTIFY],
        lease=resources.lease,
        dead_owners=dead,
        parts={parcel.tracking_number for parcel in parcels.values()},
    )
    repeat = [
        Outcome(claim=record.claim, status=EffectStatus.UNSENT, reason="no answer; reported again") for record in stale
    ]
    resources.ledger.record(repeat)
    intents = [
        Intent(order_ref=ref, action=Action.NOTIFY, amount=None, request_hash="", part=parcel.tracking_number)
        for ref, parcel in parcels.items()
    ]
    claimed = resources.ledger.claim(intents, lease=resources.lease)

    async def send(record: EffectRecord) -> None:
        outcome = await _notify(resources, record, orders[record.order_ref], parcels[record.order_ref])
        await resources.recorder.record(outcome)

    await each(claimed.won.values(), send, at_once=resources.concurrency)


async def _notify(resources: Resources, record: EffectRecord, order: OrderRecord, parcel: DomesticParcel) -> Outcome:
    shipment = shipment_of(order)
    assert shipment is not None
    answer: dict[str, Any] = {"tracking_number": parcel.tracking_number}
    try:
        await update_domestic(
            resources.client, record.claim, shipment, str(order.order_id), [parcel], lines=lines_of(order)
        )
    except Misconfigured:
        raise
    except XportcnError as error:
        return Outcome(claim=record.claim, status=EffectStatus.UNSENT, reason=str(error))
    return Outcome(claim=record.claim, status=EffectStatus.DONE, answer=answer)
