"""What is known of an effect that was begun, and what the ledger records of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from connectors.ledger.group_commit import nothing_sent
from connectors.ledger.records import EffectRecord, OrderChange, Outcome
from connectors.marketplaces.refusals import means_it_exists
from connectors.xportcn.errors import Refused, Unanswered
from domain.absence import Absent, Harmless, NeverLeft, NotHappened, OwnRecord, Unseen
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
RUN_ENDED = nothing_sent("the run ended before it was sent")
NEVER_RECEIVED = nothing_sent("the service never received it")
SENT_AGAIN = because(ReasonCode.SENT_AGAIN)


def judge(  # noqa: PLR0911 - a return for each row of the table
    kind: EffectKind,
    attempt: Attempt,
    sighting: Sighting,
    *,
    asked_at: datetime,
    failure: Refused | Unanswered | None = None,
) -> Outcome:
    """The outcome of an effect by what a reading of `asked_at` shows. The only place
    that decides whether one may be sent again.

    | the reading shows | and | then |
    |---|---|---|
    | it | | done |
    | not it | it may be done twice | unsent |
    | not it | its first answer is a refusal in listed words | refused |
    | not it | another `failure` of this very call | unknown |
    | anything else | the send log of its dead sender lacks it | unsent |
    | its absence | it could arrive no more | unsent, the second time asked |
    | its absence | so, and its answer was another refusal | refused |
    | anything else | | unknown; asked once it could arrive no more |
    """
    effect = attempt.effect
    if isinstance(sighting, Proof):
        return _done(kind, attempt, sighting, failure)
    if kind.repeatable:
        return unsent(kind, attempt, Harmless(), SENT_AGAIN)
    if isinstance(failure, Refused):
        return _after_refusal(kind, attempt, sighting, failure)
    if failure:
        return unknown(kind, attempt, failure.message)
    if kind.resources.never_left(effect):
        return unsent(kind, attempt, NeverLeft(by=Source.SEND_LOG), RUN_ENDED)
    if isinstance(sighting, Reason):
        return unknown(kind, attempt, str(sighting))

    words = "" if isinstance(sighting, Unseen) else words_of(sighting)
    if not kind.may_be_repeated:
        is_contradicted = isinstance(sighting, Contradicted)
        return unknown(kind, attempt, words if is_contradicted else "")
    clear_at = clear_from(kind.resources, effect)
    is_clear = asked_at >= clear_at  # this process may have been stopped since
    if isinstance(sighting, Contradicted):
        return unknown(kind, attempt, words, ask=is_clear)
    if not is_clear:
        until = f"{clear_at:%Y-%m-%d %H:%M} UTC"
        words = f"it may still arrive until {until}; run again after that"
        return unknown(kind, attempt, words)
    if isinstance(sighting, Open):
        return unknown(kind, attempt, words, ask=sighting.again_at is None)

    # what a reading alone proves was in doubt before: it is sent once more, no oftener
    in_doubt = not kind.is_ruled_out_by(sighting)
    if in_doubt and effect.doubtful_sends >= MOST_DOUBTFUL_SENDS:
        words = f"sent {effect.doubtful_sends} times without an answer, it is not sent again by itself"
        return unknown(kind, attempt, words, ask=True)
    absent = Absent(unseen=sighting, asked_at=asked_at, clear_at=clear_at)
    if refusal := refusal_of(effect):
        return _refused(kind, attempt, refusal, absent)
    why = NEVER_RECEIVED if kind.absence_proves else SENT_AGAIN
    return unsent(kind, attempt, absent, why, in_doubt=in_doubt)


def clear_from(resources: Resources, effect: EffectRecord) -> datetime:
    """From when on absence proves that it never happened: it may have left at any time
    within its lease.
    """
    return effect.leaves_by + timedelta(seconds=resources.settings.settle_s)


def unsent(
    kind: EffectKind,
    attempt: Attempt,
    proof: NotHappened,
    why: Reason,
    *,
    in_doubt: bool = False,
) -> Outcome:
    """The effect may be claimed again, since the `proof` says that nothing happened."""
    effect = attempt.effect
    repeated = repeats(effect)
    if in_doubt and not kind.absence_proves:
        repeated = effect.request_hash
    return Outcome(
        claim=effect.claim,
        status=EffectStatus.UNSENT,
        why=why,
        answer={REPEATS: repeated} if repeated else None,
        change=_left(effect, kind.state_if_not_done(attempt), why),
        came_to_nothing=not in_doubt,
        proof=proof,
    )


def unknown(
    kind: EffectKind, attempt: Attempt, why: str, *, ask: bool = False
) -> Outcome:
    """It may have happened: never sent again on that alone. `ask` a person where
    nothing else can answer.
    """
    effect = attempt.effect
    if refusal := refusal_of(effect):
        why = "; ".join(filter(None, [f"refused ({refusal.message})", why]))
        ask |= bool(repeats(effect))
    asks = ask or not kind.may_be_repeated
    code = ReasonCode.NO_ANSWER_ASKED if asks else ReasonCode.NO_ANSWER
    told = because(code, action=kind.action, why=why)
    if asks:
        told = told.but(**kind.asked(attempt.order, effect))
    return Outcome(
        claim=effect.claim,
        status=EffectStatus.UNKNOWN,
        why=told,
        answer=effect.answer,
        change=_left(effect, kind.state_while_unknown, told),
    )


def repeats(effect: EffectRecord) -> str:
    """The hash of the first request where this one repeats it, as the service refuses a
    second; empty elsewhere.
    """
    return str((effect.answer or {}).get(REPEATS, ""))


def refusal_of(effect: EffectRecord) -> Refused | None:
    """The refusal that left the effect in doubt."""
    told = (effect.answer or {}).get(REFUSED_AS)
    return Refused(told["words"], code=told["code"]) if told else None


def _done(
    kind: EffectKind,
    attempt: Attempt,
    proof: Proof,
    failure: Refused | Unanswered | None,
) -> Outcome:
    """It happened. The `failure` that a reading settled is kept with an order that this
    holds.
    """
    change = proof.change
    if failure and change and change.state is OrderState.HELD and change.why:
        change = replace(change, why=change.why.but(failure=failure.message))
    return Outcome(
        claim=attempt.effect.claim,
        status=EffectStatus.DONE,
        answer=proof.answer,
        change=change,
        if_misnamed=kind.if_misnamed(attempt),
    )


def _after_refusal(
    kind: EffectKind,
    attempt: Attempt,
    sighting: Unseen | Open | Contradicted | Reason,
    refusal: Refused,
) -> Outcome:
    """The outcome of a refusal: final where its words are known and the record read
    after it lacks the effect (contract 2.7).

    One that is no proof by itself is kept with its code and words until a reading
    proves the effect absent.
    """
    effect = attempt.effect
    if isinstance(sighting, Reason | Contradicted) or sighting is NOT_READ:
        doubt = str(sighting) if isinstance(sighting, Reason) else words_of(sighting)
    else:
        is_known = (
            kind.proves_nothing_happened(refusal)
            or kind.resources.never_left(effect)
            or kind.is_ruled_out_by(sighting)
        )
        # the no to a second one says nothing of the first
        if is_known and not repeats(effect):
            no = Statement(source=Source.ANSWER, value=str(refusal))
            proof = RefusedForGood(words=no, read_after=_without(effect, sighting))
            return _refused(kind, attempt, refusal, proof)
        is_done = means_it_exists(refusal)
        doubt = "as done already, and it is not to be found" if is_done else UNCLEAR
    kept = {REFUSED_AS: {"code": refusal.code, "words": refusal.message}}
    effect = replace(effect, answer={**(effect.answer or {}), **kept})
    return unknown(kind, replace(attempt, effect=effect), doubt)


def _refused(
    kind: EffectKind,
    attempt: Attempt,
    refusal: Refused,
    proof: RefusedForGood | Absent,
) -> Outcome:
    """The service refused, and the `proof` is that nothing happened; another run may
    claim it anew.
    """
    return Outcome(
        claim=attempt.effect.claim,
        status=EffectStatus.REFUSED,
        why=refused_by_service(str(refusal)),
        change=kind.when_refused(attempt, refusal),
        proof=proof,
    )


def _without(effect: EffectRecord, sighting: Unseen | Open) -> Statement:
    """The statement of a reading that does not show the effect."""
    if isinstance(sighting, OwnRecord):
        return sighting.shown
    is_listed = not isinstance(sighting, Open) or sighting.kind is Kind.ABSENT
    return Statement(
        source=Source.LISTED if is_listed else Source.DETAIL,
        of=effect.order_ref,
        value="",
    )


def _left(
    effect: EffectRecord, state: OrderState | None, why: Reason
) -> OrderChange | None:
    return (
        OrderChange(order_ref=effect.order_ref, state=state, why=why) if state else None
    )
