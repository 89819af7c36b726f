"""What speaks for a service that debits at once: three answered payments, each sent
once and seen within a minute.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.ledger.evidence import taken_at_once
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.store import Ledger
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action, EffectStatus
from domain.marketplace import Marketplace
from domain.states import OrderState
from flows.answers.marketplaces import proposed_debit
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan

TAOBAO = Marketplace.TAOBAO


@pytest.fixture(autouse=True)
def orders(ledger: Ledger) -> None:
    put_rows(ledger, [plan(ref) for ref in ("A-3", "A-4")])


def pays(
    ledger: Ledger,
    clock: MovableClock,
    order_ref: str,
    after_s: float,
    answer: str = "accepted",
) -> None:
    """An order whose payment was answered, and shows as paid some seconds later."""
    ledger.change(
        [OrderChange(order_ref=order_ref, writes=Columns({"ordered_at": clock()}))]
    )
    ledger.change([OrderChange(order_ref=order_ref, state=OrderState.ORDERED)])
    won = ledger.claim(
        intents(order_ref, action=Action.PAY), lease=timedelta(seconds=60)
    ).won[order_ref]
    accepted = OrderChange(order_ref=order_ref, state=OrderState.PAYMENT_PENDING)
    ledger.record(
        [
            Outcome(
                claim=won.claim,
                status=EffectStatus.DONE,
                answer={answer: "77"},
                change=accepted,
            )
        ]
    )
    clock.advance(after_s)
    ledger.change([OrderChange(order_ref=order_ref, state=OrderState.PAID)])


def test_three_payments_that_were_taken_at_once_propose_it(
    ledger: Ledger, clock: MovableClock
) -> None:
    """It is proposed where nothing is set, and not at a sandbox."""
    for ref in ("A-1", "A-2"):
        pays(ledger, clock, ref, 2)
        assert taken_at_once(ledger, TAOBAO) == []
    pays(ledger, clock, "A-3", 60)
    assert sorted(taken_at_once(ledger, TAOBAO)) == ["A-1", "A-2", "A-3"]
    there = {
        "pay_is": "unknown",
        "base_url": "https://example.com/api",
        "access_key": "a",
        "access_secret": "b",
        "user_id": "c",
    }
    asked = [
        proposed_debit(ledger, XportcnSettings.model_validate(given))
        for given in (
            there,
            {**there, "pay_is": "1688=submission"},
            {**there, "pay_is": "submission"},
            {**there, "pay_is": "taobao=debit"},
            {"pay_is": "unknown", "base_url": "http://127.0.0.1:1"},
        )
    ]
    assert [why.facts["setting"] if why else "" for why in asked] == [
        "taobao=debit",
        "taobao=debit,1688=submission",
        "",
        "",
        "",
    ]
    assert "the last 3 payments at taobao (" in str(asked[0])


def test_payments_of_another_marketplace_prove_nothing(
    ledger: Ledger, clock: MovableClock
) -> None:
    """It pays by another call."""
    put_rows(
        ledger,
        [plan(ref, marketplace=Marketplace.ALIBABA_1688) for ref in ("B-1", "B-2")],
    )
    for ref in ("A-1", "B-1", "B-2"):
        pays(ledger, clock, ref, 2)
    assert [
        taken_at_once(ledger, one) for one in (TAOBAO, Marketplace.ALIBABA_1688)
    ] == [[], []]


@pytest.mark.parametrize(("after_s", "answer"), [(61, "accepted"), (2, "status")])
def test_one_that_was_not_does_not(
    ledger: Ledger, clock: MovableClock, after_s: float, answer: str
) -> None:
    """A late one speaks against all; one that was never answered does not count."""
    for ref in ("A-1", "A-2"):
        pays(ledger, clock, ref, 2)
    pays(ledger, clock, "A-3", after_s, answer)
    assert taken_at_once(ledger, TAOBAO) == []
    pays(ledger, clock, "A-4", 2)
    assert len(taken_at_once(ledger, TAOBAO)) == (0 if after_s > 60 else 3)
