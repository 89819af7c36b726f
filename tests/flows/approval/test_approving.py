"""Who may say yes to a plan, and what an answer in the UI is worth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.utilities.schema_tools import ValidationError as SchemaError
from prefect.utilities.schema_tools import validate

from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.holds import Pause
from domain.marketplace import Marketplace
from domain.matching import Match
from domain.money import Money
from domain.offers import Candidate, Quote
from domain.plan import PlannedOrder
from domain.reasons import ReasonCode, because
from domain.report import ReportLine
from domain.request_remarks import Remark
from domain.states import OrderState
from domain.wording import ALL, ALL_BUT, NONE, SOME
from flows.approval import form
from flows.approval.form import approver, decide, decision_of, form_for, no_approver
from flows.approval.request import ApprovalRequest, Decision, above_limit, why_asked
from flows.approval.words import (
    AskedPlan,
    deadline_words,
    description_of,
    question_words,
    within_words,
)
from flows.batch.plan_sources import summary_of
from tests.flows.plans import planned, request_for
from tests.verdicts import in_these_words

PLANS = [planned("A-1"), planned("A-2", fen=2500)]
REFS = ["A-1", "A-2"]
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: NOW, owner="test"
    ) as ledger:
        yield ledger


async def decision(
    book: Ledger,
    *,
    yes: bool,
    to_ship: list[PlannedOrder] | None = None,
    **settings: Any,
) -> Decision:
    question = request_for(batch_id="b", to_buy=PLANS, to_ship=to_ship or [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(form, "utc_now", lambda: NOW)
        return await decide(question, SourcingSettings(**settings), book, yes=yes)


async def test_a_yes_beforehand_approves_everything_up_to_the_limit(
    book: Ledger,
) -> None:
    """35.00 CNY against a limit of exactly that, and against none."""
    for limit in ("", "35"):
        said = await decision(book, yes=True, approval_limit_cny=limit)
        assert (said.approved, said.by) == (["A-1", "A-2"], "a yes given beforehand")


async def test_beyond_the_limit_a_yes_beforehand_buys_nothing_new(book: Ledger) -> None:
    """With nobody to ask it is held, limit and remedy named; what was bought earlier
    may still be shipped.
    """
    said = await decision(
        book, yes=True, approval_limit_cny="34.99", to_ship=[planned("B-1")]
    )
    assert (said.approved, said.stops) == (["B-1"], False)
    assert str(said.not_bought) == (
        "not approved: its goods and postage of 35.00 CNY are above the approval limit of 34.99 CNY "
        "(SOURCING_APPROVAL_LIMIT_CNY). Run it without --yes at a terminal, or from the Prefect UI, to be asked; or "
        "raise SOURCING_APPROVAL_LIMIT_CNY"
    )
    assert not (await decision(book, yes=True, approval_limit_cny="34.99")).stops


async def test_the_approval_limit_counts_the_most_that_may_be_paid(
    book: Ledger,
) -> None:
    """35.00 CNY with a tolerance of ten percent, as the budgets count them."""
    within = await decision(
        book, yes=True, approval_limit_cny="38.50", price_tolerance_percent="10"
    )
    assert within.approved == ["A-1", "A-2"]
    said = await decision(
        book, yes=True, approval_limit_cny="38.49", price_tolerance_percent="10"
    )
    assert said.approved == []
    assert (
        "its goods and postage, with the price tolerance, of 38.50 CNY are above"
        in str(said.not_bought)
    )


def test_why_somebody_is_asked_names_the_limit() -> None:
    """Also where the yes beforehand did not suffice."""
    settings = SourcingSettings(approval_limit_cny="100")
    within = "within the approval limit of 100.00 CNY (SOURCING_APPROVAL_LIMIT_CNY)"
    assert why_asked("", settings, yes=False) == (
        f"the run was not approved beforehand. As to the plan, its goods and postage are {within}."
    )
    assert (
        why_asked("", SourcingSettings(), yes=False)
        == "the run was not approved beforehand."
    )
    above = "its goods and postage of 100.01 CNY are above the approval limit of 100.00 CNY (SOURCING_APPROVAL_LIMIT_CNY)"
    assert (
        why_asked(above, settings, yes=True)
        == f"the run was approved beforehand, but {above}."
    )


@pytest.mark.parametrize("answer", [True, False])
async def test_beyond_the_limit_a_person_at_the_terminal_decides(
    answer: bool,  # noqa: FBT001
    book: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even with a yes beforehand."""
    monkeypatch.setattr("getpass.getuser", lambda: "mei")
    token = approver.set(lambda _question: answer)
    try:
        said = await decision(book, yes=True, approval_limit_cny="0.01")
    finally:
        approver.reset(token)
    assert (list(said.approved), said.by, said.stops) == (
        ["A-1", "A-2"] if answer else [],
        "mei",
        not answer,
    )
    assert str(said.not_bought) == "not approved by mei"


