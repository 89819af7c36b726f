"""What is approved is the very plan that was shown, read back from the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import approved_by
from connectors.ledger.records import BEFOREHAND, Approval, OrderChange
from connectors.ledger.store import Ledger
from domain.decisions import held
from domain.money import Money
from domain.plan import PlannedOrder
from domain.states import OrderState
from domain.wording import ALL, ALL_BUT, NONE, SOME, BadChoice
from flows.approval.form import decision_of
from flows.approval.request import ApprovalRequest, Decision
from flows.approval.words import AskedPlan
from flows.batch.plan_sources import StoredPlans, summary_of
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents
from tests.flows.plans import planned, put_approved
from tests.verdicts import in_these_words

BATCH = "batch"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def approve(resources: Resources, plan: PlannedOrder) -> None:
    summary = summary_of(plan)
    approval = Approval(
        order_ref=plan.order_ref,
        plan_hash=summary.plan_hash,
        total=summary.total,
        freight=summary.freight,
        why=in_these_words("ann"),
    )
    resources.ledger.approve([approval], BATCH)


def test_a_plan_reads_back_as_it_was_made(resources: Resources) -> None:
    plans = [planned("B-2"), planned("B-1", fen=1500)]
    resources.ledger.put_plans(plans, BATCH)
    kept = StoredPlans(resources.ledger, [summary_of(plan) for plan in plans])
    for _ in range(2):  # read anew at each access
        first, second = kept
        assert [first.order_ref, second.order_ref] == ["B-2", "B-1"]
        assert (second.total, first.lines) == (Money(1500), plans[0].lines)


def test_a_yes_is_written_with_what_it_was_said_to(resources: Resources) -> None:
    """Goods and freight, also where the order is held by now: the same plan, and a
    person said yes to it.
    """
    plan = planned("B-1")
    resources.ledger.put_plans(
        [plan.with_verdict(held(in_these_words("not approved")))], BATCH
    )
    approve(resources, plan)
    order = resources.ledger.orders(["B-1"])["B-1"]
    assert (order.state, order.reason, order.plan_hash) == (
        "planned",
        "ann",
        summary_of(plan).plan_hash,
    )
    assert (order.approved, order.freight_approved_minor, order.freight_currency) == (
        Money(1000),
        500,
        "USD",
    )


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_what_was_approved_beforehand_counts_while_it_costs_something_or_may(
    dialect: str, request: pytest.FixtureRequest, tmp_path: Path, clock: MovableClock
) -> None:
    """Approved and to be ordered, or ordered, although shipping it was declined since;
    not what a person approved.
    """
    server = request.getfixturevalue("postgres") if dialect == "postgresql" else None
    url = server.new_ledger() if server else f"sqlite:///{tmp_path / 'ledger.db'}"
    plans = {
        ref: planned(ref)
        for ref in ("due", "ordered", "declined", "refused", "cancelled", "by-ann")
    }
    with Ledger(url, clock=clock, owner="run") as ledger:
        ledger.start_batch(BATCH, "file.csv")
        ledger.put_plans([*plans.values()], BATCH)
        for ref, plan in plans.items():
            said = Decision(approved=[ref], by="ann" if ref == "by-ann" else BEFOREHAND)
            ledger.approve([said.approval_of(summary_of(plan), NOW)], BATCH)
        declined = OrderUpdate.approval_withdrawn()
        ordered = OrderUpdate.ordered(order_id="77", total=Money(1000), at=NOW)
        ledger.change(
            [
                OrderChange(
                    order_ref="ordered",
                    state=OrderState.ORDERED,
                    writes=ordered | declined,
                ),
                OrderChange(order_ref="declined", writes=declined),
                OrderChange(order_ref="refused", state=OrderState.REFUSED),
                OrderChange(order_ref="cancelled", state=OrderState.CANCELLED),
            ]
        )
        counted = {
            one.order_ref: (one.total, one.freight)
            for one in approved_by(ledger, BATCH, BEFOREHAND)
        }
    assert counted == dict.fromkeys(
        ("due", "ordered"), (Money(1000), Money(500, "USD"))
    )


@pytest.mark.parametrize("batch", [BATCH, "later"])
def test_a_plan_that_was_made_anew_meanwhile_is_neither_shown_nor_approved(
    resources: Resources, batch: str
) -> None:
    """By another run of the batch at another price, or by another batch, whose budget
    it counts for.
    """
    plan = planned("B-1")
    resources.ledger.start_batch(batch, "file.csv")
    resources.ledger.put_plans([plan], BATCH)
    kept = StoredPlans(resources.ledger, [summary_of(plan)])
    resources.ledger.put_plans(
        [planned("B-1", fen=1000 if batch == "later" else 1001)], batch
    )
    approve(resources, plan)
    assert resources.ledger.orders(["B-1"])["B-1"].plan_hash is None
    assert [one.order_ref for one in kept] == (["B-1"] if batch == "later" else [])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_approved_is_what_was_shown_chosen_and_not_changed(
    resources: Resources, data: st.DataObject
) -> None:
    """Whatever other runs plan anew before the plan is shown, and while somebody
    answers.
    """
    batch, ledger = f"batch-{uuid4().hex[:8]}", resources.ledger
    plans = [planned(f"{batch}-{n}") for n in range(data.draw(st.integers(1, 6)))]
    ledger.start_batch(batch, "file.csv")
    ledger.put_plans(plans, batch)
    question = ApprovalRequest(
        batch_id=batch,
        to_buy=StoredPlans(ledger, summaries := [summary_of(plan) for plan in plans]),
        to_ship=(),
        summaries=summaries,
    )

    def planned_anew() -> set[str]:
        refs = data.draw(st.sets(st.sampled_from(question.refs)))
        ledger.put_plans([planned(ref, fen=1001) for ref in sorted(refs)], batch)
        return refs

    earlier = planned_anew()
    shown = AskedPlan.of(question)
    assert {*shown.refs} == {*question.refs} - earlier
    choice = data.draw(st.sampled_from([ALL, ALL_BUT, SOME, NONE]))
    named = (
        []
        if choice == ALL
        else data.draw(st.lists(st.sampled_from(question.refs), unique=True))
    )
    meanwhile = planned_anew()
    try:
        given_ = {
            "decision": choice,
            "orders": "\n".join(named),
            "approved_by": "ann",
            "note": "",
        }
        decision = decision_of(given_, shown.refs)
    except BadChoice:
        decision = Decision(approved=[], by="ann")
    ledger.approve(
        [
            decision.approval_of(one, NOW)
            for one in summaries
            if one.order_ref in decision.approved
        ],
        batch,
    )
    approved = {
        ref
        for ref, order in ledger.orders(question.refs).items()
        if order.plan_hash is not None
    }
    meant = {
        ALL: {*shown.refs},
        ALL_BUT: {*shown.refs} - {*named},
        SOME: {*named},
        NONE: set[str](),
    }[choice]
    assert approved == ({*decision.approved} - meanwhile)
    assert {*decision.approved} in (meant, set())


def test_what_is_begun_is_not_approved_anew(resources: Resources) -> None:
    plan = planned("B-1")
    put_approved(resources.ledger, plan)
    assert resources.ledger.claim(intents("B-1"), lease=resources.lease).won
    approve(resources, plan)
    assert resources.ledger.orders(["B-1"])["B-1"].reason == ""


def test_nothing_is_approved_for_nothing(resources: Resources) -> None:
    """Budgets add amounts up."""
    resources.ledger.put_plans([planned("B-1", fen=0)], BATCH)
    with pytest.raises(ValueError, match=r"nothing can be approved for 0\.00 CNY"):
        approve(resources, planned("B-1", fen=0))
