"""What is done about an order after its purchase, but for refunds: cancel, return
goods.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import Intent, OrderChange, OrderRecord
from connectors.marketplaces.protocol import Carrier
from connectors.xportcn.errors import ServiceAway
from domain.after_sale import (
    Refund,
    RefundFault,
    RefundState,
    ReturnedParcel,
    standing,
)
from domain.decisions import judge_paid
from domain.effects import Action
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from tasks.effects.cancel import CLOCK_MARGIN, Cancel
from tasks.effects.kinds import settle_open, settled
from tasks.effects.pay import not_taken_and_closed
from tasks.effects.protocol import perform, perform_alone
from tasks.effects.reading_orders import read_each
from tasks.effects.refund import ReturnParcel, after_sale_of
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task
from tasks.engine.tries import raise_if_it_passes

CONFIRM_PAUSES_S = (0.0, 1.0, 2.0, 3.0, 3.0)


@service_task("cancel {label}")
async def cancel_orders(
    orders: Mapping[str, OrderRecord], *, reason: str, label: str
) -> None:
    """Cancel each unpaid order once, and wait for the service to close it."""
    resources = current_resources()
    given = orders
    now = await settled(resources, orders)
    orders = {
        ref: order
        for ref, order in now.items()
        if order.state in (given[ref].state, OrderState.ORDERED)
    }
    await asyncio.sleep(
        max(
            (_too_young(resources, order).total_seconds() for order in orders.values()),
            default=0,
        )
    )
    intents = [
        Intent(
            order_ref=ref,
            action=Action.CANCEL,
            amount=None,
            request_hash=order.fingerprint,
            seen_in=order.state,
        )
        for ref, order in orders.items()
    ]
    await perform(Cancel(resources, reason), intents, orders)
    await confirm_cancellations(resources, list(given))


async def confirm_cancellations(
    resources: Resources, order_refs: Sequence[str]
) -> None:
    """Read whether cancelled orders are closed: an accepted cancellation lapses when
    the order is paid meanwhile.
    """
    for pause in CONFIRM_PAUSES_S:
        orders = resources.ledger.orders(order_refs)
        open_ones = {
            ref: order
            for ref, order in orders.items()
            if order.reason_code is ReasonCode.CANCEL_ACCEPTED
        }
        if not open_ones:
            return
        await asyncio.sleep(pause)
        try:
            shown, _ = await read_each(resources, open_ones.values())
        except ServiceAway as away:
            raise_if_it_passes(resources, away)
            return
        money = await not_taken_and_closed(resources, shown)
        changes = [
            change
            for ref, one in shown.items()
            if (change := _confirmed(orders[ref], one, money.get(ref)))
        ]
        await asyncio.to_thread(resources.ledger.change, changes)


def _too_young(resources: Resources, order: OrderRecord) -> timedelta:
    """How long to wait until the marketplace takes a cancellation (1688: 10 seconds
    after creation).
    """
    after_sale = after_sale_of(resources, order.marketplace)
    if not after_sale.closes_after or order.ordered_at is None:
        return timedelta(0)
    return max(
        order.ordered_at + after_sale.closes_after + CLOCK_MARGIN - resources.clock(),
        timedelta(0),
    )


def _confirmed(
    order: OrderRecord, shown: ServiceOrder, money: Reason | None
) -> OrderChange | None:
    order_ref = order.order_ref
    if shown.status is ServiceStatus.CLOSED:
        return OrderChange(order_ref=order_ref, state=OrderState.CANCELLED, why=money)
    verdict = judge_paid(shown, order.approved, by_us=False)
    if not verdict or not (paid := shown.taken):
        return None
    fact = OrderUpdate.paid(verdict, amount=paid, total=shown.total, at=shown.paid_at)
    why = because(ReasonCode.PAID_BEFORE_CLOSED, paid=paid, order_ref=order_ref)
    return OrderChange(
        order_ref=order_ref, state=OrderState.CANCELLED, why=why, writes=fact
    )


@service_task("return {refund.key}")
async def return_parcel(
    order: OrderRecord, refund: Refund, parcel: ReturnedParcel
) -> None:
    """Report once which parcel is on its way back, by its carrier's code or name.

    Raises `RefundFault` before anything is sent.
    """
    resources = current_resources()
    await settle_open(resources, [order.order_ref])
    carrier = choose_carrier(await carriers_for(resources, refund), parcel.carrier)
    parcel = replace(parcel, carrier=carrier.code)
    await perform_alone(
        ReturnParcel(resources, refund, parcel),
        order,
        f"{carrier.code}/{parcel.number}"[:64],
        part=refund.effect_part,
    )


async def carriers_for(resources: Resources, refund: Refund) -> tuple[Carrier, ...]:
    """The carriers that take this return now. Raises `RefundFault` where no parcel can
    be named.
    """
    if refund.state is not RefundState.TO_RETURN:
        raise RefundFault(f"no parcel can be named now: {standing(refund)}")
    return await after_sale_of(resources, refund.marketplace).carriers(refund.refund_id)


def choose_carrier(carriers: Sequence[Carrier], wish: str) -> Carrier:
    """The carrier meant by a code or a name. Raises `RefundFault` with the list."""
    for carrier in carriers:
        if wish.upper() == carrier.code.upper() or wish == carrier.name:
            return carrier
    listed = (
        ", ".join(f"{carrier.code} ({carrier.name})" for carrier in carriers) or "none"
    )
    raise RefundFault(
        f"no carrier {wish!r} takes return parcels; the service names: {listed}"
    )
