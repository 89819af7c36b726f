"""How soon a parcel is read again: less and less often while nothing happens to it."""

from __future__ import annotations

from datetime import datetime, timedelta

STEPS = (
    (timedelta(days=2), timedelta(hours=1, minutes=15)),
    (timedelta(days=5), timedelta(hours=5, minutes=15)),
)
"""Without news for less than this, a parcel is read again after that; then after `LONGEST`.

Each is less than 2, 6 and 12 hours, within which news are known, by as long as an hourly run may take for all parcels.
"""
LONGEST = timedelta(hours=11, minutes=15)
"""No later time is believed to be due: a clock that was ahead has stored it (`connectors/ledger/tracking.py`)."""


def next_poll(now: datetime, last_news: datetime) -> datetime:
    """When a parcel is due again that was read just now, and had its last scan, or was booked, at `last_news`."""
    quiet = now - last_news
    return now + next((pause for within, pause in STEPS if quiet < within), LONGEST)
