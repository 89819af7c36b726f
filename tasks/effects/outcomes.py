"""What is known of effects that were begun, put into the outcomes that the ledger records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord, Outcome
from connectors.xportcn.channels.refusals import says_it_exists
from connectors.xportcn.errors import Misconfigured, Refused, ServiceAway, XportcnError
from domain.absence import Absent, NotHappened, OwnRecord, Unseen
from domain.effects import MOST_DOUBTFUL_SENDS, EffectStatus
from domain.states import OrderState
from domain.witness_words import words_of
from domain.witnessed import Contradicted, Kind, Lack, Open, RefusedForGood, Source, Statement
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting
from tasks.resources import Resources

REFUSED_AS = "refused_as"
NOT_READ = Open(kind=Kind.ABSENT, lacks=Lack.READ_BACK)
Seen = Mapping[str, Sighting] | XportcnError


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

    async def look(self, records: Sequence[EffectRecord]) -> Seen:
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
            return self._sent_too_often(record)
        change = _left(record, self.kind.state_if_not_done(self.attempt(record)), reason)
        return Outcome(
            claim=record.claim,
            status=EffectStatus.UNSENT,
            reason=reason,
            change=change,
            came_to_nothing=not in_doubt,
        )

    def after_refusal(self, record: EffectRecord, refusal: Refused, seen: Seen) -> Outcome:
        """What a refusal and the reading after it mean: a no for good takes known words and a record without it."""
        said = f"refused ({refusal.message})"
        if isinstance(seen, XportcnError):
            return self._in_doubt(record, refusal, f"{said}, and the service could not be asked for the order's state")
        sighting = seen.get(record.key, NOT_READ)
        if isinstance(sighting, Proof):
            return self.done(record, sighting)
        if isinstance(sighting, str | Contradicted) or sighting is NOT_READ:
            words = sighting if isinstance(sighting, str) else words_of(sighting)
            return self._in_doubt(record, refusal, f"{said}, but {words}")
        if self.kind.proves_nothing_happened(refusal) or self.resources.never_left(record):
            no = Statement(source=Source.ANSWER, value=str(refusal))
            return self.refused(record, refusal, RefusedForGood(words=no, read_after=_without(record, sighting)))
        doubt = f"{said}, which does not say that nothing happened"
        if says_it_exists(refusal):
            doubt = f"refused as done already ({refusal.message}), and not to be found"
        return self._in_doubt(record, refusal, doubt)

    def refused(self, record: EffectRecord, refusal: Refused, proof: RefusedForGood | Absent) -> Outcome:
        """The service said no, and the `proof` is that nothing happened; another run may claim it anew."""
        if isinstance(proof, Absent) and record.doubtful_sends >= MOST_DOUBTFUL_SENDS:
            return self._sent_too_often(record)
        change = self.kind.when_refused(self.attempt(record), refusal)
        return Outcome(
            claim=record.claim, status=EffectStatus.REFUSED, reason=str(refusal), change=change, refused_by=proof
        )

    def _in_doubt(self, record: EffectRecord, refusal: Refused, reason: str) -> Outcome:
        """Refused, which is no proof by itself: kept with its code and words until a reading proves it absent."""
        answer = {REFUSED_AS: {"code": refusal.code, "words": refusal.message}}
        return replace(self.unknown(record, reason), answer=answer)

    def _sent_too_often(self, record: EffectRecord) -> Outcome:
        words = f"it was sent {record.doubtful_sends} times without an answer, so it is not sent again by itself"
        return self.unknown(record, words, ask=True)

    def unknown(self, record: EffectRecord, reason: str, *, ask: bool = False) -> Outcome:
        """It may have happened: never sent again on that alone. `ask` a person where nothing else can tell."""
        if refusal := refusal_of(record):
            reason = f"refused ({refusal.message}); {reason}" if reason else f"refused ({refusal.message})"
        words = f"no answer to {self.kind.action}: {reason}" if reason else f"no answer to {self.kind.action}"
        if ask or not self.kind.absence_proves:
            words = f"{words}. {self.kind.asked(self.orders[record.order_ref], record)}"
        change = _left(record, self.kind.state_while_unknown, words)
        return Outcome(
            claim=record.claim, status=EffectStatus.UNKNOWN, reason=words, answer=record.answer, change=change
        )


def _without(record: EffectRecord, sighting: Unseen | Open) -> Statement:
    """The statement of a reading that does not show the effect."""
    if isinstance(sighting, OwnRecord):
        return sighting.shown
    is_listed = not isinstance(sighting, Open) or sighting.kind is Kind.ABSENT
    return Statement(source=Source.LISTED if is_listed else Source.DETAIL, of=record.order_ref, value="")


def refusal_of(record: EffectRecord) -> Refused | None:
    """The refusal after which nothing was known of an effect."""
    told = (record.answer or {}).get(REFUSED_AS)
    return Refused(told["words"], code=told["code"]) if told else None


def _left(record: EffectRecord, state: OrderState | None, reason: str) -> OrderChange | None:
    return OrderChange(order_ref=record.order_ref, state=state, reason=reason) if state else None
