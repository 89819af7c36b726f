"""Settling: effects that may have been sent are read back before anything is ever sent
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from connectors.concurrently import run_or_cancel, shield_until_done
from connectors.ledger.group_commit import nothing_sent
from connectors.ledger.records import EffectRecord, Outcome
from connectors.xportcn.breaker import fail_fast
from connectors.xportcn.errors import Unanswered, XportcnError
from domain.absence import Absent, Harmless, NeverLeft, Unseen
from domain.reasons import Reason, ReasonCode, because
from domain.witnessed import Contradicted, Open, Source, words_of
from tasks.effects.kind import EffectKind, Proof
from tasks.effects.outcomes import NOT_READ, Begun, Seen, refusal_of
from tasks.engine.resources import Resources

RUN_ENDED = nothing_sent("the run ended before it was sent")
NEVER_RECEIVED = nothing_sent("the service never received it")
SENT_AGAIN = because(ReasonCode.SENT_AGAIN)


async def settle(kind: EffectKind, order_refs: Collection[str]) -> None:
    """Read back effects of a kind that may have been sent: by a run that died, or that
    got no answer.

    Each ends as done, as provably not sent (then it may be claimed anew), or stays
    unknown with a question. Of this run's own only those that are not in hand. A
    cancellation takes effect once what was taken over is recorded.
    """
    halted = asyncio.Event()
    await shield_until_done(
        _settle(kind, list(order_refs), halted), on_cancel=halted.set
    )


async def _settle(kind: EffectKind, refs: list[str], halted: asyncio.Event) -> None:
    resources = kind.resources
    dead = await asyncio.to_thread(resources.dead_owners, refs)
    effects = await asyncio.to_thread(
        resources.ledger.take_over,
        refs,
        action=kind.action,
        lease=resources.lease,
        dead_owners=dead,
        in_hand=resources.in_hand,
    )
    if not effects:
        return
    # a reading from before the takeover may be older than the last holder's
    orders = await asyncio.to_thread(
        resources.ledger.orders, [record.order_ref for record in effects]
    )
    begun = Begun(kind, orders)
    asked_at = resources.clock()
    proofs = await _read_back_unless(halted, begun, effects)
    outcomes = [_settled(begun, record, proofs, asked_at) for record in effects]
    await asyncio.to_thread(resources.ledger.record, outcomes)


async def _read_back_unless(
    halted: asyncio.Event, begun: Begun, effects: Sequence[EffectRecord]
) -> Seen:
    """A reading that does not wait for a service that is away, since a lease runs. It
    ends when the run is stopped.
    """
    with fail_fast():
        proofs = await run_or_cancel(halted, begun.read_back(effects))
    return Unanswered("the run was stopped") if proofs is None else proofs


def _settled(
    begun: Begun, record: EffectRecord, seen: Seen, asked_at: datetime
) -> Outcome:
    sighting = (
        NOT_READ if isinstance(seen, XportcnError) else seen.get(record.key, NOT_READ)
    )
    if isinstance(sighting, Proof):
        return begun.done(record, sighting)
    if begun.resources.never_left(record):
        return begun.unsent(record, NeverLeft(by=Source.SEND_LOG), RUN_ENDED)
    if isinstance(seen, XportcnError):
        return begun.unknown(record, f"the service can't be asked ({seen.message})")
    if isinstance(sighting, Reason):
        return begun.unknown(record, str(sighting))
    if begun.kind.repeatable:
        return begun.unsent(record, Harmless(), SENT_AGAIN)
    return _not_seen(begun, record, sighting, asked_at)


def _not_seen(
    begun: Begun,
    record: EffectRecord,
    sighting: Unseen | Open | Contradicted,
    asked_at: datetime,
) -> Outcome:
    if not begun.kind.may_be_repeated:
        return begun.unknown(
            record, words_of(sighting) if isinstance(sighting, Contradicted) else ""
        )
    clear_at = clear_from(begun.resources, record)
    if isinstance(sighting, Contradicted):
        return begun.unknown(record, words_of(sighting), ask=asked_at >= clear_at)
    if asked_at < clear_at:  # this process may have been stopped since
        until = f"{clear_at:%Y-%m-%d %H:%M} UTC"
        return begun.unknown(
            record, f"it may still arrive until {until}; run again after that"
        )
    if isinstance(sighting, Open):
        return begun.unknown(record, words_of(sighting), ask=sighting.again_at is None)
    absent = Absent(unseen=sighting, asked_at=asked_at, clear_at=clear_at)
    if refusal := refusal_of(record):
        return begun.refused(record, refusal, absent)
    reason = NEVER_RECEIVED if begun.kind.absence_proves else SENT_AGAIN
    return begun.unsent(record, absent, reason)


def clear_from(resources: Resources, record: EffectRecord) -> datetime:
    """From when on absence proves that it never happened: it may have left at any time
    within its lease.
    """
    return record.leaves_by + timedelta(seconds=resources.settings.settle_s)
