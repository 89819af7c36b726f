"""A person's answer about an order: one row a kind of answer says which effect it is
about, and what it must stand up to and makes of the order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from connectors.ledger.order_update import NOTHING as NO_FACTS
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import plan_hash
from connectors.ledger.records import EffectRecord, Intent, OrderChange, OrderRecord
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
from domain.decisions import PAID_FOR_NOTHING, judge_paid
from domain.effects import OPEN, Action, EffectStatus, Resolution, ResolutionRefused
from domain.effects import ResolutionKind as K
from domain.money import Money
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus, Shipment
from domain.states import OrderState, can_move
from domain.witnessed import Amount, Paid, Source, Statement, agreed_taken
from flows.answers.questions import (
    accepted_payment,
    booking_by_person,
    is_several,
    may_be_adopted,
    order_of,
)
from tasks.effects.book import Book, booked, freight_of
from tasks.effects.create_by_reference import CreateByReference, in_part
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting
from tasks.effects.kinds import kind_of
from tasks.effects.pay import taken_above_approved
from tasks.effects.reading_orders import read_orders
from tasks.effects.refund import AskRefund, after_sale_of, refund_of
from tasks.effects.refund_states import (
    state_after,
    take_outcome,
    withdraw_unless_booked,
)
from tasks.engine.resources import Resources
from tasks.reconcile import unknown_refunds
from tasks.snapshot import write_tables

Effects = Sequence[EffectRecord]
BY_KEY = (K.DONE, K.NOT_DONE)
UNASKED: Mapping[K, type[EffectKind]] = {K.ORDERED: CreateByReference, K.BOOKED: Book}
"""The kinds of which an effect may be answered for that this ledger has not."""
REFUSED_BY_FINANCE = {"status": ServiceStatus.PAYMENT_REFUSED}
CAME_BACK = "How much of what was paid has come back in all?"
NOT_PAID_THERE = (
    ServiceStatus.BUILDING,
    ServiceStatus.UNPAID,
    ServiceStatus.PAYMENT_REFUSED,
)


async def resolve(
    resources: Resources, order_ref: str, answer: Resolution, *, by: str
) -> OrderRecord:
    """Record an answer and what it settles; answers the order afterwards.

    Raises `ResolutionRefused` for an answer without a question, that comes too early,
    or that the service contradicts.
    """
    ledger = resources.ledger
    record = await checked_answer(resources, order_ref, answer, by=by)
    if record.refund and record.change.state is not OrderState.REFUNDED:
        await asyncio.to_thread(withdraw_unless_booked, resources, order_ref)
    dead = await asyncio.to_thread(resources.dead_owners, [order_ref])
    if not await asyncio.to_thread(ledger.resolutions.record, record, dead_owners=dead):
        raise ResolutionRefused(
            f"another run has just dealt with it; look again: sourcing status {order_ref}"
        )
    if record.effect and kind_of(record.effect) is AskRefund:
        await take_outcome(resources, refund_of(resources, record.effect), is_over=True)
    await write_tables(resources, "answered")
    return order_of(resources.ledger, order_ref)


async def checked_answer(
    resources: Resources, order_ref: str, answer: Resolution, *, by: str
) -> ResolutionRecord:
    """The record of an answer, once the service was read and contradicts nothing.
    Writes nothing. Raises `ResolutionRefused` as `resolve` does.
    """
    order = order_of(resources.ledger, order_ref)
    effects = resources.ledger.effects_of([order_ref])
    row = ANSWERS.get(answer.kind, Answer())
    effect = _newest_open(effects, answer) or row.else_about(order, effects)
    if effect is None and not row.may_be_unasked(order, effects):
        raise ResolutionRefused(
            f"{order_ref} has no question that waits for an answer {answer.words}; "
            f"see: sourcing resolve {order_ref}"
        )
    case = Case(resources, order, effects, answer, by, effect)
    if effect:
        case.require_free(effect)
    return await row.take(case)


def _newest_open(
    effects: Sequence[EffectRecord], answer: Resolution
) -> EffectRecord | None:
    """The newest effect without an outcome that is answered so, and which the answer
    names where its kind has no answer of its own.
    """
    asked = [
        effect
        for effect in effects
        if effect.status in OPEN
        and answer.kind in (kind_of(effect).happened, kind_of(effect).did_not_happen)
        and (answer.kind not in BY_KEY or effect.key == answer.value)
    ]
    return max(asked, key=lambda effect: effect.attempt, default=None)


@dataclass(frozen=True, slots=True)
class Case:
    """The answer of a person (`by`) about an order with these effects: about the
    `asked` one, if any.
    """

    resources: Resources
    order: OrderRecord
    effects: Sequence[EffectRecord]
    answer: Resolution
    by: str
    asked: EffectRecord | None

    @property
    def effect(self) -> EffectRecord:
        assert self.asked is not None, "this is answered of an effect alone"
        return self.asked

    @property
    def attempt(self) -> Attempt:
        return Attempt(self.order, self.effect)

    def require_free(self, effect: EffectRecord) -> None:
        """Raise `ResolutionRefused` while a living run holds the effect: it may be
        about to learn the answer.
        """
        ref = self.order.order_ref
        is_leased = effect.status in OPEN and (
            effect.lease_until > self.resources.clock()
        )
        if is_leased and effect.owner not in self.resources.dead_owners([ref]):
            raise ResolutionRefused(
                f"a run is at work on {effect.key} ({effect.owner}) and has it until "
                f"{effect.lease_until:%Y-%m-%d %H:%M:%S} UTC: let it end, then look again: "
                f"sourcing resolve {ref}"
            )

    def contradicted(self, shown: str) -> ResolutionRefused:
        return ResolutionRefused(
            f"the service shows the opposite: {shown}. Nothing was written; see: sourcing "
            f"status {self.order.order_ref}"
        )

    async def shown(self) -> ServiceOrder | None:
        """The order as the service shows it now."""
        orders = await read_orders(self.resources, [self.order])
        return orders.get(self.order.order_ref)

    async def read_back(self) -> Sighting | None:
        """What the service shows of the effect now."""
        kind = kind_of(self.effect)(self.resources)
        return (await kind.read_back([self.attempt])).get(self.effect.key)

    def record(
        self,
        status: EffectStatus,
        state: OrderState | None,
        facts: OrderUpdate = NO_FACTS,
        *,
        proof: dict[str, Any] | None = None,
        why: Reason | None = None,
        then: str = "",
    ) -> ResolutionRecord:
        """The record of the answer: the order goes to that state where it can, and else
        stays.
        """
        order, effect, answer = self.order, self.asked, self.answer
        kind = kind_of(effect) if effect else UNASKED.get(answer.kind)
        part = effect.part if effect else ""
        to = state if state is not None and can_move(order.state, state) else None
        why = why or because(
            ReasonCode.ANSWERED, by=self.by, answer=answer.words, then=then
        )
        return ResolutionRecord(
            by=self.by,
            question=kind.question(order.order_ref, order.order_id, part)
            if kind
            else CAME_BACK,
            answer=answer.words,
            status=status,
            proof=proof,
            effect=effect,
            change=OrderChange(
                order_ref=order.order_ref,
                state=to,
                expected=order.state,
                why=why,
                writes=facts,
            ),
        )


async def _did_not_happen(case: Case) -> ResolutionRecord:
    """The order is as it was before the effect, which can happen no more. One that was
    done as far as this ledger knew is taken back, and may be begun anew.
    """
    order, effect, resources = case.order, case.effect, case.resources
    is_open = effect.status in OPEN
    sent_by = effect.leaves_by if is_open else effect.settled_at or effect.intent_at
    clear_at = sent_by + timedelta(seconds=resources.settings.settle_s)
    if resources.clock() < clear_at:
        raise ResolutionRefused(
            f"{effect.key} may still arrive until {clear_at:%Y-%m-%d %H:%M:%S} UTC, so "
            "it is not proven yet that it did not: try again after that"
        )
    ref, action = order.order_ref, effect.action
    if action is Action.BOOK and resources.ledger.forgotten.known([ref]):
        raise ResolutionRefused(
            f"the receiver of {ref} was forgotten, so it could not be booked again: ask for "
            f"the money back (sourcing refund {ref})"
        )
    seen = await case.read_back()
    if seen == PAID_FOR_NOTHING:
        raise case.contradicted(f"order {order.order_id} is paid")
    if isinstance(seen, Proof) and seen.answer != REFUSED_BY_FINANCE:
        words = ", ".join(f"{name} {value}" for name, value in seen.answer.items())
        raise case.contradicted(f"it happened ({words}). Run again to record that")

    if is_open:
        state = kind_of(effect)(resources).state_if_not_done(case.attempt)
        return case.record(EffectStatus.UNSENT, state)
    if order.state is OrderState.CANCELLED:
        return case.record(EffectStatus.REFUSED, order.state)
    unbooked = OrderUpdate.not_booked()
    again = f"Run again to {action} it"
    return case.record(EffectStatus.REFUSED, OrderState.HELD, unbooked, then=again)


async def _ordered(case: Case) -> ResolutionRecord:
    order = case.order
    told = case.answer.amount
    shown = await _require_order(case)
    at = shown.created_at or case.resources.clock()
    facts = OrderUpdate.ordered(order_id=shown.order_id, total=shown.total, at=at)
    if told is None and (why := in_part(order, shown)):
        raise ResolutionRefused(str(why))

    most = order.payable
    is_lowered = told is not None and told < most
    if order.approved_minor is None or is_lowered:
        most = _approved_by(case, shown)
        plan = OrderUpdate.plan_approved(order.plan_hash or plan_hash(order.plan))
        facts |= OrderUpdate.approved(amount=most) | plan

    may_be_paid = can_move(order.state, OrderState.ORDERED)
    record = case.record(
        EffectStatus.DONE,
        OrderState.ORDERED if may_be_paid else OrderState.HELD,
        facts,
        proof={"order_ids": [shown.order_id], "total": str(shown.total)},
    )
    if case.asked or is_several(case.effects):
        return record
    intent = Intent(
        order_ref=order.order_ref,
        action=Action.CREATE,
        amount=most,
        request_hash=order.fingerprint,
    )
    return replace(record, intent=intent)


async def _require_order(case: Case) -> ServiceOrder:
    """The order that a person names, which must be there, be ours, and belong to no
    other order.
    """
    order = case.order
    order_id = case.answer.value
    ref = order.order_ref
    if not order.lines:
        raise ResolutionRefused(
            f"{ref} has no plan to go by: run its request file once more, then answer"
        )
    for other in case.resources.ledger.orders_with_ids([order_id]).values():
        if other.marketplace is order.marketplace and other.order_ref != ref:
            raise ResolutionRefused(
                f"order {order_id} is {other.order_ref} in this ledger already"
            )
    channel = case.resources.offerings[order.marketplace].channel
    shown = (await channel.read([order_id])).get(order_id)
    if shown is None:
        raise ResolutionRefused(
            f"{order.marketplace} shows no order {order_id}: give the id as the console has it"
        )
    if shown.names and ref not in shown.names:
        raise case.contradicted(f"order {order_id} carries reference {shown.names[0]}")

    created_at = shown.created_at or order.recorded_at
    since = min(order.recorded_at, created_at) - timedelta(days=1)
    named = (await channel.find([ref], since=since)).found.get(ref, [])
    others = [
        one.order_id
        for one in named
        if one.status is not ServiceStatus.CLOSED and one.order_id != order_id
    ]
    if others:
        raise ResolutionRefused(
            f"{order.marketplace} also shows {', '.join(others)} for {ref}: cancel all "
            "others first"
        )
    return shown


def _approved_by(case: Case, service_order: ServiceOrder) -> Money:
    """The amount that a person lets an order cost that this ledger has no approval for,
    or one for more.
    """
    amount = case.answer.amount
    if amount is None:
        raise ResolutionRefused(
            f"nothing is approved for {case.order.order_ref}, and order {service_order.order_id} "
            f"costs {service_order.total}: say how much it may cost with --up-to {service_order.total.major}"
        )
    taken = service_order.costs if service_order.status.is_paid else Money(0)
    if amount < taken:
        raise ResolutionRefused(
            f"order {service_order.order_id} is paid with {taken} already: --up-to {taken.major} at "
            "least"
        )
    return amount


async def _paid(case: Case) -> ResolutionRecord:
    order = case.order
    told = case.answer.amount or Money(0)
    shown = await case.shown()
    proof = {"told_by": case.by}
    if shown and shown.status in NOT_PAID_THERE:
        debits = case.resources.client.settings.debits_at_once(order.marketplace)
        if case.effect.status not in OPEN or debits:
            raise case.contradicted(f"order {order.order_id} is {shown.status}")
        waits = because(
            ReasonCode.SAID_PAID,
            by=case.by,
            answer=case.answer.words,
            status=shown.status,
        )
        pending = OrderState.PAYMENT_PENDING
        return case.record(EffectStatus.DONE, pending, proof=proof, why=waits)

    owed = case.effect.amount or order.approved
    # one that contradicts what was owed is left to the person
    taken = shown.taken if shown and judge_paid(shown, owed, by_us=True) else None
    is_agreed = taken and isinstance(agreed_taken(owed, taken, is_ours=False), Amount)
    if taken and is_agreed and taken != told:
        raise case.contradicted(
            f"order {order.order_id} is paid with {taken}: answer paid {taken.major}"
        )
    verdict = Paid(
        order=Statement(source=Source.PERSON, value=told),
        ours=Statement(source=Source.LEDGER, value=owed),
    )
    facts = OrderUpdate.paid(verdict, amount=told, at=shown.paid_at if shown else None)
    why = taken_above_approved(order, told) if told > order.payable else None
    state = OrderState.HELD if why else OrderState.PAID
    return case.record(EffectStatus.DONE, state, facts, proof=proof, why=why)


async def _booked(case: Case) -> ResolutionRecord:
    order = case.order
    shown = await case.shown()
    shipment = _shipment_named(case, shown.shipments if shown else ())
    at = case.resources.clock()
    verdict = booked(order, shipment, Source.PERSON)
    facts = OrderUpdate.booked(verdict, shipment=shipment, at=at)
    return case.record(
        EffectStatus.DONE,
        OrderState.BOOKED,
        facts | freight_of(case.asked) if case.asked else facts,
        proof={"shipment_order_id": case.answer.value, "told_by": case.by},
    )


def _shipment_named(case: Case, shipments: Sequence[Shipment]) -> Shipment:
    """The shipment that a person names: what the service shows of it, else as it was
    typed. It is no other order's, and neither are its parcels.
    """
    named = case.answer.value
    numbers = case.answer.tracking
    since = case.resources.clock() - NUMBERED_ANEW
    for other in case.resources.ledger.shipment_owners(named, numbers, since=since):
        if other.order_ref != case.order.order_ref:
            raise ResolutionRefused(
                f"shipment {named}, or a parcel of {', '.join(numbers)}, is that of "
                f"{other.order_ref} in this ledger already"
            )
    typed = Shipment(shipment_order_id=named, tracking_numbers=numbers)
    listed = {shipment.shipment_order_id: shipment for shipment in shipments} or {
        named: typed
    }
    if named not in listed:
        raise case.contradicted(f"shipment {', '.join(listed)}")
    there = listed[named].tracking_numbers
    if there and {*there} != {*numbers}:
        raise case.contradicted(f"shipment {named} with {', '.join(there)}")
    return replace(listed[named], tracking_numbers=there or numbers)


async def _refund_asked(case: Case) -> ResolutionRecord:
    refund_id = case.answer.value
    refund = refund_of(case.resources, case.effect)
    refunds = case.resources.ledger.refunds.of_orders([case.order.order_ref])
    if refund_id in [*(one.refund_id for one in refunds), *refund.earlier_refund_ids]:
        raise ResolutionRefused(
            f"refund {refund_id} is an earlier one of this order; give the id of the new one"
        )
    try:
        await after_sale_of(case.resources, refund.marketplace).read(refund_id)
    except Refused as error:
        raise ResolutionRefused(
            f"the service shows no refund {refund_id} ({error.message})"
        ) from error
    seen = await case.read_back()
    if isinstance(seen, Proof) and seen.answer["refund_id"] != refund_id:
        raise case.contradicted(
            f"it happened with refund_id {seen.answer['refund_id']}"
        )
    proof = {"refund_id": refund_id}
    return case.record(EffectStatus.DONE, OrderState.REFUNDING, proof=proof)


async def _came_back(case: Case) -> ResolutionRecord:
    """The answer is the sum in all: given twice, it counts once. What a closed order
    does not give back is lost.
    """
    order = case.order
    told = case.answer.amount or NOTHING
    refunds = case.resources.ledger.refunds.of_orders([order.order_ref])
    if order.state is OrderState.REFUNDED and told == order.refunded:
        return case.record(EffectStatus.DONE, None)

    is_under_way = any(refund.state in UNDER_WAY for refund in refunds)
    if order.paid_minor is None or order.state not in MAY_ASK or is_under_way:
        raise ResolutionRefused(
            f"{order.order_ref} is {order.state}: that money came back is told of a paid "
            "order, no refund of which is under way"
        )
    if not order.refunded <= told <= order.paid:
        raise ResolutionRefused(
            f"{told} in all can't have come back of {order.order_ref}: of {order.paid} "
            f"{order.refunded} has already"
        )
    is_closed = await _is_closed(case, is_all=told >= order.paid)
    await _require_followed(case, refunds)
    refund = _refund_by_person(case, told - order.refunded, refunds)
    after, why = state_after(order, [*refunds, refund])
    if not told.minor and not is_closed:
        raise case.contradicted(f"order {order.order_id} goes on")

    state: OrderState | None = after
    if after is not OrderState.REFUNDED:
        state = OrderState.HELD if is_closed else None
        why = because(ReasonCode.REST_IS_LOST, by=case.by, answer=case.answer.words)
    facts = OrderUpdate.refunded(amount_minor=told.minor)
    record = case.record(EffectStatus.DONE, state, facts, why=why)
    return replace(record, refund=refund if refund.refunded.minor else None)


async def _is_closed(case: Case, *, is_all: bool) -> bool:
    """Whether the service shows the order closed or no more.

    One that goes on there must have a refund asked for elsewhere; where none are listed
    not all can have come back.
    """
    order = case.order
    shown = await case.shown()
    for effect in case.effects:
        case.require_free(effect)
    if shown is None or shown.status in (ServiceStatus.CLOSED, ServiceStatus.OTHER):
        return shown is None or shown.status is ServiceStatus.CLOSED

    goes_on = f"order {order.order_id} is {shown.status}"
    after_sale = case.resources.offerings[order.marketplace].after_sale
    if not isinstance(after_sale, ListsRefunds):
        if is_all:
            raise case.contradicted(goes_on)
        return False
    since = order.ordered_at or order.recorded_at
    elsewhere = await unknown_refunds(case.resources, order.marketplace, since)
    if order.order_ref not in [finding.order_ref for finding in elsewhere]:
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
        after_sale = after_sale_of(case.resources, refund.marketplace)
        try:
            shown = await after_sale.read(refund.refund_id)
        except (Refused, UnknownRefundState):
            continue
        is_believed = max(shown.asked, shown.refunded) <= case.order.paid
        is_known = (shown.state, shown.refunded) == (refund.state, refund.refunded)
        if is_believed and not is_known:
            raise case.contradicted(
                f"refund {refund.refund_id} is {shown.state}, {shown.refunded} came back. "
                "Follow it first: sourcing refunds"
            )


def _refund_by_person(case: Case, back: Money, refunds: Sequence[Refund]) -> Refund:
    order = case.order
    numbers = [refund.number for refund in refunds if refund.part == ALL_LINES]
    number = 1 + max(numbers, default=0)
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
        settled_at=case.resources.clock(),
    )


async def _done(case: Case) -> ResolutionRecord:
    """A person's word is enough, unless the service shows that it did not happen."""
    effect = case.effect
    seen = await case.read_back()
    shown = await case.shown()
    is_known = shown is not None and shown.status is not ServiceStatus.OTHER
    if isinstance(seen, OwnRecord) and shown and is_known:
        raise case.contradicted(
            f"order {shown.order_id} is {shown.status}, and nothing of {effect.key} is to "
            "be seen"
        )
    state = OrderState.CANCELLED if effect.action is Action.CANCEL else None
    return case.record(EffectStatus.DONE, state, proof={"told_by": case.by})


