"""The calls of a day: half are kept for buying, and what is left goes on after midnight
in China.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from connectors.xportcn.errors import NotSent
from connectors.xportcn.permits import DailyCalls


class Day:
    """A ledger's count of calls, and a clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 9, 3, 15, 0, tzinfo=UTC)
        self.made: Counter[datetime] = Counter()

    def take_today(self, day: datetime, calls: int, most: int) -> int:
        result = min(calls, max(0, most - self.made[day]))
        self.made[day] += result
        return result

    def calls(self, most: int, *, is_buying: bool) -> DailyCalls:
        return DailyCalls(self, most=most, is_buying=is_buying, clock=lambda: self.now)


async def taken(calls: DailyCalls) -> tuple[int, str]:
    for count in range(100_000):
        try:
            await calls.take()
        except NotSent as error:
            return count, error.message
    raise AssertionError("they do not end")


async def test_a_crawl_leaves_half_of_the_day_to_buying() -> None:
    """Which says until when the rest waits, and goes on then."""
    day = Day()
    crawl = day.calls(1000, is_buying=False)
    buying = day.calls(1000, is_buying=True)
    count, reason = await taken(crawl)
    assert count == 500
    assert reason == (
        "the 1,000 calls of today (XPORTCN_CALLS_A_DAY) are used up, but for 500 that are kept for buying; "
        "the next from 2026-09-04 00:00 China time on"
    )
    assert (await taken(buying))[0] == 500
    assert crawl.used_up == reason
    day.now += timedelta(hours=1)
    assert (await taken(crawl))[0] == 500


async def test_what_a_process_does_not_use_is_given_back() -> None:
    day = Day()
    calls = day.calls(1000, is_buying=True)
    for _ in range(3):
        await calls.take()
    calls.close()
    assert day.made.total() == 3


async def test_without_a_setting_nothing_is_counted() -> None:
    day = Day()
    calls = day.calls(0, is_buying=True)
    for _ in range(3):
        await calls.take()
    assert day.made.total() == 0


async def test_the_wait_is_told() -> None:
    """In seconds until midnight in China."""
    day = Day()
    calls = day.calls(1, is_buying=True)
    await calls.take()
    with pytest.raises(NotSent) as caught:
        await calls.take()
    assert caught.value.retry_after_s == 3600
