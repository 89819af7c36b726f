"""What one cell of a request file may hold, whichever format it comes from: text, an exact number, or nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal

EXACT_FLOAT_LIMIT = 2**53
MOST_DIGITS_SHOWN = 40  # before or after the point: nothing that a request file holds comes near it
NUMBERS = (int, float, Decimal)


@dataclass(frozen=True, slots=True)
class NotACell:
    """A cell that holds neither text nor a number nor nothing. `why` names the remedy."""

    why: str


DATE = NotACell("a date or time stands here; format the column as text and enter again what is meant")


def value_text(value: object) -> str:
    """A cell as text; None is empty, and a whole number loses its `.0`.

    A float too large to be exact stays in its exponent form, which no id column accepts. Raises `ValueError` for
    everything that is neither text nor a finite number, an unforeseen type included.
    """
    kind = type(value)
    if kind is str:
        return str(value)
    if value is None:
        return ""
    if isinstance(value, NotACell):
        raise ValueError(value.why)
    if isinstance(value, NUMBERS) and kind is not bool:
        return _number_text(value)
    raise ValueError(_what_it_is(value))


def _number_text(value: float | Decimal) -> str:
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, Decimal):
        return _decimal_text(value)
    if abs(value) >= 10**MOST_DIGITS_SHOWN:
        raise ValueError("a number of more digits than anything here has; write what is meant as text")
    return str(value)


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(_not_finite(value))
    if not value.is_integer():
        return repr(value)
    return str(int(value)) if abs(value) < EXACT_FLOAT_LIMIT else f"{value:.16e}"


def _decimal_text(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(_not_finite(value))
    exponent = value.as_tuple().exponent
    if value.adjusted() > MOST_DIGITS_SHOWN or (isinstance(exponent, int) and exponent < -MOST_DIGITS_SHOWN):
        raise ValueError("this number has more digits than anything here has; write what is meant as text")
    return str(int(value)) if value == value.to_integral_value() else f"{value:f}"


def _not_finite(value: float | Decimal) -> str:
    return f"{value} is no number; empty the cell, or put the value in its place"


def _what_it_is(value: object) -> str:
    if isinstance(value, bool):
        return f"a yes/no value ({str(value).upper()}) stands here; write the text or number that is meant"
    if isinstance(value, date | time | timedelta):
        return DATE.why
    kinds: dict[type, str] = {dict: "an object", list: "a list", tuple: "a list", bytes: "binary data"}
    what = kinds.get(type(value), f"a value of type {type(value).__name__}")
    return f"{what} stands here; write the text or number that is meant"
