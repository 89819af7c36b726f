"""Verdicts that money rests on: each kind is a type whose fields are the witnesses that
it demands.

```
Verdict ├── settled: Absent (domain.absence), Amount, Paid, RefusedForGood, Booked #
can't be made without their witnesses ├── Open # a witness is missing: look again, or
ask a person └── Contradicted # two witnesses can't both be right: held, with both
```

A witness is a `Statement` of one source. Two statements of one answer are one witness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import Reason, ReasonCode, because
from domain.wording import Worded, shorten


class Kind(StrEnum):
    """What a verdict is about."""

    ABSENT = "absent"
    AMOUNT = "amount"
    PAID = "paid"
    REFUSED = "refused"
    BOOKED = "booked"


class Source(StrEnum):
    """Where a statement comes from, in words for people."""

    SEARCH = "the search"
    OFFER = "the offer"
    PREVIEW = "the preview"
    CREATED = "the answer to the order"
    DETAIL = "the order"
    LISTED = "the order list"
    TAKEN = "what is shown as taken"
    TRACE = "its tracking"
    LEDGER = "the ledger"
    ANSWER = "the answer to the call"
    CALL = "the call itself"
    SEND_LOG = "the send log"
    PERSON = "a person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one source says: an amount, a state, a time or an id; `of` is the order that
    it is about, where unclear.
    """

    source: Source
    value: Money | datetime | str
    of: str = ""


