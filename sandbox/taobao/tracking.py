"""Taobao logistics details: the trace of a sub-order's parcels."""

from __future__ import annotations

from typing import Any

from sandbox.entities import Order, OrderLine
from sandbox.lifecycle import Event, moved, past, sent_parcel
from sandbox.operations import Call, Operations
from sandbox.refusals import order_not_found
from sandbox.taobao.views import taobao_number
from sandbox.times import china_text
from sandbox.warehouse.views import booked_parcels
from sandbox.world import World

operations = Operations()


@operations.get("/open/order/logistics/detail/get")
def logistics_details(world: World, call: Call) -> dict[str, Any]:
    sub_id = call.query.identifier("subPurchaseOrderId")
    found = world.books.order_of_line(sub_id)
    if found is None or found[0].marketplace != "taobao":
        raise order_not_found(sub_id)
    order, line = found
    return {
        "purchaseOrderOuterId": taobao_number(order),
        "pnmLogisticsDetails": _domestic(order, line, world.now())
        + _international(world, order, line),
    }


def _domestic(order: Order, line: OrderLine, now: int) -> list[dict[str, Any]]:
    parcel = sent_parcel(order, now)
    if parcel is None or line.withdrawn_at is not None:
        return []
    return [
        _detail(
            parcel.number,
            parcel.company,
            past(parcel.events, now),
            order.warehouse,
            line,
        )
    ]


def _international(world: World, order: Order, line: OrderLine) -> list[dict[str, Any]]:
    return [
        _detail(parcel.tracking_number, parcel.company, events, shipment.receiver, line)
        for shipment, parcel in booked_parcels(world, order)
        if parcel.carries(line.item_id, line.sku_id)
        and (events := moved(order, shipment, parcel.tracking_number, world.now()))
    ]


def _detail(
    number: str,
    company: str,
    events: list[Event],
    receiver: dict[str, Any],
    line: OrderLine,
) -> dict[str, Any]:
    return {
        "mailNo": number,
        "logisticsTraces": [_trace(event) for event in events],
        "logisticsPartner": [
            {"company": company, "companyContact": "", "companyImageUrl": ""}
        ],
        "receiver": {
            "name": receiver.get("name"),
            "phone": receiver.get("phone") or receiver.get("mobilePhone"),
            "province": receiver.get("state"),
            "city": receiver.get("city"),
            "district": receiver.get("district"),
            "address": receiver.get("address"),
            "zipCode": receiver.get("zip"),
        },
        "logisticsGoods": [
            {
                "title": line.title,
                "property": "",
                "imageUrl": "",
                "quantity": line.quantity,
            }
        ],
    }


def _trace(event: Event) -> dict[str, Any]:
    return {
        "time": china_text(event.at),
        "status": event.status,
        "statusDesc": event.text,
        "action": event.action,
        "standerdDesc": event.text,
        "facilityName": "",
        "province": "",
        "city": event.city,
        "district": "",
        "nextCity": "",
        "nextNodeName": "",
    }
