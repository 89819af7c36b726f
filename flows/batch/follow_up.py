"""What a run of a batch leaves, and why, and when the sweep looks at it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.ledger.engine import chunked
from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import Ledger
from domain.effects import OPEN
from domain.follow_ups import MAX_FOLLOW_UPS, FollowUp, due
from domain.holds import buying_paused
from domain.messages import Message
from domain.orders import OrderRequest
from domain.plan import PlannedOrder
from domain.reasons import Reason, ReasonCode, because, outranking
from domain.report import BatchReport
from domain.request_remarks import BadInput
from domain.states import BEGUN, OrderState
from domain.wording import counted, pluralize
from flows.answers.marketplaces import first_payments
from flows.batch.parts import Part as BatchPart
from flows.batch.plan_sources import PlanSource
from flows.batch.sorting import SortedOrders
from flows.batch.worked_batch import WorkedBatch
from flows.notify.news import of_charges
from flows.notify.outbox import enqueue
from flows.prefect_ui.expected_errors import run_logger
from flows.prefect_ui.runs import is_deployed
from tasks.effects.judge import clear_from
from tasks.effects.kind import ASKS
from tasks.effects.kinds import kind_of
from tasks.engine.resources import Resources
from tasks.preview import not_looked_up


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
        to_settle = {effect.order_ref for effect in self.open}
        phrases = [f"{len(to_settle):,} to settle"] if to_settle else []
        further = [ref for ref in self.to_do if ref not in to_settle]
        return ", ".join(
            [*phrases, *([f"{len(further):,} to go on with"] if further else [])]
        )


def unfinished_of(ledger: Ledger, batch_id: str) -> Unfinished:
    """All unfinished work of a batch, for runs and for people."""
    refs = ledger.refs_in(batch_id)
    work = sort_approved(ledger, batch_id, refs)
    opened = [
        effect
        for effect in ledger.effects_of(ledger.unsettled(refs))
        if effect.status in OPEN
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

    def __init__(
        self, ledger: Ledger, batch_id: str, part: BatchPart | None = None
    ) -> None:
        """Raises `BadInput` for a batch that the ledger does not know."""
        self._batch_id = batch_id
        if not ledger.sources_of([batch_id]):
            raise BadInput(
                f"no batch {batch_id} in the ledger {ledger.shown}; see: sourcing status"
            )
        refs = ledger.refs_in(batch_id)
        self._refs = part.take(refs) if part else refs
        self.is_part = part is not None
        self.requests: Sequence[OrderRequest] = [
            order.request for order in ledger.each_order(self._refs)
        ]

    def sort(self, ledger: Ledger) -> SortedOrders:
        return sort_approved(ledger, self._batch_id, self._refs)


async def report_follow_up(
    resources: Resources, report: BatchReport, batch: WorkedBatch, *, unplanned: int
) -> BatchReport:
    """Return the report with the next look at its batch, which the sweep takes.

    `unplanned` orders could not be looked up. People are notified of the orders that
    wait for them.
    """
    batch.is_planned = not unplanned
    look = next_follow_up(
        resources,
        report.batch_id,
        batch.follow_ups + 1,
        unplanned=unplanned,
        done_by=batch.done_by,
    )
    batch.follow_up = look
    if look is not None:
        run_logger().info("Batch %s: %s", report.batch_id, look.words)
        report = replace(report, next_look=look)
    messages = of_charges(report)
    if look is not None and look.is_over:
        message = Message(
            cause=f"left:{report.batch_id}:{look.at:%Y-%m-%dT%H:%M}",
            subject=f"Batch {report.batch_id}: no run takes up what is left of it",
            body=f"{look.words}.",
        )
        messages.append(message)
    await enqueue(resources.ledger, *messages)
    first = first_payments(resources.ledger) if resources.ledger.asks_first else {}
    questions = [f"{reason} Answer: {reason.remedy}" for reason in first.values()]
    return replace(report, questions=questions)


def next_follow_up(
    resources: Resources,
    batch_id: str,
    number: int,
    *,
    unplanned: int = 0,
    done_by: datetime | None = None,
) -> FollowUp | None:
    """The look of this `number`; None when nothing is left that a look could finish.

    `done_by` is the time limit of the batch; a sweep has one of its own. A look that
    could do nothing, or not all, does not count: buying is paused, the service away,
    the time of the sweep up.
    """
    unfinished = unfinished_of(resources.ledger, batch_id)
    orders = resources.ledger.orders({effect.order_ref for effect in unfinished.open})
    waiting = [
        effect
        for effect in unfinished.open
        if not _asks(effect, orders[effect.order_ref])
    ]
    refs = {*(effect.order_ref for effect in waiting), *unfinished.to_do}
    if not (refs or unplanned):
        return None
    clear = [clear_from(resources, effect) for effect in waiting]
    is_paused = bool(
        resources.paused
        and (unfinished.to_do or unplanned)
        and (not waiting or number > MAX_FOLLOW_UPS)
    )
    moment = resources.clock()
    is_cut_short = resources.done_by is not None and moment >= resources.done_by
    if is_paused or is_cut_short or resources.breaker.is_over:
        number = max(number - 1, 1)
    ready_in_s = resources.breaker.ready_in_s
    at = due(clear, now=moment, number=number, ready_in_s=ready_in_s)
    if is_paused or is_cut_short:
        at = moment
    return FollowUp(
        orders=len(refs) + unplanned,
        batches=(batch_id,),
        number=number,
        at=at,
        here=not is_deployed(),
        is_late=done_by is not None and at >= done_by,
        is_paused=is_paused,
    )


def _asks(effect: EffectRecord, order: OrderRecord) -> bool:
    """Whether no look of the sweep can settle the effect: a person has been asked, or
    reading is of no use.
    """
    kind = kind_of(effect)
    is_asked = effect.why is not None and effect.why.code in ASKS
    return kind.repeatable or (is_asked and not kind.may_show_later)


LEFT = (
    OrderState.PLANNED,
    OrderState.ORDERED,
    OrderState.PAYMENT_PENDING,
    OrderState.PAID,
)
"""The states of orders that a run may leave in the middle."""

Cause = tuple[str, str]
"""Why a run does nothing more, in few words and as a sentence; both are empty while it
may go on.
"""


def cause(resources: Resources) -> Cause:
    """Why this run does nothing more."""
    breaker = resources.breaker
    settings = resources.settings
    done_by = resources.done_by
    if done_by is not None and resources.clock() >= done_by:
        return "the time was up", f"It was to be done by {done_by:%Y-%m-%d %H:%M %Z}"
    if not breaker.is_over:
        return "", ""
    waits = f"this run waits no longer (SOURCING_PATIENCE_S is {settings.patience_s:,})"
    if (ready_in_s := breaker.ready_in_s) > 0:
        return (
            "the service had too many calls",
            f"The service takes no calls for {ready_in_s:,.0f} s; {waits}",
        )
    return (
        "the service was away",
        f"{breaker.blocked_by[:1].upper()}{breaker.blocked_by[1:]}, and {waits}",
    )


def explain_unfinished(
    resources: Resources, order_refs: Iterable[str], postponed: Collection[str]
) -> str:
    """Record what happens next with each of these orders; answers the line for all of
    them, or "".
    """
    why = cause(resources)
    states = Counter[str]()

    def next_of(order: OrderRecord) -> Reason | None:
        if order.order_ref in postponed and order.plan_hash is None:
            return _not_planned(order.why, why[0])
        if resources.paused:
            return outranking([buying_paused(resources.paused), order.why])
        if why[0]:
            return because(ReasonCode.LEFT_UNFINISHED, cause=why[0])
        return None

    for refs in chunked(order_refs):
        orders = [
            order for order in resources.ledger.each_order(refs) if order.state in LEFT
        ]
        states.update(str(order.state) for order in orders)
        resources.ledger.change(
            [order.stays(next_) for order in orders if (next_ := next_of(order))]
        )
    return in_all(why, states)


def in_all(cause: Cause, left: Counter[str]) -> str:
    """`The service is away (…), and this run waits no longer: 213 orders are left, 140
    planned, 73 ordered`.
    """
    if not cause[1] or not left:
        return cause[1]
    verb = "is" if left.total() == 1 else "are"
    return f"{cause[1]}: {pluralize(left.total(), 'order')} {verb} left, {counted(left.elements())}"


def with_cause(plans: Sequence[PlannedOrder], cause: str) -> list[PlannedOrder]:
    """The plans of a dry run; postponed ones with why the run ended early."""
    return [
        replace(plan, why=_not_planned(plan.why, cause)) if plan.is_postponed else plan
        for plan in plans
    ]


def _not_planned(own: Reason | None, cause: str) -> Reason | None:
    """The order's own reason while the service is there, else the one cause of all."""
    return not_looked_up(cause) if cause else own
