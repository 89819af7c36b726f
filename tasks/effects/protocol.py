"""The effect protocol: claim, intend, send once, record; what was provably not sent is
claimed anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from connectors.concurrently import wait_all_shielded
from connectors.crash_points import (
    AFTER_ANSWER,
    AFTER_INTENT,
    AFTER_RECORD,
    BEFORE_INTENT,
    reach,
)
from connectors.foreign import words_of
from connectors.ledger.group_commit import nothing_sent
from connectors.ledger.records import (
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
from domain.absence import NeverLeft
from domain.effects import EffectStatus
from domain.holds import buying_paused
from domain.money import Money
from domain.reasons import Reason, ReasonCode, because
from domain.states import OrderState
from domain.witnessed import Source
from domain.wording import pluralize
from tasks.effects.judge import NOT_READ, judge, unknown, unsent
from tasks.effects.kind import Attempt, EffectKind, Sighting, not_to_be_asked
from tasks.effects.settling import settle
from tasks.engine.gathering import ignore
from tasks.engine.resources import Resources
from tasks.engine.tries import TryAgain, may_try_again, this_try

log = logging.getLogger("sourcing")

MOST_ROUNDS = 5
"""How often an effect is sent while it is turned away."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
FEW_TRIES = 4
"""How often a task is tried again while effects are turned away, or can't be asked
about, by a present service.
"""
TOO_MANY_CALLS = 429
TOO_OLD = (
    "no call could be made for so long that what the service showed before is too old"
)


class PassedOver(RuntimeError):
    """A defect: an effect of this very run is open, no part of the run is at work on
    it, and it would be left alone.
    """


@dataclass(slots=True, kw_only=True)
class _Work:
    """What the orders of one `perform` share. Once it is `stopped` nothing more begins.

    `left` has the slots of effects that are not concluded, and why they were turned
    away. `is_unheard`: the service was away when it was asked about one. `is_old`: what
    was read before is.
    """

    kind: EffectKind
    orders: Mapping[str, OrderRecord]
    limits: SpendLimits | None
    fresh_until: datetime
    then: Callable[[str], None]
    left: dict[str, NotSent | None]
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    why_stopped: str = "the run was stopped before that"
    trouble: Misconfigured | None = None
    is_unheard: bool = False
    is_old: bool = False

    def stop(self, why: str) -> None:
        if not self.stopped.is_set():
            self.why_stopped = why
            self.stopped.set()

    def fail(self, error: Misconfigured) -> None:
        self.trouble = error
        self.stop(str(error))


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
    work = _Work(
        kind=kind,
        orders=orders,
        limits=limits,
        fresh_until=(read_at or kind.resources.clock()) + kind.resources.lease,
        then=then,
        left=dict.fromkeys(intent.slot for intent in intents),
    )
    await wait_all_shielded(
        [_in_rounds(work, intent) for intent in intents], on_cancel=work.stopped.set
    )
    if work.trouble:
        raise work.trouble
    if why := _why_again(work):
        left = pluralize(len(work.left), "order") + f" to {kind.action} left"
        asked = "what was under way is to be asked about"
        raise TryAgain(f"{why}; {left if work.left else asked}")


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
    ref, action = order.order_ref, kind.action
    intent = Intent(
        order_ref=ref,
        action=action,
        amount=amount,
        request_hash=request_hash,
        part=part,
        seen_in=seen_in,
    )
    await perform(kind, [intent], {ref: order})


async def _in_rounds(work: _Work, intent: Intent) -> None:
    """Claim, send, record, as soon as a call can leave; then again if it was turned
    away, as long as that is soon.

    Between two rounds nothing is claimed: waiting holds no lease. Nothing is sent after
    an earlier reading, of a price say, that is older than a lease: another try of the
    task repeats it.
    """
    kind, resources = work.kind, work.kind.resources
    for tried in range(MOST_ROUNDS):
        if tried and not await _is_soon(work, intent, tried):
            break
        async with resources.slots.one():
            if work.stopped.is_set():
                return
            if kind.rests_on_a_reading and resources.clock() >= work.fresh_until:
                work.is_old = True
                if not may_try_again(resources):
                    await _keep(kind, intent, nothing_sent(TOO_OLD))
                break
            try:
                with fail_fast():  # leases run
                    state = await _claim_and_send(work, intent)
            except BaseException as error:
                work.stop(words_of(error))
                raise
        if work.left.get(intent.slot) is None:
            return
        if state and intent.seen_in:
            intent = replace(intent, seen_in=state)
    if why := _why_again(work):
        turned_away = work.left[intent.slot]
        work.stop(turned_away.message if turned_away else why)


async def _keep(kind: EffectKind, intent: Intent, why: Reason) -> None:
    """The order stays as it was seen, with the reason."""
    if state := intent.seen_in:
        change = OrderChange(
            order_ref=intent.order_ref, state=state, expected=state, why=why
        )
        await kind.resources.group_commit.change([change])


