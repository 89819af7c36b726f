"""Paying: never beyond what was approved and tolerated, never twice, and within the
limit of the day.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange, OrderRecord, Outcome
from connectors.ledger.schema import to_json
from connectors.marketplaces import Offering
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import (
    ContractMismatch,
    Refused,
    Unanswered,
    XportcnError,
)
from domain.effects import (
    Action,
    EffectStatus,
    Resolution,
    ResolutionKind,
    ResolutionRefused,
)
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import ReasonCode
from domain.service_orders import Goods, ServiceOrder, ServiceStatus
from domain.states import OrderState
from flows.answers.resolve import resolve
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources
from tasks.pay import PAID_ELSEWHERE, pay_orders, read_unpaid
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.flows.answers.test_resolve import LINE, FakeChannel
from tests.tasks.calling import call_in
from tests.tasks.stepping import step_of
from tests.verdicts import in_these_words


@pytest.fixture
def channel(resources: Resources, next_run: Resources) -> FakeChannel:
    fake = FakeChannel()
    for run in (resources, next_run):
        run.offerings[Marketplace.TAOBAO] = Offering(cast(Any, fake), cast(Any, None))
    return fake


def ordered(
    resources: Resources, order_ref: str = "A-1", order_id: str = "77", **columns: Any
) -> None:
    """An order that exists at the service and waits to be paid."""
    put_rows(
        resources.ledger, [plan(order_ref, **{"lines": [to_json(LINE)], **columns})]
    )
    record = resources.ledger.claim(intents(order_ref), lease=resources.lease).won[
        order_ref
    ]
    change = OrderChange(
        order_ref=order_ref,
        state=OrderState.ORDERED,
        writes=Columns({"order_id": order_id}),
    )
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)]
    )


async def pay(resources: Resources, *order_refs: str) -> list[OrderRecord]:
    refs: Sequence[str] = order_refs or ("A-1",)
    await call_in(
        resources, pay_orders, step_of(resources.ledger.orders(refs)), label="1 of 1"
    )
    return list(resources.ledger.orders(refs).values())


@pytest.mark.parametrize(
    ("total", "state", "payments"),
    [(100, "paid", ["77"]), (110, "paid", ["77"]), (111, "held", [])],
)
async def test_a_price_is_paid_up_to_the_tolerance(
    resources: Resources,
    channel: FakeChannel,
    total: int,
    state: str,
    payments: list[str],
) -> None:
    """Approved 1.00 and tolerated up to 1.10: not a fen more."""
    ordered(resources, payable_minor=110)
    channel.show("77", ServiceStatus.UNPAID, total=Money(total))
    (order,) = await pay(resources)
    assert (order.state, channel.payments) == (state, payments)


async def test_a_price_that_rose_since_the_create_is_not_paid(
    resources: Resources, channel: FakeChannel
) -> None:
    """Created for 1.00 as approved, 1.01 by now: what counts is the look right before
    the payment.
    """
    ordered(resources, total_minor=100)
    channel.show("77", ServiceStatus.UNPAID, total=Money(101))
    (order,) = await pay(resources)
    assert (order.state, channel.payments) == (OrderState.HELD, [])


async def test_an_order_paid_elsewhere_is_recorded_with_that(
    resources: Resources, channel: FakeChannel
) -> None:
    """Nothing is paid, and the audit trail says that no payment of ours accounts for
    it.
    """
    ordered(resources)
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    (order,) = await pay(resources)
    assert (order.state, order.paid_minor, channel.payments) == (
        OrderState.PAID,
        100,
        [],
    )
    assert resources.ledger.moves_of("A-1")[-1]["reason"] == str(PAID_ELSEWHERE)


async def test_yesterdays_orders_are_paid_as_far_as_today_has_room(
    resources: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """The limit of the day bounds what leaves on it, not only what is ordered on it."""
    for order_ref, order_id in (("A-1", "77"), ("A-2", "78")):
        ordered(resources, order_ref, order_id)
        channel.show(order_id, ServiceStatus.UNPAID, reference=order_ref)
    clock.advance(86_400)
    resources.settings = SourcingSettings(
        data_dir=resources.settings.data_dir, day_limit_cny="1.50"
    )
    by_state = {
        order.state: order for order in await pay(resources, "A-1", "A-2")
    }  # whichever is read first
    assert by_state.keys() == {OrderState.PAID, OrderState.HELD}
    left = by_state[OrderState.HELD]
    assert (
        left.reason
        == "ordered, not paid: 1.00 CNY does not fit the day's limit: 1.00 CNY of 1.50 CNY is taken"
    )
    clock.advance(86_400)
    assert [order.state for order in await pay(resources, left.order_ref)] == [
        OrderState.PAID
    ]
    assert sorted(channel.payments) == ["77", "78"]


async def test_a_wait_is_as_long_as_the_sender_had_and_not_as_long_as_the_next_run_has(
    resources: Resources,
    next_run: Resources,
    channel: FakeChannel,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sender's lease was ten minutes; a run with a lease of one minute gives it
    these ten, then the settle time.
    """
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID)
    resources.settings = SourcingSettings(
        data_dir=resources.settings.data_dir, lease_s=600, settle_s=900
    )

    async def silent(claim: object, order_id: str) -> None:
        raise Unanswered("cut")

    monkeypatch.setattr(channel, "pay", silent)
    await pay(resources)
    clock.advance(1_499)
    await settle_open(next_run, ["A-1"])
    order = next_run.ledger.orders(["A-1"])["A-1"]
    assert (order.state, order.reason) == (
        OrderState.UNKNOWN,
        "no answer to pay: it may still arrive until 2026-01-01 12:25 UTC; run again after that",
    )
    clock.advance(1)
    await settle_open(next_run, ["A-1"])
    assert next_run.ledger.orders(["A-1"])["A-1"].state is OrderState.ORDERED


