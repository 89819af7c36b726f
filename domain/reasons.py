"""The codes of reasons: what code may ask about why an order stands as it does. The words are for people alone."""

from __future__ import annotations

from enum import StrEnum


class ReasonCode(StrEnum):
    """Why an order stands as it does. Reasons that no code asks about have none."""

    OVER_BUDGET = "over_budget"
    OVER_DAY_LIMIT = "over_day_limit"
    UNKNOWN_STATE = "unknown_state"

    @classmethod
    def of(cls, text: str | None) -> ReasonCode | None:
        """The code that a ledger holds; None also for one that a later program has written."""
        return cls(text) if text in CODES else None


CODES = frozenset(ReasonCode)

NO_ROOM = frozenset({ReasonCode.OVER_BUDGET, ReasonCode.OVER_DAY_LIMIT})
"""A limit was used up by other orders: more room, or another day, lets this one be bought."""
