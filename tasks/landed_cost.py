"""The landed cost of each line of the paid orders: from the snapshot tables to the
table `landed_costs`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.compute import Expression, field

from connectors.ledger.records import HELD_WITHOUT_REST
from connectors.snapshots import Snapshots
from connectors.snapshots.tables import LANDED_COSTS, TABLES
from domain.bills import Bill, BillLine, Booking, Quoted, net
from domain.landed import NOT_PAID, Books, LandedLine, Rate, landed
from domain.money import Money
from domain.reason_codes import ReasonCode
from domain.states import OrderState
from tasks.engine.resources import Resources
from tasks.engine.retrying import file_task
from tasks.snapshot import Slices, write

Row = dict[str, Any]
Parts = Sequence[Sequence[str]]
"""Orders in parts, each small enough for memory and without a parcel in common with
another.
"""

SCHEMA = pa.schema(
    [
        field
        for field in LANDED_COSTS.schema
        if field.name not in ("snapshot_id", "snapshot_at")
    ]
)
IS_PAID = field("problem").is_null() | (field("problem") != NOT_PAID)
UNKNOWN = "unknown"
"""In place of a month, of payments without a known day."""
OVER = (OrderState.CANCELLED, OrderState.REFUNDED)
OF_THE_ORDER = ("batch_id", "marketplace", "order_id", "shipment_order_id")
QUOTED = ("goods", "postage", "total")
OF_THE_LINE = ("item_id", "sku_id", "title", "quantity")
TABLES_OF_COSTS = (
    "orders",
    "order_lines",
    "quotes",
    "shipments",
    "refunds",
    "payments",
)
"""The tables that costs are made of. Orders come first: nothing that belongs to them is
older, so none lacks its lines.
"""
OF_A_BILL = {
    *(
        "order_ref",
        *OF_THE_ORDER,
        *OF_THE_LINE,
        "line_no",
        "currency",
        "state",
        "reason_code",
        "part",
    ),
    *(
        "paid_at",
        "booked_at",
        "paid_minor",
        "amount_minor",
        "refunded_minor",
        "goods_minor",
        "postage_minor",
    ),
    *(
        "line_count",
        "total_minor",
        "fee_minor",
        "freight_minor",
        "freight_currency",
        "tracking_numbers",
    ),
}
"""The columns that costs are made of."""
CostTables = Mapping[str, Sequence[Row]]


def cost_tables(snapshots: Snapshots, refs: Sequence[str]) -> CostTables:
    """The newest rows of these orders, by table."""
    columns = {
        name: [one for one in TABLES[name].columns if one in OF_A_BILL]
        for name in TABLES_OF_COSTS
    }
    return {
        name: snapshots.arrow(name, None, some, of_orders(refs)).to_pylist()
        for name, some in columns.items()
    }


def of_orders(refs: Sequence[str]) -> Expression:
    """Files are in the order of the key, so that their statistics tell which parts have
    none of a span.
    """
    span = (field("order_ref") >= min(refs, default="")) & (
        field("order_ref") <= max(refs, default="")
    )
    return span & field("order_ref").isin(pa.array(refs, pa.string()))


@file_task("what orders cost in {currency}")
async def cost_of(
    root: Path, books: Books, timezone: str, currency: str, parts: Parts
) -> list[pa.Table]:
    """The landed cost of the paid orders of each part; `currency` is for show."""

    def computed() -> list[pa.Table]:
        return [
            landed_cost(cost_tables(Snapshots(root), refs), books, timezone)
            for refs in parts
        ]

    return await asyncio.to_thread(computed)


def landed_cost(tables: CostTables, books: Books, timezone: str) -> pa.Table:
    """One row a line of each paid order, as the table `landed_costs` has it, in the
    order of its keys.

    An unknown value is null. Days are those of `timezone`.
    """
    orders = [
        *(row for row in tables["orders"] if row["paid_minor"] > 0),
        *_lost(tables),
    ]
    kept = {name: _by_order(rows) for name, rows in tables.items()}
    own = {
        one["order_ref"]: {
            name: rows.get(one["order_ref"], []) for name, rows in kept.items()
        }
        for one in orders
    }
    told = {
        one["order_ref"]: _bill(one, own[one["order_ref"]], ZoneInfo(timezone))
        for one in orders
    }
    costs = sorted(
        landed(told.values(), books), key=lambda cost: (cost.order_ref, cost.line_no)
    )
    about = {order["order_ref"]: order for order in orders}
    of_line = {
        (ref, line["line_no"]): line
        for ref, one in about.items()
        for line in _lines_of(one, own[ref])
    }
    rows = [
        {
            **{name: about[cost.order_ref][name] for name in OF_THE_ORDER},
            **{
                name: of_line.get((cost.order_ref, cost.line_no), NO_LINE)[name]
                for name in OF_THE_LINE
            },
            **_row(cost, told[cost.order_ref], books.currency),
        }
        for cost in costs
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _lines_of(order: Row, own: Mapping[str, Sequence[Row]]) -> Sequence[Row]:
    """An order's lines without those that it had before its request was changed."""
    batch, count, lines = order["batch_id"], order["line_count"], own["order_lines"]
    now = [
        row
        for row in lines
        if row["batch_id"] == batch and (count is None or row["line_no"] <= count)
    ]
    return now or lines


