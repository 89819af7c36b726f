"""The tables of callbacks, and of the warehouse's records of received parcels: their
rows are of messages.
"""

from __future__ import annotations

from connectors.snapshots.tables.shared import SERVICE_CLOCK, moment, shared, variant
from connectors.snapshots.tables.table import Table, count, flag, or_none, text, texts
from domain.marketplace import Marketplace
from domain.received import CallbackKind, Inspection

READ_AGAIN = "the run that read its orders again"
CODES = "[reasons.md](reasons.md) has each."
AS_RECEIVED = "the warehouse's message; its unit is stated nowhere"

CALLBACKS = Table(
    "callbacks",
    ("digest",),
    "Messages that the service posted, once a run read their orders. None proves anything: `orders` has what was read.",
    {
        "digest": text(
            "SHA-256 of the message, byte for byte: the same message is one row, however often it was posted.",
            source="the receiver",
            example="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
        "received_at": moment("When it was posted first.", source="the receiver"),
        "sent_at": moment(
            "When the service says that it was sent.",
            clock=SERVICE_CLOCK,
            source="message: `timestamp`",
            null="the message does not say; a parcel's never does",
        ),
        "times": count(
            "How often it was posted until a run read its orders.",
            unit="posts",
            source="the receiver",
            example=1,
        ),
        "kind": text(
            "What it is about: `status`, `price`, `refund`, `inbound` (a parcel at the warehouse).",
            source="message: `messageType`",
            example="status",
            one_of=CallbackKind,
        ),
        "message_type": text(
            "The service's own word for it. Empty for a parcel's message, which has none.",
            source="message: `messageType`",
            example="ORDER_BUYER_VIEW_ORDER_PAY",
            null="never",
        ),
        "marketplace": variant(
            "marketplace",
            words="Which marketplace it seems to be about. Empty: nothing in it tells.",
            source="message: its type, platform and fields",
            null="never",
            one_of=(*Marketplace, ""),
        ),
        "order_ids": texts(
            "The orders of the service that it names.",
            source="message",
            example=["2542285634920880794"],
        ),
        "outcome": text(
            "What came of it: the order was read, and how it stands; or that it is no order of ours.",
            source=READ_AGAIN,
            example="A-1: booked → shipped",
            null="never",
        ),
        "reason_code": variant(
            "reason_code",
            words=f"The code of `outcome`: {CODES}",
            source=READ_AGAIN,
            example="callback_order_moved",
            null="an earlier program wrote the row",
        ),
    },
    version=2,
)
PARCELS_RECEIVED = Table(
    "parcels_received",
    ("order_ref", "tracking_number"),
    "Parcels that reached the warehouse, as it reports them by message: weight, size, inspection. Told, not proven: "
    "`is_shown` says whether the service shows that parcel for the order.",
    {
        **shared("order_ref", of="order"),
        "tracking_number": text(
            "The domestic parcel's number.",
            source="the warehouse's message",
            example="YT7565691026776",
            get="parcel.tracking_number",
        ),
        "marketplace": variant("marketplace", null="never", get="order.marketplace"),
        "order_id": variant("order_id", null="never", get="order.order_id"),
        "told_at": moment(
            "When its message came.", source="the receiver", get="message.received_at"
        ),
        "inspection": text(
            "`passed`, `failed` (any word that does not say that it passed), `not_said`.",
            source="the warehouse's message: `quality_inspection_info.status`",
            example="passed",
            get="parcel.inspection",
            one_of=Inspection,
        ),
        "inspection_words": text(
            "The warehouse's own word. Empty: none.",
            source="the warehouse's message: `quality_inspection_info.status`",
            example="质检通过",
            null="never",
            get="parcel.status",
        ),
        "failed_remark": text(
            "What it found.",
            source="the warehouse's message: `failed_remark`",
            example="有污渍",
            null="no remark",
            get=or_none("parcel.failed_remark"),
        ),
        "weight_grams": count(
            "The weight, taken for kilograms as received (assumed).",
            unit="grams",
            source="the warehouse's message: `weight`",
            example=400,
            null="none received, or what can be no weight",
            get="parcel.grams",
        ),
        "weight": text(
            "The weight as received. Empty: none.",
            source=AS_RECEIVED,
            example="0.4",
            null="never",
        ),
        "length": text(
            "The length as received. Empty: none.",
            source=AS_RECEIVED,
            example="23",
            null="never",
        ),
        "width": text(
            "The width as received. Empty: none.",
            source=AS_RECEIVED,
            example="34",
            null="never",
        ),
        "height": text(
            "The height as received. Empty: none.",
            source=AS_RECEIVED,
            example="56",
            null="never",
        ),
        "images": texts(
            "Addresses of the warehouse's pictures. Nothing here has opened them.",
            source="the warehouse's message: `images`",
            example=["https://cbu01.alicdn.com/a.jpg"],
        ),
        "is_shown": flag(
            "Whether the service shows this parcel for the order. If not, the message is not believed.",
            source="the order, read again",
            example=True,
            get=lambda report: report.parcel.tracking_number in report.shown,
        ),
        "parcels_shown": count(
            "How many domestic parcels the service showed for the order then.",
            unit="parcels",
            source="the order, read again",
            example=1,
            get=lambda report: len(report.shown),
        ),
        "problem": text(
            "What came of it, in words.",
            source=READ_AGAIN,
            example="it did not pass the warehouse's inspection (质检不通过): 有污渍",
            null="nothing is wrong",
            get=lambda report: str(report.why) if report.why else None,
        ),
        "reason_code": variant(
            "reason_code",
            words=f"The code of `problem`: {CODES}",
            source=READ_AGAIN,
            example="parcel_not_passed",
            null="nothing is wrong, or an earlier program wrote the row",
            get=lambda report: report.why.code if report.why else None,
        ),
    },
    version=2,
    owners=("orders",),
)
