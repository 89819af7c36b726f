"""Unfinished work of a run, in words: what happens next with each order, and one line for the common cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext

from connectors.ledger.many import chunked
from connectors.ledger.records import OrderRecord
from domain.plan import PlannedOrder
from domain.reason_parts import Part
from domain.reasons import Detail, Reason, ReasonCode, because, detail, outranking
from domain.states import OrderState
from domain.wording import counted, pluralize
from flows.batch.follow_up import is_deployed, next_follow_up
from flows.prefect_ui.progress import best_effort
from tasks.engine.resources import Resources
from tasks.preview import not_looked_up

LEFT = {
    OrderState.PLANNED: Part.NOT_ORDERED,
    OrderState.ORDERED: Part.NOT_PAID,
    OrderState.PAYMENT_PENDING: Part.NOT_CONFIRMED,
    OrderState.PAID: Part.NOT_BOOKED,
}
"""How far orders came that a run may leave in the middle."""

Cause = tuple[Part | None, str]
"""Why a run does nothing more, and that as a sentence; None and an empty text while it may go on."""


def cause(resources: Resources, done_by: datetime | None) -> Cause:
    """Why this run does nothing more."""
    breaker, settings = resources.breaker, resources.settings
    if done_by is not None and resources.clock() >= done_by:
        return Part.TIME_UP, f"It was to be done by {done_by:%Y-%m-%d %H:%M %Z}"
    if not breaker.is_over:
        return None, ""
    waits = f"this run waits no longer (SOURCING_PATIENCE_S is {settings.patience_s:,})"
    if (ready_in_s := breaker.ready_in_s) > 0:
        return Part.TOO_MANY_CALLS, f"The service takes no calls for {ready_in_s:,.0f} s; {waits}"
    return Part.SERVICE_AWAY, f"{breaker.blocked_by[:1].upper()}{breaker.blocked_by[1:]}, and {waits}"


async def explain_unfinished(
    resources: Resources,
    batch_id: str,
    order_refs: Iterable[str],
    postponed: Collection[str],
    why: Cause,
    *,
    asks: bool,
    done_by: datetime | None,
) -> str:
    """Record what happens next with each of these orders, and when; answers the line for all of them, or ""."""
    states: Counter[str] = Counter()
    further = await _planned_next() if postponed else detail(Part.RUN_AGAIN_TO_PLAN)
    goes_on = _goes_on(resources, batch_id, done_by, asks=asks) if why[0] else None
    resumed = _once_resumed(resources, batch_id, done_by) if resources.paused else None

    def next_of(order: OrderRecord) -> Reason | None:
        if order.order_ref in postponed and order.plan_hash is None:
            return _not_planned(order.why, why[0], further)
        left = detail(LEFT[order.state])
        if resources.paused:
            paused = because(ReasonCode.LEFT_PAUSED, left=left, pause=resources.paused.words, then=resumed)
            return outranking([paused, order.why])
        if why[0]:
            return because(ReasonCode.LEFT_UNFINISHED, left=left, why=detail(why[0]), then=goes_on)
        return None

    for some in chunked(order_refs):
        left = [order for order in resources.ledger.each_order(some) if order.state in LEFT]
        states.update(str(order.state) for order in left)
        resources.ledger.change([order.stays(next_) for order in left if (next_ := next_of(order))])
    return in_all(why, states)


def in_all(why: Cause, left: Counter[str]) -> str:
    """`The service is away (…), and this run waits no longer: 213 orders are left, 140 planned, 73 ordered`."""
    if not why[1] or not left:
        return why[1]
    verb = "is" if left.total() == 1 else "are"
    return f"{why[1]}: {pluralize(left.total(), 'order')} {verb} left, {counted(left.elements())}"


def with_remedy(plans: Sequence[PlannedOrder], why: Part | None) -> list[PlannedOrder]:
    """The plans of a dry run; postponed ones with the remedy."""
    again = detail(Part.RUN_AGAIN)
    return [replace(plan, why=_not_planned(plan.why, why, again)) if plan.is_postponed else plan for plan in plans]


def _not_planned(own: Reason | None, cause: Part | None, then: Detail) -> Reason | None:
    """The order's own reason while the service is there, else the one cause of all, with the remedy `then`."""
    why = not_looked_up(detail(cause)) if cause else own
    return why.but(then=then) if why else None


def _goes_on(resources: Resources, batch_id: str, done_by: datetime | None, *, asks: bool) -> Detail:
    """The run that goes on with approved orders, and when."""
    follow_up = next_follow_up(resources, batch_id, 1, done_by) if is_deployed() and asks else None
    if follow_up is None or follow_up.is_late:
        return detail(Part.RUN_AGAIN_TO_GO_ON if asks else Part.NEXT_FOLLOW_UP)
    return detail(Part.FOLLOW_UP_AT, at=f"{follow_up.at:%Y-%m-%d %H:%M}")


def _once_resumed(resources: Resources, batch_id: str, done_by: datetime | None) -> Detail:
    """Whether approved orders go on by themselves after a pause: a follow-up beyond the time limit is not scheduled."""
    follow_up = next_follow_up(resources, batch_id, 1, done_by) if is_deployed() else None
    return detail(Part.AFTER_RESUME if follow_up and not follow_up.is_late else Part.RESUME_AND_RUN)


async def _planned_next() -> Detail:
    """The run that plans orders that could not be looked up."""
    coming: list[datetime] = []
    await best_effort("when the next run is", _ask_when(coming))
    if not coming:
        return detail(Part.RUN_AGAIN_TO_PLAN)
    return detail(Part.RUN_PLANS_IT, at=f"{coming[0]:%Y-%m-%d %H:%M}")


async def _ask_when(coming: list[datetime]) -> None:
    """The next scheduled run of the deployment that this run, or the night around it, is of."""
    async with get_client() as client:
        if (deployment := await _deployment(client)) is None:
            return
        of_it = FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        )
        first = FlowRunSort.EXPECTED_START_TIME_ASC
        runs = await client.read_flow_runs(flow_run_filter=of_it, sort=first, limit=1)
        coming += [run.expected_start_time for run in runs if run.expected_start_time]


async def _deployment(client: PrefectClient) -> UUID | None:
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is not None and run.parent_task_run_id is not None:
        task_run = await client.read_task_run(run.parent_task_run_id)
        run = await client.read_flow_run(task_run.flow_run_id) if task_run.flow_run_id else run
    return run.deployment_id if run else None
