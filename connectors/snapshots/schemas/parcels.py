"""The tables of shipments and their tracking."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.snapshots.schemas.columns import COUNT, ID, MOMENT, TEXT, TEXTS, Column
from connectors.snapshots.schemas.shared import SERVICE_CLOCK, amount, shared, variant
from connectors.snapshots.schemas.tables import table

SHIPMENTS = table(
    "shipments",
    "order_ref,shipment_order_id",
    "International shipments: one row an order that is booked at the warehouse.",
    {
        **shared("order_ref"),
        "shipment_order_id": variant("shipment_order_id", kind=ID, null=""),
        "marketplace": variant("marketplace", kind=TEXT, null="never"),
        "order_id": variant("order_id", null="never"),
        "render_id": Column(
            TEXT,
            "The freight quote that was booked on.",
            source="answer of the freight preview: `renderId`, else the order as the service shows it",
            example="FF2024080200105",
            null="a person told of the shipment, and the service shows none",
        ),
        "service_id": Column(
            TEXT,
            "The freight service that was booked.",
            source="freight answer: `serviceId`",
            example="2",
            null="none was chosen here: the shipment was found, or told by a person",
        ),
        "company": Column(
            TEXT,
            "The carrier.",
            source="booking answer: `logisticCompanyName`, else the order as the service shows it",
            example="UCS",
            null="the answer names none",
        ),
        "tracking_numbers": variant(
            "tracking_numbers", words="The parcels' numbers, one a parcel. An empty list: none told."
        ),
        "tracking_urls": Column(
            TEXTS,
            "Where the carrier shows them.",
            source="booking answer: `trackingUrl`",
            example=["https://track.example.com/?key=FARJP2408000105YQ"],
        ),
        "fee_minor": amount(
            "What the booking costs, as its answer says. 0 beside a null `currency`: it was not told; "
            "`orders.freight_minor` has the quote.",
            source="booking answer: `orderFee`",
            example=2160,
        ),
        "currency": Column(
            TEXT,
            "Currency of the fee (ISO 4217).",
            source="booking answer: `orderFee`",
            example="USD",
            null="the fee was not told",
        ),
        "booked_at": variant("booked_at", null="never"),
    },
)
SHIPMENT_ITEMS = table(
    "shipment_items",
    "order_ref,tracking_number,item_id,sku_id",
    "What travels in which parcel. Empty for shipments whose answer did not say.",
    {
        **shared("order_ref"),
        "shipment_order_id": variant("shipment_order_id", null="never"),
        "tracking_number": Column(
            ID,
            "The international parcel's number. Empty: none was given yet.",
            source="booking answer: `logisticNumer`",
            example="FARJP2408000105YQ",
        ),
        "item_id": variant("item_id", source="booking answer: `itemInfos`"),
        "sku_id": variant("sku_id", source="booking answer: `itemInfos`"),
        "quantity": Column(
            COUNT,
            "How many travel in it; 0 where the answer does not say.",
            unit="pieces",
            source="booking answer: `itemInfos`",
            example=2,
        ),
        "title": variant("title", source="booking answer: `itemInfos`", null="the answer tells none"),
    },
)
TRACKING_EVENTS = table(
    "tracking_events",
    "order_ref,tracking_number,sequence",
    "Scans of parcels, domestic and international: one row a scan, written by the run that heard of it.",
    {
        **shared("order_ref"),
        "tracking_number": Column(
            ID,
            "The parcel's number: one in `orders.tracking_numbers` is international, any other domestic.",
            source="tracking answer",
            example="FARJP2408000105YQ",
        ),
        "sequence": Column(
            COUNT,
            "Number of the scan; by `occurred_at` it may come before an earlier number.",
            unit="1, 2, 3 … of the parcel, as heard of",
            source="ledger",
            example=4,
        ),
        "occurred_at": Column(
            MOMENT,
            "When the carrier scanned it.",
            unit=f"{SERVICE_CLOCK} (times without a zone are China's)",
            source="tracking answer",
            example=datetime(2026, 12, 4, 17, 12, 47, tzinfo=UTC),
        ),
        "status": Column(
            ID,
            "The stage: `CONSIGN`, `ACCEPT`, `TRANSPORT`, `DELIVERING`, `SIGN` (arrived), `OTHER` (a word not known).",
            source="tracking answer",
            example="TRANSPORT",
        ),
        "description": Column(
            TEXT,
            "The carrier's words. Marked since they may name who signed.",
            source="tracking answer",
            example="清关完成",
            null="never; an empty text where there are none",
            personal=True,
        ),
        "place": Column(
            TEXT,
            "City or facility. Marked since the last one is where the receiver is.",
            source="tracking answer; only Taobao's tells it",
            example="深圳市",
            null="never; an empty text where none is told",
            personal=True,
        ),
    },
)
