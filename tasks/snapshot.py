"""Write what is known of some orders as one Parquet snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from connectors.ledger.records import OrderRecord
from connectors.snapshots.writer import write_snapshot
from domain.plan import PlannedOrder
from tasks.opaque import opaque
from tasks.resources import Resources
from tasks.retrying import reading_task
from tasks.search import kept_matches, with_matches
from tasks.snapshot_rows import Row, order_tables, plan_tables

MOST_WRITES = 10
ALWAYS_TOLD = ("orders", "outcomes")


@reading_task("snapshot", "snapshot {snapshot_id}")
async def _write(
    resources: Resources,
    snapshot_id: str,
    tables: Mapping[str, Sequence[Row]],
    *,
    batch_id: str | None,
    as_of: datetime,
    begun: datetime,
) -> None:
    await asyncio.to_thread(
        write_snapshot,
        resources.settings.snapshot_root,
        snapshot_id,
        begun.date(),
        tables,
        batch_id=batch_id,
        written_at=as_of,
    )


async def write(
    resources: Resources,
    snapshot_id: str,
    tables: Mapping[str, Sequence[Row]],
    *,
    batch_id: str | None,
    as_of: datetime,
    begun: datetime | None = None,
) -> str:
    """Write or replace one snapshot; answers its id. `begun` gives the date folder, the same one for a rerun.

    The newest row counts, by `as_of`. A run that was slow or stopped between reading and writing must not hide what
    another has written: `as_of` is a moment before the rows were read, or one after which they are read once more.
    """
    resources.ledger.ground.require_places()  # a folder that went away would be made anew, without what was in it
    await _write(resources, snapshot_id, opaque(tables), batch_id=batch_id, as_of=as_of, begun=begun or as_of)
    return snapshot_id


def orders_now(resources: Resources, before: Mapping[str, OrderRecord]) -> dict[str, list[Row]]:
    """How these orders are now; of their lines, payments and shipments only what was not so `before`.

    So these tables grow with what happens, not with every run that looks at an order.
    """
    told: dict[str, list[Row]] = {}
    for ref, order in resources.ledger.orders(before).items():
        old = order_tables([before[ref]])
        for table, rows in order_tables([order]).items():
            if new := [row for row in rows if table in ALWAYS_TOLD or row not in old[table]]:
                told.setdefault(table, []).extend(new)
    return told


async def snapshot_orders(
    resources: Resources, batch_id: str, begun: datetime, further_refs: Sequence[str] = ()
) -> str:
    """All tables for a batch and for some further orders, from the ledger alone: every run of the batch replaces it.

    Written again when the ledger has moved meanwhile: another run's newer snapshot, which may tell of orders that were
    not there before, may just have been replaced.
    """
    orders = await asyncio.to_thread(_orders_of, resources, batch_id, further_refs)
    for _ in range(MOST_WRITES):
        tables = await _batch_tables(resources, orders)
        await write(resources, batch_id, tables, batch_id=batch_id, as_of=resources.clock(), begun=begun)
        told, orders = orders, await asyncio.to_thread(_orders_of, resources, batch_id, further_refs)
        if told == orders:
            break
    for other in {order.batch_id for order in orders.values()} - {batch_id}:
        # of this batch's snapshots only those of its file's own runs tell these orders, and a look may be the last
        await snapshot_orders(resources, other, resources.ledger.start_batch(other, ""))
    return batch_id


def _orders_of(resources: Resources, batch_id: str, further_refs: Sequence[str]) -> dict[str, OrderRecord]:
    refs = dict.fromkeys([*resources.ledger.refs_in(batch_id), *further_refs])
    orders = resources.ledger.orders(refs)
    return {ref: orders[ref] for ref in refs if ref in orders}


async def _batch_tables(resources: Resources, orders: Mapping[str, OrderRecord]) -> dict[str, list[Row]]:
    listed = list(orders.values())
    matches = await kept_matches(resources, list(orders))
    plans = [with_matches(order.plan, matches) for order in listed]
    return {**plan_tables(plans), **order_tables(listed), "tracking_events": []}


async def snapshot_plan(resources: Resources, batch_id: str, plans: Sequence[PlannedOrder]) -> str:
    """What a dry run found: nothing about orders, since there are none."""
    now = resources.clock()
    return await write(resources, f"{batch_id}-plan", plan_tables(plans), batch_id=batch_id, as_of=now)


async def snapshot_tracking(resources: Resources, before: Mapping[str, OrderRecord], events: Sequence[Row]) -> str:
    """Orders that moved, as they were `before`, and events that are new."""
    now = resources.clock()
    known = ("order_ref", "tracking_number", "sequence", "occurred_at", "status", "description", "place")
    rows = [{column: event[column] for column in known} for event in events]
    tables = {**orders_now(resources, before), "tracking_events": rows}
    return await write(resources, f"tracking-{now:%Y%m%dT%H%M%S%f}", tables, batch_id=None, as_of=now)
