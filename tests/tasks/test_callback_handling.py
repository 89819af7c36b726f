"""What a message of the service does: its orders are read again, and what is read
counts. What it says never does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

import tasks.parcels_received
from connectors.callbacks.schema import Callback
from connectors.callbacks.store import CallbackStore
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.schema import to_json
from connectors.marketplaces import Offering
from connectors.marketplaces.taobao.after_sale import TaobaoAfterSale
from connectors.snapshots.manifests import list_snapshots
from connectors.snapshots.reader import sql
from connectors.xportcn.errors import Refused, ServiceAway
from deployments.receiver import read_arrival
from domain.after_sale import Refund, RefundKind, RefundState
from domain.effects import EffectStatus
from domain.marketplace import Marketplace
from domain.messages import MessageKind
from domain.money import Money
from domain.offers import FreightQuote, FreightService
from domain.orders import SourcingOrder
from domain.reasons import earlier
from domain.received import CallbackKind
from domain.service_orders import (
    DomesticParcel,
    ServiceOrder,
    ServiceStatus,
    TraceStatus,
    TrackingEvent,
)
from domain.states import OrderState
from flows.callbacks import CallbackReport, handle_callbacks, lease_renewed
from flows.sync_tracking import summary_of, track
from tasks.engine.resources import Resources
from tasks.refund import follow_refunds
from tests.clock import MovableClock
from tests.connectors.callbacks.conftest import posted
from tests.connectors.ledger.plans import intents
from tests.flows.answers.test_resolve import FakeChannel
from tests.flows.plans import planned, put_approved
from tests.tasks.test_refund import FakeAfterSale

NOT_OURS = "no order of this ledger"


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


@pytest.fixture
def store(tmp_path: Path, clock: MovableClock) -> Iterator[CallbackStore]:
    with CallbackStore(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as store:
        yield store


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


def kept(store: CallbackStore, clock: MovableClock, *bodies: bytes) -> list[Callback]:
    store.add([read_arrival(body, "203.0.113.7", clock()) for body in bodies])
    return list(reversed(store.listed()))


def parcel_report(order_id: str, number: str = "YT1", **inspection: Any) -> bytes:
    found = {"status": "质检通过", "weight": 0.4, "images": [], **inspection}
    return json.dumps(
        {
            "alibaba_order_id": order_id,
            "logistics_tracking_number": number,
            "quality_inspection_info": found,
        }
    ).encode()


def words(report: CallbackReport) -> dict[int, str]:
    return {number: str(why) for number, why in report.outcomes.items()}


def told(resources: Resources) -> list[tuple[MessageKind, str]]:
    return [
        (one.kind, f"{one.subject}. {one.body}")
        for one in resources.ledger.outbox.begin("ntfy")
    ]


async def test_a_true_message_moves_an_order_by_what_is_read(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
) -> None:
    """It said *paid*; the service shows it as shipped: it is shipped."""
    ordered(resources, "B-1", "71", OrderState.PAID, OrderState.BOOKED)
    channel.show("71", ServiceStatus.SHIPPED, reference="B-1", paid=Money(1000))
    messages = kept(store, clock, posted("71"))
    report = await handle_callbacks(resources, store, CallbackKind.STATUS, messages)
    assert (state(resources), words(report), report.moved) == (
        "shipped",
        {1: "B-1: booked → shipped"},
        ["B-1"],
    )
    rows = sql(
        resources.settings.snapshot_root,
        "select kind, outcome, reason_code from callbacks",
    ).rows
    assert rows == (("status", "B-1: booked → shipped", "callback_order_moved"),)


@pytest.mark.parametrize(
    ("kind", "message_type"),
    [
        (CallbackKind.STATUS, "ORDER_BUYER_VIEW_ORDER_PAY"),
        (CallbackKind.REFUND, "ORDER_BUYER_VIEW_ORDER_REFUND_AFTER_SALES"),
        (CallbackKind.PRICE, "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"),
    ],
)
async def test_a_forged_message_changes_nothing_and_costs_one_read(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
    kind: CallbackKind,
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
    await handle_callbacks(resources, store, kind, kept(store, clock, *forged))
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
    store: CallbackStore,
    clock: MovableClock,
) -> None:
    refunding(resources, channel)
    await handle_callbacks(
        resources,
        store,
        CallbackKind.REFUND,
        kept(store, clock, posted("71", REFUND_TOLD)),
    )
    root = resources.settings.snapshot_root
    assert sql(root, CAME_BACK).rows == (("refunded", 500),)
    assert (
        sql(root, "select state from orders").rows
        == ((state(resources),),)
        == (("booked",),)
    )


async def test_a_refund_that_was_settled_without_its_rows_is_told_by_the_next_tracking(
    resources: Resources, channel: CountingChannel, clock: MovableClock
) -> None:
    """As by a callback to an earlier version, or by a run that died; what is told is
    not written again.
    """
    refunding(resources, channel)
    root = resources.settings.snapshot_root
    await track(resources, 10)
    assert sql(root, CAME_BACK).rows == (("asked", 0),)
    clock.advance(60)
    await follow_refunds.fn(
        resources, resources.ledger.refunds.of_orders(["B-1"]), label="B-1"
    )
    clock.advance(60)
    await track(resources, 10)
    assert sql(root, CAME_BACK).rows == (("refunded", 500),)
    clock.advance(60)
    written = len(list_snapshots(root))
    await track(resources, 10)
    assert len(list_snapshots(root)) == written


async def test_a_refund_that_an_earlier_version_has_lost_is_told_by_the_first_tracking_after_it(
    resources: Resources, channel: CountingChannel, clock: MovableClock
) -> None:
    """However old it is."""
    refunding(resources, channel)
    await follow_refunds.fn(
        resources, resources.ledger.refunds.of_orders(["B-1"]), label="B-1"
    )
    clock.advance(400 * 86_400)
    await track(resources, 10)
    assert sql(resources.settings.snapshot_root, CAME_BACK).rows == (("refunded", 500),)


async def test_tracking_goes_on_where_the_refunds_that_are_told_can_not_be_read(
    resources: Resources, channel: CountingChannel, caplog: pytest.LogCaptureFixture
) -> None:
    refunding(resources, channel)
    await track(resources, 10)
    for told_in in resources.settings.snapshot_root.rglob("refunds/**/*.parquet"):
        told_in.unlink()
    report = await track(resources, 10)
    assert (report.troubles, state(resources, "B-1")) == ([], "refunding")
    assert "rows that the tables lack could not be looked for" in caplog.text


async def test_a_price_that_rose_before_payment_holds_the_order_and_is_told(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
) -> None:
    """By the price that is read, not the one in the message."""
    ordered(resources, "B-1", "71")
    channel.show("71", ServiceStatus.UNPAID, reference="B-1", total=Money(1200))
    message = posted("71", "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", totalAmount=5)
    await handle_callbacks(
        resources, store, CallbackKind.PRICE, kept(store, clock, message)
    )
    assert state(resources) == "held"
    ((kind, body),) = told(resources)
    assert (
        kind,
        "the price rose after ordering: 12.00 CNY, approved 10.00 CNY" in body,
    ) == ("orders_wait", True)


async def test_a_held_price_that_moves_on_is_told_and_one_that_came_down_holds_no_more(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
) -> None:
    """Held with the newest price; within what was approved it waits to be paid, and
    nothing is paid here.
    """
    ordered(resources, "B-1", "71")
    seen = []
    for at, price in enumerate((1200, 1300, 1000)):
        channel.show("71", ServiceStatus.UNPAID, reference="B-1", total=Money(price))
        (*_, message) = kept(
            store, clock, posted("71", "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", at=at)
        )
        await handle_callbacks(resources, store, CallbackKind.PRICE, [message])
        seen.append(
            (state(resources), resources.ledger.orders(["B-1"])["B-1"].reason[:41])
        )
    assert seen == [
        ("held", "the price rose after ordering: 12.00 CNY,"),
        ("held", "the price rose after ordering: 13.00 CNY,"),
        ("ordered", "its price is within what was approved aga"),
    ]
    assert (len(told(resources)), channel.payments) == (3, [])


async def test_what_is_held_for_another_reason_stays_held(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
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
            OrderChange(order_ref=ref, state=OrderState.HELD, why=earlier(why))
            for ref, why in held
        ]
    )
    channel.show("71", ServiceStatus.UNPAID, reference="B-1", total=Money(1000))
    channel.away = True
    await handle_callbacks(
        resources,
        store,
        CallbackKind.PRICE,
        kept(store, clock, posted("71"), posted("72")),
    )
    channel.away = False
    (*_, message) = kept(store, clock, posted("71", at=2))
    await handle_callbacks(resources, store, CallbackKind.PRICE, [message])
    assert [
        (one.state, one.reason)
        for one in resources.ledger.orders(["B-1", "B-2"]).values()
    ] == [(OrderState.HELD, reason) for _, reason in held]


async def test_who_could_not_ask_lets_the_message_wait(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
) -> None:
    """Nobody says that an order was read while the service was away; messages of others
    are done.
    """
    ordered(resources, "B-1", "71", OrderState.PAID, OrderState.BOOKED)
    ordered(resources, "B-2", "72", OrderState.PAID, OrderState.BOOKED)
    channel.away = True
    report = await handle_callbacks(
        resources,
        store,
        CallbackKind.STATUS,
        kept(store, clock, posted("71"), posted("72"), posted("99")),
    )
    assert words(report) == {3: NOT_OURS}


async def test_messages_about_strangers_read_nothing(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
) -> None:
    """No order of ours: there is nothing to ask."""
    report = await handle_callbacks(
        resources, store, CallbackKind.STATUS, kept(store, clock, posted("99"))
    )
    assert (words(report), channel.reads) == ({1: NOT_OURS}, [])


async def test_order_and_repetition_do_not_matter(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
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
        messages = kept(
            store, clock, posted("71", f"ORDER_BUYER_VIEW_{name}", at=number)
        )
        await handle_callbacks(resources, store, CallbackKind.STATUS, messages[-1:])
        assert state(resources) == "in_warehouse"
    assert (
        len(resources.ledger.moves_of("B-1")) == 5
    )  # planned, ordered, paid, booked, in the warehouse


async def test_a_parcel_that_failed_its_inspection_is_told_once(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
) -> None:
    """In message and table; a second report of the same is no second message."""
    ordered(resources, "B-1", "71", OrderState.PAID, OrderState.BOOKED)
    parcel = DomesticParcel(tracking_number="YT1", company="", sent_at=None)
    channel.show(
        "71",
        ServiceStatus.SHIPPED,
        reference="B-1",
        paid=Money(1000),
        parcels=(parcel,),
    )
    reports = [
        parcel_report(
            "71", status="质检不通过", failed_remark="有污渍\x1b[2J", weight=weight
        )
        for weight in (1, 2)
    ]
    messages = kept(store, clock, *reports)
    clock.advance(10**5)  # nothing read it for a day
    for message in messages:
        await handle_callbacks(resources, store, CallbackKind.INBOUND, [message])
        clock.advance(1)
    ((kind, body),) = told(resources)
    assert (kind, "\x1b" in body) == ("parcel", False)
    assert (
        "Parcel YT1 of order B-1 at the warehouse needs a person. It did not pass"
        in body
    )
    assert "the warehouse's inspection (质检不通过): 有污渍" in body
    assert (
        "Its goods can go back to the seller until 2026-01-08 12:00 UTC: sourcing refund B-1 --kind return"
        in body
    )
    query = (
        "select inspection, weight_grams, is_shown, reason_code from parcels_received"
    )
    found = sql(resources.settings.snapshot_root, query).rows
    assert found == (("failed", 2000, True, "parcel_not_passed"),)


async def test_a_parcel_with_an_exception_is_told_once(
    resources: Resources, channel: CountingChannel, clock: MovableClock
) -> None:
    """With the carrier's words, without the receiver's name; a further scan of it is
    told no more.
    """
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
        report = await track(resources, 50)
        assert report.stuck == ["B-1"]
    assert summary_of(report) == "1 order: 0 moved, 1 new event, 1 stuck"
    ((kind, body),) = told(resources)
    assert (kind, name in body) == (MessageKind.PARCEL, False)
    assert body.startswith("1 parcel stuck: B-1. The carrier reports that it is stuck")


async def test_freight_is_estimated_for_the_lines_that_were_booked(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another came back before: with it, freight would be dearer than the booking for
    nothing.
    """
    estimated: list[list[int]] = []

    async def estimate(_: object, order: SourcingOrder) -> FreightQuote:
        estimated.append([line.line_no for line in order.lines])
        raise Refused("nobody ships there", operation="estimate")

    monkeypatch.setattr(tasks.parcels_received, "estimate", estimate)
    monkeypatch.setattr(
        resources.ledger.refunds,
        "unsent",
        lambda orders: dict.fromkeys(orders, frozenset({2})),
    )
    ordered(resources, "B-1", "71", OrderState.PAID, OrderState.BOOKED)
    (first,) = resources.ledger.orders(["B-1"])["B-1"].lines
    two = [to_json(first), to_json(replace(first, line_no=2))]
    booked = {
        "freight_service": "2",
        "freight_minor": 2160,
        "freight_currency": "USD",
        "lines": two,
    }
    resources.ledger.change([OrderChange(order_ref="B-1", writes=OrderUpdate(booked))])
    channel.show("71", ServiceStatus.SHIPPED, reference="B-1", paid=Money(1000))
    await handle_callbacks(
        resources, store, CallbackKind.INBOUND, kept(store, clock, parcel_report("71"))
    )
    assert estimated == [[1]]


