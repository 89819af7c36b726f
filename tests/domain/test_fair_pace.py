"""The account's permits: never more than the limit, none left lying while somebody wants them, and fair shares."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.fair_pace import (
    Lease,
    Pace,
    RateClient,
    RateRequest,
    filled,
    held,
    is_limited,
    leased,
    left,
    max_min,
    opening,
    shares,
)
from tests.everyday import examples

WANTS = st.dictionaries(st.integers(0, 9), st.floats(0, 1e4), min_size=1)


@given(st.floats(0, 1e4), WANTS)
def test_nobody_gets_more_than_it_wants_and_all_is_divided_as_long_as_somebody_wants_it(
    amount: float, wants: dict[int, float]
) -> None:
    """The sum is the smaller of what is there and what is wanted."""
    parts = max_min(amount, wants)
    assert all(parts[name] <= wants[name] for name in wants)
    assert sum(parts.values()) == pytest.approx(min(amount, sum(wants.values())))


@given(st.floats(0, 1e4), WANTS)
def test_nobody_gets_less_than_another_unless_it_wants_no_more(amount: float, wants: dict[int, float]) -> None:
    """Max-min: whose part is smaller than the largest has all that it wants."""
    parts = max_min(amount, wants)
    largest = max(parts.values())
    assert all(part == wants[name] or part == pytest.approx(largest) for name, part in parts.items())


def test_the_limit_is_divided_between_runs_and_each_part_between_the_processes_of_a_run() -> None:
    """Four processes of a night beside one manual run: half for the manual one. One that wants little gets that."""
    night = {f"night-{number}": client("night", wants=80) for number in range(4)}
    manual = {"manual": client("manual", wants=80)}
    assert shares(night | manual, 50) == {"manual": 25, **dict.fromkeys(night, 6.25)}
    assert shares(night | {"manual": client("manual", wants=10)}, 50) == {"manual": 10, **dict.fromkeys(night, 10)}


MOMENTS = st.lists(
    st.tuples(st.integers(0, 4), st.floats(0, 3), st.integers(0, 80), st.integers(0, 40), st.sampled_from("lllllxh")),
    max_size=60,
)


@given(MOMENTS, st.sampled_from([0.1, 1.0, 3.0, 50.0, 5000.0]))
def test_never_more_than_the_limit_whoever_asks_when_for_how_many(
    moments: list[tuple[int, float, int, int, str]], limit: float
) -> None:
    """From any moment to any later one: what was leased and not given back, a second's worth and the rate at most."""
    pace, now = opening(0, limit), 0.0
    lent = dict.fromkeys(range(5), 0)
    used = [(0.0, 0)]
    for who, after, wanted, unused, what in moments:
        now += after
        back = min(unused, lent[who])
        if what == "l":
            ask = RateRequest(
                client=str(who), run=str(who % 2), wants=wanted * 4, limit=limit, permits=wanted, back=back
            )
            pace, lease = leased(pace, ask, now)
            lent[who] += lease.permits - back
            assert 0 <= lease.permits <= wanted
        elif what == "x":
            pace = left(pace, str(who), back, now)
            lent[who] = 0
        else:
            pace = held(pace, after, now)
        assert -5 <= pace.permits <= max(1, limit) * (1 + 1e-9)
        used.append((now, used[-1][1] + (lease.permits if what == "l" else 0)))
    returned = sum(min(back, 80) for *_, back, _ in moments)
    for at, count in used:
        assert used[-1][1] - count <= max(1, limit) + limit * (now - at) + returned + 1e-6


@dataclass
class Callers:
    """Processes that call as fast as they may: each has `busy` calls a second to make, and asks when it was told to.

    What one is not given waits on, so none asks for more than it says that it wants.
    """

    limit: float
    busy: dict[str, float]
    runs: dict[str, str]
    now: float = 0.0

    def __post_init__(self) -> None:
        self.pace = opening(self.now, self.limit)
        self.due = {name: 0.1 * place for place, name in enumerate(self.busy)}
        self.since = dict.fromkeys(self.busy, self.now - 0.25)
        self.waiting = dict.fromkeys(self.busy, 0.0)
        self.made = dict.fromkeys(self.busy, 0)
        self.all: list[tuple[float, str, int]] = []

    def until(self, end: float) -> None:
        while (name := min(self.due, key=lambda one: self.due[one])) and self.due[name] < end:
            self.now = self.due[name]
            self._ask(name)

    def _ask(self, name: str) -> None:
        self.waiting[name] += self.busy[name] * (self.now - self.since[name])
        whole = math.floor(self.waiting[name])
        ask = RateRequest(
            client=name, run=self.runs.get(name, name), wants=self.busy[name], limit=self.limit, permits=whole
        )
        self.pace, lease = leased(self.pace, ask, self.now)
        self.waiting[name] -= lease.permits
        self.since[name], self.due[name] = self.now, self.now + lease.again_s
        self.made[name] += lease.permits
        self.all.append((self.now, name, lease.permits))

    def rate(self, name: str, since: float) -> float:
        """Calls a second since then."""
        return sum(permits for at, who, permits in self.all if who == name and at >= since) / (self.now - since)


@settings(max_examples=examples(25))
@example(busy=[1.0, 3.0, 46.0], limit=50.0)
@given(st.lists(st.floats(0.5, 200), min_size=1, max_size=6), st.sampled_from([2.0, 50.0, 5000.0]))
def test_what_is_there_is_used_and_everybody_has_its_fair_part(busy: list[float], limit: float) -> None:
    """Over half a minute each process makes its max-min share of calls, and all together what they can or may."""
    callers = Callers(limit, {str(number): wants for number, wants in enumerate(busy)}, {})
    callers.until(31)
    for name, share in max_min(limit, callers.busy).items():
        assert callers.rate(name, since=1) >= 0.9 * share - 0.3
    assert sum(callers.made.values()) <= max(1, limit) + limit * 31


