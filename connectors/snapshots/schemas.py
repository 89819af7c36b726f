"""The snapshot tables: columns, key and version of each.

Amounts are whole minor units, never null, so that pandas keeps them `int64`; 0 beside a null currency means that
there is no amount (no price limit, no freight chosen, fee not known). Only additive changes: a new column is nullable,
and raises the table's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

ColumnKind = tuple[pa.DataType, bool]  # and whether it may be null

ID = (pa.string(), False)
TEXT = (pa.string(), True)
TEXTS = (pa.list_(pa.string()), False)
MAYBE_TEXTS = (pa.list_(pa.string()), True)
VOLUME_PRICES = (pa.list_(pa.struct([("start_quantity", pa.int64()), ("price_minor", pa.int64())])), True)
MINOR = COUNT = (pa.int64(), False)
FLAG = (pa.bool_(), False)
MOMENT = (pa.timestamp("us", tz="UTC"), False)
TIME = (pa.timestamp("us", tz="UTC"), True)

ENVELOPE = {"snapshot_id": ID, "batch_id": TEXT, "snapshot_at": MOMENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table. Of rows with the same `key`, the newest snapshot's is the current one."""

    name: str
    key: tuple[str, ...]
    version: int
    schema: pa.Schema


def _table(name: str, key: str, columns: dict[str, ColumnKind], *, version: int = 1) -> Table:
    fields = [pa.field(column, kind, nullable) for column, (kind, nullable) in (columns | ENVELOPE).items()]
    metadata = {"table": name, "key": key, "schema_version": str(version)}
    return Table(name=name, key=tuple(key.split(",")), version=version, schema=pa.schema(fields, metadata))


