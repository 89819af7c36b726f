"""Take a person's answer about an order: checked against what the service shows, then written with what it settles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.ledger.answers import AnswerRecord
from connectors.ledger.order_facts import Approved, Booked, Fact, NotBooked, Ordered, Paid
from connectors.ledger.records import EffectRecord, Intent, OrderRecord
from connectors.ledger.store import Ledger
from connectors.xportcn.errors import Refused
from domain.answers import Answer, AnswerKind, AnswerRefused
from domain.effects import OPEN, Action, EffectStatus
from domain.money import Money
from domain.service_orders import ServiceOrder, ServiceStatus, Shipment
from domain.states import OrderState, can_move
from tasks.answer_checks import (
    answer_record,
    contradicted,
    free,
    nothing_asked,
    open_effect,
    require_absent,
    require_clear,
    shown_of,
)
from tasks.effects.after_sale import after_sale_of, refund_of
from tasks.effects.cart_line import AddToCart
from tasks.effects.create import Create
from tasks.effects.kind import Attempt
from tasks.effects.kinds import kind_of
from tasks.effects.protocol import clear_from
from tasks.effects.refund import AskRefund
from tasks.follow_refunds import take_outcome
from tasks.resources import Resources
from tasks.strangers import ALREADY_THERE


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """One thing about an order that nothing but a person may know. `held_until` is set while a run works on it."""

    words: str
    commands: Sequence[str]
    since: datetime
    held_until: datetime | None = None


def open_questions(ledger: Ledger, order: OrderRecord) -> list[OpenQuestion]:
    """What may be answered about an order, as far as the ledger alone can tell."""
    effects = ledger.effects_of([order.order_ref])
    asked = [_question_of(ledger, order, effect) for effect in effects if effect.status in OPEN]
    if dropped := _accepted_payment(order, effects):
        asked.append(_question_of(ledger, order, dropped))
    if _may_be_adopted(order, effects) and (order.reason.startswith(ALREADY_THERE) or _is_several(effects)):
        words, commands = Create.question(order.order_ref, None, ""), Create.commands(order.order_ref, "")[:1]
        asked.append(OpenQuestion(words=words, commands=commands, since=order.updated_at))
    return asked


def _question_of(ledger: Ledger, order: OrderRecord, effect: EffectRecord) -> OpenQuestion:
    is_held = effect.status is EffectStatus.SENDING and effect.lease_until > ledger.clock()
    return OpenQuestion(
        words=kind_of(effect).question(order.order_ref, order.order_id, effect.part),
        commands=kind_of(effect).commands(order.order_ref, effect.key),
        since=effect.intent_at,
        held_until=effect.lease_until if is_held else None,
    )


async def take_answer(resources: Resources, order_ref: str, answer: Answer, *, by: str) -> OrderRecord:
    """Write an answer and what it settles; answers the order afterwards.

    Raises `AnswerRefused` for an answer that nothing asked for, that comes too early, or that the service contradicts.
    """
    order = _order(resources, order_ref)
    effects = resources.ledger.effects_of([order_ref])
    record = await _TAKEN_BY[answer.kind](resources, order, effects, answer, by)
    dead = await asyncio.to_thread(resources.dead_owners, [order_ref])
    if not await asyncio.to_thread(resources.ledger.answers.record, record, dead_owners=dead):
        raise AnswerRefused(f"another run has just dealt with it; look again: sourcing status {order_ref}")
    if record.effect and AskRefund.owns(record.effect.part) and (refund := refund_of(resources, record.effect)):
        await take_outcome(resources, refund)
    return _order(resources, order_ref)


def _order(resources: Resources, order_ref: str) -> OrderRecord:
    order = resources.ledger.orders([order_ref]).get(order_ref)
    if order is None:
        raise AnswerRefused(f"no order {order_ref} in the ledger; see all with: sourcing status")
    return order


# what is asked


def _accepted_payment(order: OrderRecord, effects: Sequence[EffectRecord]) -> EffectRecord | None:
    """The payment that the service accepted, of an order that it has not shown as paid since."""
    if order.state is not OrderState.PAYMENT_PENDING or order.paid_minor is not None:
        return None
    done = [e for e in effects if e.action is Action.PAY and e.status is EffectStatus.DONE]
    return max(done, key=lambda effect: effect.attempt, default=None)


def _may_be_adopted(order: OrderRecord, effects: Sequence[EffectRecord]) -> bool:
    """Whether the ledger has no order id, and no create that may still bring one."""
    return order.order_id is None and not any(e.action is Action.CREATE and e.status in OPEN for e in effects)


def _is_several(effects: Sequence[EffectRecord]) -> bool:
    return any(effect.action is Action.CREATE and effect.status is EffectStatus.DONE for effect in effects)


# what an answer makes of it


async def _about_creating(
    resources: Resources, order: OrderRecord, effects: Sequence[EffectRecord], answer: Answer, by: str
) -> AnswerRecord:
    effect = open_effect(resources, order, effects, AnswerKind.ORDERED)
    if answer.kind is AnswerKind.NOT_ORDERED:
        if effect is None:
            raise nothing_asked(order, "creation")
        return await _did_not_happen(resources, order, effect, answer, by)
    if effect is None and not _may_be_adopted(order, effects):
        raise nothing_asked(order, "creation")
    shown = await _require_order(resources, order, answer.value)
    facts: list[Fact] = [Ordered(order_id=shown.order_id, total=shown.total, at=shown.created_at or resources.clock())]
    most = order.payable
    if order.approved_minor is None:
        most = _approved_by(order, answer, shown)
        facts.append(Approved(amount=most))
    intent = None
    if effect is None and not _is_several(effects):
        intent = Intent(order_ref=order.order_ref, action=Action.CREATE, amount=most, request_hash=order.fingerprint)
    proof = {"order_ids": [shown.order_id], "total": str(shown.total)}
    state = OrderState.ORDERED if can_move(order.state, OrderState.ORDERED) else OrderState.HELD
    return answer_record(
        order, answer, by, effect=effect, status=EffectStatus.DONE, state=state, facts=facts,
        proof=proof, intent=intent,
    )  # fmt: skip


async def _require_order(resources: Resources, order: OrderRecord, order_id: str) -> ServiceOrder:
    """The order that a person names, which must be there, be ours, and be nobody else's."""
    if not order.lines:
        raise AnswerRefused(f"{order.order_ref} has no plan to go by: run its request file once more, then answer")
    for other in resources.ledger.all_orders().values():
        if other.order_id == order_id and other.marketplace is order.marketplace:
            raise AnswerRefused(f"order {order_id} is {other.order_ref} in this ledger already")
    channel = resources.offerings[order.marketplace].channel
    shown = (await channel.read([order_id])).get(order_id)
    if shown is None:
        raise AnswerRefused(f"{order.marketplace} shows no order {order_id}: give the id as the console has it")
    if shown.names and order.order_ref not in shown.names:
        raise contradicted(order, f"order {order_id} carries reference {shown.names[0]}")
    since = min(order.recorded_at, shown.created_at or order.recorded_at) - timedelta(days=1)
    named = (await channel.find([order.order_ref], since=since)).found.get(order.order_ref, [])
    others = [one.order_id for one in named if one.status is not ServiceStatus.CLOSED and one.order_id != order_id]
    if others:
        raise AnswerRefused(
            f"{order.marketplace} also shows {', '.join(others)} for {order.order_ref}: cancel all others first"
        )
    return shown