def test_a_rate_of_one_in_ten_seconds_goes_round_among_four() -> None:
    """Each gets every fourth permit: nobody waits for ever while parts of one lie with everybody."""
    callers = Callers(0.1, dict.fromkeys("abcd", 50.0), {})
    callers.until(400)
    assert sum(callers.made.values()) in (38, 39, 40)
    assert all(count in (9, 10, 11) for count in callers.made.values())


def test_what_is_kept_for_a_process_that_died_goes_to_the_others() -> None:
    """Half of the rate was one's; when it dies, the other has all of it at once, but half a second's worth."""
    callers = Callers(50, {"dies": 500.0, "lives": 500.0}, {})
    callers.until(10)
    del callers.due["dies"]
    callers.until(12)
    assert callers.rate("lives", since=10) >= 50 - 25 * 0.5 - 2
    callers.until(30)
    assert "dies" not in callers.pace.clients
    assert callers.rate("lives", since=12) == pytest.approx(50, rel=0.03)


def test_fifty_processes_share_a_rate_of_fifty() -> None:
    """One a second for each, and nearly all of it is used."""
    callers = Callers(50, {str(number): 80.0 for number in range(50)}, {})
    callers.until(40)
    rates = [callers.rate(name, since=10) for name in callers.busy]
    assert 47.5 <= sum(rates) <= 51
    assert all(0.85 <= rate <= 1.15 for rate in rates)


def test_while_the_service_throttles_nobody_gets_a_permit_and_afterwards_nothing_is_saved_up() -> None:
    """Five seconds without any, then as many as flow in."""
    pace, first = leased(opening(100, 50), request(permits=10), 100)
    pace = held(pace, 5, 100)
    pace, during = leased(pace, request(permits=10), 103)
    pace, after = leased(pace, request(permits=80), 105.2)
    assert (first.permits, during.permits, during.pause_s, after.permits) == (10, 0, 2, 10)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """What one process was told counts as long as the longest that any was told."""
    assert held(held(opening(0, 50), 30, 0), 1, 2).pause(3) == 27


def test_one_answer_that_asks_for_a_year_stops_the_account_for_minutes() -> None:
    """Whoever calls after that hears it anew, or is answered."""
    assert held(opening(0, 50), 31_536_000, 0).pause(0) == 300


def test_the_smallest_limit_of_those_that_call_is_that_of_all() -> None:
    """Whoever has none keeps to it too; when who had it is gone, the next one counts."""
    pace, _ = leased(opening(0, 50), request(client="small", limit=2, permits=2), 0)
    pace, large = leased(pace, request(client="large", limit=50, permits=50), 1)
    pace, none = leased(pace, request(client="none", limit=0, permits=50), 2)
    assert (large.permits, none.permits, is_limited(pace, 2)) == (1, 0, True)
    pace = left(pace, "small", 0, 2)
    pace, large = leased(pace, request(client="large", limit=50, permits=50), 3)
    assert large.permits == 37
    pace, none = leased(left(pace, "large", 0, 3), request(client="none", limit=0, permits=7), 3)
    assert (none, is_limited(pace, 3)) == (Lease(permits=7, share=math.inf, again_s=0.25), False)


def test_a_limit_that_was_lowered_counts_at_once() -> None:
    """What was saved up under the larger one is cut."""
    pace, _ = leased(opening(0, 1000), request(limit=1000, permits=0), 0)
    assert leased(pace, request(limit=10, permits=500), 0)[1].permits == 10


def test_what_was_not_used_can_be_used_by_others() -> None:
    """Ten leased, eight given back."""
    pace, _ = leased(opening(0, 10), request(client="first", limit=10, permits=10), 0)
    pace, none = leased(pace, request(client="second", limit=10, permits=8), 0)
    pace, _ = leased(pace, request(client="first", limit=10, permits=0, back=8), 0)
    pace, some = leased(pace, request(client="second", limit=10, permits=8), 0)
    assert (none.permits, some.permits) == (0, 8)


def test_what_was_used_ahead_is_taken_off() -> None:
    """Thirty calls were made while the ledger was away, so of the second's worth only twenty are left; never a debt."""
    pace, lease = leased(opening(0, 50), request(permits=50, back=-30), 0)
    assert lease.permits == 20
    assert leased(pace, request(permits=50, back=-300), 0)[0].permits == 0


def test_a_clock_that_was_set_back_stops_nobody() -> None:
    """An hour back: the pause lasts as long as it was to last, and permits flow on."""
    pace = held(replace(opening(7200, 50), clients={"me": client("me", seen=7200)}), 3, 7200)
    pace, during = leased(pace, request(permits=50), 3600)
    pace, after = leased(pace, request(permits=50), 3604)
    assert (during.pause_s, after.permits) == (3, 50)


def test_a_clock_a_little_behind_changes_nothing() -> None:
    """Who waited for the row may have looked at the clock before: no time is counted twice."""
    pace = filled(Pace(at=100, spare=0, clients={"me": client("me", wants=50, seen=100)}), 99.7)
    assert (pace.at, pace.permits) == (100, 0)


def client(run: str, *, wants: float = 0.0, seen: float = 0.0) -> RateClient:
    return RateClient(run=run, wants=wants, limit=50, seen=seen)


def request(*, client: str = "me", limit: float = 50, permits: int, back: int = 0) -> RateRequest:
    return RateRequest(client=client, run=client, wants=permits * 4, limit=limit, permits=permits, back=back)
