"""Create the planned orders of a chunk at their marketplaces, or order the rows of their carts."""

from __future__ import annotations

from prefect import task

from connectors.ledger.records import Intent, OrderRecord, SpendLimits
from connectors.ledger.spending import COUNTS_AS_SPENT
from domain.effects import Action
from domain.reasons import ReasonCode, because
from tasks.effects.cart_line import row_ids
from tasks.effects.create_by_reference import CreateByReference, request_hash
from tasks.effects.create_from_cart import PART, CreateFromCart
from tasks.effects.protocol import perform
from tasks.engine.resources import Resources
from tasks.engine.retrying import RETRYING, behind_breaker
from tasks.steps import Orders, Step


@task(task_run_name="create {label}", **RETRYING)
@behind_breaker
async def create_orders(resources: Resources, step: Step, limits: SpendLimits, *, label: str) -> None:
    """Create each order once, as approved; a further try goes on with those that are provably not ordered.

    An order of which a line was put into a cart is made of its rows there, else it is created under its `order_ref`.
    """
    await step.each_group(resources, lambda orders: _create(resources, step, orders, limits), waits=_waits)


async def _create(resources: Resources, step: Step, orders: Orders, limits: SpendLimits) -> None:
    in_carts = await _lie_in_carts(resources, orders)
    intents = [_intent(resources, order) for ref, order in orders.items() if ref not in in_carts]
    await perform(CreateByReference(resources), intents, orders, limits=limits, then=step.through)
    for ref in in_carts:  # one after the other: each reads the cart as the one before has left it
        if len(row_ids(resources, orders[ref])) < len(orders[ref].lines):
            await _hold_incomplete(resources, orders[ref])
            continue
        intent = _intent(resources, orders[ref], part=PART)
        await perform(CreateFromCart(resources), [intent], orders, limits=limits)


def _waits(order: OrderRecord, given: OrderRecord) -> bool:
    """Whether it is in the state in which it was given, on the plan that was approved."""
    return order.order_id is None and (order.state, order.plan_hash) == (given.state, given.plan_hash)


async def _lie_in_carts(resources: Resources, orders: Orders) -> list[str]:
    """Those of these orders of which a line was put into a cart, or may have been."""
    effects = await resources.group_commit.effects_of(orders)
    in_carts = {one.order_ref for one in effects if one.action is Action.CART and one.status in COUNTS_AS_SPENT}
    return [ref for ref in orders if ref in in_carts]


async def _hold_incomplete(resources: Resources, order: OrderRecord) -> None:
    await resources.group_commit.change([order.held(because(ReasonCode.CART_INCOMPLETE))])


def _intent(resources: Resources, order: OrderRecord, part: str = "") -> Intent:
    places = resources.offerings[order.marketplace].channel.places
    return Intent(
        order_ref=order.order_ref,
        action=Action.CREATE,
        amount=order.payable,
        request_hash=order.fingerprint if part else request_hash(order, places),
        part=part,
        plan_hash=order.plan_hash or "",
        seen_in=order.state,
    )
