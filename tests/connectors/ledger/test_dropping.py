"""Orders that a person does not want: closed while nothing of them was begun, and
planned again by later runs alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from connectors.ledger.plans import (
    declined,
    drop,
    laid_aside,
    put_rows,
    take_back,
)
from connectors.ledger.records import BEFOREHAND, OrderChange
from connectors.ledger.schema import orders
from connectors.ledger.store import Ledger
from domain.money import Money
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents, plan

LEASE = timedelta(seconds=60)
SAYS = "not wanted any more, says mei: too dear; a later run that asks, and names it, plans it anew"


@pytest.fixture
def ledger(ledger_url: str, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(ledger_url, clock=clock, owner="first") as ledger:
        ledger.since = clock()
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1"), plan("A-2"), plan("A-3")])
        reason = because(ReasonCode.NOT_APPROVED, by="mei")
        ledger.change([OrderChange(order_ref="A-1", state=OrderState.HELD, why=reason)])
        yield ledger


def test_what_is_not_begun_is_closed_with_the_persons_words(ledger: Ledger) -> None:
    assert drop(ledger, ["A-1", "A-2", "A-1"], by="mei", note="too dear") == {}
    closed = ledger.orders(["A-1", "A-2"])
    assert {
        (order.state, order.reason, order.plan_hash) for order in closed.values()
    } == {(OrderState.CANCELLED, SAYS, None)}
    assert drop(ledger, ["A-1"], by="yu") == {}
    assert ledger.orders(["A-1"])["A-1"].reason == SAYS


def test_a_no_is_told_from_a_question_and_from_what_a_run_could_not_ask(
    ledger: Ledger,
) -> None:
    """What a person declined, or is asked about, is not even planned by a night."""
    reason = because(ReasonCode.WAITS_FOR_APPROVAL)
    unasked = because(ReasonCode.NOT_APPROVED, note="-")
    for ref, reasons in {"A-2": [reason], "A-3": [reason, unasked]}.items():
        for why in reasons:
            ledger.change([OrderChange(order_ref=ref, state=OrderState.HELD, why=why)])
    refs = ["A-1", "A-2", "A-3"]
    assert declined(ledger, refs) == {
        "A-1": True,
        "A-2": False,
        "A-3": False,
    }
    assert laid_aside(ledger, refs) == {"A-1": "print", "A-2": "print"}
    yes = because(
        ReasonCode.APPROVED, by=BEFOREHAND, at="now", total=Money(100), plan="p"
    )
    ledger.change(
        [OrderChange(order_ref=ref, state=OrderState.PLANNED, why=yes) for ref in refs]
    )
    assert [*declined(ledger, refs)] == refs
    ledger.change(
        [
            OrderChange(
                order_ref="A-3",
                state=OrderState.HELD,
                why=because(ReasonCode.APPROVED, **{**yes.facts, "by": "mei"}),
            )
        ]
    )
    assert [*declined(ledger, refs)] == ["A-1", "A-2"]
    for _ in range(2):
        take_back(ledger, refs)
    assert [len(ledger.moves_of(ref)) for ref in refs] == [4, 4, 6]


def test_what_is_begun_stays_and_says_what_to_do(ledger: Ledger) -> None:
    """An order on its way, and one that was never heard of; the others are closed all
    the same.
    """
    ledger.claim(intents("A-2"), lease=LEASE)
    stay = drop(ledger, ["A-2", "A-9", "A-3"], by="mei")
    assert {ref: str(reason) for ref, reason in stay.items()} == {
        "A-2": "it is planned, and something of it was begun: cancel it, or ask for a refund",
        "A-9": "no such order in the ledger; see all with: sourcing status",
    }
    assert [str(order.state) for order in ledger.each_order(["A-2", "A-3"])] == [
        "planned",
        "cancelled",
    ]


def test_an_order_with_the_services_number_stays(ledger: Ledger) -> None:
    """Also where its effects are not in this ledger: it was taken over."""
    with ledger.transaction() as connection:
        connection.execute(
            update(orders).where(orders.c.order_ref == "A-1").values(order_id="77")
        )
    assert [reason.code for reason in drop(ledger, ["A-1"], by="mei").values()] == [
        ReasonCode.NOT_DROPPED
    ]


def test_a_run_at_work_on_it_neither_begins_nor_plans_nor_holds_it(
    ledger: Ledger, clock: MovableClock
) -> None:
    clock.advance(1)
    approved = ledger.orders(["A-2"])["A-2"].plan_hash
    drop(ledger, ["A-2"], by="mei")
    assert approved
    assert (
        ledger.claim(
            [replace(intent, plan_hash=approved) for intent in intents("A-2")],
            lease=LEASE,
        ).won
        == {}
    )
    put_rows(ledger, [plan("A-2")])
    assert ledger.orders(["A-2"])["A-2"].state is OrderState.CANCELLED


def test_a_run_that_starts_later_plans_it_anew(
    ledger: Ledger, ledger_url: str, clock: MovableClock
) -> None:
    drop(ledger, ["A-2"], by="mei")
    clock.advance(1)
    with Ledger(ledger_url, clock=clock, owner="second") as later:
        later.since = clock()
        put_rows(later, [plan("A-2")])
        assert later.orders(["A-2"])["A-2"].state is OrderState.PLANNED
        assert later.claim(intents("A-2"), lease=LEASE).won.keys() == {"A-2"}