async def test_a_yes_beforehand_approves_nothing_that_nobody_answered_about_before(
    book: Ledger,
) -> None:
    """Within the limit too: a person is asked, and reads why."""
    why = list[str]()
    question = replace(
        request_for(batch_id="b", to_buy=PLANS, to_ship=[]), is_repeated=True
    )

    def person(asked: ApprovalRequest) -> bool:
        why.append(asked.why)
        return False

    token = approver.set(person)
    try:
        said = await decide(question, SourcingSettings(), book, yes=True)
    finally:
        approver.reset(token)
    assert (said.approved, why) == (
        [],
        [
            "the run was approved beforehand, but no answer came when some of it was asked about before."
        ],
    )


async def test_without_a_yes_and_without_anybody_nothing_is_approved(
    book: Ledger,
) -> None:
    """And orders begun earlier are left alone as well."""
    assert approver.get() is no_approver
    said = await decision(book, yes=False)
    assert (said.approved, said.stops, str(said.not_bought)) == (
        [],
        True,
        "not approved: the run had no way to ask",
    )


def filled_in(choice: str, orders: list[str] | str = "", note: str = "") -> Decision:
    return decision_of(
        {
            "decision": choice,
            "orders": orders,
            "approved_by": " Mei  Chen",
            "note": note,
        },
        REFS,
    )


def test_an_answer_approves_what_it_names() -> None:
    """Chosen from a list, or named in a text; the others hear who said so."""
    assert filled_in(ALL).approved == REFS
    assert (
        filled_in(SOME, ["A-2"]).approved
        == filled_in(ALL_BUT, "A-1").approved
        == ["A-2"]
    )
    assert filled_in(NONE, ["A-1"]).stops
    said = filled_in(SOME, "A-2", note=" next\nweek ")
    assert (said.by, str(said.not_bought)) == (
        "Mei Chen",
        "not approved by Mei Chen: next week",
    )
    assert str(said.not_shipped) == "freight not approved by Mei Chen: next week"


def test_silence_is_told_as_such() -> None:
    """Nobody said no."""
    silence = because(ReasonCode.NOBODY_ANSWERED, within="24 hours")
    said = Decision(approved=[], by="nobody", why_not=silence)
    assert said.stops
    assert str(said.not_bought) == "not bought, no answer within 24 hours"
    assert str(said.not_shipped) == "freight not approved, no answer within 24 hours"


@pytest.mark.parametrize(
    ("answer", "is_accepted"),
    [
        ({"decision": ALL, "approved_by": "Mei"}, True),
        ({"decision": ALL_BUT, "orders": ["A-1"], "approved_by": "Mei"}, True),
        ({"decision": SOME, "orders": ["A-2", "A-2"], "approved_by": "Mei"}, False),
        (
            {
                "decision": SOME,
                "orders": ["A-2"],
                "approved_by": "Mei",
                "note": "later",
            },
            True,
        ),
        ({"decision": SOME, "orders": ["B-7"], "approved_by": "Mei"}, False),
        ({"decision": ALL, "approved_by": "  "}, False),
        ({"decision": ALL}, False),
        ({"decision": "yes", "approved_by": "Mei"}, False),
        ({"decision": ALL, "approved_by": "Mei", "plan": "of yesterday"}, False),
        ({}, False),
    ],
)
def test_the_server_takes_only_answers_to_this_plan(
    answer: dict[str, Any],
    is_accepted: bool,  # noqa: FBT001
) -> None:
    """A decision, a name, orders of the plan, and the plan's own hash."""
    shown = asked_plan(PLANS).plan_hash
    schema = form_for(REFS, shown, "").model_json_schema()
    try:
        validate({"plan": shown, **answer}, schema, raise_on_error=True)
    except SchemaError:
        assert not is_accepted
    else:
        assert is_accepted


def asked_plan(
    to_buy: list[PlannedOrder], to_ship: list[PlannedOrder] | None = None
) -> AskedPlan:
    return AskedPlan.of(
        request_for(batch_id="b-1", to_buy=to_buy, to_ship=to_ship or [])
    )


def test_another_price_makes_another_plan() -> None:
    """The hash covers goods, freight and which orders there are, whatever the order in
    which they are read.
    """
    dearer = [PLANS[0], planned("A-2", fen=2501)]
    freight = [PLANS[0], planned("A-2", fen=2500, freight_cents=501)]
    hashes = {
        asked_plan(plans).plan_hash for plans in (PLANS, dearer, freight, PLANS[:1])
    }
    assert len(hashes) == 4
    assert asked_plan(PLANS[::-1]).plan_hash in hashes
    assert (
        asked_plan(
            [replace(plan, why=in_these_words("other words")) for plan in PLANS]
        ).plan_hash
        in hashes
    )


