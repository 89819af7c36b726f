"""How many calls the account may make now, and how they are divided between its rate clients.

A bucket of permits fills at the account's rate and never holds more than a second's worth. What flows into it is
divided at once between the runs that want it, so that none gets more while another gets less and wants more (max-min),
and within a run between its processes. A share that is not fetched flows over to all. Times are seconds on one clock,
that of the ledger's database.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

BURST_S = 1.0
"""How long the bucket fills while no client calls."""
KEEP_S = 0.5
"""How much of a client's share is kept while it is not fetched; the rest is for all."""
LAPSE_S = 5.0
"""A client that has not asked for so long is forgotten."""
PERIOD_S, CLIENT_S, LONGEST_S = 0.25, 0.01, 2.0
"""How long a client waits before it asks again: longer among many, and while there is no whole permit for it."""
LONGEST_PAUSE_S = 300.0
"""A pause that one process reports binds the others no longer than this; the next call after it reports anew."""
TINY = 1e-9

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateClient:
    """A process that calls: its run, how many calls a second it could use, and its own limit; 0 is none.

    `credit` are the permits that are kept for it; below zero while it was given one ahead of its turn.
    """

    run: str
    wants: float
    limit: float
    seen: float
    credit: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The account's permits as of `at`: for all, and kept for clients. None are made before `not_before`."""

    at: float
    spare: float
    not_before: float = 0.0
    clients: Mapping[str, RateClient] = field(default_factory=dict)

    @property
    def permits(self) -> float:
        """The sum of all permits; never more than a second's worth, or one."""
        return self.spare + sum(client.credit for client in self.clients.values())

    @property
    def limit(self) -> float:
        """Calls a second for all together: the smallest limit of the present clients, infinite where none has one."""
        return min((client.limit or math.inf for client in self.clients.values()), default=math.inf)

    def alive(self, now: float) -> dict[str, RateClient]:
        """The clients that call at present."""
        return {name: client for name, client in self.clients.items() if now - client.seen < LAPSE_S}

    def pause(self, now: float) -> float:
        """For how many seconds no call may be made."""
        return max(0.0, self.not_before - now)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRequest:
    """What a client asks for: so many `permits` now. `back` are those that it did not use; below zero: used ahead."""

    client: str
    run: str
    wants: float
    limit: float
    permits: int
    back: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The permits granted, the share of the rate in calls a second, and when to ask again; no call within `pause_s`."""

    permits: int
    share: float
    again_s: float
    pause_s: float = 0.0


def opening(now: float, limit: float) -> Pace:
    """The pace of an account that has been idle for a while."""
    return Pace(at=now, spare=_most(limit or math.inf))


def leased(pace: Pace, request: RateRequest, now: float) -> tuple[Pace, Lease]:
    """Grant a client what it may have of its request: all, with an infinite share, where no client has a limit."""
    pace = _of_this_clock(pace, now)
    known = pace.clients.get(request.client) or RateClient(run=request.run, wants=0.0, limit=request.limit, seen=now)
    here = replace(known, limit=request.limit, seen=now)
    pace = filled(replace(pace, clients={**pace.clients, request.client: here}), now)
    mine = replace(pace.clients[request.client], run=request.run, wants=request.wants)
    spare, credit = _given_back(pace, mine.credit, request.back)
    clients = {**pace.clients, request.client: replace(mine, credit=credit)}
    pace = replace(pace, spare=spare, clients=clients)
    share = shares(clients, pace.limit)[request.client]
    if pause := pace.pause(now):
        return pace, Lease(permits=0, share=share, again_s=min(pause, LONGEST_S), pause_s=pause)
    period = max(PERIOD_S, len(clients) * CLIENT_S)
    if math.isinf(pace.limit):
        return pace, Lease(permits=request.permits, share=math.inf, again_s=period)

    granted = min(request.permits, _ready(pace, request.client))
    got_all, remains = granted == request.permits, spare + credit - granted
    spare, credit = (remains, 0.0) if got_all and remains >= 0 else (0.0, remains)
    pace = replace(pace, spare=spare, clients={**clients, request.client: replace(mine, credit=credit)})
    again = period if got_all else min(max(period, (1 - credit) / max(share, TINY)), LONGEST_S)
    return pace, Lease(permits=granted, share=share, again_s=again)


def left(pace: Pace, client: str, back: int, now: float) -> Pace:
    """A client leaves, and gives back what it did not use."""
    pace = filled(pace, now)
    if client not in pace.clients:
        return pace
    spare, credit = _given_back(pace, pace.clients[client].credit, back)
    others = {name: one for name, one in pace.clients.items() if name != client}
    return replace(pace, spare=spare + credit, clients=others)


def held(pace: Pace, pause_s: float, now: float) -> Pace:
    """The service has too many calls: none is made for so long, and then all begin with nothing saved up."""
    clients = {name: replace(client, credit=0.0) for name, client in pace.clients.items()}
    pace = _of_this_clock(pace, now)
    not_before = max(pace.not_before, now + min(pause_s, LONGEST_PAUSE_S))
    return Pace(at=max(pace.at, now), spare=0.0, not_before=not_before, clients=clients)


def is_limited(pace: Pace, now: float) -> bool:
    """Whether a present client was given a limit, which is then that of all."""
    return any(client.limit for client in pace.alive(now).values())


def filled(pace: Pace, now: float) -> Pace:
    """The pace as of `now`: new permits are divided; a client that lapsed is forgotten."""
    pace = _of_this_clock(pace, now)
    alive = pace.alive(now)
    spare = pace.permits - sum(client.credit for client in alive.values())
    limit = replace(pace, clients=alive).limit
    if math.isinf(limit):
        return replace(pace, at=max(pace.at, now), clients=alive)
    too_many = max(1.0, pace.permits / _most(limit))  # the limit is smaller than it was
    new = min(limit * max(0.0, now - max(pace.at, pace.not_before)), _most(limit) - pace.permits / too_many)
    clients, spare = dict[str, RateClient](), spare / too_many + new
    for name, share in shares(alive, limit).items():
        flown = new * share / limit
        credit = alive[name].credit / too_many + flown
        kept = min(credit, max(1.0, share * KEEP_S))
        spare += credit - kept - flown
        clients[name] = replace(alive[name], credit=kept)
    return replace(pace, at=max(pace.at, now), spare=spare, clients=clients)


def shares(clients: Mapping[str, RateClient], limit: float) -> dict[str, float]:
    """Calls a second for each client: the limit divided between runs, then each run's part between its clients."""
    runs = defaultdict[str, dict[str, float]](dict)
    for name, client in clients.items():
        runs[client.run][name] = client.wants
    of_runs = max_min(limit, {run: sum(wants.values()) for run, wants in runs.items()})
    return {name: share for run, part in of_runs.items() for name, share in max_min(part, runs[run]).items()}


