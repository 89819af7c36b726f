"""The effect protocol: claim, intend, send once, record; what was provably not sent is
claimed anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from connectors.concurrently import (
    run_all_shielded,
    run_or_cancel,
    shield_until_done,
    wait_all_shielded,
)
from connectors.crash_points import (
    AFTER_ANSWER,
    AFTER_INTENT,
    AFTER_RECORD,
    BEFORE_INTENT,
    reach,
)
from connectors.ledger.group_commit import nothing_sent
from connectors.ledger.records import (
    Claimed,
    EffectRecord,
    Intent,
    OrderChange,
    OrderRecord,
    Outcome,
    SpendLimits,
)
from connectors.xportcn.breaker import fail_fast
from connectors.xportcn.errors import (
    NEVER_S,
    Misconfigured,
    NotSent,
    Refused,
    ServiceAway,
    Unanswered,
    XportcnError,
)
from connectors.xportcn.failures import is_of_account, not_allowed
from domain.absence import Harmless, NeverLeft
from domain.effects import EffectStatus
from domain.holds import Pause, buying_paused
from domain.money import Money
from domain.reasons import Reason, ReasonCode, because
from domain.states import OrderState
from domain.witnessed import Source
from domain.wording import pluralize
from tasks.effects.kind import EffectKind, Proof
from tasks.effects.outcomes import Begun
from tasks.effects.settling import settle
from tasks.engine.gathering import ignore
from tasks.engine.tries import TryAgain, may_try_again, this_try

log = logging.getLogger("sourcing")

VAIN_ROUNDS = 5
"""How often effects that were turned away are sent anew without any of them getting
through.
"""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
FEW_TRIES = 4
"""How often a task is tried again while effects are turned away, or can't be asked
about, by a present service.
"""
TOO_MANY_CALLS = 429


class PassedOver(RuntimeError):
    """A defect: an effect of this very run is open, no part of the run is at work on
    it, and it would be left alone.
    """


@dataclass(frozen=True, slots=True)
class _TurnedAway:
    """Why provably nothing was sent, and the state in which that left the order."""

    error: NotSent
    state: OrderState | None

    @property
    def wait_s(self) -> float:
        return self.error.retry_after_s or 0.0


@dataclass(slots=True)
class _Work:
    """What the portions of one `perform` share: `then` gets recorded orders; no more
    begin once it `is_over`.
    """

    then: Callable[[str], None]
    read_at: datetime | None = None
    trouble: list[Misconfigured] = field(default_factory=list)
    again: list[TryAgain] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    paused: Pause | None = None

    @property
    def is_over(self) -> bool:
        return bool(self.trouble or self.paused) or self.cancelled.is_set()

    @property
    def why_over(self) -> str:
        if self.trouble:
            return str(self.trouble[0])
        return self.paused.words if self.paused else "the run was stopped before that"


@dataclass(slots=True, kw_only=True)
class _Chunk(Begun):
    """The state of a round: orders that were `turned_away`, by reference, and `halt`,
    why no more are begun.

    `is_old`: a round succeeded, and what was read before the first one is too old for a
    further one.
    """

    work: _Work
    places: int
    turned_away: dict[str, _TurnedAway] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    recorded: set[str] = field(default_factory=set)
    halt: ServiceAway | None = None
    is_old: bool = False

    def begin_round(self) -> None:
        self.turned_away, self.begun, self.recorded, self.halt = {}, set(), set(), None

    def turn_away(self, record: EffectRecord, error: NotSent) -> Outcome:
        outcome = self.unsent(
            record, NeverLeft(by=Source.CALL), nothing_sent(error.message)
        )
        self.turned_away[record.order_ref] = _TurnedAway(
            error, outcome.change.state if outcome.change else None
        )
        return outcome

    def through(self, record: EffectRecord) -> None:
        """It is recorded: its slot is free, and its order goes on unless it was turned
        away.
        """
        self.recorded.add(record.key)
        self.leave_places(1)
        if record.order_ref not in self.turned_away:
            self.work.then(record.order_ref)

    def leave_places(self, most: int) -> None:
        places = min(most, self.places)
        self.places -= places
        self.resources.slots.release(places)


async def perform(
    kind: EffectKind,
    intents: Sequence[Intent],
    orders: Mapping[str, OrderRecord],
    *,
    limits: SpendLimits | None = None,
    read_at: datetime | None = None,
    then: Callable[[str], None] = ignore,
) -> None:
    """Do the action for each order at most once; the ledger has the outcomes
    afterwards.

    `then` gets each order once its outcome is recorded; the orders were read at
    `read_at`, else just now. Those whose effect is open (another run's, or one that
    `settle` could not clear) are left alone. A cancellation takes effect once no call
    is on the wire any more and everything is recorded. Raises `TryAgain` while the
    service is away and a further try of the task may bring the rest, `Misconfigured`
    when the service refuses the account.
    """
    work = _Work(then, read_at)
    await shield_until_done(
        _in_portions(work, kind, intents, orders, limits), on_cancel=work.cancelled.set
    )


async def perform_alone(
    kind: EffectKind,
    order: OrderRecord,
    request_hash: str,
    *,
    part: str = "",
    amount: Money | None = None,
    seen_in: OrderState | None = None,
) -> None:
    """`perform` for one effect on one order."""
    ref = order.order_ref
    action = kind.action
    intent = Intent(
        order_ref=ref,
        action=action,
        amount=amount,
        request_hash=request_hash,
        part=part,
        seen_in=seen_in,
    )
    await perform(kind, [intent], {ref: order})


async def _in_portions(
    work: _Work,
    kind: EffectKind,
    intents: Sequence[Intent],
    orders: Mapping[str, OrderRecord],
    limits: SpendLimits | None,
) -> None:
    """Claim no more than can leave now; what can leave waits for no other."""
    resources = kind.resources
    waiting = list(intents)
    fresh_until = (work.read_at or resources.clock()) + resources.lease
    portions: list[asyncio.Task[None]] = []
    try:
        while waiting and not work.is_over and not work.again:
            here = resources.slots.take_now(len(waiting))
            if not (
                places := here
                or await run_or_cancel(
                    work.cancelled, resources.slots.take(len(waiting))
                )
            ):
                break
            if kind.rests_on_a_reading and resources.clock() >= fresh_until:
                resources.slots.release(places)
                await _leave_for_later(work, kind, waiting)
                break
            chunk = _Chunk(kind=kind, orders=orders, work=work, places=places)
            portions.append(
                asyncio.create_task(_in_rounds(chunk, waiting[:places], limits))
            )
            waiting = waiting[places:]
    finally:
        await wait_all_shielded(portions)
    if work.trouble:
        raise work.trouble[0]
    if work.again:
        raise work.again[0]


async def _leave_for_later(
    work: _Work, kind: EffectKind, intents: Sequence[Intent]
) -> None:
    """Claim none of these: an earlier reading, of a price say, is too old by now, and
    is to be repeated.
    """
    words = "no call could be made for so long that what the service showed before is too old"
    if may_try_again(kind.resources):
        work.again.append(
            TryAgain(
                f"{words}; {pluralize(len(intents), 'order')} to {kind.action} left"
            )
        )
        return
    await _keep(kind, intents, nothing_sent(words))


async def _keep(kind: EffectKind, intents: Sequence[Intent], why: Reason) -> None:
    """The orders stay as they were seen, with the reason."""
    await kind.resources.group_commit.change(
        [
            OrderChange(
                order_ref=one.order_ref,
                state=one.seen_in,
                expected=one.seen_in,
                why=why,
            )
            for one in intents
            if one.seen_in
        ]
    )


async def _in_rounds(
    chunk: _Chunk, intents: Sequence[Intent], limits: SpendLimits | None
) -> None:
    """Claim, send, record; then again with those that were turned away, as long as that
    is soon and not in vain.

    Between two rounds nothing is claimed: waiting holds no lease. After a lease no
    further round begins: an earlier reading, of a price say, is too old by then, and
    another try of the task repeats it.
    """
    left = list(intents)
    vain = 0
    resources = chunk.resources
    fresh_until = (chunk.work.read_at or resources.clock()) + resources.lease
    try:
        while left:
            before = len(left)
            with fail_fast():  # leases run
                left = await _round(chunk, left, limits)
            vain = vain + 1 if len(left) == before else 0
            if not left or chunk.work.is_over or vain == VAIN_ROUNDS:
                break
            if not await _is_soon(chunk, vain):
                break
            if resources.clock() >= fresh_until:
                chunk.is_old = not vain
                break
    finally:
        chunk.leave_places(chunk.places)
    if not chunk.work.trouble:
        _ask_for_another_try(chunk)


async def _round(
    chunk: _Chunk, intents: Sequence[Intent], limits: SpendLimits | None
) -> list[Intent]:
    """Send each once; answers the intents that were turned away for now, as they may be
    claimed again.
    """
    resources = chunk.resources
    chunk.begin_round()
    slots = {intent.slot for intent in intents} - resources.in_hand
    resources.in_hand |= (
        slots  # before there are rows: nothing else of this run may take them over
    )
    try:
        reach(BEFORE_INTENT, chunk.kind.action)
        claimed = await resources.group_commit.claim(
            intents, lease=resources.lease, limits=limits
        )
        reach(AFTER_INTENT, chunk.kind.action)
        if claimed.paused:
            resources.heed(claimed.paused)
            chunk.work.paused = claimed.paused
            await _keep(chunk.kind, intents, buying_paused(claimed.paused))
        won = [
            claimed.won[one.order_ref]
            for one in intents
            if one.order_ref in claimed.won
        ]
        try:
            _require_none_passed_over(chunk, claimed, slots)
            await _send_all(chunk, won)
        finally:
            await _leave_none_open(chunk, won)
    finally:
        resources.in_hand -= slots
    soon = {ref for ref, one in chunk.turned_away.items() if one.wait_s < NEVER_S}
    return [_as_left(chunk, intent) for intent in intents if intent.order_ref in soon]


def _require_none_passed_over(
    chunk: _Chunk, claimed: Claimed, slots: Collection[str]
) -> None:
    """Each try begins with settling, so no effect that this run left *sending* is open
    by now.
    """
    for record in claimed.open.values():
        is_own = record.owner == chunk.resources.ledger.owner and record.slot in slots
        if is_own and record.status is EffectStatus.SENDING:
            raise PassedOver(
                f"{record.key} was begun by this run and is open, and no call asks what became of it"
            )


async def _send_all(chunk: _Chunk, records: Sequence[EffectRecord]) -> None:
    if len(records) == 1 and not chunk.work.is_over:
        await _send(chunk, records[0])
        return
    await run_all_shielded(
        records,
        lambda record: _send(chunk, record),
        at_once=chunk.resources.concurrency,
        until=lambda: chunk.halt or chunk.work.is_over,
    )


async def _leave_none_open(chunk: _Chunk, records: Sequence[EffectRecord]) -> None:
    """Give back what was not begun; what was begun and could not be recorded is read
    back under a new fence.

    By now no call is on the wire. Where the ledger can't be written, the next try
    settles it, or the next run.
    """
    resources = chunk.resources
    idle = [record for record in records if record.key not in chunk.begun]
    lost = [record for record in records if record.key in chunk.begun - chunk.recorded]
    resources.in_hand -= {record.slot for record in lost}
    if idle:
        error = chunk.halt or NotSent(chunk.work.why_over)
        outcomes = [chunk.turn_away(record, error) for record in idle]
        await _record(chunk, outcomes)
    if lost:
        await settle(chunk.kind, [record.order_ref for record in lost])


def _as_left(chunk: _Chunk, intent: Intent) -> Intent:
    state = chunk.turned_away[intent.order_ref].state
    return replace(intent, seen_in=state) if state and intent.seen_in else intent


async def _is_soon(chunk: _Chunk, vain: int) -> bool:
    """Wait until the next round can be; False when that takes long, or the run is
    stopped.
    """
    breaker = chunk.resources.breaker
    waits = [one.wait_s for one in chunk.turned_away.values()]
    pause = max(FIRST_PAUSE_S * 2**vain, *(wait for wait in waits if wait < NEVER_S))
    if pause > LONGEST_PAUSE_S:
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(pause):
            await chunk.work.cancelled.wait()
    with suppress(TimeoutError, ServiceAway):
        async with asyncio.timeout(LONGEST_PAUSE_S):
            await breaker.wait_ready()
            return not chunk.work.is_over
    return False


def _ask_for_another_try(chunk: _Chunk) -> None:
    """Ask for another try for causes that pass: the service is away, or turns away, or
    could not be asked, just now.
    """
    errors = [one.error for one in chunk.turned_away.values() if one.wait_s < NEVER_S]
    if (
        chunk.work.cancelled.is_set()
        or not may_try_again(chunk.resources)
        or not (errors or chunk.is_unheard)
    ):
        return
    why = chunk.resources.breaker.blocked_by
    is_throttled = chunk.is_old or any(
        error.status == TOO_MANY_CALLS for error in errors
    )
    is_worth_it = chunk.is_old or this_try().this < FEW_TRIES
    if not why and (is_throttled or chunk.is_unheard) and is_worth_it:
        why = (
            "the service had too many calls"
            if is_throttled
            else "the service could not be asked"
        )
    if why:
        left = (
            pluralize(len(chunk.turned_away), "order") + f" to {chunk.kind.action} left"
        )
        chunk.work.again.append(
            TryAgain(
                f"{why}; {left if chunk.turned_away else 'what was under way is to be asked about'}"
            )
        )


async def _send(chunk: _Chunk, record: EffectRecord) -> None:
    """Send one request, once, and record the outcome."""
    chunk.begun.add(record.key)
    try:
        proof = await chunk.kind.send(record.claim, chunk.orders[record.order_ref])
        outcome = chunk.done(record, proof)
    except Misconfigured as error:
        chunk.work.trouble.append(error)
        why = because(ReasonCode.ACCOUNT_REFUSED, failure=str(error))
        outcome = chunk.unsent(record, NeverLeft(by=Source.CALL), why)
    except NotSent as error:
        chunk.halt = error if isinstance(error, ServiceAway) else chunk.halt
        outcome = chunk.turn_away(record, error)
    except (Refused, Unanswered) as error:
        outcome = await _concluded(chunk, record, error)
        if is_of_account(error) and outcome.status is EffectStatus.UNKNOWN:
            # else each further one would be a doubt of its own
            chunk.work.trouble.append(not_allowed(error))
    reach(AFTER_ANSWER, chunk.kind.action)
    await _record(chunk, [outcome])
    chunk.through(record)
    reach(AFTER_RECORD, chunk.kind.action)


async def _record(chunk: _Chunk, outcomes: Iterable[Outcome]) -> None:
    """Record these. The log alone has an answer for which the ledger is away, or that
    comes after a takeover.
    """
    told = list(outcomes)
    records = (chunk.resources.group_commit.record(outcome) for outcome in told)
    counts = await asyncio.gather(*records, return_exceptions=True)
    for outcome, count in zip(told, counts, strict=True):
        if outcome.status is EffectStatus.DONE and count is not True:
            log.error(
                "The answer to %s could not be recorded: %s",
                outcome.claim.key,
                outcome.answer,
            )
    for error in counts:
        if isinstance(error, BaseException):
            raise error


async def _concluded(
    chunk: _Chunk, record: EffectRecord, reply: Refused | Unanswered
) -> Outcome:
    if chunk.kind.repeatable:
        return chunk.unsent(record, Harmless(), nothing_sent(str(reply)))
    try:
        if isinstance(reply, Refused):
            return chunk.after_refusal(
                record, reply, await chunk.read_back([record])
            )  # it may be done (contract 2.7)
        return await _after_silence(chunk, record, reply)
    except (
        Misconfigured
    ) as error:  # the others of the chunk are on their way and must get their answers
        chunk.work.trouble.append(error)
        why = f"{reply.message}; and the service could not be asked ({error})"
        return chunk.unknown(record, why)


async def _after_silence(
    chunk: _Chunk, record: EffectRecord, error: Unanswered
) -> Outcome:
    seen = await chunk.read_back([record])
    proof = None if isinstance(seen, XportcnError) else seen.get(record.key)
    if isinstance(proof, Proof):
        return chunk.done(record, proof, error.message)
    return chunk.unknown(record, error.message)
