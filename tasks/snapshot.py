"""Write some orders as one Parquet snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Self, TypeVar, Union

from prefect.context import FlowRunContext

from connectors.ledger.many import chunked
from connectors.ledger.overview import state_of_all
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.snapshots.sums import Agreement
from connectors.snapshots.tables.parcels import TRACKING_EVENTS
from connectors.snapshots.tables.table import Row
from connectors.snapshots.writer import write_snapshot
from domain.plan import PlannedOrder
from tasks.engine.resources import Resources
from tasks.engine.retrying import hide_from_prefect, reading_task
from tasks.search import with_matches
from tasks.snapshot_rows import order_tables, plan_tables
from tasks.snapshot_sums import LedgerSums

T = TypeVar("T")
Tables = Union[Mapping[str, Sequence[Row]], "Slices"]

MOST_WRITES = 10
ORDERS_A_PART = 100
ALWAYS_WRITTEN = ("orders", "outcomes")


async def write_tables(
    resources: Resources,
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
        resources.settings.snapshot_root,
        snapshot_id,
        begun.date(),
        tables,
        batch_id=batch_id,
        written_at=as_of,
        agreement=agreement,
    )


_write = reading_task("snapshot {snapshot_id}")(write_tables)


async def write(
    resources: Resources,
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
    resources.ledger.guard.require_files()  # a folder that went away would be made anew, without its files
    unwalked = hide_from_prefect(tables) if isinstance(tables, Mapping) else tables
    put = _write if FlowRunContext.get() else write_tables  # outside a run Prefect would start a server for it
    await put(
        resources, snapshot_id, unwalked, batch_id=batch_id, as_of=as_of, begun=begun or as_of, agreement=agreement
    )
    return snapshot_id


@dataclass(frozen=True, slots=True)
class Before:
    """How an order was before a run, in little memory: a hash of it, and of each of its rows where it `has_moved`."""

    order: int
    rows: frozenset[int]

    @classmethod
    def of(cls, order: OrderRecord, *, has_moved: bool) -> Self:
        return cls(hash(repr(order)), _hashes(order) if has_moved else frozenset())


def orders_now(resources: Resources, before: Mapping[str, OrderRecord]) -> dict[str, list[Row]]:
    """How these orders are now; of their lines, payments and shipments only what was not so `before`.

    So these tables grow with events, not with every run that reads an order.
    """

    def old(order: OrderRecord) -> Collection[int] | None:
        earlier = before[order.order_ref]
        return None if order == earlier else _hashes(earlier)

    return _new_rows(resources.ledger.each_order(before), old)


def _new_rows(
    orders: Iterable[OrderRecord], old: Callable[[OrderRecord], Collection[int] | None]
) -> dict[str, list[Row]]:
    """The rows of orders without `old` ones; these are None where all are, since the order has not moved."""
    told: dict[str, list[Row]] = {}
    for order in orders:
        hashes = old(order)
        for table, rows in order_tables([order]).items():
            if new := [
                row for row in rows if table in ALWAYS_WRITTEN or (hashes is not None and _hash(row) not in hashes)
            ]:
                told.setdefault(table, []).extend(new)
    return told


def _hashes(order: OrderRecord) -> frozenset[int]:
    return frozenset(_hash(row) for rows in order_tables([order]).values() for row in rows)


def _hash(row: Row) -> int:
    return hash(repr(row))


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
        sums = LedgerSums(resources, now[0], ("orders", "payments"), now[1])
        as_of = resources.clock()
        await write(resources, batch_id, tables, batch_id=batch_id, as_of=as_of, begun=begun, agreement=sums)
        told, now = now, await asyncio.to_thread(state)
        if told == now:
            break
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
    for some in _parts(order_refs):
        orders = list(ledger.each_order(some))
        matches = ledger.matches(some)
        plans = [with_matches(order.plan, matches) for order in orders]
        yield {**_each_once(plan_tables(plans), seen), **order_tables(orders), "tracking_events": []}


def _plan_tables(plans: Sequence[PlannedOrder]) -> Iterator[dict[str, list[Row]]]:
    seen: set[int] = set()
    yield from (_each_once(plan_tables(some), seen) for some in _parts(plans))


def _parts(items: Sequence[T]) -> Iterator[list[T]]:
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


async def snapshot_tracking(
    resources: Resources, before: Mapping[str, Before], scans: Collection[tuple[str, str, int]], since: datetime
) -> str:
    """Orders that moved or were scanned, as they were `before`; and `scans` recorded since then, by their keys.

    They are read again a part at a time, so memory does not grow with them.
    """
    now, refs = resources.clock(), sorted(before)
    sums = LedgerSums(resources, refs, ("orders",))
    tables = Slices(partial(_tracking_tables, resources.ledger, refs, before, scans, since))
    snapshot_id = f"tracking-{now:%Y%m%dT%H%M%S%f}"
    return await write(resources, snapshot_id, tables, batch_id=None, as_of=now, agreement=sums)


def _tracking_tables(
    ledger: Ledger,
    refs: Sequence[str],
    before: Mapping[str, Before],
    scans: Collection[tuple[str, str, int]],
    since: datetime,
) -> Iterator[dict[str, list[Row]]]:
    def old(order: OrderRecord) -> Collection[int] | None:
        was = before[order.order_ref]
        return None if was.order == hash(repr(order)) else was.rows

    for some in _parts(refs):
        events = ledger.tracking.listed(order_refs=some, since=since)
        new = [one for one in events if (one["order_ref"], one["tracking_number"], one["sequence"]) in scans]
        orders = _new_rows(ledger.each_order(some), old)
        yield {**orders, "tracking_events": [TRACKING_EVENTS.row(event) for event in new]}
