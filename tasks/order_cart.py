"""Order what lies in a cart: the plan of it, and the creating."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.codec import plan_of, plan_row, sourcing_order_of
from connectors.ledger.records import Intent, OrderChange, OrderRecord, SpendLimits
from connectors.xportcn.errors import Refused
from domain.cart import CartFault, lines_as_carted, request_as_carted
from domain.decisions import judge_quote
from domain.effects import Action, Claim
from domain.plan import PlannedOrder
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from tasks.effects import Effect, Landed, perform, settle
from tasks.fill_cart import require_cart, row_ids, settle_cart
from tasks.preview import with_freight
from tasks.resources import Resources

PART = "cart"
CLOCK_MARGIN = timedelta(minutes=10)
KEPT = ("order_ref", "batch_id", "marketplace", "state", "reason", "fingerprint")


async def plan_cart(resources: Resources, order: OrderRecord) -> PlannedOrder:
    """What ordering the order's rows would cost now, with the quantities that lie in the cart. Raises `CartFault`."""
    if order.order_id is not None:
        raise CartFault(f"{order.order_ref} is ordered already (order {order.order_id}, {order.state})")
    await settle_cart(resources, order)
    rows = row_ids(resources, order)
    cart, plan = require_cart(resources, order), plan_of(order)
    lines = lines_as_carted(plan.lines, await cart.rows(), rows)
    plan = replace(plan, request=request_as_carted(plan.request, lines), lines=lines, freight=None)
    ids = [rows[line.line_no] for line in lines]
    quote = await cart.quote(plan.sourcing_order, ids, await resources.warehouse())
    plan = replace(plan, quote=quote).judged(judge_quote(plan.request, lines, quote))
    return await with_freight(resources, plan) if plan.is_fine else plan


async def approve_cart(resources: Resources, plan: PlannedOrder, *, seen_in: OrderState) -> bool:
    """Write an approved plan over the one that was made when the cart was filled; False when another run was faster."""
    row = plan_row(plan, "", approved=True, tolerance=resources.settings.price_tolerance_percent)
    columns = {name: value for name, value in row.items() if name not in KEPT}
    return await asyncio.to_thread(resources.ledger.put_cart_plan, plan.order_ref, columns, seen_in=seen_in)


@task(name="order_cart", task_run_name="order cart {label}", cache_policy=NO_CACHE, persist_result=False, retries=0)
async def order_cart(
    resources: Resources,
    orders: Mapping[str, OrderRecord],
    hashes: Mapping[str, str],
    limits: SpendLimits,
    *,
    label: str,
) -> None:
    """Order each order's rows once, as approved (`plan_hash`). Never retried: the ledger says what became of it."""
    for order in orders.values():
        intent = Intent(
            order_ref=order.order_ref,
            action=Action.CREATE,
            amount=order.payable,
            request_hash=order.fingerprint,
            part=PART,
            plan_hash=hashes[order.order_ref],
            seen_in=order.state,
        )
        await perform(resources, create_effect(resources, order), [intent], {order.order_ref: order}, limits=limits)


async def settle_cart_order(resources: Resources, order: OrderRecord) -> None:
    """Find out what became of ordering a cart whose answer was lost."""
    await settle(resources, create_effect(resources, order), {order.order_ref: order})


def create_effect(resources: Resources, order: OrderRecord) -> Effect:
    """Ordering one order's rows. The part keeps it apart from creating without a cart, which is found differently."""
    cart = require_cart(resources, order)
    ids = list(row_ids(resources, order).values())

    async def send(claim: Claim, order: OrderRecord) -> Landed:
        created = await cart.create(claim, sourcing_order_of(order), ids, await resources.warehouse())
        if len(created.order_ids) != 1:
            return _several(order, created.order_ids)
        return _ordered(order, created.order_ids[0], created.total.minor, resources.clock())

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        since = _intended_at(resources, order) - CLOCK_MARGIN
        found = await cart.find(sourcing_order_of(order), ids, since=since)
        known = {str(one.order_id) for one in resources.ledger.all_orders().values()}
        alive = [one for one in found if one.order_id not in known and one.status is not ServiceStatus.CLOSED]
        return {order.order_ref: _found(order, alive, resources.clock())} if alive else {}

    def on_refused(order: OrderRecord, error: Refused) -> OrderChange:
        words = f"not ordered: {error.message}. Its lines lie in the cart as before"
        return OrderChange(order_ref=order.order_ref, state=OrderState.HELD, reason=words)

    return Effect(
        action=Action.CREATE,
        undone=OrderState.HELD,
        part=PART,
        send=send,
        look=look,
        absence_proves=True,
        question=lambda order: f"Is there an order of the lines of {order.order_ref} in the console?",
        on_refused=on_refused,
    )


def _intended_at(resources: Resources, order: OrderRecord) -> datetime:
    effects = resources.ledger.effects_of([order.order_ref])
    return min((effect.intent_at for effect in effects if effect.action is Action.CREATE), default=order.recorded_at)


def _found(order: OrderRecord, shown: Sequence[ServiceOrder], now: datetime) -> Landed:
    if len(shown) > 1:
        return _several(order, [one.order_id for one in shown])
    return _ordered(order, shown[0].order_id, shown[0].total.minor, shown[0].created_at or now)


def _ordered(order: OrderRecord, order_id: str, total_minor: int, at: datetime) -> Landed:
    columns = {"order_id": order_id, "total_minor": total_minor, "ordered_at": at}
    change = OrderChange(order_ref=order.order_ref, state=OrderState.ORDERED, columns=columns)
    return Landed(answer={"order_id": order_id}, change=change)


def _several(order: OrderRecord, order_ids: Sequence[str]) -> Landed:
    listed = ", ".join(order_ids)
    reason = f"the cart became {len(order_ids)} orders: {listed}; none is paid. Check them"
    change = OrderChange(order_ref=order.order_ref, state=OrderState.HELD, reason=reason)
    return Landed(answer={"order_ids": list(order_ids)}, change=change)
