"""Open questions of the ledger, and what the service shows of an order that one is
about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.ledger.order_update import NOTHING, OrderUpdate
from connectors.ledger.records import EffectRecord, Intent, OrderChange, OrderRecord
from connectors.ledger.resolutions import ResolutionRecord
from connectors.ledger.store import Ledger
from domain.effects import (
    OPEN,
    Action,
    EffectStatus,
    Resolution,
    ResolutionKind,
    ResolutionRefused,
)
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder
from domain.states import OrderState, can_move
from tasks.effects.create_by_reference import CreateByReference
from tasks.effects.kind import Attempt, Proof, Sighting
from tasks.effects.kinds import kind_of
from tasks.effects.reading_orders import read_orders
from tasks.effects.settling import clear_from
from tasks.engine.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """One fact about an order that only a person may know. `held_until` is set while a
    run works on it.
    """

    words: str
    commands: Sequence[str]
    since: datetime
    held_until: datetime | None = None


def open_questions(
    ledger: Ledger, order: OrderRecord, effects: Sequence[EffectRecord] | None = None
) -> list[OpenQuestion]:
    """The open questions of an order; `effects` are all of its own, where the caller
    has read them.
    """
    effects = ledger.effects_of([order.order_ref]) if effects is None else effects
    asked = [
        _question_of(ledger, order, effect)
        for effect in effects
        if effect.status in OPEN
    ]
    if dropped := accepted_payment(order, effects):
        asked.append(_question_of(ledger, order, dropped))
    if may_be_adopted(order, effects) and (
        order.reason_code is ReasonCode.ALREADY_THERE or is_several(effects)
    ):
        words, commands = (
            CreateByReference.question(order.order_ref, None, ""),
            CreateByReference.commands(order.order_ref, "")[:1],
        )
        asked.append(
            OpenQuestion(words=words, commands=commands, since=order.updated_at)
        )
    return asked


def _question_of(
    ledger: Ledger, order: OrderRecord, effect: EffectRecord
) -> OpenQuestion:
    is_held = (
        effect.status is EffectStatus.SENDING and effect.lease_until > ledger.clock()
    )
    return OpenQuestion(
        words=kind_of(effect).question(order.order_ref, order.order_id, effect.part),
        commands=kind_of(effect).commands(order.order_ref, effect.key),
        since=effect.intent_at,
        held_until=effect.lease_until if is_held else None,
    )


MAY_BE_DEBITED = (OrderState.PAYMENT_PENDING, OrderState.HELD, OrderState.CANCELLED)


def accepted_payment(
    order: OrderRecord, effects: Sequence[EffectRecord]
) -> EffectRecord | None:
    """The payment that the service accepted, of an order that it has not shown as paid
    since.
    """
    if order.paid_minor is not None or order.state not in MAY_BE_DEBITED:
        return None
    return newest_done(effects, Action.PAY)


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
    is_open = order.order_id is None or order.reason_code is ReasonCode.ORDERED_IN_PART
    return is_open and not any(
        e.action is Action.CREATE and e.status in OPEN for e in effects
    )


def is_several(effects: Sequence[EffectRecord]) -> bool:
    """Whether creating has made several orders, or one without an id."""
    return newest_done(effects, Action.CREATE) is not None


@dataclass(frozen=True, slots=True)
class Case:
    """The answer of a person (`by`) about an order, with the order's effects."""

    resources: Resources
    order: OrderRecord
    effects: Sequence[EffectRecord]
    answer: Resolution
    by: str

    def open_effect(self, happened: ResolutionKind) -> EffectRecord | None:
        """The newest open effect that the answer says happened in this way, if no
        living run holds it.
        """
        found = [
            one
            for one in self.effects
            if one.status in OPEN and kind_of(one).happened is happened
        ]
        return (
            self.free(max(found, key=lambda effect: effect.attempt)) if found else None
        )

    def free(self, effect: EffectRecord) -> EffectRecord:
        """The effect. Raises `ResolutionRefused` while a living run holds it: it may be
        about to learn the answer.
        """
        held = effect.status in OPEN and effect.lease_until > self.resources.clock()
        if held and effect.owner not in self.resources.dead_owners(
            [self.order.order_ref]
        ):
            raise ResolutionRefused(
                f"a run is at work on {effect.key} ({effect.owner}) and has it until "
                f"{effect.lease_until:%Y-%m-%d %H:%M:%S} UTC: let it end, then look again: "
                f"sourcing resolve {self.order.order_ref}"
            )
        return effect

    def nothing_asked(self, what: str) -> ResolutionRefused:
        ref = self.order.order_ref
        return ResolutionRefused(
            f"{ref} has no {what} that waits for an answer; see: sourcing resolve {ref}"
        )

    def contradicted(self, shown: str) -> ResolutionRefused:
        return ResolutionRefused(
            f"the service shows the opposite: {shown}. Nothing was written; see: sourcing status {self.order.order_ref}"
        )

    async def shown(self) -> ServiceOrder | None:
        """The order as the service shows it now."""
        return (await read_orders(self.resources, [self.order])).get(
            self.order.order_ref
        )

    def require_clear(
        self, effect: EffectRecord, clear_at: datetime, asked_at: datetime
    ) -> None:
        """Raise `ResolutionRefused` when the effect could still arrive after the
        service was asked.
        """
        if asked_at < clear_at:
            raise ResolutionRefused(
                f"{effect.key} may still arrive until {clear_at:%Y-%m-%d %H:%M:%S} UTC, so it is not proven yet that "
                "it did not: try again after that"
            )

    async def require_same(self, effect: EffectRecord, **given: str) -> None:
        """Raise `ResolutionRefused` when the service shows the effect, and with
        something else than was answered.
        """
        if isinstance(seen := await self.read_back(effect), Proof):
            other = [
                f"{name} {seen.answer[name]}"
                for name, value in given.items()
                if seen.answer.get(name) != value
            ]
            if other:
                raise self.contradicted(f"it happened with {', '.join(other)}")

    async def read_back(self, effect: EffectRecord) -> Sighting | None:
        """What the service shows of an effect now."""
        return (
            await kind_of(effect)(self.resources).read_back(
                [Attempt(self.order, effect)]
            )
        ).get(effect.key)

    async def require_absent(self, effect: EffectRecord) -> None:
        """Raise `ResolutionRefused` unless the service shows nothing of an effect that
        can arrive no more.
        """
        self.require_clear(
            effect, clear_from(self.resources, effect), self.resources.clock()
        )
        if isinstance(seen := await self.read_back(effect), Proof):
            words = ", ".join(f"{name} {value}" for name, value in seen.answer.items())
            raise self.contradicted(f"it happened ({words}). Run again to record that")

    async def not_done(
        self, effect: EffectRecord | None, what: str
    ) -> ResolutionRecord:
        """Record that an effect did not happen, once it can happen no more: the order's
        state is as before.
        """
        if effect is None:
            raise self.nothing_asked(what)
        await self.require_absent(effect)
        state = kind_of(effect)(self.resources).state_if_not_done(
            Attempt(self.order, effect)
        )
        return self.record(effect, EffectStatus.UNSENT, state)

    def record(
        self,
        effect: EffectRecord | None,
        status: EffectStatus,
        state: OrderState | None,
        facts: OrderUpdate = NOTHING,
        *,
        proof: dict[str, Any] | None = None,
        why: Reason | None = None,
        then: str = "",
        intent: Intent | None = None,
    ) -> ResolutionRecord:
        """The record of the answer."""
        order, kind = self.order, kind_of(effect) if effect else CreateByReference
        why = why or because(
            ReasonCode.ANSWERED, by=self.by, answer=self.answer.words, then=then
        )
        to = state if state is not None and can_move(order.state, state) else None
        return ResolutionRecord(
            order_ref=order.order_ref,
            by=self.by,
            question=kind.question(
                order.order_ref, order.order_id, effect.part if effect else ""
            ),
            answer=self.answer.words,
            status=status,
            why=why,
            proof=proof,
            effect=effect,
            intent=intent,
            change=OrderChange(
                order_ref=order.order_ref,
                state=to,
                expected=order.state,
                why=why,
                writes=facts,
            ),
        )
