"""The tables of shipments and their tracking: their rows are of the ledger's orders and
tracking events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from connectors.snapshots.tables.shared import (
    SERVICE_CLOCK,
    amount,
    currency_of,
    moment,
    shared,
    variant,
)
from connectors.snapshots.tables.table import Kept, Table, count, or_none, text, texts
from domain.service_orders import ShipmentItem


class Shipped(NamedTuple):
    """What travels in a parcel of an order's shipment."""

    order: Any
    item: ShipmentItem


def _items(order: Any) -> Iterator[Shipped]:
    for item in order.shipment.items if order.shipment else ():
        yield Shipped(order, item)


SHIPMENTS = Table(
    "shipments",
    ("order_ref", "shipment_order_id"),
    "International shipments: one row an order that is booked at the warehouse.",
    {
        **shared("order_ref"),
        "shipment_order_id": variant(
            "shipment_order_id", null="", get="shipment.shipment_order_id"
        ),
        "marketplace": variant("marketplace", null="never"),
        "order_id": variant("order_id", null="never"),
        "render_id": text(
            "The freight quote that was booked on.",
            source="answer of the freight preview: `renderId`, else the order as the service shows it",
            example="FF2024080200105",
            null="a person named the shipment, and the service shows none",
            get=or_none("shipment.render_id"),
        ),
        "service_id": text(
            "The freight service that was booked.",
            source="freight answer: `serviceId`",
            example="2",
            null="none was chosen here: the shipment was found, or named by a person",
            get="freight_service",
        ),
        "company": text(
            "The carrier.",
            source="booking answer: `logisticCompanyName`, else the order as the service shows it",
            example="UCS",
            null="the answer names none",
            get=or_none("shipment.company"),
        ),
        "tracking_numbers": variant(
            "tracking_numbers",
            words="The parcels' numbers, one a parcel. An empty list: none given.",
        ),
        "tracking_urls": texts(
            "Where the carrier shows them.",
            source="booking answer: `trackingUrl`",
            example=["https://track.example.com/?key=FARJP2408000105YQ"],
            get="shipment.tracking_urls",
        ),
        "fee_minor": amount(
            "What the booking costs, as its answer says. 0 beside a null `currency`: it was not given; "
            "`orders.freight_minor` has the quote.",
            source="booking answer: `orderFee`",
            example=2160,
            get=lambda order: order.shipment.fee.minor if order.shipment.fee else 0,
        ),
        "currency": currency_of(
            "the fee",
            source="booking answer: `orderFee`",
            example="USD",
            null="the fee was not given",
            get=lambda order: (
                order.shipment.fee.currency if order.shipment.fee else None
            ),
        ),
        "booked_at": variant("booked_at", null="never"),
        "parcel_reported_at": moment(
            "When a parcel from a seller was last reported to the warehouse.",
            source="ledger: the answer to the call",
            null="none was reported",
        ),
    },
    each=lambda order: (order,) if order.shipment else (),
)
SHIPMENT_ITEMS = Table(
    "shipment_items",
    ("order_ref", "tracking_number", "item_id", "sku_id"),
    "What travels in which parcel. Empty for shipments whose answer did not say. A number that "
    "`orders.tracking_numbers` has no more is an earlier one of the same parcel.",
    {
        **shared("order_ref", of="order"),
        "shipment_order_id": variant(
            "shipment_order_id", null="never", get="order.shipment_order_id"
        ),
        "tracking_number": text(
            "The international parcel's number. Empty: none was given yet.",
            source="booking answer: `logisticNumer`",
            example="FARJP2408000105YQ",
            get="item.tracking_number",
        ),
        "item_id": variant(
            "item_id", source="booking answer: `itemInfos`", get="item.item_id"
        ),
        "sku_id": variant(
            "sku_id", source="booking answer: `itemInfos`", get="item.sku_id"
        ),
        "quantity": variant(
            "quantity",
            words="How many travel in it; 0 where the answer does not say.",
            source="booking answer: `itemInfos`",
            get="item.quantity",
        ),
        "title": variant(
            "title",
            source="booking answer: `itemInfos`",
            null="the answer tells none",
            get=or_none("item.title"),
        ),
    },
    each=_items,
)
TRACKING_EVENTS = Table(
    "tracking_events",
    ("order_ref", "tracking_number", "sequence"),
    "Scans of parcels, domestic and international: one row a scan, written by the run that first read it.",
    {
        **shared("order_ref"),
        "tracking_number": text(
            "The parcel's number: one in `orders.tracking_numbers` is international, any other domestic.",
            source="tracking answer",
            example="FARJP2408000105YQ",
        ),
        "sequence": count(
            "Number of the scan; by `occurred_at` it may come before an earlier number.",
            unit="1, 2, 3 … of the parcel, in the order of reading",
            source="ledger",
            example=4,
        ),
        "occurred_at": moment(
            "When the carrier scanned it.",
            clock=f"{SERVICE_CLOCK} (times without a zone are China's)",
            source="tracking answer",
        ),
        "status": text(
            "The stage: `WAITING`, `CONSIGN`, `ACCEPT`, `TRANSPORT`, `CUSTOMS`, `DELIVERING`, `SIGN` (arrived), "
            "`EXCEPTION`, `REJECTED`, `RETURNED`, `OTHER` (a word not known).",
            source="tracking answer",
            example="TRANSPORT",
        ),
        "description": text(
            "The carrier's words. Marked since they may name who signed.",
            source="tracking answer",
            example="清关完成",
            null="never; an empty text where there are none",
            personal=True,
        ),
        "place": text(
            "City or facility. Marked since the last one is where the receiver is.",
            source="tracking answer; only Taobao's tells it",
            example="深圳市",
            null="never; an empty text where none is given",
            personal=True,
        ),
    },
    kept=Kept.EVENTS,
)
