"""Cancel unpaid orders of a chunk, and see them closed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from operator import attrgetter

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.records import Intent, OrderChange, OrderRecord
from connectors.xportcn.after_sale import after_sale_for
from connectors.xportcn.after_sale.base import AfterSale
from connectors.xportcn.errors import Refused
from domain.effects import Action, Claim
from domain.marketplace import Marketplace
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from tasks.by_channel import read_each, read_orders
from tasks.effects import Effect, Landed, perform
from tasks.resources import Resources

CLOCK_MARGIN = timedelta(seconds=1)
CONFIRM_PAUSES_S = (0.0, 1.0, 2.0, 3.0, 3.0)
ACCEPTED = "the service has accepted the cancellation and not yet closed the order; look again: sourcing cancel"


@task(name="cancel_order", task_run_name="cancel {label}", cache_policy=NO_CACHE, persist_result=False, retries=0)
async def cancel_orders(resources: Resources, orders: Mapping[str, OrderRecord], *, reason: str, label: str) -> None:
    """Cancel each unpaid order once, and wait for the service to close it. Never retried."""
    await asyncio.sleep(max((_too_young(resources, order).total_seconds() for order in orders.values()), default=0))
    by_place = attrgetter("marketplace", "state")
    for (marketplace, state), group in groupby(sorted(orders.values(), key=by_place), by_place):
        chunk = {order.order_ref: order for order in group}
        intents = [
            Intent(
                order_ref=ref,
                action=Action.CANCEL,
                amount=None,
                request_hash=order.fingerprint,
                seen_in=order.state,
            )
            for ref, order in chunk.items()
        ]
        await perform(resources, cancel_effect(resources, marketplace, state, reason), intents, chunk)
    await confirm_cancellations(resources, list(orders))


def after_unknown(order: OrderRecord) -> OrderState:
    """Where an order stands again whose cancellation provably did not arrive: it may have been paid meanwhile."""
    if order.state is not OrderState.UNKNOWN:
        return order.state
    if order.paid_minor is None:
        return OrderState.ORDERED
    return OrderState.PAID if order.paid <= order.payable else OrderState.HELD


async def confirm_cancellations(resources: Resources, order_refs: Sequence[str]) -> None:
    """Read whether cancelled orders are closed: an accepted cancellation lapses when the order is paid meanwhile."""
    for pause in CONFIRM_PAUSES_S:
        orders = resources.ledger.orders(order_refs)
        open_ones = {ref: order for ref, order in orders.items() if order.reason == ACCEPTED}
        if not open_ones:
            return
        await asyncio.sleep(pause)
        shown, _ = await read_each(resources, open_ones.values())
        changes = [change for ref, one in shown.items() if (change := _confirmed(ref, one))]
        await asyncio.to_thread(resources.ledger.change, changes)


def cancel_effect(resources: Resources, marketplace: Marketplace, undone: OrderState, reason: str) -> Effect:
    after_sale = _after_sale(resources, marketplace)

    async def send(claim: Claim, order: OrderRecord) -> Landed:
        await after_sale.cancel(claim, str(order.order_id), reason)
        change = OrderChange(order_ref=order.order_ref, state=OrderState.CANCELLED, reason=ACCEPTED)
        return Landed(answer={"accepted": order.order_id}, change=change)

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        closed = await _closed_ones(resources, orders)
        if len(closed) < len(orders) and after_sale.settles_in:
            await asyncio.sleep((after_sale.settles_in + CLOCK_MARGIN).total_seconds())
            closed = await _closed_ones(resources, orders)
        return {ref: Landed(answer={"status": ServiceStatus.CLOSED}, change=_closed(ref)) for ref in closed}

    def on_refused(order: OrderRecord, error: Refused) -> OrderChange:
        words = f"not cancelled: {error.message}"
        return OrderChange(order_ref=order.order_ref, state=undone, reason=words)

    return Effect(
        action=Action.CANCEL,
        undone=undone,
        send=send,
        look=look,
        absence_proves=True,
        question=lambda order: f"Is order {order.order_id} closed in the console?",
        on_refused=on_refused,
    )


async def _closed_ones(resources: Resources, orders: Sequence[OrderRecord]) -> list[str]:
    shown = await read_orders(resources, orders)
    return [ref for ref, one in shown.items() if one.status is ServiceStatus.CLOSED]


def _too_young(resources: Resources, order: OrderRecord) -> timedelta:
    """How long to wait until the marketplace takes a cancellation (1688: 10 seconds after creation)."""
    after_sale = _after_sale(resources, order.marketplace)
    if not after_sale.closes_after or order.ordered_at is None:
        return timedelta(0)
    return max(order.ordered_at + after_sale.closes_after + CLOCK_MARGIN - resources.clock(), timedelta(0))


def _after_sale(resources: Resources, marketplace: Marketplace) -> AfterSale:
    after_sale = after_sale_for(marketplace, resources.client)
    assert after_sale is not None, "judged before"
    return after_sale


def _closed(order_ref: str) -> OrderChange:
    return OrderChange(order_ref=order_ref, state=OrderState.CANCELLED)


def _confirmed(order_ref: str, shown: ServiceOrder) -> OrderChange | None:
    if shown.status is ServiceStatus.CLOSED:
        return _closed(order_ref)
    if not shown.status.is_paid or not (paid := shown.taken):
        return None
    columns = {"paid_minor": paid.minor, "total_minor": shown.total.minor, "paid_at": shown.paid_at}
    reason = f"the order was paid before it closed; ask for {paid} back: sourcing refund {order_ref} --kind refund"
    return OrderChange(order_ref=order_ref, state=OrderState.CANCELLED, reason=reason, columns=columns)
