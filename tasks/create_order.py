"""Create the planned orders of a chunk."""

from __future__ import annotations

from connectors.ledger.records import Intent, OrderRecord, SpendLimits
from domain.effects import Action
from tasks.effects.create_by_reference import CreateByReference, request_hash
from tasks.effects.protocol import perform
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task
from tasks.steps import Orders, Step


@service_task("create {label}")
async def create_orders(step: Step, limits: SpendLimits, *, label: str) -> None:
    """Create each order once, as approved; a further try goes on with those that are
    provably not ordered.
    """
    resources = current_resources()
    await step.each_group(
        resources, lambda orders: _create(resources, step, orders, limits), waits=_waits
    )


async def _create(
    resources: Resources, step: Step, orders: Orders, limits: SpendLimits
) -> None:
    intents = [_intent(resources, order) for order in orders.values()]
    await perform(
        CreateByReference(resources), intents, orders, limits=limits, then=step.through
    )


def _waits(order: OrderRecord, given: OrderRecord) -> bool:
    """Whether it is in the state in which it was given, on the plan that was
    approved.
    """
    return order.order_id is None and (order.state, order.plan_hash) == (
        given.state,
        given.plan_hash,
    )


def _intent(resources: Resources, order: OrderRecord) -> Intent:
    places = resources.offerings[order.marketplace].channel.places
    return Intent(
        order_ref=order.order_ref,
        action=Action.CREATE,
        amount=order.payable,
        request_hash=request_hash(order, places),
        plan_hash=order.plan_hash or "",
        seen_in=order.state,
    )
