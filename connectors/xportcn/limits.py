"""How fast this process may call, a token bucket, and how many calls at once the
service takes without slowing down.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable

from domain.fair_pace import most_permits

NEARLY = 1e-6
"""A permit that lacks so little is whole: rounding makes no call wait again."""
WINDOW_S, ENOUGH = 0.5, 20
LEAST_AT_ONCE = 4
FAR, NEAR_S = 2.0, 0.25
"""An answer is slow that takes twice as long as before and 0.25 s more: a smaller delay
may be this process's own.
"""


class TokenBucket:
    """The permits of a breaker, one for each call that leaves: `per_second`, up to a
    second's worth at once.

    0 is no limit, for which `per_second` is infinite.
    """

    def __init__(
        self, per_second: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_second = per_second or math.inf
        self.permits = most_permits(self.per_second)
        self._clock = clock
        self._at = clock()

    def take(self) -> float:
        """Take a permit and answer 0; or the seconds after which to try again, infinite
        without a rate.
        """
        if math.isinf(self.per_second):
            return 0.0
        self._fill()
        if self.permits < 1 - NEARLY:
            return (1 - self.permits) / self.per_second if self.per_second else math.inf
        self.permits -= 1
        return 0.0

    def put_back(self) -> None:
        """Give back the permit of a call that was not made."""
        self.permits += 1

    def set_rate(self, per_second: float) -> None:
        """Another rate from now on."""
        self._fill()
        self.per_second = per_second
        self.permits = min(self.permits, most_permits(per_second))

    def empty(self, until: float) -> None:
        """Drop all permits; none are made until then."""
        self.permits, self._at = 0.0, until

    def on_throttled(self, pause_s: float) -> None:
        """Record that the service has too many calls, and this process pauses so
        long.
        """

    def _fill(self) -> None:
        now = self._clock()
        if math.isfinite(self.per_second):
            flown = self.per_second * max(0.0, now - self._at)
            self.permits = min(self.permits + flown, most_permits(self.per_second))
        self._at = max(now, self._at)


class AdaptiveLimit:
    """The number of concurrent calls: half at first, doubled while answers stay as
    fast, fewer when they get slower.

    Judged in windows of time. Calls of one kind are compared with each other by their
    lower quartile, so neither a straggler counts nor a kind that is slow by nature. A
    quarter less, where slow kinds made most of the calls; after that one more a window.
    If answers are as slow with fewer calls, this process is not the cause: that speed
    is the new norm.
    """

    def __init__(
        self, most: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = most
        self.now = max(min(most, LEAST_AT_ONCE), most // 2)
        self._clock = clock
        self._since = clock()
        self._count = 0
        self._was_slow = False
        self._normal: dict[str, float] = {}
        self._before: dict[str, float] = {}
        self._seen: defaultdict[str, list[float]] = defaultdict(list)

    def answered(self, kind: str, seconds: float) -> None:
        """Record an answer after so many seconds. Calls that were sent before this
        window do not count in it.
        """
        if self._clock() - seconds < self._since:
            return
        self._seen[kind].append(seconds)
        self._count += 1
        if self._count >= ENOUGH and self._clock() - self._since >= WINDOW_S:
            self._judge(
                {
                    kind: sorted(seen)[len(seen) // 4]
                    for kind, seen in self._seen.items()
                }
            )
            self._seen.clear()
            self._count, self._since = 0, self._clock()

    def _judge(self, taken: dict[str, float]) -> None:
        slow = [
            kind
            for kind in taken
            if taken[kind] > FAR * self._normal.get(kind, taken[kind]) + NEAR_S
        ]
        if sum(len(self._seen[kind]) for kind in slow) * 2 <= self._count:
            self._normal |= {
                kind: min(seconds, self._normal.get(kind, seconds))
                for kind, seconds in taken.items()
            }
            self.now = min(self.most, self.now + 1 if self._was_slow else self.now * 2)
            self._before = {}
        elif all(
            taken[kind] > 0.9 * self._before.get(kind, float("inf")) for kind in slow
        ):
            self._normal |= taken
            self.now, self._was_slow, self._before = self.most, False, {}
        else:
            self.now = max(min(self.most, LEAST_AT_ONCE), self.now * 3 // 4)
            self._was_slow, self._before = True, taken
