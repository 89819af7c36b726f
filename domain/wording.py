"""Words that messages, run names, log lines and artifacts share, and what the words of
a reason consist of.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Self

MOST_NAMED = 3


class Worded(StrEnum):
    """Base of values that stand in tables and files, each with the words that people
    read for it.
    """

    words: str

    def __new__(cls, value: str, words: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.words = words
        return member


def shorten(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """`A-1, A-2, A-3 and 4 more`."""
    hidden_count = len(names) - most
    return ", ".join(names[:most]) + (
        f" and {hidden_count:,} more" if hidden_count > 0 else ""
    )


def first_lines(lines: Sequence[str], most: int, rest: str) -> list[str]:
    """The first lines; where there are more, `rest` is the last one, with their number
    for `{more}`.
    """
    hidden_count = len(lines) - most
    return [
        *lines[:most],
        *([rest.format(more=f"{hidden_count:,}")] if hidden_count > 0 else []),
    ]


def counted(kinds: Iterable[str]) -> str:
    """`3 cancelled, 1 held`, the most frequent first; empty for none."""
    return ", ".join(
        f"{count:,} {kind.replace('_', ' ')}"
        for kind, count in Counter(kinds).most_common()
    )


def pluralize(count: int, thing: str) -> str:
    """`1 order`, `2 orders`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


ANOTHER_WORKS = "Another one works on it"
"""How a run ends that found another one at its work."""


class Choice(StrEnum):
    """An answer to a plan; the first approves nothing, so that none is preselected."""

    NONE = "none"
    ALL = "all"
    ONLY = "only"
    ALL_BUT = "all but"


BETWEEN_REFERENCES = re.compile(
    r"[\s,;，；、\"']+"
)  # none of these can be part of a reference


class BadChoice(ValueError):
    """The answer leaves open what it approves; the message is one sentence that says
    what to change.
    """


def references_in(text: str) -> list[str]:
    """The references of a text: one a line, or with commas, semicolons or blanks
    between them.
    """
    return [ref for ref in BETWEEN_REFERENCES.split(text) if ref]


def chosen(choice: Choice, named: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The approved ones of the orders that were `asked` about, in their order. Raises
    `BadChoice`.
    """
    if choice is Choice.NONE:
        return []
    if fault := _fault(choice, named, set(asked)):
        raise BadChoice(fault)
    of_them = set(named)
    return [
        ref
        for ref in asked
        if choice is Choice.ALL or (ref in of_them) is (choice is Choice.ONLY)
    ]


def _fault(choice: Choice, named: Sequence[str], asked: set[str]) -> str:
    if choice is Choice.ALL and named:
        return f"“all” was chosen and {shorten(named)} named as well: take the names out, or choose “all but”"
    if choice is not Choice.ALL and not named:
        return f"“{choice}” was chosen and no order named: name them, or choose “all” or “none”"
    if unknown := [ref for ref in dict.fromkeys(named) if ref not in asked]:
        return f"this plan has no order {shorten(unknown)}: copy the references from the plan"
    if repeated := [ref for ref, times in Counter(named).items() if times > 1]:
        return f"{shorten(repeated)} stands there more than once: name each order once"
    return ""


class ReasonKind(IntEnum):
    """The classes of reasons. Where two reasons meet, that of the higher class
    stands.
    """

    NOTE = 0
    """The order goes on, or is over."""
    WAITS = 1
    """Nothing is wrong with the order: a later run goes on."""
    CHOICE = 2
    """A person has not agreed yet."""
    REQUEST = 3
    """The request can't be bought as it stands."""
    LIMIT = 4
    """More than a limit allows."""
    DOUBT = 5
    """The service's answer is not clear, or may not be true."""
    MONEY = 6
    """Money has left, and not all is as it was approved."""
    OTHER = 7
    """Of a run, a parcel, a message, or a part of a reason: no order stands by it."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a code. `command` has the words of the commands that lead on."""

    kind: ReasonKind
    code: str
    sentence: str
    remedy: str = ""
    command: str = ""
