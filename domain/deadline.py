"""By when a batch must be done."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
DONE_BY = rf"^$|^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} )?{TIME}$"
"""`06:00`, or `2026-11-26 06:00`; nothing for no limit."""


def moment_of(text: str, begun: datetime, timezone: str) -> datetime | None:
    """The moment that `text` means in `timezone`: a time of day is the next one after a run has `begun` (UTC).

    None for no limit. Raises `ValueError` for what is no time.
    """
    if not text:
        return None
    if not re.fullmatch(DONE_BY, text):
        raise ValueError(f"{text!r} is no time: give one such as 06:00, or a day with it such as 2026-11-26 06:00")
    zone = ZoneInfo(timezone)
    if " " in text:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    here = begun.astimezone(zone)
    hour, minute = map(int, text.split(":"))
    today = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return today if today > here else (today.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)


def as_text(moment: datetime, timezone: str) -> str:
    """The moment in the form that `moment_of` reads, with the day."""
    return f"{moment.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"
