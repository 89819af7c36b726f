"""What is known of effects that were begun, put into the outcomes that the ledger records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord, Outcome
from connectors.xportcn.errors import Misconfigured, ServiceAway, XportcnError
from domain.absence import Absent, NotHappened
from domain.effects import MOST_DOUBTFUL_SENDS, EffectStatus
from domain.states import OrderState
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting
from tasks.resources import Resources


@dataclass(slots=True)
class Begun:
    """Effects of one kind, with their orders. `is_unheard`: the service was away when it was asked about one."""

    kind: EffectKind
    orders: Mapping[str, OrderRecord]
    is_unheard: bool = False

    @property
    def resources(self) -> Resources:
        return self.kind.resources

    def attempt(self, record: EffectRecord) -> Attempt:
        return Attempt(self.orders[record.order_ref], record)

    async def look(self, records: Sequence[EffectRecord]) -> Mapping[str, Sighting] | XportcnError:
        """What the service shows of them, or why it can't be asked. Raises `Misconfigured`."""
        try:
            return await self.kind.look([self.attempt(record) for record in records])
        except Misconfigured:
            raise
        except XportcnError as error:
            self.is_unheard |= isinstance(error, ServiceAway)
            return error

    def done(self, record: EffectRecord, proof: Proof) -> Outcome:
        return Outcome(
            claim=record.claim,
            status=EffectStatus.DONE,
            answer=proof.answer,
            change=proof.change,
            if_misnamed=self.kind.if_misnamed(self.attempt(record)),
        )

    def unsent(self, record: EffectRecord, proof: NotHappened, reason: str) -> Outcome:
        """It may be claimed again, for the `proof` says that nothing happened.

        What a reading alone proves was in doubt before: so it is sent once more, and no oftener.
        """
        in_doubt = isinstance(proof, Absent)
        if in_doubt and record.doubtful_sends >= MOST_DOUBTFUL_SENDS:
            words = f"it was sent {record.doubtful_sends} times without an answer, so it is not sent again by itself"
            return self.unknown(record, words, ask=True)
        change = _left(record, self.kind.state_if_not_done(self.attempt(record)), reason)
        return Outcome(
            claim=record.claim,
            status=EffectStatus.UNSENT,
            reason=reason,
            change=change,
            came_to_nothing=not in_doubt,
        )

    def unknown(self, record: EffectRecord, reason: str, *, ask: bool = False) -> Outcome:
        """It may have happened: never sent again on that alone. `ask` a person where nothing else can tell."""
        words = f"no answer to {self.kind.action}: {reason}" if reason else f"no answer to {self.kind.action}"
        if ask or not self.kind.absence_proves:
            words = f"{words}. {self.kind.asked(self.orders[record.order_ref], record)}"
        change = _left(record, self.kind.state_while_unknown, words)
        return Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, reason=words, change=change)


def _left(record: EffectRecord, state: OrderState | None, reason: str) -> OrderChange | None:
    return OrderChange(order_ref=record.order_ref, state=state, reason=reason) if state else None