REQUESTS = _table(
    "requests",
    "order_ref,line_no",
    {
        "order_ref": ID,
        "line_no": COUNT,
        "file_row": COUNT,
        "marketplace": ID,
        "item": ID,
        "sku": TEXT,
        "quantity": COUNT,
        "max_unit_price_minor": MINOR,
        "currency": TEXT,
        "receiver_name": TEXT,
        "receiver_phone": TEXT,
        "receiver_email": TEXT,
        "country": TEXT,
        "state": TEXT,
        "city": TEXT,
        "zip": TEXT,
        "address": TEXT,
        "freight": TEXT,
        "note": TEXT,
    },
)
OFFERS = _table(
    "offers",
    "marketplace,item_id,sku_id",
    {
        "marketplace": ID,
        "item_id": ID,
        "sku_id": ID,
        "title": TEXT,
        "sku_name": TEXT,
        "seller_id": TEXT,
        "seller_name": TEXT,
        "price_minor": MINOR,
        "currency": ID,
        "stock": COUNT,
        "min_quantity": COUNT,
        "active": FLAG,
        "spec_id": TEXT,
        "distribution_item_id": TEXT,
        "distribution_sku_id": TEXT,
        "image_url": TEXT,
        "image_urls": MAYBE_TEXTS,
        "category_id": TEXT,
        "category_name": TEXT,
        "volume_prices": VOLUME_PRICES,
        "seen_at": TIME,
    },
    version=2,
)
QUOTES = _table(
    "quotes",
    "order_ref",
    {
        "order_ref": ID,
        "marketplace": ID,
        "seller_id": TEXT,
        "goods_minor": MINOR,
        "postage_minor": MINOR,
        "total_minor": MINOR,
        "currency": ID,
        "problems": TEXTS,
        "message": TEXT,
        "quoted_at": TIME,
    },
)
ORDERS = _table(
    "orders",
    "order_ref",
    {
        "order_ref": ID,
        "marketplace": ID,
        "state": ID,
        "reason": TEXT,
        "order_id": TEXT,
        "seller_id": TEXT,
        "quoted_minor": MINOR,
        "approved_minor": MINOR,
        "paid_minor": MINOR,
        "currency": ID,
        "freight_minor": MINOR,
        "freight_currency": TEXT,
        "freight_service": TEXT,
        "shipment_order_id": TEXT,
        "tracking_numbers": TEXTS,
        "created_at": TIME,
        "paid_at": TIME,
        "booked_at": TIME,
        "updated_at": TIME,
    },
)
ORDER_LINES = _table(
    "order_lines",
    "order_ref,line_no",
    {
        "order_ref": ID,
        "line_no": COUNT,
        "marketplace": ID,
        "order_id": TEXT,
        "item_id": ID,
        "sku_id": TEXT,
        "spec_id": TEXT,
        "distribution_item_id": TEXT,
        "distribution_sku_id": TEXT,
        "title": TEXT,
        "image_url": TEXT,
        "quantity": COUNT,
        "unit_price_minor": MINOR,
        "amount_minor": MINOR,
        "currency": ID,
    },
)
PAYMENTS = _table(
    "payments",
    "order_ref,order_id",
    {
        "order_ref": ID,
        "marketplace": ID,
        "order_id": ID,
        "amount_minor": MINOR,
        "currency": ID,
        "paid_at": TIME,
    },
)
FREIGHT_QUOTES = _table(
    "freight_quotes",
    "order_ref,service_id",
    {
        "order_ref": ID,
        "service_id": ID,
        "render_id": TEXT,
        "company": TEXT,
        "category": TEXT,
        "price_minor": MINOR,
        "currency": ID,
        "min_days": COUNT,
        "max_days": COUNT,
        "chosen": FLAG,
        "quoted_at": TIME,
    },
)
SHIPMENTS = _table(
    "shipments",
    "order_ref,shipment_order_id",
    {
        "order_ref": ID,
        "shipment_order_id": ID,
        "marketplace": TEXT,
        "order_id": TEXT,
        "render_id": TEXT,
        "service_id": TEXT,
        "company": TEXT,
        "tracking_numbers": TEXTS,
        "tracking_urls": TEXTS,
        "fee_minor": MINOR,
        "currency": TEXT,
        "booked_at": TIME,
    },
)
SHIPMENT_ITEMS = _table(
    "shipment_items",
    "order_ref,tracking_number,item_id,sku_id",
    {
        "order_ref": ID,
        "shipment_order_id": TEXT,
        "tracking_number": ID,
        "item_id": ID,
        "sku_id": ID,
        "quantity": COUNT,
        "title": TEXT,
    },
)
TRACKING_EVENTS = _table(
    "tracking_events",
    "order_ref,tracking_number,sequence",
    {
        "order_ref": ID,
        "tracking_number": ID,
        "sequence": COUNT,
        "occurred_at": MOMENT,
        "status": ID,
        "description": TEXT,
        "place": TEXT,
    },
)
REFUNDS = _table(
    "refunds",
    "order_ref,refund_key",
    {
        "order_ref": ID,
        "refund_key": ID,
        "marketplace": ID,
        "order_id": ID,
        "refund_id": TEXT,
        "part": ID,
        "number": COUNT,
        "kind": ID,
        "state": ID,
        "reason": TEXT,
        "description": TEXT,
        "refusal": TEXT,
        "asked_minor": MINOR,
        "approved_minor": MINOR,
        "refunded_minor": MINOR,
        "currency": ID,
        "vouchers": TEXTS,
        "company": TEXT,
        "tracking_number": TEXT,
        "asked_at": TIME,
        "settled_at": TIME,
    },
)
REFUND_EVENTS = _table(
    "refund_events",
    "order_ref,refund_key,sequence",
    {
        "order_ref": ID,
        "refund_key": ID,
        "sequence": COUNT,
        "refund_id": TEXT,
        "occurred_at": MOMENT,
        "status": TEXT,
        "role": TEXT,
        "description": TEXT,
    },
)
OUTCOMES = _table(
    "outcomes",
    "order_ref",
    {
        "order_ref": ID,
        "marketplace": ID,
        "state": ID,
        "outcome": ID,
        "action": TEXT,
        "reason": TEXT,
        "question": TEXT,
        "spent_minor": MINOR,
        "currency": ID,
        "finished_at": TIME,
    },
)
CANDIDATES = _table(
    "candidates",
    "order_ref,line_no,place",
    {
        "order_ref": ID,
        "line_no": COUNT,
        "place": COUNT,
        "marketplace": ID,
        "words": ID,
        "item_id": ID,
        "title": TEXT,
        "price_minor": MINOR,
        "currency": ID,
        "seller_id": TEXT,
        "seller_name": TEXT,
        "image_url": TEXT,
        "taken": FLAG,
        "why": TEXT,
        "decided_at": TIME,
    },
)
RECONCILIATION = _table(
    "reconciliation",
    "kind,marketplace,order_ref,order_id",
    {
        "kind": ID,
        "marketplace": ID,
        "order_ref": ID,
        "order_id": ID,
        "expected": TEXT,
        "seen": TEXT,
        "remedy": TEXT,
        "expected_minor": MINOR,
        "seen_minor": MINOR,
        "currency": TEXT,
        "since": MOMENT,
        "findings": COUNT,
    },
)

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        REQUESTS,
        OFFERS,
        QUOTES,
        ORDERS,
        ORDER_LINES,
        PAYMENTS,
        FREIGHT_QUOTES,
        SHIPMENTS,
        SHIPMENT_ITEMS,
        TRACKING_EVENTS,
        REFUNDS,
        REFUND_EVENTS,
        OUTCOMES,
        CANDIDATES,
        RECONCILIATION,
    )
}
