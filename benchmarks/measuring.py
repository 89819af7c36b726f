"""Two ways to do the same work, measured in turn in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was done, ours and the rival's way, in median seconds for `amount` things
    (calls, rows, orders, starts).
    """

    work: str
    rival: str
    amount: int
    things: str
    our_s: float
    rival_s: float
    repetitions: int

    @property
    def times_as_fast(self) -> float:
        """Above 1 ours is faster than the rival."""
        return self.rival_s / self.our_s


def compare(
    ours: Callable[[], object],
    other: Callable[[], object],
    *,
    work: str,
    rival: str,
    amount: int,
    things: str,
    repetitions: int,
) -> Comparison:
    """Do both in turn, after one warm-up of each, so that a busy moment of the machine
    hits both.
    """
    ours()
    other()
    pairs = [(_seconds(ours), _seconds(other)) for _ in range(repetitions)]
    our_s, rival_s = (median(side) for side in zip(*pairs, strict=True))
    return Comparison(
        work=work,
        rival=rival,
        amount=amount,
        things=things,
        our_s=our_s,
        rival_s=rival_s,
        repetitions=repetitions,
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
