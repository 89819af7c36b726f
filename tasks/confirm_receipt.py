"""Confirm to the marketplace that goods arrived, which lets the seller have the money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.records import Intent, OrderChange, OrderRecord
from connectors.xportcn.after_sale.base import Ability
from domain.after_sale import RefundFault
from domain.effects import Action, Claim
from domain.service_orders import ServiceStatus
from tasks.by_channel import read_orders
from tasks.effects import Effect, Landed, perform
from tasks.refund import require_after_sale
from tasks.resources import Resources


@task(
    name="confirm_receipt",
    task_run_name="receive {order.order_ref}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
)
async def confirm_receipt(resources: Resources, order: OrderRecord) -> None:
    """Confirm one order once. Raises `RefundFault` before anything is sent."""
    if Ability.RECEIVE not in require_after_sale(resources, order).abilities:
        raise RefundFault(f"{order.marketplace} has no call to confirm receipt; it is done there by itself")
    intent = Intent(order_ref=order.order_ref, action=Action.RECEIVE, amount=None, request_hash=order.fingerprint)
    await perform(resources, receive_effect(resources), [intent], {order.order_ref: order})


def receive_effect(resources: Resources) -> Effect:
    """Confirming receipt of whole orders."""

    async def send(claim: Claim, order: OrderRecord) -> Landed:
        await require_after_sale(resources, order).receive(claim, str(order.order_id))
        return _landed(order)

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        shown = await read_orders(resources, orders)
        done = [o for o in orders if o.order_ref in shown and shown[o.order_ref].status is ServiceStatus.FINISHED]
        return {order.order_ref: _landed(order) for order in done}

    return Effect(
        action=Action.RECEIVE,
        undone=None,
        unsettled=None,
        send=send,
        look=look,
        absence_proves=True,
        question=lambda order: f"Is receipt of order {order.order_id} confirmed in the console?",
        on_refused=lambda order, error: OrderChange(order_ref=order.order_ref),
    )


def _landed(order: OrderRecord) -> Landed:
    return Landed(answer={"received": order.order_id}, change=OrderChange(order_ref=order.order_ref))
