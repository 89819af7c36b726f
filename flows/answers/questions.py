"""Open questions of the ledger about an order: what only a person may know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import Ledger
from domain.effects import OPEN, Action, EffectStatus, ResolutionRefused
from domain.reasons import ReasonCode
from domain.states import OrderState
from tasks.effects.create_by_reference import CreateByReference
from tasks.effects.kinds import kind_of

MAY_BE_DEBITED = (OrderState.PAYMENT_PENDING, OrderState.HELD, OrderState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """One fact about an order that only a person may know. `held_until` is set while a
    run works on it.
    """

    words: str
    commands: Sequence[str]
    since: datetime
    held_until: datetime | None = None


def order_of(ledger: Ledger, order_ref: str) -> OrderRecord:
    """The order. Raises `ResolutionRefused` where the ledger has none of that
    reference.
    """
    order = ledger.orders([order_ref]).get(order_ref)
    if order is None:
        raise ResolutionRefused(
            f"no order {order_ref} in the ledger; see all with: sourcing status"
        )
    return order


def open_questions(
    ledger: Ledger, order: OrderRecord, effects: Sequence[EffectRecord] | None = None
) -> list[OpenQuestion]:
    """The open questions of an order; `effects` are all of its own, where the caller
    has read them.
    """
    effects = ledger.effects_of([order.order_ref]) if effects is None else effects
    asked = [effect for effect in effects if effect.status in OPEN]
    if accepted := accepted_payment(order, effects):
        asked.append(accepted)
    questions = [_question_of(ledger, order, effect) for effect in asked]

    is_of_another = order.reason_code is ReasonCode.ALREADY_THERE
    if may_be_adopted(order, effects) and (is_of_another or is_several(effects)):
        words = CreateByReference.question(order.order_ref, None, "")
        ordered, _ = CreateByReference.commands(order.order_ref, "")
        questions.append(
            OpenQuestion(words=words, commands=[ordered], since=order.updated_at)
        )
    return questions


def _question_of(
    ledger: Ledger, order: OrderRecord, effect: EffectRecord
) -> OpenQuestion:
    kind = kind_of(effect)
    is_sending = effect.status is EffectStatus.SENDING
    is_held = is_sending and effect.lease_until > ledger.clock()
    return OpenQuestion(
        words=kind.question(order.order_ref, order.order_id, effect.part),
        commands=kind.commands(order.order_ref, effect.key),
        since=effect.intent_at,
        held_until=effect.lease_until if is_held else None,
    )


def accepted_payment(
    order: OrderRecord, effects: Sequence[EffectRecord]
) -> EffectRecord | None:
    """The payment that the service accepted, of an order that it has not shown as paid
    since.
    """
    if order.paid_minor is not None or order.state not in MAY_BE_DEBITED:
        return None
    return newest_done(effects, Action.PAY)


def booking_by_person(
    order: OrderRecord, effects: Sequence[EffectRecord]
) -> EffectRecord | None:
    """The booking that only a person has answered for, who may take it back."""
    if order.state not in (OrderState.BOOKED, OrderState.HELD):
        return None
    booking = newest_done(effects, Action.BOOK)
    return booking if booking and "told_by" in (booking.answer or {}) else None


def newest_done(effects: Sequence[EffectRecord], action: Action) -> EffectRecord | None:
    """The last attempt of an action that happened."""
    done = [
        effect
        for effect in effects
        if effect.action is action and effect.status is EffectStatus.DONE
    ]
    return max(done, key=lambda effect: effect.attempt, default=None)


def may_be_adopted(order: OrderRecord, effects: Sequence[EffectRecord]) -> bool:
    """Whether the ledger has no order id, or one of an order in part, and no create
    that may still bring another.
    """
    is_without = order.order_id is None
    is_in_part = order.reason_code is ReasonCode.ORDERED_IN_PART
    is_creating = any(
        effect.action is Action.CREATE and effect.status in OPEN for effect in effects
    )
    return (is_without or is_in_part) and not is_creating


def is_several(effects: Sequence[EffectRecord]) -> bool:
    """Whether creating has made several orders, or one without an id."""
    return newest_done(effects, Action.CREATE) is not None
