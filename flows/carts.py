"""Lay the orders of a file into the carts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from connectors.ledger.records import OrderRecord
from connectors.ledger.spending import COUNTS_AS_SPENT
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.decisions import held
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.orders import (
    CartFault,
    CartRow,
    OrderRequest,
    lines_without_limit,
    marketplaces_of,
)
from domain.reasons import Reason, ReasonCode, because
from domain.report import BatchReport
from domain.states import OrderState
from domain.wording import pluralize, shorten
from flows.batch.chunks import chunks_with_progress
from flows.batch.follow_up import schedule_follow_up
from flows.batch.opening import opened
from flows.batch.plan_sources import FromCarts
from flows.batch.planning import plan_orders
from flows.batch.reporting import batch_report, ended, one_report, show_outcome
from flows.batch.request_batches import (
    RequestBatch,
    note_missing,
    orders_to_buy,
    read_shown,
)
from flows.batch.run import BatchRun
from flows.prefect_ui.artifacts import artifact_key
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    report_expected_errors,
)
from flows.prefect_ui.markdown import shown_whole
from flows.prefect_ui.parameters import BudgetCny, DryRun, Limits, Requests, Yes
from flows.prefect_ui.remedy_parameters import OrderRefs
from tasks.create_order import fill_cart as fill_chunk
from tasks.effects.cart import require_cart
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources
from tasks.engine.retrying import run_task
from tasks.snapshot import snapshot_orders


async def fill_carts(resources: Resources, asked: RequestBatch) -> BatchReport:
    """Plan the orders and lay their lines into the carts, each once; orders left out
    carry the reason.
    """
    ledger = resources.ledger
    resources.heed(ledger.buying_paused())
    begun = ledger.start_batch(asked.batch_id, asked.source)
    refused = await _fill(resources, asked.orders, asked.batch_id)
    snapshot_id = await snapshot_orders(resources, asked.batch_id, begun)
    return batch_report(
        resources,
        asked.batch_id,
        marketplaces_of(asked.orders),
        taken=refused,
        snapshot_id=snapshot_id,
        lines_without_limit=lines_without_limit(asked.orders),
        warnings=asked.warnings,
    )


async def _fill(
    resources: Resources, requests: Sequence[OrderRequest], batch_id: str
) -> dict[str, Reason]:
    """Lay what may be laid; answers the reasons of the orders left alone, by
    reference.
    """
    ledger, chunk_size = resources.ledger, resources.settings.chunk_size
    refs = [request.order_ref for request in requests]
    await settle_open(resources, refs)
    live = [
        effect for effect in ledger.effects_of(refs) if effect.status in COUNTS_AS_SPENT
    ]
    carted = {effect.order_ref for effect in live if effect.action is Action.CART}
    ordered = {effect.order_ref for effect in live if effect.action is not Action.CART}
    known = ledger.orders(refs)
    forgotten = ledger.forgotten.known(refs)
    why = {
        one.order_ref: _left_alone(
            resources, one, known.get(one.order_ref), carted, ordered
        )
        for one in requests
    }
    why |= dict.fromkeys(forgotten, because(ReasonCode.NAME_FORGOTTEN))
    refused = {ref: one for ref, one in why.items() if one}
    to_plan = [
        request
        for request in requests
        if request.order_ref not in refused.keys() | carted
    ]
    plans = await plan_orders(resources, to_plan, chunk_size=chunk_size)
    waiting = [
        plan.with_verdict(held(because(ReasonCode.TO_BE_CARTED))) for plan in plans
    ]
    ledger.put_plans(waiting, batch_id)
    wanted = [plan.order_ref for plan in plans if plan.is_fine] + [
        ref for ref in carted if ref not in refused
    ]
    orders = {
        ref: order
        for ref, order in ledger.orders(wanted).items()
        if order.order_id is None
    }
    for label, chunk in chunks_with_progress("fill cart", list(orders), chunk_size):
        await run_task(
            fill_chunk, resources, {ref: orders[ref] for ref in chunk}, label=label
        )
    return refused


def _left_alone(
    resources: Resources,
    request: OrderRequest,
    order: OrderRecord | None,
    carted: set[str],
    ordered: set[str],
) -> Reason | None:
    """Why nothing of the order is laid into a cart; None where it may be."""
    ref = request.order_ref
    if resources.offerings[request.marketplace].cart is None:
        return because(ReasonCode.NO_CART, marketplace=request.marketplace)
    if order and (ref in ordered or order.order_id is not None):
        return because(ReasonCode.ALREADY_ORDERED, order_ref=ref, state=order.state)
    if order and order.state is OrderState.CANCELLED and ref in carted:
        return order.why
    if order and order.fingerprint != request.fingerprint and ref in carted:
        return because(ReasonCode.OTHERWISE_IN_CART, order_ref=ref)
    return None


def filling_name() -> str:
    """`fill carts from requests.csv`."""
    return f"fill carts from {Path(flow_run.parameters['file']).name}"


@flow(flow_run_name=filling_name, persist_result=False)
@report_expected_errors(CartFault)
async def fill_cart(
    file: Path, batch: str | None = None, encoding: str = ""
) -> BatchReport:
    """Plan the orders of a request file and lay their lines into the carts; nothing is
    bought.

    Safe to run again: each line is laid there once. Raises `BadRequests` before
    anything is sent.
    """
    requests = Requests(file=str(file), encoding=encoding)
    asked = await read_shown(requests, batch or "", SourcingSettings())
    await best_effort(
        "the run's name",
        rename_run(
            f"{asked.batch_id}: {pluralize(len(asked.orders), 'order')} to the carts"
        ),
    )
    async with (
        opened(begins_orders=True) as resources,
        progress_shown(artifact_key(asked.batch_id)),
    ):
        asked = replace(
            asked, orders=orders_to_buy(resources.ledger, asked.orders, dry_run=False)
        )
        report = await fill_carts(resources, asked)
        note_missing(report, resources.settings.data_dir)
    await show_outcome(report)
    return report


def ordering_name() -> str:
    """`order carts of A-1, A-2, A-3 and 4 more`."""
    dry_run = " (dry run)" if flow_run.parameters.get("dry_run") else ""
    return f"order carts of {shorten(flow_run.parameters['order_refs'])}{dry_run}"


@flow(flow_run_name=ordering_name, persist_result=False)
@report_expected_errors(CartFault)
async def order_cart(
    order_refs: OrderRefs,
    dry_run: DryRun = False,  # noqa: FBT002 - flow parameters make a form
    yes: Yes = False,  # noqa: FBT002
    budget_cny: BudgetCny = "",
) -> BatchReport:
    """Order what lies in the carts for these orders, with the quantities found there;
    then pay, book and ship.

    Each batch of theirs is a run of its own. `budget_cny` bounds what the orders of the
    one batch may cost in yuan. Raises `CartFault` before anything is sent.
    """
    limits = Limits(budget_cny=budget_cny)
    limits.check()
    async with opened() as resources:
        orders = _known(resources.ledger, order_refs)
        if limits.budget and len(_by_batch(orders)) > 1:
            raise CartFault(
                f"a budget is for one batch: order those of {' and '.join(_by_batch(orders))} apart"
            )
        if dry_run:  # a run settles by itself; without that a line with a lost answer would seem missing
            await settle_open(resources, orders)
        reports = []
        for batch_id, batch in _by_batch(orders).items():
            run = BatchRun(resources, batch_id, FromCarts(batch), budget=limits.budget)
            done = await run.followed(dry_run=dry_run, ask=not yes)
            reports.append(await schedule_follow_up(resources, done, limits))
        report = one_report(reports, list(orders))
        await show_outcome(report, resources.ledger.orders(shown_whole(report)))
    answer: BatchReport = ended(report)
    return answer


async def show_cart(marketplace: Marketplace) -> tuple[CartRow, ...]:
    """Show the contents of a marketplace's cart."""
    async with opened() as resources:
        return await require_cart(resources, marketplace).rows()


