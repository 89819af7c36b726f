"""Follow booked orders: parcels, events, states; and report our domestic parcels to the
warehouse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from connectors.ledger.engine import LedgerUnusable, chunked
from connectors.ledger.order_update import NOTHING, OrderUpdate
from connectors.ledger.records import Intent, OrderChange, OrderRecord
from connectors.xportcn.errors import Misconfigured, ServiceAway, XportcnError
from connectors.xportcn.failures import NOT_FOUND
from domain.addresses import without_receiver
from domain.decisions import closed_after_payment, closed_unpaid, judge_booking, unread
from domain.effects import Action, EffectStatus
from domain.marketplace import Marketplace
from domain.messages import Place, UnknownWord
from domain.reasons import Reason, ReasonCode, going_along, standing_of
from domain.service_orders import (
    ServiceOrder,
    ServiceStatus,
    TrackingEvent,
    state_from_parcels,
)
from domain.states import ROAD, TRAVELLING, OrderState
from tasks.effects.book import Book
from tasks.effects.kinds import settle_open
from tasks.effects.parcel_report import ReportParcel
from tasks.effects.pay import not_taken_and_closed
from tasks.effects.protocol import perform
from tasks.effects.reading_orders import by_channel, read_each
from tasks.engine.gathering import PartialResults, gather_missing
from tasks.engine.progress import progress
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task
from tasks.engine.tries import this_try
from tasks.pay import left_as, record_paid

MOST_WORD = 64
OF_SEVERAL = (
    ReasonCode.SEVERAL_SHIPMENTS,
    ReasonCode.REFUND_CAME_BACK,
    ReasonCode.REFUND_REFUSED,
    ReasonCode.REFUND_CLOSED,
)
"""Why an order is held of which several shipments were shown, also once a refund of it
is over.
"""
HOURLY_FOR = timedelta(days=7)
"""Held orders are read each hour for so long, then as parcels without news."""


@dataclass(eq=False)
class Tracked:
    """What is known of followed orders: why each could not be read, None where it was;
    and the rows of the scans that are new.
    """

    read: PartialResults[str, Reason | None] = field(default_factory=PartialResults)
    scans: list[dict[str, Any]] = field(default_factory=list)


@service_task("track {label}")
async def track_orders(
    order_refs: Sequence[str], tracked: Tracked, *, label: str
) -> None:
    """Bring these orders up to date, a part in memory at a time, but for those that an
    earlier try has `tracked`.

    Raises `Misconfigured` once the orders of all other marketplaces were followed.
    """
    resources = current_resources()
    wrong: dict[Marketplace, Misconfigured] = {}
    left = [ref for ref in order_refs if ref not in tracked.read]
    for refs in chunked(left, resources.settings.chunk_size):
        orders = await asyncio.to_thread(resources.ledger.orders, refs)
        for _, here in by_channel(resources, orders.values()):
            marketplace = here[0].marketplace
            if marketplace not in wrong:
                try:
                    await follow_parcels(
                        resources, {order.order_ref: order for order in here}, tracked
                    )
                except Misconfigured as misconfigured:
                    wrong[marketplace] = misconfigured
        progress.get().advance("track", len(refs))
    if wrong:
        raise next(iter(wrong.values()))


async def follow_parcels(
    resources: Resources,
    orders: Mapping[str, OrderRecord],
    tracked: Tracked,
) -> None:
    """Read these orders and their parcels, and write what is new in one transaction."""
    shown, unread = await read_each(resources, orders.values())
    await report_parcels(resources, orders, shown)
    left = await _read_again(resources, orders, shown)
    not_shown = dict.fromkeys(
        ref for ref in left if ref not in shown
    )  # left to a reconciliation
    tracked.read |= not_shown | unread
    seen = [ref for ref in left if ref in shown]
    events = dict[str, Sequence[TrackingEvent]]()
    changes = list[OrderChange]()
    try:
        await gather_missing(
            resources,
            seen,
            lambda ref: _follow(resources, left[ref], shown[ref], events, changes),
            tracked.read,
        )
    finally:  # what was read is written, also where some could not be asked
        since = resources.clock() - HOURLY_FOR
        held = {
            order.order_ref
            for order in left.values()
            if order.state is OrderState.HELD and order.updated_at < since
        }
        polled = {
            order.order_ref: order.booked_at or order.updated_at
            for order in left.values()
            if order.order_ref in events
            and (order.state in TRAVELLING or order.order_ref in held)
        }
        tracked.scans += await asyncio.to_thread(
            resources.ledger.tracking.add, events, changes, polled=polled
        )


async def _read_again(
    resources: Resources,
    orders: Mapping[str, OrderRecord],
    shown: Mapping[str, ServiceOrder],
) -> dict[str, OrderRecord]:
    """The orders once payments of ours that the service shows by now are recorded, and
    notes are true.
    """
    unpaid = [
        ref
        for ref, order in orders.items()
        if order.state is OrderState.HELD and order.paid_minor is None
    ]
    await record_paid(
        resources, orders, {ref: shown[ref] for ref in unpaid if ref in shown}
    )
    waiting = {
        ref: order
        for ref, order in orders.items()
        if order.state is OrderState.PAID and ref in shown
    }
    seen = {ref: _booking_seen(order, shown[ref]) for ref, order in waiting.items()}
    await resources.group_commit.change(
        [change for ref, change in seen.items() if _is_news(change, orders[ref])]
    )
    return await resources.group_commit.orders(orders)


def _booking_seen(order: OrderRecord, shown: ServiceOrder) -> OrderChange:
    """A paid order with what is against booking it, as the service shows it now."""
    left = judge_booking(shown)
    return left_as(order, left) if left else order.stays(going_along(order.why))


def _is_news(change: OrderChange, order: OrderRecord) -> bool:
    return (change.state, change.why) != (order.state, order.why) or bool(
        change.writes.columns
    )


async def _follow(
    resources: Resources,
    order: OrderRecord,
    shown: ServiceOrder,
    events: dict[str, Sequence[TrackingEvent]],
    changes: list[OrderChange],
) -> Reason | None:
    """Read an order's parcels; what is new goes into `events` and `changes`."""
    if order.state is OrderState.PAID:
        return None  # what is not booked has no parcel of ours to follow
    try:
        scans = await resources.offerings[order.marketplace].channel.trace(shown)
    except XportcnError as error:
        if isinstance(error, ServiceAway) or (
            isinstance(error, Misconfigured) and error.code != NOT_FOUND
        ):
            raise
        return unread("its parcels can't be read", error.message)
    events[order.order_ref] = scans
    for told in {event.unknown_word for event in scans if event.unknown_word}:
        word = without_receiver(told, order.request.receiver)[:MOST_WORD]
        resources.unknown[UnknownWord(order.marketplace, Place.PARCEL, word)].add(
            order.order_ref
        )
    if shown.status is ServiceStatus.CLOSED and order.state is not OrderState.REFUNDING:
        if _is_news(change := await _closed(resources, order, shown), order):
            changes.append(change)
        return None
    is_held = (
        order.state is OrderState.HELD
        and order.shipment is not None
        and order.reason_code in OF_SEVERAL
    )
    if is_held and shown.shipments:
        ours = order.shipment_order_id
        listed = sorted(
            shown.shipments,
            key=lambda shipment: (
                shipment.shipment_order_id != ours,
                shipment.shipment_order_id,
            ),
        )
        change = replace(
            Book(resources).shipped(order, listed), expected=OrderState.HELD
        )
        if (change.state, change.why) != (order.state, order.why):
            changes.append(change)
            return None
    renumbered = order.shipment.renumbered(shown.shipments) if order.shipment else None
    numbers = renumbered.tracking_numbers if renumbered else order.tracking_numbers
    state = state_from_parcels(shown, scans, numbers)
    is_further = (
        state is not None
        and order.state in ROAD
        and ROAD.index(state) > ROAD.index(order.state)
    )
    if is_further or renumbered:
        writes = OrderUpdate.renumbered(renumbered) if renumbered else NOTHING
        to = state if is_further else None
        why = going_along(order.why)
        changes.append(
            OrderChange(
                order_ref=order.order_ref,
                state=to,
                expected=order.state,
                why=why,
                writes=writes,
            )
        )
    return None


