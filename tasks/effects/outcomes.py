"""The outcomes that the ledger records for effects that were begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord, Outcome
from connectors.marketplaces.refusals import means_it_exists
from connectors.xportcn.errors import Misconfigured, Refused, ServiceAway, XportcnError
from domain.absence import Absent, NotHappened, OwnRecord, Unseen
from domain.decisions import refused_by_service
from domain.effects import MOST_DOUBTFUL_SENDS, REPEATS, EffectStatus
from domain.reasons import Reason, ReasonCode, because
from domain.states import OrderState
from domain.witnessed import (
    Contradicted,
    Kind,
    Lack,
    Open,
    RefusedForGood,
    Source,
    Statement,
    words_of,
)
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting
from tasks.engine.resources import Resources

REFUSED_AS = "refused_as"
UNCLEAR = "it does not say that nothing happened"
NOT_READ = Open(kind=Kind.ABSENT, lacks=Lack.READ_BACK)
Seen = Mapping[str, Sighting] | XportcnError


@dataclass(slots=True)
class Begun:
    """Effects of one kind, with their orders. `is_unheard`: the service was away when
    it was asked about one.
    """

    kind: EffectKind
    orders: Mapping[str, OrderRecord]
    is_unheard: bool = False

    @property
    def resources(self) -> Resources:
        return self.kind.resources

    def attempt(self, record: EffectRecord) -> Attempt:
        return Attempt(self.orders[record.order_ref], record)

    async def read_back(self, records: Sequence[EffectRecord]) -> Seen:
        """What the service shows of them, or why it can't be asked. Raises
        `Misconfigured`.
        """
        try:
            return await self.kind.read_back(
                [self.attempt(record) for record in records]
            )
        except Misconfigured:
            raise
        except XportcnError as error:
            self.is_unheard |= isinstance(error, ServiceAway)
            return error

    def done(self, record: EffectRecord, proof: Proof, failure: str = "") -> Outcome:
        """It happened. The `failure` that a reading settled is kept with an order that
        this holds.
        """
        change = proof.change
        if failure and change and change.state is OrderState.HELD and change.why:
            change = replace(change, why=change.why.but(failure=failure))
        return Outcome(
            claim=record.claim,
            status=EffectStatus.DONE,
            answer=proof.answer,
            change=change,
            if_misnamed=self.kind.if_misnamed(self.attempt(record)),
        )

    def unsent(self, record: EffectRecord, proof: NotHappened, why: Reason) -> Outcome:
        """The effect may be claimed again, since the `proof` says that nothing
        happened.

        An absence that a reading alone proves was in doubt before: so the effect is
        sent once more, and no oftener.
        """
        in_doubt = isinstance(proof, Absent) and not self.kind.is_ruled_out_by(
            proof.unseen
        )
        if in_doubt and record.doubtful_sends >= MOST_DOUBTFUL_SENDS:
            return self._sent_too_often(record)
        change = _left(record, self.kind.state_if_not_done(self.attempt(record)), why)
        first = (
            record.request_hash
            if in_doubt and not self.kind.absence_proves
            else repeats(record)
        )
        return Outcome(
            claim=record.claim,
            status=EffectStatus.UNSENT,
            why=why,
            answer={REPEATS: first} if first else None,
            change=change,
            came_to_nothing=not in_doubt,
            proof=proof,
        )

    def after_refusal(
        self, record: EffectRecord, refusal: Refused, seen: Seen
    ) -> Outcome:
        """The outcome of a refusal: final where its words are known and the record read
        after it lacks the effect.
        """
        failure = refusal.message
        if isinstance(seen, XportcnError):
            return self._in_doubt(record, refusal, "the order's state can't be read")
        sighting = seen.get(record.key, NOT_READ)
        if isinstance(sighting, Proof):
            return self.done(record, sighting, failure)
        if isinstance(sighting, Reason | Contradicted) or sighting is NOT_READ:
            what = sighting if isinstance(sighting, Reason) else words_of(sighting)
            return self._in_doubt(record, refusal, str(what))
        is_known = self.kind.proves_nothing_happened(
            refusal
        ) or self.resources.never_left(record)
        is_known |= self.kind.is_ruled_out_by(sighting)
        if is_known and not repeats(
            record
        ):  # the no to a second one says nothing of the first
            no = Statement(source=Source.ANSWER, value=str(refusal))
            return self.refused(
                record,
                refusal,
                RefusedForGood(words=no, read_after=_without(record, sighting)),
            )
        is_done = means_it_exists(refusal)
        doubt = "as done already, and it is not to be found" if is_done else UNCLEAR
        return self._in_doubt(record, refusal, doubt)

    def refused(
        self, record: EffectRecord, refusal: Refused, proof: RefusedForGood | Absent
    ) -> Outcome:
        """The service refused, and the `proof` is that nothing happened; another run
        may claim it anew.
        """
        if isinstance(proof, Absent) and record.doubtful_sends >= MOST_DOUBTFUL_SENDS:
            return self._sent_too_often(record)
        change = self.kind.when_refused(self.attempt(record), refusal)
        reason = refused_by_service(str(refusal))
        return Outcome(
            claim=record.claim,
            status=EffectStatus.REFUSED,
            why=reason,
            change=change,
            proof=proof,
        )

    def _in_doubt(self, record: EffectRecord, refusal: Refused, reason: str) -> Outcome:
        """Refused, which is no proof by itself: kept with its code and words until a
        reading proves it absent.
        """
        answer = {
            **(record.answer or {}),
            REFUSED_AS: {"code": refusal.code, "words": refusal.message},
        }
        return self.unknown(replace(record, answer=answer), reason)

    def _sent_too_often(self, record: EffectRecord) -> Outcome:
        often = f"sent {record.doubtful_sends} times without an answer, it is not sent again by itself"
        return self.unknown(record, often, ask=True)

    def unknown(
        self, record: EffectRecord, cause: str = "", *, ask: bool = False
    ) -> Outcome:
        """It may have happened: never sent again on that alone. `ask` a person where
        nothing else can answer.
        """
        if refusal := refusal_of(record):
            cause = "; ".join(filter(None, [f"refused ({refusal.message})", cause]))
            ask |= bool(repeats(record))
        asks = ask or not self.kind.may_be_repeated
        code = ReasonCode.NO_ANSWER_ASKED if asks else ReasonCode.NO_ANSWER
        reason = because(code, action=self.kind.action, why=cause)
        if asks:
            reason = reason.but(
                **self.kind.asked(self.orders[record.order_ref], record)
            )
        change = _left(record, self.kind.state_while_unknown, reason)
        return Outcome(
            claim=record.claim,
            status=EffectStatus.UNKNOWN,
            why=reason,
            answer=record.answer,
            change=change,
        )


def _without(record: EffectRecord, sighting: Unseen | Open) -> Statement:
    """The statement of a reading that does not show the effect."""
    if isinstance(sighting, OwnRecord):
        return sighting.shown
    is_listed = not isinstance(sighting, Open) or sighting.kind is Kind.ABSENT
    return Statement(
        source=Source.LISTED if is_listed else Source.DETAIL,
        of=record.order_ref,
        value="",
    )


def repeats(record: EffectRecord) -> str:
    """The hash of the first request where this one repeats it, as the service refuses a
    second; empty elsewhere.
    """
    return str((record.answer or {}).get(REPEATS, ""))


def refusal_of(record: EffectRecord) -> Refused | None:
    """The refusal that left the effect in doubt."""
    refusal = (record.answer or {}).get(REFUSED_AS)
    return Refused(refusal["words"], code=refusal["code"]) if refusal else None


def _left(
    record: EffectRecord, state: OrderState | None, reason: Reason
) -> OrderChange | None:
    return (
        OrderChange(order_ref=record.order_ref, state=state, why=reason)
        if state
        else None
    )
