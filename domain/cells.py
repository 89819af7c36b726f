"""Characters and values of a cell, as a spreadsheet or a person writes them."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal

BLANKS = " \t\r\n\x0b\x0c\x85\u00a0\u2028\u2029\u3000"
BREAKS = re.compile(
    "[ \u00a0\u3000]*[\t\n\x0b\x0c\r\x85\u2028\u2029][\\s\u00a0\u3000]*"
)
# What Unicode calls default ignorable, and blanks that pass for letters; without
# joiners and variation selectors.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2060-\u2065\u206a-\u206f\u2800\u3164"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_JOINERS = "\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"  # they belong to the letter before them, unless it is ASCII
INVISIBLE = re.compile(f"[{_UNSEEN}]|(?:(?<=[\x00-\x7f])|^)[{_JOINERS}]+")
EDGES = re.compile(f"^[{BLANKS}{_UNSEEN}{_JOINERS}]+|[{BLANKS}{_UNSEEN}\u200c\u200d]+$")
CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
# At the beginning of a cell; and behind what a spreadsheet of another country takes for
# the end of one.
FORMULA = re.compile(r"(^|[,;|\t\r\n])([\s\"]*)([=+\-@＝＋－＠])")
_NO_FORMULA = re.compile(FORMULA.pattern.replace("([=", "'([="))
_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
LOST = "\ufffd"
# Printable for Python, yet invisible, or out of place in a cell.
PASSES_FOR_SEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc\ufffd\U000e0100-\U000e01ef]"
)
FULL_WIDTH = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}

LINE_BREAK_WARNING = "line breaks and tabs in this cell became blanks"
INVISIBLE_WARNING = "invisible characters were taken out of this cell"


def half_width(text: str) -> str:
    """Full-width digits, letters and signs as ASCII; nothing else changes: `²` is no
    2.
    """
    return text if text.isascii() else text.translate(FULL_WIDTH)


def seen_text(text: str, *, prose: bool) -> tuple[str, list[str]]:
    """The visible text of a cell, stripped, and the warnings about it.

    Within `prose` line breaks become blanks and invisible characters go; anywhere else
    they must not be. Raises `ValueError` for those, for control characters and for such
    as turn the direction of writing.
    """
    stripped = text.strip(BLANKS)
    if stripped.isprintable() and (
        stripped.isascii() or not PASSES_FOR_SEEN.search(stripped)
    ):
        return stripped, []
    _require_characters(stripped)
    bare = EDGES.sub("", stripped)
    warnings = [INVISIBLE_WARNING] if bare != stripped else []
    if found := INVISIBLE.search(bare):
        if not prose:
            raise ValueError(
                f"this cell holds an invisible character (U+{ord(found.group()[0]):04X}); type it again"
            )
        bare = EDGES.sub("", INVISIBLE.sub("", bare))
        warnings = [INVISIBLE_WARNING]
    if BREAKS.search(bare):
        if not prose:
            raise ValueError("this cell holds a line break or tab; take it out")
        bare = BREAKS.sub(" ", bare)
        warnings.append(LINE_BREAK_WARNING)
    return bare, warnings


def _require_characters(text: str) -> None:
    if CONTROL.search(text):
        raise ValueError("this cell holds an unprintable character; type it again")
    if found := DIRECTION.search(text):
        raise ValueError(
            f"this cell holds a character that turns the direction of writing (U+{ord(found.group()):04X}); "
            "type it again"
        )
    if LOST in text:
        raise ValueError(
            "this cell holds U+FFFD, where a character was lost when the file was saved; type it again"
        )


def no_formula(text: str) -> str:
    """The text for a CSV file, with `'` before what a spreadsheet would take for a
    formula.
    """
    return FORMULA.sub(r"\1\2'\3", text)


def csv_cell(text: str) -> str:
    """The text on one line, for a CSV file that a spreadsheet may open."""
    return no_formula(_BREAKS.sub(" ", text).strip())


def csv_text(rows: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    """The lines of a CSV file."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue()


def with_formula(text: str) -> str:
    """The text that `no_formula` had been given."""
    return _NO_FORMULA.sub(r"\1\2\3", text)


EXACT_FLOAT_LIMIT = 2**53
MOST_DIGITS_SHOWN = (
    40  # before or after the point: nothing that a request file holds comes near it
)
NUMBERS = (int, float, Decimal)


@dataclass(frozen=True, slots=True)
class NotACell:
    """A cell that holds neither text nor a number nor nothing. `why` names the
    remedy.
    """

    why: str


DATE = NotACell(
    "a date or time stands here; format the column as text and enter again what is meant"
)


def is_date(value: object) -> bool:
    return value == DATE or isinstance(value, date | time | timedelta)


def value_text(value: object) -> str:
    """A cell as text; None is empty, and a whole number loses its `.0`.

    A float too large to be exact stays in its exponent form, which no id column
    accepts. Raises `ValueError` for everything that is neither text nor a finite
    number, an unforeseen type included.
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
        raise ValueError(
            "a number of more digits than anything here has; write what is meant as text"
        )
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
    if value.adjusted() > MOST_DIGITS_SHOWN or (
        isinstance(exponent, int) and exponent < -MOST_DIGITS_SHOWN
    ):
        raise ValueError(
            "this number has more digits than anything here has; write what is meant as text"
        )
    return str(int(value)) if value == value.to_integral_value() else f"{value:f}"


def _not_finite(value: float | Decimal) -> str:
    return f"{value} is no number; empty the cell, or put the value in its place"


def _what_it_is(value: object) -> str:
    if isinstance(value, bool):
        return f"a yes/no value ({str(value).upper()}) stands here; write the text or number that is meant"
    if is_date(value):
        return DATE.why
    kinds: dict[type, str] = {
        dict: "an object",
        list: "a list",
        tuple: "a list",
        bytes: "binary data",
    }
    kind_name = kinds.get(type(value), f"a value of type {type(value).__name__}")
    return f"{kind_name} stands here; write the text or number that is meant"
