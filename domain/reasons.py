"""Why an order, an effect or a run stands as it does: a code with facts. Its words are
made where people read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from domain.money import Money
from domain.reason_codes import ReasonCode
from domain.wording import Worded


# fmt: off
class Part(Worded):
    """The templates of parts, in the form of the sentences of codes."""

    # the cause that stops a run
    TIME_UP = "time_up", "the time was up"
    TOO_MANY_CALLS = "too_many_calls", "the service had too many calls"
    SERVICE_AWAY = "service_away", "the service was away"
    # how far an order came
    NOT_ORDERED = "not_ordered", "approved, not ordered yet"
    NOT_PAID = "not_paid", "ordered, not paid yet"
    NOT_CONFIRMED = "not_confirmed", "paid, not confirmed yet"
    NOT_BOOKED = "not_booked", "paid, not booked yet"
    # what happens next
    RUN_AGAIN = "run_again", "Run again"
    GOES_ON = "goes_on", "finish-open goes on with it, or: sourcing finish"
    AFTER_RESUME = "after_resume", "It goes on after resume-buying in the Prefect UI, or: sourcing resume"
    # which item the words of a line mean
    NOT_SEARCHED_YET = "not_searched_yet", "not looked up yet: the service was away"
    NOT_SEARCHED = "not_searched", "could not be searched for ({failure})"
    NOTHING_FOUND = "nothing_found", "nothing on {marketplace} matches {words!r}; a dry run searches anew"
    NO_TITLE_HAS_ALL = "no_title_has_all", ("no title on {marketplace} holds all of {words!r}; put one of these ids in "
        "column item: {offers:; }")
    ONLY_OFFER = "only_offer", ("the only offer found; its title holds [several?all the words][one?the word]"
        "[; an earlier run had taken {earlier}]")
    ONLY_TITLE = "only_title", ("the only one of the first {found} offers found whose title holds all the words"
        "[; an earlier run had taken {earlier}]")
    FIRST_TITLE = "first_title", ("the first of the {whole} offers whose titles hold all the words, as the marketplace "
        "ranks them[; an earlier run had taken {earlier}]")
    SPARE_OFFER = "spare_offer", "number {place} in the SKU book, since the one before can't be bought: {why}"
    # why freight is not known
    FREIGHT_NOT_BOOKED = "freight_not_booked", "shipping is not booked yet, so what it costs is not known"
    FREIGHT_NOT_SHOWN = "freight_not_shown", "the warehouse did not show what shipping cost"
    FREIGHT_BELOW_ZERO = "freight_below_zero", "what shipping cost is below zero"
    FREIGHT_IN_SEVERAL = "freight_in_several", "the freight of its parcel was paid in {currencies}"
    GOODS_IN_SEVERAL = "goods_in_several", ("its parcel holds goods bought in {currencies}")
    # what a reconciliation could not read
    NOT_SETTLED = "not_settled", "{marketplace}: what is open there can't be asked about ({failure})"
    NOT_LISTED = "not_listed", "{marketplace}: its orders could not be listed ({failure})"
    LIST_LACKS = "list_lacks", ("{marketplace}: {lacks}, so what it does not show, missing or unknown here, stays "
        "open")
    NOT_READ_SINGLY = "not_read_singly", "{marketplace}: {count} orders could not be looked up one by one ({failure})"
    TOO_MANY_TO_READ = "too_many_to_read", "{marketplace}: {count} more orders were not looked up one by one"
    REFUNDS_NOT_COMPARED = "refunds_not_compared", "{failure}"
    WALLET_NOT_COMPARED = "wallet_not_compared", ("the wallet's statement was not compared: not all orders could be "
        "read, or were asked for")
    # what a crawl could not fetch
    NOT_FETCHED = "not_fetched", "{marketplace} {item}: {failure}"
# fmt: on


__all__ = ["Reason", "ReasonCode", "because"]

NO_ROOM = frozenset({ReasonCode.OVER_BUDGET, ReasonCode.OVER_DAY_LIMIT})
"""A limit was used up by other orders: more room, or another day, lets this one be
bought.
"""
UNKNOWN_STATES = frozenset(
    {
        ReasonCode.UNKNOWN_STATE,
        ReasonCode.PAYING_IN_UNKNOWN_STATE,
        ReasonCode.PAID_IN_UNKNOWN_STATE,
    }
)
"""The service shows an order in a state without a meaning here."""
GOES_ALONG = frozenset({ReasonCode.PAID_COUNTED_WITH, ReasonCode.FREIGHT_CHARGED_MORE})
"""A difference in money of an order that goes on: it stands there on its way, until
another reason takes its place.
"""
UNITS_IN_DOUBT = frozenset(
    {ReasonCode.PRICE_FAR_BELOW_LIMIT, ReasonCode.SEARCH_DIFFERS}
)
"""The amounts of a marketplace may be in another unit than they are read in."""
ALSO = "also"
"""The fact with the other reasons that apply beside one."""
BEFORE = "[unpaid?ordered, not paid: ][unbooked?paid, not booked: ]"
AFTER = "[ (taken for {taken_for!r}; a dry run searches anew)][; {also:; }][. {then}]"
"""What any sentence may begin and end with, where the facts are there."""
PARTS = {str(part): part for part in Part}
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
        words = self.code.words.sentence.replace("{remedy}", self.code.words.remedy)
        return _filled(f"{BEFORE}{words}{AFTER}", self.facts)

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
        return hashlib.sha256(as_text(self).encode()).hexdigest()[:16]

    def but(self, **facts: object) -> Reason:
        """The reason with further facts."""
        return Reason(self.code, {**self.facts, **_known(facts)})

    def is_one_of(self, codes: Collection[ReasonCode]) -> bool:
        """Whether the reason, or one beside it, has one of these codes."""
        return self.code in codes or any(
            one["code"] in codes for one in self.facts.get(ALSO, ())
        )


@dataclass(frozen=True, slots=True)
class Detail:
    """A part of a reason or of a report, and the facts of its words."""

    part: Part
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return _filled(self.part.words, self.facts)

    def but(self, **facts: object) -> Detail:
        """The detail with further facts."""
        return Detail(self.part, {**self.facts, **_known(facts)})


def detail(part: Part, /, **facts: object) -> Detail:
    """The detail of this part; a fact that is None or empty is left out."""
    return Detail(part, _known(facts))


def because(code: ReasonCode, /, **facts: object) -> Reason:
    """The reason of this code; a fact that is None or empty is left out."""
    return Reason(code, _known(facts))


def together(reasons: Iterable[Reason | None]) -> Reason | None:
    """The reason of the highest class, the first of equals, with the others beside it;
    None for none.
    """
    given = [reason for reason in reasons if reason]
    if len(given) < 2:
        return given[0] if given else None
    first = outranking(given)
    return first.but(**{ALSO: [one for one in given if one is not first]})


def going_along(why: Reason | None) -> Reason | None:
    """What of a reason an order keeps that goes on."""
    if why is None:
        return None
    alone = Reason(
        why.code, {name: fact for name, fact in why.facts.items() if name != ALSO}
    )
    beside = (read(one["code"], one["facts"]) for one in why.facts.get(ALSO, ()))
    return together(one for one in (alone, *beside) if one and one.code in GOES_ALONG)


def outranking(reasons: Iterable[Reason | None]) -> Reason:
    """The reason that stands where several meet: that of the highest class, the first
    of equals.
    """
    return max(filter(None, reasons), key=lambda reason: reason.code.words.kind)


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
        what = (line.reason_code, line.remedy) if line.reason_code else line.reason
        alike.setdefault((line.state, what, further(line)), []).append(line)
    return [(some, _of_all(some)) for some in alike.values()]


def _of_all(lines: Sequence[Explained]) -> str:
    """The sentence where all share it, else the code and the remedy."""
    first = lines[0]
    if first.reason_code is None or len({line.reason for line in lines}) == 1:
        return first.reason
    code, remedy = str(first.reason_code).replace("_", " "), first.remedy
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
    if known := ReasonCode.of(code):
        return Reason(known, facts or {})
    return because(ReasonCode.OF_ANOTHER_VERSION, code=code.replace("_", " "))


def as_text(reason: Reason) -> str:
    """A reason in one text, where it has no columns: of a delivery."""
    return json.dumps(_json(reason), ensure_ascii=False, sort_keys=True)


def from_text(text: str) -> Reason | None:
    """The reason of such a text; an empty one is none."""
    if not text:
        return None
    held = json.loads(text)
    return read(held["code"], held["facts"])


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
        return {"code": str(fact.code), "facts": dict(fact.facts)}
    if isinstance(fact, Detail):
        return {"part": str(fact.part), "facts": dict(fact.facts)}
    if isinstance(fact, Money):
        return {"minor": fact.minor, "currency": fact.currency}
    if isinstance(fact, StrEnum | Decimal):
        return str(fact)
    return [_json(one) for one in fact] if isinstance(fact, list | tuple) else fact


def _filled(template: str, facts: Mapping[str, Any]) -> str:
    chosen = _chosen(template, frozenset(name for name, fact in facts.items() if fact))
    return chosen.format_map(_Shown(facts)) if chosen else ""


@cache
def _chosen(template: str, there: frozenset[str]) -> str:
    """The template with those of its optional parts whose facts are there."""

    def part(found: re.Match[str]) -> str:
        guard, words = found.groups()
        return (
            words if there.issuperset([guard] if guard else FACT.findall(words)) else ""
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
    if isinstance(fact, Mapping) and "code" in fact:
        return str(read(fact["code"], fact["facts"]))
    if isinstance(fact, Mapping) and "part" in fact:
        return str(
            Detail(PARTS[fact["part"]], fact["facts"])
            if fact["part"] in PARTS
            else fact["part"]
        )
    return str(
        Money(fact["minor"], fact["currency"]) if isinstance(fact, Mapping) else fact
    )
