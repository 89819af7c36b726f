"""Following parcels: while money is asked back, under changed numbers, past a
marketplace that can't be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from connectors.foreign import Defect
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.ledger.schema import to_json
from connectors.marketplaces import Offering
from connectors.xportcn.errors import Misconfigured
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import (
    DomesticParcel,
    ServiceOrder,
    ServiceStatus,
    Shipment,
    ShipmentItem,
    TraceStatus,
    TrackingEvent,
)
from domain.states import OrderState
from flows.sync_tracking import track
from tasks.effects import parcel_report
from tasks.effects.book import Book
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.tasks.test_callback_handling import CountingChannel, channel, ordered, told

__all__ = ["channel"]
ITEM = ShipmentItem(tracking_number="FAR1", item_id="1", sku_id="2", quantity=2)
BOOKED = Shipment(
    shipment_order_id="S-1", tracking_numbers=("FAR1",), company="UCS", items=(ITEM,)
)
REPORTS = dict[str, list[list[str]]]


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> REPORTS:
    """The domestic numbers of each report to the warehouse, by order id."""
    made: REPORTS = {}

    async def update(*args: Any, **_: Any) -> None:
        made.setdefault(args[3], []).append(
            [parcel.tracking_number for parcel in args[4]]
        )

    monkeypatch.setattr(parcel_report, "update_domestic", update)
    return made


def booked(
    resources: Resources, *further: OrderState, shipment: Shipment = BOOKED
) -> None:
    ordered(resources, "B-1", "71", OrderState.PAID, OrderState.BOOKED)
    writes = OrderUpdate(
        {"shipment": to_json(shipment), "shipment_order_id": shipment.shipment_order_id}
    )
    resources.ledger.change([OrderChange(order_ref="B-1", writes=writes)])
    resources.ledger.change(
        [OrderChange(order_ref="B-1", state=state) for state in further]
    )


def shown(channel: CountingChannel, *numbers: str, **values: Any) -> None:
    parcels = tuple(
        DomesticParcel(tracking_number=one, company="", sent_at=None) for one in numbers
    )
    values = {"status": ServiceStatus.SHIPPED, "parcels": parcels} | values
    channel.show("71", reference="B-1", paid=Money(1000), **values)


def order(resources: Resources, order_ref: str = "B-1") -> OrderRecord:
    return resources.ledger.orders([order_ref])[order_ref]


def scan(
    number: str, clock: MovableClock, status: TraceStatus = TraceStatus.TRANSPORT
) -> TrackingEvent:
    return TrackingEvent(
        tracking_number=number, occurred_at=clock(), status=status, description=""
    )


async def test_parcels_are_followed_while_money_is_asked_back(
    resources: Resources,
    channel: CountingChannel,
    clock: MovableClock,
    reports: REPORTS,
) -> None:
    """Of a line that is missing; the others travel on, and a parcel that the warehouse
    can't match lies there.
    """
    booked(resources, OrderState.REFUNDING)
    shown(channel, "SF1")
    channel.events = [scan("SF1", clock)]
    report = await track(resources)
    assert (reports, report.new_events) == ({"71": [["SF1"]]}, 1)
    assert order(resources).state is OrderState.REFUNDING
    shown(channel, "SF1", status=ServiceStatus.CLOSED)  # its refund says so soon
    await track(resources)
    assert order(resources).state is OrderState.REFUNDING


@pytest.mark.parametrize(
    ("told", "ends"),
    [
        (because(ReasonCode.REST_IS_LOST, by="ann", answer="came-back 9.50"), True),
        (
            because(
                ReasonCode.REFUND_CAME_BACK,
                refunded=Money(950),
                what="refund of 10.00 CNY",
            ),
            False,
        ),
        (because(ReasonCode.ANSWERED, by="ann", answer="not-refunded"), False),
    ],
    ids=["told", "read", "told-of-another"],
)
async def test_what_came_back_of_a_closed_order_is_asked_for_until_a_person_tells_it(
    resources: Resources,
    channel: CountingChannel,
    reports: REPORTS,
    told: Reason,
    *,
    ends: bool,
) -> None:
    """Less than all did: the rest is lost, and the answer ends the question. A refund
    may end before it was closed.
    """
    booked(resources)
    resources.ledger.change(
        [OrderChange(order_ref="B-1", writes=OrderUpdate({"paid_minor": 1000}))]
    )
    shown(channel, status=ServiceStatus.CLOSED)
    await track(resources)
    assert order(resources).reason_code is ReasonCode.CLOSED_AFTER_PAYMENT
    resources.ledger.change(
        [
            replace(
                order(resources).stays(told),
                writes=OrderUpdate({"refunded_minor": 950}),
            )
        ]
    )
    await track(resources)
    assert (order(resources).why == told) is ends


@pytest.mark.parametrize("is_first_left", [True, False])
@pytest.mark.parametrize("has_refund", [True, False])
async def test_an_order_with_several_shipments_goes_on_with_the_one_that_is_left(
    resources: Resources,
    channel: CountingChannel,
    reports: REPORTS,
    *,
    is_first_left: bool,
    has_refund: bool,
) -> None:
    """A person cancels the others at the warehouse; the ledger had taken the first one.
    A part may have come back.
    """
    both = (BOOKED, Shipment(shipment_order_id="S-2", tracking_numbers=("FAR2",)))
    booked(resources)
    why = because(ReasonCode.SEVERAL_SHIPMENTS, count=2, ids=["S-1", "S-2"])
    resources.ledger.change([order(resources).held(why)])
    shown(channel, shipments=both)
    await track(resources)
    assert (order(resources).state, order(resources).why) == (OrderState.HELD, why)
    if has_refund:
        resources.ledger.change(
            [OrderChange(order_ref="B-1", state=OrderState.REFUNDING)]
        )
        back = because(
            ReasonCode.REFUND_CAME_BACK, refunded=Money(50), what="refund of 0.50 CNY"
        )
        resources.ledger.change([order(resources).held(back)])
        await track(resources)
        assert (order(resources).state, order(resources).why) == (
            OrderState.HELD,
            why,
        ), "its question is back"
    before = order(resources)
    shown(channel, shipments=both[::-1])
    await track(resources)
    assert order(resources) == before, "in another order they are no news"
    [left] = both[:1] if is_first_left else both[1:]
    shown(channel, shipments=(left,))
    await track(resources)
    now = order(resources)
    assert (now.state, now.why, now.shipment_order_id) == (
        OrderState.BOOKED,
        None,
        left.shipment_order_id,
    )
    assert now.tracking_numbers == list(left.tracking_numbers)


DEARER = because(
    ReasonCode.FREIGHT_CHARGED_MORE, fee=Money(9900, "USD"), approved=Money(1500, "USD")
)
COUNTED = because(
    ReasonCode.PAID_COUNTED_WITH, amount=Money(1000), differs="9.99 CNY were shown"
)


@pytest.mark.parametrize("why", [DEARER, COUNTED])
async def test_what_was_charged_beyond_the_approved_stays_with_the_order_on_its_way(
    resources: Resources,
    channel: CountingChannel,
    clock: MovableClock,
    reports: REPORTS,
    why: Reason,
) -> None:
    """Its parcel is scanned: the difference is still to be asked for."""
    booked(resources)
    resources.ledger.change([order(resources).stays(why)])
    shown(channel, "SF1", shipments=(BOOKED,))
    await track(resources)
    assert (order(resources).state, order(resources).why) == (OrderState.SHIPPED, why)


async def test_a_payment_that_was_counted_with_another_amount_keeps_its_note_until_it_is_booked(
    resources: Resources, channel: CountingChannel, reports: REPORTS
) -> None:
    ordered(resources, "B-1", "71", OrderState.PAID)
    resources.ledger.change([order(resources).stays(COUNTED)])
    shown(channel, status=ServiceStatus.PAID)
    await track(resources)
    assert (order(resources).state, order(resources).why) == (OrderState.PAID, COUNTED)
    change = Book(resources).shipped(
        order(resources), (replace(BOOKED, fee=Money(9900, "USD")),)
    )
    assert change.why
    assert change.why.code is DEARER.code


async def test_each_report_names_all_parcels_of_the_order(
    resources: Resources, channel: CountingChannel, reports: REPORTS
) -> None:
    """Where the service replaces what it knew, none of them is lost; where it adds, one
    stands there twice.
    """
    booked(resources)
    shown(channel, "SF1")
    await track(resources)
    shown(channel, "SF2", "SF1")
    await track(resources)
    await track(resources)
    assert reports == {"71": [["SF1"], ["SF2", "SF1"]]}


@pytest.mark.parametrize(("shows", "told"), [((), [1]), ((ITEM,), [1, 2])])
async def test_a_line_that_is_in_no_booking_is_told_to_no_warehouse(
    resources: Resources,
    channel: CountingChannel,
    monkeypatch: pytest.MonkeyPatch,
    shows: Sequence[ShipmentItem],
    told: list[int],
) -> None:
    """It came back before. Where the booking shows its items, all lines give them
    pictures and ids.
    """
    named: list[list[int]] = []

    async def update(*_: Any, lines: Sequence[OrderLine], **__: Any) -> None:
        named.append([line.line_no for line in lines])

    monkeypatch.setattr(parcel_report, "update_domestic", update)
    monkeypatch.setattr(
        resources.ledger.refunds,
        "unsent",
        lambda orders: dict.fromkeys(orders, frozenset({2})),
    )
    booked(resources, shipment=replace(BOOKED, items=tuple(shows)))
    (first,) = order(resources).lines
    two = [to_json(first), to_json(replace(first, line_no=2))]
    resources.ledger.change(
        [OrderChange(order_ref="B-1", writes=OrderUpdate({"lines": two}))]
    )
    shown(channel, "SF1")
    await track(resources)
    assert named == [told]


async def test_numbers_that_come_after_the_booking_or_change_are_taken(
    resources: Resources,
    channel: CountingChannel,
    clock: MovableClock,
    reports: REPORTS,
) -> None:
    """Else its scans abroad count as domestic. Several shipments, or another one, are
    left to the reconciliation.
    """
    booked(
        resources,
        shipment=Shipment(shipment_order_id="S-1", tracking_numbers=(), company="UCS"),
    )
    channel.events = [scan("FAR2", clock)]
    other = Shipment(shipment_order_id="S-2", tracking_numbers=("FAR9",))
    for shipments, numbers in (
        ((BOOKED,), ["FAR1"]),
        ((Shipment(shipment_order_id="S-1", tracking_numbers=()),), ["FAR1"]),
        ((other,), ["FAR1"]),
        ((BOOKED, other), ["FAR1"]),
        ((Shipment(shipment_order_id="S-1", tracking_numbers=("FAR2",)),), ["FAR2"]),
    ):
        shown(channel, "SF1", shipments=shipments)
        await track(resources)
        assert order(resources).tracking_numbers == numbers
    found = order(resources)
    assert found.shipment is not None
    assert (found.shipment.company, found.state) == ("UCS", OrderState.IN_TRANSIT)
    booked_items = resources.ledger.orders(["B-1"])["B-1"].shipment
    assert booked_items is not None
    assert {item.tracking_number for item in booked_items.items} <= {"FAR2"}


class NotSet(CountingChannel):
    """A marketplace whose path the service refuses."""

    async def read(
        self, order_ids: Sequence[str], *, may_lag: bool = False
    ) -> dict[str, ServiceOrder]:
        raise Misconfigured("the module is not open")


async def test_a_marketplace_that_can_not_be_asked_keeps_no_other_from_being_followed(
    resources: Resources, channel: CountingChannel, reports: REPORTS
) -> None:
    """The run says so once the others are read, told and written."""
    booked(resources)
    ordered(resources, "A-3", "72", OrderState.PAID, OrderState.BOOKED)
    resources.offerings[Marketplace.POIZON] = Offering(
        cast(Any, NotSet()), cast(Any, None)
    )
    resources.ledger.change(
        [
            OrderChange(
                order_ref="A-3",
                writes=OrderUpdate({"marketplace": str(Marketplace.POIZON)}),
            )
        ]
    )
    shown(channel, "SF1")
    with pytest.raises(Misconfigured, match="the module is not open"):
        await track(resources)
    assert (order(resources).state, order(resources, "A-3").state) == (
        OrderState.SHIPPED,
        OrderState.BOOKED,
    )
    report = await track(resources, only=["A-3", "B-1"])
    assert (report.unasked, report.troubles) == (
        ["A-3"],
        ["A-3: the module is not open; the next run asks about them"],
    )


async def test_one_order_that_the_service_has_not_any_more_keeps_no_other_from_being_followed(
    resources: Resources, channel: CountingChannel
) -> None:
    """Code 404 inside an answer is about that order; as HTTP status it is about the
    path.
    """

    class Lacks(CountingChannel):
        async def read(
            self, order_ids: Sequence[str], *, may_lag: bool = False
        ) -> dict[str, ServiceOrder]:
            if "72" in order_ids:
                raise Misconfigured("no such order", code="404", status=200)
            return await super().read(order_ids)

    lacks = Lacks(orders=channel.orders)
    resources.offerings[Marketplace.TAOBAO] = Offering(
        cast(Any, lacks), cast(Any, None)
    )
    booked(resources)
    ordered(resources, "A-3", "72", OrderState.PAID, OrderState.BOOKED)
    shown(channel)
    report = await track(resources)
    unread = [trouble.partition(":")[0] for trouble in report.troubles]
    assert (unread, order(resources).state) == (
        ["A-3"],
        OrderState.SHIPPED,
    )


async def test_each_parcel_that_goes_back_is_told_even_if_the_run_ends_right_after(
    resources: Resources,
    channel: CountingChannel,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its scan is new once; and another parcel of the order is another message."""
    booked(resources)
    shown(channel)

    async def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("flows.sync_tracking.EventFeed.emit", killed)
        channel.events = [scan("SF1", clock, TraceStatus.RETURNED)]
        with pytest.raises(RuntimeError, match="killed"):
            await track(resources)
    (body,) = told(resources)
    assert body.startswith("Parcels on their way back: B-1")
    clock.advance(3600)
    channel.events += [
        scan("SF1", clock, TraceStatus.RETURNED),
        scan("SF2", clock, TraceStatus.RETURNED),
    ]
    report = await track(resources)
    assert report.returned == ["B-1"]
    (body,) = told(resources)
    assert body.startswith("Parcels on their way back: B-1")
    assert causes(resources, "returned:") >= {"returned:B-1:SF1", "returned:B-1:SF2"}


