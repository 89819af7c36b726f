"""Who may say yes to a plan, and what an answer in the UI is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import HTTPStatusError, Request, Response
from prefect.utilities.schema_tools import ValidationError as SchemaError
from prefect.utilities.schema_tools import validate

from connectors.settings import SourcingSettings
from domain.money import Money
from domain.plan import PlannedOrder
from domain.request_remarks import Remark
from flows import approval_form
from flows.approval import Decision, approver, decide, nobody
from flows.approval_form import ALL, NONE, SOME, Answer, ask_in_the_ui, description_of, form_for, hash_of
from flows.approval_request import ApprovalRequest
from flows.kept_plans import summary_of
from flows.shown.plan_table import summary
from tests.flows.plans import planned

PLANS = [planned("A-1"), planned("A-2", fen=2500)]
REFS = ["A-1", "A-2"]


class Kept:
    """What Prefect's server keeps with a run: when it first asked."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def __aenter__(self) -> Kept:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def read_flow_run_input(self, _run_id: UUID, key: str) -> str:
        if key in self.values:
            return self.values[key]
        request = Request("GET", "http://server")
        raise HTTPStatusError("none", request=request, response=Response(404, request=request))

    async def create_flow_run_input(self, _run_id: UUID, key: str, value: str) -> None:
        self.values[key] = value

    async def delete_flow_run_input(self, _run_id: UUID, key: str) -> None:
        del self.values[key]


async def decision(*, yes: bool, limit: str = "", to_ship: list[PlannedOrder] | None = None) -> Decision:
    question = ApprovalRequest(batch_id="b", to_buy=PLANS, to_ship=to_ship or [])
    return await decide(question, SourcingSettings(approval_limit_cny=limit), yes=yes)


async def test_a_yes_beforehand_approves_everything_up_to_the_limit() -> None:
    """35.00 CNY against a limit of exactly that, and against none."""
    for limit in ("", "35"):
        said = await decision(yes=True, limit=limit)
        assert (said.approved, said.by) == (["A-1", "A-2"], "a yes given beforehand")


async def test_beyond_the_limit_a_yes_beforehand_buys_nothing_new() -> None:
    """With nobody to ask it is held, limit and remedy named; what was bought earlier may still be shipped."""
    said = await decision(yes=True, limit="34.99", to_ship=[planned("B-1")])
    assert (said.approved, said.stops) == (["B-1"], False)
    assert said.why_not == (
        ": a plan of 35.00 CNY is above the approval limit of 34.99 CNY. Run it without --yes at a terminal, "
        "or from the Prefect UI, to be asked; or raise SOURCING_APPROVAL_LIMIT_CNY"
    )
    assert not (await decision(yes=True, limit="34.99")).stops


