"""Write refunds, their events and their orders as one Parquet snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa
from pyarrow.compute import field

from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.snapshots.frames import Snapshots
from connectors.snapshots.manifests import SnapshotError
from connectors.snapshots.tables.refunds import REFUND_EVENTS, REFUNDS
from connectors.snapshots.tables.table import Row
from tasks.engine.resources import Resources
from tasks.snapshot import orders_now, write
from tasks.snapshot_sums import LedgerSums

ALL_COMPARED = "refunds compared"
"""The mark of a ledger all of whose refunds were compared with the tables."""
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


async def snapshot_refunds(resources: Resources, before: Mapping[str, OrderRecord]) -> str:
    """Orders that were so `before` the run, as they are now, with all their refunds and events; answers its id."""
    now, order_refs = resources.clock(), list(before)
    sums = LedgerSums(resources, order_refs, ("orders", "refunds"))
    tables = {**orders_now(resources, before), **refund_tables(resources.ledger, order_refs)}
    snapshot_id = f"after-sale-{now:%Y%m%dT%H%M%S%f}"
    return await write(resources, snapshot_id, tables, batch_id=None, as_of=now, agreement=sums)


async def snapshot_missing_refunds(resources: Resources, since: datetime) -> str:
    """Write the refunds that moved since then and after the tables were written; answers what went wrong.

    A run may end between settling a refund and its snapshot. All refunds are compared once a ledger: earlier versions
    wrote no rows of those that callbacks settled.
    """
    marks = resources.ledger.marks
    is_first = not await asyncio.to_thread(marks.shown, ALL_COMPARED)
    try:
        refs = await asyncio.to_thread(_unwritten, resources, BEGINNING if is_first else since)
    except SnapshotError as error:
        return f"refunds that the tables lack could not be looked for: {error}"
    if refs:
        await snapshot_refunds(resources, resources.ledger.orders(refs))
    if is_first:
        await asyncio.to_thread(marks.show, ALL_COMPARED, "yes")
    return ""


def _unwritten(resources: Resources, since: datetime) -> list[str]:
    """The orders of such refunds. Where none has moved no table is read."""
    if not (written := resources.ledger.refunds.written_since(since)):
        return []
    these = field("refund_key").isin(pa.array([key for _, key, _ in written], pa.string()))
    rows = Snapshots(resources.settings.snapshot_root).arrow(
        "refunds", columns=["refund_key", "snapshot_at"], where=these
    )
    told = {row["refund_key"]: row["snapshot_at"] for row in rows.to_pylist()}
    return sorted({order_ref for order_ref, key, at in written if key not in told or told[key] < at})


def refund_tables(ledger: Ledger, order_refs: Sequence[str]) -> dict[str, list[Row]]:
    """The refunds of these orders and their events, as rows."""
    events = ledger.refunds.events(order_refs=order_refs)  # before the refunds: an event's own is never missing then
    return {
        "refunds": [REFUNDS.row(refund) for refund in ledger.refunds.of_orders(order_refs)],
        "refund_events": [REFUND_EVENTS.row(event) for event in events],
    }