@pytest.mark.parametrize("earlier", [0, 1], ids=["no run before", "a run before"])
async def test_scans_of_a_run_that_was_killed_before_it_told_of_them_are_told_by_the_next(
    resources: Resources,
    channel: CountingChannel,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
    earlier: int,
) -> None:
    """They are known by then, and no news of its own; its report counts the scans that
    it read.
    """
    booked(resources)
    shown(channel)
    for _ in range(earlier):
        await track(resources)
        clock.advance(8 * 24 * 3600)

    async def killed(_: object) -> None:
        raise Defect("killed")

    with monkeypatch.context() as patch:
        patch.setattr("flows.sync_tracking._notify_of_scans", killed)
        returned = replace(scan("SF1", clock), description="快件已退回")
        channel.events = [
            returned,
            scan("SF2", clock, TraceStatus.EXCEPTION),
            scan("SF3", clock),
        ]
        with pytest.raises(Defect, match="killed"):
            await track(resources)
    assert told(resources) == []
    clock.advance(3600)
    report = await track(resources)
    await track(resources)
    assert (report.new_events, report.returned, report.stuck) == (0, [], [])
    assert "returned:B-1:SF1" in causes(resources, "returned:")
    assert "stuck:B-1:SF2" in causes(resources, "stuck:")
    assert len(told(resources)) == 2


async def test_an_order_that_is_held_for_a_week_is_not_read_each_hour_any_more(
    resources: Resources, channel: CountingChannel, clock: MovableClock
) -> None:
    """A closed or lost one may stay held for years, and a day has so many calls; a
    person reads it all the same.
    """
    ordered(resources, "B-1", "71", OrderState.PAID, OrderState.HELD)
    shown(channel)
    reads = []
    for hours in (1, 1, 24 * 7, 1, 1):
        clock.advance(hours * 3600)
        channel.reads.clear()
        await track(resources, due_only=True)
        reads.append(len(channel.reads))
    assert reads == [1, 1, 1, 0, 0]
    await track(resources)
    assert len(channel.reads) == 1


def causes(resources: Resources, prefix: str) -> set[str]:
    return {*resources.ledger.outbox.causes(prefix)}
