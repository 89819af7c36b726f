"""The odd values that stand in for what the service really answers: one table by what
is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

SECRET = "sandbox-access-secret"
ESCAPE = "\x1b"
BELL = "\x07"
DEPTH = 3_000
RAW = "@@raw-json@@"


class Special(Enum):
    """Values that depend on the answer: what stands there, and what another order is
    called.
    """

    ABSENT = "absent"
    OTHER_ORDER_ID = "another order's id"
    OTHER_REFERENCE = "another order's reference"
    OTHER_ITEM = "another order's item"
    SWAPPED = "what the same answer about another order says"
    NEGATED = "the same, below zero"
    TENFOLD = "ten times the same"
    A_TENTH = "a tenth of the same"
    ONE_MORE = "one more than the same"
    IN_A_LIST = "the same in a list"
    IN_AN_OBJECT = "the same in an object"
    ECHOED = "the same, and the account's secret"
    PAINTED = "the same between escape sequences"
    TWICE = "every row twice"
    BACKWARDS = "the rows backwards"
    ONE_LESS = "without its last row"
    FOREIGN_ROW = "with a row of another order"
    MANY = "its first row 3,000 times"


@dataclass(frozen=True, slots=True)
class Raw:
    """A literal as it stands on the wire, which may be no JSON at all."""

    text: str


NUMBERS: Mapping[str, Any] = {
    "-1": -1,
    "-100000": -100_000,
    "0": 0,
    "-0": Raw("-0"),
    "1": 1,
    "0.5": 0.5,
    "1.005": Raw("1.005"),
    "10^12": 10**12,
    "2^63": 2**63,
    "2^64+1": 2**64 + 1,
    "10^31": 10**31,
    "1e400": Raw("1e400"),
    "1e5": Raw("1e5"),
    "5,000 digits": Raw("9" * 5_000),
    "NaN": Raw("NaN"),
    "-Infinity": Raw("-Infinity"),
}
TEXTS: Mapping[str, Any] = {
    "empty": "",
    "blank": " ",
    "words": "abc",
    "text of a number": "-5",
    "text with a separator": "1_000",
    "Arabic digits": "٣٤",
    "full-width digits": "１００",
    "hexadecimal": "0x10",
    "text NaN": "NaN",
    "ANSI": f"{ESCAPE}[2J{ESCAPE}[31mPAID",
    "OSC": f"{ESCAPE}]8;;http://evil.example{BELL}click{ESCAPE}]8;;{BELL}",
    "line breaks": "fine\r\n2026-01-01 ERROR forged",
    "bidirectional": "\u202e000,1\u202c\u2066x\u2069",
    "zero-width": "a\u200bb\ufeffc",
    "NUL": "a\x00b",
    "half a character": Raw(r'"\ud83d"'),
    "secret": f"bad signature for {SECRET}",
    "markup": "[/red][bold]x[link=http://evil.example]",
    "long": "长" * 350_000,
}
OTHER_TYPES: Mapping[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "empty list": [],
    "empty object": {},
    "list of an object": [{"a": 1}],
    "deep": Raw("[" * DEPTH + "]" * DEPTH),
}
OF_ANY = (Special.ABSENT, Special.SWAPPED, Special.IN_A_LIST, Special.IN_AN_OBJECT)
OF_SCALARS = (
    Special.OTHER_ORDER_ID,
    Special.OTHER_REFERENCE,
    Special.OTHER_ITEM,
    Special.ECHOED,
    Special.PAINTED,
)
OF_NUMBERS = (Special.NEGATED, Special.TENFOLD, Special.A_TENTH, Special.ONE_MORE)
OF_LISTS = (
    Special.TWICE,
    Special.BACKWARDS,
    Special.ONE_LESS,
    Special.FOREIGN_ROW,
    Special.MANY,
)


def odd_values(real: Any) -> dict[str, Any]:
    """Everything that is tried in place of `real`, by its name."""
    specials: tuple[Special, ...] = OF_ANY
    if isinstance(real, list):
        specials += OF_LISTS
    elif not isinstance(real, dict):
        specials += OF_SCALARS + (OF_NUMBERS if is_number(real) else ())
    short = {name: NUMBERS[name] for name in ("-1", "0", "10^31", "NaN")}
    numbers = short if isinstance(real, list | dict) else NUMBERS
    return {
        **numbers,
        **TEXTS,
        **OTHER_TYPES,
        **{special.value: special for special in specials},
    }


def is_number(real: Any) -> bool:
    if isinstance(real, str):
        return real.replace(".", "", 1).removeprefix("-").isdigit()
    return isinstance(real, int | float) and not isinstance(real, bool)


def changed(special: Special, real: Any, swapped: Any) -> Any:
    """The value that is made of the real one, or of another order's at the same
    place.
    """
    built: Mapping[Special, Callable[[], Any]] = {
        Special.NEGATED: lambda: times(real, -1),
        Special.TENFOLD: lambda: times(real, 10),
        Special.A_TENTH: lambda: times(real, 0.1),
        Special.ONE_MORE: lambda: times(real, 1, 1),
        Special.IN_A_LIST: lambda: [real],
        Special.IN_AN_OBJECT: lambda: {"value": real},
        Special.ECHOED: lambda: f"{real} {SECRET}",
        Special.PAINTED: lambda: f"{ESCAPE}[31m{real}{ESCAPE}[0m",
        Special.TWICE: lambda: real + real,
        Special.BACKWARDS: lambda: real[::-1],
        Special.ONE_LESS: lambda: real[:-1],
        Special.SWAPPED: lambda: swapped,
        Special.FOREIGN_ROW: lambda: (
            real + (swapped[:1] if isinstance(swapped, list) else [swapped])
        ),
        Special.MANY: lambda: real[:1] * 3_000,
    }
    return built[special]() if special in built else special


def times(real: Any, factor: float, plus: int = 0) -> Any:
    """A number, or its text, changed; of anything else a number."""
    number = float(real) if is_number(real) else 1.0
    changed = number * factor + plus
    total = (
        int(real) * int(factor) + plus
        if isinstance(real, int) and factor == int(factor)
        else changed
    )
    return str(total) if isinstance(real, str) else total


def as_json(answer: Any) -> bytes:
    """The answer as it travels, with literals that no library would write."""
    literals: list[str] = []

    def literal(raw: object) -> str:
        assert isinstance(raw, Raw), raw
        literals.append(raw.text)
        return RAW

    text = json.dumps(answer, default=literal, ensure_ascii=False)
    first, *neighbours = text.split(f'"{RAW}"')
    pairs = zip(literals, neighbours, strict=True)
    return (first + "".join(raw + remainder for raw, remainder in pairs)).encode()
