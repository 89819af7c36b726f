"""What every answer of a person is checked by, and what is written of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from connectors.ledger.answers import AnswerRecord
from connectors.ledger.order_facts import Fact
from connectors.ledger.records import EffectRecord, Intent, OrderChange, OrderRecord
from domain.answers import Answer, AnswerKind, AnswerRefused
from domain.effects import OPEN, EffectStatus
from domain.service_orders import ServiceOrder
from domain.states import OrderState, can_move
from tasks.by_channel import read_orders
from tasks.effects.create import Create
from tasks.effects.kind import Attempt, Proof
from tasks.effects.kinds import kind_of
from tasks.effects.protocol import clear_from
from tasks.resources import Resources


def open_effect(
    resources: Resources, order: OrderRecord, effects: Sequence[EffectRecord], happened: AnswerKind
) -> EffectRecord | None:
    """The newest open effect that is told to have happened in this way, if no living run holds it."""
    found = [effect for effect in effects if effect.status in OPEN and kind_of(effect).happened is happened]
    return free(resources, order, max(found, key=lambda effect: effect.attempt)) if found else None


def free(resources: Resources, order: OrderRecord, effect: EffectRecord) -> EffectRecord:
    held = effect.status in OPEN and effect.lease_until > resources.clock()
    if held and effect.owner not in resources.dead_owners([order.order_ref]):
        raise AnswerRefused(
            f"a run is at work on {effect.key} ({effect.owner}) and has it until "
            f"{effect.lease_until:%Y-%m-%d %H:%M:%S} UTC: let it end, then look again: "
            f"sourcing resolve {order.order_ref}"
        )
    return effect


def nothing_asked(order: OrderRecord, what: str) -> AnswerRefused:
    return AnswerRefused(
        f"{order.order_ref} has no {what} that waits for an answer; see: sourcing resolve {order.order_ref}"
    )


async def shown_of(resources: Resources, order: OrderRecord) -> ServiceOrder | None:
    return (await read_orders(resources, [order])).get(order.order_ref)


def contradicted(order: OrderRecord, shown: str) -> AnswerRefused:
    return AnswerRefused(
        f"the service shows the opposite: {shown}. Nothing was written; see: sourcing status {order.order_ref}"
    )


def require_clear(effect: EffectRecord, clear_at: datetime, asked_at: datetime) -> None:
    """Raise `AnswerRefused` when the effect could still arrive after the service was asked."""
    if asked_at < clear_at:
        raise AnswerRefused(
            f"{effect.key} may still arrive until {clear_at:%Y-%m-%d %H:%M:%S} UTC, so nobody can know yet that it did "
            "not: look again after that"
        )


async def require_absent(resources: Resources, effect: EffectRecord, order: OrderRecord) -> None:
    """Raise `AnswerRefused` unless the service shows nothing of an effect that can arrive no more."""
    require_clear(effect, clear_from(resources, effect), resources.clock())
    seen = (await kind_of(effect)(resources).look([Attempt(order, effect)])).get(effect.key)
    if isinstance(seen, Proof):
        raise contradicted(order, f"it happened ({_words_of(seen)}). Run again to record that")


def _words_of(seen: Proof) -> str:
    return ", ".join(f"{name} {value}" for name, value in seen.answer.items())


def answer_record(
    order: OrderRecord,
    answer: Answer,
    by: str,
    *,
    effect: EffectRecord | None,
    status: EffectStatus,
    state: OrderState | None,
    facts: Sequence[Fact] = (),
    proof: dict[str, Any] | None = None,
    reason: str = "",
    intent: Intent | None = None,
) -> AnswerRecord:
    kind = kind_of(effect) if effect else Create
    told = reason or f"{by} answered: {answer.words}"
    to = state if state is not None and can_move(order.state, state) else None
    return AnswerRecord(
        order_ref=order.order_ref,
        by=by,
        question=kind.question(order.order_ref, order.order_id, effect.part if effect else ""),
        answer=answer.words,
        status=status,
        reason=told,
        proof=proof,
        effect=effect,
        intent=intent,
        change=OrderChange(order_ref=order.order_ref, state=to, reason=told, writes=tuple(facts)),
    )
