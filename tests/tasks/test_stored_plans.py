"""What is approved is the very plan that was shown, read back from the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import approved_by
from connectors.ledger.questions import (
    Answer,
    question_hash,
    take_answer,
    waiting_refs,
)
from connectors.ledger.records import BEFOREHAND, Approval, OrderChange, approval_of
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.decisions import held
from domain.money import Money
from domain.offers import FreightQuote
from domain.plan import PlannedOrder
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from domain.wording import BadChoice, Choice, chosen
from flows.approval.request import not_approved_by
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
    stored_plans = StoredPlans(resources.ledger, [summary_of(plan) for plan in plans])
    for _ in range(2):  # read anew at each access
        first, second = stored_plans
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
            by = "ann" if ref == "by-ann" else BEFOREHAND
            ledger.approve([approval_of(summary_of(plan), by, NOW)], BATCH)
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
            plan_summary.order_ref: (plan_summary.total, plan_summary.freight)
            for plan_summary in approved_by(ledger, BATCH, BEFOREHAND)
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
    stored_plans = StoredPlans(resources.ledger, [summary_of(plan)])
    resources.ledger.put_plans(
        [planned("B-1", fen=1000 if batch == "later" else 1001)], batch
    )
    approve(resources, plan)
    assert resources.ledger.orders(["B-1"])["B-1"].plan_hash is None
    assert [plan.order_ref for plan in stored_plans] == (
        ["B-1"] if batch == "later" else []
    )


WAITS = held(because(ReasonCode.WAITS_FOR_APPROVAL))


def ask(ledger: Ledger, plans: list[PlannedOrder], batch: str) -> None:
    """The plans as a run leaves them that waits for no answer."""
    waiting = [
        replace(
            plan,
            freight=FreightQuote(
                render_id="",
                services=(plan.freight_service,) if plan.freight_service else (),
            ),
        ).with_verdict(WAITS)
        for plan in plans
    ]
    ledger.put_plans(waiting, batch)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_answer_to_an_old_plan_approves_nothing(
    resources: Resources, data: st.DataObject
) -> None:
    """Whatever other runs plan anew while a person answers. An answer to the plan as it
    stands approves what it names, once.
    """
    batch = f"batch-{uuid4().hex[:8]}"
    ledger = resources.ledger
    refs = [f"{batch}-{n}" for n in range(data.draw(st.integers(1, 6)))]
    ledger.start_batch(batch, "file.csv")
    ask(ledger, [planned(ref) for ref in refs], batch)
    listing = question_hash(ledger, batch, SourcingSettings())
    choice = data.draw(st.sampled_from([*Choice]))
    named = (
        []
        if choice is Choice.ALL
        else data.draw(st.lists(st.sampled_from(refs), unique=True))
    )
    try:
        approved = chosen(choice, named, waiting_refs(ledger, batch))
    except BadChoice:
        assert choice not in (Choice.ALL, Choice.NONE)
        assert not named
        return
    meanwhile = data.draw(st.sets(st.sampled_from(refs)))
    fen = data.draw(st.sampled_from([1000, 1001]))
    ask(ledger, [planned(ref, fen=fen) for ref in sorted(meanwhile)], batch)
    is_same = fen == 1000 or not meanwhile
    answer = Answer(approved=approved, by="ann", no=not_approved_by("ann"))
    result = [
        take_answer(ledger, batch, listing, SourcingSettings(), answer)
        for _ in range(2)
    ]
    assert result == [is_same, False]
    orders = ledger.orders(refs)
    went_on = {ref for ref in refs if orders[ref].plan_hash is not None}
    assert went_on == ({*approved} if is_same else set())
    states = {orders[ref].state for ref in {*refs} - went_on}
    assert states <= {OrderState.HELD}
    if is_same:
        assert waiting_refs(ledger, batch) == []


def test_of_two_answers_the_first_counts(resources: Resources) -> None:
    """A no after a yes to one link takes nothing back, and a yes after a no approves
    nothing.
    """
    ledger = resources.ledger
    for batch, first in (("batch", ["A-1"]), ("later", [])):
        ledger.start_batch(batch, "file.csv")
        ask(ledger, [planned("A-1"), planned("A-2")], batch)
        listing = question_hash(ledger, batch, SourcingSettings())
        for approved in (first, ["A-1", "A-2"], []):
            answer = Answer(approved=approved, by="ann", no=not_approved_by("ann"))
            take_answer(ledger, batch, listing, SourcingSettings(), answer)
        orders = ledger.orders(["A-1", "A-2"])
        assert [order.plan_hash is not None for order in orders.values()] == [
            "A-1" in first,
            False,
        ]
        assert orders["A-2"].reason == "not approved by ann"


def test_the_hash_covers_goods_freight_receiver_and_rates(
    resources: Resources, tmp_path: Path
) -> None:
    """And which orders there are; not the order in which they were planned."""
    ledger = resources.ledger
    (rates := tmp_path / "rates.csv").write_text(
        f"from,to,rate,date,source\nUSD,CNY,7.1,{ledger.clock():%Y-%m-%d},ECB\n"
    )
    with_rates = SourcingSettings(rates=str(rates))

    def shown(*plans: PlannedOrder, of: SourcingSettings = with_rates) -> str:
        batch = f"batch-{uuid4().hex[:8]}"
        ledger.start_batch(batch, "file.csv")
        ask(ledger, list(plans), batch)
        return question_hash(ledger, batch, of)

    plan = planned("A-1")
    two = planned("A-2", fen=2500)
    elsewhere = replace(two.request.receiver, city="Rome")
    hashes = [
        shown(plan, two),
        shown(plan),
        shown(plan, planned("A-2", fen=2501)),
        shown(plan, planned("A-2", fen=2500, freight_cents=501)),
        shown(plan, replace(two, request=replace(two.request, receiver=elsewhere))),
        shown(plan, two, of=SourcingSettings()),
    ]
    assert len({*hashes}) == len(hashes)
    assert shown(two, plan) == hashes[0]


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