NO_LINE = dict.fromkeys(OF_THE_LINE)
CLOSED = (
    "the marketplace closed it, and whether its money came back is not known: ask for it (sourcing refund), or say how "
    "much did (sourcing resolve ORDER_REF --came-back AMOUNT_CNY)"
)
LOST = "the tables tell of its payment, and nothing of the order: see the table rejected_rows"


def _lost(tables: CostTables) -> list[Row]:
    """Orders that were paid, and whose own row was rejected."""
    known, nothing = (
        {order["order_ref"] for order in tables["orders"]},
        dict.fromkeys(OF_A_BILL),
    )
    lost = [row for row in tables["payments"] if row["order_ref"] not in known]
    return [
        {**nothing, **row, "paid_minor": row["amount_minor"], "problem": LOST}
        for row in lost
    ]


def _row(cost: LandedLine, bill: Bill, into: str) -> Row:
    converted = {
        f"landed_{name}_minor": amount
        for name, amount in (cost.converted or {}).items()
    }
    return {
        "order_ref": cost.order_ref,
        "line_no": cost.line_no,
        "paid_on": _iso(bill.paid_on),
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


def _bill(order: Row, own: Mapping[str, Sequence[Row]], zone: ZoneInfo) -> Bill:
    """An order's bill, of its own rows by table."""
    currency, lines, quotes, refunds = (
        order["currency"],
        _lines_of(order, own),
        own["quotes"],
        own["refunds"],
    )
    strange = {row["currency"] for row in (*lines, *quotes, *refunds)} - {currency}
    problem = (
        f"it was paid in {currency}, and some of it is shown in {', '.join(sorted(strange))}"
        if strange
        else ""
    )
    came_back = tuple(
        (row["part"], row["refunded_minor"]) for row in refunds if row["refunded_minor"]
    )
    if (
        _is_closed(order)
        and sum(amount for _, amount in came_back) < order["paid_minor"]
    ):
        problem = CLOSED
    ordered, stands = (
        sorted(lines, key=lambda line: int(line["line_no"])),
        (order["state"], order["reason_code"]),
    )
    return Bill(
        order_ref=order["order_ref"],
        currency=currency,
        paid=order["paid_minor"],
        paid_on=_day(order["paid_at"], zone),
        lines=tuple(
            BillLine(line_no=line["line_no"], goods=line["amount_minor"])
            for line in ordered
        )
        or (BillLine(line_no=0, goods=0),),
        quoted=next(
            (
                Quoted(**{name: one[f"{name}_minor"] for name in QUOTED})
                for one in quotes
            ),
            None,
        ),
        refunds=came_back,
        booking=_booking(order, own["shipments"], zone),
        is_over=order["state"] in OVER
        or (order["shipment_order_id"] is None and stands == HELD_WITHOUT_REST),
        problem=order.get("problem")
        or problem
        or ("" if lines else "the tables have no line of it"),
    )


def _booking(order: Row, shipments: Sequence[Row], zone: ZoneInfo) -> Booking | None:
    if not (number := order["shipment_order_id"]):
        return None
    shipment: Row = next(
        (row for row in shipments if row["shipment_order_id"] == number), {}
    )
    fee = _money(shipment.get("fee_minor"), shipment.get("currency"))
    return Booking(
        shipment_order_id=number,
        numbers=frozenset(
            shipment.get("tracking_numbers") or order["tracking_numbers"]
        ),
        fee=fee or _money(order["freight_minor"], order["freight_currency"]),
        on=_day(order["booked_at"], zone),
    )


def _day(moment: datetime | None, zone: ZoneInfo) -> date | None:
    return moment.astimezone(zone).date() if moment else None


def _is_closed(order: Row) -> bool:
    codes = (
        ReasonCode.CLOSED_AFTER_PAYMENT,
        ReasonCode.PAID_AND_CLOSED,
        ReasonCode.PAID_BEFORE_CLOSED,
    )
    return order["reason_code"] in codes


def _money(minor: int | None, currency: str | None) -> Money | None:
    return None if minor is None or currency is None else Money(minor, currency)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _by_order(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["order_ref"], []).append(row)
    return found


def moved(now: pa.Table, before: pa.Table) -> list[Row]:
    """The rows that differ from the table; a row that is gone comes back as one without
    a payment.
    """
    known, rows = (
        {_key(row): row for row in some.select(SCHEMA.names).to_pylist()}
        for some in (before, now)
    )
    gone = [
        _gone(row)
        for key, row in known.items()
        if key not in rows and row["problem"] != NOT_PAID
    ]
    return [row for key, row in rows.items() if known.get(key) != row] + gone


def _key(row: Row) -> tuple[str, int]:
    return row["order_ref"], row["line_no"]


def _gone(row: Row) -> Row:
    nothing = {
        name: None if name.startswith("landed_") else 0
        for name in SCHEMA.names
        if name.endswith("_minor")
    }
    rates = {name: None for name in SCHEMA.names if "rate" in name}
    return {
        **row,
        **nothing,
        **rates,
        "freight_currency": None,
        "problem": NOT_PAID,
    }


def with_stored(
    root: Path, costs: Sequence[pa.Table], refs: Sequence[str] | None, since: str
) -> pa.Table:
    """These costs of some orders, None for all, and those that the table has of all
    others, in the order of the key.

    With `since` only of orders that were paid on that day or later, or on no known day.
    """
    is_paid = field("paid_on").is_null() | (field("paid_on") >= since)
    stored = [] if refs is None else [_stored(root, is_paid & ~of_orders(refs))]
    asked = [*stored, *(some.filter(is_paid) for some in costs)]
    return pa.concat_tables(asked).sort_by(
        [(name, "ascending") for name in LANDED_COSTS.key]
    )


def _stored(root: Path, where: Expression) -> pa.Table:
    return Snapshots(root).arrow(
        LANDED_COSTS.name, columns=SCHEMA.names, where=IS_PAID & where
    )


def moved_or_open(root: Path, snapshot_id: str | None, currency: str) -> pa.Table:
    """The costs of the orders with a row in this snapshot, and of all without a sum in
    the books' currency, if any.
    """
    of_it = field("snapshot_id") == (snapshot_id or "")
    moved = (
        Snapshots(root)
        .arrow(LANDED_COSTS.name, columns=["order_ref"], where=of_it)["order_ref"]
        .unique()
    )
    where = field("order_ref").isin(moved)
    return _stored(root, where | field("problem").is_valid() if currency else where)


def months(root: Path) -> dict[str, str]:
    """The months of payments, `unknown` among them, each with a text that changes with
    its costs.
    """
    rows = Snapshots(root).arrow(
        LANDED_COSTS.name, columns=["paid_on", "snapshot_at"], where=IS_PAID
    )
    names = pc.fill_null(pc.utf8_slice_codeunits(rows["paid_on"], 0, 7), UNKNOWN)
    found = (
        pa.table([names, rows["snapshot_at"]], ["month", "at"])
        .group_by("month")
        .aggregate([("at", "max"), ("at", "count")])
    )
    return {
        row["month"]: f"{row['at_max'].isoformat()} {row['at_count']}"
        for row in found.to_pylist()
    }


def of_month(root: Path, month: str) -> pa.Table:
    """The costs of the orders that were paid in a month of `months`."""
    paid_on = field("paid_on")
    return _stored(
        root, paid_on.is_null() if month == UNKNOWN else pc.starts_with(paid_on, month)
    )


async def snapshot_costs(
    resources: Resources,
    costs: Sequence[pa.Table],
    as_of: datetime,
    parts: Parts,
    newest: str,
) -> str | None:
    """Write the rows of each part that moved since the last write; answers the
    snapshot's id, None for none.

    They are later than the table's `newest` row, which a clock that was ahead may have
    dated.
    """
    snapshots = Snapshots(resources.settings.snapshot_root)
    at = (
        max(as_of, datetime.fromisoformat(newest) + timedelta(microseconds=1))
        if newest
        else as_of
    )

    def rows() -> Iterator[dict[str, list[Row]]]:
        for refs, now in zip(parts, costs, strict=True):
            if some := moved(
                now, snapshots.arrow(LANDED_COSTS.name, where=of_orders(refs))
            ):
                yield {LANDED_COSTS.name: some}

    if await asyncio.to_thread(next, rows(), None) is None:
        return None
    return await write(
        resources,
        f"costs-{as_of:%Y%m%dT%H%M%S%f}",
        Slices(rows),
        batch_id=None,
        as_of=at,
    )
