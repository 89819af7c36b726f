"""A booked parcel in answers."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.entities import Order, Parcel, Shipment
from sandbox.world import World

TRACKING_PAGE = "https://www.far800.com/logistics/result?key="


def booked_parcels(world: World, order: Order) -> Iterator[tuple[Shipment, Parcel]]:
    for shipment_id in order.shipment_ids:
        shipment = world.books.shipments[shipment_id]
        yield from ((shipment, parcel) for parcel in shipment.parcels)


def international_view(shipment: Shipment, parcel: Parcel) -> dict[str, str]:
    """One entry of an order's international logistics, on Taobao and 1688 alike."""
    return {
        "orderId": shipment.id,
        "logisticNumer": parcel.tracking_number,
        "logisticCompanyName": parcel.company,
        "trackingUrl": TRACKING_PAGE + parcel.tracking_number,
        "renderId": shipment.render_id,
    }
