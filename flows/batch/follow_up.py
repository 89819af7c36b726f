"""What a run of a batch leaves, and why; the follow-up: when it is looked at again, and
its run in Prefect.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from connectors.ledger.engine import chunked
from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import ContractMismatch, NotSent, Unanswered
from domain.effects import OPEN
from domain.follow_ups import (
    MOST_FOLLOW_UPS,
    FollowUp,
    as_text,
    due,
    due_while_paused,
    moment_of,
)
from domain.messages import MessageKind, alert
from domain.orders import OrderRequest
from domain.plan import PlannedOrder
from domain.reasons import Detail, Part, Reason, ReasonCode, because, detail, outranking
from domain.report import BatchReport
from domain.request_remarks import BadInput
from domain.states import BEGUN, OrderState
from domain.wording import counted, pluralize
from flows.answers.marketplaces import first_payments, proposed_debit
from flows.batch.plan_sources import PlanSource
from flows.batch.sorting import SortedOrders
from flows.notify.news import of_batch, of_first_payments, waiting_in
from flows.notify.outbox import enqueue
from flows.prefect_ui.expected_errors import best_effort, run_logger
from flows.prefect_ui.parameters import Limits
from flows.prefect_ui.runs import current_run, is_deployed, next_start, runs_in
from tasks.effects.kind import ASKS
from tasks.effects.kinds import kind_of
from tasks.effects.settling import clear_from
from tasks.engine.resources import Resources, utc_now
from tasks.preview import not_looked_up

DEPLOYMENT = "finish-batch"
PAUSED = "waits until buying is resumed"
PAUSES_S = (0.0, 1.0, 3.0, 10.0)
PATIENCE_S = 10.0
MOST_ENDED = 5


async def scheduled(follow_up: FollowUp, limits: Limits) -> FollowUp:
    """The follow-up with its deployment, once Prefect has scheduled it; unchanged when
    Prefect fails, without an error.

    The `limits` of this run bound the follow-up.
    """
    for pause in PAUSES_S:
        await asyncio.sleep(pause)
        try:
            await asyncio.wait_for(_schedule(follow_up, limits), PATIENCE_S)
        except ObjectNotFound:
            run_logger().warning(
                "There is no deployment %s: register the deployments again", DEPLOYMENT
            )
            return follow_up
        except Exception as error:  # noqa: BLE001 - whatever keeps Prefect from taking it is no reason to stop
            why = type(error).__name__
        else:
            return replace(follow_up, by=DEPLOYMENT)
    run_logger().warning(
        "The Prefect server did not take the follow-up of %s (%s)",
        ", ".join(follow_up.batches),
        why,
    )
    return follow_up


async def begin_paused_follow_ups() -> list[str]:
    """Start the follow-ups that wait for buying to be resumed; answers the names of
    their runs.
    """
    async with get_client() as client:
        runs = await client.read_flow_runs(
            flow_run_filter=runs_in(StateType.SCHEDULED, tag=PAUSED)
        )
        for run in runs:
            await client.set_flow_run_state(run.id, Scheduled())
    return [run.name for run in runs]


async def _schedule(follow_up: FollowUp, limits: Limits) -> None:
    (batch,) = follow_up.batches
    key = f"finish {batch} at {follow_up.at.isoformat()}"
    async with get_client() as client:
        for _ in range(MOST_ENDED):
            run = await _run(
                client,
                follow_up,
                {
                    "batch": batch,
                    "limits": limits.model_dump(),
                    "look": follow_up.number,
                },
                key,
            )
            if run.state is None or not run.state.is_final():
                return
            key = f"{key} after {run.id}"  # a used key answers the old run: a cancelled one follows nothing up


async def _run(
    client: PrefectClient, follow_up: FollowUp, parameters: dict[str, object], key: str
) -> FlowRun:
    """Start it not as a subflow: this run ends long before, and a parent would show a
    task that never ends.
    """
    waiting = f": {pluralize(follow_up.orders, 'order')}" if follow_up.orders else ""
    return await arun_deployment(
        f"{DEPLOYMENT}/{DEPLOYMENT}",
        client=client,
        parameters=parameters,
        scheduled_time=follow_up.at,
        flow_run_name=f"finish {parameters['batch']}{waiting}",
        timeout=0,
        idempotency_key=key,
        as_subflow=False,
        tags=[PAUSED] if follow_up.is_paused else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """Orders of a batch with something `open`, as the ledger has it, and those with a
    standing approval `to_do`.

    An open effect may be answered by reading the service, or only by a person.
    """

    open: Sequence[EffectRecord]
    to_do: Sequence[str]

    @property
    def words(self) -> str:
        """`3 to settle, 2 to go on with`; empty for nothing."""
        to_settle = {one.order_ref for one in self.open}
        parts = [f"{len(to_settle):,} to settle"] if to_settle else []
        further = [ref for ref in self.to_do if ref not in to_settle]
        return ", ".join(
            [*parts, *([f"{len(further):,} to go on with"] if further else [])]
        )


def unfinished_of(ledger: Ledger, batch_id: str) -> Unfinished:
    """All unfinished work of a batch, for runs and for people."""
    refs = ledger.refs_in(batch_id)
    work = sort_approved(ledger, batch_id, refs)
    opened = [
        one for one in ledger.effects_of(ledger.unsettled(refs)) if one.status in OPEN
    ]
    return Unfinished(open=opened, to_do=[*work.under_way, *work.approved])


def sort_approved(
    ledger: Ledger, batch_id: str, order_refs: Sequence[str]
) -> SortedOrders:
    """The orders that may go on without asking: the approval of their plan stands, and
    no person is waited for.

    Left out: orders that are held, refused or unknown, that another batch has planned
    since, or that a person refused or took back.
    """
    work = SortedOrders()
    for order in ledger.each_order(order_refs):
        if order.batch_id == batch_id and order.plan_hash is not None:
            if (
                order.state in BEGUN
                and order.order_id is not None
                and order.shipment_order_id is None
            ):
                work.under_way.append(order.order_ref)
            elif order.state is OrderState.PLANNED and order.order_id is None:
                work.approved[order.order_ref] = order.plan_hash
    return work


class FromLedger(PlanSource):
    """The orders of a batch as the ledger has them: what was approved goes on, nothing
    is planned or approved anew.
    """

    name = "ledger"
    asks = False

    def __init__(self, ledger: Ledger, batch_id: str) -> None:
        """Raises `BadInput` for a batch that the ledger does not know."""
        self._batch_id = batch_id
        if not ledger.knows_batch(batch_id):
            raise BadInput(
                f"no batch {batch_id} in the ledger {ledger.shown}; see: sourcing status"
            )
        self._refs = ledger.refs_in(batch_id)
        self.requests: Sequence[OrderRequest] = [
            order.request for order in ledger.each_order(self._refs)
        ]

    def sort(self, ledger: Ledger) -> SortedOrders:
        return sort_approved(ledger, self._batch_id, self._refs)


async def schedule_follow_up(
    resources: Resources, report: BatchReport, limits: Limits, *, number: int = 1
) -> BatchReport:
    """The report, with the follow-up of its batch; a deployed run schedules it in
    Prefect.

    The follow-up has the `limits` of this run; it is not scheduled beyond the time
    limit. People are notified of the orders that wait for them.
    """
    follow_up = (
        None if report.dry_run else next_follow_up(resources, report.batch_id, number)
    )
    if follow_up is not None:
        if is_deployed() and not (follow_up.is_over or follow_up.is_late):
            until = (
                as_text(resources.done_by, resources.settings.timezone)
                if resources.done_by
                else ""
            )
            follow_up = await scheduled(
                follow_up, limits.model_copy(update={"done_by": until})
            )
        say = (
            run_logger().info
            if follow_up.by or follow_up.here
            else run_logger().warning
        )
        say("Batch %s: %s", report.batch_id, follow_up.words)
        report = replace(report, next_look=follow_up)
    orders = resources.ledger.each_order(line.order_ref for line in waiting_in(report))
    first = first_payments(resources.ledger) if resources.ledger.asks_first else {}
    debit = proposed_debit(resources.ledger, resources.client.settings)
    messages = [
        *of_batch(report, {one.order_ref: one.request.receiver for one in orders}),
        *of_first_payments(first),
    ]
    questions = [f"{why} Answer: {why.remedy}" for why in first.values()]
    if debit:
        messages.append(
            alert(
                "pay-is-debit",
                MessageKind.FIRST_PAYMENT,
                "Does a payment debit at once?",
                debit,
            )
        )
        questions.append(f"{debit}: {debit.remedy}")
    await enqueue(resources.ledger, *messages)
    return replace(report, questions=questions)


def next_follow_up(resources: Resources, batch_id: str, number: int) -> FollowUp | None:
    """The follow-up of this `number`; None when nothing is left that a follow-up could
    finish.
    """
    left = unfinished_of(resources.ledger, batch_id)
    orders = resources.ledger.orders({one.order_ref for one in left.open})
    waiting = [one for one in left.open if not _asks(one, orders[one.order_ref])]
    refs = {*(one.order_ref for one in waiting), *left.to_do}
    if not refs:
        return None
    clear = [clear_from(resources, one) for one in waiting]
    is_paused = bool(
        resources.paused and left.to_do and (not waiting or number > MOST_FOLLOW_UPS)
    )
    if (
        is_paused or resources.breaker.is_over
    ):  # the one before could do nothing, or not all, and does not count
        number = max(number - 1, 1)
    now, ready_in_s = resources.clock(), resources.breaker.ready_in_s
    at = (
        due_while_paused(now)
        if is_paused
        else due(clear, now=now, number=number, ready_in_s=ready_in_s)
    )
    return FollowUp(
        orders=len(refs),
        batches=(batch_id,),
        number=number,
        at=at,
        here=not is_deployed(),
        is_late=resources.done_by is not None and at >= resources.done_by,
        is_paused=is_paused,
    )


def _asks(effect: EffectRecord, order: OrderRecord) -> bool:
    """Whether no automatic follow-up can settle the effect: a person has been asked, or
    reading is of no use.
    """
    kind = kind_of(effect)
    is_asked = effect.why is not None and effect.why.code in ASKS
    return not kind.is_worth_asking or (is_asked and not kind.may_show_later)


def once_more(
    follow_up: FollowUp, error: NotSent | Unanswered, done_by: str
) -> FollowUp:
    """The follow-up again, later: one that could not begin without the service does not
    count.

    One that an odd answer ended does, since that does not pass by itself. `done_by` has
    its day.
    """
    now, number = utc_now(), follow_up.number + isinstance(error, ContractMismatch)
    waits_s = (error.retry_after_s or 0.0) if isinstance(error, NotSent) else 0.0
    at, until = (
        due([], now=now, number=number, ready_in_s=waits_s),
        moment_of(done_by, now, SourcingSettings().timezone),
    )
    return replace(
        follow_up, number=number, at=at, is_late=until is not None and at >= until
    )


LEFT = {
    OrderState.PLANNED: Part.NOT_ORDERED,
    OrderState.ORDERED: Part.NOT_PAID,
    OrderState.PAYMENT_PENDING: Part.NOT_CONFIRMED,
    OrderState.PAID: Part.NOT_BOOKED,
}
"""How far orders came that a run may leave in the middle."""

Cause = tuple[Part | None, str]
"""Why a run does nothing more, and that as a sentence; None and an empty text while it
may go on.
"""


def cause(resources: Resources) -> Cause:
    """Why this run does nothing more."""
    breaker, settings, done_by = (
        resources.breaker,
        resources.settings,
        resources.done_by,
    )
    if done_by is not None and resources.clock() >= done_by:
        return Part.TIME_UP, f"It was to be done by {done_by:%Y-%m-%d %H:%M %Z}"
    if not breaker.is_over:
        return None, ""
    waits = f"this run waits no longer (SOURCING_PATIENCE_S is {settings.patience_s:,})"
    if (ready_in_s := breaker.ready_in_s) > 0:
        return (
            Part.TOO_MANY_CALLS,
            f"The service takes no calls for {ready_in_s:,.0f} s; {waits}",
        )
    return (
        Part.SERVICE_AWAY,
        f"{breaker.blocked_by[:1].upper()}{breaker.blocked_by[1:]}, and {waits}",
    )


async def explain_unfinished(
    resources: Resources,
    batch_id: str,
    order_refs: Iterable[str],
    postponed: Collection[str],
    *,
    asks: bool,
) -> str:
    """Record what happens next with each of these orders, and when; answers the line
    for all of them, or "".
    """
    why, states = cause(resources), Counter[str]()
    further = await _planned_next() if postponed else detail(Part.RUN_AGAIN_TO_PLAN)
    goes_on = _goes_on(resources, batch_id, asks=asks) if why[0] else None
    resumed = _once_resumed(resources, batch_id) if resources.paused else None

    def next_of(order: OrderRecord) -> Reason | None:
        if order.order_ref in postponed and order.plan_hash is None:
            return _not_planned(order.why, why[0], further)
        left = detail(LEFT[order.state])
        if resources.paused:
            paused = because(
                ReasonCode.LEFT_PAUSED,
                left=left,
                pause=resources.paused.words,
                then=resumed,
            )
            return outranking([paused, order.why])
        if why[0]:
            return because(
                ReasonCode.LEFT_UNFINISHED, left=left, why=detail(why[0]), then=goes_on
            )
        return None

    for some in chunked(order_refs):
        left = [
            order for order in resources.ledger.each_order(some) if order.state in LEFT
        ]
        states.update(str(order.state) for order in left)
        resources.ledger.change(
            [order.stays(next_) for order in left if (next_ := next_of(order))]
        )
    return in_all(why, states)


def in_all(why: Cause, left: Counter[str]) -> str:
    """`The service is away (…), and this run waits no longer: 213 orders are left, 140
    planned, 73 ordered`.
    """
    if not why[1] or not left:
        return why[1]
    verb = "is" if left.total() == 1 else "are"
    return f"{why[1]}: {pluralize(left.total(), 'order')} {verb} left, {counted(left.elements())}"


def with_remedy(plans: Sequence[PlannedOrder], why: Part | None) -> list[PlannedOrder]:
    """The plans of a dry run; postponed ones with the remedy."""
    again = detail(Part.RUN_AGAIN)
    return [
        replace(plan, why=_not_planned(plan.why, why, again))
        if plan.is_postponed
        else plan
        for plan in plans
    ]


def _not_planned(own: Reason | None, cause: Part | None, then: Detail) -> Reason | None:
    """The order's own reason while the service is there, else the one cause of all,
    with the remedy `then`.
    """
    why = not_looked_up(detail(cause)) if cause else own
    return why.but(then=then) if why else None


def _goes_on(resources: Resources, batch_id: str, *, asks: bool) -> Detail:
    """The run that goes on with approved orders, and when."""
    follow_up = (
        next_follow_up(resources, batch_id, 1) if is_deployed() and asks else None
    )
    if follow_up is None or follow_up.is_late:
        return detail(Part.RUN_AGAIN_TO_GO_ON if asks else Part.NEXT_FOLLOW_UP)
    return detail(Part.FOLLOW_UP_AT, at=f"{follow_up.at:%Y-%m-%d %H:%M}")


def _once_resumed(resources: Resources, batch_id: str) -> Detail:
    """Whether approved orders go on by themselves after a pause: a follow-up beyond the
    time limit is not scheduled.
    """
    follow_up = next_follow_up(resources, batch_id, 1) if is_deployed() else None
    return detail(
        Part.AFTER_RESUME
        if follow_up and not follow_up.is_late
        else Part.RESUME_AND_RUN
    )


async def _planned_next() -> Detail:
    """The run that plans orders that could not be looked up."""
    coming: list[datetime] = []
    await best_effort("when the next run is", _ask_when(coming))
    if not coming:
        return detail(Part.RUN_AGAIN_TO_PLAN)
    return detail(Part.RUN_PLANS_IT, at=f"{coming[0]:%Y-%m-%d %H:%M}")


async def _ask_when(coming: list[datetime]) -> None:
    """The next scheduled run of the deployment that this run, or the night around it,
    is of.
    """
    async with get_client() as client:
        if (deployment := await _deployment(client)) and (
            start := await next_start(client, deployment)
        ):
            coming.append(start)


async def _deployment(client: PrefectClient) -> UUID | None:
    run = current_run()
    if run is not None and run.parent_task_run_id is not None:
        task_run = await client.read_task_run(run.parent_task_run_id)
        run = (
            await client.read_flow_run(task_run.flow_run_id)
            if task_run.flow_run_id
            else run
        )
    return run.deployment_id if run else None
