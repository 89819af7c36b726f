"""What was asked for, and which items were found for words."""

from __future__ import annotations

from connectors.snapshots.schemas.columns import COUNT, FLAG, ID, MINOR, TEXT, TIME, Column
from connectors.snapshots.schemas.tables import table

REQUESTS = table(
    "requests",
    "order_ref,line_no",
    "",
    {
        "order_ref": Column(ID),
        "line_no": Column(COUNT),
        "file_row": Column(COUNT),
        "marketplace": Column(ID),
        "item": Column(ID),
        "sku": Column(TEXT),
        "quantity": Column(COUNT),
        "max_unit_price_minor": Column(MINOR),
        "currency": Column(TEXT),
        "receiver_name": Column(TEXT),
        "receiver_phone": Column(TEXT),
        "receiver_email": Column(TEXT),
        "country": Column(TEXT),
        "state": Column(TEXT),
        "city": Column(TEXT),
        "zip": Column(TEXT),
        "address": Column(TEXT),
        "freight": Column(TEXT),
        "note": Column(TEXT),
    },
)
CANDIDATES = table(
    "candidates",
    "order_ref,line_no,place",
    "",
    {
        "order_ref": Column(ID),
        "line_no": Column(COUNT),
        "place": Column(COUNT),
        "marketplace": Column(ID),
        "words": Column(ID),
        "item_id": Column(ID),
        "title": Column(TEXT),
        "price_minor": Column(MINOR),
        "currency": Column(ID),
        "seller_id": Column(TEXT),
        "seller_name": Column(TEXT),
        "image_url": Column(TEXT),
        "taken": Column(FLAG),
        "why": Column(TEXT),
        "decided_at": Column(TIME),
    },
)
