"""1688 logistics: the trace of an order's parcels."""

from __future__ import annotations

from typing import Any

from sandbox.dialects.tracking_404 import TRACKING_404
from sandbox.entities import Order
from sandbox.lifecycle import Event, moved, past, sent_parcel
from sandbox.operations import Call, Operations
from sandbox.ordering import order_named
from sandbox.refusals import NO_SUCH_OPERATION, Refusal
from sandbox.times import china_text
from sandbox.warehouse.views import booked_parcels
from sandbox.world import World

operations = Operations()


@operations.get("/alibaba/order/logistics/trace/get")
def trace(world: World, call: Call) -> dict[str, Any]:
    return order_trace(
        world, order_named(world, "1688", call.query.identifier("orderId"))
    )


def order_trace(world: World, order: Order) -> dict[str, Any]:
    """The parcels of an order of 1688, or of its big sellers, with their events."""
    parcels = _domestic(order, world.now()) + _international(world, order)
    if not parcels and TRACKING_404 in world.dialects:
        raise Refusal(NO_SUCH_OPERATION, "no logistics of this order")
    return {"logisticsTrace": parcels}


def _domestic(order: Order, now: int) -> list[dict[str, Any]]:
    parcel = sent_parcel(order, now)
    return (
        [_trace(order, parcel.number, parcel.company, past(parcel.events, now))]
        if parcel
        else []
    )


def _international(world: World, order: Order) -> list[dict[str, Any]]:
    return [
        _trace(order, parcel.tracking_number, parcel.company, events)
        for shipment, parcel in booked_parcels(world, order)
        if (events := moved(order, shipment, parcel.tracking_number, world.now()))
    ]


def _trace(
    order: Order, number: str, company: str, events: list[Event]
) -> dict[str, Any]:
    return {
        "logisticsId": f"LP{number}",
        "orderId": order.id,
        "logisticsBillNo": number,
        "logisticsCompanyName": company,
        "logisticsSteps": [
            {
                "acceptTime": china_text(event.at),
                "remark": event.text,
                "status": event.status,
            }
            for event in events
        ],
    }