def _has_several_shipments(order: OrderRecord, _: Effects) -> bool:
    return order.reason_code is ReasonCode.SEVERAL_SHIPMENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One kind of answer, and what takes it. It is about the newest open effect that is
    answered so, `else_about` another. `may_be_unasked`: where it needs none.
    """

    take: Callable[[Case], Awaitable[ResolutionRecord]] = _did_not_happen
    else_about: Callable[[OrderRecord, Effects], EffectRecord | None] = lambda *_: None
    may_be_unasked: Callable[[OrderRecord, Effects], bool] = lambda *_: False


ANSWERS: Mapping[K, Answer] = {
    K.ORDERED: Answer(take=_ordered, may_be_unasked=may_be_adopted),
    K.PAID: Answer(take=_paid, else_about=accepted_payment),
    K.NOT_PAID: Answer(else_about=accepted_payment),
    K.BOOKED: Answer(take=_booked, may_be_unasked=_has_several_shipments),
    K.NOT_BOOKED: Answer(else_about=booking_by_person),
    K.CANCELLED: Answer(take=_done),
    K.REFUND_ASKED: Answer(take=_refund_asked),
    K.CAME_BACK: Answer(take=_came_back, may_be_unasked=lambda *_: True),
    K.DONE: Answer(take=_done),
}
"""All others say that it `_did_not_happen`."""
