"""The cart flows: lay a file's orders into the carts, change them by hand, order and ship what lies there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from prefect import flow

from connectors.ledger.codec import plan_hash, plan_row
from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord
from connectors.ledger.spending import COUNTS_AS_SPENT
from connectors.request_files import read_request_file
from connectors.settings import SourcingSettings, XportcnSettings
from connectors.xportcn.carts import cart_for
from connectors.xportcn.carts.base import Cart
from connectors.xportcn.errors import Misconfigured, XportcnError
from domain.bad_requests import BadRequests
from domain.cart import CartFault, CartRow
from domain.decisions import held
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderRequest, lines_without_limit
from domain.plan import PlannedOrder
from domain.report import BatchReport, ReportLine, check_batch_id
from domain.states import OrderState
from flows.approval import ApprovalRequest, decide
from flows.execution import execute, settle_open_effects
from flows.planning import limits_now, plan_orders, spend_limits, within_budget
from flows.reporting import bought_by, line_of
from flows.shown.artifacts import show_outcome
from flows.source_orders import default_batch_id
from tasks.fill_cart import fill_cart as fill_chunk
from tasks.lost_ledger import require_not_lost
from tasks.order_cart import approve_cart, order_cart, plan_cart, settle_cart_order
from tasks.resources import Resources, open_resources
from tasks.snapshot import snapshot_orders
from tasks.unwalked import unwalked


@flow(name="fill-cart", persist_result=False)
async def fill_cart(file: Path, batch: str | None = None, encoding: str = "") -> BatchReport:
    """Plan the orders of a request file and lay their lines into the carts; nothing is bought.

    Safe to run again: each line is laid there once. Raises `BadRequests` before anything is sent.
    """
    parsed = read_request_file(file, encoding=encoding, require_limit=SourcingSettings().require_price_limit)
    if parsed.faults:
        raise BadRequests(parsed.faults)
    batch_id = check_batch_id(batch) if batch else default_batch_id(file)
    async with _carts() as resources:
        require_not_lost(resources)
        resources.ledger.start_batch(batch_id, str(file))
        taken = await _fill(resources, parsed.orders, batch_id)
        report = await _report(resources, batch_id, [order.order_ref for order in parsed.orders], taken)
        unlimited = lines_without_limit(parsed.orders)
        report = replace(report, warnings=parsed.warnings, lines_without_limit=unlimited)
    await show_outcome(report)
    return report


@flow(name="order-cart", persist_result=False)
async def order_from_cart(
    order_refs: list[str],
    dry_run: bool = False,  # noqa: FBT001, FBT002 - flow parameters make a form
    yes: bool = False,  # noqa: FBT001, FBT002
    budget_cny: str | None = None,
) -> BatchReport:
    """Order what lies in the carts for these orders, with the quantities found there; then pay, book and ship.

    `budget_cny` bounds what the orders of one batch may cost in yuan. Raises `CartFault` before anything is sent.
    """
    budget = Money.parse(budget_cny) if budget_cny else None
    async with _carts() as resources:
        orders = _known(resources, order_refs)
        await _settle(resources, orders)
        orders = _known(resources, order_refs)
        plans = await _plans(resources, orders)
        if dry_run:
            return _planned(resources, orders, plans)
        for batch_id, refs in _by_batch(orders).items():
            await _order(resources, batch_id, [plans[ref] for ref in refs if ref in plans], refs, budget, ask=not yes)
        last = next(reversed(_by_batch(orders)))
        report = await _report(resources, last, list(orders), {})
    await show_outcome(report)
    return report


async def show_cart(marketplace: Marketplace) -> tuple[CartRow, ...]:
    """What lies in a marketplace's cart."""
    async with _carts() as resources:
        return await _cart(resources, marketplace).rows()


@flow(name="change-cart", persist_result=False)
async def change_cart(
    marketplace: Marketplace, quantities: dict[str, int] | None = None, delete: list[str] | None = None
) -> tuple[CartRow, ...]:
    """Set quantities of rows and take rows out; answers what lies there then. Safe to run again."""
    async with _carts() as resources:
        cart = _cart(resources, marketplace)
        _require_rows(await cart.rows(), quantities or {})
        for row_id, quantity in (quantities or {}).items():
            await cart.set_quantity(row_id, quantity)
        if delete:
            await cart.delete(delete)
        return await cart.rows()


