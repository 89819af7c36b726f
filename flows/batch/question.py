"""What waits for a person's approval in a batch: as the ledger has it, as it is shown,
and the link to the form that answers.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from connectors.foreign import prefect_errors
from connectors.ledger.plans import approved_by
from connectors.ledger.questions import question_hash, waiting_refs
from connectors.ledger.records import BEFOREHAND, OrderRecord
from connectors.ui_pages import run_form
from connectors.xportcn.settings import XportcnSettings
from domain.messages import Message
from domain.money import Money
from domain.offers import FreightService
from domain.plan import PlannedOrder, PlanSummary
from domain.states import OrderState
from flows.approval.request import ApprovalRequest
from flows.approval.words import AskedPlan, bare, plan_markdown, question_words
from flows.batch.plan_sources import StoredPlans, plan_in, summary_of
from flows.notify.outbox import enqueue
from flows.prefect_ui.artifacts import artifact_key
from flows.prefect_ui.expected_errors import PATIENCE_S, best_effort
from flows.prefect_ui.markdown import action_words
from tasks.book_shipment import still_to_pay
from tasks.snapshot import Source

APPROVE = "approve-batch"
HOW = (
    "The form opens with *none*, which approves nothing: choose *all*, *only* or "
    "*all but* there. Nothing of this is bought before, and the question does not expire."
)


BEFORE_HELD: dict[str, Any] = {"state": OrderState.PLANNED, "why": None}
"""A plan is held until it is answered; what is asked about is the plan before that."""


def question_of(source: Source, batch_id: str) -> ApprovalRequest:
    """What waits for an approval in a batch."""
    ledger = source.ledger
    refs = waiting_refs(ledger, batch_id)
    summaries = list[PlanSummary]()
    to_ship = list[PlannedOrder]()
    for order in ledger.each_order(refs):
        if order.order_id is None:
            summaries.append(summary_of(replace(plan_in(order), **BEFORE_HELD)))
        else:
            to_ship.append(_begun_plan(order))
    allowed = approved_by(ledger, batch_id, BEFOREHAND)
    return ApprovalRequest(
        batch_id=batch_id,
        to_buy=(
            replace(plan, **BEFORE_HELD) for plan in StoredPlans(ledger, summaries)
        ),
        to_ship=to_ship,
        summaries=summaries,
        paused=ledger.buying_paused(),
        allowed=[plan for plan in allowed if plan.order_ref not in {*refs}],
        pictures=XportcnSettings().pictures,
    )


def _begun_plan(order: OrderRecord) -> PlannedOrder:
    """A begun order with the freight that was asked about."""
    price = Money(order.freight_minor or 0, order.freight_currency or "CNY")
    service = FreightService(
        service_id=order.freight_service or "",
        company="",
        category="",
        price=price,
        min_days=0,
        max_days=0,
    )
    plan = replace(order.plan, offers=(), freight_service=service)
    return still_to_pay(order, plan)


async def put_question(source: Source, batch_id: str) -> str:
    """Show what waits in a batch, and notify of it once. Return the link to the form
    that answers, or the form's name where no UI is known; empty where nothing waits.
    """
    ledger = source.ledger
    settings = source.settings
    # before it is read to be shown: what changes in between makes the link an old one
    shown_hash = question_hash(ledger, batch_id, settings)
    if not shown_hash:
        return ""
    question = question_of(source, batch_id)
    plan = AskedPlan(question)
    words = question_words(question, plan, settings, ledger.clock())
    link = await form_link(batch_id, shown_hash)
    await best_effort("the plan", _show(question, plan, words, link))
    action = bare(action_words(plan.cost)).removesuffix(".")
    message = Message(
        cause=f"approval:{batch_id}:{shown_hash}",
        subject=f"{batch_id} waits for your yes: {action[:1].lower()}{action[1:]}",
        body="\n".join([*map(bare, words), HOW.replace("*", "")]),
        link=link,
    )
    await enqueue(ledger, message)
    return link or f"{APPROVE} of {batch_id}, plan hash {shown_hash}"


async def form_link(batch_id: str, shown_hash: str) -> str:
    """The form that answers, filled in with *none*; empty without its deployment."""
    filled = {"batch": batch_id, "plan_hash": shown_hash, "answer": "none"}
    with suppress(ObjectNotFound, TimeoutError, *prefect_errors()):
        async with asyncio.timeout(PATIENCE_S), get_client() as client:
            form = await client.read_deployment_by_name(f"{APPROVE}/{APPROVE}")
        return run_form(form.id, filled)
    return ""


async def _show(
    question: ApprovalRequest, plan: AskedPlan, words: list[str], link: str
) -> None:
    answer = f"**[Approve or refuse]({link})**. " if link else ""
    head = f"# Batch {question.batch_id} waits for your yes\n\n{answer}{HOW}"
    await acreate_markdown_artifact(
        key=f"approval-{artifact_key(question.batch_id)}",
        markdown=f"{head}\n\n{plan_markdown(question, plan, words)}",
        description=f"{answer}{words[0]}",
    )
