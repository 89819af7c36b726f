"""The rows of the snapshot tables, and some orders written as one Parquet snapshot.

Whatever settles an effect or a refund writes what it moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
    Set,
)
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar, Union

import pyarrow as pa
from pyarrow.compute import field

from connectors.ledger.engine import chunked
from connectors.ledger.overview import (
    MOVED_AT,
    ids_of_rows,
    moved_since,
    state_of_all,
)
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.ledger.transactions import Scan
from connectors.settings import SourcingSettings
from connectors.snapshots.frames import Snapshots
from connectors.snapshots.manifests import SnapshotError
from connectors.snapshots.tables.offers import (
    FREIGHT_QUOTES,
    QUOTES,
    freight_on_offer,
    offer_rows,
)
from connectors.snapshots.tables.orders import ORDER_LINES, ORDERS, OUTCOMES, PAYMENTS
from connectors.snapshots.tables.parcels import (
    SHIPMENT_ITEMS,
    SHIPMENTS,
    TRACKING_EVENTS,
)
from connectors.snapshots.tables.refunds import REFUND_EVENTS, REFUNDS
from connectors.snapshots.tables.requests import CANDIDATES, REQUESTS
from connectors.snapshots.tables.table import Row
from connectors.snapshots.writer import write_snapshot
from domain.plan import PlannedOrder
from tasks.engine.resources import Resources
from tasks.engine.retrying import file_task
from tasks.search import with_matches

OF_PLANS = (REQUESTS, CANDIDATES, QUOTES)
OF_ORDERS = (
    ORDERS,
    ORDER_LINES,
    PAYMENTS,
    FREIGHT_QUOTES,
    SHIPMENTS,
    SHIPMENT_ITEMS,
    OUTCOMES,
)
OF_NO_BATCH: Row = {"batch_id": None}


def plan_tables(plans: Sequence[PlannedOrder]) -> dict[str, list[Row]]:
    """The requests and the marketplaces' offers."""
    seen = [row for plan in plans for offer in plan.offers for row in offer_rows(offer)]
    offers = {(row["marketplace"], row["item_id"], row["sku_id"]): row for row in seen}
    return {
        **{
            table.name: [row for plan in plans for row in table.rows(plan)]
            for table in OF_PLANS
        },
        "offers": list(offers.values()),
        "freight_quotes": [
            FREIGHT_QUOTES.row(one) for plan in plans for one in _freight(plan)
        ],
    }


def _freight(plan: PlannedOrder) -> Sequence[object]:
    chosen = plan.freight_service.service_id if plan.freight_service else None
    return freight_on_offer(plan.order_ref, plan.freight, chosen)


def order_tables(orders: Sequence[OrderRecord]) -> dict[str, list[Row]]:
    """The orders of the ledger; each row under the batch of its order, whatever run
    writes it.
    """
    return {
        table.name: [
            {**row, "batch_id": order.batch_id}
            for order in orders
            for row in table.rows(order)
        ]
        for table in OF_ORDERS
    }


def refund_tables(ledger: Ledger, order_refs: Sequence[str]) -> dict[str, list[Row]]:
    """The refunds of these orders and their events, under no batch, whatever run writes
    them.
    """
    events = ledger.refunds.events(
        order_refs=order_refs
    )  # before the refunds: an event's own is never missing then
    return {
        "refunds": [
            REFUNDS.row(refund) | OF_NO_BATCH
            for refund in ledger.refunds.of_orders(order_refs)
        ],
        "refund_events": [REFUND_EVENTS.row(event) | OF_NO_BATCH for event in events],
    }


class LedgerAlone(NamedTuple):
    """The source of a command that does not call the service."""

    ledger: Ledger
    settings: SourcingSettings


Source = Resources | LedgerAlone
"""A ledger, and the settings that say where its snapshots are."""


T = TypeVar("T")
Tables = Union[Mapping[str, Sequence[Row]], "Slices"]

MOST_WRITES = 10
ORDERS_A_PART = 100


@file_task("snapshot {snapshot_id}")
async def write_tables(
    root: Path,
    snapshot_id: str,
    day: date,
    tables: Tables,
    *,
    batch_id: str | None,
    written_at: datetime,
) -> None:
    await asyncio.to_thread(
        write_snapshot,
        root,
        snapshot_id,
        day,
        tables,
        batch_id=batch_id,
        written_at=written_at,
    )


async def write(
    source: Source,
    snapshot_id: str,
    tables: Tables,
    *,
    batch_id: str | None,
    as_of: datetime,
    begun: datetime | None = None,
) -> str:
    """Write or replace one snapshot; answers its id. `begun` gives the date folder, the
    same one for a rerun.

    The newest row counts, by `as_of`. A run that was slow or stopped between reading
    and writing must not hide what another has written: `as_of` is a moment before the
    rows were read, or one after which they are read once more.
    """
    source.ledger.guard.require_files()  # a folder that went away would be made anew, without its files
    await write_tables(
        source.settings.snapshot_root,
        snapshot_id,
        (begun or as_of).date(),
        tables,
        batch_id=batch_id,
        written_at=as_of,
    )
    return snapshot_id


