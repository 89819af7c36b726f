"""Settling among other runs, and services that can't be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange, Outcome
from connectors.marketplaces import Offering
from connectors.xportcn.errors import Misconfigured, Unanswered
from domain.after_sale import RefundState
from domain.effects import Action, EffectStatus
from domain.marketplace import Marketplace
from domain.money import Money
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from flows.batch.sorting import sort_requests
from tasks.effects.kinds import settle_open
from tasks.effects.refund_states import restate, take_outcome
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import plan
from tests.flows.plans import planned
from tests.tasks.test_kinds import REFUND, FakeAfterSale, FakeService

M = Marketplace.TAOBAO


@pytest.fixture
def service(resources: Resources, next_run: Resources) -> FakeService:
    fake = FakeService()
    for run in (resources, next_run):
        after_sale = cast(Any, FakeAfterSale(fake))
        run.offerings[M] = Offering(
            cast(Any, fake), cast(Any, None), after_sale=after_sale
        )
    return fake


def bought(run: Resources, order_ref: str) -> None:
    intent = Intent(
        order_ref=order_ref, action=Action.CREATE, amount=Money(100), request_hash="2"
    )
    won = run.ledger.claim([intent], lease=run.lease).won
    claim = won[order_ref].claim
    run.ledger.record([Outcome(claim=claim, status=EffectStatus.DONE)])


def state(run: Resources, order_ref: str) -> OrderState:
    return run.ledger.orders([order_ref])[order_ref].state


async def test_what_can_not_be_asked_about_keeps_nothing_else_from_being_settled(
    resources: Resources, next_run: Resources, service: FakeService, clock: MovableClock
) -> None:
    """The refund's call is not there for this account, and a payment elsewhere is
    plainly made.
    """
    put_rows(
        resources.ledger,
        [plan("B-1", state="refunding", order_id="78", paid_minor=100)],
    )
    resources.ledger.refunds.put(replace(REFUND, key="B-1:all.1", order_ref="B-1"))
    lost = Intent(
        order_ref="B-1",
        action=Action.RETURN,
        amount=None,
        request_hash="h",
        part="all.1",
    )
    resources.ledger.claim([lost], lease=resources.lease)
    put_rows(resources.ledger, [plan("P-1", state="ordered", order_id="id-P-1")])
    pay = Intent(
        order_ref="P-1", action=Action.PAY, amount=Money(100), request_hash="x"
    )
    resources.ledger.claim([pay], lease=resources.lease)
    service.show("id-P-1", ServiceStatus.PAID, paid=Money(100), reference="P-1")
    clock.advance(10_000)

    async def refused(_: str) -> None:
        raise Misconfigured("no such path")

    cast(Any, next_run.offerings[M].after_sale).read = refused
    with pytest.raises(Misconfigured):
        await settle_open(next_run, ["P-1", "B-1"])
    assert next_run.ledger.effects_of(["P-1"])[0].status is EffectStatus.DONE


async def test_a_refund_that_another_run_asks_for_right_now_is_left_to_it(
    resources: Resources, next_run: Resources, service: FakeService
) -> None:
    """Nothing says yet that it reached the service: the order stays where it is."""
    put_rows(
        resources.ledger, [plan("C-1", state="booked", order_id="77", paid_minor=100)]
    )
    asking = replace(
        REFUND, key="C-1:all.1", order_ref="C-1", state=RefundState.ASKING, refund_id=""
    )
    resources.ledger.refunds.put(asking)
    ask = Intent(
        order_ref="C-1",
        action=Action.REFUND,
        amount=Money(100),
        request_hash="101",
        part="all.1",
    )
    resources.ledger.claim([ask], lease=resources.lease)
    await settle_open(next_run, ["C-1"])
    assert state(resources, "C-1") is OrderState.BOOKED


async def test_a_refund_that_was_never_asked_for_is_not_written_again(
    resources: Resources, service: FakeService, clock: MovableClock
) -> None:
    """Every look would else make the order seem changed."""
    put_rows(
        resources.ledger, [plan("C-1", state="booked", order_id="77", paid_minor=100)]
    )
    asking = replace(
        REFUND, key="C-1:all.1", order_ref="C-1", state=RefundState.ASKING, refund_id=""
    )
    resources.ledger.refunds.put(asking)
    before = resources.ledger.orders(["C-1"])
    clock.advance(60)
    await take_outcome(resources, asking)
    assert resources.ledger.orders(["C-1"]) == before


async def test_a_refund_that_ended_meanwhile_is_not_undone(
    resources: Resources, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this run had read says `refunding`; another one has just written that all
    came back.
    """
    put_rows(
        resources.ledger, [plan("C-1", state="booked", order_id="77", paid_minor=100)]
    )
    resources.ledger.refunds.put(replace(REFUND, key="C-1:all.1", order_ref="C-1"))
    read = resources.ledger.orders

    def overtaken(refs: Any) -> Any:
        orders = read(refs)
        moves = (OrderState.REFUNDING, OrderState.REFUNDED)
        resources.ledger.change(
            [OrderChange(order_ref="C-1", state=move) for move in moves]
        )
        return orders

    monkeypatch.setattr(resources.ledger, "orders", overtaken)
    await restate(resources, "C-1")
    monkeypatch.undo()
    assert state(resources, "C-1") is OrderState.REFUNDED


