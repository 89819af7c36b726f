"""The one switch that stops all buying: by whom it was turned, when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.reasons import Part

PAUSED = "buying is paused"
GOES_ON = Part.AFTER_RESUME.words
SOMEBODY = "a person in the Prefect UI"
LONGEST_NAME, LONGEST_WHY = 120, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing is created, paid, booked or put into a cart while it stands; `at` is UTC, `why` may be empty."""

    by: str
    at: datetime
    why: str = ""

    @property
    def words(self) -> str:
        """`buying is paused since 2026-11-26 09:40 UTC by mei@shop: prices look wrong`."""
        return f"{PAUSED} since {self.at:%Y-%m-%d %H:%M} UTC by {self.by}{f': {self.why}' if self.why else ''}"

    @property
    def sentence(self) -> str:
        """The words with a capital, without the full stop."""
        return f"{self.words[:1].upper()}{self.words[1:]}"

    @property
    def notice(self) -> str:
        """The words as a sentence, and the way on as another."""
        return f"{self.sentence}. {GOES_ON}"


def by_whom(name: str) -> str:
    """The person named as having turned the switch; a name is not required."""
    return " ".join(name.split())[:LONGEST_NAME] or SOMEBODY


def why_in_words(words: str) -> str:
    """A reason as every message shows it: one line, bounded, without the full stop that follows it there."""
    return " ".join(words.split())[:LONGEST_WHY].rstrip(".")
