"""What waits for a person, over all batches: each with its reason and a command that leads on."""

from __future__ import annotations

from datetime import timedelta

from connectors.ledger.codec import to_json
from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange, Outcome
from domain.effects import Action, EffectStatus
from domain.money import Money
from domain.orders import OrderLine
from domain.states import OrderState
from tasks.resources import Resources
from tasks.todo import to_do
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan

LINE = OrderLine(line_no=1, item_id="6", sku_id="2", title="cup", image_url="", quantity=1, unit_price=Money(100))
WEEK = timedelta(days=7)
BATCH = "b-1"


def planned(resources: Resources, source: str, *refs: str) -> None:
    resources.ledger.start_batch(BATCH, source)
    put_rows(resources.ledger, [plan(ref, batch_id=BATCH, lines=[to_json(LINE)]) for ref in refs])


def stands(resources: Resources, ref: str, state: OrderState, reason: str = "") -> None:
    resources.ledger.change([OrderChange(order_ref=ref, state=state, reason=reason)])


def ordered(resources: Resources, ref: str) -> None:
    record = resources.ledger.claim(intents(ref), lease=resources.lease).won[ref]
    change = OrderChange(order_ref=ref, state=OrderState.ORDERED, writes=Columns({"order_id": "77"}))
    resources.ledger.record([Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)])


def test_orders_that_are_held_refused_or_begun_are_listed_the_oldest_first(
    resources: Resources, clock: MovableClock
) -> None:
    planned(resources, "my orders.csv", "A-1", "A-2", "A-3", "A-4")
    stands(resources, "A-2", OrderState.HELD, "costs 29.00 CNY each")
    clock.advance(60)
    ordered(resources, "A-1")
    clock.advance(60)
    stands(resources, "A-3", OrderState.REFUSED, "0 in stock")
    found = to_do(resources.ledger, refused_for=WEEK)
    again = ["sourcing run 'my orders.csv'"]
    assert [(one.order_ref, one.state, one.reason, one.commands) for one in found] == [
        ("A-2", OrderState.HELD, "costs 29.00 CNY each", again),
        ("A-1", OrderState.ORDERED, "bought in part: nothing is wrong, the rest of its steps is left to a run", again),
        ("A-3", OrderState.REFUSED, "0 in stock", again),
    ]


def test_a_refused_order_is_listed_for_some_days_only(resources: Resources, clock: MovableClock) -> None:
    planned(resources, "a.csv", "A-1")
    stands(resources, "A-1", OrderState.REFUSED, "0 in stock")
    clock.advance(8 * 86_400)
    assert to_do(resources.ledger, refused_for=WEEK) == []
    assert len(to_do(resources.ledger, refused_for=timedelta(days=30))) == 1


def test_pasted_lines_have_no_command_that_runs_them_again(resources: Resources) -> None:
    planned(resources, "pasted lines", "A-1")
    stands(resources, "A-1", OrderState.HELD, "over the limit")
    (one,) = to_do(resources.ledger, refused_for=WEEK)
    assert one.commands == []


def test_an_outcome_without_an_answer_brings_its_question(resources: Resources, clock: MovableClock) -> None:
    planned(resources, "a.csv", "A-1")
    intent = Intent(order_ref="A-1", action=Action.CREATE, amount=Money(100), request_hash="h", part="")
    record = resources.ledger.claim([intent], lease=resources.lease).won["A-1"]
    change = OrderChange(order_ref="A-1", state=OrderState.UNKNOWN, reason="no answer")
    resources.ledger.record([Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=change)])
    (one,) = to_do(resources.ledger, refused_for=WEEK)
    assert one.reason.startswith("no answer; ")
    assert one.commands[0] == "sourcing run a.csv"
    assert any(command.startswith("sourcing resolve A-1 --ordered") for command in one.commands)


def test_nothing_waits_in_an_empty_ledger(resources: Resources) -> None:
    assert to_do(resources.ledger, refused_for=WEEK) == []