def test_the_dearest_stand_first_and_of_many_the_table_has_a_thousand() -> None:
    """What is bought already comes last; how dear the rest can be is said."""
    plan = asked_plan(
        [planned(f"A-{n}", fen=1000 + n) for n in range(1_500)],
        [planned("B-1", fen=9_999)],
    )
    assert [one.plan.order_ref for one in plan.dearest[:2]] == ["A-1499", "A-1498"]
    assert (len(plan.refs), len(plan.rows), plan.beyond(1_501)) == (1_501, 1_000, "")
    assert (
        plan.beyond(100) == "And 1,401 orders more, none of them dearer than 24.00 CNY."
    )
    few = asked_plan(
        [PLANS[0]], [planned("B-1", fen=9_999), planned("B-2", freight_cents=700)]
    )
    assert [one.plan.order_ref for one in few.dearest] == ["A-1", "B-2", "B-1"]


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
    words = " ".join(
        question_words(
            question, plan := AskedPlan.of(question), SourcingSettings(), NOW
        )
    )
    assert (
        "Buy **3 orders** for **6,035.00 CNY** and ship **4 orders** for freight of **20.00 USD**"
        in words
    )
    assert [(row["order"], row["goods and postage"]) for row in plan.rows] == [
        ("B-1", "6,000.00 CNY, ordered and not paid"),
        ("A-2", "25.00 CNY"),
        ("A-1", "10.00 CNY"),
        (
            "B-2",
            "ordered already for 7.00 CNY, 4.00 CNY came back; 12.00 CNY were taken: a yes accepts that",
        ),
    ]
    assert words.endswith(
        "**More was taken than was approved: B-2 (12.00 CNY).** A yes to it accepts that."
    )
    assert above_limit(
        question, SourcingSettings(approval_limit_cny="6034")
    ).startswith("its goods and postage of 6,035.00")


def described(question: ApprovalRequest, fault: str = "", **settings: Any) -> list[str]:
    plan = AskedPlan.of(question)
    words = question_words(question, plan, SourcingSettings(**settings), NOW)
    return description_of(
        question, plan, words, "2026-01-03 03:04 UTC", fault
    ).splitlines()


def test_a_question_while_buying_is_paused_says_when_what_is_approved_is_bought() -> (
    None
):
    """Who answers may do so meanwhile, and must know that nothing follows at once."""
    pause = Pause(by="mei", at=NOW, why="prices [x](y)")
    (said,) = [
        line
        for line in described(
            request_for(batch_id="b", to_buy=PLANS, to_ship=[], paused=pause)
        )
        if "paused" in line
    ]
    assert said.startswith(
        f"**Buying is paused since {NOW:%Y-%m-%d %H:%M} UTC by mei: prices ［x"
    )
    assert said.endswith(".** What is approved now is bought as soon as it is resumed.")


def test_the_question_names_plan_costs_reason_and_deadline() -> None:
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
        why="the run was not approved beforehand.",
    )
    title = "Cup ［x］(http：//evil) " + "y" * 56 + "..."
    price = "5.00 CNY each (no limit)"
    linked = f"2 × [{title}](https://item.taobao.com/item.htm?id=672991141190), {price}"
    assert described(question) == [
        "Buy **2 orders** for **35.00 CNY** and ship **3 orders** for freight of **15.00 USD**. "
        "**Answer by 2026-01-03 03:04 UTC**; without an answer nothing of this is bought. Batch b-1.",
        "",
        "Goods **35.00 CNY**, postage **0.00 CNY**, freight **15.00 USD**; no sum in CNY, since there is no rate from "
        "USD to CNY; add one of 2026-01-02 or of the 7 days before it to SOURCING_RATES. "
        "**2 of 2 lines have no price limit.**",
        "",
        "Why this is asked: the run was not approved beforehand.",
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
    there = {"rates": str(rates), "currency": "EUR"}
    costs = "Goods **20.00 CNY**, postage **5.00 CNY**, fees **1.00 CNY**, freight **5.00 USD**"
    deed, _, told, *_ = described(question, **there)
    assert deed.startswith(
        "Buy **1 order** for **26.00 CNY** and ship **1 order** for freight of **5.00 USD**: **7.93 EUR** in all. "
        "**Answer by 2026-01-03 03:04 UTC**"
    )
    assert told.startswith(
        f"{costs}, at 0.128 EUR for 1 CNY (2026-01-01, ECB) "
        "and 0.92 EUR for 1 USD (2025-12-26, my ［bank］). **1 of 1 line"
    )
    rates.write_text(
        "from,to,rate,date,source\nCNY,EUR,0.1280,2026-01-01,ECB\nUSD,EUR,0.92,2025-12-25,ECB\n"
    )
    assert (
        "; no sum in EUR, since the newest rate from USD to EUR for 2026-01-02 is 8 days older"
        in described(question, **there)[2]
    )
    rates.write_text("from,to,rate\n")
    assert (
        f"; no sum in EUR, since SOURCING_RATES, {rates}: nothing of it is used"
        in described(question, **there)[2]
    )


def test_the_question_tells_what_words_mean_and_which_orders_are_not_asked_about() -> (
    None
):
    """Of thousands the first; those that wait beside it a line a reason."""
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
        why="the first title",
    )
    many = [replace(planned(f"A-{n}"), matches=(match,)) for n in range(30)]
    held = [
        ReportLine(
            order_ref=f"H-{n}",
            marketplace="taobao",
            state=OrderState.HELD,
            reason="dear",
        )
        for n in range(3)
    ]
    said = described(
        request_for(batch_id="b", to_buy=many, to_ship=[], beside=lambda: held)
    )
    page = "https://item.taobao.com/item.htm?id=67299114119"
    at = said.index("**Found by words: 30 lines.**")
    assert said[at + 2] == (
        f"- **A-0**: 可折叠 ［碗］ → [碗 ＜b＞]({page}0), from 1.50 CNY, shop: the first title. "
        f"Others: [672991141191]({page}1). To pin it: item=672991141190"
    )
    assert said[at + 22] == "- and 10 more"
    assert said[-3:] == ["**Not asked about:**", "", "- held: **H-0, H-1, H-2**: dear"]
    assert said[0].endswith(" Batch b. Held or refused beside these: 3 orders.")


