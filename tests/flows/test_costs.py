"""The costs of real snapshots: table, CSV and sheet agree with the hand."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from connectors.snapshots import Snapshots
from connectors.snapshots.tables import TABLES
from domain.cost_report import CostReport
from domain.landed import Books, Rates
from domain.money import Money
from flows import costs
from flows.costs import cost, markdown
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.snapshots.sample import write
from tests.tasks.conftest import resources
from tests.tasks.three_orders import (
    EUR,
    ORDER_SUMS,
    PAID,
    RATES,
    ROWS,
    SUMS,
    order,
    refund,
    rows_of,
)

__all__ = ["resources"]
WRITTEN = datetime(2026, 11, 3, 9, tzinfo=UTC)


@pytest.fixture
def books_run(resources: Resources) -> Resources:
    """A run over the three orders' snapshot, in euro."""
    run = replace(
        resources, settings=resources.settings.model_copy(update={"currency": "EUR"})
    )
    written(run, {name: rows_of(name, rows) for name, rows in ROWS.items()})
    return run


def written(
    run: Resources, tables: dict[str, Any], name: str = "autumn", minutes: int = 0
) -> None:
    root = run.settings.snapshot_root
    moment = WRITTEN + timedelta(minutes=minutes)
    for rows in tables.values():
        for row in rows:
            row.update(snapshot_at=moment, snapshot_id=name)
    stored = {
        text: {_key(text, row): row for row in Snapshots(root).arrow(text).to_pylist()}
        for text, table in TABLES.items()
        if table.is_by_day
    }
    for table, rows in tables.items():
        stored.setdefault(table, {}).update({_key(table, row): row for row in rows})
    all_rows = {table: [*rows.values()] for table, rows in stored.items()}
    write(root, name, PAID.date(), moment, **all_rows)


def _key(table: str, row: dict[str, Any]) -> tuple[object, ...]:
    return tuple(row[text] for text in TABLES[table].key)


def csv_rows(report: CostReport) -> list[dict[str, str]]:
    with Path(str(report.csv)).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


async def costed(run: Resources, books: Books = EUR, since: str = "") -> CostReport:
    return await cost(run, books, since)


async def test_table_csv_and_sheet_agree_with_the_hand_to_the_cent(
    books_run: Resources,
) -> None:
    report = await costed(books_run)

    assert {order.order_ref: order.landed for order in report.orders} == {
        ref: Money(minor, "EUR") for ref, minor in ORDER_SUMS.items()
    }
    assert [item.to_json() for item in report.sums] == [
        {
            "batch_id": "autumn",
            "orders": 3,
            "net_paid_minor": {"CNY": 13_488},
            "freight_minor": {"USD": 2501},
            "landed_minor": 4043,
            "without_sum": 0,
        }
    ]
    table = Snapshots(books_run.settings.snapshot_root).table(
        "landed_costs", columns=["landed_minor"]
    )
    assert sorted(table["landed_minor"]) == sorted(SUMS.values())
    assert report.csv
    assert report.xlsx
    assert [row["landed"] for row in csv_rows(report)] == [
        f"{minor / 100:.2f}" for minor in SUMS.values()
    ]
    header, *rows = load_workbook(report.xlsx).active.iter_rows(values_only=True)  # type: ignore[union-attr]
    assert [row[header.index("landed")] for row in rows] == [
        minor / 100 for minor in SUMS.values()
    ]
    assert (
        Path(report.csv)
        == books_run.settings.data_dir / "exports" / "landed-costs-EUR.csv"
    )
    assert (report.all_fine, report.summary) == (True, "3 paid orders: 40.43 EUR")


async def test_only_orders_paid_since_a_day_are_told_and_those_without_a_day(
    books_run: Resources,
) -> None:
    later = order("B-1", 5100, "S-3", paid_at=PAID + timedelta(days=1))
    unknown = order("A-2", 5800, "S-2", paid_at=None)
    written(
        books_run, {"orders": rows_of("orders", [later, unknown])}, "after", minutes=1
    )

    report = await costed(books_run, since="2026-11-03")

    assert [order.order_ref for order in report.orders] == ["A-2", "B-1"]
    assert report.summary == "2 paid orders: 11.17 EUR, 1 order without a sum"
    assert (
        len(Snapshots(books_run.settings.snapshot_root).table("landed_costs")) == 6
    )  # the table has all


async def test_what_has_no_sum_is_told_with_its_reason(books_run: Resources) -> None:
    report = await costed(books_run, Books("EUR", Rates(RATES[:1])))

    reason = "there is no rate from USD to EUR; add one of 2026-11-03 or of the 7 days before it to SOURCING_RATES"
    assert report.problems == {reason: ["A-1", "A-2", "B-1"]}
    assert not report.all_fine
    assert report.to_json()["orders"][0] == {
        "order_ref": "A-1",
        "batch_id": "autumn",
        "lines": 3,
        "net_paid_minor": 3588,
        "currency": "CNY",
        "freight_minor": 667,
        "freight_currency": "USD",
        "landed_minor": None,
        "problem": reason,
    }
    assert f"- A-1, A-2, B-1: {reason}" in markdown(report)


async def test_without_any_snapshot_the_files_are_empty(resources: Resources) -> None:
    report = await costed(resources)

    assert (report.snapshot_id, report.summary) == (None, "0 paid orders")
    assert csv_rows(report) == []


async def test_more_lines_than_a_sheet_holds_are_said(
    books_run: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "MOST_SHEET_ROWS", 5)
    report = await costed(books_run)

    assert report.notes == [
        "6 lines are more than a sheet of Excel has: give --since, or use the CSV"
    ]
    assert report.xlsx is None
    assert not report.all_fine


async def test_a_second_computation_writes_only_what_is_other_than_before(
    books_run: Resources, clock: MovableClock
) -> None:
    """The table has all orders, each as it was computed last."""
    first = await costed(books_run)
    second = await costed(books_run)
    news = {
        "orders": [order("A-1", 0, "S-1"), order("B-1", 5200, "S-3")],
        "refunds": [refund("A-2", 999)],
    }
    rows = {name: rows_of(name, changed) for name, changed in news.items()}
    written(books_run, rows, "after", minutes=1)
    clock.advance(60)
    third = await costed(books_run)

    ids = [report.snapshot_id for report in (first, second, third)]
    assert [item and item[:13] for item in ids] == [
        "landed-costs-",
        None,
        "landed-costs-",
    ]
    table = Snapshots(books_run.settings.snapshot_root).table("landed_costs")
    keys = [*zip(table["order_ref"], table["line_no"], strict=True)]
    assert sorted(keys) == [("A-2", 1), ("B-1", 1), ("B-1", 2)]
    assert table["surcharge_minor"].sum() == 100
