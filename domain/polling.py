"""How soon a parcel is read again: less and less often while nothing happens to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.marketplace import Marketplace

STEPS = ((timedelta(days=2), timedelta(hours=2)), (timedelta(days=5), timedelta(hours=6)))
"""Without news for less than this, a parcel is read again after that; then after `LONGEST`."""
LONGEST = timedelta(hours=12)
"""No later time is believed to be due: a clock that was ahead has stored it (`connectors/ledger/tracking.py`)."""
EARLY = timedelta(minutes=45)
"""How much sooner a parcel is due: a run once an hour may take as long for all parcels."""


def next_poll(now: datetime, booked_at: datetime, last_scan: datetime | None, *, least_h: int = 0) -> datetime:
    """When a parcel is due again that was read just now; at least so many hours later."""
    return now + _pause(now, booked_at, last_scan, least_h) - EARLY


def is_due(
    first: datetime,
    booked_at: datetime,
    last_scan: datetime | None,
    *,
    since: datetime,
    now: datetime,
    least_h: int = 0,
) -> bool:
    """Whether a parcel of which nothing is new since its `first` time came due again after `since`.

    So a time is stored with news alone, and not with each reading.
    """
    at = first
    while at <= since:
        pause = _pause(at + EARLY, booked_at, last_scan, least_h)  # it was read about then
        at += pause * max(1, (since - at) // pause if pause >= LONGEST else 1)
    return at <= now


def _pause(at: datetime, booked_at: datetime, last_scan: datetime | None, least_h: int) -> timedelta:
    """The hours between two readings; a parcel without any scan is quiet, however lately it was booked."""
    quiet = at - (last_scan or min(booked_at, at - STEPS[0][0]))
    return max(next((pause for within, pause in STEPS if quiet < within), LONGEST), timedelta(hours=least_h))


def parse_hours(text: str) -> Mapping[Marketplace, int]:
    """The hours by marketplace of `taobao=12, 1688=6`. Raises `ValueError`."""
    hours = dict[Marketplace, int]()
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, number = part.partition("=")
        if not re.fullmatch(r" *([1-9]|1[0-2])", number) or name.strip() not in [*Marketplace]:
            raise ValueError(f"{part!r} is no marketplace with its hours from 1 to 12, such as taobao=12")
        hours[Marketplace(name.strip())] = int(number)
    return hours
