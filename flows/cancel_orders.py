"""Cancelling orders: unpaid orders are closed, paid and unshipped orders get their
money back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from prefect.runtime import flow_run

from connectors.concurrently import concurrently
from connectors.ledger.plans import NOT_THERE, take_back
from connectors.ledger.records import OrderRecord
from connectors.ledger.refunds import taken_above
from connectors.xportcn.errors import Misconfigured, XportcnError
from domain.after_sale import (
    NOT_CANCELLED,
    UNDER_WAY,
    CancelWay,
    Refund,
    RefundFault,
    RefundKind,
    RefundState,
    is_asked_back,
    judge_cancel,
    nothing_to_cancel,
    past_cancelling,
    standing,
)
from domain.effects import OPEN, SPENDING, Action
from domain.money import total_of
from domain.reasons import Reason, ReasonCode, because
from domain.request_remarks import BadInput
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from domain.wording import pluralize, shorten
from flows.after_sale import bring_up_to_date
from flows.after_sale_reporting import (
    ITS_FREIGHT,
    AfterSaleReport,
    Trouble,
    after_sale_report,
)
from flows.answers.questions import newest_done
from flows.batch.chunks import chunks_with_progress
from flows.batch.opening import opened
from flows.prefect_ui import remedy_parameters as form
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.events import EventFeed
from flows.prefect_ui.expected_errors import run_logger, sourcing_flow
from tasks.after_sale import cancel_orders as cancel_chunk
from tasks.after_sale import confirm_cancellations
from tasks.effects.kinds import settle_open
from tasks.effects.reading_orders import read_each
from tasks.effects.refund_states import never_left
from tasks.engine.resources import Resources
from tasks.refund import RefundWish, ask_refund, foresee_refund

T = TypeVar("T")
Verdicts = dict[str, CancelWay | Reason]
NOTHING_TO_TAKE_BACK = (OrderState.PLANNED, OrderState.CANCELLED, OrderState.REFUNDED)
NOT_CLOSED = (ReasonCode.CANCEL_ACCEPTED, ReasonCode.PAID_BEFORE_CLOSED)


async def foresee_cancel(
    resources: Resources, order_refs: Sequence[str], reason: str
) -> dict[str, str | Reason]:
    """What cancelling would do to each order, or why it can't be done, by the ledger
    and a reading of the paid orders and their refunds.
    """
    verdicts = await _verdicts(resources, order_refs)
    orders = resources.ledger.orders(order_refs)

    async def words_for(ref: str) -> str | Reason:
        verdict = verdicts[ref]
        if isinstance(verdict, Reason):
            return verdict
        return await _would(resources, orders[ref], verdict, reason)

    deeds = await concurrently(verdicts, words_for, at_once=resources.concurrency)
    return dict(zip(verdicts, deeds, strict=True))


async def _would(
    resources: Resources, order: OrderRecord, way: CancelWay, reason: str
) -> str | Reason:
    """What cancelling would do to an order, or why it can't be done."""
    if way is CancelWay.IS_DONE:
        return "do nothing: it is cancelled, or all its money is asked back already"
    if way is CancelWay.CANCEL:
        payment = newest_done(
            resources.ledger.effects_of([order.order_ref]), Action.PAY
        )
        if payment is None:
            return "close it unpaid"
        return f"close it unpaid; its payment of {payment.amount} was accepted, look for its return (取消提交支付退款)"
    asked = await _or_why_not(foresee_refund(resources, order, _wish(reason)))
    if isinstance(asked, Reason):
        return asked
    total = total_of([refund.asked for refund in asked])
    return "; ".join(
        [f"ask the seller for {total} back", *map(str, _notes(resources, order, asked))]
    )


async def cancel(
    resources: Resources, order_refs: Sequence[str], reason: str
) -> list[Trouble]:
    """Cancel each order as far as it may be. Return why others are not."""
    ledger = resources.ledger
    known = ledger.orders(order_refs)
    wanted_back = [
        ref for ref, order in known.items() if order.state not in NOTHING_TO_TAKE_BACK
    ]
    take_back(ledger, wanted_back)
    verdicts = await _verdicts(resources, order_refs)
    orders = ledger.orders(order_refs)
    unpaid = _those(verdicts, CancelWay.CANCEL)
    size = resources.settings.chunk_size
    for label, refs in chunks_with_progress("cancel", unpaid, size):
        await cancel_chunk(
            {ref: orders[ref] for ref in refs}, reason=reason, label=label
        )
    done = _those(verdicts, CancelWay.IS_DONE)
    await confirm_cancellations(resources, done)
    accepted = [ref for ref in done if orders[ref].reason_code in NOT_CLOSED]
    refused: list[Trouble] = []
    for _, refs in chunks_with_progress(
        "ask back", _those(verdicts, CancelWay.REFUND), 1
    ):
        refused += await _ask_back(resources, orders[refs[0]], reason)
    stopped = [
        Trouble(ref, verdict)
        for ref, verdict in verdicts.items()
        if isinstance(verdict, Reason)
    ]
    return [*stopped, *refused, *_still_open(resources, [*unpaid, *accepted])]


def _those(verdicts: Verdicts, way: CancelWay) -> list[str]:
    return [ref for ref, verdict in verdicts.items() if verdict is way]


