"""The effect protocol: claim, intend, send once, record; and read before anything is ever sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.crash_points import AFTER_ANSWER, AFTER_INTENT, AFTER_RECORD, BEFORE_INTENT, reach
from connectors.ledger.records import EffectRecord, Intent, OrderChange, OrderRecord, Outcome, SpendLimits
from connectors.ledger.send_log import never_sent
from connectors.xportcn.errors import Misconfigured, NotSent, Refused, Unanswered, XportcnError
from domain.effects import Action, Claim, EffectStatus
from domain.states import OrderState
from tasks.bounded import each
from tasks.resources import Resources

SEND_TRIES = 5
FIRST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """Proof that an effect happened: the service's answer, or what a read showed, and what it does to the order."""

    answer: dict[str, Any]
    change: OrderChange


@dataclass(frozen=True, slots=True)
class Unproven:
    """Not seen, where it would not show in any case; `why` is for people."""

    why: str


Send = Callable[[Claim, OrderRecord], Awaitable[Landed]]
Seen = Landed | Unproven | str
"""What a read showed: that the effect happened, that nothing of it shows and why this proves nothing, or why the read
can't tell. Not there at all: not happened so far."""

Look = Callable[[Sequence[OrderRecord]], Awaitable[Mapping[str, Seen]]]
Answer = Landed | Refused | Unanswered
SendMany = Callable[[Sequence[Claim], Sequence[OrderRecord]], Awaitable[Mapping[str, Answer]]]


