"""What is approved is the very plan that was shown, read back from the ledger."""

from __future__ import annotations

import pytest

from connectors.ledger.records import Approval
from domain.decisions import held
from domain.money import Money
from domain.plan import PlannedOrder
from flows.kept_plans import KeptPlans, summary_of
from tasks.resources import Resources
from tests.connectors.ledger.plans import intents
from tests.flows.plans import planned

BATCH = "batch"


def approve(resources: Resources, plan: PlannedOrder) -> None:
    summary = summary_of(plan)
    approval = Approval(
        order_ref=plan.order_ref,
        plan_hash=summary.plan_hash,
        total=summary.total,
        freight=summary.freight,
        reason="ann",
    )
    resources.ledger.approve([approval], BATCH)


def test_a_plan_reads_back_as_it_was_made(resources: Resources) -> None:
    plans = [planned("B-2"), planned("B-1", fen=1500)]
    resources.ledger.put_plans(plans, BATCH)
    kept = KeptPlans(resources.ledger, [summary_of(plan) for plan in plans])
    assert [plan.order_ref for plan in kept] == ["B-2", "B-1"]
    assert (len(kept), kept[1].total, kept[0].lines) == (2, Money(1500), plans[0].lines)


def test_a_yes_is_written_with_what_it_was_said_to(resources: Resources) -> None:
    """Goods and freight, also where the order is held by now: the same plan, and a person said yes to it."""
    plan = planned("B-1")
    resources.ledger.put_plans([plan.judged(held("not approved"))], BATCH)
    approve(resources, plan)
    order = resources.ledger.orders(["B-1"])["B-1"]
    assert (order.state, order.reason, order.plan_hash) == ("planned", "ann", summary_of(plan).plan_hash)
    assert (order.approved, order.freight_approved_minor, order.freight_currency) == (Money(1000), 500, "USD")


@pytest.mark.parametrize("batch", [BATCH, "later"])
def test_a_plan_that_was_made_anew_meanwhile_is_neither_shown_nor_approved(resources: Resources, batch: str) -> None:
    """By another run of the batch at another price, or by another batch, whose budget it counts for."""
    plan = planned("B-1")
    resources.ledger.start_batch(batch, "file.csv")
    resources.ledger.put_plans([plan], BATCH)
    kept = KeptPlans(resources.ledger, [summary_of(plan)])
    resources.ledger.put_plans([planned("B-1", fen=1000 if batch == "later" else 1001)], batch)
    approve(resources, plan)
    assert resources.ledger.orders(["B-1"])["B-1"].plan_hash is None
    assert [one.order_ref for one in kept] == (["B-1"] if batch == "later" else [])


def test_what_is_begun_is_not_approved_anew(resources: Resources) -> None:
    plan = planned("B-1")
    resources.ledger.put_plans([plan], BATCH, approved=True)
    assert resources.ledger.claim(intents("B-1"), lease=resources.lease).won
    approve(resources, plan)
    assert resources.ledger.orders(["B-1"])["B-1"].reason == ""


def test_nothing_is_approved_for_nothing(resources: Resources) -> None:
    """Budgets add amounts up."""
    resources.ledger.put_plans([planned("B-1", fen=0)], BATCH)
    with pytest.raises(ValueError, match=r"nothing can be approved for 0\.00 CNY"):
        approve(resources, planned("B-1", fen=0))
