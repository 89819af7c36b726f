"""What a message of the service does: its orders are read again, and what is read
counts. What it says never does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from connectors.callbacks import CallbackStore
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange, Outcome
from connectors.marketplaces import Offering
from connectors.marketplaces.taobao.after_sale import TaobaoAfterSale
from connectors.snapshots.files import snapshots_below
from connectors.snapshots.reader import sql
from connectors.xportcn.callback_reader import order_ids_in
from connectors.xportcn.errors import ServiceAway
from domain.after_sale import Refund, RefundKind, RefundState
from domain.effects import EffectStatus
from domain.marketplace import Marketplace
from domain.money import Money
from domain.service_orders import (
    DomesticParcel,
    ServiceOrder,
    ServiceStatus,
    TraceStatus,
    TrackingEvent,
)
from domain.states import OrderState
from flows.callbacks import hear_callbacks, read_again
from flows.sync_tracking import summary_of, track
from tasks.engine.resources import Resources
from tasks.refund import follow_refunds
from tests.clock import MovableClock
from tests.connectors.callbacks.conftest import keep, posted, waiting
from tests.connectors.ledger.plans import intents
from tests.flows.answers.test_resolve import FakeChannel
from tests.flows.plans import planned, put_approved
from tests.notified import newly_told
from tests.tasks.test_refund import FakeAfterSale
from tests.verdicts import in_these_words


@dataclass
class CountingChannel(FakeChannel):
    """A marketplace that counts how often each order is read, and has some scans."""

    reads: list[str] = field(default_factory=list)
    events: list[TrackingEvent] = field(default_factory=list)
    away: bool = False

    async def read(
        self, order_ids: Sequence[str], *, may_lag: bool = False
    ) -> dict[str, ServiceOrder]:
        if self.away:
            raise ServiceAway("it is away")
        self.reads.extend(order_ids)
        return await super().read(order_ids)

    async def trace(self, shown: ServiceOrder) -> list[TrackingEvent]:
        return self.events


@pytest.fixture
def channel(resources: Resources) -> CountingChannel:
    fake = CountingChannel()
    after_sale = TaobaoAfterSale(cast(Any, None))
    resources.offerings[Marketplace.TAOBAO] = Offering(
        cast(Any, fake), cast(Any, None), after_sale=after_sale
    )
    return fake


def ordered(
    resources: Resources, order_ref: str, order_id: str, *further: OrderState
) -> None:
    """An order at the service, further on as these states say."""
    put_approved(resources.ledger, planned(order_ref))
    record = resources.ledger.claim(intents(order_ref), lease=resources.lease).won[
        order_ref
    ]
    facts = OrderUpdate({"order_id": order_id, "paid_minor": 1000 if further else None})
    change = OrderChange(order_ref=order_ref, state=OrderState.ORDERED, writes=facts)
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)]
    )
    resources.ledger.change(
        [OrderChange(order_ref=order_ref, state=state) for state in further]
    )


def state(resources: Resources, order_ref: str = "B-1") -> str:
    return resources.ledger.orders([order_ref])[order_ref].state


async def heard(resources: Resources, *bodies: bytes) -> set[str | None]:
    """What messages do when a run reads them; answers the ids that were not reached."""
    named = {order_id for body in bodies for order_id in order_ids_in(body)}
    return await read_again(resources, named)


def told(resources: Resources) -> list[str]:
    return [
        f"{message.subject}. {message.body}" for message in newly_told(resources.ledger)
    ]


async def test_a_true_message_moves_an_order_by_what_is_read(
    resources: Resources,
    channel: CountingChannel,
) -> None:
    """It said *paid*; the service shows it as shipped: it is shipped."""
    ordered(resources, "B-1", "71", OrderState.PAID, OrderState.BOOKED)
    channel.show("71", ServiceStatus.SHIPPED, reference="B-1", paid=Money(1000))
    assert await heard(resources, posted("71")) == set()
    assert state(resources) == "shipped"
    root = resources.settings.snapshot_root
    assert sql(root, "select state from orders where order_ref like 'B-%'").rows == (
        ("shipped",),
    )


@pytest.mark.parametrize(
    "message_type",
    [
        "ORDER_BUYER_VIEW_ORDER_PAY",
        "ORDER_BUYER_VIEW_ORDER_REFUND_AFTER_SALES",
        "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY",
    ],
)
async def test_a_forged_message_changes_nothing_and_costs_one_read(
    resources: Resources,
    channel: CountingChannel,
    message_type: str,
) -> None:
    """Of an order that waits to be paid, and of one that is booked: neither paid, nor
    refunded, nor dearer.
    """
    ordered(resources, "B-1", "71")
    ordered(resources, "B-2", "72", OrderState.PAID, OrderState.BOOKED)
    channel.show("71", ServiceStatus.UNPAID, reference="B-1", total=Money(1000))
    channel.show("72", ServiceStatus.PAID, reference="B-2", paid=Money(1000))
    before = resources.ledger.orders(["B-1", "B-2"])
    forged = [
        posted(order_id, message_type, refundId="1", totalAmount=1)
        for order_id in ("71", "72")
    ]
    await heard(resources, *forged)
    assert resources.ledger.orders(["B-1", "B-2"]) == before
    assert (sorted(channel.reads), channel.payments) == (["71", "72"], [])


REFUND_TOLD = "ORDER_BUYER_VIEW_ORDER_REFUND_AFTER_SALES"
REFUND = Refund(
    key="B-1:all.1", order_ref="B-1", marketplace=Marketplace.TAOBAO, order_id="71", part="all", number=1,
    lines=(1,), entry_ids=(), kind=RefundKind.REFUND, state=RefundState.ASKED, reason_id=101, reason="r",
    goods="1", goods_amount=Money(500), postage=Money(0), approved=Money(0), refunded=Money(0), description="",
    vouchers=(), earlier_refund_ids=(), state_before=OrderState.BOOKED, refund_id="R1",
)  # fmt: skip
CAME_BACK = "select state, refunded_minor from refunds"


def refunding(resources: Resources, channel: CountingChannel) -> FakeAfterSale:
    """An order that is booked, and whose refund the marketplace has just paid."""
    ordered(
        resources, "B-1", "71", OrderState.PAID, OrderState.BOOKED, OrderState.REFUNDING
    )
    channel.show("71", ServiceStatus.PAID, reference="B-1", paid=Money(1000))
    resources.ledger.refunds.put(REFUND)
    service = FakeAfterSale()
    service.land(RefundState.REFUNDED)
    service.refunds["R1"] = replace(service.refunds["R1"], refunded=Money(500))
    of_taobao = Offering(
        cast(Any, channel), cast(Any, None), after_sale=cast(Any, service)
    )
    resources.offerings[Marketplace.TAOBAO] = of_taobao
    return service


async def test_a_refund_that_a_message_settles_reaches_the_tables(
    resources: Resources,
    channel: CountingChannel,
) -> None:
    refunding(resources, channel)
    await heard(resources, posted("71", REFUND_TOLD))
    root = resources.settings.snapshot_root
    assert sql(root, CAME_BACK).rows == (("refunded", 500),)
    assert (
        sql(root, "select state from orders where order_ref like 'B-%'").rows
        == ((state(resources),),)
        == (("booked",),)
    )


async def test_a_refund_that_was_settled_without_its_rows_is_told_by_the_next_tracking(
    resources: Resources, channel: CountingChannel, clock: MovableClock
) -> None:
    """As by a run that died; what is told is
    not written again.
    """
    refunding(resources, channel)
    root = resources.settings.snapshot_root
    await track(resources)
    assert sql(root, CAME_BACK).rows == (("asked", 0),)
    clock.advance(60)
    await follow_refunds(resources.ledger.refunds.of_orders(["B-1"]), label="B-1")
    clock.advance(60)
    await track(resources)
    assert sql(root, CAME_BACK).rows == (("refunded", 500),)
    clock.advance(60)
    written = len(list(snapshots_below(root)))
    await track(resources)
    assert len(list(snapshots_below(root))) == written


async def test_a_price_that_rose_before_payment_holds_the_order_and_is_told(
    resources: Resources,
    channel: CountingChannel,
) -> None:
    """By the price that is read, not the one in the message."""
    ordered(resources, "B-1", "71")
    channel.show("71", ServiceStatus.UNPAID, reference="B-1", total=Money(1200))
    message = posted("71", "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", totalAmount=5)
    await heard(resources, message)
    assert state(resources) == "held"
    (body,) = told(resources)
    assert "the price rose after ordering: 12.00 CNY, approved 10.00 CNY" in body


async def test_a_held_price_that_moves_on_is_told_and_one_that_came_down_holds_no_more(
    resources: Resources,
    channel: CountingChannel,
) -> None:
    """Held with the newest price; within what was approved it waits to be paid, and
    nothing is paid here.
    """
    ordered(resources, "B-1", "71")
    observed = []
    messages = list[str]()
    for at, price in enumerate((1200, 1300, 1000)):
        channel.show("71", ServiceStatus.UNPAID, reference="B-1", total=Money(price))
        await heard(
            resources, posted("71", "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", at=at)
        )
        observed.append(
            (state(resources), resources.ledger.orders(["B-1"])["B-1"].reason[:41])
        )
        messages += told(resources)
    assert observed == [
        ("held", "the price rose after ordering: 12.00 CNY,"),
        ("held", "the price rose after ordering: 13.00 CNY,"),
        ("ordered", "its price is within what was approved aga"),
    ]
    assert (len(messages), channel.payments) == (3, [])


async def test_what_is_held_for_another_reason_stays_held(
    resources: Resources,
    channel: CountingChannel,
) -> None:
    """A message of any kind gives nobody's hold away; nor does one when the service
    can't be asked.
    """
    ordered(resources, "B-1", "71")
    ordered(resources, "B-2", "72")
    held = [
        ("B-1", "a person said no"),
        ("B-2", "the price rose after ordering: 12.00 CNY, approved 10.00 CNY"),
    ]
    resources.ledger.change(
        [
            OrderChange(
                order_ref=ref, state=OrderState.HELD, why=in_these_words(reason)
            )
            for ref, reason in held
        ]
    )
    channel.show("71", ServiceStatus.UNPAID, reference="B-1", total=Money(1000))
    channel.away = True
    await heard(resources, posted("71"), posted("72"))
    channel.away = False
    await heard(resources, posted("71", at=2))
    assert [
        (order.state, order.reason)
        for order in resources.ledger.orders(["B-1", "B-2"]).values()
    ] == [(OrderState.HELD, reason) for _, reason in held]


async def test_a_message_is_due_until_its_orders_were_read(
    resources: Resources,
    channel: CountingChannel,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that died or could not ask loses none; messages of others are done."""
    monkeypatch.setattr("flows.callbacks.SourcingSettings", lambda: resources.settings)
    monkeypatch.setattr("flows.callbacks.utc_now", clock)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Resources]:
        if dies:
            raise RuntimeError("the run dies")
        yield resources

    monkeypatch.setattr("flows.callbacks.opened", opened)
    ordered(resources, "B-1", "71", OrderState.PAID, OrderState.BOOKED)
    channel.show("71", ServiceStatus.SHIPPED, reference="B-1", paid=Money(1000))
    with CallbackStore(resources.settings.ledger_url, clock=clock) as store:
        keep(store, posted("71"), posted("99"), b"?")
        dies = True
        await hear_callbacks.fn()
        assert waiting(store) == 3
        clock.advance(120)
        dies = False
        channel.away = True
        await hear_callbacks.fn()
        assert waiting(store) == 1
        clock.advance(120)
        channel.away = False
        await hear_callbacks.fn()
        await hear_callbacks.fn()
        assert (waiting(store), channel.reads) == (0, ["71"])
    assert state(resources) == "shipped"


