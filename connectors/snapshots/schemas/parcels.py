"""What was shipped, and where it is."""

from __future__ import annotations

from connectors.snapshots.schemas.columns import COUNT, ID, MINOR, MOMENT, TEXT, TEXTS, TIME, Column
from connectors.snapshots.schemas.tables import table

SHIPMENTS = table(
    "shipments",
    "order_ref,shipment_order_id",
    "",
    {
        "order_ref": Column(ID),
        "shipment_order_id": Column(ID),
        "marketplace": Column(TEXT),
        "order_id": Column(TEXT),
        "render_id": Column(TEXT),
        "service_id": Column(TEXT),
        "company": Column(TEXT),
        "tracking_numbers": Column(TEXTS),
        "tracking_urls": Column(TEXTS),
        "fee_minor": Column(MINOR),
        "currency": Column(TEXT),
        "booked_at": Column(TIME),
    },
)
SHIPMENT_ITEMS = table(
    "shipment_items",
    "order_ref,tracking_number,item_id,sku_id",
    "",
    {
        "order_ref": Column(ID),
        "shipment_order_id": Column(TEXT),
        "tracking_number": Column(ID),
        "item_id": Column(ID),
        "sku_id": Column(ID),
        "quantity": Column(COUNT),
        "title": Column(TEXT),
    },
)
TRACKING_EVENTS = table(
    "tracking_events",
    "order_ref,tracking_number,sequence",
    "",
    {
        "order_ref": Column(ID),
        "tracking_number": Column(ID),
        "sequence": Column(COUNT),
        "occurred_at": Column(MOMENT),
        "status": Column(ID),
        "description": Column(TEXT),
        "place": Column(TEXT),
    },
)