@asynccontextmanager
async def _carts() -> AsyncIterator[Resources]:
    async with open_resources(SourcingSettings(), XportcnSettings()) as resources:
        await resources.warehouse()  # one cheap call that tells whether service, clock and account are well
        yield resources


def _cart(resources: Resources, marketplace: Marketplace) -> Cart:
    cart = cart_for(marketplace, resources.client)
    if cart is None:
        raise CartFault(f"the service has no cart for {marketplace}")
    return cart


def _require_rows(rows: Sequence[CartRow], quantities: Mapping[str, int]) -> None:
    if missing := set(quantities) - {row.row_id for row in rows}:
        raise CartFault(f"row {min(missing)} is not in the cart; see: sourcing cart list")
    if any(quantity < 1 for quantity in quantities.values()):
        raise CartFault("a quantity is 1 or more; to take a row out: sourcing cart delete")


async def _fill(resources: Resources, requests: Sequence[OrderRequest], batch_id: str) -> dict[str, str]:
    """Lay what may be laid; answers why the others were left alone, by reference."""
    refused = _left_alone(resources, requests)
    wanted = [request for request in requests if request.order_ref not in refused]
    begun = {effect.order_ref for effect in _live(resources, wanted)}
    plans = await plan_orders(
        resources,
        [request for request in wanted if request.order_ref not in begun],
        chunk_size=resources.settings.chunk_size,
    )
    waiting = [plan.judged(held("to be laid into the cart; run again")) for plan in plans]
    resources.ledger.put_plans([plan_row(plan, batch_id, approved=False) for plan in waiting])
    fine = {plan.order_ref for plan in plans if plan.is_fine} | begun
    orders = {ref: order for ref, order in resources.ledger.orders(fine).items() if order.order_id is None}
    await fill_chunk(resources, unwalked(orders), label=batch_id)
    return refused


def _left_alone(resources: Resources, requests: Sequence[OrderRequest]) -> dict[str, str]:
    known = resources.ledger.orders([request.order_ref for request in requests])
    ordered = {effect.order_ref for effect in _live(resources, requests) if effect.action is not Action.CART}
    reasons = {}
    for request in requests:
        order = known.get(request.order_ref)
        if cart_for(request.marketplace, resources.client) is None:
            reasons[request.order_ref] = f"the service has no cart for {request.marketplace}: use sourcing run"
        elif order and (request.order_ref in ordered or order.order_id is not None):
            reasons[request.order_ref] = f"{request.order_ref} is ordered already ({order.state})"
        elif (
            order and order.fingerprint != request.fingerprint and request.order_ref in _refs_in_carts(resources, known)
        ):
            reasons[request.order_ref] = f"{request.order_ref} lies in the cart with other contents: new order_ref"
    return reasons


def _refs_in_carts(resources: Resources, known: Mapping[str, OrderRecord]) -> set[str]:
    effects = resources.ledger.effects_of(list(known))
    return {one.order_ref for one in effects if one.action is Action.CART and one.status in COUNTS_AS_SPENT}


def _live(resources: Resources, requests: Sequence[OrderRequest]) -> list[EffectRecord]:
    effects = resources.ledger.effects_of([request.order_ref for request in requests])
    return [effect for effect in effects if effect.status in COUNTS_AS_SPENT]


def _known(resources: Resources, order_refs: Sequence[str]) -> dict[str, OrderRecord]:
    orders = resources.ledger.orders(order_refs)
    if missing := [ref for ref in order_refs if ref not in orders]:
        raise CartFault(f"no order {missing[0]} in the ledger: lay it into the cart with sourcing cart add FILE")
    return {ref: orders[ref] for ref in order_refs}


async def _settle(resources: Resources, orders: Mapping[str, OrderRecord]) -> None:
    await settle_open_effects(resources, orders)
    for order in resources.ledger.orders(orders).values():
        if cart_for(order.marketplace, resources.client) and order.order_id is None:
            await settle_cart_order(resources, order)


async def _plans(resources: Resources, orders: Mapping[str, OrderRecord]) -> dict[str, PlannedOrder]:
    """Plans of what is not ordered yet. One that can't be planned is held with the reason."""
    plans: dict[str, PlannedOrder] = {}
    for ref, order in orders.items():
        if order.order_id is not None or order.state is OrderState.UNKNOWN:
            continue
        try:
            plans[ref] = await plan_cart(resources, order)
        except Misconfigured:
            raise
        except (CartFault, XportcnError) as error:
            _hold(resources, order, f"not ordered: {error}")
    return plans