async def _claim_and_send(work: _Work, intent: Intent) -> OrderState | None:
    """Send an effect once, if the claim is won; answers the state in which its order is
    left.
    """
    kind, resources, ref = work.kind, work.kind.resources, intent.order_ref
    mine = {intent.slot} - resources.in_hand
    # before there is a row: nothing else of this run may take it over
    resources.in_hand |= mine
    try:
        reach(BEFORE_INTENT, kind.action)
        claimed = await resources.group_commit.claim(
            [intent], lease=resources.lease, limits=work.limits
        )
        reach(AFTER_INTENT, kind.action)
        if claimed.paused:
            resources.heed(claimed.paused)
            work.stop(claimed.paused.words)
            await _keep(kind, intent, buying_paused(claimed.paused))
        _require_not_passed_over(work, claimed.open.get(ref), mine)
        work.left.pop(intent.slot, None)
        if not (effect := claimed.won.get(ref)):
            return None
        try:
            outcome = await _send(work, Attempt(work.orders[ref], effect))
            reach(AFTER_ANSWER, kind.action)
            await _record(resources, outcome)
        except BaseException:
            # No call is on the wire. Where the ledger can't be written, the next try
            # settles it, or the next run.
            resources.in_hand -= mine
            await settle(kind, [ref])
            raise
    finally:
        resources.in_hand -= mine
    if intent.slot not in work.left:
        work.then(ref)
    reach(AFTER_RECORD, kind.action)
    return outcome.change.state if outcome.change else None


def _require_not_passed_over(
    work: _Work, effect: EffectRecord | None, slots: Collection[str]
) -> None:
    """Each try begins with settling, so no effect that this run left *sending* is open
    by now.
    """
    if (
        effect
        and effect.owner == work.kind.resources.ledger.owner
        and effect.slot in slots
        and effect.status is EffectStatus.SENDING
    ):
        raise PassedOver(
            f"{effect.key} was begun by this run and is open, and no call asks what became of it"
        )


async def _send(work: _Work, attempt: Attempt) -> Outcome:
    """Send one request, once; answers the outcome to record."""
    kind, effect = work.kind, attempt.effect
    now = kind.resources.clock()
    try:
        if work.stopped.is_set():
            raise NotSent(work.why_stopped)
        if why_done := kind.may_be_done.get(effect.order_ref):
            # noted as sent: it must not be taken for never begun
            kind.resources.leave(effect.claim)
            raise Unanswered(why_done)
        proof = await kind.send(effect.claim, attempt.order)
        return judge(kind, attempt, proof, asked_at=now)
    except Misconfigured as error:
        work.fail(error)
        why = because(ReasonCode.ACCOUNT_REFUSED, failure=str(error))
    except NotSent as error:
        work.left[effect.slot] = error
        why = nothing_sent(error.message)
    except (Refused, Unanswered) as failure:
        try:
            seen = await _read_back(work, attempt)
            outcome = judge(kind, attempt, seen, asked_at=now, failure=failure)
        except Misconfigured as error:
            work.fail(error)
            words = f"{failure.message}; and the service could not be asked ({error})"
            outcome = unknown(kind, attempt, words)
        if is_of_account(failure) and outcome.status is EffectStatus.UNKNOWN:
            work.fail(not_allowed(failure))  # else each further one is in doubt too
        return outcome
    return unsent(kind, attempt, NeverLeft(by=Source.CALL), why)


async def _read_back(work: _Work, attempt: Attempt) -> Sighting:
    """What the service shows of it, or why it can't be asked; raises
    `Misconfigured`.
    """
    try:
        seen = await work.kind.read_back([attempt])
        return seen.get(attempt.effect.key, NOT_READ)
    except Misconfigured:
        raise
    except XportcnError as error:
        work.is_unheard |= isinstance(error, ServiceAway)
        return not_to_be_asked(error)


async def _record(resources: Resources, outcome: Outcome) -> None:
    """Record it. The log alone has an answer for which the ledger is away, or that
    comes after a takeover.
    """
    counts = False
    try:
        counts = await resources.group_commit.record(outcome)
    finally:
        if outcome.status is EffectStatus.DONE and not counts:
            log.error(
                "The answer to %s could not be recorded: %s",
                outcome.claim.key,
                outcome.answer,
            )


async def _is_soon(work: _Work, intent: Intent, tried: int) -> bool:
    """Wait until the next round can be; False when that takes long, or the run is
    stopped.
    """
    error = work.left[intent.slot]
    pause = max(FIRST_PAUSE_S * 2**tried, (error and error.retry_after_s) or 0.0)
    if pause > LONGEST_PAUSE_S:
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(pause):
            await work.stopped.wait()
    with suppress(TimeoutError, ServiceAway):
        async with asyncio.timeout(LONGEST_PAUSE_S):
            await work.kind.resources.breaker.wait_ready()
            return not work.stopped.is_set()
    return False


def _why_again(work: _Work) -> str:
    """Why another try of the task may bring the rest, for causes that pass: the service
    is away, or turns away, or could not be asked, just now.
    """
    resources = work.kind.resources
    errors = [
        error
        for error in work.left.values()
        if error and (error.retry_after_s or 0.0) < NEVER_S
    ]
    if not may_try_again(resources) or not (errors or work.is_unheard or work.is_old):
        return ""
    if work.is_old:
        return TOO_OLD
    if why := resources.breaker.blocked_by:
        return why
    if this_try().this >= FEW_TRIES:
        return ""
    if any(error.status == TOO_MANY_CALLS for error in errors):
        return "the service had too many calls"
    return "the service could not be asked" if work.is_unheard else ""
