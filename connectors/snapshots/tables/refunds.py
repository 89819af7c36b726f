"""The tables of refunds: their rows are of the ledger's refunds and of their events."""

from __future__ import annotations

from connectors.snapshots.tables.shared import (
    ORDER_ID_ALWAYS,
    amount,
    moment,
    shared,
)
from connectors.snapshots.tables.table import Table, count, or_none, text, texts

REFUND_KEY = text(
    "The ledger's key of the refund: order, part and number.",
    source="ledger",
    example="US-1001:all.1",
    get="key",
)
REFUND_ID = text(
    "The marketplace's number of the refund.",
    source="answer to asking for it",
    example="2026110298765432101",
    null="it is not known to have reached the service",
    get=or_none("refund_id"),
)
REFUNDS = Table(
    "refunds",
    ("order_ref", "refund_key"),
    "Refunds and returns: one row a refund, whenever a run asked the marketplace about it.",
    {
        **shared("order_ref"),
        "refund_key": REFUND_KEY,
        **shared("marketplace"),
        "order_id": ORDER_ID_ALWAYS,
        "refund_id": REFUND_ID,
        "part": text(
            "What of the order it is for: `all`, or lines such as `1+3`.",
            source="ledger",
            example="all",
        ),
        "number": count(
            "Counts the refunds of the same part.",
            unit="1, 2, 3 …",
            source="ledger",
            example=1,
        ),
        "kind": text(
            "`refund` (money alone) or `return` (goods back for money).",
            source="what was asked for",
            example="refund",
        ),
        "state": text(
            "Where it stands: `asking` (not known to have reached the service), `asked`, `agreed`, `to_return` (send "
            "the goods), `returned` (parcel named), `refunded`, `refused` (by the seller), `closed` (over without "
            "money), `declined` (not taken on).",
            source="refund as the service shows it; ledger",
            example="refunded",
        ),
        "reason": text(
            "The reason given, from the service's own list.",
            source="answer with the reasons: its name",
            example="多拍/拍错/不想要",
            null="the service gives the reason no name",
            get=or_none("reason"),
        ),
        "description": text(
            "The words to the seller. Marked since anything may stand there.",
            source="what the person typed, else the reason",
            example="one of two arrived broken",
            null="never",
            personal=True,
            get=or_none("description"),
        ),
        "refusal": text(
            "Why the seller or the service said no.",
            source="refund as the service shows it; answer to asking",
            example="已发货",
            null="not declined, or no cause is given",
            get=or_none("refusal"),
        ),
        "asked_minor": amount(
            "What is asked back, goods and postage.",
            source="what was asked for; then the refund as the service shows it",
            example=10300,
            get="asked.minor",
        ),
        "approved_minor": amount(
            "What the seller agreed to. 0: nothing so far.",
            source="refund as the service shows it",
            example=10300,
            get="approved.minor",
        ),
        "refunded_minor": amount(
            "What came back. 0: nothing so far.",
            source="refund as the service shows it",
            example=10300,
            get="refunded.minor",
        ),
        **shared("currency", of="asked"),
        "vouchers": texts(
            "Links to the pictures that went with it. An empty list: none.",
            source="what the person gave, or the answer to storing it",
            example=["https://img.example.com/voucher.jpg"],
        ),
        "company": text(
            "The carrier of the return parcel.",
            source="what the person answered, or the refund as the service shows it",
            example="SF",
            null="no return parcel is named",
            get=or_none("company"),
        ),
        "tracking_number": text(
            "The return parcel's number.",
            source="what the person answered, or the refund as the service shows it",
            example="SF1234567890123",
            null="no return parcel is named",
            get=or_none("tracking_number"),
        ),
        "asked_at": moment(
            "When the answer came that the service took it on, or it was seen asked anew.",
            source="ledger",
            null="it is not known to have reached the service",
        ),
        "settled_at": moment(
            "When a run first saw that it was over.",
            source="ledger",
            null="it was never seen to be over",
        ),
    },
)