# whose order it is


async def test_an_order_that_carries_another_reference_is_never_paid(
    resources: Resources, channel: FakeChannel
) -> None:
    """It is held, with both names."""
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, reference="B-9")
    (order,) = await pay(resources)
    assert (order.state, channel.payments) == (OrderState.HELD, [])
    assert (
        order.reason
        == "order 77 carries the reference 'B-9', not A-1: look it up in the console"
    )


@pytest.mark.parametrize("elsewhere", ["", "78"])
async def test_an_order_whose_payment_was_accepted_stays_pending_whatever_one_reading_names_it(
    resources: Resources, channel: FakeChannel, elsewhere: str
) -> None:
    """It was held or given back, and what was taken was recorded by no run that came by
    itself.
    """
    ordered(resources)
    payment = replace(intents("A-1")[0], action=Action.PAY, seen_in=OrderState.ORDERED)
    claim = resources.ledger.claim([payment], lease=resources.lease).won["A-1"].claim
    pending = OrderChange(order_ref="A-1", state=OrderState.PAYMENT_PENDING)
    resources.ledger.record(
        [Outcome(claim=claim, status=EffectStatus.DONE, change=pending)]
    )
    channel.show("77", ServiceStatus.PAID, reference="B-9", paid=Money(100))
    if elsewhere:
        channel.show(elsewhere, ServiceStatus.UNPAID)
    (order,) = await pay(resources)
    assert (order.state, order.order_id, channel.payments) == (
        OrderState.PAYMENT_PENDING,
        "77",
        [],
    )
    assert (
        order.reason
        == "order 77 carries the reference 'B-9', not A-1: look it up in the console"
    )
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    (order,) = await pay(resources)
    assert (order.state, order.paid_minor, order.reason) == (OrderState.PAID, 100, "")


async def test_an_order_that_shows_no_reference_yet_is_paid_once_it_does(
    resources: Resources, channel: FakeChannel
) -> None:
    """It stays as it is, with the reason, and a later run pays it."""
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, reference="")
    (order,) = await pay(resources)
    assert (order.state, channel.payments) == (OrderState.ORDERED, [])
    assert order.reason == (
        "the service does not show our reference on order 77 yet, so it is not paid. "
        "If that lasts, look it up in the console: sourcing confirm taobao"
    )
    channel.show("77", ServiceStatus.UNPAID)
    (order,) = await pay(resources)
    assert (order.state, channel.payments) == (OrderState.PAID, ["77"])


async def test_an_order_that_a_person_named_needs_no_reference(
    resources: Resources, channel: FakeChannel
) -> None:
    """`sourcing resolve A-1 ordered 77` is a person's word."""
    put_rows(resources.ledger, [plan("A-1", lines=[to_json(LINE)])])
    record = resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"]
    unknown = OrderChange(
        order_ref="A-1", state=OrderState.UNKNOWN, why=in_these_words("no answer")
    )
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=unknown)]
    )
    channel.show("77", ServiceStatus.UNPAID, reference="")
    await resolve(
        resources, "A-1", Resolution(kind=ResolutionKind.ORDERED, value="77"), by="ann"
    )
    assert [order.state for order in await pay(resources)] == [OrderState.PAID]


async def test_an_id_that_leads_astray_is_given_back_where_ours_is_shown(
    resources: Resources, next_run: Resources, channel: FakeChannel
) -> None:
    """The answer to the create of A-1 named A-2's order: it is not paid, and the next
    run finds its own.
    """
    ordered(resources, "A-1", "78")
    channel.show("77", ServiceStatus.UNPAID, reference="A-1")
    channel.show("78", ServiceStatus.UNPAID, reference="A-2")
    (order,) = await pay(resources)
    assert (order.state, order.order_id, channel.payments) == (
        OrderState.UNKNOWN,
        None,
        [],
    )
    await settle_open(next_run, ["A-1"])
    (order,) = await pay(next_run)
    assert (order.state, order.order_id, channel.payments) == (
        OrderState.PAID,
        "77",
        ["77"],
    )