def _approved_by(order: OrderRecord, answer: Answer, shown: ServiceOrder) -> Money:
    """What a person lets an order cost that this ledger has no approval for."""
    if answer.amount is None:
        raise AnswerRefused(
            f"nothing is approved for {order.order_ref}, and order {shown.order_id} costs {shown.total}: say how much "
            f"it may cost with --up-to {shown.total.major}"
        )
    taken = (shown.paid or shown.total) if shown.status.is_paid else Money(0)
    if answer.amount < taken:
        raise AnswerRefused(f"order {shown.order_id} is paid with {taken} already: --up-to {taken.major} at least")
    return answer.amount


async def _about_paying(
    resources: Resources, order: OrderRecord, effects: Sequence[EffectRecord], answer: Answer, by: str
) -> AnswerRecord:
    effect = open_effect(resources, order, effects, AnswerKind.PAID)
    accepted = _accepted_payment(order, effects) if effect is None else None
    if effect is None and accepted is None:
        raise nothing_asked(order, "payment")
    asked_at = resources.clock()
    shown = await shown_of(resources, order)
    if answer.kind is AnswerKind.PAID:
        return _paid(order, effect or accepted, answer, shown, by)
    if shown and shown.status.is_paid:
        raise contradicted(order, f"order {order.order_id} is paid. Run again to record that")
    if shown and shown.status is ServiceStatus.PAYMENT_PENDING:
        raise contradicted(order, f"order {order.order_id} has a payment that is not yet confirmed. Look again later")
    if effect is not None:
        require_clear(effect, clear_from(resources, effect), asked_at)
        return answer_record(order, answer, by, effect=effect, status=EffectStatus.UNSENT, state=OrderState.ORDERED)
    assert accepted is not None
    settle = timedelta(seconds=resources.settings.settle_s)
    require_clear(accepted, (accepted.settled_at or accepted.intent_at) + settle, asked_at)
    reason = f"{by} answered: {answer.words}. The service dropped the payment it had accepted; run again to pay"
    return answer_record(
        order, answer, by, effect=accepted, status=EffectStatus.REFUSED, state=OrderState.HELD, reason=reason
    )


