"""Why an order, an effect or a run stands as it does: a code with facts. Its words are
made where people read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from domain.money import Money
from domain.reason_codes import ReasonCode

__all__ = ["Reason", "ReasonCode", "because"]

NO_ROOM = frozenset({ReasonCode.OVER_BUDGET, ReasonCode.OVER_DAY_LIMIT})
"""A limit was used up by other orders: more room, or another day, lets this one be
bought.
"""
GOES_ALONG = frozenset({ReasonCode.PAID_COUNTED_WITH, ReasonCode.FREIGHT_CHARGED_MORE})
"""A difference in money of an order that goes on: it stands there on its way, until
another reason takes its place.
"""
UNITS_IN_DOUBT = frozenset(
    {ReasonCode.PRICE_FAR_BELOW_LIMIT, ReasonCode.SEARCH_DIFFERS}
)
"""The amounts of a marketplace may be in another unit than they are read in."""
BEFORE = "[unpaid?ordered, not paid: ][unbooked?paid, not booked: ]"
AFTER = "[ (taken for {taken_for!r}; a dry run searches anew)]"
"""What any sentence may begin and end with, where the facts are there."""
OPTIONAL = re.compile(r"\[(?:(\w+)\?)?([^\[\]]*)\]")
FACT = re.compile(r"\{(\w+)")


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and the facts of its sentence: JSON values, amounts in minor units,
    nothing of a receiver.
    """

    code: ReasonCode
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        message = self.code.words.sentence.replace("{remedy}", self.code.words.remedy)
        return _filled(f"{BEFORE}{message}{AFTER}", self.facts)

    @property
    def remedy(self) -> str:
        """What to do about it; empty where it ends by itself."""
        return self.fill(self.code.words.remedy)

    def fill(self, template: str) -> str:
        """A template, in the form of the sentences of codes, with the facts of this
        reason.
        """
        return _filled(template, self.facts)

    @property
    def digest(self) -> str:
        """The identity of code and facts, whatever the words."""
        text = json.dumps([self.code, self.facts], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def but(self, **facts: object) -> Reason:
        """The reason with further facts."""
        return Reason(self.code, {**self.facts, **_known(facts)})


def because(code: ReasonCode, /, **facts: object) -> Reason:
    """The reason of this code; a fact that is None or empty is left out."""
    return Reason(code, _known(facts))


def going_along(reason: Reason | None) -> Reason | None:
    """The reason of an order that goes on with it."""
    return reason if reason and reason.code in GOES_ALONG else None


def outranking(reasons: Iterable[Reason | None]) -> Reason:
    """The reason that stands where several meet: that of the highest class, the first
    of equals.
    """
    return max(filter(None, reasons), key=lambda reason: reason.code.words.kind)


def standing_of(*reasons: Reason | None) -> Reason | None:
    """The reason that stands of those that there are; None without any."""
    return outranking(reasons) if any(reasons) else None


def explained(why: Reason | None) -> dict[str, Any]:
    """The fields of `Explained` but the state."""
    if why is None:
        return {"reason": ""}
    return {
        "reason": str(why),
        "reason_code": why.code,
        "reason_facts": why.facts,
        "remedy": why.remedy,
    }


NO_FACTS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An order, or a thing to do, as people are shown it: its state, and the reason
    with its words made.
    """

    state: str
    reason: str
    reason_code: ReasonCode | None = None
    reason_facts: Mapping[str, Any] = field(
        default_factory=lambda: NO_FACTS
    )  # one for all: lines are many
    remedy: str = ""


T = TypeVar("T", bound=Explained)


def grouped(
    lines: Iterable[T], further: Callable[[T], object] = lambda _: None
) -> list[tuple[Sequence[T], str]]:
    """Lines with one code and one thing to do, in order of appearance, each group with
    its words.
    """
    alike: dict[object, list[T]] = {}
    for line in lines:
        reason_code = (
            (line.reason_code, line.remedy) if line.reason_code else line.reason
        )
        alike.setdefault((line.state, reason_code, further(line)), []).append(line)
    return [(refs, _of_all(refs)) for refs in alike.values()]


def _of_all(lines: Sequence[Explained]) -> str:
    """The sentence where all share it, else the code and the remedy."""
    first = lines[0]
    if first.reason_code is None or len({line.reason for line in lines}) == 1:
        return first.reason
    code = str(first.reason_code).replace("_", " ")
    remedy = first.remedy
    return (
        f"{code}. {remedy[:1].upper()}{remedy[1:]}"
        if remedy
        else f"{code}. The first: {first.reason}"
    )


def stored(reason: Reason | None) -> dict[str, Any]:
    """The columns that hold a reason."""
    if reason is None:
        return {"reason_code": None, "reason_facts": None}
    return {"reason_code": reason.code, "reason_facts": reason.facts or None}


def read(code: str | None, facts: Mapping[str, Any] | None) -> Reason | None:
    """The reason that these columns hold; of a code that is not known here its name."""
    if code is None:
        return None
    if reason_code := ReasonCode.of(code):
        return Reason(reason_code, facts or {})
    return because(ReasonCode.OF_ANOTHER_VERSION, code=code.replace("_", " "))


def run_label(run_count: int) -> str:
    """The label of a run in Prefect with the code of why it failed, at its start of
    this number.
    """
    return f"sourcing.reason.{run_count}"


def _known(facts: Mapping[str, object]) -> dict[str, Any]:
    return {
        name: _json(fact)
        for name, fact in facts.items()
        if fact is not False and fact not in (None, "", [], ())
    }


def _json(fact: object) -> Any:
    """A fact as a ledger gives it back."""
    if isinstance(fact, Reason):
        return str(fact)
    if isinstance(fact, Money):
        return {"minor": fact.minor, "currency": fact.currency}
    if isinstance(fact, StrEnum | Decimal):
        return str(fact)
    return [_json(item) for item in fact] if isinstance(fact, list | tuple) else fact


def _filled(template: str, facts: Mapping[str, Any]) -> str:
    chosen = _chosen(template, frozenset(name for name, fact in facts.items() if fact))
    return chosen.format_map(_Shown(facts)) if chosen else ""


@cache
def _chosen(template: str, there: frozenset[str]) -> str:
    """The template with those of its optional parts whose facts are there."""

    def part(found: re.Match[str]) -> str:
        guard, text = found.groups()
        return (
            text if there.issuperset([guard] if guard else FACT.findall(text)) else ""
        )

    return OPTIONAL.sub(part, template)


class _Shown(dict[str, Any]):
    """Facts as a sentence shows them. One that another version did not write is a
    dash.
    """

    def __getitem__(self, name: str) -> Any:
        fact = super().__getitem__(name)
        return _Words(map(_words, fact if isinstance(fact, list) else [fact]))

    def __missing__(self, name: str) -> Any:
        return "–"


class _Words(list[str]):
    """One text or several, joined by the text behind the colon, else by a comma."""

    def __format__(self, between: str) -> str:
        return (between or ", ").join(self)

    def __repr__(self) -> str:
        return repr(f"{self}")


def _words(fact: Any) -> str:
    is_money = isinstance(fact, Mapping)
    return str(Money(fact["minor"], fact["currency"]) if is_money else fact)