@flow(flow_run_name="change the cart of {marketplace}", persist_result=False)
@report_expected_errors(CartFault)
async def change_cart(
    marketplace: Marketplace,
    quantities: dict[str, int] | None = None,
    delete: list[str] | None = None,
) -> tuple[CartRow, ...]:
    """Set quantities of rows and take rows out; answers what lies there then. Safe to
    run again.
    """
    async with opened() as resources:
        cart = require_cart(resources, marketplace)
        _require_rows(await cart.rows(), quantities or {})
        for row_id, quantity in (quantities or {}).items():
            await cart.set_quantity(row_id, quantity)
        if delete:
            await cart.delete(delete)
        return await cart.rows()


def _require_rows(rows: Sequence[CartRow], quantities: Mapping[str, int]) -> None:
    if missing := set(quantities) - {row.row_id for row in rows}:
        raise CartFault(
            f"row {min(missing)} is not in the cart; see: sourcing cart list"
        )
    if any(quantity < 1 for quantity in quantities.values()):
        raise CartFault(
            "a quantity is 1 or more; to take a row out: sourcing cart delete"
        )


def _known(ledger: Ledger, order_refs: Sequence[str]) -> dict[str, OrderRecord]:
    orders = ledger.orders(order_refs)
    if missing := [ref for ref in order_refs if ref not in orders]:
        raise CartFault(
            f"no order {missing[0]} in the ledger: lay it into the cart with sourcing cart add FILE"
        )
    return {ref: orders[ref] for ref in order_refs}


def _by_batch(orders: Mapping[str, OrderRecord]) -> dict[str, dict[str, OrderRecord]]:
    batches: defaultdict[str, dict[str, OrderRecord]] = defaultdict(dict)
    for ref, order in orders.items():
        batches[order.batch_id][ref] = order
    return dict(batches)