@pytest.mark.parametrize("answer", [True, False])
async def test_beyond_the_limit_a_person_at_the_terminal_decides(
    answer: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even with a yes beforehand."""
    monkeypatch.setattr("getpass.getuser", lambda: "mei")
    token = approver.set(lambda _question: answer)
    try:
        said = await decision(yes=True, limit="0.01")
    finally:
        approver.reset(token)
    assert (list(said.approved), said.by, said.stops) == (["A-1", "A-2"] if answer else [], "mei", not answer)
    assert said.why_not == " by mei"


async def test_without_a_yes_and_without_anybody_nothing_is_approved() -> None:
    """And orders begun earlier are left alone as well."""
    assert approver.get() is nobody
    said = await decision(yes=False)
    assert (said.approved, said.stops, said.why_not) == ([], True, ": nobody could be asked")


def test_an_answer_approves_all_some_or_none() -> None:
    """Choosing orders only counts with the choice to approve some."""
    assert Answer(choice=ALL).approved(REFS) == ["A-1", "A-2"]
    assert Answer(choice=SOME, orders=["A-2"]).approved(REFS) == ["A-2"]
    assert Answer(choice=SOME).approved(REFS) == []
    assert Answer(choice=NONE, orders=["A-1"]).approved(REFS) == []
    assert Answer(choice=SOME, name="Mei Chen", note="next week").why_not == " by Mei Chen: next week"


@pytest.mark.parametrize(
    ("answer", "is_accepted"),
    [
        ({"decision": ALL, "approved_by": "Mei"}, True),
        ({"decision": SOME, "orders": ["A-2"], "approved_by": "Mei", "note": "later"}, True),
        ({"decision": SOME, "orders": ["B-7"], "approved_by": "Mei"}, False),
        ({"decision": ALL, "approved_by": "  "}, False),
        ({"decision": ALL}, False),
        ({"decision": "yes", "approved_by": "Mei"}, False),
        ({"decision": ALL, "approved_by": "Mei", "plan": "of yesterday"}, False),
        ({}, False),
    ],
)
def test_the_server_takes_only_answers_to_this_plan(answer: dict[str, Any], is_accepted: bool) -> None:  # noqa: FBT001
    """A decision, a name, orders of the plan, and the plan's own hash."""
    shown = hash_of(PLANS)
    schema = form_for(REFS, shown, "").model_json_schema()
    try:
        validate({"plan": shown, **answer}, schema, raise_on_error=True)
    except SchemaError:
        assert not is_accepted
    else:
        assert is_accepted


def test_another_price_makes_another_plan() -> None:
    """The hash covers goods, freight and which orders there are."""
    dearer = [PLANS[0], planned("A-2", fen=2501)]
    freight = [PLANS[0], planned("A-2", fen=2500, freight_cents=501)]
    assert len({hash_of(PLANS), hash_of(dearer), hash_of(freight), hash_of(PLANS[:1])}) == 4
    assert hash_of(PLANS) == hash_of([replace(plan, reason="other words") for plan in PLANS])


def test_the_plan_is_shown_as_a_table_with_its_total() -> None:
    """Cells with a bar don't break it; what was bought already costs nothing again."""
    ship = planned("B-1")
    assert (
        summary(PLANS, [ship]) == "Buy **2 orders** for **35.00 CNY**, and freight of **15.00 USD** to ship 3 orders. "
        "**2 of 2 lines have no price limit.**"
    )
    assert description_of(ApprovalRequest(batch_id="b-1", to_buy=PLANS, to_ship=[ship])).splitlines() == [
        "## Batch b-1",
        "",
        "Buy **2 orders** for **35.00 CNY**, and freight of **15.00 USD** to ship 3 orders. "
        "**2 of 2 lines have no price limit.**",
        "",
        "| order | what | goods and postage | freight |",
        "|---|---|--:|--:|",
        "| A-1 | 2 × Cup \\| blue | 10.00 CNY | 5.00 USD |",
        "| A-2 | 2 × Cup \\| blue | 25.00 CNY | 5.00 USD |",
        "| B-1 | 2 × Cup \\| blue | bought already | 5.00 USD |",
    ]


def test_the_audit_trail_names_who_when_and_what() -> None:
    """Amount and plan stand in the order's own history."""
    said = Decision(approved=["A-1"], by="Mei Chen")
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    approval = said.approval_of(replace(summary_of(PLANS[0]), plan_hash="0123456789abcdef"), at)
    assert approval.reason == "approved by Mei Chen at 2026-01-02 03:04:05 UTC: 10.00 CNY, plan 0123456789ab"
    assert (approval.total, approval.freight) == (Money(1000), Money(500, "USD"))


def test_what_was_said_of_the_file_stands_above_the_plan() -> None:
    """Before anything is bought: rows that were hidden, cells that were cleaned."""
    warnings = [Remark(3, "", "hidden in the spreadsheet"), Remark(5, "", "hidden in the spreadsheet")]
    question = ApprovalRequest(batch_id="b-1", to_buy=PLANS, to_ship=[], warnings=warnings)
    assert description_of(question).splitlines()[3:8] == [
        "",
        "**About the request file:**",
        "",
        "- rows 3, 5: hidden in the spreadsheet",
        "",
    ]


async def test_the_deadline_counts_from_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is lost while it asks and asks anew 20 hours later has four of 24 left; then nobody is asked."""
    kept, asked, began = Kept(), list[float](), datetime(2026, 1, 2, tzinfo=UTC)
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", str(uuid4()))
    monkeypatch.setattr(approval_form, "get_client", lambda: kept)

    async def answer(_form: object, _key: str, _hash: str, left_s: float) -> Answer | None:
        asked.append(left_s / 3600)
        if len(asked) < 3:
            raise KeyboardInterrupt  # the process dies here
        return Answer(choice=ALL, name="Mei")

    async def ask(hour: float) -> str:
        monkeypatch.setattr(approval_form, "utc_now", lambda: began + timedelta(hours=hour))
        try:
            said = await ask_in_the_ui(ApprovalRequest(batch_id="b", to_buy=PLANS, to_ship=[]), 24 * 3600)
        except KeyboardInterrupt:
            return "died"
        return said.choice + said.why_not

    monkeypatch.setattr(approval_form, "_answer", answer)
    assert [await ask(0), await ask(20)] == ["died", "died"]
    assert await ask(25) == NONE + " by anybody: no answer within 24 hours"
    assert await ask(26) == ALL + " by Mei"
    assert (asked, kept.values) == ([24, 4, 24], {})
