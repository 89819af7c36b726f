"""Who may say yes to a plan, and what an answer in the UI is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.ledger.records import approval_of
from connectors.settings import SourcingSettings
from domain.holds import Pause
from domain.marketplace import Marketplace
from domain.matching import Match
from domain.money import Money
from domain.offers import Candidate, Quote
from domain.plan import PlannedOrder
from domain.wording import BadChoice, Choice, chosen, references_in
from flows.approval import request
from flows.approval.request import (
    ApprovalRequest,
    Decision,
    above_limit,
    approver,
    decide,
)
from flows.approval.words import AskedPlan, plan_markdown, question_words
from flows.batch.plan_sources import summary_of
from flows.prefect_ui.markdown import table_row
from tests.flows.plans import planned, request_for

PLANS = [planned("A-1"), planned("A-2", fen=2500)]
REFS = ["A-1", "A-2"]
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def decision(
    *,
    yes: bool,
    to_ship: list[PlannedOrder] | None = None,
    asked_before: set[str] | None = None,
    **settings: Any,
) -> Decision:
    question = request_for(
        batch_id="b",
        to_buy=PLANS,
        to_ship=to_ship or [],
        asked_before=asked_before or set(),
    )
    return decide(question, SourcingSettings(**settings), yes=yes)


def test_a_yes_beforehand_approves_everything_up_to_the_limit() -> None:
    """35.00 CNY against a limit of exactly that, and against none."""
    for limit in ("", "35"):
        output = decision(yes=True, approval_limit_cny=limit)
        assert (output.approved, output.by) == (
            ["A-1", "A-2"],
            "a yes given beforehand",
        )


def test_beyond_the_limit_a_yes_beforehand_buys_nothing_new() -> None:
    """With nobody to ask it is held, limit and remedy named; what was bought earlier
    may still be shipped.
    """
    output = decision(yes=True, approval_limit_cny="34.99", to_ship=[planned("B-1")])
    assert (output.approved, output.stops) == (["B-1"], False)
    assert str(output.why_not) == (
        "not approved: its goods and postage of 35.00 CNY are above the approval limit of 34.99 CNY "
        "(SOURCING_APPROVAL_LIMIT_CNY). Run it without --yes at a terminal, or from the Prefect UI, to be asked; or "
        "raise SOURCING_APPROVAL_LIMIT_CNY"
    )
    assert not (decision(yes=True, approval_limit_cny="34.99")).stops


def test_the_approval_limit_counts_the_most_that_may_be_paid() -> None:
    """35.00 CNY with a tolerance of ten percent, as the budgets count them."""
    within = decision(
        yes=True, approval_limit_cny="38.50", price_tolerance_percent="10"
    )
    assert within.approved == ["A-1", "A-2"]
    output = decision(
        yes=True, approval_limit_cny="38.49", price_tolerance_percent="10"
    )
    assert output.approved == []
    assert (
        "its goods and postage, with the price tolerance, of 38.50 CNY are above"
        in str(output.why_not)
    )


@pytest.mark.parametrize("answer", [True, False])
def test_beyond_the_limit_a_person_at_the_terminal_decides(
    answer: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even with a yes beforehand."""
    monkeypatch.setattr("getpass.getuser", lambda: "mei")
    token = approver.set(lambda _question: answer)
    try:
        output = decision(yes=True, approval_limit_cny="0.01")
    finally:
        approver.reset(token)
    assert (list(output.approved), output.by, output.stops) == (
        ["A-1", "A-2"] if answer else [],
        "mei",
        not answer,
    )
    assert str(output.why_not) == "not approved by mei"


def test_without_a_yes_and_without_anybody_nothing_is_approved() -> None:
    """And orders begun earlier are left alone as well."""
    assert approver.get() is None
    output = decision(yes=False)
    assert (output.approved, output.stops, str(output.why_not)) == (
        [],
        True,
        "not approved: the run had no way to ask",
    )


@pytest.mark.parametrize(("yes", "limit"), [(False, ""), (True, "0.01")])
def test_a_deployments_run_waits_for_no_answer(
    monkeypatch: pytest.MonkeyPatch,
    yes: bool,  # noqa: FBT001
    limit: str,
) -> None:
    """It approves nothing, and what was approved earlier goes on."""
    monkeypatch.setattr(request, "is_deployed", lambda: True)
    output = decision(yes=yes, approval_limit_cny=limit)
    assert (output.approved, output.stops, output.waits, str(output.why_not)) == (
        [],
        False,
        True,
        "waits for your yes",
    )


def test_a_yes_beforehand_does_not_cover_what_a_person_is_asked_about() -> None:
    output = decision(yes=True, asked_before={"A-1"})
    assert (output.approved, output.by, output.waits) == (
        ["A-2"],
        "a yes given beforehand",
        True,
    )