async def _order(
    resources: Resources,
    batch_id: str,
    plans: Sequence[PlannedOrder],
    refs: Sequence[str],
    budget: Money | None,
    *,
    ask: bool,
) -> None:
    limits = spend_limits(resources, batch_id, budget)
    seen = resources.ledger.orders([plan.order_ref for plan in plans])
    judged = within_budget(plans, limits_now(resources, limits))
    for plan in judged:
        if not plan.is_fine:
            _hold(resources, seen[plan.order_ref], plan.reason)
    fine = [plan for plan in judged if plan.is_fine]
    if fine:
        fine = await _approved(resources, batch_id, fine, seen, yes=not ask)
        if not fine:
            return
    hashes = {
        plan.order_ref: plan_hash(plan)
        for plan in fine
        if await approve_cart(resources, plan, seen_in=seen[plan.order_ref].state)
    }
    await order_cart(resources, unwalked(resources.ledger.orders(hashes)), hashes, limits, label=batch_id)
    await execute(resources, refs, {}, limits=limits, chunk_size=resources.settings.chunk_size)


async def _approved(
    resources: Resources,
    batch_id: str,
    plans: Sequence[PlannedOrder],
    seen: Mapping[str, OrderRecord],
    *,
    yes: bool,
) -> list[PlannedOrder]:
    """The plans that somebody approved; the others' orders are held."""
    question = ApprovalRequest(batch_id=batch_id, to_buy=plans, to_ship=[])
    decision = await decide(question, resources.settings, yes=yes)
    for plan in plans:
        if plan.order_ref not in decision.approved:
            _hold(resources, seen[plan.order_ref], f"not approved{decision.why_not}")
    return [plan for plan in plans if plan.order_ref in decision.approved]


def _hold(resources: Resources, order: OrderRecord, reason: str) -> None:
    change = OrderChange(order_ref=order.order_ref, state=OrderState.HELD, expected=order.state, reason=reason)
    resources.ledger.change([change])


def _by_batch(orders: Mapping[str, OrderRecord]) -> dict[str, list[str]]:
    batches: defaultdict[str, list[str]] = defaultdict(list)
    for ref, order in orders.items():
        batches[order.batch_id].append(ref)
    return dict(batches)


async def _report(resources: Resources, batch_id: str, refs: Sequence[str], taken: Mapping[str, str]) -> BatchReport:
    ledger = resources.ledger
    orders = ledger.orders(refs)
    bought = bought_by(ledger, orders)
    begun = ledger.start_batch(batch_id, "cart")
    return BatchReport(
        batch_id=batch_id,
        orders=[_line(ref, orders, taken) for ref in refs],
        spent_this_run_fen=sum(bought.values()),
        bought_this_run=len(bought),
        snapshot_id=await snapshot_orders(resources, batch_id, begun, ledger.refs_in(batch_id)),
        snapshot_root=str(resources.settings.snapshot_root.absolute()),
    )


def _line(ref: str, orders: Mapping[str, OrderRecord], taken: Mapping[str, str]) -> ReportLine:
    if ref in taken or ref not in orders:
        marketplace = orders[ref].marketplace if ref in orders else ""
        return ReportLine(order_ref=ref, marketplace=marketplace, state=OrderState.REFUSED, reason=taken.get(ref, ""))
    return line_of(orders[ref])


def _planned(resources: Resources, orders: Mapping[str, OrderRecord], plans: Mapping[str, PlannedOrder]) -> BatchReport:
    """What ordering the carts would come to, without ordering them."""
    now = resources.ledger.orders(orders)
    lines = [
        replace(line_of(now[ref]), state=plans[ref].state, reason=_costs(plans[ref]))
        if ref in plans
        else line_of(now[ref])
        for ref in orders
    ]
    return BatchReport(
        batch_id=next(iter(orders.values())).batch_id,
        orders=lines,
        spent_this_run_fen=0,
        bought_this_run=0,
        snapshot_id=None,
        snapshot_root=str(resources.settings.snapshot_root.absolute()),
        dry_run=True,
    )


def _costs(plan: PlannedOrder) -> str:
    freight = f", freight {plan.freight_service.price}" if plan.freight_service else ""
    return plan.reason or f"costs {plan.total} with postage{freight}"