# what it holds


async def test_an_order_that_lacks_goods_is_paid_once_a_person_takes_it(
    resources: Resources, next_run: Resources, channel: FakeChannel
) -> None:
    """A create that said yes and made a part: a person is asked, and says how much the
    part may cost.
    """
    lacks = (
        "order 77 of A-1 lacks cup (6) × 2, and is not paid. Let it close unpaid and order again under a new "
        "order_ref, or take it as it is: sourcing resolve A-1 ordered 77 --up-to 1.00"
    )
    ordered(resources, lines=[to_json(replace(LINE, quantity=2))])
    channel.show(
        "77", ServiceStatus.UNPAID, goods=(Goods(item_id="6", sku_id="2", quantity=1),)
    )
    for run in (resources, next_run):
        (order,) = await pay(run)
        assert (order.state, order.order_id, order.reason, channel.payments) == (
            OrderState.HELD,
            "77",
            lacks,
            [],
        )
    with pytest.raises(ResolutionRefused, match=re.escape(lacks)):
        await resolve(
            resources,
            "A-1",
            Resolution(kind=ResolutionKind.ORDERED, value="77"),
            by="ann",
        )
    part = Resolution(kind=ResolutionKind.ORDERED, value="77", amount=Money(100))
    await resolve(resources, "A-1", part, by="ann")
    (order,) = await pay(resources)
    assert (order.state, channel.payments) == (OrderState.PAID, ["77"])


async def test_an_order_that_is_held_for_its_price_is_not_let_go_without_its_goods(
    resources: Resources, channel: FakeChannel
) -> None:
    """News of an order releases it where its price fell; one that lacks goods fell for
    that.
    """
    ordered(resources, lines=[to_json(replace(LINE, quantity=2))])
    channel.show("77", ServiceStatus.UNPAID, total=Money(101))
    assert [order.state for order in await pay(resources)] == [OrderState.HELD]
    channel.show(
        "77",
        ServiceStatus.UNPAID,
        total=Money(60),
        goods=(Goods(item_id="6", sku_id="2", quantity=1),),
    )
    await read_unpaid(resources, resources.ledger.orders(["A-1"]))
    order = resources.ledger.orders(["A-1"])["A-1"]
    assert (order.state, order.reason_code) == (
        OrderState.HELD,
        ReasonCode.ORDERED_IN_PART,
    )


@pytest.mark.parametrize("total", [0, -5])
async def test_what_costs_nothing_is_not_paid(
    resources: Resources, channel: FakeChannel, total: int
) -> None:
    """It would pay something else than it says."""
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, total=Money(total))
    (order,) = await pay(resources)
    assert (order.state, channel.payments) == (OrderState.HELD, [])


async def test_a_payment_of_another_s_order_accounts_for_nothing(
    resources: Resources, channel: FakeChannel
) -> None:
    """A foreign order that is paid does not make ours paid."""
    ordered(resources)
    channel.show("77", ServiceStatus.PAID, paid=Money(100), reference="B-9")
    (order,) = await pay(resources)
    assert (order.state, order.paid_minor) == (OrderState.HELD, None)


@pytest.mark.parametrize(
    ("failure", "state", "reads"),
    [(ContractMismatch, "paid", 3), (Refused, "paid", 3), (Unanswered, "unknown", 1)],
)
async def test_a_payment_is_settled_beside_one_whose_order_can_not_be_read(
    resources: Resources,
    next_run: Resources,
    channel: FakeChannel,
    failure: type[XportcnError],
    state: str,
    reads: int,
) -> None:
    """A service that does not answer is not asked about each: that may take longer than
    a lease.
    """
    for order_ref, order_id in (("A-1", "77"), ("A-2", "78")):
        ordered(resources, order_ref, order_id)
        channel.show(order_id, ServiceStatus.PAID, paid=Money(100), reference=order_ref)
    payments = [
        Intent(order_ref=ref, action=Action.PAY, amount=Money(100), request_hash="h")
        for ref in ("A-1", "A-2")
    ]
    for record in resources.ledger.claim(payments, lease=resources.lease).won.values():
        change = OrderChange(
            order_ref=record.order_ref,
            state=OrderState.UNKNOWN,
            why=in_these_words("no answer"),
        )
        resources.ledger.record(
            [Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=change)]
        )
    asked = list[Sequence[str]]()

    async def read(order_ids: Sequence[str], **_: bool) -> dict[str, ServiceOrder]:
        asked.append(order_ids)
        if "78" in order_ids:
            raise failure("of 78")
        return await FakeChannel.read(channel, order_ids)

    channel.read = read  # type: ignore[method-assign]
    await settle_open(next_run, ["A-1", "A-2"])
    orders = next_run.ledger.orders(["A-1", "A-2"])
    assert ([orders[ref].state for ref in orders], len(asked)) == (
        [state, OrderState.UNKNOWN],
        reads,
    )
