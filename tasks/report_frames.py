"""Reading the tables of a report: only the columns and rows that it needs."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import compute

from connectors.snapshots import Snapshots
from tasks.report_figures import COSTS, LESS, SHIPMENT, Frames

COLUMNS = {
    "requests": ["order_ref", "quantity", "max_unit_price_minor", "currency", "snapshot_at"],
    "order_lines": ["order_ref", "line_no", "title", "amount_minor"],
    "payments": ["order_ref", "marketplace", "amount_minor", "currency", "paid_at"],
    "shipments": [*SHIPMENT, "company", "fee_minor", "currency"],
    "tracking_events": ["order_ref", "tracking_number", "occurred_at", "status"],
    "outcomes": ["order_ref", "question"],
    "parcels_received": ["order_ref", "tracking_number", "problem"],
    "refunds": ["order_ref", "state", "currency", "asked_minor", "refunded_minor"],
    "landed_costs": ["order_ref", "marketplace", "landed_currency", *COSTS, *LESS, "landed_minor", "problem"],
}


class UnknownBatch(Exception):
    """No snapshot has an order or a plan of this batch; the message names those that there are."""


def report_frames(snapshots: Snapshots, batch: str = "") -> Frames:
    """The tables of a batch, or of everything. A table that was never written is empty.

    Rows of a batch's orders are found by their `order_ref`, since tracking and refunds belong to no one batch. Raises
    `UnknownBatch`.
    """
    of_batch = compute.field("batch_id") == batch if batch else None
    orders = snapshots.table("orders", where=of_batch)
    requests = snapshots.table("requests", columns=COLUMNS["requests"], where=of_batch)
    if batch and orders.empty and requests.empty:
        raise UnknownBatch(_unknown(snapshots, batch))
    theirs = compute.field("order_ref").isin(pa.array(orders["order_ref"], pa.string())) if batch else None
    others = {
        name: snapshots.table(name, columns=columns, where=theirs)
        for name, columns in COLUMNS.items()
        if name != "requests"
    }
    return {"orders": orders, "requests": requests, **others}


def _unknown(snapshots: Snapshots, batch: str) -> str:
    known = snapshots.table("orders", columns=["batch_id", "updated_at"]).dropna(subset="batch_id")
    newest = known.groupby("batch_id")["updated_at"].max().sort_values(ascending=False).index[:3]
    named = f"; the newest are {', '.join(newest)}" if len(newest) else "; there is none yet: sourcing run FILE"
    return f"no snapshot has a batch {batch}{named}"
