"""The snapshot tables: what the ledger has of orders, written where it changed.

Whatever changes an order in the ledger marks it there; the marks are deleted once the
tables have the order as it is. So a crash anywhere leaves a mark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from connectors.ledger.engine import chunked
from connectors.ledger.marks import refused_for
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots.files import SnapshotDamaged, part_path, snapshot_name
from connectors.snapshots.tables.offers import (
    FREIGHT_QUOTES,
    OFFERS,
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
from connectors.snapshots.tables.refunds import REFUNDS
from connectors.snapshots.tables.requests import CANDIDATES, REQUESTS
from connectors.snapshots.tables.table import Row
from connectors.snapshots.writer import (
    Parts,
    delete_parts,
    write_history,
    write_orders,
    writing,
)
from domain.plan import PlannedOrder
from tasks.engine.resources import Resources
from tasks.engine.retrying import file_task
from tasks.search import with_matches

OF_REQUESTS = (REQUESTS, CANDIDATES)
OF_ORDERS = (
    ORDERS,
    ORDER_LINES,
    PAYMENTS,
    FREIGHT_QUOTES,
    SHIPMENTS,
    SHIPMENT_ITEMS,
    OUTCOMES,
)
ORDERS_A_PART = 100
NOTHING: Mapping[str, Sequence[Row]] = {}
NOT_KNOWN = (
    "Not in the ledger, and so not rebuilt: offers of the catalogue, dry runs, reconciliations, landed costs, and how "
    "orders stood before"
)

Tables = Mapping[str, Sequence[Row]]


def plan_tables(plans: Sequence[PlannedOrder]) -> Tables:
    """What the marketplaces offered for these plans, each offer once."""
    offer_row_list = [
        row for plan in plans for offer in plan.offers for row in offer_rows(offer)
    ]
    offers = {tuple(row[name] for name in OFFERS.key): row for row in offer_row_list}
    return {
        QUOTES.name: [row for plan in plans for row in QUOTES.rows(plan)],
        OFFERS.name: [*offers.values()],
    }


def request_tables(plans: Sequence[PlannedOrder]) -> Tables:
    """What these plans are of."""
    return {
        table.name: [row for plan in plans for row in table.rows(plan)]
        for table in OF_REQUESTS
    }


def order_tables(orders: Sequence[OrderRecord]) -> Tables:
    """What the ledger has of these orders."""
    return {
        table.name: [row for order in orders for row in table.rows(order)]
        for table in OF_ORDERS
    }


def refund_tables(ledger: Ledger, order_refs: Sequence[str]) -> Tables:
    """The refunds and scans of these orders."""
    scans = ledger.tracking.listed(order_refs=order_refs)
    return {
        REFUNDS.name: [*map(REFUNDS.row, ledger.refunds.of_orders(order_refs))],
        TRACKING_EVENTS.name: [
            TRACKING_EVENTS.row(scan) | {"snapshot_at": scan["recorded_at"]}
            for scan in scans
        ],
    }


def _parts(
    ledger: Ledger, planned: Collection[str], order_refs: Collection[str]
) -> Iterator[Tables]:
    """The rows of these orders; offers and quotes of those that were `planned`."""
    for refs in chunked(sorted(order_refs), ORDERS_A_PART):
        orders = list(ledger.each_order(refs))
        matches = ledger.matches.of(refs)
        plans = [with_matches(order.plan, matches) for order in orders]
        batch_of = {order.order_ref: order.batch_id for order in orders}
        tables = {**request_tables(plans), **order_tables(orders)}
        for row in (row for rows in tables.values() for row in rows):
            row["batch_id"] = batch_of[row["order_ref"]]
        yield {**tables, **refund_tables(ledger, refs)}
        yield plan_tables([plan for plan in plans if plan.order_ref in planned])


class LedgerAlone(NamedTuple):
    """The source of a command that does not call the service."""

    ledger: Ledger
    settings: SourcingSettings


Source = Resources | LedgerAlone
"""A ledger, and the settings that say where its tables are."""


async def write_tables(
    source: Source, name: str, further: Tables = NOTHING
) -> str | None:
    """Write the orders that changed since the tables were written, and `further` rows
    of this run; answers the snapshot's id.

    None, and no file, where nothing changed. Raises `SnapshotError`: the marks stay,
    and the next run writes them.
    """
    ledger = source.ledger
    root = source.settings.snapshot_root
    ledger.guard.require_files()  # a folder that went away would be made anew, without its files
    return await _written(root, ledger, name, ledger.clock(), further)


@file_task("tables of {name}")
async def _written(
    root: Path, ledger: Ledger, name: str, moment: datetime, further: Tables
) -> str | None:
    return await asyncio.to_thread(write_now, root, ledger, name, moment, further)


def write_now(
    root: Path, ledger: Ledger, name: str, now: datetime, further: Tables = NOTHING
) -> str | None:
    """As `write_tables`, in this thread."""
    snapshot_id = snapshot_name(name, now)
    of_day = ledger.unwritten.of_day
    with writing(root):
        marked = ledger.unwritten.read()
        if not marked.ids and not any(further.values()):
            return None
        parts_of = partial(_parts, ledger, marked.planned)
        days = {
            day: refs if part_path(root, day, ORDERS.name).exists() else of_day(day)
            for day, refs in marked.days.items()
        }
        try:
            write_orders(root, snapshot_id, days, parts_of, now)
        except SnapshotDamaged:  # the ledger has all of it
            delete_parts(root, days)
            days = {day: of_day(day) for day in days}
            write_orders(root, snapshot_id, days, parts_of, now)
        ledger.unwritten.end(marked.ids)
    if any(further.values()):
        write_history(root, snapshot_id, [further], now, None)
    return snapshot_id


async def snapshot_plan(
    resources: Resources, batch_id: str, plans: Sequence[PlannedOrder]
) -> str:
    """Write the result of a dry run to the history; answers the snapshot's id."""
    moment = resources.clock()
    root = resources.settings.snapshot_root
    resources.ledger.guard.require_files()
    snapshot_id = snapshot_name(f"{batch_id}-plan", moment)
    await asyncio.to_thread(
        write_history, root, snapshot_id, _planned(plans), moment, batch_id
    )
    return snapshot_id


def _planned(plans: Sequence[PlannedOrder]) -> Parts:
    for planned_order in chunked(plans, ORDERS_A_PART):
        freight = [
            FREIGHT_QUOTES.row(freight_row)
            for plan in planned_order
            for freight_row in freight_on_offer(
                plan.order_ref,
                plan.freight,
                plan.freight_service.service_id if plan.freight_service else None,
            )
        ]
        yield {
            **plan_tables(planned_order),
            **request_tables(planned_order),
            FREIGHT_QUOTES.name: freight,
        }


def rebuild(ledger: Ledger, settings: SourcingSettings) -> str | None:
    """Write the tables anew from the ledger; answers the snapshot's id.

    Raises `LedgerUnusable` for a ledger that was restored: the tables may
    know of payments that it does not.
    """
    if message := ledger.marks.restored():
        raise refused_for(message, ledger.shown)
    ledger.guard.require_files()
    ledger.unwritten.mark_all()
    with writing(settings.snapshot_root):
        delete_parts(settings.snapshot_root)
    return write_now(settings.snapshot_root, ledger, "rebuilt", ledger.clock())
