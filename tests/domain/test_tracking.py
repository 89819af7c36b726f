"""Where an order stands, told by its parcels."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.money import Money
from domain.service_orders import (
    DomesticParcel,
    ServiceOrder,
    ServiceStatus,
    Shipment,
    ShipmentItem,
    TraceStatus,
    TrackingEvent,
    state_from_parcels,
)
from domain.states import OrderState

AT = datetime(2026, 1, 1, tzinfo=UTC)


def event(number: str, status: TraceStatus) -> TrackingEvent:
    return TrackingEvent(
        tracking_number=number, occurred_at=AT, status=status, description=""
    )


def order(*parcels: str, status: ServiceStatus = ServiceStatus.SHIPPED) -> ServiceOrder:
    sent = tuple(
        DomesticParcel(tracking_number=number, company="顺丰", sent_at=AT)
        for number in parcels
    )
    return ServiceOrder(
        order_id="1",
        reference="A",
        status=status,
        total=Money(1),
        paid=Money(1),
        created_at=AT,
        parcels=sent,
    )


SIGN = TraceStatus.SIGN
TRANSPORT = TraceStatus.TRANSPORT
WAITING = TraceStatus.WAITING


@pytest.mark.parametrize(
    ("shown", "events", "state"),
    [
        (order(status=ServiceStatus.PAID), [], None),
        (order("SF1"), [], OrderState.SHIPPED),
        (
            order("SF1", status=ServiceStatus.PAID),
            [event("SF1", SIGN)],
            OrderState.SHIPPED,
        ),  # more is to be sent
        (order("SF1"), [event("SF1", TRANSPORT)], OrderState.SHIPPED),
        (order("SF1", "SF2"), [event("SF1", SIGN)], OrderState.SHIPPED),
        (order("SF1"), [event("SF1", SIGN)], OrderState.IN_WAREHOUSE),
        (
            order(status=ServiceStatus.PAID),
            [event("FAR1", WAITING)],
            None,
        ),  # its label is made with the booking
        (
            order("SF1"),
            [event("SF1", SIGN), event("FAR1", WAITING)],
            OrderState.IN_WAREHOUSE,
        ),
        (
            order("SF1"),
            [event("SF1", SIGN), event("FAR1", TRANSPORT)],
            OrderState.IN_TRANSIT,
        ),
        (
            order("SF1"),
            [event("FAR1", SIGN), event("FAR2", TRANSPORT)],
            OrderState.IN_TRANSIT,
        ),
        (
            order("SF1"),
            [event("FAR1", SIGN), event("FAR2", SIGN)],
            OrderState.DELIVERED,
        ),
    ],
)
def test_the_furthest_proven_state_is_told(
    shown: ServiceOrder, events: list[TrackingEvent], state: OrderState
) -> None:
    """Every parcel of a leg must be signed for before the leg counts as over."""
    assert state_from_parcels(shown, events, ["FAR1", "FAR2"]) is state


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (("FAR1", "FAR9"), ["FAR1", "FAR9"]),
        (("FAR1", "FAR2", "FAR3"), ["FAR1", "FAR2"]),
        (("FAR2", "FAR1", "FAR3"), ["FAR1", "FAR2"]),
        (("FAR8", "FAR9"), ["FAR8", "FAR8"]),
    ],
)
def test_goods_stay_in_the_parcel_whose_number_is_still_shown(
    shown: tuple[str, ...], told: list[str]
) -> None:
    """Those of a number that is gone travel under the first new one."""
    items = [
        ShipmentItem(tracking_number=f"FAR{n}", item_id=f"{n}", sku_id="s", quantity=1)
        for n in (1, 2)
    ]
    booked = Shipment(
        shipment_order_id="S-1", tracking_numbers=("FAR1", "FAR2"), items=tuple(items)
    )
    shipment = booked.renumbered(
        [Shipment(shipment_order_id="S-1", tracking_numbers=shown)]
    )
    assert shipment is not None
    assert [item.tracking_number for item in shipment.items] == told
