"""The flow by which a person answers about a plan that waits, and which then buys what
was approved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.questions import (
    Answer,
    question_hash,
    take_answer,
    waiting_refs,
)
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.decisions import held
from domain.holds import by_whom, waits_for_approval, why_in_words
from domain.money import Money
from domain.plan import PlannedOrder
from domain.report import BatchReport
from domain.request_remarks import BadInput
from domain.wording import BadChoice, Choice, chosen, pluralize, references_in
from flows.approval.request import not_approved_by
from flows.batch.follow_up import FromLedger
from flows.batch.opening import opened
from flows.batch.planning import plan_each
from flows.batch.question import put_question
from flows.batch.run import BatchRun
from flows.buy_from_file import KnownBatch, finish
from flows.prefect_ui import remedy_parameters as form
from flows.prefect_ui.expected_errors import run_logger, sourcing_flow
from flows.prefect_ui.parameters import (
    ApprovedOrders,
    PlanChoice,
    PlanHash,
)
from tasks.engine.resources import Resources, utc_now
from tasks.snapshot import LedgerAlone, write_tables

PLAN_VALID_FOR = timedelta(hours=24)
"""An older plan is previewed again before it is bought."""


@sourcing_flow("approve {batch}", LedgerUnusable)
async def approve_batch(
    batch: KnownBatch,
    plan_hash: PlanHash,
    answer: PlanChoice = Choice.NONE,
    orders: ApprovedOrders = "",
    approved_by: form.AnsweredBy = "",
    note: form.Why = "",
) -> BatchReport:
    """Approve what waits in a batch, or refuse it, and buy what is approved.

    The answer counts only for the plan that was shown. *none* refuses all of it, and
    nothing is bought; what is not approved is held with your name and your note.
    """
    settings = SourcingSettings()
    with Ledger(settings.ledger_url, clock=utc_now, owner="approve-batch") as ledger:
        source = LedgerAlone(ledger, settings)
        shown_hash = await asyncio.to_thread(question_hash, ledger, batch, settings)
        old_plans = list[str]()
        if not shown_hash:
            run_logger().info("Nothing of %s waits: it was answered before", batch)
        elif shown_hash != plan_hash.strip():
            raise BadInput(await _refusal(source, batch))
        else:
            asked = waiting_refs(ledger, batch)
            approved = _approved(answer, orders, asked)
            by = by_whom(approved_by)
            no = not_approved_by(by, why_in_words(note))
            old_plans = await asyncio.to_thread(plans_to_preview, ledger, approved)
            record = Answer(approved=approved, by=by, no=no)
            if not await asyncio.to_thread(
                take_answer, ledger, batch, shown_hash, settings, record
            ):
                raise BadInput(await _refusal(source, batch))
            count = pluralize(len(asked), "order")
            run_logger().info("%s of %s approved by %s", len(approved), count, by)
            if not approved:
                await write_tables(source, "refused")
    if old_plans:
        async with opened(begins_orders=True) as resources:
            (stored,) = resources.ledger.batches.open(batch)
            await preview_again(resources, batch, old_plans, stored.options.budget)
            await put_question(resources, batch)
    return await finish(batch)


def _approved(answer: Choice, orders: str, asked: Sequence[str]) -> list[str]:
    try:
        return chosen(answer, references_in(orders), asked)
    except BadChoice as error:
        raise BadInput(f"{error}. Nothing was approved or refused") from None


def plans_to_preview(ledger: Ledger, order_refs: Collection[str]) -> list[str]:
    """Those not yet ordered whose plan is older than `PLAN_VALID_FOR`."""
    newest = ledger.clock() - PLAN_VALID_FOR
    return [
        order.order_ref
        for order in ledger.each_order(order_refs)
        if order.order_id is None and order.updated_at < newest
    ]


async def _refusal(source: LedgerAlone, batch: str) -> str:
    link = await put_question(source, batch)
    changed = (
        "the plan has changed since it was shown, so nothing was approved or refused"
    )
    return f"{changed}. It is now: {link}" if link else changed


async def preview_again(
    resources: Resources, batch: str, order_refs: Sequence[str], budget: Money | None
) -> None:
    """Preview approved orders again: what costs more than was approved, or is another
    item by now, waits for a yes to that.
    """
    orders = resources.ledger.orders(order_refs)
    requests = [order.request for order in orders.values()]
    source = FromLedger(resources.ledger, batch)
    run = BatchRun(resources, batch, source, budget=budget)
    waits = held(waits_for_approval())

    async def take(plans: Sequence[PlannedOrder]) -> None:
        changed = [
            plan
            for plan in plans
            if not (plan.is_postponed or _is_covered(plan, orders[plan.order_ref]))
        ]
        to_hold = [plan.with_verdict(waits) for plan in run.within_budget(changed)]
        await asyncio.to_thread(resources.ledger.put_plans, to_hold, batch)

    await plan_each(resources, requests, take, match_anew=False)


def _is_covered(plan: PlannedOrder, order: OrderRecord) -> bool:
    """Whether what was approved of an order allows what it would be now."""
    service = plan.freight_service
    if not plan.is_fine or service is None:
        return False
    wanted = [(line.item_id, line.sku_id, line.quantity) for line in plan.lines]
    approved = [(line.item_id, line.sku_id, line.quantity) for line in order.lines]
    is_same = (plan.seller_id, wanted) == (order.seller_id, approved)
    freight = Money(order.freight_approved_minor or 0, order.freight_currency or "CNY")
    is_shipped_so = (
        service.price.currency == freight.currency and service.price <= freight
    )
    return is_same and is_shipped_so and plan.total <= order.approved
