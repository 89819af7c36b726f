"""A moment of the past, as a person or a program says it: `06:00`, `2026-11-26`, `'2026-11-26 06:00'`, `12h`, `7d`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

AGO = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def moment_of(text: str, now: datetime, timezone: str) -> datetime | str:
    """The moment that a text means, without a zone of its own in `timezone`; what is no time is a snapshot's id."""
    if ago := re.fullmatch(r"(\d{1,4})([hdw])", text):
        return now - int(ago[1]) * AGO[ago[2]]
    here = now.astimezone(ZoneInfo(timezone))
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        last = datetime.fromisoformat(f"{here:%Y-%m-%d} {text}").replace(tzinfo=here.tzinfo)
        return last if last <= here else last - timedelta(days=1)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.replace(tzinfo=here.tzinfo)
