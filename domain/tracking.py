"""The state of an order as its parcels' events prove it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domain.service_orders import ServiceOrder, ServiceStatus, TraceStatus, TrackingEvent
from domain.states import OrderState


def state_from_parcels(
    shown: ServiceOrder, events: Sequence[TrackingEvent], international: Iterable[str]
) -> OrderState | None:
    """The furthest state that the service's order and events prove; None when they prove nothing beyond booking.

    Delivered means that every international parcel is signed for.
    """
    numbers = set(international)
    abroad = [event for event in events if event.tracking_number in numbers]
    domestic = [event for event in events if event.tracking_number not in numbers]
    signed = {event.tracking_number for event in abroad if event.status is TraceStatus.SIGN}
    if numbers and signed == numbers:
        return OrderState.DELIVERED
    if abroad:
        return OrderState.IN_TRANSIT
    parcels = {parcel.tracking_number for parcel in shown.parcels}
    arrived = {event.tracking_number for event in domestic if event.status is TraceStatus.SIGN}
    if parcels and parcels <= arrived:
        return OrderState.IN_WAREHOUSE
    if parcels or domestic or shown.status in (ServiceStatus.SHIPPED, ServiceStatus.FINISHED):
        return OrderState.SHIPPED
    return None
