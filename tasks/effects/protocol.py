"""The effect protocol: claim, intend, send once, record; and read before anything is ever sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.concurrently import concurrently
from connectors.crash_points import AFTER_ANSWER, AFTER_INTENT, AFTER_RECORD, BEFORE_INTENT, reach
from connectors.ledger.records import EffectRecord, Intent, OrderChange, OrderRecord, Outcome, SpendLimits
from connectors.ledger.send_log import never_sent
from connectors.xportcn.errors import Misconfigured, NotSent, Refused, Unanswered, XportcnError
from domain.effects import Claim, EffectStatus
from domain.states import OrderState
from tasks.effects.kind import Attempt, EffectKind, Proof, Reply, Sighting, Unproven
from tasks.resources import Resources

SEND_TRIES = 5
FIRST_PAUSE_S = 0.5


@dataclass(slots=True)
class _Chunk:
    kind: EffectKind
    orders: Mapping[str, OrderRecord]
    trouble: list[Misconfigured] = field(default_factory=list)

    @property
    def resources(self) -> Resources:
        return self.kind.resources

    def attempt(self, record: EffectRecord) -> Attempt:
        return Attempt(self.orders[record.order_ref], record)


async def perform(
    kind: EffectKind,
    intents: Sequence[Intent],
    orders: Mapping[str, OrderRecord],
    *,
    limits: SpendLimits | None = None,
) -> None:
    """Do the action for each order at most once; what became of it is in the ledger afterwards.

    Orders whose effect is open (another run's, or one that `settle` could not clear) are left alone.
    Raises `Misconfigured` at the end of the chunk when the service refuses the account.
    """
    if not intents:
        return
    resources = kind.resources
    reach(BEFORE_INTENT, kind.action)
    claimed = await asyncio.to_thread(resources.ledger.claim, intents, lease=resources.lease, limits=limits)
    reach(AFTER_INTENT, kind.action)
    chunk = _Chunk(kind, orders)
    await concurrently(
        _batches(chunk, claimed.won.values()), lambda batch: _send(chunk, batch), at_once=resources.concurrency
    )
    if chunk.trouble:
        raise chunk.trouble[0]


async def settle(kind: EffectKind, order_refs: Collection[str]) -> None:
    """Read what became of effects of a kind that may have been sent: by a run that died, or that got no answer.

    Each ends as done, as provably not sent (then it may be claimed anew), or stays unknown with a question.
    """
    resources, refs = kind.resources, list(order_refs)
    dead = await asyncio.to_thread(resources.dead_owners, refs)
    found = await asyncio.to_thread(
        resources.ledger.take_over,
        refs,
        action=kind.action,
        owns=kind.owns,
        lease=resources.lease,
        dead_owners=dead,
    )
    if not found:
        return
    # what was read before the effects became ours may be older than what their last holder knew
    now = await asyncio.to_thread(resources.ledger.orders, [record.order_ref for record in found])
    chunk = _Chunk(kind, now)
    asked_at = resources.clock()
    seen = await _look(chunk, found)
    outcomes = [_settled(chunk, record, seen, asked_at) for record in found]
    await asyncio.to_thread(resources.ledger.record, outcomes)


def _settled(
    chunk: _Chunk, record: EffectRecord, seen: Mapping[str, Sighting] | XportcnError, asked_at: datetime
) -> Outcome:
    proof = None if isinstance(seen, XportcnError) else seen.get(record.key)
    if isinstance(proof, Proof):
        return _done(chunk, record, proof)
    if never_sent(chunk.resources.send_logs, record.sender, record.key):
        return _unsent(chunk, record, "the run ended before it was sent")
    if isinstance(seen, XportcnError):
        return _unknown(chunk, record, f"the service could not be asked what became of it ({seen.message})")
    return _unknown(chunk, record, proof) if isinstance(proof, str) else _not_seen(chunk, record, proof, asked_at)


def _not_seen(chunk: _Chunk, record: EffectRecord, proof: Unproven | None, asked_at: datetime) -> Outcome:
    if chunk.kind.repeatable:
        return _unsent(chunk, record, "no answer; done again by the next run")
    if not chunk.kind.absence_proves:
        return _unknown(chunk, record, "")
    if asked_at < (clear_at := clear_from(chunk.resources, record)):  # this process may have been stopped since
        return _unknown(chunk, record, f"it may still arrive until {clear_at:%Y-%m-%d %H:%M} UTC; run again after that")
    if isinstance(proof, Unproven):
        return _unknown(chunk, record, proof.why, ask=True)
    return _unsent(chunk, record, "the service never received it")


def clear_from(resources: Resources, record: EffectRecord) -> datetime:
    """From when on not seeing an effect says that it never happened: it may have left at any time within its lease."""
    leaves_by = record.leaves_by or record.intent_at + resources.lease
    return leaves_by + timedelta(seconds=resources.settings.settle_s)


def _batches(chunk: _Chunk, records: Iterable[EffectRecord]) -> list[list[EffectRecord]]:
    """Records that one request can carry, in the order of the claims."""
    full: list[list[EffectRecord]] = []
    filling: dict[str, list[EffectRecord]] = {}
    for record in records:
        name, size = chunk.kind.batch(chunk.orders[record.order_ref])
        batch = filling.setdefault(name, [])
        batch.append(record)
        if len(batch) >= size:
            full.append(filling.pop(name))
    return full + list(filling.values())


async def _send(chunk: _Chunk, batch: Sequence[EffectRecord]) -> None:
    """Send one request and record what became of each effect in it."""
    orders = [chunk.orders[record.order_ref] for record in batch]
    try:
        replies = await _send_until_it_leaves(chunk, batch, orders)
    except Misconfigured as error:
        chunk.trouble.append(error)
        outcomes = [_unsent(chunk, record, str(error)) for record in batch]
    except NotSent as error:
        outcomes = [_unsent(chunk, record, f"{error.message}; nothing was sent. Run again") for record in batch]
    except (Refused, Unanswered) as error:
        outcomes = [await _concluded(chunk, record, error) for record in batch]
    else:
        outcomes = [await _concluded(chunk, record, replies[record.order_ref]) for record in batch]
    reach(AFTER_ANSWER, chunk.kind.action)
    await asyncio.gather(*(chunk.resources.recorder.record(outcome) for outcome in outcomes))
    reach(AFTER_RECORD, chunk.kind.action)


async def _send_until_it_leaves(
    chunk: _Chunk, batch: Sequence[EffectRecord], orders: Sequence[OrderRecord]
) -> Mapping[str, Reply]:
    """Send once. Only what provably had no effect (`NotSent`) is tried again, within the lease."""
    for attempt in range(SEND_TRIES):
        try:
            return await _request(chunk.kind, [record.claim for record in batch], orders)
        except NotSent as error:
            pause = max(error.retry_after_s or 0, FIRST_PAUSE_S * 2**attempt)
            resumes = chunk.resources.clock() + timedelta(seconds=pause)
            if attempt == SEND_TRIES - 1 or resumes >= min(record.lease_until for record in batch):
                raise
            await asyncio.sleep(pause)
    raise AssertionError("unreachable")


async def _request(kind: EffectKind, claims: Sequence[Claim], orders: Sequence[OrderRecord]) -> Mapping[str, Reply]:
    if len(orders) > 1:
        return await kind.send_many(claims, orders)
    return {orders[0].order_ref: await kind.send(claims[0], orders[0])}


async def _concluded(chunk: _Chunk, record: EffectRecord, reply: Reply) -> Outcome:
    if isinstance(reply, Proof):
        return _done(chunk, record, reply)
    if chunk.kind.repeatable:
        return _unsent(chunk, record, str(reply))
    try:
        if isinstance(reply, Refused):
            return await _after_refusal(chunk, record, reply)
        return await _after_silence(chunk, record, reply)
    except Misconfigured as error:  # the others of the chunk are on their way and must hear their answers
        chunk.trouble.append(error)
        return _unknown(chunk, record, f"{reply.message}; and the service could not be asked ({error})")


async def _after_refusal(chunk: _Chunk, record: EffectRecord, error: Refused) -> Outcome:
    """A refusal may mean that it is done already, so the service's own record has the last word (contract 2.7)."""
    seen = await _look(chunk, [record])
    if isinstance(seen, XportcnError):
        return _unknown(
            chunk, record, f"refused ({error.message}), and the service could not be asked for the order's state"
        )
    proof = seen.get(record.key)
    if isinstance(proof, Proof):
        return _done(chunk, record, proof)
    if isinstance(proof, str):
        return _unknown(chunk, record, f"refused ({error.message}), but {proof}")
    if chunk.kind.is_doubtful(error):
        return _unknown(chunk, record, f"refused as done already ({error.message}), and not to be found", ask=True)
    change = chunk.kind.when_refused(chunk.attempt(record), error)
    return Outcome(claim=record.claim, status=EffectStatus.REFUSED, reason=str(error), change=change)


async def _after_silence(chunk: _Chunk, record: EffectRecord, error: Unanswered) -> Outcome:
    seen = await _look(chunk, [record])
    proof = None if isinstance(seen, XportcnError) else seen.get(record.key)
    if isinstance(proof, Proof):
        return _done(chunk, record, proof)
    return _unknown(chunk, record, error.message)


async def _look(chunk: _Chunk, records: Sequence[EffectRecord]) -> Mapping[str, Sighting] | XportcnError:
    try:
        return await chunk.kind.look([chunk.attempt(record) for record in records])
    except Misconfigured:
        raise
    except XportcnError as error:
        return error


def _done(chunk: _Chunk, record: EffectRecord, proof: Proof) -> Outcome:
    return Outcome(
        claim=record.claim,
        status=EffectStatus.DONE,
        answer=proof.answer,
        change=proof.change,
        if_misnamed=chunk.kind.if_misnamed(chunk.attempt(record)),
    )


def _unsent(chunk: _Chunk, record: EffectRecord, reason: str) -> Outcome:
    change = _left(record, chunk.kind.state_if_not_done(chunk.attempt(record)), reason)
    return Outcome(claim=record.claim, status=EffectStatus.UNSENT, reason=reason, change=change)


def _unknown(chunk: _Chunk, record: EffectRecord, reason: str, *, ask: bool = False) -> Outcome:
    words = f"no answer to {chunk.kind.action}: {reason}" if reason else f"no answer to {chunk.kind.action}"
    if ask or not chunk.kind.absence_proves:
        words = f"{words}. {chunk.kind.asked(chunk.orders[record.order_ref], record)}"
    change = _left(record, chunk.kind.state_while_unknown, words)
    return Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, reason=words, change=change)


def _left(record: EffectRecord, state: OrderState | None, reason: str) -> OrderChange | None:
    return OrderChange(order_ref=record.order_ref, state=state, reason=reason) if state else None
