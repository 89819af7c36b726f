"""How soon a parcel is read again: less and less often while nothing happens to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.marketplace import Marketplace

STEPS = (
    (timedelta(days=2), timedelta(hours=1, minutes=15)),
    (timedelta(days=5), timedelta(hours=5, minutes=15)),
)
"""Without news for less than this, a parcel is read again after that; then after `LONGEST`.

Each is less than 2, 6 and 12 hours, within which news are known, by as long as an hourly run may take for all parcels.
"""
LONGEST = timedelta(hours=11, minutes=15)
"""No later time is believed to be due: a clock that was ahead has stored it (`connectors/ledger/tracking.py`)."""
EARLY = timedelta(minutes=45)
"""How much sooner than asked for a parcel is due, for a run once an hour."""


def next_poll(now: datetime, booked_at: datetime, last_scan: datetime | None, *, least_h: int = 0) -> datetime:
    """When a parcel is due again that was read just now; at least so many hours later.

    One without any scan is quiet, however lately it was booked.
    """
    quiet = now - (last_scan or min(booked_at, now - STEPS[0][0]))
    pause = next((pause for within, pause in STEPS if quiet < within), LONGEST)
    return now + max(pause, timedelta(hours=least_h) - EARLY)


def parse_hours(text: str) -> Mapping[Marketplace, int]:
    """The hours by marketplace of `taobao=12, 1688=6`. Raises `ValueError`."""
    hours = dict[Marketplace, int]()
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, number = part.partition("=")
        if not re.fullmatch(r" *([1-9]|1[0-2])", number) or name.strip() not in [*Marketplace]:
            raise ValueError(f"{part!r} is no marketplace with its hours from 1 to 12, such as taobao=12")
        hours[Marketplace(name.strip())] = int(number)
    return hours
