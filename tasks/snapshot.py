"""Write some orders as one Parquet snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar, Union

from prefect.context import FlowRunContext

from connectors.ledger.many import chunked
from connectors.ledger.overview import state_of_all
from connectors.ledger.store import Ledger
from connectors.snapshots.manifests import Agreement
from connectors.snapshots.tables.table import Row
from connectors.snapshots.writer import write_snapshot
from domain.plan import PlannedOrder
from tasks.engine.resources import Resources
from tasks.engine.retrying import hide_from_prefect, reading_task
from tasks.search import with_matches
from tasks.snapshot_rows import LedgerSums, Source, order_tables, plan_tables, refund_tables

T = TypeVar("T")
Tables = Union[Mapping[str, Sequence[Row]], "Slices"]

MOST_WRITES = 10
ORDERS_A_PART = 100


async def write_tables(
    source: Source,
    snapshot_id: str,
    tables: Tables,
    *,
    batch_id: str | None,
    as_of: datetime,
    begun: datetime,
    agreement: Agreement | None = None,
) -> None:
    await asyncio.to_thread(
        write_snapshot,
        source.settings.snapshot_root,
        snapshot_id,
        begun.date(),
        tables,
        batch_id=batch_id,
        written_at=as_of,
        agreement=agreement,
    )


_write = reading_task("snapshot {snapshot_id}")(write_tables)


async def write(
    source: Source,
    snapshot_id: str,
    tables: Tables,
    *,
    batch_id: str | None,
    as_of: datetime,
    begun: datetime | None = None,
    agreement: Agreement | None = None,
) -> str:
    """Write or replace one snapshot; answers its id. `begun` gives the date folder, the same one for a rerun.

    Rows that can't be right go into `rejected_rows`. Raises `SnapshotSumsDiffer` where `agreement` does: nothing is
    written then.

    The newest row counts, by `as_of`. A run that was slow or stopped between reading and writing must not hide what
    another has written: `as_of` is a moment before the rows were read, or one after which they are read once more.
    """
    source.ledger.guard.require_files()  # a folder that went away would be made anew, without its files
    unwalked = hide_from_prefect(tables) if isinstance(tables, Mapping) else tables
    put = _write if FlowRunContext.get() else write_tables  # outside a run Prefect would start a server for it
    await put(source, snapshot_id, unwalked, batch_id=batch_id, as_of=as_of, begun=begun or as_of, agreement=agreement)
    return snapshot_id


async def snapshot_orders(
    resources: Resources, batch_id: str, begun: datetime, further_refs: Sequence[str] = ()
) -> str:
    """All tables for a batch and for some further orders, from the ledger alone: every run of the batch replaces it.

    Written again when the ledger has moved meanwhile: another run's newer snapshot, perhaps with orders that were not
    there before, may just have been replaced.
    """

    def state() -> tuple[list[str], str, set[str]]:
        refs = sorted({*resources.ledger.refs_in(batch_id), *further_refs})
        return refs, *state_of_all(resources.ledger, refs)

    now = await asyncio.to_thread(state)
    for _ in range(MOST_WRITES):
        tables = Slices(partial(_batch_tables, resources.ledger, now[0]))
        sums = LedgerSums(resources, now[0], ("orders", "payments", "refunds"), now[1])
        as_of = resources.clock()
        await write(resources, batch_id, tables, batch_id=batch_id, as_of=as_of, begun=begun, agreement=sums)
        told, now = now, await asyncio.to_thread(state)
        if told == now:
            break
    resources.ledger.moved.difference_update(told[0])
    for other in now[2] - {batch_id}:
        # of this batch's snapshots only those of its file's own runs have these orders, and a follow-up may be the last
        await snapshot_orders(resources, other, resources.ledger.start_batch(other, ""))
    return batch_id


class Slices:
    """The rows of the tables a part at a time, made anew for each reader."""

    def __init__(self, parts: Callable[[], Iterator[Mapping[str, Sequence[Row]]]]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[Mapping[str, Sequence[Row]]]:
        return self._parts()


def _batch_tables(ledger: Ledger, order_refs: Sequence[str]) -> Iterator[dict[str, list[Row]]]:
    seen: set[int] = set()
    for some in parts_of(order_refs):
        orders = list(ledger.each_order(some))
        matches = ledger.matches(some)
        plans = [with_matches(order.plan, matches) for order in orders]
        refunds = {name: rows for name, rows in refund_tables(ledger, some).items() if rows}
        yield {**_each_once(plan_tables(plans), seen), **order_tables(orders), **refunds, "tracking_events": []}


def _plan_tables(plans: Sequence[PlannedOrder]) -> Iterator[dict[str, list[Row]]]:
    seen: set[int] = set()
    yield from (_each_once(plan_tables(some), seen) for some in parts_of(plans))


def parts_of(items: Sequence[T]) -> Iterator[list[T]]:
    """Parts of at most so many; of no items one empty part, so that its tables are there without rows."""
    yield from chunked(items, ORDERS_A_PART) if items else ([],)


def _each_once(tables: dict[str, list[Row]], seen: set[int]) -> dict[str, list[Row]]:
    """Rows without the offers of earlier parts: `seen` has a hash of each."""
    keys = [hash((row["marketplace"], row["item_id"], row["sku_id"])) for row in tables["offers"]]
    new = [row for row, key in zip(tables["offers"], keys, strict=True) if key not in seen]
    seen.update(keys)
    return {**tables, "offers": new}


async def snapshot_plan(resources: Resources, batch_id: str, plans: Sequence[PlannedOrder]) -> str:
    """The result of a dry run: no rows of orders, since there are none."""
    tables = Slices(partial(_plan_tables, plans))
    return await write(resources, f"{batch_id}-plan", tables, batch_id=batch_id, as_of=resources.clock())