async def _verdicts(resources: Resources, order_refs: Sequence[str]) -> Verdicts:
    """How each order may be cancelled, once its refunds and the paid orders were read,
    or why it may not.
    """
    ledger = resources.ledger
    unfollowed = await bring_up_to_date(resources, ledger.refunds.of_orders(order_refs))
    orders = ledger.orders(order_refs)
    verdicts: Verdicts = {
        **dict.fromkeys(order_refs, NOT_THERE),
        **{ref: _judge(resources, order) for ref, order in orders.items()},
        **dict(unfollowed),
    }
    paid = [orders[ref] for ref in _those(verdicts, CancelWay.REFUND)]
    shown, unread = await read_each(resources, paid)
    past = {
        ref: past_cancelling(theirs.status)
        for ref, theirs in shown.items()
        if theirs.status is not ServiceStatus.PAID
    }
    return verdicts | unread | past


def _judge(resources: Resources, order: OrderRecord) -> CancelWay | Reason:
    if resources.offerings[order.marketplace].after_sale is None:
        return because(ReasonCode.NO_CANCELLING, marketplace=order.marketplace)
    effects = resources.ledger.effects_of([order.order_ref])
    if any(effect.status in OPEN and effect.action in SPENDING for effect in effects):
        return because(ReasonCode.AT_WORK_ON_IT, why=order.why)
    is_created = any(
        effect.action is Action.CREATE and effect.answer for effect in effects
    )
    if order.order_id is None and is_created:
        # several orders for one reference: only a person can say which
        return order.why or NOT_CANCELLED
    if order.state is OrderState.PLANNED and order.plan_hash is not None:
        return nothing_to_cancel(approved=True)
    refunds = resources.ledger.refunds.of_orders([order.order_ref])
    return judge_cancel(
        order.state,
        ordered=order.order_id is not None,
        paid=order.paid_minor is not None,
        asked_back=_is_asked_back(resources, order, refunds),
        why=order.why,
    )


def _is_asked_back(
    resources: Resources, order: OrderRecord, refunds: Iterable[Refund]
) -> bool:
    sent = [
        refund for refund in refunds if not never_left(resources, refund)
    ]  # a run before may have ended halfway
    return is_asked_back(
        sent, order.priced_lines, paid=order.paid, above=taken_above(order)
    )


def _notes(
    resources: Resources, order: OrderRecord, asked: Sequence[Refund]
) -> list[Reason]:
    """What asking for these refunds leaves to be done: the order's freight, and money
    that can't be asked for now.
    """
    notes = [ITS_FREIGHT] if order.shipment is not None else []
    now = {refund.key: replace(refund, state=RefundState.ASKED) for refund in asked}
    others = [
        refund
        for refund in resources.ledger.refunds.of_orders([order.order_ref])
        if refund.key not in now
    ]
    if not _is_asked_back(resources, order, [*others, *now.values()]):
        under_way = [
            str(standing(refund)) for refund in others if refund.state in UNDER_WAY
        ]
        why = "; ".join(under_way) or "the marketplace takes no more"
        sums = f"{total_of([refund.asked for refund in asked])} of {order.paid}"
        notes.append(_not_asked_back(f"only {sums} can be asked for now: {why}"))
    return notes


async def _ask_back(
    resources: Resources, order: OrderRecord, reason: str
) -> list[Trouble]:
    keys = await _or_why_not(ask_refund(order.order_ref, _wish(reason)))
    if isinstance(keys, Reason):
        return [Trouble(order.order_ref, keys)]
    refunds = resources.ledger.refunds.of_orders([order.order_ref])
    asked = [refund for refund in refunds if refund.key in keys]
    notes = _notes(resources, order, asked)
    return [Trouble(order.order_ref, note) for note in notes]


async def _or_why_not(asking: Awaitable[T]) -> T | Reason:
    try:
        return await asking
    except Misconfigured:
        raise
    except (RefundFault, XportcnError) as error:
        return _not_asked_back(str(error))


def _wish(reason: str) -> RefundWish:
    return RefundWish(kind=RefundKind.REFUND, reason=reason)


def _not_asked_back(failure: str) -> Reason:
    return NOT_CANCELLED.but(failure=failure)


def _still_open(resources: Resources, order_refs: Sequence[str]) -> list[Trouble]:
    """Those that are not cancelled, and why, where that is more than a note."""
    orders = resources.ledger.orders(order_refs).values()
    return [
        Trouble(
            order.order_ref,
            order.why if order.why and order.why.code.words.kind else NOT_CANCELLED,
        )
        for order in orders
        if order.state is not OrderState.CANCELLED or order.why
    ]


def run_name() -> str:
    """`cancel A-1, A-2, A-3 and 4 more`."""
    return f"cancel {shorten(flow_run.parameters.get('order_refs', [])) or 'no order'}"


@sourcing_flow(run_name)
async def cancel_orders(
    order_refs: form.OrderRefs = form.NO_TEXTS,
    reason: form.CancelReason = form.CHANGED_MY_MIND,
    only_show: form.OnlyShow = True,  # noqa: FBT002 - flow parameters make a form
) -> AfterSaleReport:
    """Cancel orders: unpaid ones are closed, for paid ones that are not shipped the
    money is asked back.

    Effects without an answer are settled first. Safe to run again: nothing is cancelled
    or asked for twice.
    """
    order_refs = form.some_orders(order_refs)
    if not reason.strip():
        raise BadInput(
            "say why: fill in a reason, it is sent to the marketplace. Nothing was sent"
        )
    async with opened() as resources:
        before = resources.ledger.orders(order_refs)
        feed = EventFeed(resources.ledger, before.values())
        run_logger().info("%s to cancel", pluralize(len(order_refs), "order"))
        await settle_open(resources, before)
        if only_show:
            would = await foresee_cancel(resources, order_refs, reason)
            return await after_sale_report(resources, order_refs, would=would)
        async with progress_shown("orders"):
            troubles = await cancel(resources, order_refs, reason)
        await feed.emit(order_refs)
        return await after_sale_report(resources, order_refs, troubles=troubles)
