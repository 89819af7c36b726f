"""Settling: effects that may have been sent are read back before anything is ever sent
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from connectors.concurrently import run_or_cancel, wait_all_shielded
from connectors.xportcn.breaker import fail_fast
from connectors.xportcn.errors import Misconfigured, Unanswered, XportcnError
from tasks.effects.judge import NOT_READ, judge
from tasks.effects.kind import Attempt, EffectKind, Sighting, not_to_be_asked


async def settle(kind: EffectKind, order_refs: Collection[str]) -> None:
    """Read back effects of a kind that may have been sent: by a run that died, or that
    got no answer.

    Each ends as done, as provably not sent (then it may be claimed anew), or stays
    unknown with a question. Of this run's own only those that are not in hand. A
    cancellation takes effect once what was taken over is recorded.
    """
    halted = asyncio.Event()
    await wait_all_shielded(
        [_settle(kind, list(order_refs), halted)], on_cancel=halted.set
    )


async def _settle(kind: EffectKind, refs: list[str], halted: asyncio.Event) -> None:
    resources = kind.resources
    dead = await asyncio.to_thread(resources.dead_owners, refs)
    found = await asyncio.to_thread(
        resources.ledger.take_over,
        refs,
        action=kind.action,
        lease=resources.lease,
        dead_owners=dead,
        in_hand=resources.in_hand,
    )
    if not found:
        return
    # a reading from before the takeover may be older than the last holder's
    orders = await asyncio.to_thread(
        resources.ledger.orders, [effect.order_ref for effect in found]
    )
    attempts = [Attempt(orders[effect.order_ref], effect) for effect in found]
    asked_at = resources.clock()
    seen = await _read_back_unless(halted, kind, attempts)
    outcomes = [
        judge(kind, attempt, seen.get(attempt.effect.key, NOT_READ), asked_at=asked_at)
        for attempt in attempts
    ]
    await asyncio.to_thread(resources.ledger.record, outcomes)


async def _read_back_unless(
    halted: asyncio.Event, kind: EffectKind, attempts: Sequence[Attempt]
) -> Mapping[str, Sighting]:
    """What the service shows of each, or why it can't be asked; raises
    `Misconfigured`.

    A service that is away is not waited for, since a lease runs. The reading ends when
    the run is stopped.
    """
    try:
        with fail_fast():
            seen = await run_or_cancel(halted, kind.read_back(attempts))
        if seen is not None:
            return seen
        raise Unanswered("the run was stopped")
    except Misconfigured:
        raise
    except XportcnError as error:
        why = not_to_be_asked(error)
    return {attempt.effect.key: why for attempt in attempts}
