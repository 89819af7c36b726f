"""The cart flows: lay a file's orders into the carts, change them by hand, order and ship what lies there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.cart import CartFault, CartRow
from domain.marketplace import Marketplace
from domain.report import BatchReport
from domain.wording import pluralize, shorten
from flows.batch_run import BatchRun
from flows.cart_filling import fill_carts
from flows.follow_up import schedule_follow_up
from flows.opening import opened
from flows.parameters import BudgetCny, DryRun, Limits, Requests, Yes
from flows.plan_sources import FromCarts
from flows.reporting import one_report
from flows.request_batches import read_shown
from flows.shown.artifacts import artifact_key, show_outcome, with_parcels
from flows.shown.board import progress_shown
from flows.shown.endings import ended
from flows.shown.expected_errors import report_expected_errors
from flows.shown.progress import best_effort, rename_run
from flows.upkeep_parameters import OrderRefs
from tasks.effects.cart_line import require_cart
from tasks.effects.kinds import settle_open


def filling_name() -> str:
    """`fill carts from requests.csv`."""
    return f"fill carts from {Path(flow_run.parameters['file']).name}"


@flow(name="fill-cart", flow_run_name=filling_name, persist_result=False)
@report_expected_errors(CartFault)
async def fill_cart(file: Path, batch: str | None = None, encoding: str = "") -> BatchReport:
    """Plan the orders of a request file and lay their lines into the carts; nothing is bought.

    Safe to run again: each line is laid there once. Raises `BadRequests` before anything is sent.
    """
    requests = Requests(file=str(file), encoding=encoding)
    asked = await read_shown(requests, batch or "", require_limit=SourcingSettings().require_price_limit)
    await best_effort(
        "the run's name", rename_run(f"{asked.batch_id}: {pluralize(len(asked.orders), 'order')} to the carts")
    )
    async with opened(begins_orders=True) as resources, progress_shown(artifact_key(asked.batch_id)):
        report = await fill_carts(resources, asked)
    await show_outcome(report)
    return report


def ordering_name() -> str:
    """`order carts of A-1, A-2, A-3 and 4 more`."""
    dry_run = " (dry run)" if flow_run.parameters.get("dry_run") else ""
    return f"order carts of {shorten(flow_run.parameters['order_refs'])}{dry_run}"


@flow(name="order-cart", flow_run_name=ordering_name, persist_result=False)
@report_expected_errors(CartFault)
async def order_from_cart(
    order_refs: OrderRefs,
    dry_run: DryRun = False,  # noqa: FBT002 - flow parameters make a form
    yes: Yes = False,  # noqa: FBT002
    budget_cny: BudgetCny = "",
) -> BatchReport:
    """Order what lies in the carts for these orders, with the quantities found there; then pay, book and ship.

    Each batch of theirs is a run of its own. `budget_cny` bounds what the orders of the one batch may cost in yuan.
    Raises `CartFault` before anything is sent.
    """
    limits = Limits(budget_cny=budget_cny)
    limits.check()
    async with opened() as resources:
        orders = _known(resources.ledger, order_refs)
        if limits.budget and len(_by_batch(orders)) > 1:
            raise CartFault(f"a budget is for one batch: order those of {' and '.join(_by_batch(orders))} apart")
        if dry_run:  # a run settles by itself; without that a line with a lost answer would seem missing
            await settle_open(resources, orders)
        reports = []
        for batch_id, batch in _by_batch(orders).items():
            run = BatchRun(resources, batch_id, FromCarts(batch))
            done = await run.followed(limits.budget, dry_run=dry_run, ask=not yes)
            reports.append(await schedule_follow_up(resources, done, limits))
        report = one_report(reports, list(orders))
        await show_outcome(report, resources.ledger.orders(with_parcels(report)))
    answer: BatchReport = ended(report)
    return answer


async def show_cart(marketplace: Marketplace) -> tuple[CartRow, ...]:
    """Show the contents of a marketplace's cart."""
    async with opened() as resources:
        return await require_cart(resources, marketplace).rows()


@flow(name="change-cart", flow_run_name="change the cart of {marketplace}", persist_result=False)
@report_expected_errors(CartFault)
async def change_cart(
    marketplace: Marketplace, quantities: dict[str, int] | None = None, delete: list[str] | None = None
) -> tuple[CartRow, ...]:
    """Set quantities of rows and take rows out; answers what lies there then. Safe to run again."""
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
        raise CartFault(f"row {min(missing)} is not in the cart; see: sourcing cart list")
    if any(quantity < 1 for quantity in quantities.values()):
        raise CartFault("a quantity is 1 or more; to take a row out: sourcing cart delete")


def _known(ledger: Ledger, order_refs: Sequence[str]) -> dict[str, OrderRecord]:
    orders = ledger.orders(order_refs)
    if missing := [ref for ref in order_refs if ref not in orders]:
        raise CartFault(f"no order {missing[0]} in the ledger: lay it into the cart with sourcing cart add FILE")
    return {ref: orders[ref] for ref in order_refs}


def _by_batch(orders: Mapping[str, OrderRecord]) -> dict[str, dict[str, OrderRecord]]:
    batches: defaultdict[str, dict[str, OrderRecord]] = defaultdict(dict)
    for ref, order in orders.items():
        batches[order.batch_id][ref] = order
    return dict(batches)