async def _closed(
    resources: Resources, order: OrderRecord, shown: ServiceOrder
) -> OrderChange:
    if order.paid_minor is not None:
        closed = closed_after_payment(shown.close_reason)
        return (
            order.stays(order.why) if order.knows_what_came_back else order.held(closed)
        )
    closed = closed_unpaid(shown.close_reason)
    money = (await not_taken_and_closed(resources, {order.order_ref: shown})).get(
        order.order_ref
    )
    if (
        order.reason_code is ReasonCode.FINANCE_REFUSED
    ):  # where the money is, a person still has to look
        money = standing_of(order.why, closed)
    if money or order.state is OrderState.UNKNOWN:
        return order.held(money or closed)
    return OrderChange(
        order_ref=order.order_ref,
        state=OrderState.CANCELLED,
        expected=order.state,
        why=closed,
    )


async def report_parcels(
    resources: Resources,
    orders: Mapping[str, OrderRecord],
    shown: Mapping[str, ServiceOrder],
) -> None:
    """Report each domestic parcel of a booked order to the warehouse, once, with all
    others that the order shows.

    Of several parcels of one order one after the other, since a claim is for one effect
    of each order.
    """
    if this_try().this > 1:
        await settle_open(resources, shown)
    try:
        await asyncio.to_thread(resources.ledger.marks.require_settled)
    except LedgerUnusable:  # it sends nothing now: a later run reports them
        return
    parcels = {
        ref: one.parcels
        for ref, one in shown.items()
        if orders[ref].shipment is not None
    }
    done = {
        effect.slot
        for effect in await resources.group_commit.effects_of(parcels)
        if effect.action is Action.NOTIFY and effect.status is EffectStatus.DONE
    }
    for place in range(max((len(listed) for listed in parcels.values()), default=0)):
        now = {
            ref: listed[place].tracking_number
            for ref, listed in parcels.items()
            if place < len(listed)
        }
        intents = [
            Intent(
                order_ref=ref,
                action=Action.NOTIFY,
                amount=None,
                request_hash="",
                part=number,
            )
            for ref, number in now.items()
        ]
        if unreported := [intent for intent in intents if intent.slot not in done]:
            await perform(ReportParcel(resources, parcels), unreported, orders)