@pytest.mark.parametrize(
    ("choice", "named", "approved"),
    [
        (Choice.ALL, "", REFS),
        (Choice.ALL_BUT, "A-1", ["A-2"]),
        (Choice.ONLY, " A-2\n", ["A-2"]),
        (Choice.NONE, "A-1", []),
        (Choice.ALL, "A-1", "take the names out"),
        (Choice.ONLY, " ,", "no order named"),
        (Choice.ALL_BUT, "", "no order named"),
        (Choice.ONLY, "B-7", "this plan has no order B-7"),
        (Choice.ONLY, "A-2 A-2", "more than once"),
    ],
)
def test_an_answer_approves_what_it_names(
    choice: Choice, named: str, approved: list[str] | str
) -> None:
    """What leaves that open is refused with words."""
    if isinstance(approved, list):
        assert chosen(choice, references_in(named), REFS) == approved
    else:
        with pytest.raises(BadChoice, match=approved):
            chosen(choice, references_in(named), REFS)


def asked_plan(
    to_buy: list[PlannedOrder], to_ship: list[PlannedOrder] | None = None
) -> AskedPlan:
    return AskedPlan(request_for(batch_id="b-1", to_buy=to_buy, to_ship=to_ship or []))


def test_the_dearest_stand_first_and_of_many_two_hundred_are_shown() -> None:
    """What is bought already comes last; how dear the rest can be is said."""
    plan = asked_plan(
        [planned(f"A-{n}", fen=1000 + n) for n in range(1_500)],
        [planned("B-1", fen=9_999)],
    )
    assert [dear_plan.order_ref for dear_plan in plan.dearest[:2]] == [
        "A-1499",
        "A-1498",
    ]
    assert (plan.count, len(plan.dearest), plan.beyond(1_501)) == (1_501, 200, "")
    assert (
        plan.beyond(100) == "And 1,401 orders more, none of them dearer than 24.00 CNY."
    )
    few = asked_plan(
        [PLANS[0]], [planned("B-1", fen=9_999), planned("B-2", freight_cents=700)]
    )
    assert [plan.order_ref for plan in few.dearest] == ["A-1", "B-2", "B-1"]


def test_the_goods_of_an_order_that_is_not_paid_yet_stand_in_the_question() -> None:
    """Its approval was withdrawn: a yes pays them, so they are in the sum, and count
    for the approval limit.
    """
    unpaid = replace(planned("B-1", fen=600_000), withdrawn_at=NOW, is_unpaid=True)
    compensated = replace(
        planned("B-2", fen=700),
        withdrawn_at=NOW,
        came_back=Money(400),
        taken=Money(1200),
    )
    question = request_for(batch_id="b-1", to_buy=PLANS, to_ship=[unpaid, compensated])
    message = " ".join(
        question_words(question, plan := AskedPlan(question), SourcingSettings(), NOW)
    )
    assert (
        "Buy **3 orders** for **6,035.00 CNY** and ship **4 orders** for freight of **20.00 USD**"
        in message
    )
    assert [
        (row["order"], row["goods and postage"]) for row in map(table_row, plan.dearest)
    ] == [
        ("B-1", "6,000.00 CNY, ordered and not paid"),
        ("A-2", "25.00 CNY"),
        ("A-1", "10.00 CNY"),
        (
            "B-2",
            "ordered already for 7.00 CNY, 4.00 CNY came back; 12.00 CNY were taken: a yes accepts that",
        ),
    ]
    assert message.endswith(
        "**More was taken than was approved: B-2 (12.00 CNY).** A yes to it accepts that."
    )
    assert above_limit(
        question, SourcingSettings(approval_limit_cny="6034")
    ).startswith("its goods and postage of 6,035.00")


def described(question: ApprovalRequest, **settings: Any) -> list[str]:
    plan = AskedPlan(question)
    text = question_words(question, plan, SourcingSettings(**settings), NOW)
    return plan_markdown(question, plan, text).splitlines()


def test_a_question_while_buying_is_paused_says_when_what_is_approved_is_bought() -> (
    None
):
    """Who answers may do so meanwhile, and must know that nothing follows at once."""
    pause = Pause(by="mei", at=NOW, why="prices [x](y)")
    (message,) = [
        line
        for line in described(
            request_for(batch_id="b", to_buy=PLANS, to_ship=[], paused=pause)
        )
        if "paused" in line
    ]
    assert message.startswith(
        f"**Buying is paused since {NOW:%Y-%m-%d %H:%M} UTC by mei: prices ［x"
    )
    assert message.endswith(".** What is approved now is bought once it is resumed.")


