"""What was asked back."""

from __future__ import annotations

from connectors.snapshots.schemas.columns import COUNT, ID, MINOR, MOMENT, TEXT, TEXTS, TIME, Column
from connectors.snapshots.schemas.tables import table

REFUNDS = table(
    "refunds",
    "order_ref,refund_key",
    "",
    {
        "order_ref": Column(ID),
        "refund_key": Column(ID),
        "marketplace": Column(ID),
        "order_id": Column(ID),
        "refund_id": Column(TEXT),
        "part": Column(ID),
        "number": Column(COUNT),
        "kind": Column(ID),
        "state": Column(ID),
        "reason": Column(TEXT),
        "description": Column(TEXT),
        "refusal": Column(TEXT),
        "asked_minor": Column(MINOR),
        "approved_minor": Column(MINOR),
        "refunded_minor": Column(MINOR),
        "currency": Column(ID),
        "vouchers": Column(TEXTS),
        "company": Column(TEXT),
        "tracking_number": Column(TEXT),
        "asked_at": Column(TIME),
        "settled_at": Column(TIME),
    },
)
REFUND_EVENTS = table(
    "refund_events",
    "order_ref,refund_key,sequence",
    "",
    {
        "order_ref": Column(ID),
        "refund_key": Column(ID),
        "sequence": Column(COUNT),
        "refund_id": Column(TEXT),
        "occurred_at": Column(MOMENT),
        "status": Column(TEXT),
        "role": Column(TEXT),
        "description": Column(TEXT),
    },
)
