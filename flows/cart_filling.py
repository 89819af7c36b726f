"""Lay the orders of a file into the carts."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.ledger.records import OrderRecord
from connectors.ledger.spending import COUNTS_AS_SPENT
from domain.decisions import held
from domain.effects import Action
from domain.orders import OrderRequest
from domain.reasons import Reason, ReasonCode, because
from domain.report import BatchReport
from flows.chunks import chunks_with_progress
from flows.planning import plan_orders
from flows.reporting import batch_report
from flows.request_batches import RequestBatch
from tasks.effects.kinds import settle_open
from tasks.fill_cart import fill_cart as fill_chunk
from tasks.resources import Resources
from tasks.snapshot import snapshot_orders


async def fill_carts(resources: Resources, asked: RequestBatch) -> BatchReport:
    """Plan the orders and lay their lines into the carts, each once; orders left out carry the reason."""
    ledger = resources.ledger
    resources.heed(ledger.buying_paused())
    begun = ledger.start_batch(asked.batch_id, asked.source)
    refused = await _fill(resources, asked.orders, asked.batch_id)
    snapshot_id = await snapshot_orders(resources, asked.batch_id, begun)
    return batch_report(
        resources, asked.batch_id, asked.orders, taken=refused, snapshot_id=snapshot_id, warnings=asked.warnings
    )


async def _fill(resources: Resources, requests: Sequence[OrderRequest], batch_id: str) -> dict[str, Reason]:
    """Lay what may be laid; answers the reasons of the orders left alone, by reference."""
    ledger, chunk_size = resources.ledger, resources.settings.chunk_size
    refs = [request.order_ref for request in requests]
    await settle_open(resources, refs)
    live = [effect for effect in ledger.effects_of(refs) if effect.status in COUNTS_AS_SPENT]
    carted = {effect.order_ref for effect in live if effect.action is Action.CART}
    ordered = {effect.order_ref for effect in live if effect.action is not Action.CART}
    known = ledger.orders(refs)
    forgotten = ledger.forgotten.known(refs)
    why = {one.order_ref: _left_alone(resources, one, known.get(one.order_ref), carted, ordered) for one in requests}
    why |= dict.fromkeys(forgotten, because(ReasonCode.NAME_FORGOTTEN))
    refused = {ref: one for ref, one in why.items() if one}
    to_plan = [request for request in requests if request.order_ref not in refused.keys() | carted]
    plans = await plan_orders(resources, to_plan, chunk_size=chunk_size)
    waiting = [plan.with_verdict(held(because(ReasonCode.TO_BE_CARTED))) for plan in plans]
    ledger.put_plans(waiting, batch_id)
    wanted = [plan.order_ref for plan in plans if plan.is_fine] + [ref for ref in carted if ref not in refused]
    orders = {ref: order for ref, order in ledger.orders(wanted).items() if order.order_id is None}
    for label, chunk in chunks_with_progress("fill cart", list(orders), chunk_size):
        await fill_chunk(resources, {ref: orders[ref] for ref in chunk}, label=label)
    return refused


def _left_alone(
    resources: Resources, request: OrderRequest, order: OrderRecord | None, carted: set[str], ordered: set[str]
) -> Reason | None:
    """Why nothing of the order is laid into a cart; None where it may be."""
    ref = request.order_ref
    if resources.offerings[request.marketplace].cart is None:
        return because(ReasonCode.NO_CART, marketplace=request.marketplace)
    if order and (ref in ordered or order.order_id is not None):
        return because(ReasonCode.ALREADY_ORDERED, order_ref=ref, state=order.state)
    if order and order.fingerprint != request.fingerprint and ref in carted:
        return because(ReasonCode.OTHERWISE_IN_CART, order_ref=ref)
    return None
