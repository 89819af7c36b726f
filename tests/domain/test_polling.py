"""How soon a parcel is read again, and what that makes of a day's calls, in simulated
days of the sandbox's parcels.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from domain.follow_ups import next_poll
from sandbox.lifecycle import domestic_parcel, international_events
from sandbox.times import HOUR

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
H = timedelta(hours=1)
NEVER = NOW - 365 * 24 * H


@pytest.mark.parametrize(
    ("quiet_h", "again_h"),
    [
        (0, 1.25),
        (47, 1.25),
        (48, 5.25),
        (119, 5.25),
        (120, 11.25),
        (10_000, 11.25),
        (-5, 1.25),
    ],
)
def test_a_parcel_is_read_less_often_while_nothing_happens(
    quiet_h: float, again_h: float
) -> None:
    """Also at a clock that ran ahead."""
    assert next_poll(NOW, NOW, NOW - quiet_h * H) == NOW + again_h * H


@pytest.mark.parametrize(
    ("booked_h", "again_h"), [(0, 5.25), (119, 5.25), (120, 11.25)]
)
def test_a_parcel_without_any_scan_is_quiet_from_the_start(
    booked_h: float, again_h: float
) -> None:
    assert next_poll(NOW, NOW - booked_h * H, None) == NOW + again_h * H


CALLS_THEN = (1.02, 2, 2, 1.02, 1.02)
"""Calls to read an order and its parcels when each hourly run read all: fifty orders a
call, or one, and each trace.
"""
CALLS_NOW = (1.02, 2, 2, 0.02, 0.02)
"""Two marketplaces show the scans in the order itself (`test_travel.py`)."""


def scans_of(number: int) -> list[datetime]:
    """When a parcel of the sandbox that was paid and booked at `NOW` is scanned, from
    the seller to the door.
    """
    parcel = domestic_parcel(f"order-{number}", 0)
    later = international_events(
        f"order-{number}", f"parcel-{number}", parcel.signed_at
    )
    return [NOW + scan.at / HOUR * H for scan in (*parcel.events, *later)]


def polled(
    scans: Sequence[datetime],
) -> tuple[int, list[tuple[timedelta, timedelta]]]:
    """How often a parcel is read until it is at the door; and of each reading with
    news, how long after the last known scan the first new one came, and how late it is
    told.
    """
    hourly = [NOW + H / 6 + hours * H for hours in range(24 * 30)]
    reads = 0
    expected = 0
    notices = list[tuple[timedelta, timedelta]]()
    last: datetime | None = None
    moment = NOW
    for at in hourly:
        if expected < len(scans) and at >= moment:
            new = [scan for scan in scans[expected:] if scan <= at]
            notices += [
                (scan - (scans[expected - 1] if expected else NEVER), at - scan)
                for scan in new[:1]
            ]
            last = at if new else last
            moment = next_poll(at, NOW, last)
            reads = reads + 1
            expected = expected + len(new)
    return reads, notices


def test_a_day_s_calls_are_a_third_of_reading_each_every_hour() -> None:
    """Of 100 parcels, as many at each marketplace."""
    methods = [scans_of(number) for number in range(100)]
    then = sum((scans[-1] - NOW) / H for scans in methods) * sum(CALLS_THEN)
    reads = sum(polled(scans)[0] for scans in methods)
    assert 0.2 < reads * sum(CALLS_NOW) / then <= 1 / 3


def test_a_scan_is_told_within_two_hours_after_another_and_within_twelve_in_any_case() -> (
    None
):
    notices = [item for number in range(100) for item in polled(scans_of(number))[1]]
    assert len(notices) > 1000
    assert max(duration for silence, duration in notices if silence < 48 * H) <= 2 * H
    assert 2 * H < max(duration for _, duration in notices) <= 12 * H