async def snapshot_orders(
    resources: Resources,
    batch_id: str,
    begun: datetime,
    further_refs: Sequence[str] = (),
    *,
    written: Set[str] = frozenset(),
) -> str:
    """All tables for a batch and for some further orders, from the ledger alone: every
    run of the batch replaces it.

    Written again when the ledger has moved meanwhile: another run's newer snapshot,
    perhaps with orders that were not there before, may just have been replaced. So are,
    once, the snapshots of batches in which these orders are or were: lines that were
    taken out of them would stay.
    """

    def state() -> tuple[list[str], str, set[str]]:
        refs = sorted({*resources.ledger.refs_in(batch_id), *further_refs})
        return refs, *state_of_all(resources.ledger, refs)

    now = await asyncio.to_thread(state)
    for _ in range(MOST_WRITES):
        tables = Slices(partial(_batch_tables, resources.ledger, now[0]))
        as_of = resources.clock()
        await write(
            resources,
            batch_id,
            tables,
            batch_id=batch_id,
            as_of=as_of,
            begun=begun,
        )
        told, now = now, await asyncio.to_thread(state)
        if told == now:
            break
    resources.ledger.moved.difference_update(told[0])
    written |= {batch_id}
    # of this batch's snapshots only those of its file's own runs have these orders, and
    # a follow-up may be the last
    for other in sorted(
        (now[2] | await asyncio.to_thread(_batches_of_lines, resources, told[0]))
        - written
    ):
        await snapshot_orders(
            resources, other, resources.ledger.start_batch(other, ""), written=written
        )
    return batch_id


def _batches_of_lines(resources: Resources, refs: Collection[str]) -> set[str]:
    """The batches under which the tables have lines of these orders."""
    with suppress(SnapshotError):  # of a damaged snapshot: its readers tell of it
        return {
            *_written(resources, ORDER_LINES.name, "batch_id", refs)["batch_id"]
            .unique()
            .to_pylist()
        } - {None}
    return set()


class Slices:
    """The rows of the tables a part at a time, made anew for each reader."""

    def __init__(
        self, parts: Callable[[], Iterator[Mapping[str, Sequence[Row]]]]
    ) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[Mapping[str, Sequence[Row]]]:
        return self._parts()


def _batch_tables(
    ledger: Ledger, order_refs: Sequence[str]
) -> Iterator[dict[str, list[Row]]]:
    seen: set[int] = set()
    for some in parts_of(order_refs):
        orders = list(ledger.each_order(some))
        matches = ledger.matches.of(some)
        plans = [with_matches(order.plan, matches) for order in orders]
        refunds = {
            name: rows for name, rows in refund_tables(ledger, some).items() if rows
        }
        yield {
            **_each_once(plan_tables(plans), seen),
            **order_tables(orders),
            **refunds,
            "tracking_events": [],
        }


def _plan_tables(plans: Sequence[PlannedOrder]) -> Iterator[dict[str, list[Row]]]:
    seen: set[int] = set()
    yield from (_each_once(plan_tables(some), seen) for some in parts_of(plans))


def parts_of(items: Sequence[T]) -> Iterator[list[T]]:
    """Parts of at most so many; of no items one empty part, so that its tables are
    there without rows.
    """
    yield from chunked(items, ORDERS_A_PART) if items else ([],)


def _each_once(tables: dict[str, list[Row]], seen: set[int]) -> dict[str, list[Row]]:
    """Rows without the offers of earlier parts: `seen` has a hash of each."""
    keys = [
        hash((row["marketplace"], row["item_id"], row["sku_id"]))
        for row in tables["offers"]
    ]
    new = [
        row for row, key in zip(tables["offers"], keys, strict=True) if key not in seen
    ]
    seen.update(keys)
    return {**tables, "offers": new}


async def snapshot_plan(
    resources: Resources, batch_id: str, plans: Sequence[PlannedOrder]
) -> str:
    """The result of a dry run: no rows of orders, since there are none."""
    tables = Slices(partial(_plan_tables, plans))
    return await write(
        resources,
        f"{batch_id}-plan",
        tables,
        batch_id=batch_id,
        as_of=resources.clock(),
    )


ALWAYS_WRITTEN = ("orders", "outcomes")

Rows = frozenset[int]
"""The rows of an order in little memory: a hash of each."""
Before = Mapping[str, OrderRecord | Rows]
"""How orders were before a run."""
NOT_KNOWN: Before = {}
NO_ROWS: Rows = frozenset()
NONE_FURTHER: Mapping[str, Sequence[Row]] = {}


