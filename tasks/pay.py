"""Pay the orders of a chunk, each for no more than was approved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connectors.concurrently import wait_all_shielded
from connectors.ledger.records import OrderChange, OrderRecord, SpendLimits
from connectors.ledger.spending import COUNTS_AS_SPENT
from connectors.xportcn.errors import Misconfigured, ServiceAway, XportcnError
from domain.absence import is_as_created
from domain.decisions import NOT_SHOWN, Left, Payment, judge_paid, judge_payment, unread
from domain.effects import Action, EffectStatus, ResolutionKind
from domain.money import Money
from domain.reasons import Reason, ReasonCode, because, outranking
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from domain.witnessed import LEAST_PART, Amount, Contradicted, Paid
from tasks.effects.create_by_reference import in_part
from tasks.effects.pay import Pay, not_taken, not_taken_and_closed, paid
from tasks.effects.protocol import perform
from tasks.effects.reading_orders import (
    ORDER_UNREAD,
    another_s,
    by_channel,
    is_another_s,
    read_whatever,
)
from tasks.engine.gathering import ignore
from tasks.engine.lost_ledger import maybe_paid
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task
from tasks.engine.tries import raise_if_it_passes
from tasks.steps import MOST_TOGETHER, Batcher, Orders, Step

CONFIRM_PAUSES_S = (0.0, 0.5, 2.0)
CONFIRM_TOGETHER_S = 0.02
"""How long a reading waits for further orders."""
SEARCHES_BACK = timedelta(days=1)
CLOSES_AFTER = timedelta(days=1)
BEFORE_CLOSING = timedelta(hours=2)
"""When the service closes an unpaid order, and how long before that a person is asked
to look.
"""
TAKEN_WITHIN = timedelta(days=1)
"""After so long an accepted payment that was not taken is reported: as long as an
unpaid order stays open.
"""
PRICE_FELL = because(ReasonCode.PRICE_FELL)
PAID_ELSEWHERE = because(ReasonCode.PAID_ELSEWHERE)


@service_task("pay {label}")
async def pay_orders(step: Step, *, label: str) -> None:
    """Pay each order once, after reading what it costs now; a further try goes on with
    those provably not paid.
    """
    resources = current_resources()
    batcher = PaymentBatcher(resources, step)
    await step.each_group(resources, batcher.take, waits=_waits, reads=True)


class PaymentBatcher:
    """Payments of one try, which are read back together."""

    def __init__(self, resources: Resources, step: Step) -> None:
        self._resources = resources
        self._step = step
        self._confirmed = Batcher(
            step, self._confirm, most=MOST_TOGETHER, within_s=CONFIRM_TOGETHER_S
        )

    async def take(self, orders: Orders) -> None:
        """Read these orders, pay those that are to be paid, and read what was really
        taken.
        """
        resources = self._resources
        amounts, shown, read_at = await _read_payable(resources, orders)
        self._step.seen(*amounts)
        maybe = await _maybe_paid(resources, amounts, orders, shown)
        pay = Pay(resources, amounts, may_be_done=maybe)
        waiting = list(orders)
        confirming: list[asyncio.Task[None]] = []

        def confirm(ref: str) -> None:
            waiting.remove(ref)
            confirming.append(asyncio.create_task(self._confirmed(ref)))

        for ref in [ref for ref in orders if ref not in amounts]:
            confirm(ref)
        try:
            await perform(
                pay,
                pay.intents(orders),
                orders,
                limits=_limits(resources),
                read_at=read_at,
                then=confirm,
            )
            for ref in list(waiting):
                confirm(ref)
        finally:
            await wait_all_shielded(confirming)

    async def _confirm(self, refs: Sequence[str]) -> None:
        await confirm_payments(self._resources, refs, then=self._step.through)


async def _maybe_paid(
    resources: Resources,
    order_refs: Iterable[str],
    orders: Orders,
    shown: Mapping[str, ServiceOrder],
) -> Mapping[str, str]:
    """An unpaid order proves that no payment was lost only where the service debits at
    once.
    """
    debits_at_once = resources.client.settings.debits_at_once
    refs = [ref for ref in order_refs if not debits_at_once(orders[ref].marketplace)]
    return await maybe_paid(resources, {ref: shown[ref] for ref in refs})


async def read_back(resources: Resources, orders: Orders) -> set[str]:
    """The unpaid orders that the service shows as ours and at our price; the others get
    the reason why not.
    """
    amounts, *_ = await _read_payable(resources, orders)
    return {*amounts}


async def read_unpaid(resources: Resources, orders: Orders) -> None:
    """Read orders with news before they are paid: dearer, closed or paid elsewhere is
    written down.

    Nothing is paid. An order that a run has in hand is left to that run. One that was
    held since its price rose is released when the price is within what was approved.
    """
    in_hand = await asyncio.to_thread(resources.ledger.unsettled, orders)
    free = {ref: order for ref, order in orders.items() if ref not in in_hand}
    payable, *_ = await _read_payable(resources, free)
    await resources.group_commit.change(
        [
            OrderChange(
                order_ref=ref,
                state=OrderState.ORDERED,
                expected=OrderState.HELD,
                why=PRICE_FELL,
            )
            for ref in payable
            if free[ref].state is OrderState.HELD
        ]
    )


async def _read_payable(
    resources: Resources, orders: Orders
) -> tuple[dict[str, Amount], dict[str, ServiceOrder], datetime]:
    """The amount to pay for each of these orders, as what the service shows them, and
    when that was read.

    Those without an amount are held, wait, or are paid already.
    """
    async with resources.slots.one():
        read_at = resources.clock()
        shown, unread = await _shown(resources, orders.values())
        unread |= await _contradicted(resources, orders, shown)
    astray = {
        ref: another_s(ref, one) for ref, one in shown.items() if is_another_s(ref, one)
    }
    astray |= {
        ref: NOT_SHOWN for ref in orders if ref not in shown and ref not in unread
    }
    await _give_back(resources, orders, astray)
    nameless = [
        ref
        for ref, one in shown.items()
        if not one.reference.strip() and one.own_id != ref
    ]
    ours = {*orders} - {*nameless} | await _need_no_reference(
        resources, {ref: orders[ref] for ref in nameless}, shown
    )
    paying = await _claimed(
        resources, orders, [ref for ref, one in shown.items() if _may_be_paid(one)]
    )
    verdicts = {
        ref: judge_payment(
            shown.get(ref),
            order.approved,
            order.payable,
            is_ours=ref in ours,
            by_us=ref in paying,
        )
        for ref, order in orders.items()
        if ref not in unread and ref not in astray
    }
    verdicts |= await _closed_after_payment(
        resources, {ref: shown[ref] for ref in verdicts if ref in shown}
    )
    due = {
        ref: orders[ref]
        for ref, verdict in verdicts.items()
        if isinstance(verdict, Amount)
    }
    verdicts |= await _in_part(resources, due, shown)
    # the reason of a held order still holds when it can't be read
    waiting = {
        ref: order
        for ref, order in orders.items()
        if ref in unread and order.state is not OrderState.HELD
    }
    changes = [
        order.stays(outranking([unread[ref], order.why]))
        for ref, order in waiting.items()
    ]
    for ref, verdict in verdicts.items():
        order = orders[ref]
        if isinstance(verdict, Left):
            changes.append(left_as(order, verdict))
        if isinstance(verdict, Contradicted):
            changes.append(order.contradicted(verdict))
        if isinstance(verdict, Paid):
            changes.append(_paid(order, verdict, shown[ref], paying))
    await resources.group_commit.change(changes)
    return (
        {
            ref: verdict
            for ref, verdict in verdicts.items()
            if isinstance(verdict, Amount)
        },
        shown,
        read_at,
    )


def left_as(order: OrderRecord, left: Left) -> OrderChange:
    """The change of an order that is left alone now."""
    stays = order.held if left.how is Payment.STOP else order.stays
    is_nameless = left.why.code is ReasonCode.NO_REFERENCE_YET
    return stays(
        left.why.but(marketplace=order.marketplace) if is_nameless else left.why
    )


async def _closed_after_payment(
    resources: Resources, shown: Mapping[str, ServiceOrder]
) -> dict[str, Left]:
    """Why orders are left that closed after their payment was accepted: its return is
    for a person to look for.
    """
    money = await not_taken_and_closed(resources, shown)
    return {ref: Left(how=Payment.STOP, why=why) for ref, why in money.items()}


async def _in_part(
    resources: Resources, orders: Orders, shown: Mapping[str, ServiceOrder]
) -> dict[str, Left]:
    """Why orders are left that show fewer goods than were asked for, but for those that
    a person named.
    """
    lacking = {
        ref: why for ref, order in orders.items() if (why := in_part(order, shown[ref]))
    }
    named = await _named(resources, [*lacking])
    return {
        ref: Left(how=Payment.STOP, why=why)
        for ref, why in lacking.items()
        if ref not in named
    }


def _may_be_paid(shown: ServiceOrder) -> bool:
    """Whether it makes a difference for an order that a payment of ours was begun for
    it.
    """
    return (
        shown.status.is_paid
        or shown.status is ServiceStatus.OTHER
        or shown.payment is not None
    )


def _paid(
    order: OrderRecord, verdict: Paid, shown: ServiceOrder, paying: Mapping[str, Money]
) -> OrderChange:
    by_us = order.order_ref in paying
    if by_us:
        verdict = replace(
            verdict, ours=replace(verdict.ours, value=paying[order.order_ref])
        )
    return _still(
        order,
        paid(order, verdict, shown, None if by_us else PAID_ELSEWHERE, by_us=by_us),
    )


def _waits(order: OrderRecord, given: OrderRecord) -> bool:
    """Whether it is in the state in which it was given, or in that of an order whose
    payment was turned away.
    """
    waits = order.state in (given.state, OrderState.ORDERED, OrderState.PAYMENT_PENDING)
    return waits and order.order_id is not None and order.paid_minor is None


async def _shown(
    resources: Resources, orders: Iterable[OrderRecord], *, may_lag: bool = False
) -> tuple[dict[str, ServiceOrder], dict[str, Reason]]:
    """As `read_whatever`; a service that is away is asked again by another try, as long
    as there is one.
    """
    listed = list(orders)
    try:
        return await read_whatever(resources, listed, may_lag=may_lag)
    except ServiceAway as away:
        raise_if_it_passes(resources, away)
        return {}, dict.fromkeys(
            (one.order_ref for one in listed),
            unread(ORDER_UNREAD, away.message),
        )


async def _contradicted(
    resources: Resources,
    orders: Mapping[str, OrderRecord],
    shown: Mapping[str, ServiceOrder],
) -> dict[str, Reason]:
    """Why not to pay an order that costs less than when it was created: another reading
    shows another price.

    No payment call takes an amount. So a total that is wrongly low would pass for
    approved, whatever is then taken.
    """
    cheaper = {ref: one for ref, one in shown.items() if _fell(orders[ref], one)}
    if not cheaper:
        return {}
    again, _ = await _shown(resources, [orders[ref] for ref in cheaper])
    return {
        ref: because(ReasonCode.PRICE_NOT_CONFIRMED, total=one.total)
        for ref, one in cheaper.items()
        if ref not in again or again[ref].total != one.total
    }


def _fell(order: OrderRecord, shown: ServiceOrder) -> bool:
    """Whether it costs less than before, and not so little that it is held for that."""
    return (
        shown.total.minor < (order.total_minor or 0)
        and shown.total * LEAST_PART >= order.approved
    )


async def _give_back(
    resources: Resources,
    orders: Mapping[str, OrderRecord],
    reasons: Mapping[str, Reason],
) -> None:
    """Orders whose id leads to nothing, or to a foreign order: never paid under it.

    Where the service shows an order with our reference under another id, that is ours:
    the id is taken back, and the creation settled anew by our reference. Else the order
    is held. One whose payment the service accepted under that id keeps both: later
    readings say what was taken.
    """
    accepted = {
        ref for ref in reasons if orders[ref].state is OrderState.PAYMENT_PENDING
    }
    await resources.group_commit.change(
        [orders[ref].stays(reasons[ref]) for ref in accepted]
    )
    astray = [orders[ref] for ref in reasons if ref not in accepted]
    elsewhere = await _shown_elsewhere(resources, astray)
    for order in astray:
        why = reasons[order.order_ref]
        if order.order_ref in elsewhere:
            why = because(
                ReasonCode.HAS_ANOTHER_ID, why=why, order_id=elsewhere[order.order_ref]
            )
            await asyncio.to_thread(resources.ledger.disown, order, why)
        else:
            await resources.group_commit.change([order.held(why)])


async def _shown_elsewhere(
    resources: Resources, orders: Sequence[OrderRecord]
) -> dict[str, str]:
    """The id under which the service shows an order with our reference, where it
    differs from the ledger's.
    """
    elsewhere: dict[str, str] = {}
    for channel, group in by_channel(resources, orders):
        since = min(order.recorded_at for order in group) - SEARCHES_BACK
        try:
            reading = await channel.find(
                [order.order_ref for order in group], since=since
            )
        except (Misconfigured, ServiceAway):  # what passes holds nothing
            raise
        except XportcnError:
            continue
        for order in group:
            found = reading.found.get(order.order_ref, ())
            alive = [
                one.order_id for one in found if one.status is not ServiceStatus.CLOSED
            ]
            if alive and order.order_id not in alive:
                elsewhere[order.order_ref] = alive[0]
    return elsewhere


async def _need_no_reference(
    resources: Resources, orders: Orders, shown: Mapping[str, ServiceOrder]
) -> set[str]:
    """Of orders that show no reference, those whose id rests on a person's
    answer.

    Where a person has confirmed that orders show none, a clear answer to our create
    counts too, if the order is as it was created.
    """
    if not (order_refs := [*orders]):
        return set()
    creates = [
        one
        for one in await resources.group_commit.effects_of(order_refs)
        if one.action is Action.CREATE
    ]
    without = await asyncio.to_thread(resources.ledger.marks.nameless)
    answered = {
        one.order_ref
        for one in creates
        if one.status is EffectStatus.DONE
        and (order := orders[one.order_ref]).marketplace in without
        and (one.answer or {}).get("order_ids") == [order.order_id]
        and order.ordered_at
        and is_as_created(
            shown[one.order_ref],
            order.lines,
            Money(order.total_minor or 0),
            order.ordered_at,
        )
    }
    return answered | await _named(resources, order_refs)


async def _named(resources: Resources, order_refs: Sequence[str]) -> set[str]:
    """Those of these orders that a person has named."""
    answers = {
        ref: await asyncio.to_thread(resources.ledger.resolutions.of_order, ref)
        for ref in order_refs
    }
    return {ref for ref, given in answers.items() if any(map(_names_an_order, given))}


def _names_an_order(answer: Mapping[str, object]) -> bool:
    return str(answer["answer"]).startswith(f"{ResolutionKind.ORDERED} ")


async def confirm_payments(
    resources: Resources,
    order_refs: Sequence[str],
    *,
    then: Callable[..., None] = ignore,
) -> None:
    """Read what was really taken for payments that the service has accepted; `then`
    gets those that are clear.
    """
    left = list(order_refs)
    for pause in CONFIRM_PAUSES_S:
        orders = await resources.group_commit.orders(left)
        pending = {
            ref: order
            for ref, order in orders.items()
            if order.state is OrderState.PAYMENT_PENDING
        }
        then(*(ref for ref in left if ref not in pending))
        if not (left := list(pending)):
            return
        await asyncio.sleep(pause)
        async with resources.slots.one():
            shown, _ = await _shown(
                resources, pending.values(), may_lag=not pause
            )  # what is paid stays paid
        ours = {ref: one for ref, one in shown.items() if not is_another_s(ref, one)}
        taken = await record_paid(resources, pending, ours)
        if not pause:
            await _note_untaken(
                resources,
                pending,
                {ref: one for ref, one in ours.items() if ref not in taken},
            )
        then(*taken)
        left = [ref for ref in left if ref not in taken]


async def _note_untaken(
    resources: Resources, orders: Orders, shown: Mapping[str, ServiceOrder]
) -> None:
    """Hold accepted payments that finance refused or whose order closed, and note those
    that are not taken in time.
    """
    ends = (ServiceStatus.PAYMENT_REFUSED, ServiceStatus.CLOSED)
    over = {ref: one for ref, one in shown.items() if one.status in ends}
    verdicts = {
        ref: judge_payment(one, orders[ref].approved) for ref, one in over.items()
    }
    verdicts |= await _closed_after_payment(resources, over)
    late = await _accepted_long_ago(
        resources, {ref: orders[ref] for ref in shown if ref not in over}, shown
    )
    await resources.group_commit.change(
        [
            left_as(orders[ref], verdict)
            for ref, verdict in verdicts.items()
            if isinstance(verdict, Left)
        ]
        + [orders[ref].stays(why) for ref, why in late.items()]
    )


async def _accepted_long_ago(
    resources: Resources, orders: Orders, shown: Mapping[str, ServiceOrder]
) -> dict[str, Reason]:
    """What to look for, of orders whose payment was accepted and may not be taken any
    more.
    """
    now = resources.clock()
    least = CLOSES_AFTER - BEFORE_CLOSING
    old = {
        ref: order
        for ref, order in orders.items()
        if order.ordered_at and now - order.ordered_at >= least
    }
    effects = await resources.group_commit.effects_of(old) if old else ()
    accepted = {one.order_ref: one for one in effects if one.action is Action.PAY}
    late: dict[str, Reason] = {}
    for ref, payment in accepted.items():
        at = payment.settled_at or payment.intent_at
        closes = None
        if shown[ref].status in (ServiceStatus.UNPAID, ServiceStatus.BUILDING):
            closes = (shown[ref].created_at or old[ref].ordered_at or at) + CLOSES_AFTER
        if now >= at + TAKEN_WITHIN or (closes and now >= closes - BEFORE_CLOSING):
            late[ref] = not_taken(
                payment,
                shown[ref],
                closes=f"{closes:%Y-%m-%d %H:%M} UTC" if closes else "",
            )
    return late


def _still(order: OrderRecord, change: OrderChange) -> OrderChange:
    """Only while the order is as it was when the service was asked: it may have been
    taken back since.
    """
    return replace(change, expected=order.state)


def _limits(resources: Resources) -> SpendLimits:
    """The limit of the day on which money leaves; the batch has counted these orders
    since they were created.
    """
    settings = resources.settings
    return SpendLimits(
        batch_id="", batch=None, day=settings.day_limit, timezone=settings.timezone
    )


async def record_paid(
    resources: Resources, orders: Orders, shown: Mapping[str, ServiceOrder]
) -> list[str]:
    """Record what was taken for orders that a payment of this ledger has paid, as they
    are shown; answers which.
    """
    told = [ref for ref, one in shown.items() if _may_be_paid(one) and one.taken]
    accepted = {
        ref: orders[ref].approved
        for ref in told
        if orders[ref].state is OrderState.PAYMENT_PENDING
    }
    paying = accepted | await _claimed(resources, orders, told)
    verdicts = {
        ref: judge_paid(shown[ref], amount, by_us=True)
        for ref, amount in paying.items()
    }
    is_paid = {ref: verdict for ref, verdict in verdicts.items() if verdict}
    await resources.group_commit.change(
        [_paid(orders[ref], one, shown[ref], paying) for ref, one in is_paid.items()]
    )
    return list(is_paid)


async def _claimed(
    resources: Resources, orders: Orders, order_refs: Sequence[str]
) -> dict[str, Money]:
    """The amount for which a payment of this ledger was begun that may account for what
    is shown, by order.
    """
    effects = await resources.group_commit.effects_of(order_refs) if order_refs else ()
    paying = [
        one
        for one in effects
        if one.action is Action.PAY and one.status in COUNTS_AS_SPENT
    ]
    return {
        one.order_ref: one.amount or orders[one.order_ref].approved for one in paying
    }
