"""A reason is a code with facts: it reads as a sentence, is kept as data, and of
several the weightier stands.
"""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import Money
from domain.reasons import (
    FACT,
    OPTIONAL,
    Reason,
    ReasonCode,
    because,
    grouped,
    outranking,
    read,
    stored,
)
from domain.report import ReportLine
from domain.states import OrderState
from tests.verdicts import in_these_words

codes = st.sampled_from(
    [code for code in ReasonCode if code is not ReasonCode.OF_ANOTHER_VERSION]
)
facts = st.dictionaries(
    st.sampled_from(
        sorted(
            {name for code in ReasonCode for name in FACT.findall(code.words.sentence)}
        )
    ),
    st.one_of(
        st.text(min_size=1),
        st.integers(min_value=1),
        st.builds(Money, st.integers()),
        st.lists(st.text(min_size=1), min_size=1),
    ),
)
reasons = st.builds(lambda code, inputs: because(code, **inputs), codes, facts)


def kept(reason: Reason | None) -> Reason | None:
    """As it is read from a ledger."""
    columns: dict[str, Any] = json.loads(json.dumps(stored(reason)))
    return read(columns["reason_code"], columns["reason_facts"])


@given(reasons)
def test_a_ledger_gives_back_what_it_was_given(reason: Reason) -> None:
    assert kept(reason) == reason
    assert str(kept(reason)) == str(reason)


@given(reasons)
def test_a_reason_keeps_its_identity(reason: Reason) -> None:
    assert kept(reason).digest == reason.digest  # type: ignore[union-attr]


@pytest.mark.parametrize("code", ReasonCode)
def test_a_sentence_has_two_optional_parts_at_most(code: ReasonCode) -> None:
    assert len(OPTIONAL.findall(code.words.sentence)) <= 2
    assert len(OPTIONAL.findall(code.words.remedy)) <= 2


def test_a_reason_within_a_reason_is_its_words() -> None:
    within = because(ReasonCode.FIRST_ONES_FAILED, why=because(ReasonCode.NOT_SHOWN))
    assert within.facts == {"why": str(because(ReasonCode.NOT_SHOWN))}


@given(reasons)
def test_any_facts_make_a_sentence(reason: Reason) -> None:
    """Also facts of another version: a reason that can't be read would keep a whole
    list from being shown.
    """
    assert str(reason)
    assert isinstance(reason.remedy, str)


def test_of_two_reasons_the_one_of_the_higher_class_stands() -> None:
    """All pairs: whichever comes first, but for two of one class."""
    for first, second in product(
        [
            because(code)
            for code in ReasonCode
            if code is not ReasonCode.OF_ANOTHER_VERSION
        ],
        repeat=2,
    ):
        reason = outranking([first, second])
        assert reason.code.words.kind == max(
            first.code.words.kind, second.code.words.kind
        )
        assert reason is (
            second if second.code.words.kind > first.code.words.kind else first
        )


def test_a_doubt_stands_before_a_pause_and_money_before_a_doubt() -> None:
    pause = because(ReasonCode.BUYING_PAUSED)
    doubt = because(ReasonCode.UNKNOWN_STATE)
    limit = because(ReasonCode.OVER_BUDGET)
    fell = because(ReasonCode.PRICE_FELL)
    reason = because(ReasonCode.TAKEN_ABOVE_APPROVED)
    assert (
        outranking([pause, doubt]),
        outranking([fell, limit]),
        outranking([doubt, reason]),
    ) == (doubt, limit, reason)


def test_a_code_of_a_later_program_is_told_by_its_name() -> None:
    assert str(read("moon_too_full", {"a": 1})) == "moon too full"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (
            because(
                ReasonCode.OVER_DAY_LIMIT,
                costs=Money(110),
                taken=Money(100),
                limit=Money(200),
                tolerated=True,
            ),
            "1.10 CNY with the price tolerance does not fit the day's limit: 1.00 CNY of 2.00 CNY is taken",
        ),
        (
            because(ReasonCode.CLOSED_UNPAID),
            "the order was closed unpaid; order again under a new order_ref",
        ),
        (
            because(ReasonCode.CLOSED_UNPAID, why="out of time {0}"),
            "the order was closed unpaid (out of time {0}); order again under a new order_ref",
        ),
        (
            because(
                ReasonCode.OVER_BUDGET, costs=Money(1), taken=Money(2), limit=Money(2)
            ).but(unpaid=True),
            "ordered, not paid: 0.01 CNY does not fit the budget: 0.02 CNY of 0.02 CNY is taken",
        ),
        (
            because(
                ReasonCode.NO_ANSWER,
                action="pay",
                why="refused (no)",
            ),
            "no answer to pay: refused (no)",
        ),
        (
            because(ReasonCode.LEFT_UNFINISHED, cause="the time was up"),
            "left as it is, since the time was up: run again, or: sourcing finish",
        ),
    ],
)
def test_a_sentence_has_the_parts_whose_facts_are_there(
    reason: Reason, words: str
) -> None:
    assert str(reason) == words


def test_a_remedy_that_is_answered_with_resolve_says_of_which_order_and_with_what() -> (
    None
):
    """A command that fails as it is printed is none."""
    record = {code: f"{code.words.sentence} {code.words.remedy}" for code in ReasonCode}
    assert [
        code for code, text in record.items() if "sourcing resolve --" in text
    ] == []
    assert [
        code
        for code, text in record.items()
        if re.search(r"came-back(?! AMOUNT_CNY)", text)
    ] == []


def line(ref: str, why: Reason) -> ReportLine:
    told = {"reason": str(why), "reason_code": why.code, "remedy": why.remedy}
    return ReportLine(order_ref=ref, marketplace="1688", state=OrderState.HELD, **told)  # type: ignore[arg-type]


def test_orders_of_one_code_are_told_together_with_what_to_do() -> None:
    over = [
        line(str(fen), because(ReasonCode.PRICE_ABOVE_LIMIT, lines=[f"{fen} fen"]))
        for fen in (1, 2)
    ]
    report_lines = [
        line("A", in_these_words("sold out")),
        line("B", in_these_words("sold out")),
        line("C", because(ReasonCode.FORGOTTEN_UNORDERED)),
    ]
    assert [
        (len(report_lines), message)
        for report_lines, message in grouped([*over, *report_lines])
    ] == [
        (2, "price above limit. Raise max_unit_price or drop the line"),
        (2, "sold out"),
        (1, str(because(ReasonCode.FORGOTTEN_UNORDERED))),
    ]
