"""The approval before money is spent: given beforehand, at the terminal, or in the Prefect UI."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace

from prefect.context import FlowRunContext

from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.reasons import ReasonCode, because
from flows.approval.form import ask_in_the_ui
from flows.approval.request import ApprovalRequest, Decision, above_limit, not_approved_by, why_asked
from tasks.engine.resources import utc_now

BEFOREHAND = "a yes given beforehand"
Approver = Callable[[ApprovalRequest], bool]


def no_approver(_question: ApprovalRequest) -> bool:
    """The approver of a run that can ask no person: the answer is no."""
    return False


approver: ContextVar[Approver] = ContextVar("approver", default=no_approver)
asks_in_the_ui: ContextVar[bool] = ContextVar("asks_in_the_ui", default=False)
at_work: ContextVar[asyncio.Semaphore | None] = ContextVar("at_work", default=None)


@asynccontextmanager
async def turn() -> AsyncIterator[None]:
    """Wait for this batch's turn among the batches of one flow run, which work one after the other."""
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


async def decide(question: ApprovalRequest, settings: SourcingSettings, ledger: Ledger, *, yes: bool) -> Decision:
    """Approve by the yes given beforehand, or ask a person; without an answer nothing is approved.

    Beyond the approval limit a yes beforehand is not enough.
    """
    above = above_limit(question, settings, utc_now())
    if yes and not above:
        return Decision(approved=question.refs, by=BEFOREHAND, unasked=question)
    question = replace(question, why=why_asked(above, settings, yes=yes))
    if (person := approver.get()) is not no_approver:
        said, name = person(question), getpass.getuser()
        return Decision(approved=question.refs if said else [], by=name, why_not=not_approved_by(name))
    if asks_in_the_ui.get() or has_deployment():
        async with aside():
            return await ask_in_the_ui(question, settings, ledger)
    return _unasked(question, settings, above) if yes else _not_asked()


def _not_asked() -> Decision:
    return Decision(approved=[], by="nobody", why_not=because(ReasonCode.NOBODY_TO_ASK))


def _unasked(question: ApprovalRequest, settings: SourcingSettings, above: str) -> Decision:
    """No person can be asked about a plan above the limit: begun orders are shipped, as far as the limit allows."""
    why = because(ReasonCode.ABOVE_APPROVAL_LIMIT, above=above)
    begun = ApprovalRequest(batch_id=question.batch_id, to_buy=(), to_ship=question.to_ship, allowed=question.allowed)
    if above_limit(begun, settings, utc_now()):
        return Decision(approved=[], by=BEFOREHAND, why_not=why, goes_on=True)
    return Decision(approved=begun.refs, by=BEFOREHAND, why_not=why, goes_on=True, unasked=begun)


def has_deployment() -> bool:
    """Whether this is the run of a deployment, which people follow in the UI and can answer there."""
    context = FlowRunContext.get()
    return context is not None and context.flow_run is not None and context.flow_run.deployment_id is not None
