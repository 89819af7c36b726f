"""What a simulated process does: a run of a flow's own code, without Prefect's engine
around it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from connectors.ledger.plans import plan_hash
from connectors.ledger.questions import (
    Answer,
    question_hash,
    take_answer,
    waiting_refs,
)
from connectors.ledger.records import Approval
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from domain.decisions import Verdict
from domain.effects import Resolution
from domain.money import Money
from domain.orders import OrderRequest
from domain.plan import PlanSummary
from domain.reasons import Reason, ReasonCode
from domain.states import OrderState
from flows.answers.resolve import resolve
from flows.approval.request import ApprovalRequest, approver, not_approved_by
from flows.approve_batch import plans_to_preview, preview_again
from flows.batch.follow_up import FromLedger
from flows.batch.plan_sources import FromRequests
from flows.batch.run import BatchRun
from flows.cancel_orders import cancel as cancel_chunks
from flows.prefect_ui.remedy_parameters import CHANGED_MY_MIND
from flows.sync_tracking import track as track_parcels
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Clock, Resources, open_resources
from tasks.snapshot import write_tables
from tests.simulation.ledgers import WatchedLedger
from tests.simulation.process import Crash, Process, Shown, in_the_ui

BATCH = "batch"
CORRECTED = "corrected"
"""The same orders may come again in a corrected file, which is another batch with a
budget of its own.
"""

XPORTCN = XportcnSettings(
    base_url="http://127.0.0.1:8790",
    access_key="",
    user_id="",
    overrides="",
    requests_per_second=0,
)


def is_no(why: Reason) -> bool:
    """Whether a person has said no, or is asked; not where a run could ask none."""
    return why.code is ReasonCode.WAITS_FOR_APPROVAL or (
        why.code is ReasonCode.NOT_APPROVED and why.facts.get("by") not in (None, "")
    )


class Judged(FromRequests):
    """Plans of a file. What a run says yes to without asking is judged at that moment:
    no person has refused it.

    A no that comes once another run has bought the order holds nothing.
    """

    def __init__(self, requests: Sequence[OrderRequest], process: Process) -> None:
        super().__init__(requests, "requests.csv")
        self._process = process

    def hold(
        self,
        resources: Resources,
        batch_id: str,
        plans: Sequence[PlanSummary],
        why: Mapping[str, Verdict],
    ) -> None:
        super().hold(resources, batch_id, plans, why)
        noes = resources.ledger.each_order(
            [ref for ref, verdict in why.items() if verdict.why and is_no(verdict.why)]
        )
        held = {
            one.order_ref
            for one in noes
            if one.state is OrderState.HELD and one.why and is_no(one.why)
        }
        self._process.fate.refused |= held

    def approve(
        self, resources: Resources, batch_id: str, approvals: Iterable[Approval]
    ) -> None:
        given = {one.order_ref: one for one in approvals}
        try:
            super().approve(resources, batch_id, given.values())
        except Crash:  # it may have come after the commit, and then the person's yes is the last word
            said = self._process.approved
            self._process.fate.refused -= {
                ref for ref, one in given.items() if said.get(ref) == one.plan_hash
            }
            raise
        assert isinstance(resources.ledger, WatchedLedger)
        orders = resources.ledger.database.orders()
        for ref, one in given.items():
            if orders[ref].plan_hash == one.plan_hash:  # the ledger took the yes
                self._process.approves(ref, one.plan_hash)


async def source(
    process: Process,
    settings: SourcingSettings,
    clock: Clock,
    requests: Sequence[OrderRequest],
    *,
    budget: Money | None,
    says_yes: bool,
    beforehand: bool = False,
    waits: bool = False,
) -> None:
    """`flows.buy_from_file` with a person who is asked, and says what was drawn; as the
    batch of the process.

    One that is approved `beforehand` has no person to ask. One that `waits` ends with
    its plan, which a person is shown.
    """

    def person(question: ApprovalRequest) -> bool:
        if says_yes:
            process.approved |= {
                plan.order_ref: plan_hash(plan) for plan in question.all
            }
        return says_yes

    in_the_ui.set(waits)
    if not (beforehand or waits):
        approver.set(person)
    async with open_resources(settings, XPORTCN, clock=clock) as resources:
        await resources.addresses()
        plans = Judged(requests, process)
        run = BatchRun(resources, process.batch, plans, budget=budget)
        await run.buy(ask=not beforehand)
        if waits:
            show_plan(process, resources)


def show_plan(process: Process, resources: Resources) -> None:
    """What a run shows at its end of the plan that waits, if one does."""
    ledger = resources.ledger
    shown_hash = question_hash(ledger, process.batch, resources.settings)
    waiting = ledger.each_order(waiting_refs(ledger, process.batch))
    plans = {order.order_ref: plan_hash(order.plan) for order in waiting}
    if plans:
        shown = Shown(batch=process.batch, question_hash=shown_hash, plans=plans)
        process.fate.questions.append(shown)


async def answer_plan(
    process: Process,
    settings: SourcingSettings,
    clock: Clock,
    shown: Shown,
    *,
    approved: Collection[str],
    budget: Money | None,
) -> None:
    """`flows.approve_batch`: a person answers about a plan as it was shown, which may
    be an old one by now.
    """
    async with open_resources(settings, XPORTCN, clock=clock) as resources:
        await resources.addresses()
        ledger = resources.ledger
        old_plans = plans_to_preview(ledger, approved)
        yes = {ref: shown.plans[ref] for ref in approved}
        process.approved |= yes
        record = Answer(approved=approved, by="mei", no=not_approved_by("mei"))
        is_current = shown.question_hash == question_hash(ledger, shown.batch, settings)
        try:
            is_taken = take_answer(
                ledger, shown.batch, shown.question_hash, settings, record
            )
        except Crash:  # it may have come after the commit
            process.fate.refused -= yes.keys()
            raise
        if is_taken is not is_current:
            process.fate.broken(f"an answer to an old plan was taken: {is_taken}")
        if is_taken:
            for ref, plan in yes.items():
                process.approves(ref, plan)
            process.fate.refused |= shown.plans.keys() - yes.keys()
            await preview_again(resources, shown.batch, old_plans, budget)
        else:
            process.approved.clear()
        goes_on = FromLedger(ledger, shown.batch)
        run = BatchRun(resources, shown.batch, goes_on, budget=budget)
        await run.buy(ask=False)


async def follow_up(
    process: Process,
    settings: SourcingSettings,
    clock: Clock,
    *,
    budget: Money | None,
) -> None:
    """`flows.buy_from_file`, which asks nobody."""
    async with open_resources(settings, XPORTCN, clock=clock) as resources:
        await resources.addresses()
        if resources.ledger.sources_of([process.batch]):
            approved = FromLedger(resources.ledger, process.batch)
            await BatchRun(resources, process.batch, approved, budget=budget).buy(
                ask=False
            )


async def track(settings: SourcingSettings, clock: Clock) -> None:
    """`flows.sync_tracking`."""
    async with open_resources(settings, XPORTCN, clock=clock) as resources:
        await resources.addresses()
        await track_parcels(resources)


async def cancel(
    settings: SourcingSettings,
    clock: Clock,
    order_refs: Sequence[str],
) -> None:
    """`flows.cancel_orders`."""
    async with open_resources(settings, XPORTCN, clock=clock) as resources:
        await resources.addresses()
        before = resources.ledger.orders(order_refs)
        await settle_open(resources, before)
        await cancel_chunks(resources, order_refs, CHANGED_MY_MIND)
        await write_tables(resources, "after-sale")


async def answer(
    settings: SourcingSettings, clock: Clock, order_ref: str, said: Resolution
) -> None:
    """`sourcing resolve`: a person who has looked at the console says whether the order
    is there, or is paid.
    """
    async with open_resources(settings, XPORTCN, clock=clock) as resources:
        await resolve(resources, order_ref, said, by="person")
