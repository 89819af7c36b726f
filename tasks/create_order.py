"""Create the planned orders of a chunk, or lay their lines into carts and order
those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from prefect import task

from connectors.ledger.records import EffectRecord, Intent, OrderRecord, SpendLimits
from connectors.ledger.spending import COUNTS_AS_SPENT
from connectors.xportcn.errors import Misconfigured, XportcnError
from domain.decisions import judge_quote
from domain.effects import Action, EffectStatus
from domain.orders import (
    CartFault,
    CartRow,
    OrderLine,
    lines_as_carted,
    request_as_carted,
    row_of,
)
from domain.plan import PlannedOrder
from domain.reasons import Reason, ReasonCode, because
from tasks.effects.cart import (
    PART,
    AddToCart,
    CreateFromCart,
    part_of,
    require_cart,
    row_ids,
)
from tasks.effects.create_by_reference import CreateByReference, request_hash
from tasks.effects.kinds import settled
from tasks.effects.protocol import perform, perform_alone
from tasks.engine.resources import Resources
from tasks.engine.retrying import RETRYING, behind_breaker
from tasks.engine.tries import raise_if_it_passes
from tasks.preview import further_checked
from tasks.steps import Orders, Step


@task(task_run_name="create {label}", **RETRYING)
@behind_breaker
async def create_orders(
    resources: Resources, step: Step, limits: SpendLimits, *, label: str
) -> None:
    """Create each order once, as approved; a further try goes on with those that are
    provably not ordered.

    An order of which a line was put into a cart is made of its rows there, else it is
    created under its `order_ref`.
    """
    await step.each_group(
        resources, lambda orders: _create(resources, step, orders, limits), waits=_waits
    )


async def _create(
    resources: Resources, step: Step, orders: Orders, limits: SpendLimits
) -> None:
    in_carts = await _lie_in_carts(resources, orders)
    intents = [
        _intent(resources, order)
        for ref, order in orders.items()
        if ref not in in_carts
    ]
    await perform(
        CreateByReference(resources), intents, orders, limits=limits, then=step.through
    )
    for ref in (
        in_carts
    ):  # one after the other: each reads the cart as the one before has left it
        if len(row_ids(resources, orders[ref])) < len(orders[ref].lines):
            await _hold_incomplete(resources, orders[ref])
            continue
        intent = _intent(resources, orders[ref], part=PART)
        await perform(CreateFromCart(resources), [intent], orders, limits=limits)


def _waits(order: OrderRecord, given: OrderRecord) -> bool:
    """Whether it is in the state in which it was given, on the plan that was
    approved.
    """
    return order.order_id is None and (order.state, order.plan_hash) == (
        given.state,
        given.plan_hash,
    )


async def _lie_in_carts(resources: Resources, orders: Orders) -> list[str]:
    """Those of these orders of which a line was put into a cart, or may have been."""
    effects = await resources.group_commit.effects_of(orders)
    in_carts = {
        one.order_ref
        for one in effects
        if one.action is Action.CART and one.status in COUNTS_AS_SPENT
    }
    return [ref for ref in orders if ref in in_carts]


async def _hold_incomplete(resources: Resources, order: OrderRecord) -> None:
    await resources.group_commit.change(
        [order.held(because(ReasonCode.CART_INCOMPLETE))]
    )


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


async def plan_cart(resources: Resources, order: OrderRecord) -> PlannedOrder:
    """The cost of ordering the order's rows now, with the quantities that lie in the
    cart. Raises `CartFault`.
    """
    if order.order_id is not None:
        raise CartFault(
            f"{order.order_ref} is ordered already (order {order.order_id}, {order.state})"
        )
    rows = row_ids(resources, order)
    cart, plan = require_cart(resources, order.marketplace), order.plan
    lines = lines_as_carted(plan.lines, await cart.rows(), rows)
    plan = replace(
        plan, request=request_as_carted(plan.request, lines), lines=lines, freight=None
    )
    ids = [rows[line.line_no] for line in lines]
    quote = await cart.quote(plan.sourcing_order, ids, await resources.warehouse())
    plan = replace(plan, quote=quote).with_verdict(
        judge_quote(plan.request, lines, quote, plan.offers)
    )
    return await further_checked(resources, plan)


@task(task_run_name="fill cart {label}", **RETRYING)
@behind_breaker
async def fill_cart(
    resources: Resources, orders: Mapping[str, OrderRecord], *, label: str
) -> None:
    """Put each line of these orders into its cart once.

    One after the other, since a cart adds a SKU that lies there already to its row, and
    that would mix two orders up.
    """
    orders = _not_ordered(resources, await settled(resources, orders))
    for order in orders.values():
        for line in order.lines:
            await _add(resources, order, line)
        await _describe(resources, order)
    await _miss(resources, orders)


async def _add(resources: Resources, order: OrderRecord, line: OrderLine) -> None:
    if resources.paused or any(
        effect.part == part_of(line) and not _is_free(effect)
        for effect in _adds(resources, order)
    ):
        return
    try:
        row = row_of(await require_cart(resources, order.marketplace).rows(), line)
    except Misconfigured:
        raise
    except XportcnError as error:
        raise_if_it_passes(resources, error)
        return  # not put there: the order has the reason, and the next run tries again
    if row is not None:
        await _hold(resources, order, _in_the_way(row))
        return
    # in the state that was seen: else it would be put there while a run orders what was
    # approved of the file
    kind, part, seen_in = AddToCart(resources, line), part_of(line), order.state
    await perform_alone(kind, order, line.sku_id[:64], part=part, seen_in=seen_in)


async def _describe(resources: Resources, order: OrderRecord) -> None:
    """Note in the order which lines lie in the cart and which do not."""
    rows, lines = row_ids(resources, order), order.lines
    if len(rows) == len(lines):
        ref, place = order.order_ref, order.marketplace
        in_cart = because(
            ReasonCode.IN_CART, marketplace=place, rows=[*rows.values()], order_ref=ref
        )
        await _hold(resources, order, in_cart)
        return
    if resources.paused:  # nothing goes on with a cart by itself
        await _hold(
            resources,
            order,
            because(ReasonCode.CART_PAUSED, pause=resources.paused.words),
        )
        return
    newest = {effect.part: effect for effect in _adds(resources, order)}
    told = [
        f"line {line.line_no}: {effect.reason}"
        for line in lines
        if (effect := newest.get(part_of(line)))
        and effect.status is not EffectStatus.DONE
    ]
    if told:
        await _hold(resources, order, because(ReasonCode.NOT_ALL_IN_CART, lines=told))


async def _miss(resources: Resources, orders: Mapping[str, OrderRecord]) -> None:
    """Note which lines were taken out since: a line that was put there once is not put
    there again.
    """
    for marketplace in {order.marketplace for order in orders.values()}:
        try:
            lying = {
                row.row_id for row in await require_cart(resources, marketplace).rows()
            }
        except Misconfigured:
            raise
        except XportcnError:
            continue  # ordering it will show
        now = _not_ordered(
            resources, resources.ledger.orders(orders)
        )  # describing them has moved some
        for order in (
            order for order in now.values() if order.marketplace is marketplace
        ):
            if gone := [
                number
                for number, row_id in row_ids(resources, order).items()
                if row_id not in lying
            ]:
                await _hold(
                    resources, order, because(ReasonCode.GONE_FROM_CART, line=gone[0])
                )


def _not_ordered(
    resources: Resources, orders: Mapping[str, OrderRecord]
) -> dict[str, OrderRecord]:
    """The orders that were not ordered since, and are not being ordered: a row gone
    from the cart is bought then.
    """
    effects = resources.ledger.effects_of(orders)
    made = {
        one.order_ref
        for one in effects
        if one.action is Action.CREATE and one.status in COUNTS_AS_SPENT
    }
    return {
        ref: order
        for ref, order in orders.items()
        if ref not in made and order.order_id is None
    }


async def _hold(resources: Resources, order: OrderRecord, why: Reason) -> None:
    await asyncio.to_thread(resources.ledger.change, [order.held(why)])


def _in_the_way(row: CartRow) -> Reason:
    return because(
        ReasonCode.ROW_IN_THE_WAY,
        title=row.title,
        row=row.row_id,
        quantity=row.quantity,
    )


def _adds(resources: Resources, order: OrderRecord) -> list[EffectRecord]:
    effects = resources.ledger.effects_of([order.order_ref])
    return [effect for effect in effects if effect.action is Action.CART]


def _is_free(effect: EffectRecord) -> bool:
    return effect.status in (EffectStatus.UNSENT, EffectStatus.REFUSED)