def _paid(
    order: OrderRecord, effect: EffectRecord | None, answer: Answer, shown: ServiceOrder | None, by: str
) -> AnswerRecord:
    told = answer.amount or Money(0)
    if shown and shown.status in (ServiceStatus.BUILDING, ServiceStatus.UNPAID):
        raise contradicted(order, f"order {order.order_id} is {shown.status}")
    if shown and shown.status.is_paid and (amount := shown.taken) and amount != told:
        raise contradicted(order, f"order {order.order_id} is paid with {amount}: answer --paid {amount.major}")
    fact = Paid(amount=told, at=shown.paid_at if shown else None)
    state, reason = OrderState.PAID, ""
    if told > order.payable:
        state = OrderState.HELD
        reason = f"the service took {told}, approved was {order.payable}: ask for the difference back"
    return answer_record(
        order, answer, by, effect=effect, status=EffectStatus.DONE, state=state, facts=[fact], reason=reason,
        proof={"told_by": by},
    )  # fmt: skip


async def _about_booking(
    resources: Resources, order: OrderRecord, effects: Sequence[EffectRecord], answer: Answer, by: str
) -> AnswerRecord:
    effect = open_effect(resources, order, effects, AnswerKind.BOOKED)
    if answer.kind is AnswerKind.NOT_BOOKED:
        return await _not_booked(resources, order, effect or _told_booking(order, effects), answer, by)
    if effect is None:
        raise nothing_asked(order, "booking")
    shown = await shown_of(resources, order)
    shipment = _shipment_told(resources, order, answer, shown.shipments if shown else ())
    return answer_record(
        order, answer, by, effect=effect, status=EffectStatus.DONE, state=OrderState.BOOKED,
        facts=[Booked(shipment=shipment, at=resources.clock())],
        proof={"shipment_order_id": answer.value, "told_by": by},
        reason=f"{by} found that it was booked as {answer.value}",
    )  # fmt: skip


def _told_booking(order: OrderRecord, effects: Sequence[EffectRecord]) -> EffectRecord | None:
    """The booking that nobody but a person has told of, so that a person may take it back."""
    if order.state not in (OrderState.BOOKED, OrderState.HELD):
        return None
    done = [e for e in effects if e.action is Action.BOOK and e.status is EffectStatus.DONE]
    last = max(done, key=lambda effect: effect.attempt, default=None)
    return last if last and "told_by" in (last.answer or {}) else None


async def _not_booked(
    resources: Resources, order: OrderRecord, effect: EffectRecord | None, answer: Answer, by: str
) -> AnswerRecord:
    if effect is None:
        raise nothing_asked(order, "booking")
    await require_absent(resources, effect, order)
    reason = f"{by} found that it was not booked; run again to book it"
    if effect.status is not EffectStatus.DONE:
        return answer_record(
            order, answer, by, effect=effect, status=EffectStatus.UNSENT, state=OrderState.PAID, reason=reason
        )
    return answer_record(
        order, answer, by, effect=effect, status=EffectStatus.REFUSED, state=OrderState.HELD, reason=reason,
        facts=[NotBooked()],
    )  # fmt: skip


def _shipment_told(resources: Resources, order: OrderRecord, answer: Answer, shown: Sequence[Shipment]) -> Shipment:
    """The shipment that a person names: what the service shows of it, else as it was typed."""
    numbers = tuple(number.strip() for number in answer.tracking if number.strip())
    if not numbers:
        raise AnswerRefused("give the tracking number that the warehouse console shows: --tracking NUMBER")
    _require_nobody_elses(resources, order, answer.value, numbers)
    if not shown:
        return Shipment(shipment_order_id=answer.value, tracking_numbers=numbers)
    found = next((shipment for shipment in shown if shipment.shipment_order_id == answer.value), None)
    if found is None:
        raise contradicted(order, f"shipment {', '.join(one.shipment_order_id for one in shown)}")
    if found.tracking_numbers and set(found.tracking_numbers) != set(numbers):
        raise contradicted(order, f"shipment {answer.value} with {', '.join(found.tracking_numbers)}")
    return found if found.tracking_numbers else replace(found, tracking_numbers=numbers)