class Lack(StrEnum):
    """The witness that a verdict still lacks."""

    OLDER_ORDER = "older_order"  # an order of ours from before the create, in the same reading and field
    YOUNGER_ORDER = "younger_order"  # one at the young end, or a first page that covers the create's time
    EMPTY_PAGE = "empty_page"  # the list was not read to its end
    WHOLE_LIST = "whole_list"  # it counts more than it shows, or its pages do not join
    READABLE_ROWS = "readable_rows"  # some of its rows do not fit the contract
    NAMED_ORDERS = (
        "named_orders"  # orders on it show no reference, and nothing accounts for them
    )
    DEBIT_AT_ONCE = (
        "debit_at_once"  # "unpaid" proves nothing where paying may be a submission
    )
    READ_BACK = "read_back"  # the order's own record was not read, or does not show it
    KNOWN_REFUSAL = (
        "known_refusal"  # the words of the refusal don't say that nothing happened
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A verdict that lacks a witness; `again_at` (UTC): when a reading may have it;
    None: a person must answer.
    """

    kind: Kind
    lacks: Lack
    again_at: datetime | None = None
    known: tuple[Statement, ...] = ()


class Gap(Worded):
    """How far two readings of one amount are apart."""

    UNIT = (
        "unit",
        "about a hundred times apart, so one of them is in another unit (yuan, fen)",
    )
    FAR = "far", "more than three times apart"
    HALF = "half", "less than half"  # a total, of what was approved


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradicted:
    """Two statements of which one must be wrong; for amounts `gap` is how far they are
    apart.
    """

    kind: Kind
    first: Statement
    second: Statement
    gap: Gap | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _TwoSources:
    """A verdict that rests on two statements. Raises `ValueError` for two of one
    source.
    """

    def __post_init__(self) -> None:
        first, second = (getattr(self, field.name).source for field in fields(self))
        if first is second:
            raise ValueError(f"{first} is one witness")


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount(_TwoSources):
    """An amount that two independent readings agree on, as far as amounts of that kind
    do.
    """

    first: Statement
    second: Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid(_TwoSources):
    """A payment that took money: the order's own record, beside our effect or the
    ledger's total for it.
    """

    order: Statement
    ours: Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedForGood(_TwoSources):
    """A refusal after which nothing happened: words known to mean that, and a record
    read afterwards without the effect.
    """

    words: Statement
    read_after: Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked(_TwoSources):
    """A booking that stands: shown by the answer or the order, and the order of ours
    that it is for.
    """

    shown: Statement
    ours: Statement


PLACE_OF = {
    Source.SEARCH: "search",
    Source.OFFER: "detail",
    Source.PREVIEW: "preview",
    Source.CREATED: "create",
    **dict.fromkeys((Source.DETAIL, Source.LISTED, Source.TAKEN), "orders"),
}
"""The place of a source in XPORTCN_UNITS."""
NOT_SHOWN = "nothing shows it"
FLAWS: Mapping[Lack, str] = {
    Lack.EMPTY_PAGE: "the order list was not read to an empty page",
    Lack.WHOLE_LIST: (
        "the order list counts more than it shows, or its pages do not join (if they "
        "count from 0: XPORTCN_FIRST_PAGE=0)"
    ),
    Lack.READABLE_ROWS: "the order list has rows that can't be read",
}
"""Why a list may not show everything."""
LACKS: Mapping[tuple[Kind, Lack], str] = {
    (Kind.ABSENT, Lack.OLDER_ORDER): (
        f"{NOT_SHOWN}, but nothing shows an older order of ours by its reference either, so that is no proof"
    ),
    (
        Kind.ABSENT,
        Lack.YOUNGER_ORDER,
    ): f"{NOT_SHOWN}, but nothing shows that the service shows all by now",
    **{(Kind.ABSENT, lack): f"{NOT_SHOWN}, but {flaw}" for lack, flaw in FLAWS.items()},
    (
        Kind.ABSENT,
        Lack.NAMED_ORDERS,
    ): f"{NOT_SHOWN}, but the order list has orders of unknown origin without reference",
    (Kind.ABSENT, Lack.READ_BACK): "the service does not show what would tell",
    (
        Kind.BOOKED,
        Lack.KNOWN_REFUSAL,
    ): "the order shows no shipment, which proves nothing",
    (Kind.PAID, Lack.DEBIT_AT_ONCE): (
        "the order is shown as unpaid, which proves nothing where paying may be a submission (XPORTCN_PAY_IS): look "
        "for a bill 支付扣款 of {known}"
    ),
}
"""The words for a verdict without this witness; what is `known` follows in brackets
where it does not stand.
"""


def words_of(verdict: Open | Contradicted) -> str:
    """Why nothing is settled."""
    if isinstance(verdict, Contradicted):
        verdict_text = (
            f"{_statement_words(verdict.first)}, and {_statement_words(verdict.second)}"
        )
        apart = verdict.gap.words if verdict.gap else "they differ"
        return (
            f"{verdict_text}: {apart}" if verdict.kind is Kind.AMOUNT else verdict_text
        )
    known_values = shorten([_value(statement) for statement in verdict.known])
    lacks = LACKS.get(
        (verdict.kind, verdict.lacks), f"no {verdict.lacks.replace('_', ' ')}"
    )
    message = (
        lacks.format(known=known_values)
        if "{known}" in lacks or not known_values
        else f"{lacks} ({known_values})"
    )
    return (
        f"{message}; run again after {verdict.again_at:%Y-%m-%d %H:%M} UTC"
        if verdict.again_at
        else message
    )


def _statement_words(statement: Statement) -> str:
    """`the order list shows R-1 as 78`, `the order does not show R-1`."""
    value = _value(statement)
    of = statement.of
    if not value:
        return f"{statement.source} does not show {of}"
    return (
        f"{statement.source} shows {of} as {value}"
        if of
        else f"{statement.source} says {value}"
    )


def _value(statement: Statement) -> str:
    value = statement.value
    if isinstance(value, Money):
        return str(value)
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else value


def contradiction(verdict: Contradicted, marketplace: Marketplace) -> Reason:
    """Both readings, how far they are apart, and what to do."""
    verdict_text = words_of(verdict)
    if verdict.gap is Gap.UNIT:
        low = min(
            (verdict.first, verdict.second),
            key=lambda statement: getattr(statement.value, "minor", 0),
        )
        field_path = marketplace is not Marketplace.INTERNATIONAL and PLACE_OF.get(
            low.source
        )
        setting = field_path and f"XPORTCN_UNITS={marketplace}.{field_path}=yuan"
        return because(
            ReasonCode.UNITS_DIFFER,
            both=verdict_text,
            marketplace=marketplace,
            setting=setting,
            told=low.source,
        )
    if verdict.first.source is Source.SEARCH:
        return because(
            ReasonCode.SEARCH_DIFFERS, both=verdict_text, marketplace=marketplace
        )
    return because(ReasonCode.READINGS_DIFFER, both=verdict_text)


def marketplace_held(marketplace: Marketplace, reason: str) -> Reason:
    """Why an order waits whose marketplace is held, for reasons of that very order."""
    return because(ReasonCode.MARKETPLACE_HELD, marketplace=marketplace, why=reason)


UNIT_FROM = 50
UNIT_TO = 200
"""Between yuan and fen lies a factor of 100; whole yuan that were rounded make it 50
(0.50 as 1) to 200 (1.99 as 1).
"""
FAR = 3
"""Volume prices, promotions and coupons stay within a third and three times of each
other.
"""
LEAST_PART = 2
"""A coupon after the approval takes less than a half off the total."""


def agreed(first: Statement, second: Statement) -> Amount | Contradicted:
    """Compare two readings: goods with goods, totals with totals. Raises
    `CurrencyMismatch`.
    """
    return _amount_or_contradicted(
        first, second, _gap(money_of(first), money_of(second))
    )


def agreed_total(approved: Statement, statement: Statement) -> Amount | Contradicted:
    """Compare a total with the approved one. A limit decides about one that is higher
    and within reason.
    """
    amount = money_of(approved)
    now = money_of(statement)
    gap = _gap(amount, now)
    if gap is not Gap.UNIT and now * LEAST_PART < amount:
        gap = Gap.HALF
    return _amount_or_contradicted(approved, statement, gap)


def agreed_taken(owed: Money, amount: Money, *, is_ours: bool) -> Amount | Contradicted:
    """Compare what is shown as taken with what was owed; what is counted is the owed
    amount where they contradict.

    A payment of our own (`is_ours`) was for this very amount, so less is never
    believed. A foreign payment may have been cheaper, as far as totals are. More that
    is no other unit was taken.
    """
    first = Statement(source=Source.LEDGER, value=owed)
    second = Statement(source=Source.TAKEN, value=amount)
    verdict = agreed_total(first, second)
    if isinstance(verdict, Contradicted):
        return (
            verdict
            if verdict.gap is Gap.UNIT or amount < owed
            else Amount(first=first, second=second)
        )
    return (
        Contradicted(kind=Kind.AMOUNT, first=first, second=second)
        if is_ours and amount < owed
        else verdict
    )


def money_of(statement: Statement) -> Money:
    """The amount of a statement. Raises `TypeError` where it has none."""
    if not isinstance(statement.value, Money):
        raise TypeError(f"{statement.source} tells no amount: {statement.value!r}")
    return statement.value


def _amount_or_contradicted(
    first: Statement, second: Statement, gap: Gap | None
) -> Amount | Contradicted:
    if gap is None:
        return Amount(first=first, second=second)
    return Contradicted(kind=Kind.AMOUNT, first=first, second=second, gap=gap)


def _gap(first: Money, second: Money) -> Gap | None:
    low = min(first, second).minor
    high = max(first, second).minor
    if 0 < UNIT_FROM * low <= high <= UNIT_TO * low:
        return Gap.UNIT
    return Gap.FAR if low <= 0 or high > FAR * low else None