async def snapshot_moved(
    source: Source,
    name: str = "moved",
    *,
    refs: Collection[str] = (),
    before: Before = NOT_KNOWN,
    further: Mapping[str, Sequence[Row]] = NONE_FURTHER,
    begun: datetime | None = None,
) -> str | None:
    """Write what this run has moved and no snapshot has yet, and how further orders
    are; answers the id.

    The one writer of whatever settles an effect or a refund, beside that of a batch. Of
    a moved order that is known from `before` it writes what is new since, else all;
    `further` are rows of other tables. None, and no file, where there is nothing to
    tell.
    """
    ledger, now = source.ledger, source.ledger.clock()
    moved, scans = ledger.moved.copy(), ledger.scanned.copy()
    told = sorted({*refs, *moved, *(ref for ref, _, _ in scans)})
    if not (told or any(further.values())):
        return None
    before = {ref: before.get(ref, NO_ROWS) for ref in moved}
    tables = Slices(partial(_tables, ledger, told, before, scans, further))
    ledger.moved -= moved
    ledger.scanned -= scans
    try:
        snapshot_id = f"{name}-{now:%Y%m%dT%H%M%S%f}"
        return await write(
            source,
            snapshot_id,
            tables,
            batch_id=None,
            as_of=now,
            begun=begun,
        )
    except BaseException:
        ledger.moved |= moved
        ledger.scanned |= scans
        raise


def rows_of(order: OrderRecord) -> Rows:
    return frozenset(
        _hash(row) for rows in order_tables([order]).values() for row in rows
    )


def _tables(
    ledger: Ledger,
    refs: Sequence[str],
    before: Before,
    scans: Collection[Scan],
    further: Mapping[str, Sequence[Row]],
) -> Iterator[Mapping[str, Sequence[Row]]]:
    """The rows, orders a part at a time: memory does not grow with them."""
    yield {table: rows for table, rows in further.items() if rows}
    scanned = {ref for ref, _, _ in scans}
    for some in parts_of(refs):
        tables = refund_tables(ledger, some)
        events = (
            ledger.tracking.listed(order_refs=scanned.intersection(some))
            if scanned
            else ()
        )
        new = [
            one
            for one in events
            if (one["order_ref"], one["tracking_number"], one["sequence"]) in scans
        ]
        tables["tracking_events"] = [TRACKING_EVENTS.row(event) for event in new]
        for order in ledger.each_order(some):
            for table, row in _new_rows(order, before.get(order.order_ref)):
                tables.setdefault(table, []).append(row)
        yield {table: rows for table, rows in tables.items() if rows}


def _new_rows(
    order: OrderRecord, before: OrderRecord | Rows | None
) -> Iterator[tuple[str, Row]]:
    """The rows of an order without those from `before`; None: it has not moved.

    So the tables of lines, payments and shipments grow with events, not with every run
    that reads an order.
    """
    old = rows_of(before) if isinstance(before, OrderRecord) else before
    for table, rows in order_tables([order]).items():
        for row in rows:
            if table in ALWAYS_WRITTEN or (old is not None and _hash(row) not in old):
                yield table, row


def _hash(row: Row) -> int:
    return hash(repr(row))


async def note_missing(
    resources: Resources, since: datetime, tables: Collection[str] = tuple(MOVED_AT)
) -> tuple[set[str], str]:
    """Call moved what moved since then and after these tables were written; answers its
    orders, and what went wrong.

    A run may end between settling and its snapshot; a later one writes only what is new
    of its orders. So they count as missing also without rows of their lines, payment or
    shipment.
    """
    missing = set[str]()
    try:
        for table in tables:
            missing.update(
                await asyncio.to_thread(_note_unwritten, resources, table, since)
            )
    except SnapshotError as error:
        return missing, f"rows that the tables lack could not be looked for: {error}"
    return missing, ""


def _note_unwritten(
    resources: Resources, table: str, since: datetime
) -> Collection[str]:
    """The orders of which this table has older rows than the ledger, or none; where
    nothing moved it is not read.
    """
    ledger = resources.ledger
    if not (moved := moved_since(ledger, table, since)):
        return ()
    rows = _written(resources, table, "snapshot_at", moved)
    newest = rows.group_by("order_ref").aggregate([("snapshot_at", "max")]).to_pydict()
    told = dict[str, datetime](
        zip(newest["order_ref"], newest["snapshot_at_max"], strict=True)
    )
    missing = {ref for ref, at in moved.items() if ref not in told or told[ref] < at}
    if table == "orders":
        for (name, column), ids in ids_of_rows(ledger, since).items():
            found = _written(resources, name, column, ids).to_pydict()
            missing |= dict(
                ids.items() - {*zip(found["order_ref"], found[column], strict=True)}
            ).keys()
    ledger.moved |= missing
    if table == "tracking_events":
        events = ledger.tracking.listed(order_refs=missing, since=since)
        new = (
            one
            for one in events
            if one["order_ref"] not in told
            or told[one["order_ref"]] < one["recorded_at"]
        )
        ledger.scanned.update(
            (one["order_ref"], one["tracking_number"], one["sequence"]) for one in new
        )
    return missing


def _written(
    resources: Resources, table: str, column: str, refs: Collection[str]
) -> pa.Table:
    these = field("order_ref").isin(pa.array([*refs], pa.string()))
    return Snapshots(resources.settings.snapshot_root).arrow(
        table, columns=["order_ref", column], where=these
    )
