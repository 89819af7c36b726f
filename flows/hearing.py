"""What is done about messages of the service: the orders that they name are read again, and that alone counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from connectors.callbacks.kinds import CallbackKind
from connectors.callbacks.records import Callback
from connectors.callbacks.tickets import LEASE, Tickets
from connectors.ledger.records import OrderRecord
from domain.after_sale import FOLLOWED as REFUNDS_FOLLOWED
from domain.states import OrderState
from domain.wording import number_of, some
from flows.shown.expected_failures import run_logger
from flows.tracking import track
from tasks.follow_refunds import follow_refunds
from tasks.pay import look_at_unpaid
from tasks.resources import Resources

NOT_OURS = "no order of this ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardReport:
    """What came of the messages of one run. `outcomes` has words for each, by its number; `moved` names orders."""

    kind: CallbackKind
    outcomes: Mapping[int, str]
    moved: Sequence[str]
    troubles: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@asynccontextmanager
async def kept_alive(tickets: Tickets, ticket: str) -> AsyncIterator[None]:
    """The messages stay this run's while the block lasts, however long the service lets it wait."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            await asyncio.to_thread(tickets.renew, ticket)

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await renewing


async def hear(resources: Resources, kind: CallbackKind, messages: Sequence[Callback]) -> HeardReport:
    """Read again what these messages name; answers what came of each. What one says is never written down as true."""
    ledger = resources.ledger
    named = {order_id for message in messages for order_id in message.order_ids}
    before = await asyncio.to_thread(ledger.orders_with_ids, named)
    run_logger().info("%s about %s of ours", number_of(len(messages), "message"), number_of(len(before), "order"))
    troubles = await _look(resources, kind, before)
    after = await asyncio.to_thread(ledger.orders, before)
    moved = [ref for ref, order in after.items() if order.state is not before[ref].state]
    words = {ref: _words(before[ref], after[ref], troubles.get(ref, "")) for ref in before}
    outcomes = {message.id: _outcome(message, before, words) for message in messages}
    told = [f"{ref}: {reason}" for ref, reason in troubles.items()]
    return HeardReport(kind=kind, outcomes=outcomes, moved=moved, troubles=told)


async def _look(resources: Resources, kind: CallbackKind, orders: Mapping[str, OrderRecord]) -> dict[str, str]:
    """Read these orders, and their refunds where it is about those; answers what could not be asked, by order."""
    if not orders:
        return {}
    report = await track(resources, resources.settings.chunk_size, only=orders)
    troubles = dict(line.split(": ", 1) for line in report.troubles if ": " in line)
    unpaid = {ref: order for ref, order in orders.items() if order.state is OrderState.ORDERED}
    if unpaid:
        await look_at_unpaid(resources, unpaid)
    if kind is CallbackKind.REFUND:
        refunds = [one for one in resources.ledger.refunds.of_orders(list(orders)) if one.state in REFUNDS_FOLLOWED]
        for trouble in await follow_refunds(resources, refunds, label="what was told of") if refunds else ():
            ref, _, reason = trouble.partition(": ")
            troubles[ref] = reason
    return {ref: reason for ref, reason in troubles.items() if ref in orders}


def _words(before: OrderRecord, after: OrderRecord, trouble: str) -> str:
    if trouble:
        return f"{before.order_ref} could not be read: {trouble}"
    if before.state is not after.state:
        return f"{before.order_ref}: {before.state} → {after.state}"
    return f"{before.order_ref} read again: still {after.state}"


def _outcome(message: Callback, orders: Mapping[str, OrderRecord], words: Mapping[str, str]) -> str:
    told = [words[ref] for ref, order in orders.items() if order.order_id in message.order_ids]
    return some(told) if told else NOT_OURS
