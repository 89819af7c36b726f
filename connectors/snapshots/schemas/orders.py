"""What was bought, and what came of it."""

from __future__ import annotations

from connectors.snapshots.schemas.columns import COUNT, ID, MINOR, TEXT, TEXTS, TIME, Column
from connectors.snapshots.schemas.tables import table

ORDERS = table(
    "orders",
    "order_ref",
    "",
    {
        "order_ref": Column(ID),
        "marketplace": Column(ID),
        "state": Column(ID),
        "reason": Column(TEXT),
        "order_id": Column(TEXT),
        "seller_id": Column(TEXT),
        "quoted_minor": Column(MINOR),
        "approved_minor": Column(MINOR),
        "paid_minor": Column(MINOR),
        "currency": Column(ID),
        "freight_minor": Column(MINOR),
        "freight_currency": Column(TEXT),
        "freight_service": Column(TEXT),
        "shipment_order_id": Column(TEXT),
        "tracking_numbers": Column(TEXTS),
        "created_at": Column(TIME),
        "paid_at": Column(TIME),
        "booked_at": Column(TIME),
        "updated_at": Column(TIME),
    },
)
ORDER_LINES = table(
    "order_lines",
    "order_ref,line_no",
    "",
    {
        "order_ref": Column(ID),
        "line_no": Column(COUNT),
        "marketplace": Column(ID),
        "order_id": Column(TEXT),
        "item_id": Column(ID),
        "sku_id": Column(TEXT),
        "spec_id": Column(TEXT),
        "distribution_item_id": Column(TEXT),
        "distribution_sku_id": Column(TEXT),
        "title": Column(TEXT),
        "image_url": Column(TEXT),
        "quantity": Column(COUNT),
        "unit_price_minor": Column(MINOR),
        "amount_minor": Column(MINOR),
        "currency": Column(ID),
    },
)
PAYMENTS = table(
    "payments",
    "order_ref,order_id",
    "",
    {
        "order_ref": Column(ID),
        "marketplace": Column(ID),
        "order_id": Column(ID),
        "amount_minor": Column(MINOR),
        "currency": Column(ID),
        "paid_at": Column(TIME),
    },
)
OUTCOMES = table(
    "outcomes",
    "order_ref",
    "",
    {
        "order_ref": Column(ID),
        "marketplace": Column(ID),
        "state": Column(ID),
        "outcome": Column(ID),
        "action": Column(TEXT),
        "reason": Column(TEXT),
        "question": Column(TEXT),
        "spent_minor": Column(MINOR),
        "currency": Column(ID),
        "finished_at": Column(TIME),
    },
)
