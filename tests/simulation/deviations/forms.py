"""How one value may be written otherwise: numbers, ids, amounts, times, nothing,
names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from tests.hostile.values import Raw
from tests.simulation.deviations.wire import ABSENT, AMOUNTS, IDS, TIMES, Change

CHINA = timezone(timedelta(hours=8))
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
SPACED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
COMPACT = re.compile(r"\d{17}[+-]\d{4}")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# numbers and ids


def number_as_text(_name: str, value: Any) -> Any:
    return str(value) if is_number(value) else value


def text_as_number(_name: str, value: Any) -> Any:
    return Raw(value) if isinstance(value, str) and NUMBER.fullmatch(value) else value


def ids(form: Callable[[int], Any]) -> Change:
    """Ids of digits in this form."""

    def change(name: str, value: Any) -> Any:
        is_id = (
            name in IDS and not isinstance(value, bool) and isinstance(value, int | str)
        )
        return form(int(value)) if is_id and str(value).isdigit() else value

    return change


def rounded(name: str, value: Any) -> Any:
    """Ids as a program shows them that keeps numbers as doubles."""
    notices = ids(lambda number: int(Decimal(repr(float(number)))))(name, value)
    return str(notices) if isinstance(value, str) else notices


# amounts


def amounts(
    *,
    fen: Callable[[int], Any] | None = None,
    yuan: Callable[[float], Any] | None = None,
) -> Change:
    """Amounts otherwise: whole numbers are fen in the contract, all others yuan; a text
    stays a text.
    """

    def change(name: str, value: Any) -> Any:
        if name not in AMOUNTS or not (
            is_number(value) or (isinstance(value, str) and NUMBER.fullmatch(value))
        ):
            return value
        if isinstance(value, int):
            return fen(value) if fen else value
        if not yuan:
            return value
        built = yuan(float(value))
        return (
            built
            if not isinstance(value, str)
            else f"{built:.2f}"
            if isinstance(built, float)
            else str(built)
        )

    return change


def yuan_of(fen: int) -> float:
    return fen / 100


def whole_yuan_of(fen: int) -> int:
    return (fen + 50) // 100


def fen_of(yuan: float) -> int:
    return round(yuan * 100)


# times


def times(form: Callable[[datetime], Any], *, none: Any = None) -> Change:
    """Times in this form; `none` stands where there is none."""

    def change(name: str, value: Any) -> Any:
        if name not in TIMES:
            return value
        if value is None:
            return none
        moment = _moment(value)
        return value if moment is None else form(moment)

    return change


def moved(hours: int) -> Change:
    """Times as the contract writes them, of a clock that is ahead."""

    def change(name: str, value: Any) -> Any:
        moment = _moment(value) if name in TIMES else None
        if moment is None:
            return value
        moment += timedelta(hours=hours)
        return milliseconds(moment) if isinstance(value, int) else _like(value, moment)

    return change


def _like(value: str, moment: datetime) -> str:
    if SPACED.fullmatch(value):
        return spaced(moment.astimezone(CHINA))
    local = moment.astimezone(CHINA)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}+0800"


def _moment(value: Any) -> datetime | None:
    if isinstance(value, int) and value > 10**12:
        return datetime.fromtimestamp(value / 1000, UTC)
    if isinstance(value, str) and SPACED.fullmatch(value):
        return datetime.fromisoformat(value).replace(tzinfo=CHINA)
    if isinstance(value, str) and COMPACT.fullmatch(value):
        return datetime.strptime(value, "%Y%m%d%H%M%S%f%z")
    return None


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def spaced(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


# nothing


def nothing_as(value: Any) -> Change:
    return lambda _name, item: value if item is None else item


def empty_as_null(_name: str, value: Any) -> Any:
    return None if value == "" else value


NOTHING: dict[str, Any] = {
    "empty text": "",
    "zero": 0,
    "text null": "null",
    "empty object": {},
    "empty list": [],
    "left out": ABSENT,
}


# names


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def pascal(name: str) -> str:
    return name[:1].upper() + name[1:]