async def test_messages_about_strangers_read_nothing(
    resources: Resources, channel: CountingChannel
) -> None:
    """No order of ours: there is nothing to ask."""
    assert await heard(resources, posted("99")) == set()
    assert channel.reads == []


async def test_order_and_repetition_do_not_matter(
    resources: Resources,
    channel: CountingChannel,
    clock: MovableClock,
) -> None:
    """However its messages come, an order ends where the service has it."""
    ordered(resources, "B-1", "71", OrderState.PAID, OrderState.BOOKED)
    parcel = DomesticParcel(tracking_number="YT1", company="", sent_at=None)
    channel.show(
        "71",
        ServiceStatus.SHIPPED,
        reference="B-1",
        paid=Money(1000),
        parcels=(parcel,),
    )
    channel.events = [
        TrackingEvent(
            tracking_number="YT1",
            occurred_at=clock(),
            status=TraceStatus.SIGN,
            description="",
        )
    ]
    types = ["ANNOUNCE_SENDGOODS", "BUYER_MAKE", "ORDER_PAY", "ANNOUNCE_SENDGOODS"]
    for number, name in enumerate(types):
        await heard(resources, posted("71", f"ORDER_BUYER_VIEW_{name}", at=number))
        assert state(resources) == "in_warehouse"
    assert (
        len(resources.ledger.moves_of("B-1")) == 5
    )  # planned, ordered, paid, booked, in the warehouse


async def test_a_parcel_with_an_exception_is_told_once(
    resources: Resources, channel: CountingChannel, clock: MovableClock
) -> None:
    """Without the receiver's name; a further scan of it is told no more."""
    ordered(resources, "B-1", "71", OrderState.PAID, OrderState.BOOKED)
    channel.show("71", ServiceStatus.PAID, paid=Money(1000), reference="B-1")
    name = resources.ledger.orders(["B-1"])["B-1"].request.receiver.name
    for words_of_it in (f"held at customs: {name}", "still held"):
        clock.advance(3600)
        status = TraceStatus.EXCEPTION
        scan = TrackingEvent(
            tracking_number="FAR1",
            occurred_at=clock(),
            status=status,
            description=words_of_it,
        )
        channel.events.append(scan)
        report = await track(resources)
        assert report.stuck == ["B-1"]
    assert summary_of(report) == "1 order: 0 moved, 1 new event, 1 stuck"
    (body,) = told(resources)
    assert name not in body
    assert body.startswith("Parcels stuck: B-1. B-1: The carrier reports that it is")
