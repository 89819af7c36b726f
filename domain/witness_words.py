"""Verdicts that are not settled, in words for people: which witness is missing, or which two disagree."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import Reason, ReasonCode, because
from domain.witnessed import Contradicted, Gap, Kind, Lack, Open, Source, Statement
from domain.wording import shorten

APART = {
    Gap.UNIT: "about a hundred times apart, so one of them is in another unit (yuan, fen)",
    Gap.FAR: "more than three times apart",
    Gap.HALF: "less than half",
    None: "they differ",
}
NOT_SHOWN = "nothing shows it"
FLAWS: Mapping[Lack, str] = {
    Lack.EMPTY_PAGE: "the order list was not read to an empty page",
    Lack.WHOLE_LIST: "the order list counts more than it shows, or its pages do not join",
    Lack.READABLE_ROWS: "the order list has rows that can't be read",
}
"""Why a list may not show everything."""
LACKS: Mapping[tuple[Kind, Lack], str] = {
    (Kind.ABSENT, Lack.OLDER_ORDER): (
        f"{NOT_SHOWN}, but nothing shows an older order of ours by its reference either, so that is no proof"
    ),
    (Kind.ABSENT, Lack.YOUNGER_ORDER): f"{NOT_SHOWN}, but nothing shows that the service shows all by now",
    **{(Kind.ABSENT, lack): f"{NOT_SHOWN}, but {words}" for lack, words in FLAWS.items()},
    (Kind.ABSENT, Lack.NAMED_ORDERS): f"{NOT_SHOWN}, but the order list has orders of unknown origin without reference",
    (Kind.ABSENT, Lack.CONFIRMED_ACCOUNT): (
        f"{NOT_SHOWN}, but this ledger knows no older order of ours there, so that is no proof"
    ),
    (Kind.ABSENT, Lack.READ_BACK): "the service does not show what would tell",
    (Kind.PAID, Lack.DEBIT_AT_ONCE): (
        "the order is shown as unpaid, which proves nothing where paying may be a submission (XPORTCN_PAY_IS): look "
        "for a bill 支付扣款 of {known}"
    ),
}
"""The words for a verdict without this witness; what is `known` follows in brackets where it does not stand."""


def words_of(verdict: Open | Contradicted) -> str:
    """Why nothing is settled."""
    if isinstance(verdict, Contradicted):
        both = f"{_statement_words(verdict.first)}, and {_statement_words(verdict.second)}"
        return f"{both}: {APART[verdict.gap]}" if verdict.kind is Kind.AMOUNT else both
    known = shorten([_value(one) for one in verdict.known])
    lacks = LACKS.get((verdict.kind, verdict.lacks), f"no {verdict.lacks.replace('_', ' ')}")
    words = lacks.format(known=known) if "{known}" in lacks or not known else f"{lacks} ({known})"
    return f"{words}; run again after {verdict.again_at:%Y-%m-%d %H:%M} UTC" if verdict.again_at else words


def _statement_words(statement: Statement) -> str:
    """`the order list shows R-1 as 78`, `the order does not show R-1`."""
    value, of = _value(statement), statement.of
    if not value:
        return f"{statement.source} does not show {of}"
    return f"{statement.source} shows {of} as {value}" if of else f"{statement.source} says {value}"


def _value(statement: Statement) -> str:
    value = statement.value
    if isinstance(value, Money):
        return str(value)
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else value


def contradiction(verdict: Contradicted, marketplace: Marketplace) -> Reason:
    """Both readings, how far they are apart, and what to do."""
    both = words_of(verdict)
    if verdict.gap is Gap.UNIT:
        return because(ReasonCode.UNITS_DIFFER, both=both, marketplace=marketplace)
    is_taken = Source.TAKEN in (verdict.first.source, verdict.second.source)
    return because(ReasonCode.TAKEN_DIFFERS if is_taken else ReasonCode.READINGS_DIFFER, both=both)


def unproven(verdict: Open | Contradicted) -> Reason:
    """Why a reading does not prove that an effect is absent."""
    return because(ReasonCode.UNPROVEN, seen=words_of(verdict))


def marketplace_held(marketplace: Marketplace, why: str) -> Reason:
    """Why an order waits whose marketplace is held, for reasons of that very order."""
    return because(ReasonCode.MARKETPLACE_HELD, marketplace=marketplace, why=why)
