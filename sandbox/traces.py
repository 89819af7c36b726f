"""An order's parcels with their traces, for the marketplaces whose order list carries
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sandbox.entities import Order, Parcel, Shipment
from sandbox.lifecycle import Event, modified_at, moved, past, sent_parcel
from sandbox.warehouse.views import booked_parcels, international_view
from sandbox.world import World

WrittenTime = Callable[[int], int | str]


def trace_rows(events: Iterable[Event], written: WrittenTime) -> list[dict[str, Any]]:
    return [
        {"time": written(event.at), "status": event.status, "desc": event.text}
        for event in events
    ]


def international_logistics(
    world: World, order: Order, written: WrittenTime
) -> list[dict[str, Any]]:
    return [
        {**international_view(shipment, parcel), "traces": trace_rows(events, written)}
        for shipment, parcel, events in _travelling(world, order)
    ]


def _travelling(
    world: World, order: Order
) -> Iterator[tuple[Shipment, Parcel, list[Event]]]:
    now = world.now()
    for shipment, parcel in booked_parcels(world, order):
        yield shipment, parcel, moved(order, shipment, parcel.tracking_number, now)


def trace_modified_at(world: World, order: Order) -> int:
    """The time of the order's last change; every step of its parcels counts."""
    now = world.now()
    sent = sent_parcel(order, now)
    steps = past(sent.events, now) if sent else []
    for _, _, events in _travelling(world, order):
        steps += events
    return max([modified_at(order, now), *(step.at for step in steps)])