def test_the_question_names_plan_costs_and_reason() -> None:
    """Cells with a bar don't break the table; what was ordered already has its price;
    titles are links.
    """
    lines = (
        replace(
            PLANS[0].lines[0],
            item_id="672991141190",
            title="Cup [x](http：//evil) " + "y" * 100,
        ),
    ) * 5
    long = replace(PLANS[0], lines=lines)
    question = request_for(
        batch_id="b-1",
        to_buy=[long, PLANS[1]],
        to_ship=[planned("B-1")],
    )
    title = "Cup ［x］(http：//evil) " + "y" * 56 + "..."
    price = "5.00 CNY each (no limit)"
    linked = f"2 × [{title}](https://item.taobao.com/item.htm?id=672991141190), {price}"
    assert described(question) == [
        "Buy **2 orders** for **35.00 CNY** and ship **3 orders** for freight of **15.00 USD**.",
        "",
        "Goods **35.00 CNY**, postage **0.00 CNY**, freight **15.00 USD**; no sum in CNY, since there is no rate from "
        "USD to CNY; add one of 2026-01-02 or of the 7 days before it to SOURCING_RATES. "
        "**2 of 2 lines have no price limit.**",
        "",
        "Why this is asked: it was not approved beforehand.",
        "",
        "| order | what | goods and postage | freight |",
        "|---|---|--:|--:|",
        f"| A-2 | 2 × Cup ｜ blue, {price}<br>from seller to US | 25.00 CNY | 5.00 USD |",
        f"| A-1 | {linked}<br>{linked}<br>{linked}<br>and 2 lines more<br>from seller to US | 10.00 CNY | 5.00 USD |",
        f"| B-1 | 2 × Cup ｜ blue, {price}<br>from seller to US | ordered already for 10.00 CNY | 5.00 USD |",
    ]


def test_goods_postage_and_freight_have_a_sum_in_the_currency_of_the_books(
    tmp_path: Path,
) -> None:
    """With each rate, its day and its source; a rate that is too old makes none."""
    rates = tmp_path / "rates.csv"
    rates.write_text(
        "from,to,rate,date,source\nCNY,EUR,0.1280,2026-01-01,ECB\nUSD,EUR,0.92,2025-12-26,my [bank]\n"
    )
    quote = Quote(
        goods=Money(2000), postage=Money(500), total=Money(2600), lines=(), problems=()
    )
    question = request_for(
        batch_id="b", to_buy=[replace(PLANS[0], quote=quote)], to_ship=[]
    )
    present = {"rates": str(rates), "currency": "EUR"}
    costs = "Goods **20.00 CNY**, postage **5.00 CNY**, fees **1.00 CNY**, freight **5.00 USD**"
    deed, _, message, *_ = described(question, **present)
    assert deed.startswith(
        "Buy **1 order** for **26.00 CNY** and ship **1 order** for freight of **5.00 USD**: **7.93 EUR** in all."
    )
    assert message.startswith(
        f"{costs}, at 0.128 EUR for 1 CNY (2026-01-01, ECB) "
        "and 0.92 EUR for 1 USD (2025-12-26, my ［bank］). **1 of 1 line"
    )
    rates.write_text(
        "from,to,rate,date,source\nCNY,EUR,0.1280,2026-01-01,ECB\nUSD,EUR,0.92,2025-12-25,ECB\n"
    )
    assert (
        "; no sum in EUR, since the newest rate from USD to EUR for 2026-01-02 is 8 days older"
        in described(question, **present)[2]
    )
    rates.write_text("from,to,rate\n")
    assert (
        f"; no sum in EUR, since SOURCING_RATES, {rates}: nothing of it is used"
        in described(question, **present)[2]
    )


def test_the_question_tells_what_words_mean() -> None:
    """Of thousands the first."""
    match = Match(
        marketplace=Marketplace.TAOBAO,
        words="可折叠 [碗]",
        candidates=(
            Candidate(
                item_id="672991141190",
                title="碗 <b>",
                price=Money(150),
                seller_name="shop",
            ),
            Candidate(item_id="672991141191", title="bowl", price=Money(160)),
        ),
        item_id="672991141190",
        note="the first title",
    )
    many = [replace(planned(f"A-{n}"), matches=(match,)) for n in range(30)]
    output = described(request_for(batch_id="b", to_buy=many, to_ship=[]))
    page = "https://item.taobao.com/item.htm?id=67299114119"
    at = output.index("**Found by words: 30 lines.**")
    assert output[at + 2] == (
        f"- **A-0**: 可折叠 ［碗］ → [碗 ＜b＞]({page}0), from 1.50 CNY, shop: the first title. "
        f"Others: [672991141191]({page}1). To pin it: item=672991141190"
    )
    assert output[at + 22] == "- and 10 more"


def test_a_plan_of_thousands_is_shown_in_part() -> None:
    many = [planned(f"A-{n:04d}") for n in range(5_000)]
    lines = described(request_for(batch_id="b", to_buy=many, to_ship=[]))
    assert lines[-1] == "And 4,800 orders more, none of them dearer than 10.00 CNY."


def test_the_audit_trail_names_who_when_and_what() -> None:
    """Amount and plan stand in the order's own history."""
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    plan = replace(summary_of(PLANS[0]), plan_hash="0123456789abcdef")
    approving = approval_of(plan, "Mei Chen", at)
    assert (
        str(approving.why)
        == "approved by Mei Chen at 2026-01-02 03:04:05 UTC: 10.00 CNY, plan 0123456789ab"
    )
    assert (approving.total, approving.freight) == (Money(1000), Money(500, "USD"))
