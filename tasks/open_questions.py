"""What only a person can find out about an order, as far as the ledger alone shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import Ledger
from domain.effects import OPEN, Action, EffectStatus
from domain.reasons import ReasonCode
from domain.states import OrderState
from tasks.effects.create import Create
from tasks.effects.kinds import kind_of


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """One fact about an order that only a person may know. `held_until` is set while a run works on it."""

    words: str
    commands: Sequence[str]
    since: datetime
    held_until: datetime | None = None


def open_questions(
    ledger: Ledger, order: OrderRecord, effects: Sequence[EffectRecord] | None = None
) -> list[OpenQuestion]:
    """The open questions of an order; `effects` are all of its own, where the caller has read them."""
    effects = ledger.effects_of([order.order_ref]) if effects is None else effects
    asked = [_question_of(ledger, order, effect) for effect in effects if effect.status in OPEN]
    if dropped := accepted_payment(order, effects):
        asked.append(_question_of(ledger, order, dropped))
    if may_be_adopted(order, effects) and (order.reason_code is ReasonCode.ALREADY_THERE or is_several(effects)):
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


def accepted_payment(order: OrderRecord, effects: Sequence[EffectRecord]) -> EffectRecord | None:
    """The payment that the service accepted, of an order that it has not shown as paid since."""
    if order.state is not OrderState.PAYMENT_PENDING or order.paid_minor is not None:
        return None
    return newest_done(effects, Action.PAY)


def newest_done(effects: Sequence[EffectRecord], action: Action) -> EffectRecord | None:
    """The last attempt of an action that happened."""
    done = [effect for effect in effects if effect.action is action and effect.status is EffectStatus.DONE]
    return max(done, key=lambda effect: effect.attempt, default=None)


def may_be_adopted(order: OrderRecord, effects: Sequence[EffectRecord]) -> bool:
    """Whether the ledger has no order id, and no create that may still bring one."""
    return order.order_id is None and not any(e.action is Action.CREATE and e.status in OPEN for e in effects)


def is_several(effects: Sequence[EffectRecord]) -> bool:
    """Whether creating has made several orders, or one without an id."""
    return newest_done(effects, Action.CREATE) is not None