def max_min(amount: float, wants: Mapping[Name, float]) -> dict[Name, float]:
    """Divide an amount: no share exceeds its want, and none is below another unless it wants no more."""
    parts = dict[Name, float]()
    for place, (name, want) in enumerate(sorted(wants.items(), key=lambda one: one[1])):
        parts[name] = min(want, amount / (len(wants) - place))
        amount = max(0.0, amount - parts[name])
    return parts


def _most(limit: float) -> float:
    return max(1.0, limit * BURST_S) if not math.isinf(limit) else 0.0


def _ready(pace: Pace, client: str) -> int:
    """Whole permits that a client may have now.

    Where several wait for a part of one, the client with the largest part gets it whole once there is a whole one at
    all.
    """
    credit = pace.clients[client].credit
    ready = math.floor(min(pace.spare + credit, pace.permits) + TINY)
    is_next = credit >= max(one.credit for one in pace.clients.values())
    return max(ready, 1 if is_next and pace.permits >= 1 - TINY else 0)


def _given_back(pace: Pace, credit: float, back: int) -> tuple[float, float]:
    """The permits for all, and the client's credit: those used ahead are taken off both, as far as there are any."""
    if back >= 0:
        return min(pace.spare + back, pace.spare + max(0.0, _most(pace.limit) - pace.permits)), credit
    from_credit = min(max(0.0, credit), -back)
    return max(min(0.0, pace.spare), pace.spare + back + from_credit), credit - from_credit


def _of_this_clock(pace: Pace, now: float) -> Pace:
    """The pace after the clock was set back: lapses and pauses keep the length they had."""
    ahead = pace.at - now
    if ahead <= BURST_S:  # a client that waited for the row may have read the clock before
        return pace
    clients = {name: replace(client, seen=client.seen - ahead) for name, client in pace.clients.items()}
    return replace(pace, at=now, not_before=pace.not_before - ahead, clients=clients)
