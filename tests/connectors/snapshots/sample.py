"""Rows as a batch leaves them, to be changed by tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from connectors.snapshots.tables import TABLES
from connectors.snapshots.writer import write_orders, write_whole, writing

DAY = date(2026, 1, 2)
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

EACH_TABLE = [
    pytest.param(
        name,
        marks=()
        if name in {"orders", "refunds", "landed_costs"}
        else pytest.mark.endurance,
    )
    for name in TABLES
]
"""What holds for the kinds of columns of three tables holds for the others, which have
their turn in endurance.
"""

Row = Mapping[str, object]


def order(order_ref: str = "A-1", **changes: object) -> dict[str, object]:
    return {
        "order_ref": order_ref,
        "marketplace": "taobao",
        "state": "booked",
        "order_id": "2542285634920880794",
        "quoted_minor": 1990,
        "approved_minor": 1990,
        "paid_minor": 1990,
        "currency": "CNY",
        "freight_minor": 32292,
        "freight_currency": "USD",
        "tracking_numbers": ["FARJP2408000013YQ"],
        "paid_at": AT,
    } | changes


def payment(order_ref: str = "A-1", **changes: object) -> dict[str, object]:
    return {
        "order_ref": order_ref,
        "marketplace": "taobao",
        "order_id": "2542285634920880794",
        "amount_minor": 1990,
        "currency": "CNY",
        "paid_at": AT,
    } | changes


def offer(sku_id: str = "1", **changes: object) -> dict[str, object]:
    ids = {"marketplace": "taobao", "item_id": "item", "sku_id": sku_id}
    return {
        **ids,
        "price_minor": 5,
        "currency": "CNY",
        "stock": 0,
        "min_quantity": 1,
        "active": True,
    } | changes


def write(
    root: Path,
    snapshot_id: str = "batch-1",
    day: date = DAY,
    at: datetime = AT,
    **tables: Sequence[Row],
) -> None:
    """Write rows of orders that were recorded on a day, as a run does at its end."""
    rows = {
        name: [{"batch_id": "batch", **row} for row in rows]
        for name, rows in tables.items()
    }
    costs = rows.pop("landed_costs", None)
    refs = {
        str(row["order_ref"])
        for chunk in rows.values()
        for row in chunk
        if "order_ref" in row
    }
    with writing(root):
        write_orders(root, snapshot_id, {day: refs}, lambda _: [rows], at)
    if costs is not None:
        write_whole(root, "landed_costs", [costs], snapshot_id, at)


def files_below(root: Path) -> list[str]:
    """All files of tables."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.parquet"))


def write_old(root: Path) -> None:
    write(
        root,
        orders=[order("A-1", paid_minor=0), order("A-2", paid_minor=0)],
        payments=[payment("A-1", amount_minor=1)],
    )


def write_new(root: Path, day: date = DAY) -> None:
    orders = [order("A-1", paid_minor=1990), order("A-2", paid_minor=1991)]
    payments = [payment("A-1"), payment("A-2", amount_minor=1991)]
    write(root, orders=orders, payments=payments, day=day, at=AT + timedelta(hours=1))