async def test_freight_that_rose_since_the_booking_is_told_with_both_prices(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a fresh estimate of the service that was booked, not of a cheaper one; where
    there is none nothing is told.
    """
    prices = {"1": Money(900, "USD"), "2": Money(2500, "USD")}
    services = tuple(
        FreightService(
            service_id=number,
            company="UCS",
            category="",
            price=price,
            min_days=4,
            max_days=7,
        )
        for number, price in prices.items()
    )
    answers: list[FreightQuote | Refused] = [
        FreightQuote(render_id="", services=services),
        Refused("nobody ships there", operation="estimate"),
    ]

    async def estimate(_: object, order: SourcingOrder) -> FreightQuote:
        answer = answers.pop(0)
        if isinstance(answer, Refused):
            raise answer
        return answer

    monkeypatch.setattr(tasks.parcels_received, "estimate", estimate)
    for order_ref, order_id in (("B-1", "71"), ("B-2", "72")):
        ordered(resources, order_ref, order_id, OrderState.PAID, OrderState.BOOKED)
        booked = OrderUpdate(
            {"freight_service": "2", "freight_minor": 2160, "freight_currency": "USD"}
        )
        resources.ledger.change([OrderChange(order_ref=order_ref, writes=booked)])
        parcel = DomesticParcel(tracking_number="YT1", company="", sent_at=None)
        channel.show(
            order_id,
            ServiceStatus.SHIPPED,
            reference=order_ref,
            paid=Money(1000),
            parcels=(parcel,),
        )
        (*_, message) = kept(store, clock, parcel_report(order_id))
        await handle_callbacks(resources, store, CallbackKind.INBOUND, [message])
    words = "Its freight would be 25.00 USD by a fresh estimate, and was booked for 21.60 USD"
    assert (told(resources), answers) == (
        [
            (
                MessageKind.PARCEL,
                f"Parcel YT1 of order B-1 at the warehouse needs a person. {words}.",
            )
        ],
        [],
    )


async def test_a_parcel_heavier_than_those_before_it_is_told(
    resources: Resources,
    channel: CountingChannel,
    store: CallbackStore,
    clock: MovableClock,
) -> None:
    """By earlier parcels of the same goods, and only of a parcel that the service
    shows.
    """
    for order_ref, order_id in (("B-1", "71"), ("B-2", "72"), ("B-3", "73")):
        ordered(resources, order_ref, order_id, OrderState.PAID, OrderState.BOOKED)
        parcel = DomesticParcel(
            tracking_number=f"YT{order_id}", company="", sent_at=None
        )
        channel.show(
            order_id,
            ServiceStatus.SHIPPED,
            reference=order_ref,
            paid=Money(1000),
            parcels=(parcel,),
        )
    heard = [("71", "YT71", 0.4), ("72", "YT72", 1.2), ("73", "ELSE9", 9)]
    for order_id, number, weight in heard:
        (*_, message) = kept(
            store, clock, parcel_report(order_id, number, weight=weight)
        )
        report = await handle_callbacks(
            resources, store, CallbackKind.INBOUND, [message]
        )
        store.settle(report.outcomes)
    assert [body for _, body in told(resources)] == [
        "Parcel YT72 of order B-2 at the warehouse needs a person. It weighs 1.2 kg, and by earlier parcels of the "
        "same goods 0.4 kg were to be expected: freight may be charged anew.",
        "Parcel ELSE9 of order B-3 at the warehouse needs a person. The service shows no such parcel for this order: "
        "its report is not believed.",
    ]


async def test_a_database_that_is_away_for_a_moment_does_not_end_the_renewing(
    clock: MovableClock,
) -> None:
    """Else the messages would go to a second run while this one works on them, and
    count a death.
    """
    tries = iter([LedgerUnusable("away"), None, None])
    renewed = asyncio.Event()

    class Renewing:
        def renew(self, ticket: str) -> None:
            if error := next(tries):
                raise error
            renewed.set()

    async with lease_renewed(cast(Any, Renewing()), "1"):
        await asyncio.wait_for(renewed.wait(), 5)
