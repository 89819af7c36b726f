"""The landed cost of each line of the paid orders: from the snapshot tables to the
table `landed_costs`, computed whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.ledger.records import HELD_WITHOUT_REST
from connectors.snapshots import Snapshots
from connectors.snapshots.files import snapshot_name
from connectors.snapshots.reader import arrow_answers
from connectors.snapshots.rows import RECORDS_AT_ONCE
from connectors.snapshots.tables import LANDED_COSTS
from connectors.snapshots.writer import write_whole
from domain.bills import Bill, BillLine, Booking, Quoted, net
from domain.landed import Books, LandedLine, Rate, landed
from domain.money import Money
from domain.reason_codes import ReasonCode
from domain.states import OrderState
from tasks.engine.resources import Resources
from tasks.engine.retrying import file_task

Row = dict[str, Any]

SCHEMA = pa.schema(
    [
        field
        for field in LANDED_COSTS.schema
        if field.name not in ("snapshot_id", "snapshot_at")
    ]
)
BY_KEY = [(name, "ascending") for name in LANDED_COSTS.key]
SNAPSHOT = "landed-costs"
OVER = (OrderState.CANCELLED, OrderState.REFUNDED)
CLOSED_BY_THE_MARKETPLACE = (
    ReasonCode.CLOSED_AFTER_PAYMENT,
    ReasonCode.PAID_BEFORE_CLOSED,
)
OF_THE_ORDER = ("batch_id", "marketplace", "order_id", "shipment_order_id")
OF_THE_LINE = ("item_id", "sku_id", "title", "quantity")
NO_LINE: Row = {**dict.fromkeys(OF_THE_LINE), "line_no": 0, "amount_minor": 0}
CLOSED = (
    "the marketplace closed it, and whether its money came back is not known: ask for it (sourcing refund), or say how "
    "much did (sourcing resolve ORDER_REF came-back AMOUNT_CNY)"
)

BILLS = """
WITH own_lines AS (
    -- without those that an order had before its request was changed
    SELECT order_ref, list(struct_pack(line_no, amount_minor, line.currency, item_id,
        sku_id, title, quantity) ORDER BY line_no) AS lines
    FROM orders AS paid JOIN order_lines AS line USING (order_ref)
    WHERE line.batch_id IS NOT DISTINCT FROM paid.batch_id
        AND line_no <= coalesce(line_count, line_no)
    GROUP BY order_ref
), own_refunds AS (
    SELECT order_ref, list(struct_pack(part, refunded_minor, currency)
        ORDER BY refund_key) AS refunds
    FROM refunds GROUP BY order_ref
)
SELECT order_ref, paid.batch_id, paid.marketplace, paid.order_id, shipment_order_id,
    paid.state, paid.reason_code, paid.currency, paid.paid_minor, freight_minor,
    freight_currency, lines, refunds,
    CAST(paid.paid_at AT TIME ZONE $timezone AS DATE) AS paid_on,
    CAST(paid.booked_at AT TIME ZONE $timezone AS DATE) AS booked_on,
    quote.currency AS quoted_in, goods_minor, postage_minor, total_minor,
    fee_minor, parcel.currency AS fee_currency,
    CASE WHEN len(parcel.tracking_numbers) > 0 THEN parcel.tracking_numbers
        ELSE paid.tracking_numbers END AS numbers
