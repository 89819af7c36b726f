"""The words of reasons, made from their facts where people read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from domain.money import Money
from domain.reason_codes import CODES, ReasonCode

TEXT = "text"
"""The fact that takes the place of the sentence: the words of an earlier program."""
ALSO = "also"
"""The fact with the other reasons that apply beside one."""
BEFORE = "[unpaid?ordered, not paid: ][unbooked?paid, not booked: ]"
AFTER = "[ (taken for {taken_for!r}; a dry run searches anew)][; {also:; }][. {then}]"
"""What any sentence may begin and end with, where the facts are there."""
OPTIONAL = re.compile(r"\[(?:(\w+)\?)?([^\[\]]*)\]")
FACT = re.compile(r"\{(\w+)")


def sentence(code: ReasonCode, facts: Mapping[str, Any]) -> str:
    """The reason as people read it."""
    words = "{text}" if TEXT in facts else code.words.sentence.replace("{remedy}", code.words.remedy)
    return _filled(f"{BEFORE}{words}{AFTER}", facts)


def remedy(code: ReasonCode, facts: Mapping[str, Any]) -> str:
    """What to do about it; empty where it ends by itself."""
    return "" if TEXT in facts else _filled(code.words.remedy, facts)


def _filled(template: str, facts: Mapping[str, Any]) -> str:
    chosen = _chosen(template, frozenset(name for name, fact in facts.items() if fact))
    return chosen.format_map(_Shown(facts)) if chosen else ""


@cache
def _chosen(template: str, there: frozenset[str]) -> str:
    """The template with those of its optional parts whose facts are there."""

    def part(found: re.Match[str]) -> str:
        guard, words = found.groups()
        return words if there.issuperset([guard] if guard else FACT.findall(words)) else ""

    return OPTIONAL.sub(part, template)


class _Shown(dict[str, Any]):
    """Facts as a sentence shows them. One that another version did not write is a dash."""

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
    if isinstance(fact, Mapping) and "code" in fact:
        return sentence(CODES.get(fact["code"], ReasonCode.EARLIER), fact["facts"])
    return str(Money(fact["minor"], fact["currency"]) if isinstance(fact, Mapping) else fact)
