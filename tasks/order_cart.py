"""Plan an order from the rows of a cart."""

from __future__ import annotations

from dataclasses import replace

from connectors.ledger.records import OrderRecord
from domain.cart import CartFault, lines_as_carted, request_as_carted
from domain.decisions import judge_quote
from domain.plan import PlannedOrder
from tasks.effects.cart_line import require_cart, row_ids
from tasks.preview import with_freight
from tasks.resources import Resources


async def plan_cart(resources: Resources, order: OrderRecord) -> PlannedOrder:
    """The cost of ordering the order's rows now, with the quantities that lie in the cart. Raises `CartFault`."""
    if order.order_id is not None:
        raise CartFault(f"{order.order_ref} is ordered already (order {order.order_id}, {order.state})")
    rows = row_ids(resources, order)
    cart, plan = require_cart(resources, order.marketplace), order.plan
    lines = lines_as_carted(plan.lines, await cart.rows(), rows)
    plan = replace(plan, request=request_as_carted(plan.request, lines), lines=lines, freight=None)
    ids = [rows[line.line_no] for line in lines]
    quote = await cart.quote(plan.sourcing_order, ids, await resources.warehouse())
    plan = replace(plan, quote=quote).with_verdict(judge_quote(plan.request, lines, quote, plan.offers))
    return await with_freight(resources, plan) if plan.is_fine else plan
