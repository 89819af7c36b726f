"""An order of ours as the service knows it: its status, amounts, parcels and trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.money import Money
from domain.states import OrderState


class ServiceStatus(StrEnum):
    """An order's status at the marketplace, in one vocabulary for all of them (contract
    4).
    """

    BUILDING = "building"
    UNPAID = "unpaid"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_REFUSED = "payment_refused"
    PAID = "paid"
    SHIPPED = "shipped"
    FINISHED = "finished"
    CLOSED = "closed"
    OTHER = "other"

    @property
    def is_paid(self) -> bool:
        return self in (
            ServiceStatus.PAID,
            ServiceStatus.SHIPPED,
            ServiceStatus.FINISHED,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DomesticParcel:
    """A parcel from the seller to the warehouse. `sent_at` is UTC."""

    tracking_number: str
    company: str
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """An international shipment: the booking's order id and one tracking number a
    parcel.
    """

    shipment_order_id: str
    tracking_numbers: tuple[str, ...]
    company: str = ""
    tracking_urls: tuple[str, ...] = ()
    render_id: str = ""
    fee: Money | None = None
    items: tuple[ShipmentItem, ...] = ()

    def renumbered(self, shown: Sequence[Shipment]) -> Shipment | None:
        """This booking with the tracking numbers that it has now; None where no others
        are shown for it alone.
        """
        news = [
            shipment
            for shipment in shown
            if not set(shipment.tracking_numbers) <= set(self.tracking_numbers)
        ]
        if (
            len(shown) != 1
            or not news
            or news[0].shipment_order_id != self.shipment_order_id
        ):
            return None
        (shipment,) = news
        new = shipment.tracking_numbers
        new_numbers = [
            tracking_number
            for tracking_number in shipment.tracking_numbers
            if tracking_number not in self.tracking_numbers
        ]
        items = tuple(
            item
            if item.tracking_number in new
            else replace(item, tracking_number=new_numbers[0])
            for item in self.items
        )
        company = shipment.company or self.company
        return replace(
            shipment,
            company=company,
            render_id=self.render_id,
            fee=self.fee,
            items=items,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentItem:
    """The contents of the parcel under one tracking number."""

    tracking_number: str
    item_id: str
    sku_id: str
    quantity: int
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """Pieces of one SKU in an order, by the marketplace's own ids."""

    item_id: str
    sku_id: str
    quantity: int


class ReferenceField(StrEnum):
    """Where an order shows our reference, in words for people; see `ServiceOrder`."""

    REFERENCE = "reference"
    OWN_ID = "outOrderId"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOrder:
    """One order as the service shows it. Times are UTC. `paid` is None while unpaid,
    also where 0 is shown.

    `reference` is what stands where the contract has room for ours, `own_id` what
    stands in `outOrderId` (1688 and big_major, assumed). Either may be empty, or
    foreign. `parts` are the ids by which the marketplace traces parcels (Taobao
    sub-orders; 1688 none). `state_word` is the marketplace's own word for the status.
    `goods` are those that it still has. `is_partly_sent`: some goods have no parcel
    yet. `scans` are those of its parcels, where the order itself has them.
    """

    order_id: str
    reference: str
    status: ServiceStatus
    total: Money
    paid: Money | None
    created_at: datetime | None
    paid_at: datetime | None = None
    close_reason: str = ""
    parts: tuple[str, ...] = ()
    parcels: tuple[DomesticParcel, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    own_id: str = ""
    state_word: str = ""
    goods: tuple[Goods, ...] = ()
    is_partly_sent: bool = False
    scans: tuple[TrackingEvent, ...] = ()

    def __post_init__(self) -> None:
        if self.paid is not None and self.paid.minor <= 0:
            object.__setattr__(self, "paid", None)

    def places_of(self, order_ref: str) -> frozenset[ReferenceField]:
        """Where the order shows exactly this reference."""
        references = {
            ReferenceField.REFERENCE: self.reference,
            ReferenceField.OWN_ID: self.own_id,
        }
        return frozenset(
            reference_field
            for reference_field, name in references.items()
            if name == order_ref
        )

    @property
    def payment(self) -> datetime | Money | None:
        """The fact that shows a payment, whatever the status says: its time or its
        amount; None for neither.
        """
        return self.paid_at or self.paid

    @property
    def costs(self) -> Money:
        """What was paid, else what is to be paid."""
        return self.paid or self.total

    @property
    def taken(self) -> Money | None:
        """What a paid order took from the wallet; None where no amount above zero is
        shown, since nothing is free.
        """
        return self.costs if self.costs.minor > 0 else None

    @property
    def names(self) -> tuple[str, ...]:
        """Every reference that the order shows, whatever its origin."""
        return tuple(
            dict.fromkeys(name for name in (self.reference, self.own_id) if name)
        )


class TraceStatus(StrEnum):
    """The stage that a tracking event reports (contract 3.4, `statusChanged`; from
    `WAITING` on upstream's).
    """

    CONSIGN = "CONSIGN"
    ACCEPT = "ACCEPT"
    TRANSPORT = "TRANSPORT"
    DELIVERING = "DELIVERING"
    SIGN = "SIGN"
    WAITING = "WAITING"  # not picked up yet
    CUSTOMS = "CUSTOMS"
    EXCEPTION = "EXCEPTION"
    REJECTED = "REJECTED"
    RETURNED = "RETURNED"
    OTHER = "OTHER"


GONE_BACK = frozenset({TraceStatus.REJECTED, TraceStatus.RETURNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingEvent:
    """One scan of one parcel; `occurred_at` is UTC. `unknown_word` is the carrier's
    word for a stage unknown here.
    """

    tracking_number: str
    occurred_at: datetime
    status: TraceStatus
    description: str
    place: str = ""
    unknown_word: str = ""


def arrived(events: Iterable[TrackingEvent]) -> set[str]:
    """The parcels that are signed for. One that went back is not: its sender signs for
    it.
    """
    tracking_events = list(events)
    back = {
        event.tracking_number for event in tracking_events if event.status in GONE_BACK
    }
    return {
        event.tracking_number
        for event in tracking_events
        if event.status is TraceStatus.SIGN
    } - back


def state_from_parcels(
    service_order: ServiceOrder,
    events: Sequence[TrackingEvent],
    international: Iterable[str],
) -> OrderState | None:
    """The furthest state that the service's order and events prove; None when they
    prove nothing beyond booking.

    Delivered means that every international parcel is signed for, in the warehouse that
    every domestic one is, and that all goods are in a parcel: while the order is paid,
    its seller still has to send. One that waits to be picked up has not moved.
    """
    numbers = set(international)
    moved = [event for event in events if event.status is not TraceStatus.WAITING]
    abroad = [event for event in moved if event.tracking_number in numbers]
    domestic = [event for event in moved if event.tracking_number not in numbers]
    if numbers and arrived(abroad) == numbers:
        return OrderState.DELIVERED
    if abroad:
        return OrderState.IN_TRANSIT
    parcels = {parcel.tracking_number for parcel in service_order.parcels}
    is_partly_sent = (
        service_order.is_partly_sent or service_order.status is ServiceStatus.PAID
    )
    if parcels and parcels <= arrived(domestic) and not is_partly_sent:
        return OrderState.IN_WAREHOUSE
    if (
        parcels
        or domestic
        or service_order.status in (ServiceStatus.SHIPPED, ServiceStatus.FINISHED)
    ):
        return OrderState.SHIPPED
    return None
