"""Render the freight of paid orders anew, and book their international shipment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from connectors.concurrently import concurrently
from connectors.ledger.engine import chunked
from connectors.ledger.order_update import NOTHING, OrderUpdate
from connectors.ledger.plans import needing_a_person
from connectors.ledger.records import Intent, OrderChange, OrderRecord
from connectors.marketplaces.freight import render
from connectors.xportcn.errors import Misconfigured, ServiceAway, XportcnError
from domain.after_sale import came_back
from domain.decisions import judge_booking, paid_shown_otherwise
from domain.effects import Action
from domain.money import Money
from domain.offers import ChosenFreight, FreightService, Quote, choose_freight
from domain.plan import PlannedOrder
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from tasks.effects.book import Book, booking_hash
from tasks.effects.protocol import perform
from tasks.effects.reading_orders import read_each
from tasks.engine.gathering import PartialResults, gather_missing, not_read
from tasks.engine.lost_ledger import maybe_booked
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task
from tasks.engine.tries import raise_if_it_passes, this_try
from tasks.pay import left_as
from tasks.preview import offered, with_freight
from tasks.steps import Orders, Step


@service_task("render freight {label}")
async def render_freights(
    step: Step,
    chosen: PartialResults[str, ChosenFreight],
    *,
    label: str,
) -> None:
    """Find a freight quote for each order that is still to be booked. Without one it is
    held, with the reason.
    """
    resources = current_resources()
    await step.each_group(
        resources,
        lambda orders: _each(resources, step, orders, chosen),
        waits=lambda order, given: (
            order.state is given.state and order.shipment is None
        ),
        reads=True,
    )


async def _each(
    resources: Resources,
    step: Step,
    orders: Orders,
    chosen: PartialResults[str, ChosenFreight],
) -> None:
    async with resources.slots.one():
        read_at = resources.clock()
        ready = await still_to_book(resources, orders)

    unsent = resources.ledger.refunds.unsent(ready)

    async def one(ref: str) -> None:
        answer = await _render(resources, ready[ref], read_at, unsent[ref])
        if isinstance(answer, OrderChange):
            await resources.group_commit.change([answer])
        else:
            chosen[ref] = answer
        step.through(ref)

    await gather_missing(resources, ready, one, PartialResults())


async def _render(
    resources: Resources, order: OrderRecord, read_at: datetime, unsent: frozenset[int]
) -> ChosenFreight | OrderChange:
    wish = order.request.freight
    goods = order.shipped_order(unsent)
    if not goods.lines:
        return _held(order, came_back(order.refunded, order.paid))
    try:
        quote = await render(resources.client, goods)
    except (Misconfigured, ServiceAway):
        raise
    except XportcnError as error:
        said = not_read("no freight quote", error)
        change = _held(order, said.why and said.why.but(unbooked=True))
        return replace(change, state=order.state) if said.is_postponed else change
    service = choose_freight(quote.services, wish, order.freight_currency)
    if service is None:
        return _held(
            order,
            because(
                ReasonCode.PAID_NO_FREIGHT, wish=wish or " ", offered=offered(quote)
            ),
        )
    if why := _above_approved(order, service):
        voids_approval = order.freight_currency != service.price.currency
        return _held(
            order,
            why,
            OrderUpdate.freight_asked(
                price=service.price, voids_approval=voids_approval
            ),
        )
    return ChosenFreight(quote=quote, service=service, read_at=read_at, unsent=unsent)


def _held(
    order: OrderRecord, why: Reason | None, writes: OrderUpdate = NOTHING
) -> OrderChange:
    return OrderChange(
        order_ref=order.order_ref,
        state=OrderState.HELD,
        expected=order.state,
        why=why,
        writes=writes,
    )


def _above_approved(order: OrderRecord, service: FreightService) -> Reason | None:
    price = service.price
    currency = order.freight_currency
    if order.freight_approved_minor is None or currency != price.currency:
        approved = None
    else:
        approved = Money(order.freight_approved_minor, currency)
    return (
        because(ReasonCode.FREIGHT_ROSE, price=price, approved=approved)
        if approved is None or price > approved
        else None
    )


async def estimate_unbooked(
    resources: Resources,
    order_refs: Sequence[str],
    *,
    beforehand: bool = False,
    every: bool = True,
) -> list[PlannedOrder]:
    """The present cost of shipping begun orders, to be approved again: of `every` one,
    or of those without an approval that covers it. Those without an estimate are left
    out.

    So are those without an order that is known for theirs: nothing pays or ships them
    before a person says which it is. So are unpaid ones that cost more by now than may
    be paid: a yes renews the approval of their plan, and no other.

    A yes given `beforehand` renews withdrawn approvals of paid orders alone, which no
    person refused or took back, since it would pay the others without counting their
    goods; and raises none. What was taken
    above what was approved it never accepts.
    """
    unsent: dict[str, frozenset[int]] = {}

    async def one(order: OrderRecord) -> PlannedOrder | None:
        try:
            lines = order.shipped_order(unsent[order.order_ref]).lines
            plan = await with_freight(
                resources,
                replace(order.plan, offers=(), lines=lines),
                order.freight_currency,
            )
            plan = still_to_pay(order, _at_least(order, plan))
        except Misconfigured:
            raise
        except XportcnError:
            return None
        if (service := plan.freight_service) is None:
            return None
        is_new = (
            not beforehand
            if _above_approved(order, service)
            else order.plan_hash is None
        )
        is_asked = every and not beforehand
        return plan if is_new or is_asked or plan.taken.minor else None

    plans: list[PlannedOrder | None] = []
    for some in chunked(order_refs):
        orders = resources.ledger.each_order(some)
        unbooked = [
            one
            for one in orders
            if one.order_id and one.shipment is None and one.lines and not _rose(one)
        ]
        unasked = needing_a_person(resources.ledger, some) if beforehand else ()
        waiting = [
            order
            for order in unbooked
            if (not beforehand if order.plan_hash else order.order_ref not in unasked)
        ]
        waiting = [order for order in waiting if not (beforehand and order.is_overpaid)]
        unsent = resources.ledger.refunds.unsent(
            {order.order_ref: order for order in waiting}
        )
        waiting = [
            order
            for order in waiting
            if order.shipped_order(unsent[order.order_ref]).lines
        ]
        plans += await concurrently(waiting, one, at_once=resources.concurrency)
    return [plan for plan in plans if plan]


def _rose(order: OrderRecord) -> bool:
    return (
        order.plan_hash is None
        and order.paid_minor is None
        and (order.total_minor or 0) > order.payable.minor
    )


def _at_least(order: OrderRecord, plan: PlannedOrder) -> PlannedOrder:
    """The plan at the price that the last render asked for, where that was more than
    the estimate.
    """
    service = plan.freight_service
    if (
        service is None
        or order.freight_minor is None
        or order.freight_currency != service.price.currency
    ):
        return plan
    price = max(
        service.price,
        Money(order.freight_minor, order.freight_currency),
        key=lambda money: money.minor,
    )
    return replace(plan, freight_service=replace(service, price=price))


def still_to_pay(order: OrderRecord, plan: PlannedOrder) -> PlannedOrder:
    """The plan of a begun order, with the total that the service demands where a yes
    pays it.
    """
    plan = replace(plan, is_begun=True)
    withdrawn_at = order.updated_at if order.plan_hash is None else None
    if not withdrawn_at or order.paid_minor is not None:
        taken = order.paid if order.is_overpaid else Money(0)
        return replace(
            plan, withdrawn_at=withdrawn_at, came_back=order.refunded, taken=taken
        )
    due = (
        order.approved
        if order.total_minor is None
        else Money(order.total_minor, order.currency)
    )
    quote = replace(
        plan.quote or Quote(goods=due, postage=Money(0), total=due), total=due
    )
    return replace(plan, withdrawn_at=withdrawn_at, is_unpaid=True, quote=quote)


def approve_freight(resources: Resources, plans: Sequence[PlannedOrder]) -> None:
    """Record that these freight prices were approved, and with them what was taken
    above what was.
    """
    approved = [
        (plan, OrderUpdate.freight_approved(price=plan.freight_service.price))
        for plan in plans
        if plan.freight_service
    ]
    resources.ledger.change(
        [
            OrderChange(order_ref=plan.order_ref, writes=freight | _accepted(plan))
            for plan, freight in approved
        ]
    )


def _accepted(plan: PlannedOrder) -> OrderUpdate:
    return OrderUpdate.approved(amount=plan.taken) if plan.taken.minor else NOTHING


@service_task("book {label}")
async def book_shipments(
    step: Step,
    freight: Mapping[str, ChosenFreight],
    *,
    label: str,
) -> None:
    """Book each order once with its chosen freight; a further try first reads whether
    it is booked after all.
    """
    resources = current_resources()
    await step.each_group(
        resources, lambda orders: _book(resources, step, orders, freight), waits=_waits
    )


async def _book(
    resources: Resources,
    step: Step,
    orders: Orders,
    freight: Mapping[str, ChosenFreight],
) -> None:
    read_at = min(freight[ref].read_at for ref in orders)
    if this_try().this > 1:
        try:
            async with resources.slots.one():
                read_at = resources.clock()
                orders = await still_to_book(resources, orders)
        except ServiceAway as away:
            raise_if_it_passes(resources, away)
            return
    intents = [
        Intent(
            order_ref=ref,
            action=Action.BOOK,
            amount=freight[ref].service.price,
            request_hash=booking_hash(freight[ref]),
            seen_in=order.state,
        )
        for ref, order in orders.items()
    ]
    book = Book(resources, freight, may_be_done=await maybe_booked(resources, orders))
    await perform(book, intents, orders, read_at=read_at, then=step.through)


def _waits(order: OrderRecord, given: OrderRecord) -> bool:
    """Whether it is in the state in which it was given, or in that of an order whose
    booking was turned away.
    """
    return order.state in (given.state, OrderState.PAID) and order.shipment is None


async def still_to_book(resources: Resources, orders: Orders) -> dict[str, OrderRecord]:
    """The orders that the service shows as paid and not yet booked. Others are held, or
    booked already after all.

    There is neither key nor refusal against a second booking, so the service is read
    before the first.
    """
    shown, unread = await read_each(resources, orders.values())
    gone = paid_shown_otherwise("nothing under its id")
    changes = [
        order.stays(unread.get(ref, gone))
        for ref, order in orders.items()
        if ref not in shown
    ]
    ready: dict[str, OrderRecord] = {}
    for ref, order in orders.items():
        if ref not in shown:
            continue
        if shown[ref].shipments:
            booked = Book(resources).shipped(order, shown[ref].shipments)
            changes.append(replace(booked, expected=order.state))
        elif left := judge_booking(shown[ref]):
            is_answered = (
                shown[ref].status is ServiceStatus.CLOSED and order.knows_what_came_back
            )
            changes += [] if is_answered else [left_as(order, left)]
        else:
            ready[ref] = order
    await resources.group_commit.change(changes)
    return ready
