"""The one switch that stops all buying: who turned it, when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

PAUSED = "buying is paused"
RESUME = "sourcing resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing is created, paid, booked or put into a cart while it stands; `at` is UTC, `why` may be empty."""

    by: str
    at: datetime
    why: str = ""

    @property
    def words(self) -> str:
        """`buying is paused since 2026-11-26 09:40 UTC by mei@desk: prices look wrong`."""
        return f"{PAUSED} since {self.at:%Y-%m-%d %H:%M} UTC by {self.by}{f': {self.why}' if self.why else ''}"
