"""The account's token bucket: the calls a second that all processes of a ledger share.

Times are seconds on the clock of the bucket's keeper, the ledger's database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

BURST_S = 1.0
"""Permits gather for this long while no process calls."""
MAX_PAUSE_S = 300.0
"""A pause that one process reports binds the others no longer than this; the next call
after it reports anew.
"""
ROUNDING = 1e-6
"""A permit that lacks so little is whole: rounding makes no call wait again."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The permits of an account at a time. No call is made before `not_before`."""

    at: float
    permits: float
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Block:
    """Permits that a process takes at once. Without any, the next is there after
    `wait_s`; `pause_s` is the rest of a pause that the service asked for.
    """

    permits: int = 0
    wait_s: float = 0.0
    pause_s: float = 0.0


def full_bucket(per_second: float, now: float) -> Bucket:
    """The bucket of an account that has been idle for a while."""
    return Bucket(at=now, permits=max_permits(per_second))


def take_block(
    bucket: Bucket, wanted: int, per_second: float, now: float
) -> tuple[Bucket, Block]:
    """Take as many permits as are there, up to `wanted`."""
    pause_s = remaining_pause_s(bucket, now)
    if pause_s:
        return bucket, Block(wait_s=pause_s, pause_s=pause_s)

    idle_s = max(0.0, now - max(bucket.at, bucket.not_before))
    permits = min(bucket.permits + per_second * idle_s, max_permits(per_second))
    taken_permits = min(wanted, int(permits + ROUNDING))
    block = Block(permits=taken_permits, wait_s=max(0.0, (1 - permits) / per_second))
    return Bucket(at=now, permits=max(0.0, permits - taken_permits)), block


def paused_bucket(bucket: Bucket, pause_s: float, now: float) -> Bucket:
    """Pause all calls; afterwards permits gather from none. A longer pause is kept."""
    pause_s = max(remaining_pause_s(bucket, now), min(pause_s, MAX_PAUSE_S))
    return replace(bucket, permits=0.0, not_before=now + pause_s)


def remaining_pause_s(bucket: Bucket, now: float) -> float:
    """The seconds without calls. A pause longer than any is of a clock that was ahead,
    and counts nothing.
    """
    pause_s = max(0.0, bucket.not_before - now)
    return pause_s if pause_s <= MAX_PAUSE_S + BURST_S else 0.0


def max_permits(per_second: float) -> float:
    """The permits that gather at a rate."""
    return max(1.0, per_second * BURST_S)
