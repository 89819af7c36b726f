"""Settling among other runs, carts that are half filled, and services that can't be
asked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange, Outcome, SpendLimits
from connectors.marketplaces import Offering
from connectors.marketplaces.protocol import RowsAreGone
from connectors.xportcn.errors import Misconfigured
from domain.after_sale import RefundState
from domain.effects import Action, EffectStatus, Resolution, ResolutionKind
from domain.marketplace import Marketplace
from domain.money import Money
from domain.plan import PlannedOrder
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from flows.answers.resolve import resolve
from flows.batch.sorting import sort_requests
from tasks.create_order import create_orders
from tasks.effects.kinds import settle_open
from tasks.effects.refund_states import restate, take_outcome
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import plan
from tests.flows.plans import planned, put_approved
from tests.tasks.stepping import step_of
from tests.tasks.test_kinds import REFUND, ROW, FakeAfterSale, FakeCart, FakeService

M = Marketplace.TAOBAO


@pytest.fixture
def service(resources: Resources, next_run: Resources) -> FakeService:
    fake = FakeService()
    for run in (resources, next_run):
        cart, after_sale = cast(Any, FakeCart(fake)), cast(Any, FakeAfterSale(fake))
        run.offerings[M] = Offering(
            cast(Any, fake), cast(Any, None), cart=cart, after_sale=after_sale
        )
    return fake


def two_lines(order_ref: str) -> PlannedOrder:
    one = planned(order_ref, 100)
    return replace(
        one,
        lines=(*one.lines, replace(one.lines[0], line_no=2, item_id="9", sku_id="9")),
    )


def line_added(run: Resources, order_ref: str, line_no: int = 1) -> dict[str, Any]:
    intent = Intent(
        order_ref=order_ref,
        action=Action.CART,
        amount=None,
        request_hash="2",
        part=f"line-{line_no}",
    )
    won = run.ledger.claim([intent], lease=run.lease).won
    done = [
        Outcome(claim=one.claim, status=EffectStatus.DONE, answer={"row_id": "r"})
        for one in won.values()
    ]
    run.ledger.record(done)
    return won


def state(run: Resources, order_ref: str) -> OrderState:
    return run.ledger.orders([order_ref])[order_ref].state


async def test_an_order_is_not_made_of_half_of_its_lines(
    resources: Resources, service: FakeService
) -> None:
    """Another run is putting the order into the cart while this one has its plan
    approved: it is held.
    """
    put_approved(resources.ledger, two_lines("B-1"))
    line_added(resources, "B-1")
    limits = SpendLimits(batch_id="batch", batch=None, day=None)
    await create_orders.fn(
        resources, step_of(resources.ledger.orders(["B-1"])), limits, label="1 of 1"
    )
    assert [effect.action for effect in resources.ledger.effects_of(["B-1"])] == [
        Action.CART
    ]
    assert state(resources, "B-1") is OrderState.HELD


def test_an_order_is_made_by_reference_or_from_a_cart_never_both(
    resources: Resources, next_run: Resources
) -> None:
    """Whichever of two runs claims first decides, whatever the other has read
    before.
    """
    create = Intent(
        order_ref="A-1", action=Action.CREATE, amount=Money(100), request_hash="h"
    )
    assert line_added(next_run, "A-1")
    assert resources.ledger.claim([create], lease=resources.lease).won == {}
    assert resources.ledger.claim(
        [replace(create, part="cart")], lease=resources.lease
    ).won
    assert resources.ledger.claim(
        [replace(create, order_ref="A-2")], lease=resources.lease
    ).won
    assert line_added(next_run, "A-2") == {}


async def test_what_can_not_be_asked_about_keeps_nothing_else_from_being_settled(
    resources: Resources, next_run: Resources, service: FakeService, clock: MovableClock
) -> None:
    """The cart's call is not there for this account, and a payment elsewhere is plainly
    made.
    """
    resources.ledger.put_plans([planned("B-1")], "batch")
    lost = Intent(
        order_ref="B-1",
        action=Action.CART,
        amount=None,
        request_hash="2",
        part="line-1",
    )
    resources.ledger.claim([lost], lease=resources.lease)
    put_rows(resources.ledger, [plan("P-1", state="ordered", order_id="id-P-1")])
    pay = Intent(
        order_ref="P-1", action=Action.PAY, amount=Money(100), request_hash="x"
    )
    resources.ledger.claim([pay], lease=resources.lease)
    service.show("id-P-1", ServiceStatus.PAID, paid=Money(100), reference="P-1")
    clock.advance(10_000)

    async def refused() -> None:
        raise Misconfigured("no such path")

    cast(Any, next_run.offerings[M].cart).rows = refused
    await settle_open(next_run, ["P-1", "B-1"])
    assert next_run.ledger.effects_of(["P-1"])[0].status is EffectStatus.DONE


async def test_a_cart_is_read_once_for_all_lines_that_wait(
    resources: Resources, next_run: Resources, service: FakeService, clock: MovableClock
) -> None:
    """A hanging service would else keep a run for minutes a line."""
    reads = []
    for number in range(5):
        resources.ledger.put_plans([planned(f"B-{number}")], "batch")
        lost = Intent(
            order_ref=f"B-{number}",
            action=Action.CART,
            amount=None,
            request_hash="2",
            part="line-1",
        )
        resources.ledger.claim([lost], lease=resources.lease)
    clock.advance(10_000)

    async def rows() -> tuple[object, ...]:
        reads.append(1)
        return (ROW,)

    cast(Any, next_run.offerings[M].cart).rows = rows
    await settle_open(next_run, [f"B-{number}" for number in range(5)])
    assert len(reads) == 1
    assert {one.status for one in next_run.ledger.effects_of(["B-0", "B-4"])} == {
        EffectStatus.DONE
    }


async def test_a_cart_whose_rows_are_gone_can_be_answered(
    resources: Resources, next_run: Resources, service: FakeService, clock: MovableClock
) -> None:
    """Nothing shows what became of them: the question stands, and a person's no is
    taken.
    """
    put_approved(resources.ledger, planned("B-1"))
    lost = Intent(
        order_ref="B-1",
        action=Action.CREATE,
        amount=Money(100),
        request_hash="h",
        part="cart",
    )
    resources.ledger.claim([lost], lease=resources.lease)
    clock.advance(10_000)

    async def find(*_: object, **__: object) -> None:
        raise RowsAreGone("the rows have left the cart")

    cast(Any, next_run.offerings[M].cart).find = find
    await settle_open(next_run, ["B-1"])
    assert state(next_run, "B-1") is OrderState.UNKNOWN
    clock.advance(10_000)
    told = await resolve(
        next_run, "B-1", Resolution(kind=ResolutionKind.NOT_ORDERED), by="ann"
    )
    assert told.state is OrderState.HELD


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
            [OrderChange(order_ref="C-1", state=one) for one in moves]
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
    asked = []
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
        withdraw = Intent(
            order_ref=f"C-{number}",
            action=Action.CANCEL,
            amount=None,
            request_hash="h",
            part="all.1-withdraw",
        )
        resources.ledger.claim([withdraw], lease=resources.lease)
    clock.advance(timedelta(days=1).total_seconds())

    async def read(refund_id: str) -> None:
        asked.append(refund_id)
        raise RowsAreGone("no answer")

    cast(Any, next_run.offerings[M].after_sale).read = read
    await settle_open(next_run, ["C-0", "C-1", "C-2"])
    assert asked == ["R0"]
    assert {one.status for one in next_run.ledger.effects_of(["C-0", "C-2"])} == {
        EffectStatus.UNKNOWN
    }


def test_what_only_lies_in_a_cart_is_nothing_for_a_run_of_its_file(
    resources: Resources,
) -> None:
    """It is ordered from there: its freight is not asked for, and its reason goes on
    saying so.
    """
    resources.ledger.put_plans([planned("B-1")], "batch")
    line_added(resources, "B-1")
    work = sort_requests(resources.ledger, [planned("B-1").request])
    assert (work.over, work.to_plan, work.under_way) == (["B-1"], [], [])


def test_a_number_that_lost_or_got_zeros_is_no_new_order(resources: Resources) -> None:
    """A spreadsheet takes the zeros away as it opens a file, for all orders of it."""
    refs = ("000123", "124", "0125")
    resources.ledger.put_plans([planned(ref) for ref in refs], "batch")
    line_added(resources, "000123")
    line_added(resources, "124")
    work = sort_requests(
        resources.ledger,
        [planned(ref).request for ref in ("123", "0124", "125", "1230", "A-123")],
    )
    assert {ref: str(why).partition(" (")[0] for ref, why in work.taken.items()} == {
        "123": "000123 already stands for an order with other contents",
        "0124": "124 already stands for an order with other contents",
    }
    assert [one.order_ref for one in work.to_plan] == ["125", "1230", "A-123"]


def test_an_order_that_a_spreadsheet_renamed_is_not_bought_under_its_other_name(
    resources: Resources,
) -> None:
    """Its name from before the upgrade goes on; one of which nothing was begun waits
    beside the begun one.
    """
    for ref in ("11-Mar", "2026-03-12", "000123-b", "000777", "777"):
        resources.ledger.put_plans([planned(ref)], "batch")
    for ref in ("11-Mar", "2026-03-12", "000123-b", "777"):
        line_added(resources, ref)
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
    assert {ref: why.facts["order_ref"] for ref, why in work.taken.items()} == {
        "3-11": "11-Mar",
        "03-11": "11-Mar",
        "12.03.2026": "2026-03-12",
        "123-b": "000123-b",
        "000777": "777",
    }
    assert [one.order_ref for one in work.to_plan] == ["123", "3-12", "Dec-2026"]
    assert work.over == ["11-Mar"]