FROM orders AS paid
LEFT JOIN own_lines USING (order_ref)
LEFT JOIN own_refunds USING (order_ref)
LEFT JOIN quotes AS quote USING (order_ref)
LEFT JOIN shipments AS parcel USING (order_ref, shipment_order_id)
WHERE paid_minor > 0
ORDER BY order_ref
"""
"""A row a paid order, with all that its cost is made of."""


@file_task("what orders cost in {currency}")
async def cost_of(root: Path, books: Books, timezone: str, currency: str) -> pa.Table:
    """The landed cost of all paid orders; `currency` is for show."""

    def compute() -> pa.Table:
        bills = arrow_answers(root, {"bills": BILLS}, {"timezone": timezone})["bills"]
        return landed_cost(bills, books)

    return await asyncio.to_thread(compute)


def landed_cost(bills: pa.Table, books: Books) -> pa.Table:
    """One row a line of each order of `BILLS`, as the table `landed_costs` has it, in
    the order of its key.

    An unknown value is null. Python objects are made of one group at a time: of orders
    that may share a parcel.
    """
    first_of = _groups(bills)
    groups = [first_of.get(ref, ref) for ref in bills["order_ref"].to_pylist()]
    grouped = bills.append_column("group", pa.array(groups, pa.string())).sort_by(
        [("group", "ascending"), ("order_ref", "ascending")]
    )
    rows = _cost_rows(grouped, books)
    tables = [SCHEMA.empty_table()]
    while some_rows := list(islice(rows, RECORDS_AT_ONCE)):
        tables.append(pa.Table.from_pylist(some_rows, SCHEMA))
    return pa.concat_tables(tables).sort_by(BY_KEY)


def _groups(bills: pa.Table) -> dict[str, str]:
    """The first order of the group of each order that has a parcel's number in common
    with another, directly or through a third.
    """
    first_of: dict[str, str] = {}
    order_of: dict[str, str] = {}

    def find_first(ref: str) -> str:
        while (before := first_of.setdefault(ref, ref)) != ref:
            first_of[ref] = ref = first_of[before]
        return ref

    numbers = zip(
        bills["order_ref"].to_pylist(), bills["numbers"].to_pylist(), strict=True
    )
    for ref, of_order in numbers:
        for number in of_order or ():
            other_first = find_first(order_of.setdefault(number, ref))
            own_first = find_first(ref)
            first_of[max(own_first, other_first)] = min(own_first, other_first)
    return {ref: find_first(ref) for ref in first_of}


def _cost_rows(bills: pa.Table, books: Books) -> Iterator[Row]:
    orders = (
        order
        for batch in bills.to_batches(RECORDS_AT_ONCE)
        for order in batch.to_pylist()
    )
    for _, together in groupby(orders, itemgetter("group")):
        yield from _rows_of(together, books)


def _rows_of(orders: Iterable[Row], books: Books) -> Iterator[Row]:
    order_of = {order["order_ref"]: order for order in orders}
    bill_of = {ref: _bill(order) for ref, order in order_of.items()}
    for cost in landed(bill_of.values(), books):
        order = order_of[cost.order_ref]
        lines = {line["line_no"]: line for line in order["lines"] or ()}
        line = lines.get(cost.line_no, NO_LINE)
        yield {
            **{name: order[name] for name in OF_THE_ORDER},
            **{name: line[name] for name in OF_THE_LINE},
            **_row(cost, bill_of[cost.order_ref], books.currency),
        }


def _row(cost: LandedLine, bill: Bill, into: str) -> Row:
    converted = {
        f"landed_{name}_minor": amount
        for name, amount in (cost.converted or {}).items()
    }
    return {
        "order_ref": cost.order_ref,
        "line_no": cost.line_no,
        "paid_on": bill.paid_on.isoformat() if bill.paid_on else None,
        **{f"{name}_minor": amount for name, amount in cost.paid.items()},
        "currency": bill.currency,
        "freight_currency": cost.freight_currency,
        "landed_currency": into or None,
        **converted,
        "landed_minor": net(cost.converted) if cost.converted else None,
        **_rate_columns("", cost.rate),
        **_rate_columns("freight_", cost.freight_rate),
        "problem": cost.problem or None,
    }


def _rate_columns(prefix: str, rate: Rate | None) -> Row:
    if rate is None:
        return {}
    return {
        f"{prefix}rate": f"{rate.rate:f}",
        f"{prefix}rate_date": rate.on.isoformat(),
        f"{prefix}rate_source": rate.source,
    }


def _bill(order: Row) -> Bill:
    lines = order["lines"] or [NO_LINE]
    refunds = [refund for refund in order["refunds"] or () if refund["refunded_minor"]]
    known_order = (order["state"], order["reason_code"])
    quoted = (
        Quoted(
            goods=order["goods_minor"],
            postage=order["postage_minor"],
            total=order["total_minor"],
        )
        if order["quoted_in"]
        else None
    )
    return Bill(
        order_ref=order["order_ref"],
        currency=order["currency"],
        paid=order["paid_minor"],
        paid_on=order["paid_on"],
        lines=tuple(
            BillLine(line_no=line["line_no"], goods=line["amount_minor"])
            for line in lines
        ),
        quoted=quoted,
        refunds=tuple((refund["part"], refund["refunded_minor"]) for refund in refunds),
        booking=_booking(order),
        is_over=order["state"] in OVER
        or (order["shipment_order_id"] is None and known_order == HELD_WITHOUT_REST),
        problem=_problem(order),
    )


def _problem(order: Row) -> str:
    """Why an order's amounts can't be added up; empty where they can."""
    rows = [*(order["lines"] or ()), *(order["refunds"] or ())]
    currencies = {row["currency"] for row in rows} | {order["quoted_in"]}
    came_back = sum(refund["refunded_minor"] for refund in order["refunds"] or ())
    is_closed = order["reason_code"] in CLOSED_BY_THE_MARKETPLACE
    if is_closed and came_back < order["paid_minor"]:
        return CLOSED
    if strange := sorted(currencies - {order["currency"], None}):
        return f"it was paid in {order['currency']}, and some of it is shown in {', '.join(strange)}"
    return "" if order["lines"] else "the tables have no line of it"


def _booking(order: Row) -> Booking | None:
    if not (number := order["shipment_order_id"]):
        return None
    fee = _money(order["fee_minor"], order["fee_currency"])
    chosen = _money(order["freight_minor"], order["freight_currency"])
    return Booking(
        shipment_order_id=number,
        numbers=frozenset(order["numbers"]),
        fee=fee or chosen,
        on=order["booked_on"],
    )


def _money(minor: int | None, currency: str | None) -> Money | None:
    return None if minor is None or currency is None else Money(minor, currency)


async def snapshot_costs(
    resources: Resources, costs: pa.Table, as_of: datetime
) -> str | None:
    """Replace the table of all costs. Answers the snapshot's id, None where they stand
    so already.
    """
    stored = Snapshots(resources.settings.snapshot_root).arrow(
        LANDED_COSTS.name, columns=SCHEMA.names
    )
    if stored.sort_by(BY_KEY).equals(costs):
        return None
    tables = (batch.to_pylist() for batch in costs.to_batches(RECORDS_AT_ONCE))
    snapshot_id = snapshot_name(SNAPSHOT, as_of)
    root = resources.settings.snapshot_root
    await asyncio.to_thread(
        write_whole, root, LANDED_COSTS.name, tables, snapshot_id, as_of
    )
    return snapshot_id
