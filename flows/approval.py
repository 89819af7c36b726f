"""Who says yes before money is spent: beforehand, at the terminal, or in the Prefect UI."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from prefect.context import FlowRunContext

from connectors.ledger.records import Approval
from connectors.settings import SourcingSettings
from domain.plan import PlanSummary
from flows.approval_form import ask_in_the_ui
from flows.approval_request import ApprovalRequest

Approver = Callable[[ApprovalRequest], bool]


def nobody(_question: ApprovalRequest) -> bool:
    """Without somebody to ask, the answer is no."""
    return False


approver: ContextVar[Approver] = ContextVar("approver", default=nobody)
asks_in_the_ui: ContextVar[bool] = ContextVar("asks_in_the_ui", default=False)
at_work: ContextVar[asyncio.Semaphore | None] = ContextVar("at_work", default=None)


@asynccontextmanager
async def turn() -> AsyncIterator[None]:
    """Wait for one's turn among the batches of one flow run that work one after the other."""
    slot = at_work.get()
    async with slot or nullcontext():
        yield


@asynccontextmanager
async def aside() -> AsyncIterator[None]:
    """Let the other batches work while this one waits for a person."""
    slot = at_work.get()
    if slot is None:
        yield
        return
    slot.release()
    try:
        yield
    finally:
        await slot.acquire()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which orders may be bought or shipped, who said so, and what follows `not approved` for the others.

    `stops` is a no to everything: then orders that were begun earlier are left alone as well.
    """

    approved: Collection[str]
    by: str
    why_not: str = ""
    goes_on: bool = False

    @property
    def stops(self) -> bool:
        return not self.approved and not self.goes_on

    def approval_of(self, plan: PlanSummary, at: datetime) -> Approval:
        """What the ledger keeps of a yes, with words for the audit trail."""
        words = f"approved by {self.by} at {at:%Y-%m-%d %H:%M:%S} UTC: {plan.total}, plan {plan.plan_hash[:12]}"
        return Approval(
            order_ref=plan.order_ref,
            plan_hash=plan.plan_hash,
            total=plan.total,
            freight=plan.freight,
            reason=words,
        )


async def decide(question: ApprovalRequest, settings: SourcingSettings, *, yes: bool) -> Decision:
    """Approve as said beforehand, or ask whoever can be asked; without an answer nothing is approved.

    Beyond the approval limit a yes beforehand is not enough to buy.
    """
    limit = settings.approval_limit
    over = limit is not None and question.total > limit
    if yes and not over:
        return Decision(approved=question.refs, by="a yes given beforehand")
    if (person := approver.get()) is not nobody:
        said, name = person(question), getpass.getuser()
        return Decision(approved=question.refs if said else [], by=name, why_not=f" by {name}")
    if asks_in_the_ui.get() or has_deployment():
        async with aside():
            answer = await ask_in_the_ui(question, settings.approval_timeout_s)
        return Decision(approved=answer.approved(question.refs), by=answer.name, why_not=answer.why_not)
    if yes:
        why = (
            f": a plan of {question.total} is above the approval limit of {limit}. Run it without --yes at a terminal, "
            "or from the Prefect UI, to be asked; or raise SOURCING_APPROVAL_LIMIT_CNY"
        )
        return Decision(
            approved=[plan.order_ref for plan in question.to_ship],
            by="a yes given beforehand",
            why_not=why,
            goes_on=True,
        )
    return Decision(approved=[], by="nobody", why_not=": nobody could be asked")


def has_deployment() -> bool:
    """Whether this is the run of a deployment: then people follow it in the UI and can answer there."""
    context = FlowRunContext.get()
    return context is not None and context.flow_run is not None and context.flow_run.deployment_id is not None
