"""Take a person's answer about an order: checked against the service, then recorded
with what it settles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import plan_hash
from connectors.ledger.records import EffectRecord, Intent, OrderRecord
from connectors.ledger.resolutions import ResolutionRecord
from connectors.marketplaces.protocol import ListsRefunds
from connectors.xportcn.errors import Refused, UnknownRefundState
from domain.absence import OwnRecord
from domain.after_sale import (
    ALL_LINES,
    FOLLOWED,
    MAY_ASK,
    NOTHING,
    UNDER_WAY,
    Refund,
    RefundKind,
    RefundState,
)
from domain.bills import NUMBERED_ANEW
from domain.decisions import judge_paid
from domain.effects import OPEN, Action, EffectStatus, Resolution, ResolutionRefused
from domain.effects import ResolutionKind as K
from domain.money import Money
from domain.reasons import ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus, Shipment
from domain.states import OrderState, can_move
from domain.witnessed import Amount, Paid, Source, Statement, agreed_taken
from flows.answers.questions import (
    Case,
    accepted_payment,
    is_several,
    may_be_adopted,
    newest_done,
)
from tasks.effects.book import Book, booked, freight_of
from tasks.effects.create_by_reference import in_part
from tasks.effects.kind import Proof
from tasks.effects.kinds import kind_of
from tasks.effects.pay import taken_above_approved
from tasks.effects.refund import AskRefund, after_sale_of, refund_of
from tasks.effects.refund_states import state_after, take_outcome, withdraw_if_open
from tasks.effects.settling import clear_from
from tasks.engine.resources import Resources
from tasks.reconcile import unknown_refunds
from tasks.snapshot import snapshot_moved

BOOK_IT = "Run again to book it"


async def resolve(
    resources: Resources, order_ref: str, answer: Resolution, *, by: str
) -> OrderRecord:
    """Record an answer and what it settles; answers the order afterwards.

    Raises `ResolutionRefused` for an answer without a question, that comes too early,
    or that the service contradicts.
    """
    was, record = (
        order_of(resources, order_ref),
        await checked_answer(resources, order_ref, answer, by=by),
    )
    if record.refund and record.change.state is not OrderState.REFUNDED:
        await asyncio.to_thread(withdraw_if_open, resources, order_ref, record.refund)
    dead = await asyncio.to_thread(resources.dead_owners, [order_ref])
    if not await asyncio.to_thread(
        resources.ledger.resolutions.record, record, dead_owners=dead
    ):
        raise ResolutionRefused(
            f"another run has just dealt with it; look again: sourcing status {order_ref}"
        )
    if record.effect and kind_of(record.effect) is AskRefund:
        await take_outcome(resources, refund_of(resources, record.effect), is_over=True)
    await snapshot_moved(resources, "answered", before={order_ref: was})
    return order_of(resources, order_ref)


async def checked_answer(
    resources: Resources, order_ref: str, answer: Resolution, *, by: str
) -> ResolutionRecord:
    """The record of an answer, once the service was read and contradicts nothing.
    Writes nothing.

    Raises `ResolutionRefused` as `resolve` does, with what was seen.
    """
    case = Case(
        resources,
        order_of(resources, order_ref),
        resources.ledger.effects_of([order_ref]),
        answer,
        by,
    )
    return await _TAKEN_BY[answer.kind](case)


def order_of(resources: Resources, order_ref: str) -> OrderRecord:
    """The order. Raises `ResolutionRefused` where the ledger has none of that
    reference.
    """
    order = resources.ledger.orders([order_ref]).get(order_ref)
    if order is None:
        raise ResolutionRefused(
            f"no order {order_ref} in the ledger; see all with: sourcing status"
        )
    return order


async def _about_creating(case: Case) -> ResolutionRecord:
    order, effect = case.order, case.open_effect(K.ORDERED)
    if case.answer.kind is K.NOT_ORDERED:
        return await case.not_done(effect, "creation")
    if effect is None and not may_be_adopted(order, case.effects):
        raise case.nothing_asked("creation")
    shown = await _require_order(case)
    at = shown.created_at or case.resources.clock()
    update = OrderUpdate.ordered(order_id=shown.order_id, total=shown.total, at=at)
    most, intent = order.payable, None
    told = case.answer.amount
    if told is None and (why := in_part(order, shown)):
        raise ResolutionRefused(str(why))
    if order.approved_minor is None or (told is not None and told < order.payable):
        most = _approved_by(case, shown)
        approved = OrderUpdate.plan_approved(order.plan_hash or plan_hash(order.plan))
        update |= OrderUpdate.approved(amount=most) | approved
    if effect is None and not is_several(case.effects):
        intent = Intent(
            order_ref=order.order_ref,
            action=Action.CREATE,
            amount=most,
            request_hash=order.fingerprint,
        )
    proof = {"order_ids": [shown.order_id], "total": str(shown.total)}
    state = (
        OrderState.ORDERED
        if can_move(order.state, OrderState.ORDERED)
        else OrderState.HELD
    )
    return case.record(
        effect, EffectStatus.DONE, state, update, proof=proof, intent=intent
    )


async def _require_order(case: Case) -> ServiceOrder:
    """The order that a person names, which must be there, be ours, and belong to no
    other order.
    """
    order, order_id = case.order, case.answer.value
    if not order.lines:
        raise ResolutionRefused(
            f"{order.order_ref} has no plan to go by: run its request file once more, then answer"
        )
    for other in case.resources.ledger.orders_with_ids([order_id]).values():
        if (
            other.marketplace is order.marketplace
            and other.order_ref != order.order_ref
        ):
            raise ResolutionRefused(
                f"order {order_id} is {other.order_ref} in this ledger already"
            )
    channel = case.resources.offerings[order.marketplace].channel
    shown = (await channel.read([order_id])).get(order_id)
    if shown is None:
        raise ResolutionRefused(
            f"{order.marketplace} shows no order {order_id}: give the id as the console has it"
        )
    if shown.names and order.order_ref not in shown.names:
        raise case.contradicted(f"order {order_id} carries reference {shown.names[0]}")
    since = min(order.recorded_at, shown.created_at or order.recorded_at) - timedelta(
        days=1
    )
    named = (await channel.find([order.order_ref], since=since)).found.get(
        order.order_ref, []
    )
    others = [
        one.order_id
        for one in named
        if one.status is not ServiceStatus.CLOSED and one.order_id != order_id
    ]
    if others:
        raise ResolutionRefused(
            f"{order.marketplace} also shows {', '.join(others)} for {order.order_ref}: cancel all others first"
        )
    return shown


def _approved_by(case: Case, shown: ServiceOrder) -> Money:
    """The amount that a person lets an order cost that this ledger has no approval for,
    or one for more.
    """
    amount = case.answer.amount
    if amount is None:
        raise ResolutionRefused(
            f"nothing is approved for {case.order.order_ref}, and order {shown.order_id} costs {shown.total}: say how "
            f"much it may cost with --up-to {shown.total.major}"
        )
    taken = shown.costs if shown.status.is_paid else Money(0)
    if amount < taken:
        raise ResolutionRefused(
            f"order {shown.order_id} is paid with {taken} already: --up-to {taken.major} at least"
        )
    return amount


async def _about_paying(case: Case) -> ResolutionRecord:
    effect = case.open_effect(K.PAID)
    accepted = accepted_payment(case.order, case.effects) if effect is None else None
    if effect is None and accepted is None:
        raise case.nothing_asked("payment")
    order_id, asked_at = case.order.order_id, case.resources.clock()
    shown = await case.shown()
    if case.answer.kind is K.PAID:
        return _paid(case, effect or accepted, shown)
    if shown and judge_paid(shown, case.order.approved, by_us=True):
        raise case.contradicted(f"order {order_id} is paid. Run again to record that")
    if shown and shown.status is ServiceStatus.PAYMENT_PENDING:
        raise case.contradicted(
            f"order {order_id} has a payment that is not yet confirmed. Look again later"
        )
    if effect is not None:
        case.require_clear(effect, clear_from(case.resources, effect), asked_at)
        return case.record(effect, EffectStatus.UNSENT, OrderState.ORDERED)
    assert accepted is not None
    settle = timedelta(seconds=case.resources.settings.settle_s)
    case.require_clear(
        accepted, (accepted.settled_at or accepted.intent_at) + settle, asked_at
    )
    if case.order.state is OrderState.CANCELLED:
        return case.record(accepted, EffectStatus.REFUSED, OrderState.CANCELLED)
    return case.record(
        accepted, EffectStatus.REFUSED, OrderState.HELD, then="Run again to pay"
    )


def _paid(
    case: Case, effect: EffectRecord | None, shown: ServiceOrder | None
) -> ResolutionRecord:
    order, told = case.order, case.answer.amount or Money(0)
    if shown and shown.status in (
        ServiceStatus.BUILDING,
        ServiceStatus.UNPAID,
        ServiceStatus.PAYMENT_REFUSED,
    ):
        debits = case.resources.client.settings.debits_at_once(order.marketplace)
        if effect is None or effect.status not in OPEN or debits:
            raise case.contradicted(f"order {order.order_id} is {shown.status}")
        waits = because(
            ReasonCode.SAID_PAID,
            by=case.by,
            answer=case.answer.words,
            status=shown.status,
        )
        proof = {"told_by": case.by}
        return case.record(
            effect,
            EffectStatus.DONE,
            OrderState.PAYMENT_PENDING,
            proof=proof,
            why=waits,
        )
    if shown and (amount := _shown_as_taken(order, effect, shown)) and amount != told:
        raise case.contradicted(
            f"order {order.order_id} is paid with {amount}: answer --paid {amount.major}"
        )
    owed = effect.amount if effect and effect.amount else order.approved
    verdict = Paid(
        order=Statement(source=Source.PERSON, value=told),
        ours=Statement(source=Source.LEDGER, value=owed),
    )
    fact, proof = (
        OrderUpdate.paid(verdict, amount=told, at=shown.paid_at if shown else None),
        {"told_by": case.by},
    )
    if told > order.payable:
        why = taken_above_approved(order, told)
        return case.record(
            effect, EffectStatus.DONE, OrderState.HELD, fact, proof=proof, why=why
        )
    return case.record(effect, EffectStatus.DONE, OrderState.PAID, fact, proof=proof)


def _shown_as_taken(
    order: OrderRecord, effect: EffectRecord | None, shown: ServiceOrder
) -> Money | None:
    """What the service shows as taken, as far as believed; where it contradicts what
    was owed a person answers.
    """
    owed = (effect and effect.amount) or order.approved
    if judge_paid(shown, owed, by_us=True) is None or shown.taken is None:
        return None
    return (
        shown.taken
        if isinstance(agreed_taken(owed, shown.taken, is_ours=False), Amount)
        else None
    )


async def _about_booking(case: Case) -> ResolutionRecord:
    effect, shipment_id = case.open_effect(K.BOOKED), case.answer.value
    if case.answer.kind is K.NOT_BOOKED:
        return await _not_booked(case, effect or _booking_by_person(case))
    if effect is None and case.order.reason_code is not ReasonCode.SEVERAL_SHIPMENTS:
        raise case.nothing_asked("booking")
    shown = await case.shown()
    shipment = _shipment_named(case, shown.shipments if shown else ())
    fact = OrderUpdate.booked(
        booked(case.order, shipment, Source.PERSON),
        shipment=shipment,
        at=case.resources.clock(),
    )
    record = case.record(
        effect,
        EffectStatus.DONE,
        OrderState.BOOKED,
        fact | freight_of(effect) if effect else fact,
        proof={"shipment_order_id": shipment_id, "told_by": case.by},
    )
    return replace(
        record, question=Book.question(case.order.order_ref, case.order.order_id, "")
    )


def _booking_by_person(case: Case) -> EffectRecord | None:
    """The booking that only a person has answered for, so that a person may take it
    back.
    """
    if case.order.state not in (OrderState.BOOKED, OrderState.HELD):
        return None
    last = newest_done(case.effects, Action.BOOK)
    return last if last and "told_by" in (last.answer or {}) else None


async def _not_booked(case: Case, effect: EffectRecord | None) -> ResolutionRecord:
    if effect is None:
        raise case.nothing_asked("booking")
    if case.resources.ledger.forgotten.known([case.order.order_ref]):
        raise ResolutionRefused(
            f"the receiver of {case.order.order_ref} was forgotten, so it could not be booked again: ask for the money "
            f"back (sourcing refund {case.order.order_ref})"
        )
    await case.require_absent(effect)
    if effect.status is not EffectStatus.DONE:
        return case.record(effect, EffectStatus.UNSENT, OrderState.PAID, then=BOOK_IT)
    return case.record(
        effect,
        EffectStatus.REFUSED,
        OrderState.HELD,
        OrderUpdate.not_booked(),
        then=BOOK_IT,
    )


def _shipment_named(case: Case, shown: Sequence[Shipment]) -> Shipment:
    """The shipment that a person names: what the service shows of it, else as it was
    typed.
    """
    named, numbers = (
        case.answer.value,
        tuple(number.strip() for number in case.answer.tracking if number.strip()),
    )
    if not numbers:
        raise ResolutionRefused(
            "give the tracking number that the warehouse console shows: --tracking NUMBER"
        )
    _require_nobody_elses(case, named, numbers)
    if not shown:
        return Shipment(shipment_order_id=named, tracking_numbers=numbers)
    found = next(
        (shipment for shipment in shown if shipment.shipment_order_id == named), None
    )
    if found is None:
        raise case.contradicted(
            f"shipment {', '.join(one.shipment_order_id for one in shown)}"
        )
    if found.tracking_numbers and set(found.tracking_numbers) != set(numbers):
        raise case.contradicted(
            f"shipment {named} with {', '.join(found.tracking_numbers)}"
        )
    return found if found.tracking_numbers else replace(found, tracking_numbers=numbers)


def _require_nobody_elses(
    case: Case, shipment_order_id: str, numbers: Sequence[str]
) -> None:
    """A parcel is in one shipment, and a shipment belongs to one order."""
    since = case.resources.clock() - NUMBERED_ANEW
    for other in case.resources.ledger.shipment_owners(
        shipment_order_id, numbers, since=since
    ):
        if (ref := other.order_ref) == case.order.order_ref:
            continue
        if other.shipment_order_id == shipment_order_id:
            raise ResolutionRefused(
                f"shipment {shipment_order_id} is that of {ref} in this ledger already"
            )
        if taken := set(numbers) & set(other.tracking_numbers):
            raise ResolutionRefused(
                f"{', '.join(sorted(taken))} is the parcel of {ref} in this ledger already"
            )


async def _about_cancelling(case: Case) -> ResolutionRecord:
    effect = case.open_effect(K.CANCELLED)
    if effect is None or case.answer.kind is K.NOT_CANCELLED:
        return await case.not_done(effect, "cancellation")
    shown = await case.shown()
    if shown and shown.status not in (ServiceStatus.CLOSED, ServiceStatus.OTHER):
        raise case.contradicted(f"order {case.order.order_id} is {shown.status}")
    return case.record(effect, EffectStatus.DONE, OrderState.CANCELLED)


async def _about_refunding(case: Case) -> ResolutionRecord:
    effect, refund_id = case.open_effect(K.REFUND_ASKED), case.answer.value
    if effect is None or case.answer.kind is K.NOT_REFUNDED:
        return await case.not_done(effect, "refund")
    refund = refund_of(case.resources, effect)
    known = [
        one.refund_id
        for one in case.resources.ledger.refunds.of_orders([case.order.order_ref])
    ]
    if refund_id in [*known, *refund.earlier_refund_ids]:
        raise ResolutionRefused(
            f"refund {refund_id} is an earlier one of this order; give the id of the new one"
        )
    try:
        await after_sale_of(case.resources, refund.marketplace).read(refund_id)
    except Refused as error:
        raise ResolutionRefused(
            f"the service shows no refund {refund_id} ({error.message})"
        ) from error
    await case.require_same(effect, refund_id=refund_id)
    return case.record(
        effect, EffectStatus.DONE, OrderState.REFUNDING, proof={"refund_id": refund_id}
    )


CAME_BACK = "How much of what was paid has come back in all?"


async def _about_money_back(case: Case) -> ResolutionRecord:
    """The answer is the sum in all: given twice, it counts once. What a closed order
    does not give back is lost.
    """
    order, told = case.order, case.answer.amount or NOTHING
    refunds = case.resources.ledger.refunds.of_orders([order.order_ref])
    if order.state is OrderState.REFUNDED and told == order.refunded:
        return replace(case.record(None, EffectStatus.DONE, None), question=CAME_BACK)
    if (
        order.paid_minor is None
        or order.state not in MAY_ASK
        or any(one.state in UNDER_WAY for one in refunds)
    ):
        raise ResolutionRefused(
            f"{order.order_ref} is {order.state}: that money came back is told of a paid order, no refund of which is "
            "under way"
        )
    if not order.refunded <= told <= order.paid:
        raise ResolutionRefused(
            f"{told} in all can't have come back of {order.order_ref}: of {order.paid} {order.refunded} has already"
        )
    is_closed = await _is_closed(case, is_all=told >= order.paid)
    await _require_followed(case, refunds)
    refund = _came_back(order, told - order.refunded, refunds, case.resources.clock())
    after, why = state_after(order, [*refunds, refund])
    if not told.minor and not is_closed:
        raise case.contradicted(f"order {order.order_id} goes on")
    is_all = after is OrderState.REFUNDED
    state = after if is_all else OrderState.HELD if is_closed else None
    back = OrderUpdate.refunded(amount_minor=told.minor)
    said = because(ReasonCode.REST_IS_LOST, by=case.by, answer=case.answer.words)
    record = case.record(
        None, EffectStatus.DONE, state, back, why=why if is_all else said
    )
    return replace(
        record, question=CAME_BACK, refund=refund if refund.refunded.minor else None
    )


async def _is_closed(case: Case, *, is_all: bool) -> bool:
    """Whether the service shows the order closed or no more.

    One that goes on there must have a refund asked for elsewhere; where none are listed
    not all can have come back.
    """
    order, shown = case.order, await case.shown()
    for effect in case.effects:
        case.free(effect)
    if shown is None or shown.status in (ServiceStatus.CLOSED, ServiceStatus.OTHER):
        return shown is None or shown.status is ServiceStatus.CLOSED
    since, goes_on = (
        order.ordered_at or order.recorded_at,
        f"order {order.order_id} is {shown.status}",
    )
    if not isinstance(
        case.resources.offerings[order.marketplace].after_sale, ListsRefunds
    ):
        if is_all:
            raise case.contradicted(goes_on)
        return False
    if all(
        one.order_ref != order.order_ref
        for one in await unknown_refunds(case.resources, order.marketplace, since)
    ):
        raise case.contradicted(
            f"{goes_on}, and no refund of it was asked for elsewhere"
        )
    return False


async def _require_followed(case: Case, refunds: Sequence[Refund]) -> None:
    """Each refund must stand at the service as it was last followed: what came back of
    it would count twice.

    One that can't be followed, as it can't be read or is not believed, is left to the
    person.
    """
    for refund in (one for one in refunds if one.state in FOLLOWED and one.refund_id):
        try:
            shown = await after_sale_of(case.resources, refund.marketplace).read(
                refund.refund_id
            )
        except (Refused, UnknownRefundState):
            continue
        is_believed = max(shown.asked, shown.refunded) <= case.order.paid
        if is_believed and (shown.state, shown.refunded) != (
            refund.state,
            refund.refunded,
        ):
            raise case.contradicted(
                f"refund {refund.refund_id} is {shown.state}, {shown.refunded} came back. Follow it first: sourcing "
                "refunds"
            )


def _came_back(
    order: OrderRecord, back: Money, refunds: Sequence[Refund], at: datetime
) -> Refund:
    number = 1 + max(
        (one.number for one in refunds if one.part == ALL_LINES), default=0
    )
    return Refund(
        key=f"{order.order_ref}:all.{number}",
        order_ref=order.order_ref,
        marketplace=order.marketplace,
        order_id=str(order.order_id),
        part=ALL_LINES,
        number=number,
        lines=tuple(line.line_no for line in order.lines),
        kind=RefundKind.REFUND,
        state=RefundState.REFUNDED,
        goods_amount=back,
        approved=back,
        refunded=back,
        state_before=order.state,
        settled_at=at,
    )


async def _about_any(case: Case) -> ResolutionRecord:
    """An effect without an answer of its own, named by its key: it moves no order."""
    found = next(
        (
            one
            for one in case.effects
            if one.key == case.answer.value and one.status in OPEN
        ),
        None,
    )
    if found is None:
        raise case.nothing_asked(f"effect {case.answer.value}")
    kind = kind_of(found)
    if kind.happened is not K.DONE:
        yes, no = kind.commands(case.order.order_ref, found.key)
        raise ResolutionRefused(f"answer with: {yes}, or: {no}")
    case.free(found)
    seen, shown = await case.read_back(found), await case.shown()
    if isinstance(seen, Proof) and case.answer.kind is K.NOT_DONE:
        raise case.contradicted(f"{found.key} happened. Run again to record that")
    if isinstance(seen, OwnRecord) and shown and case.answer.kind is K.DONE:
        raise case.contradicted(
            f"order {shown.order_id} is {shown.status}, and nothing of {found.key} is to be seen"
        )
    if case.answer.kind is K.DONE:
        return case.record(found, EffectStatus.DONE, None, proof={"told_by": case.by})
    case.require_clear(found, clear_from(case.resources, found), case.resources.clock())
    return case.record(found, EffectStatus.UNSENT, None)


_TAKEN_BY: Mapping[K, Callable[[Case], Awaitable[ResolutionRecord]]] = {
    K.ORDERED: _about_creating,
    K.NOT_ORDERED: _about_creating,
    K.PAID: _about_paying,
    K.NOT_PAID: _about_paying,
    K.BOOKED: _about_booking,
    K.NOT_BOOKED: _about_booking,
    K.CANCELLED: _about_cancelling,
    K.NOT_CANCELLED: _about_cancelling,
    K.REFUND_ASKED: _about_refunding,
    K.NOT_REFUNDED: _about_refunding,
    K.CAME_BACK: _about_money_back,
    K.DONE: _about_any,
    K.NOT_DONE: _about_any,
}
