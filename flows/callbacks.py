"""Handling of the service's messages: the orders that they name are read again, and
that alone counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from prefect import flow

from connectors.callbacks.schema import Callback
from connectors.callbacks.store import CallbackStore
from connectors.callbacks.tickets import LEASE, Tickets
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.records import OrderRecord
from connectors.settings import SourcingSettings
from connectors.snapshots.tables.callbacks import CALLBACKS
from connectors.snapshots.tables.table import Row
from domain.addresses import without_receiver
from domain.after_sale import FOLLOWED as REFUNDS_FOLLOWED
from domain.after_sale import RETURN_DAYS
from domain.messages import Message, MessageKind, alert
from domain.reasons import Reason, ReasonCode, because, together
from domain.received import CallbackKind, Inspection
from domain.states import NEEDS_A_PERSON, OrderState
from domain.wording import pluralize
from flows.batch.opening import opened
from flows.notify.outbox import enqueue
from flows.prefect_ui.expected_errors import (
    EXPECTED,
    best_effort,
    rename_run,
    report_expected_errors,
    run_logger,
)
from flows.prefect_ui.parameters import asked
from flows.sync_tracking import FOLLOWED, track
from tasks.engine.resources import Resources, utc_now
from tasks.engine.retrying import run_task
from tasks.parcels_received import Received, received_parcels
from tasks.pay import read_unpaid
from tasks.refund import follow_refunds
from tasks.snapshot import snapshot_moved

READ = (*FOLLOWED, OrderState.ORDERED, OrderState.PAYMENT_PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackReport:
    """The result of the messages of one run. `outcomes` has that of each, by its
    number; `moved` names orders.

    A message whose order could not be read, since the service was away, has no outcome:
    it waits on.

    `parcels` names the parcels at the warehouse that a person must check, and why.
    """

    kind: CallbackKind
    outcomes: Mapping[int, Reason]
    moved: Sequence[str]
    troubles: Sequence[str]
    parcels: Sequence[str] = ()


@asynccontextmanager
async def lease_renewed(tickets: Tickets, ticket: str) -> AsyncIterator[None]:
    """The messages stay this run's while the block lasts, however long the service lets
    it wait.
    """

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            with suppress(LedgerUnusable):  # for a moment
                await asyncio.to_thread(tickets.renew, ticket)

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await renewing


async def handle_callbacks(
    resources: Resources,
    store: CallbackStore,
    kind: CallbackKind,
    messages: Sequence[Callback],
) -> CallbackReport:
    """Read again what these messages name; answers the outcome of each. No claim of a
    message is recorded as true.

    Sends notifications of parcels that are not as they should be, and of orders that
    are held now.
    """
    ledger = resources.ledger
    named = {order_id for message in messages for order_id in message.order_ids}
    before = await asyncio.to_thread(ledger.orders_with_ids, named)
    run_logger().info(
        "%s about %s of ours",
        pluralize(len(messages), "message"),
        pluralize(len(before), "order"),
    )
    troubles, unasked = await _read_news(resources, kind, before)
    waiting = {order.order_id for ref, order in before.items() if ref in unasked}
    messages = [
        message for message in messages if waiting.isdisjoint(message.order_ids)
    ]
    after = await asyncio.to_thread(ledger.orders, before)
    moved = [
        ref for ref, order in after.items() if order.state is not before[ref].state
    ]
    came = {ref: _came_of(before[ref], after[ref], troubles.get(ref)) for ref in before}
    outcomes = {message.id: _outcome(message, before, came) for message in messages}
    parcels = (
        await received_parcels(resources, store, messages, after)
        if kind is CallbackKind.INBOUND
        else []
    )
    further = _rows(messages, outcomes, parcels)
    await snapshot_moved(resources, "callbacks", before=before, further=further)
    changed = [
        ref
        for ref in before
        if (before[ref].state, before[ref].why) != (after[ref].state, after[ref].why)
    ]
    faults = _found_fault(parcels, timedelta(days=RETURN_DAYS))
    await enqueue(ledger, *_held(changed, after), *faults)
    told = [f"{ref}: {reason}" for ref, reason in troubles.items()]
    wrong = [
        f"{one.order_ref}, parcel {one.parcel.tracking_number}: {one.why}"
        for one in parcels
        if one.why
    ]
    return CallbackReport(
        kind=kind, outcomes=outcomes, moved=moved, troubles=told, parcels=wrong
    )


def _waits_to_be_paid(order: OrderRecord) -> bool:
    """An order that is held for its price alone counts too: the price may have come
    down.
    """
    is_held = (
        order.state is OrderState.HELD
        and order.order_id is not None
        and order.paid_minor is None
    )
    return order.state is OrderState.ORDERED or (
        is_held and order.reason_code is ReasonCode.PRICE_ROSE
    )


def _held(
    changed: Sequence[str], orders: Mapping[str, OrderRecord]
) -> Iterator[Message]:
    """Messages of orders that are held now, or whose price fell; once for each
    reason.
    """
    for ref in changed:
        order = orders[ref]
        if order.state in NEEDS_A_PERSON or order.reason_code is ReasonCode.PRICE_FELL:
            reason = without_receiver(order.reason, order.request.receiver)
            yield Message(
                cause=f"heard:{ref}:{order.state}:{order.why.digest if order.why else ''}",
                kind=MessageKind.ORDERS_WAIT,
                subject=f"Order {ref} is {order.state}",
                body=f"The service announced a change, and the order was read again. {reason}",
            )


def _found_fault(parcels: Sequence[Received], window: timedelta) -> Iterator[Message]:
    """Messages of parcels that are not as they should be; after a failed inspection
    with the last day of a return.
    """
    for one in parcels:
        if one.why:
            number = one.parcel.tracking_number
            cause = f"received:{one.order_ref}:{number}:{one.why.digest}"
            subject = f"Parcel {number} of order {one.order_ref} at the warehouse needs a person"
            command = f"sourcing refund {one.order_ref} --kind return --reason REASON"
            is_wrong = (
                one.parcel.inspection is Inspection.FAILED and one.row["is_shown"]
            )
            until = f"{one.row['told_at'] + window:%Y-%m-%d %H:%M} UTC"
            notes = (
                [f"Its goods can go back to the seller until {until}: {command}"]
                if window and is_wrong
                else []
            )
            yield alert(cause, MessageKind.PARCEL, subject, one.why, *notes)


def _rows(
    messages: Sequence[Callback],
    outcomes: Mapping[int, Reason],
    parcels: Sequence[Received],
) -> dict[str, list[Row]]:
    newest = {
        (str(one.row["order_ref"]), str(one.row["tracking_number"])): one.row
        for one in parcels
    }
    told = ((message, outcomes[message.id]) for message in messages)
    return {
        "callbacks": [
            CALLBACKS.row(message, outcome=str(why), reason_code=why.code)
            for message, why in told
        ],
        "parcels_received": list(newest.values()),
    }


async def _read_news(
    resources: Resources, kind: CallbackKind, orders: Mapping[str, OrderRecord]
) -> tuple[dict[str, Reason], Sequence[str]]:
    """Read these orders, and their refunds where the messages are about refunds.

    Answers the failures by order, and the orders that were not read, since the service
    was away.
    """
    if not orders:
        return {}, ()
    report = await track(resources, only=orders)
    troubles = {**report.unread}
    unpaid = {ref: order for ref, order in orders.items() if _waits_to_be_paid(order)}
    if unpaid:
        await read_unpaid(resources, unpaid)
    if kind is CallbackKind.REFUND:
        refunds = [
            one
            for one in resources.ledger.refunds.of_orders(list(orders))
            if one.state in REFUNDS_FOLLOWED
        ]
        unread = (
            await run_task(follow_refunds, resources, refunds, label="what was told of")
            if refunds
            else {}
        )
        troubles |= unread
    return {
        ref: reason for ref, reason in troubles.items() if ref in orders
    }, report.unasked


def _came_of(before: OrderRecord, after: OrderRecord, trouble: Reason | None) -> Reason:
    ref = before.order_ref
    if trouble:
        return because(ReasonCode.CALLBACK_ORDER_UNREAD, order_ref=ref, why=trouble)
    if before.state is not after.state:
        return because(
            ReasonCode.CALLBACK_ORDER_MOVED,
            order_ref=ref,
            old=before.state,
            new=after.state,
        )
    return because(
        ReasonCode.CALLBACK_ORDER_STAYS,
        order_ref=ref,
        again=before.state in READ,
        state=after.state,
    )


def _outcome(
    message: Callback, orders: Mapping[str, OrderRecord], came: Mapping[str, Reason]
) -> Reason:
    named = together(
        came[ref]
        for ref, order in orders.items()
        if order.order_id in message.order_ids
    )
    return named or because(ReasonCode.CALLBACK_NOT_OURS)


Kind = Annotated[CallbackKind, asked("About", "What the messages are about")]
TicketId = Annotated[
    str,
    asked(
        "Ticket",
        "Which messages: written by the dispatcher. To start it, replay messages",
    ),
]


@flow(flow_run_name="read about {kind}", persist_result=False)
@report_expected_errors()
async def hear_callbacks(kind: Kind, ticket: TicketId) -> CallbackReport:
    """Read the orders again that the service's messages name. A message alone changes
    nothing.

    A run that comes too late for its messages, or twice, ends at once.
    """
    with CallbackStore(SourcingSettings().ledger_url, clock=utc_now) as store:
        tickets = Tickets(store)
        messages = tickets.begin(ticket)
        if not messages:
            run_logger().info("Nothing waits under %s any more", ticket)
            return CallbackReport(kind=kind, outcomes={}, moved=[], troubles=[])
        try:
            async with lease_renewed(tickets, ticket), opened() as resources:
                report = await handle_callbacks(resources, store, kind, messages)
        except EXPECTED:
            tickets.end(ticket, blameless=True)
            raise
        store.settle(report.outcomes)
        left = len(messages) - len(report.outcomes)
        tickets.end(ticket, blameless=left > 0)
    if left:
        run_logger().warning(
            "%s wait on: the service was away", pluralize(left, "message")
        )
    for trouble in report.troubles:
        run_logger().warning("Not read again: %s", trouble)
    for parcel in report.parcels:
        run_logger().warning("%s", parcel)
    counted = f"{pluralize(len(messages), 'message')}, {pluralize(len(report.moved), 'order')} moved"
    await best_effort("the run's name", rename_run(f"read about {kind}: {counted}"))
    return report
