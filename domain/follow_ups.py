"""When batches are looked at again and must be done by, and how often parcels are
read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.wording import pluralize

TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
DONE_BY = rf"^$|^{TIME}$|^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {TIME}([+-][0-9]{{4}})?$"
"""`06:00`, or `2026-11-26 06:00`, there also with the offset to UTC; nothing for no
limit.
"""


def moment_of(text: str, begun: datetime, timezone: str) -> datetime | None:
    """The moment that `text` means in `timezone`: a time of day is the next one after a
    run has `begun` (UTC).

    None for no limit. Raises `ValueError` for what is no time.
    """
    if not text:
        return None
    if not re.fullmatch(DONE_BY, text):
        raise ValueError(
            f"{text!r} is no time: give one such as 06:00, or a day with it such as 2026-11-26 06:00"
        )
    zone = ZoneInfo(timezone)
    if " " in text:
        meant = datetime.fromisoformat(text)
        return meant if meant.tzinfo else meant.replace(tzinfo=zone)
    moment = begun.astimezone(zone)
    hour, minute = map(int, text.split(":"))
    today = moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (
        today
        if today > moment
        else (today.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)
    )


def as_text(moment: datetime, timezone: str) -> str:
    """The moment in the form that `moment_of` reads, with the day, and with the offset
    in the hour that comes twice.
    """
    current_time = datetime.fromtimestamp(
        moment.timestamp(), ZoneInfo(timezone)
    )  # Prefect's own kind has another `replace`
    comes_twice = (
        current_time.replace(fold=0).utcoffset()
        != current_time.replace(fold=1).utcoffset()
    )
    return (
        f"{current_time:%Y-%m-%d %H:%M%z}"
        if comes_twice
        else f"{current_time:%Y-%m-%d %H:%M}"
    )


def earlier(first: str, second: str, timezone: str) -> str:
    """Return the earlier of two times that have their day; an empty one is no limit."""
    times = [text for text in (first, second) if text]
    moment = datetime.now(UTC)
    return min(
        times, key=lambda text: moment_of(text, moment, timezone) or moment, default=""
    )


MAX_FOLLOW_UPS = 5
FIRST_PAUSE = timedelta(minutes=10)
MARGIN = timedelta(seconds=5)
SLOT = timedelta(minutes=5)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """Orders of some batches that the sweep may finish without a person, and when it
    looks at them (UTC).

    `number` counts the looks at a batch, from 1. `here`: the run is a command at a
    terminal. One that `is_late` comes after the deadline. One that `is_paused` can do
    nothing before buying is resumed.
    """

    orders: int
    batches: tuple[str, ...]
    number: int
    at: datetime
    here: bool = True
    is_late: bool = False
    is_paused: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the last look is past: what is open now needs a person."""
        return self.number > MAX_FOLLOW_UPS

    @property
    def words(self) -> str:
        """What happens next, for a person."""
        be = "is" if self.orders == 1 else "are"
        orders = f"{pluralize(self.orders, 'order')} {be}" if self.orders else "it is"
        if self.is_over:
            return (
                f"{orders} still open after {MAX_FOLLOW_UPS} looks, and no further one comes "
                "by itself: see to what stands with each order, then run the file again"
            )
        when = "buying is resumed" if self.is_paused else _minute(self.at)
        after = f"once {when}" if self.is_paused else f"after {when}"
        if self.is_late:
            return (
                f"{orders} to be read again (past the time by which it was to be done): "
                f"run the same command {after}"
            )
        if self.here:
            wait = "" if self.is_paused else ", or with --wait"
            return f"{orders} to be read again: sourcing finish {after}{wait}"
        by = f"once {when}" if self.is_paused else f"at {when}"
        return f"{orders} read again by finish-open {by}"

    def to_json(self) -> dict[str, Any]:
        """The form in the report of `--json`."""
        return {
            **asdict(self),
            "batches": list(self.batches),
            "at": self.at.isoformat(),
            "words": self.words,
        }


def due(
    clear_from: Sequence[datetime], *, now: datetime, number: int, ready_in_s: float = 0
) -> datetime:
    """When a look is due: once all is `clear_from` then on whether it happened;
    else after a pause that grows.

    Not before the service takes calls again, in `ready_in_s`. Pauses end with a slot of
    the clock.
    """
    opens = now + timedelta(seconds=ready_in_s)
    if coming := [moment for moment in clear_from if moment > now]:
        return max(*coming, opens) + MARGIN
    after = max(now + FIRST_PAUSE * int(2 ** (number - 1)), opens)
    return after + (EPOCH - after) % SLOT


def merged(follow_ups: Sequence[FollowUp]) -> FollowUp | None:
    """One look at several batches: when the last of them is due."""
    if not follow_ups:
        return None
    last = max(follow_ups, key=lambda follow_up: follow_up.at)
    batches = tuple(
        dict.fromkeys(batch for follow_up in follow_ups for batch in follow_up.batches)
    )
    number = min(follow_up.number for follow_up in follow_ups)
    return replace(
        last,
        orders=sum(follow_up.orders for follow_up in follow_ups),
        batches=batches,
        number=number,
    )


def _minute(moment: datetime) -> str:
    """`2026-11-25 03:17 UTC`, the full minute by which it is due."""
    return f"{moment + timedelta(minutes=1, microseconds=-1):%Y-%m-%d %H:%M} UTC"


STEPS = (
    (timedelta(days=2), timedelta(hours=2)),
    (timedelta(days=5), timedelta(hours=6)),
)
"""Without news for less than this, a parcel is read again after that; then after
`LONGEST`.
"""
LONGEST = timedelta(hours=12)
"""No later time is believed to be due: a clock that was ahead has stored it
(`connectors/ledger/tracking.py`).
"""
EARLY = timedelta(minutes=45)
"""How much sooner a parcel is due: a run once an hour may take as long for all
parcels.
"""


def next_poll(
    moment: datetime, booked_at: datetime, last_scan: datetime | None
) -> datetime:
    """When a parcel is due again that was read just now.

    One without any scan is quiet, however lately it was booked.
    """
    quiet = moment - (last_scan or min(booked_at, moment - STEPS[0][0]))
    pause = next((pause for within, pause in STEPS if quiet < within), LONGEST)
    return moment + pause - EARLY
