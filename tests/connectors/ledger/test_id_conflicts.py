"""An id of the service is one order's: what brings another's is a doubt, and never
written.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.ledger.order_ids import misnamed
from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange, Outcome
from connectors.ledger.store import Ledger
from domain.effects import Action, EffectStatus
from domain.money import Money
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.flows.plans import planned, put_approved
from tests.verdicts import in_these_words

LEASE = timedelta(seconds=60)


def created(ledger: Ledger, order_ref: str, order_id: str) -> Outcome:
    record = ledger.claim(intents(order_ref), lease=LEASE).won[order_ref]
    change = OrderChange(
        order_ref=order_ref,
        state=OrderState.ORDERED,
        writes=Columns({"order_id": order_id}),
    )
    return Outcome(
        claim=record.claim,
        status=EffectStatus.DONE,
        answer={"order_ids": [order_id]},
        change=change,
        if_misnamed=misnamed("its own reference"),
    )


def stands(
    ledger: Ledger, order_ref: str
) -> tuple[OrderState, str | None, EffectStatus]:
    order = ledger.orders([order_ref])[order_ref]
    return order.state, order.order_id, ledger.effects_of([order_ref])[-1].status


@pytest.mark.parametrize("at_once", [True, False])
def test_a_create_that_names_another_s_order_is_unknown(
    ledger: Ledger,
    at_once: bool,  # noqa: FBT001
) -> None:
    """It counts as spent and is looked for by its own reference; the other order keeps
    what it has.
    """
    first = created(ledger, "A-1", "77")
    second = created(ledger, "A-2", "77")
    record = (
        ledger.record([second, first])
        if at_once
        else ledger.record([first]) + ledger.record([second])
    )
    assert record == [True, True]
    assert stands(ledger, "A-1") == (OrderState.ORDERED, "77", EffectStatus.DONE)
    assert stands(ledger, "A-2") == (OrderState.UNKNOWN, None, EffectStatus.UNKNOWN)
    assert ledger.orders(["A-2"])["A-2"].reason == (
        "the service names order 77, which is A-1's in this ledger: not believed, and looked for by its own "
        "reference. Run again; if it stays, look both up in the console"
    )
    assert ledger.committed_in("batch") == 200


def test_two_marketplaces_may_number_alike(ledger: Ledger) -> None:
    """Each numbers its own orders."""
    put_rows(ledger, [plan("B-1", marketplace="1688")])
    ledger.record([created(ledger, "A-1", "77"), created(ledger, "B-1", "77")])
    assert stands(ledger, "B-1") == (OrderState.ORDERED, "77", EffectStatus.DONE)


def test_an_order_may_be_told_its_own_id_again(ledger: Ledger) -> None:
    """What is read of it later is no doubt."""
    ledger.record([created(ledger, "A-1", "77")])
    ledger.change(
        [
            OrderChange(
                order_ref="A-1",
                state=OrderState.PAID,
                writes=Columns({"order_id": "77"}),
            )
        ]
    )
    assert stands(ledger, "A-1")[:2] == (OrderState.PAID, "77")


def booked(ledger: Ledger, order_ref: str, shipment_id: str) -> Outcome:
    ledger.change(
        [
            OrderChange(order_ref=order_ref, state=state)
            for state in (OrderState.ORDERED, OrderState.PAID)
        ]
    )
    intent = Intent(
        order_ref=order_ref, action=Action.BOOK, amount=Money(1), request_hash="h"
    )
    record = ledger.claim([intent], lease=LEASE).won[order_ref]
    columns = {"shipment_order_id": shipment_id, "shipment": {"tracking_numbers": []}}
    change = OrderChange(
        order_ref=order_ref, state=OrderState.BOOKED, writes=Columns(columns)
    )
    reason = because(
        ReasonCode.ID_IS_ANOTHERS_ASKED, question="Is it there?", answers="yes, or no"
    )
    return Outcome(
        claim=record.claim, status=EffectStatus.DONE, change=change, if_misnamed=reason
    )


def test_a_booking_that_names_another_s_shipment_asks_a_person(ledger: Ledger) -> None:
    """There is nothing to look it up by: the question is told, with its answers."""
    ledger.record([booked(ledger, "A-1", "S-1"), booked(ledger, "A-2", "S-1")])
    order = ledger.orders(["A-2"])["A-2"]
    assert (order.state, order.shipment, order.shipment_order_id) == (
        OrderState.UNKNOWN,
        None,
        None,
    )
    assert order.reason == (
        "the service names shipment S-1, which is A-1's in this ledger: not believed. Is it there? "
        "Answer with: yes, or no"
    )


def test_a_shipment_that_was_read_and_is_another_s_holds_the_order(
    ledger: Ledger,
) -> None:
    """Nothing of it is written, and nothing stops the others."""
    ledger.record([booked(ledger, "A-1", "S-1")])
    ledger.change(
        [
            OrderChange(order_ref="A-2", state=state)
            for state in (OrderState.ORDERED, OrderState.PAID)
        ]
    )
    order_change = OrderChange(
        order_ref="A-2",
        state=OrderState.BOOKED,
        writes=Columns({"shipment_order_id": "S-1"}),
    )
    ledger.change([order_change])
    order = ledger.orders(["A-2"])["A-2"]
    assert (order.state, order.shipment_order_id) == (OrderState.HELD, None)


def test_an_id_that_proved_to_be_another_s_is_given_back(ledger: Ledger) -> None:
    """What created the order is unknown again, and may be settled; the id is free for
    whose it is.
    """
    ledger.record([created(ledger, "A-1", "77")])
    order = ledger.orders(["A-1"])["A-1"]
    assert ledger.disown(order, in_these_words("77 carries A-2"))
    assert stands(ledger, "A-1") == (OrderState.UNKNOWN, None, EffectStatus.UNKNOWN)
    assert ledger.committed_in("batch") == 100
    assert not ledger.disown(order, in_these_words("once more"))
    ledger.record([created(ledger, "A-2", "77")])
    assert stands(ledger, "A-2") == (OrderState.ORDERED, "77", EffectStatus.DONE)


@pytest.mark.parametrize("fen", [0, -1, -(2**63)])
def test_nothing_is_claimed_for_nothing(fen: int) -> None:
    """A budget is a sum of claims."""
    with pytest.raises(ValueError, match="A-1: no pay for"):
        Intent(order_ref="A-1", action=Action.PAY, amount=Money(fen), request_hash="h")


def test_a_payment_shown_as_less_than_its_order_opens_no_budget(ledger: Ledger) -> None:
    """One fen of a whole yuan: the whole yuan counts."""
    ledger.record([created(ledger, "A-1", "77")])
    columns = {"paid_minor": 1, "total_minor": 100}
    ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.PAID, writes=Columns(columns))]
    )
    assert ledger.committed_in("batch") == 100


@pytest.mark.parametrize("fen", [0, -1])
def test_nothing_is_approved_for_nothing(ledger: Ledger, fen: int) -> None:
    """The ledger takes no such plan."""
    with pytest.raises(ValueError, match="nothing can be approved"):
        put_approved(ledger, planned("A-3", fen))
    assert not ledger.orders(["A-3"])
