"""Write what a run has moved as one Parquet snapshot: orders, their refunds and scans."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa
from pyarrow.compute import field

from connectors.ledger.overview import MOVED_AT, ids_of_rows, moved_since
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.ledger.transactions import Scan
from connectors.snapshots.frames import Snapshots
from connectors.snapshots.manifests import SnapshotError
from connectors.snapshots.tables.parcels import TRACKING_EVENTS
from connectors.snapshots.tables.table import Row
from tasks.engine.resources import Resources
from tasks.snapshot import LedgerSums, Slices, Source, order_tables, parts_of, refund_tables, write

ALWAYS_WRITTEN = ("orders", "outcomes")
ALL_COMPARED = "refunds compared"
"""The mark of a ledger all of whose refunds were compared with the tables."""
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)

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
    """Write what this run has moved and no snapshot has yet, and how further orders are; answers the id.

    The one writer of whatever settles an effect or a refund, beside that of a batch. Of a moved order that is known
    from `before` it writes what is new since, else all; `further` are rows of other tables. None, and no file, where
    there is nothing to tell.
    """
    ledger, now = source.ledger, source.ledger.clock()
    moved, scans = ledger.moved.copy(), ledger.scanned.copy()
    told = sorted({*refs, *moved, *(ref for ref, _, _ in scans)})
    if not (told or any(further.values())):
        return None
    sums = LedgerSums(source, told, ("orders", "refunds"))
    before = {ref: before.get(ref, NO_ROWS) for ref in moved}
    tables = Slices(partial(_tables, ledger, told, before, scans, further))
    ledger.moved -= moved
    ledger.scanned -= scans
    try:
        snapshot_id = f"{name}-{now:%Y%m%dT%H%M%S%f}"
        return await write(source, snapshot_id, tables, batch_id=None, as_of=now, begun=begun, agreement=sums)
    except BaseException:
        ledger.moved |= moved
        ledger.scanned |= scans
        raise


def rows_of(order: OrderRecord) -> Rows:
    return frozenset(_hash(row) for rows in order_tables([order]).values() for row in rows)


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
        events = ledger.tracking.listed(order_refs=scanned.intersection(some)) if scanned else ()
        new = [one for one in events if (one["order_ref"], one["tracking_number"], one["sequence"]) in scans]
        tables["tracking_events"] = [TRACKING_EVENTS.row(event) for event in new]
        for order in ledger.each_order(some):
            for table, row in _new_rows(order, before.get(order.order_ref)):
                tables.setdefault(table, []).append(row)
        yield {table: rows for table, rows in tables.items() if rows}


def _new_rows(order: OrderRecord, before: OrderRecord | Rows | None) -> Iterator[tuple[str, Row]]:
    """The rows of an order without those from `before`; None: it has not moved.

    So the tables of lines, payments and shipments grow with events, not with every run that reads an order.
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
    """Call moved what moved since then and after these tables were written; answers its orders, and what went wrong.

    A run may end between settling and its snapshot; a later one writes only what is new of its orders. So they count as
    missing also without rows of their lines, payment or shipment. All refunds are compared until none is missing once:
    earlier versions wrote no rows of those that callbacks settled.
    """
    marks, missing = resources.ledger.marks, set[str]()
    is_first = not await asyncio.to_thread(marks.shown, ALL_COMPARED)
    try:
        for table in tables:
            all_of_it = is_first and table == "refunds"
            found = await asyncio.to_thread(_note_unwritten, resources, table, BEGINNING if all_of_it else since)
            missing.update(found)
            if all_of_it and not found:
                await asyncio.to_thread(marks.show, ALL_COMPARED, "yes")
    except SnapshotError as error:
        return missing, f"rows that the tables lack could not be looked for: {error}"
    return missing, ""


def _note_unwritten(resources: Resources, table: str, since: datetime) -> Collection[str]:
    """The orders of which this table has older rows than the ledger, or none; where nothing moved it is not read."""
    ledger = resources.ledger
    if not (moved := moved_since(ledger, table, since)):
        return ()
    rows = _written(resources, table, "snapshot_at", moved)
    newest = rows.group_by("order_ref").aggregate([("snapshot_at", "max")]).to_pydict()
    told = dict[str, datetime](zip(newest["order_ref"], newest["snapshot_at_max"], strict=True))
    missing = {ref for ref, at in moved.items() if ref not in told or told[ref] < at}
    if table == "orders":
        for (name, column), ids in ids_of_rows(ledger, since).items():
            found = _written(resources, name, column, ids).to_pydict()
            missing |= dict(ids.items() - {*zip(found["order_ref"], found[column], strict=True)}).keys()
    ledger.moved |= missing
    if table == "tracking_events":
        events = ledger.tracking.listed(order_refs=missing, since=since)
        new = (one for one in events if one["order_ref"] not in told or told[one["order_ref"]] < one["recorded_at"])
        ledger.scanned.update((one["order_ref"], one["tracking_number"], one["sequence"]) for one in new)
    return missing


def _written(resources: Resources, table: str, column: str, refs: Collection[str]) -> pa.Table:
    these = field("order_ref").isin(pa.array([*refs], pa.string()))
    return Snapshots(resources.settings.snapshot_root).arrow(table, columns=["order_ref", column], where=these)
