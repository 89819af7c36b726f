"""How many calls a second each process of an account may make: the account's rate,
divided between its rate clients.

It is divided between the processes that call, so that none gets more while another gets
less and wants more (max-min); the rest is for all alike. A share grows only by what
others have given up: together they never exceed the rate. Times are seconds on one
clock, that of the ledger's database.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

BURST_S = 1.0
"""How long permits gather while a client, or the account, makes no calls."""
KEEP_S = 0.5
"""How much later than due a client may ask again before its share is for all."""
PERIOD_S, LONGEST_S = 0.25, 2.0
"""How long a client waits before it asks again: longer with less than a call in that
time.
"""
LONGEST_PAUSE_S = 300.0
"""A pause that one process reports binds the others no longer than this; the next call
after it reports anew.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateClient:
    """A process that calls: how many calls a second it could make, and its own limit; 0
    is none.

    Its `share` are the calls a second that it may make `until` then.
    """

    wants: float
    limit: float
    until: float = 0.0
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The account's clients, and the permits that had gathered at `at` for the first of
    them.

    No call may be made before `not_before`.
    """

    at: float
    permits: float
    not_before: float = 0.0
    clients: Mapping[str, RateClient] = field(default_factory=dict)

    def alive(self, now: float) -> dict[str, RateClient]:
        """The clients that call at present."""
        return {
            name: client for name, client in self.clients.items() if now < client.until
        }

    def pause(self, now: float) -> float:
        """For how many seconds no call may be made; a longer pause than any is of a
        clock that was ahead.
        """
        pause = max(0.0, self.not_before - now)
        return pause if pause <= LONGEST_PAUSE_S + BURST_S else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The share in calls a second, and when to ask again; no call within `pause_s`.

    A new client begins with `permits`.
    """

    share: float
    again_s: float
    permits: float = 0.0
    pause_s: float = 0.0


def opening(now: float, limit: float) -> Pace:
    """The pace of an account that has been idle for a while."""
    return Pace(at=now, permits=most_permits(limit))


def leased(pace: Pace, name: str, asking: RateClient, now: float) -> tuple[Pace, Lease]:
    """Give a client its share, as far as others have given it up: an infinite one where
    no client has a limit.
    """
    pace = _of_this_clock(pace, now)
    alive = pace.alive(now)
    clients = {**alive, name: asking}
    limit = min(client.limit or math.inf for client in clients.values())
    pause = pace.pause(now)
    if math.isinf(limit):
        lease, share = Lease(share=limit, again_s=PERIOD_S, pause_s=pause), 0.0
    else:
        fair = shares(clients, limit)[name]
        taken = sum(client.share for other, client in alive.items() if other != name)
        share = max(0.0, min(fair, limit - taken))
        again_s = (
            PERIOD_S if share < fair else max(PERIOD_S, min(BURST_S / share, LONGEST_S))
        )
        permits = 0.0 if alive else _gathered(pace, limit, now)
        lease = Lease(share=share, again_s=again_s, permits=permits, pause_s=pause)
    clients[name] = replace(asking, share=share, until=now + lease.again_s + KEEP_S)
    return replace(pace, at=max(pace.at, now), permits=0.0, clients=clients), lease


def left(pace: Pace, client: str, permits: float, now: float) -> Pace:
    """A client leaves; the last one gives back the permits it did not use."""
    pace = _of_this_clock(pace, now)
    others = {name: one for name, one in pace.alive(now).items() if name != client}
    is_last = client in pace.clients and not others
    return replace(
        pace,
        at=max(pace.at, now),
        permits=permits if is_last else pace.permits,
        clients=others,
    )


def held(pace: Pace, pause_s: float, now: float) -> Pace:
    """The service has too many calls: none is made for so long, and then all begin with
    nothing saved up.
    """
    pace = _of_this_clock(pace, now)
    not_before = max(pace.not_before, now + min(pause_s, LONGEST_PAUSE_S))
    return replace(pace, at=max(pace.at, now), permits=0.0, not_before=not_before)


def is_limited(pace: Pace, now: float) -> bool:
    """Whether a present client was given a limit, which is then that of all."""
    return any(client.limit for client in pace.alive(now).values())


def shares(clients: Mapping[str, RateClient], limit: float) -> dict[str, float]:
    """Calls a second for each client, the whole limit: what is more than is wanted is
    for all alike.
    """
    parts = max_min(limit, {name: client.wants for name, client in clients.items()})
    unwanted = max(0.0, limit - sum(parts.values())) / len(parts)
    return {name: part + unwanted for name, part in parts.items()}


def max_min(amount: float, wants: Mapping[str, float]) -> dict[str, float]:
    """Divide an amount: no share exceeds its want, and none is below another unless it
    wants no more.
    """
    parts = dict[str, float]()
    for place, (name, want) in enumerate(sorted(wants.items(), key=lambda one: one[1])):
        parts[name] = min(want, amount / (len(wants) - place))
        amount = max(0.0, amount - parts[name])
    return parts


def most_permits(per_second: float) -> float:
    """The permits that gather at a rate; none without one, where no call needs a
    permit.
    """
    return max(1.0, per_second * BURST_S) if 0 < per_second < math.inf else 0.0


def _gathered(pace: Pace, limit: float, now: float) -> float:
    idle_s = max(0.0, now - max(pace.at, pace.not_before))
    return min(most_permits(limit), pace.permits + limit * idle_s)


def _of_this_clock(pace: Pace, now: float) -> Pace:
    """The pace after the clock was set back: shares and pauses keep the length they
    had.
    """
    ahead = pace.at - now
    if (
        ahead <= BURST_S
    ):  # a client that waited for the row may have read the clock before
        return pace
    clients = {
        name: replace(client, until=client.until - ahead)
        for name, client in pace.clients.items()
    }
    return replace(pace, at=now, not_before=pace.not_before - ahead, clients=clients)
