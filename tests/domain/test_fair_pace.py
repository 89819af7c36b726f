"""The account's rate: never more than the limit, nothing left lying while somebody
wants it, and fair shares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.fair_pace import (
    Lease,
    RateClient,
    held,
    is_limited,
    leased,
    left,
    max_min,
    most_permits,
    opening,
    shares,
)
from tests.everyday import examples

WANTS = st.dictionaries(st.sampled_from("abcdefghij"), st.floats(0, 1e4), min_size=1)


@given(st.floats(0, 1e4), WANTS)
def test_nobody_gets_more_than_it_wants_and_all_is_divided_as_long_as_somebody_wants_it(
    amount: float, wants: dict[str, float]
) -> None:
    """The sum is the smaller of what is there and what is wanted."""
    parts = max_min(amount, wants)
    assert all(parts[name] <= wants[name] for name in wants)
    assert sum(parts.values()) == pytest.approx(min(amount, sum(wants.values())))


@given(st.floats(0, 1e4), WANTS)
def test_nobody_gets_less_than_another_unless_it_wants_no_more(
    amount: float, wants: dict[str, float]
) -> None:
    """Max-min: whose part is smaller than the largest has all that it wants."""
    parts = max_min(amount, wants)
    largest = max(parts.values())
    assert all(
        part == wants[name] or part == pytest.approx(largest)
        for name, part in parts.items()
    )


def test_the_limit_is_divided_between_the_processes_that_call() -> None:
    """One that wants little gets that, and the others get the rest alike."""
    busy = dict.fromkeys("abcde", client(wants=80))
    assert shares(busy, 50) == dict.fromkeys("abcde", 10)
    assert shares(busy | {"e": client(wants=2)}, 50) == {
        **dict.fromkeys("abcd", 12),
        "e": 2,
    }


def test_what_nobody_wants_is_for_all_alike() -> None:
    """So that who needs more at once has it before it asks again."""
    assert shares({"a": client(wants=10), "b": client(wants=20)}, 50) == {
        "a": 20,
        "b": 30,
    }


MOMENTS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.floats(0, 3),
        st.floats(0, 320),
        st.sampled_from("lllllxh"),
    ),
    max_size=60,
)


@settings(max_examples=examples(60))
@given(MOMENTS, st.sampled_from([0.1, 2.0, 50.0]))
def test_the_shares_never_add_up_to_more_than_the_limit(
    moments: list[tuple[int, float, float, str]], limit: float
) -> None:
    """Whoever asks, leaves, dies or is throttled, whenever; and the first begins with a
    second's worth at most.
    """
    now, pace = 100.0, opening(100.0, limit)
    for who, after, wants, what in moments:
        now += after
        if what == "l":
            is_first = not pace.alive(now)
            pace, lease = leased(
                pace,
                str(who),
                RateClient(wants=wants, limit=limit),
                now,
            )
            assert 0 <= lease.permits <= (max(1, limit) if is_first else 0)
        elif what == "x":
            pace = left(pace, str(who), min(wants, max(1, limit)), now)
        else:
            pace = held(pace, after, now)
        assert sum(one.share for one in pace.alive(now).values()) <= limit * (1 + 1e-9)


@dataclass
class Callers:
    """Processes that call as fast as they may: each has `busy` calls a second to make,
    and asks when it was told to.

    Each keeps a bucket at its share; what it may not call yet waits.
    """

    limit: float
    busy: dict[str, float]
    now: float = 0.0

    def __post_init__(self) -> None:
        self.pace = opening(self.now, self.limit)
        self.due = {name: 0.1 * place for place, name in enumerate(self.busy)}
        self.at = dict.fromkeys(self.busy, self.now)
        self.waiting = dict.fromkeys(self.busy, 0.0)
        self.permits = dict.fromkeys(self.busy, 0.0)
        self.share = dict.fromkeys(self.busy, 0.0)
        self.made = dict.fromkeys(self.busy, 0)
        self.all: list[tuple[float, str, int]] = []

    def until(self, end: float) -> None:
        while (name := min(self.due, key=lambda one: self.due[one])) and self.due[
            name
        ] < end:
            self.now = self.due[name]
            self._call(name)
            self._ask(name)

    def _call(self, name: str) -> None:
        """As many as it could in a row of small steps since it asked."""
        steps = math.ceil((self.now - self.at[name]) * 100)
        for _ in range(steps):
            seconds = (self.now - self.at[name]) / steps
            self.waiting[name] += self.busy[name] * seconds
            flown = self.permits[name] + self.share[name] * seconds
            self.permits[name] = min(flown, most_permits(self.share[name]))
            calls = math.floor(min(self.waiting[name], self.permits[name]) + 1e-9)
            self.waiting[name] -= calls
            self.permits[name] -= calls
            self.made[name] += calls
            self.all.append((self.now, name, calls))
        self.at[name] = self.now

    def _ask(self, name: str) -> None:
        is_new = name not in self.pace.alive(self.now)
        self.pace, lease = leased(
            self.pace,
            name,
            RateClient(wants=self.busy[name], limit=self.limit),
            self.now,
        )
        self.share[name], self.due[name] = lease.share, self.now + lease.again_s
        self.permits[name] = (
            lease.permits
            if is_new
            else min(self.permits[name], most_permits(lease.share))
        )

    def rate(self, name: str, since: float) -> float:
        """Calls a second since then."""
        return sum(
            calls for at, who, calls in self.all if who == name and at >= since
        ) / (self.now - since)


@settings(max_examples=examples(25))
@example(busy=[1.0, 3.0, 46.0], limit=50.0)
@given(
    st.lists(st.floats(0.5, 200), min_size=1, max_size=6),
    st.sampled_from([2.0, 50.0, 5000.0]),
)
def test_what_is_there_is_used_and_everybody_has_its_fair_part(
    busy: list[float], limit: float
) -> None:
    """Over half a minute each process makes its max-min share of calls, and all
    together what they can or may.
    """
    callers = Callers(limit, {str(number): wants for number, wants in enumerate(busy)})
    callers.until(31)
    for name, share in max_min(limit, callers.busy).items():
        assert callers.rate(name, since=1) >= 0.9 * share - 0.3
    assert sum(callers.made.values()) <= max(1, limit) + limit * 31


def test_a_rate_of_one_in_ten_seconds_goes_round_among_four() -> None:
    """Each gets every fourth permit: nobody waits for ever while parts of one lie with
    everybody.
    """
    callers = Callers(0.1, dict.fromkeys("abcd", 50.0))
    callers.until(400)
    assert sum(callers.made.values()) in (37, 38, 39, 40)
    assert all(count in (9, 10, 11) for count in callers.made.values())


def test_what_a_process_had_that_died_goes_to_the_others() -> None:
    """Half of the rate was one's; within a second after it died the other has all of
    it.
    """
    callers = Callers(50, {"dies": 500.0, "lives": 500.0})
    callers.until(10)
    del callers.due["dies"]
    callers.until(12)
    assert callers.rate("lives", since=10) >= 50 - 25 * 0.5 - 2
    callers.until(30)
    assert "dies" not in callers.pace.alive(30)
    assert callers.rate("lives", since=12) == pytest.approx(50, rel=0.03)


def test_fifty_processes_share_a_rate_of_fifty() -> None:
    """One a second for each, and nearly all of it is used."""
    callers = Callers(50, {str(number): 80.0 for number in range(50)})
    callers.until(40)
    rates = [callers.rate(name, since=10) for name in callers.busy]
    assert 47.5 <= sum(rates) <= 51
    assert all(0.85 <= rate <= 1.15 for rate in rates)


def test_who_comes_gets_its_part_when_the_others_have_heard_of_it() -> None:
    """Until then the limit would be exceeded."""
    pace, alone = leased(opening(0, 50), "first", request(), 0)
    pace, early = leased(pace, "second", request(), 0.1)
    pace, first = leased(pace, "first", request(), 0.25)
    pace, second = leased(pace, "second", request(), 0.35)
    assert [one.share for one in (alone, early, first, second)] == [50, 0, 25, 25]


def test_while_the_service_throttles_nobody_may_call_and_afterwards_nothing_is_saved_up() -> (
    None
):
    """Five seconds without any call; then a new client begins with what has flown in
    since.
    """
    pace, first = leased(opening(100, 50), "me", request(), 100)
    pace = held(pace, 5, 100)
    pace, during = leased(pace, "me", request(), 102)
    pace, after = leased(pace, "me", request(), 105.2)
    assert (first.permits, first.pause_s, during.pause_s) == (50, 0, 3)
    assert (round(after.permits, 6), after.pause_s) == (10, 0)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """What one process was told counts as long as the longest that any was told."""
    assert held(held(opening(0, 50), 30, 0), 1, 2).pause(3) == 27


def test_one_answer_that_asks_for_a_year_stops_the_account_for_minutes() -> None:
    """Whoever calls after that hears it anew, or is answered."""
    assert held(opening(0, 50), 31_536_000, 0).pause(0) == 300


def test_the_smallest_limit_of_those_that_call_is_that_of_all() -> None:
    """Whoever has none keeps to it too; when who had it is gone, the next one
    counts.
    """
    pace, _ = leased(opening(0, 50), "large", request(), 0)
    pace, small = leased(pace, "small", request(limit=2), 0.1)
    pace, large = leased(pace, "large", request(), 0.25)
    pace, none = leased(pace, "none", request(limit=0), 0.3)
    assert (small.share, large.share, round(none.share, 3), is_limited(pace, 0.3)) == (
        0,
        1,
        0.667,
        True,
    )
    pace = left(left(pace, "small", 0, 0.4), "none", 0, 0.4)
    pace, large = leased(pace, "large", request(), 0.5)
    assert large.share == 50
    pace, none = leased(left(pace, "large", 0, 0.6), "none", request(limit=0), 0.6)
    assert (none, is_limited(pace, 0.6)) == (Lease(share=math.inf, again_s=0.25), False)


def test_what_was_not_used_is_there_for_the_next_run() -> None:
    """Eight of ten left; half a second later there are ten again, and never more."""
    pace, first = leased(opening(0, 10), "first", request(limit=10), 0)
    pace = left(pace, "first", 3, 1)
    assert leased(pace, "second", request(limit=10), 1.5)[1].permits == 8
    assert leased(pace, "second", request(limit=10), 60)[1].permits == 10
    assert first.permits == 10


def test_a_clock_that_was_set_back_stops_nobody() -> None:
    """An hour back: the pause lasts as long as it was to last, and what was shared
    stays shared.
    """
    pace, _ = leased(opening(7200, 50), "first", request(), 7200)
    pace = held(pace, 3, 7200)
    pace, during = leased(pace, "second", request(), 3600)
    assert (during.pause_s, during.share) == (3, 0)
    assert leased(pace, "second", request(), 3604)[1].share == 50


def test_a_clock_a_little_behind_changes_nothing() -> None:
    """Who waited for the row may have looked at the clock before: no time is counted
    twice.
    """
    pace = left(leased(opening(100, 50), "me", request(), 100)[0], "me", 0, 100)
    assert leased(pace, "me", request(), 99.7)[1].permits == 0


def client(*, wants: float = 0.0) -> RateClient:
    return RateClient(wants=wants, limit=50)


def request(*, limit: float = 50) -> RateClient:
    return RateClient(wants=200, limit=limit)