def _require_nobody_elses(
    resources: Resources, order: OrderRecord, shipment_order_id: str, numbers: Sequence[str]
) -> None:
    """A parcel is in one shipment, and a shipment belongs to one order."""
    for other in resources.ledger.all_orders().values():
        if other.order_ref == order.order_ref:
            continue
        if other.shipment_order_id == shipment_order_id:
            raise AnswerRefused(f"shipment {shipment_order_id} is that of {other.order_ref} in this ledger already")
        if taken := set(numbers) & set(other.tracking_numbers):
            raise AnswerRefused(f"{', '.join(sorted(taken))} is the parcel of {other.order_ref} in this ledger already")


async def _about_cancelling(
    resources: Resources, order: OrderRecord, effects: Sequence[EffectRecord], answer: Answer, by: str
) -> AnswerRecord:
    effect = open_effect(resources, order, effects, AnswerKind.CANCELLED)
    if effect is None:
        raise nothing_asked(order, "cancellation")
    if answer.kind is AnswerKind.NOT_CANCELLED:
        return await _did_not_happen(resources, order, effect, answer, by)
    shown = await shown_of(resources, order)
    if shown and shown.status not in (ServiceStatus.CLOSED, ServiceStatus.OTHER):
        raise contradicted(order, f"order {order.order_id} is {shown.status}")
    return answer_record(order, answer, by, effect=effect, status=EffectStatus.DONE, state=OrderState.CANCELLED)


async def _about_refunding(
    resources: Resources, order: OrderRecord, effects: Sequence[EffectRecord], answer: Answer, by: str
) -> AnswerRecord:
    effect = open_effect(resources, order, effects, AnswerKind.REFUND_ASKED)
    refund = refund_of(resources, effect) if effect else None
    if effect is None or refund is None:
        raise nothing_asked(order, "refund")
    if answer.kind is AnswerKind.NOT_REFUNDED:
        return await _did_not_happen(resources, order, effect, answer, by)
    known = [one.refund_id for one in resources.ledger.refunds.of_orders([order.order_ref])]
    if answer.value in [*known, *refund.earlier_refund_ids]:
        raise AnswerRefused(f"refund {answer.value} is an earlier one of this order; give the id of the new one")
    try:
        await after_sale_of(resources, refund.marketplace).read(answer.value)
    except Refused as error:
        raise AnswerRefused(f"the service shows no refund {answer.value} ({error.message})") from error
    return answer_record(
        order, answer, by, effect=effect, status=EffectStatus.DONE, state=OrderState.REFUNDING,
        proof={"refund_id": answer.value},
    )  # fmt: skip


async def _did_not_happen(
    resources: Resources, order: OrderRecord, effect: EffectRecord, answer: Answer, by: str
) -> AnswerRecord:
    await require_absent(resources, effect, order)
    state = kind_of(effect)(resources).state_if_not_done(Attempt(order, effect))
    return answer_record(order, answer, by, effect=effect, status=EffectStatus.UNSENT, state=state)


async def _about_any(
    resources: Resources, order: OrderRecord, effects: Sequence[EffectRecord], answer: Answer, by: str
) -> AnswerRecord:
    """An effect without an answer of its own, named by its key: nothing of it moves the order."""
    found = next((effect for effect in effects if effect.key == answer.value and effect.status in OPEN), None)
    if found is None:
        raise nothing_asked(order, f"effect {answer.value}")
    kind = kind_of(found)
    if kind.happened is not AnswerKind.DONE:
        yes, no = kind.commands(order.order_ref, found.key)
        raise AnswerRefused(f"answer with: {yes}, or: {no}")
    if kind is AddToCart:
        raise AnswerRefused("the cart itself tells: lay the order into it again with sourcing cart add")
    free(resources, order, found)
    if answer.kind is AnswerKind.NOT_DONE:
        require_clear(found, clear_from(resources, found), resources.clock())
        return answer_record(order, answer, by, effect=found, status=EffectStatus.UNSENT, state=None)
    return answer_record(order, answer, by, effect=found, status=EffectStatus.DONE, state=None, proof={"told_by": by})


_Take = Callable[[Resources, OrderRecord, Sequence[EffectRecord], Answer, str], Awaitable[AnswerRecord]]
_TAKEN_BY: Mapping[AnswerKind, _Take] = {
    AnswerKind.ORDERED: _about_creating,
    AnswerKind.NOT_ORDERED: _about_creating,
    AnswerKind.PAID: _about_paying,
    AnswerKind.NOT_PAID: _about_paying,
    AnswerKind.BOOKED: _about_booking,
    AnswerKind.NOT_BOOKED: _about_booking,
    AnswerKind.CANCELLED: _about_cancelling,
    AnswerKind.NOT_CANCELLED: _about_cancelling,
    AnswerKind.REFUND_ASKED: _about_refunding,
    AnswerKind.NOT_REFUNDED: _about_refunding,
    AnswerKind.DONE: _about_any,
    AnswerKind.NOT_DONE: _about_any,
}