def test_an_answer_that_was_not_taken_says_why_above_the_plan() -> None:
    """And that nothing is lost."""
    question = request_for(batch_id="b", to_buy=PLANS, to_ship=[])
    assert described(question, "this plan has no order <X>")[2] == (
        "**That answer was not taken: this plan has no order ＜X＞.** Nothing of it is lost: correct it below."
    )


def test_a_plan_of_thousands_has_a_small_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """No list of choices; what is too long for the window is named. A list of a hundred
    is as small.
    """
    monkeypatch.setenv("PREFECT_UI_URL", "http://ui")
    many = [planned(f"long-order-reference-{n:040d}") for n in range(5_000)]
    question = request_for(batch_id="b", to_buy=many, to_ship=[])
    assert described(question)[-1].endswith(
        "And 4,900 orders more, none of them dearer than 10.00 CNY. The dearest 1,000 are in "
        "[artifact plan-b](http://ui/v2/artifacts/key/plan-b)."
    )
    for choices in ([], [plan.order_ref for plan in many[:100]]):
        form = form_for(choices, "hash", "")
        assert len(json.dumps(form.model_json_schema())) < 20_000


@pytest.mark.parametrize(
    ("timezone", "words"),
    [
        ("UTC", "2026-01-02 23:04 UTC"),
        ("Europe/Berlin", "2026-01-03 00:04 Europe/Berlin (2026-01-02 23:04 UTC)"),
        ("Africa/Lagos", "2026-01-03 00:04 Africa/Lagos (2026-01-02 23:04 UTC)"),
        ("Atlantic/Azores", "2026-01-02 22:04 Atlantic/Azores (23:04 UTC)"),
    ],
)
def test_the_deadline_is_told_in_the_merchants_time_and_in_utc(
    timezone: str, words: str
) -> None:
    assert deadline_words(datetime(2026, 1, 2, 23, 4, tzinfo=UTC), timezone) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(86_400, "24 hours"), (3600, "1 hour"), (5400, "1.5 hours"), (1, "1 second")],
)
def test_how_long_was_waited(seconds: int, words: str) -> None:
    assert within_words(seconds) == words


def test_the_audit_trail_names_who_when_and_what() -> None:
    """Amount and plan stand in the order's own history."""
    said = Decision(approved=["A-1"], by="Mei Chen")
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    approving = said.approval_of(
        replace(summary_of(PLANS[0]), plan_hash="0123456789abcdef"), at
    )
    assert (
        str(approving.why)
        == "approved by Mei Chen at 2026-01-02 03:04:05 UTC: 10.00 CNY, plan 0123456789ab"
    )
    assert (approving.total, approving.freight) == (Money(1000), Money(500, "USD"))


def test_what_was_said_of_the_file_stands_above_the_plan() -> None:
    """Before anything is bought: rows that were hidden, cells that were cleaned."""
    warnings = [
        Remark(3, "", "hidden in the spreadsheet"),
        Remark(5, "", "hidden in the spreadsheet"),
    ]
    question = request_for(batch_id="b-1", to_buy=PLANS, to_ship=[], warnings=warnings)
    assert described(question)[5:11] == [
        "",
        "**About the request file:**",
        "",
        "- rows 3, 5: hidden in the spreadsheet",
        "",
        "| order | what | goods and postage | freight |",
    ]