async def test_a_service_that_is_silent_is_asked_once(
    resources: Resources, next_run: Resources, service: FakeService, clock: MovableClock
) -> None:
    """About the others the same words stand: waiting for each would take longer than a
    lease.
    """
    calls = []
    for number in range(3):
        put_rows(
            resources.ledger,
            [
                plan(
                    f"C-{number}",
                    state="refunding",
                    order_id=f"7{number}",
                    paid_minor=100,
                )
            ],
        )
        refund = replace(
            REFUND,
            key=f"C-{number}:all.1",
            order_ref=f"C-{number}",
            refund_id=f"R{number}",
        )
        resources.ledger.refunds.put(refund)
        parcel = Intent(
            order_ref=f"C-{number}",
            action=Action.RETURN,
            amount=None,
            request_hash="h",
            part="all.1",
        )
        resources.ledger.claim([parcel], lease=resources.lease)
    clock.advance(timedelta(days=1).total_seconds())

    async def read(refund_id: str) -> None:
        calls.append(refund_id)
        raise Unanswered("no answer")

    cast(Any, next_run.offerings[M].after_sale).read = read
    await settle_open(next_run, ["C-0", "C-1", "C-2"])
    assert calls == ["R0"]
    assert {effect.status for effect in next_run.ledger.effects_of(["C-0", "C-2"])} == {
        EffectStatus.UNKNOWN
    }


def test_a_number_that_lost_or_got_zeros_is_no_new_order(resources: Resources) -> None:
    """A spreadsheet takes the zeros away as it opens a file, for all orders of it."""
    refs = ("000123", "124", "0125")
    resources.ledger.put_plans([planned(ref) for ref in refs], "batch")
    bought(resources, "000123")
    bought(resources, "124")
    work = sort_requests(
        resources.ledger,
        [planned(ref).request for ref in ("123", "0124", "125", "1230", "A-123")],
    )
    assert {
        ref: str(reason).partition(" (")[0] for ref, reason in work.taken.items()
    } == {
        "123": "000123 already stands for an order with other contents",
        "0124": "124 already stands for an order with other contents",
    }
    assert [request.order_ref for request in work.to_plan] == ["125", "1230", "A-123"]


def test_an_order_that_a_spreadsheet_renamed_is_not_bought_under_its_other_name(
    resources: Resources,
) -> None:
    """Its name from before the upgrade goes on; one of which nothing was begun waits
    beside the begun one.
    """
    for ref in ("11-Mar", "2026-03-12", "000123-b", "000777", "777"):
        resources.ledger.put_plans([planned(ref)], "batch")
    for ref in ("11-Mar", "2026-03-12", "000123-b", "777"):
        bought(resources, ref)
    refs = [
        "3-11",
        "03-11",
        "12.03.2026",
        "123-b",
        "123",
        "000777",
        "11-Mar",
        "3-12",
        "Dec-2026",
    ]
    work = sort_requests(resources.ledger, [planned(ref).request for ref in refs])
    assert {ref: reason.facts["order_ref"] for ref, reason in work.taken.items()} == {
        "3-11": "11-Mar",
        "03-11": "11-Mar",
        "12.03.2026": "2026-03-12",
        "123-b": "000123-b",
        "000777": "777",
    }
    assert [request.order_ref for request in work.to_plan] == [
        "123",
        "3-12",
        "Dec-2026",
    ]
    assert work.under_way == ["11-Mar"]