def alone(_: OrderRecord) -> tuple[str, int]:
    """No order shares a request with another."""
    return "", 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How one action is sent, and how the service is asked whether it happened.

    `undone` is the state an order is in while the action has not happened, `unsettled` the one while nothing is known
    of it; None leaves the order as it is. `absence_proves` says whether not seeing it, after the settle time, proves
    that it did not happen, unless the look itself says `Unproven`. `question` is what a person must find out when
    nothing proves anything. `part` tells effects of one action apart (see `effect_key`): only those of this part are
    settled. `is_doubtful` tells a refusal that may mean "done already": it is only believed for what a look shows.

    With `send_many`, orders of one `batch` (its name and size) share a request, and each has its own answer.
    """

    action: Action
    undone: OrderState | None
    send: Send
    look: Look
    absence_proves: bool
    question: Callable[[OrderRecord], str]
    on_refused: Callable[[OrderRecord, Refused], OrderChange]
    unsettled: OrderState | None = OrderState.UNKNOWN
    part: str = ""
    send_many: SendMany | None = None
    batch: Callable[[OrderRecord], tuple[str, int]] = alone
    is_doubtful: Callable[[Refused], bool] = lambda _: False


@dataclass(slots=True)
class _Chunk:
    resources: Resources
    effect: Effect
    orders: Mapping[str, OrderRecord]
    trouble: list[Misconfigured] = field(default_factory=list)


async def perform(
    resources: Resources,
    effect: Effect,
    intents: Sequence[Intent],
    orders: Mapping[str, OrderRecord],
    *,
    limits: SpendLimits | None = None,
) -> None:
    """Do the action for each order at most once; what became of it is in the ledger afterwards.

    Orders whose effect is open (another run's, or one that `settle` could not clear) are left alone.
    Raises `Misconfigured` at the end of the chunk when the service refuses the account.
    """
    reach(BEFORE_INTENT, effect.action)
    claimed = await asyncio.to_thread(resources.ledger.claim, intents, lease=resources.lease, limits=limits)
    reach(AFTER_INTENT, effect.action)
    chunk = _Chunk(resources, effect, orders)
    await each(_batches(chunk, claimed.won.values()), lambda batch: _send(chunk, batch), at_once=resources.concurrency)
    if chunk.trouble:
        raise chunk.trouble[0]


async def settle(resources: Resources, effect: Effect, orders: Mapping[str, OrderRecord]) -> None:
    """Read what became of effects that may have been sent: by a run that died, or that got no answer.

    Each ends as done, as provably not sent (then it may be claimed anew), or stays unknown with a question.
    """
    refs = list(orders)
    dead = await asyncio.to_thread(resources.dead_owners, refs)
    found = await asyncio.to_thread(
        resources.ledger.take_over,
        refs,
        actions=[effect.action],
        lease=resources.lease,
        dead_owners=dead,
        parts=[effect.part],
    )
    if not found:
        return
    # what was read before the effects became ours may be older than what their last holder knew
    now = await asyncio.to_thread(resources.ledger.orders, [record.order_ref for record in found])
    chunk = _Chunk(resources, effect, now)
    asked_at = resources.clock()
    seen = await _look(chunk, [now[record.order_ref] for record in found])
    outcomes = [_settled(chunk, record, seen, asked_at) for record in found]
    await asyncio.to_thread(resources.ledger.record, outcomes)


def _settled(
    chunk: _Chunk, record: EffectRecord, seen: Mapping[str, Seen] | XportcnError, asked_at: datetime
) -> Outcome:
    if isinstance(seen, XportcnError):
        return _unknown(chunk, record, f"the service could not be asked what became of it ({seen.message})")
    proof = seen.get(record.order_ref)
    if isinstance(proof, Landed):
        return _done(record.claim, proof)
    if never_sent(chunk.resources.send_logs, record.sender, record.key):
        return _unsent(chunk, record, "the run ended before it was sent")
    return _unknown(chunk, record, proof) if isinstance(proof, str) else _not_seen(chunk, record, proof, asked_at)


def _not_seen(chunk: _Chunk, record: EffectRecord, proof: Unproven | None, asked_at: datetime) -> Outcome:
    if not chunk.effect.absence_proves:
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
        name, size = chunk.effect.batch(chunk.orders[record.order_ref])
        batch = filling.setdefault(name, [])
        batch.append(record)
        if len(batch) >= size:
            full.append(filling.pop(name))
    return full + list(filling.values())


async def _send(chunk: _Chunk, batch: Sequence[EffectRecord]) -> None:
    """Send one request and record what became of each effect in it."""
    orders = [chunk.orders[record.order_ref] for record in batch]
    try:
        answers = await _send_until_it_leaves(chunk, batch, orders)
    except Misconfigured as error:
        chunk.trouble.append(error)
        outcomes = [_unsent(chunk, record, str(error)) for record in batch]
    except NotSent as error:
        outcomes = [_unsent(chunk, record, f"{error.message}; nothing was sent. Run again") for record in batch]
    except (Refused, Unanswered) as error:
        outcomes = [await _concluded(chunk, record, order, error) for record, order in zip(batch, orders, strict=True)]
    else:
        outcomes = [
            await _concluded(chunk, record, order, answers[order.order_ref])
            for record, order in zip(batch, orders, strict=True)
        ]
    reach(AFTER_ANSWER, chunk.effect.action)
    await asyncio.gather(*(chunk.resources.recorder.record(outcome) for outcome in outcomes))
    reach(AFTER_RECORD, chunk.effect.action)


async def _send_until_it_leaves(
    chunk: _Chunk, batch: Sequence[EffectRecord], orders: Sequence[OrderRecord]
) -> Mapping[str, Answer]:
    """Send once. Only what provably had no effect (`NotSent`) is tried again, within the lease."""
    for attempt in range(SEND_TRIES):
        try:
            return await _request(chunk.effect, [record.claim for record in batch], orders)
        except NotSent as error:
            pause = max(error.retry_after_s or 0, FIRST_PAUSE_S * 2**attempt)
            resumes = chunk.resources.clock() + timedelta(seconds=pause)
            if attempt == SEND_TRIES - 1 or resumes >= min(record.lease_until for record in batch):
                raise
            await asyncio.sleep(pause)
    raise AssertionError("unreachable")


async def _request(effect: Effect, claims: Sequence[Claim], orders: Sequence[OrderRecord]) -> Mapping[str, Answer]:
    if effect.send_many is not None and len(orders) > 1:
        return await effect.send_many(claims, orders)
    return {orders[0].order_ref: await effect.send(claims[0], orders[0])}


async def _concluded(chunk: _Chunk, record: EffectRecord, order: OrderRecord, answer: Answer) -> Outcome:
    if isinstance(answer, Landed):
        return _done(record.claim, answer)
    try:
        if isinstance(answer, Refused):
            return await _after_refusal(chunk, record, order, answer)
        return await _after_silence(chunk, record, order, answer)
    except Misconfigured as error:  # the others of the chunk are on their way and must hear their answers
        chunk.trouble.append(error)
        return _unknown(chunk, record, f"{answer.message}; and the service could not be asked ({error})")


async def _after_refusal(chunk: _Chunk, record: EffectRecord, order: OrderRecord, error: Refused) -> Outcome:
    """A refusal may mean that it is done already, so the service's own record has the last word (contract 2.7)."""
    seen = await _look(chunk, [order])
    if isinstance(seen, XportcnError):
        return _unknown(
            chunk, record, f"refused ({error.message}), and the service could not be asked for the order's state"
        )
    proof = seen.get(record.order_ref)
    if isinstance(proof, Landed):
        return _done(record.claim, proof)
    if isinstance(proof, str):
        return _unknown(chunk, record, f"refused ({error.message}), but {proof}")
    if chunk.effect.is_doubtful(error):
        return _unknown(chunk, record, f"refused as done already ({error.message}), and not to be found", ask=True)
    change = chunk.effect.on_refused(order, error)
    return Outcome(claim=record.claim, status=EffectStatus.REFUSED, reason=str(error), change=change)


async def _after_silence(chunk: _Chunk, record: EffectRecord, order: OrderRecord, error: Unanswered) -> Outcome:
    seen = await _look(chunk, [order])
    proof = None if isinstance(seen, XportcnError) else seen.get(record.order_ref)
    if isinstance(proof, Landed):
        return _done(record.claim, proof)
    return _unknown(chunk, record, error.message)


async def _look(chunk: _Chunk, orders: Sequence[OrderRecord]) -> Mapping[str, Seen] | XportcnError:
    try:
        return await chunk.effect.look(orders)
    except Misconfigured:
        raise
    except XportcnError as error:
        return error


def _done(claim: Claim, landed: Landed) -> Outcome:
    return Outcome(claim=claim, status=EffectStatus.DONE, answer=landed.answer, change=landed.change)


def _unsent(chunk: _Chunk, record: EffectRecord, reason: str) -> Outcome:
    change = OrderChange(order_ref=record.order_ref, state=chunk.effect.undone, reason=reason)
    return Outcome(claim=record.claim, status=EffectStatus.UNSENT, reason=reason, change=change)


def _unknown(chunk: _Chunk, record: EffectRecord, reason: str, *, ask: bool = False) -> Outcome:
    order = chunk.orders[record.order_ref]
    words = f"no answer to {chunk.effect.action}: {reason}" if reason else f"no answer to {chunk.effect.action}"
    if ask or not chunk.effect.absence_proves:
        words = f"{words}. {chunk.effect.question(order)}"
    change = OrderChange(order_ref=record.order_ref, state=chunk.effect.unsettled, reason=words)
    return Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, reason=words, change=change)
