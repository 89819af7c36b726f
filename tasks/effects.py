"""The effect protocol: claim, intend, send once, record; and read before anything is ever sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connectors.ledger.records import EffectRecord, Intent, OrderChange, OrderRecord, Outcome
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


Send = Callable[[Claim, OrderRecord], Awaitable[Landed]]
Look = Callable[[Sequence[OrderRecord]], Awaitable[Mapping[str, Landed]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How one action is sent, and how the service is asked whether it happened.

    `undone` is the state an order is in while the action has not happened. `absence_proves` says whether not seeing it,
    after the settle time, proves that it did not happen. `question` is what a person must find out when
    nothing proves anything.
    """

    action: Action
    undone: OrderState
    send: Send
    look: Look
    absence_proves: bool
    question: Callable[[OrderRecord], str]
    on_refused: Callable[[OrderRecord, Refused], OrderChange]


@dataclass(slots=True)
class _Chunk:
    resources: Resources
    effect: Effect
    orders: Mapping[str, OrderRecord]
    trouble: list[Misconfigured] = field(default_factory=list)


async def perform(
    resources: Resources, effect: Effect, intents: Sequence[Intent], orders: Mapping[str, OrderRecord]
) -> None:
    """Do the action for each order at most once; what became of it is in the ledger afterwards.

    Orders whose effect is open (another run's, or one that `settle` could not clear) are left alone.
    Raises `Misconfigured` at the end of the chunk when the service refuses the account.
    """
    claimed = await asyncio.to_thread(resources.ledger.claim, intents, lease=resources.lease)
    chunk = _Chunk(resources, effect, orders)
    await each(claimed.won.values(), lambda record: _send(chunk, record), at_once=resources.concurrency)
    if chunk.trouble:
        raise chunk.trouble[0]


async def settle(resources: Resources, effect: Effect, orders: Mapping[str, OrderRecord]) -> None:
    """Read what became of effects that may have been sent: by a run that died, or that got no answer.

    Each ends as done, as provably not sent (then it may be claimed anew), or stays unknown with a question.
    """
    refs = list(orders)
    dead = await asyncio.to_thread(resources.dead_owners, refs)
    found = await asyncio.to_thread(
        resources.ledger.take_over, refs, actions=[effect.action], lease=resources.lease, dead_owners=dead
    )
    if not found:
        return
    chunk = _Chunk(resources, effect, orders)
    landed = await _look(chunk, [orders[record.order_ref] for record in found])
    outcomes = [_settled(chunk, record, landed) for record in found]
    await asyncio.to_thread(resources.ledger.record, outcomes)


def _settled(chunk: _Chunk, record: EffectRecord, landed: Mapping[str, Landed] | XportcnError) -> Outcome:
    if isinstance(landed, XportcnError):
        return _unknown(chunk, record, f"the service could not be asked what became of it ({landed.message})")
    if record.order_ref in landed:
        return _done(record.claim, landed[record.order_ref])
    resources = chunk.resources
    if never_sent(resources.send_logs, record.sender, record.key):
        return _unsent(chunk, record, "the run ended before it was sent")
    # it may have left at any time within its lease
    clear_at = record.intent_at + resources.lease + timedelta(seconds=resources.settings.settle_s)
    if not chunk.effect.absence_proves:
        return _unknown(chunk, record, "")
    if resources.clock() < clear_at:
        return _unknown(chunk, record, f"it may still arrive until {clear_at:%Y-%m-%d %H:%M} UTC; run again after that")
    return _unsent(chunk, record, "the service never received it")


async def _send(chunk: _Chunk, record: EffectRecord) -> None:
    order = chunk.orders[record.order_ref]
    try:
        landed = await _send_until_it_leaves(chunk, record, order)
    except Misconfigured as error:
        chunk.trouble.append(error)
        outcome = _unsent(chunk, record, str(error))
    except NotSent as error:
        outcome = _unsent(chunk, record, f"{error.message}; nothing was sent. Run again")
    except Refused as error:
        outcome = await _after_refusal(chunk, record, order, error)
    except Unanswered as error:
        outcome = await _after_silence(chunk, record, order, error)
    else:
        outcome = _done(record.claim, landed)
    await chunk.resources.recorder.record(outcome)


async def _send_until_it_leaves(chunk: _Chunk, record: EffectRecord, order: OrderRecord) -> Landed:
    """Send once. Only what provably had no effect (`NotSent`) is tried again, within the lease."""
    for attempt in range(SEND_TRIES):
        try:
            return await chunk.effect.send(record.claim, order)
        except NotSent as error:
            pause = max(error.retry_after_s or 0, FIRST_PAUSE_S * 2**attempt)
            resumes = chunk.resources.clock() + timedelta(seconds=pause)
            if attempt == SEND_TRIES - 1 or resumes >= record.lease_until:
                raise
            await asyncio.sleep(pause)
    raise AssertionError("unreachable")


async def _after_refusal(chunk: _Chunk, record: EffectRecord, order: OrderRecord, error: Refused) -> Outcome:
    """A refusal may mean that it is done already, so the service's own record has the last word (contract 2.7)."""
    landed = await _look(chunk, [order])
    if isinstance(landed, XportcnError):
        return _unknown(
            chunk, record, f"refused ({error.message}), and the service could not be asked for the order's state"
        )
    if record.order_ref in landed:
        return _done(record.claim, landed[record.order_ref])
    change = chunk.effect.on_refused(order, error)
    return Outcome(claim=record.claim, status=EffectStatus.REFUSED, reason=str(error), change=change)


async def _after_silence(chunk: _Chunk, record: EffectRecord, order: OrderRecord, error: Unanswered) -> Outcome:
    landed = await _look(chunk, [order])
    if not isinstance(landed, XportcnError) and record.order_ref in landed:
        return _done(record.claim, landed[record.order_ref])
    return _unknown(chunk, record, error.message)


async def _look(chunk: _Chunk, orders: Sequence[OrderRecord]) -> Mapping[str, Landed] | XportcnError:
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


def _unknown(chunk: _Chunk, record: EffectRecord, reason: str) -> Outcome:
    order = chunk.orders[record.order_ref]
    words = f"no answer to {chunk.effect.action}: {reason}" if reason else f"no answer to {chunk.effect.action}"
    if not chunk.effect.absence_proves:
        words = f"{words}. {chunk.effect.question(order)}"
    change = OrderChange(order_ref=record.order_ref, state=OrderState.UNKNOWN, reason=words)
    return Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, reason=words, change=change)
