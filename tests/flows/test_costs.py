"""The costs of real snapshots: table, CSV and sheet agree with the hand, and only what
has moved is written.
"""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from connectors.snapshots import Snapshots
from connectors.snapshots.rows import records
from connectors.snapshots.writer import write_snapshot
from domain.cost_report import CostReport, orders_of
from domain.landed import NOT_PAID, Books, Rates
from domain.money import Money
from flows import costs
from flows.costs import CostFiles, cost, markdown
from tasks import landed_cost, moved_costs
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.tasks.conftest import resources
from tests.tasks.three_orders import (
    EUR,
    ORDER_SUMS,
    PAID,
    RATES,
    ROWS,
    SUMS,
    line,
    order,
    payment,
    refund,
    rows_of,
    shipment,
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
    root, moment = run.settings.snapshot_root, WRITTEN + timedelta(minutes=minutes)
    for rows in tables.values():
        for row in rows:
            row.update(snapshot_at=moment, snapshot_id=name)
    write_snapshot(root, name, PAID.date(), tables, batch_id=None, written_at=moment)


def csv_rows(report: CostReport) -> list[dict[str, str]]:
    with Path(str(report.csv)).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


async def costed(
    run: Resources, books: Books = EUR, since: str = "", files: CostFiles | None = None
) -> CostReport:
    return await cost(run, books, since, files or CostFiles())


async def test_table_csv_and_sheet_agree_with_the_hand_to_the_cent(
    books_run: Resources,
) -> None:
    report = await costed(books_run)

    assert {one.order_ref: one.landed for one in report.orders} == {
        ref: Money(minor, "EUR") for ref, minor in ORDER_SUMS.items()
    }
    assert [one.to_json() for one in report.sums] == [
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


async def test_a_second_run_writes_only_what_has_moved(
    books_run: Resources, clock: MovableClock
) -> None:
    first = await costed(books_run)
    second = await costed(books_run)
    written(
        books_run,
        {"orders": rows_of("orders", [order("B-1", 5200, "S-3")])},
        "after",
        minutes=1,
    )
    clock.advance(60)
    third = await costed(books_run)

    assert first.snapshot_id
    assert second.snapshot_id is None
    assert third.snapshot_id
    history = Snapshots(books_run.settings.snapshot_root).history("landed_costs")
    assert history["order_ref"].tolist() == [
        "A-1",
        "A-1",
        "A-1",
        "A-2",
        "B-1",
        "B-1",
        "B-1",
        "B-1",
    ]


async def test_a_look_in_another_currency_leaves_the_table_as_it_is(
    books_run: Resources,
) -> None:
    await costed(books_run)
    report = await costed(books_run, Books("CNY", Rates()), since="2026-11-02")

    assert report.snapshot_id is None
    assert Path(str(report.csv)).name == "landed-costs-CNY-since-2026-11-02.csv"
    assert {
        row
        for row in Snapshots(books_run.settings.snapshot_root).table("landed_costs")[
            "landed_currency"
        ]
    } == {"EUR"}


async def test_where_no_currency_is_set_each_one_is_another_one(
    resources: Resources,
) -> None:
    """Else the morning, which is told none, would take the sums back."""
    written(resources, {name: rows_of(name, rows) for name, rows in ROWS.items()})
    report = await costed(resources)

    assert (report.snapshot_id, report.summary) == (None, "3 paid orders: 40.43 EUR")
    assert Snapshots(resources.settings.snapshot_root).table("landed_costs").empty


async def test_the_morning_shows_what_has_moved_and_writes_its_months_alone(
    books_run: Resources, clock: MovableClock
) -> None:
    """A-2 goes from the unknown day to December; what is as it was is not written
    again, unless its file is gone.
    """
    exports, names = (
        books_run.settings.data_dir / "exports",
        ("2026-11.csv", "2026-11.xlsx"),
    )
    later = PAID + timedelta(days=30)
    written(
        books_run,
        {"orders": rows_of("orders", [order("A-2", 5800, "S-2", paid_at=None)])},
        "b",
        minutes=1,
    )

    async def morning() -> tuple[list[str], list[str]]:
        clock.advance(60)
        report = await cost(books_run, EUR, "", CostFiles(), news_only=True)
        assert (report.csv, report.is_news) == (None, True)
        return [one.order_ref for one in report.orders], [
            Path(path).name[17:] for path in report.months
        ]

    assert await morning() == (
        ["A-1", "A-2", "B-1"],
        [*names, "unknown.csv", "unknown.xlsx"],
    )
    assert await morning() == (["A-2"], [])  # it has no sum, since no day has a rate
    (exports / "landed-costs-EUR-2026-11.csv").unlink()
    (exports / "landed-costs-USD-2026-09.csv").touch()
    assert await morning() == (["A-2"], [*names])
    (exports / "landed-costs-EUR-2026-11.xlsx").unlink()
    assert await morning() == (["A-2"], [*names])
    written(
        books_run,
        {"orders": rows_of("orders", [order("A-2", 5800, "S-2", paid_at=later)])},
        "c",
        minutes=2,
    )
    orders, months = await morning()
    assert ("A-2" in orders, months) == (True, ["2026-12.csv", "2026-12.xlsx"])
    assert sorted(path.name[13:] for path in exports.iterdir()) == [
        *(
            f"EUR-{month}.{kind}"
            for month in ("2026-11", "2026-12")
            for kind in ("csv", "xlsx")
        ),
        "USD-2026-09.csv",
    ]


async def test_without_a_currency_the_morning_names_each_order_once(
    resources: Resources, clock: MovableClock
) -> None:
    """None has a sum then, and their list would grow for good."""
    written(resources, {name: rows_of(name, rows) for name, rows in ROWS.items()})
    shown = []
    for _ in range(2):
        clock.advance(60)
        report = await cost(
            resources, Books("", Rates()), "", CostFiles(), news_only=True
        )
        shown.append([one.order_ref for one in report.orders])
    assert shown == [["A-1", "A-2", "B-1"], []]


async def test_only_orders_paid_since_a_day_are_told_and_those_without_a_day(
    books_run: Resources,
) -> None:
    later = order("B-1", 5100, "S-3", paid_at=PAID + timedelta(days=1))
    unknown = order("A-2", 5800, "S-2", paid_at=None)
    written(
        books_run, {"orders": rows_of("orders", [later, unknown])}, "after", minutes=1
    )

    report = await costed(books_run, since="2026-11-03")

    assert [one.order_ref for one in report.orders] == ["A-2", "B-1"]
    assert report.summary == "2 paid orders: 11.17 EUR, 1 order without a sum"
    assert (
        len(Snapshots(books_run.settings.snapshot_root).table("landed_costs")) == 6
    )  # the table has all


async def test_what_has_no_sum_is_told_with_its_reason(
    books_run: Resources, tmp_path: Path
) -> None:
    files = CostFiles(str(tmp_path / "new" / "a.csv"), str(tmp_path / "new" / "a.xlsx"))
    report = await costed(books_run, Books("EUR", Rates(RATES[:1])), files=files)

    why = "there is no rate from USD to EUR; add one of 2026-11-03 or of the 7 days before it to SOURCING_RATES"
    assert report.problems == {why: ["A-1", "A-2", "B-1"]}
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
        "problem": why,
    }
    assert f"- A-1, A-2, B-1: {why}" in markdown(report)
    assert (report.csv, report.xlsx) == (files.csv, files.xlsx)
    rejected = Snapshots(books_run.settings.snapshot_root).table("rejected_rows")
    assert rejected.empty


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


@pytest.mark.endurance
async def test_a_month_that_outgrew_its_sheet_has_the_csv_alone_written_once(
    books_run: Resources, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sheet of before would have old sums."""

    async def morning() -> list[str]:
        clock.advance(60)
        report = await cost(books_run, EUR, "", CostFiles(), news_only=True)
        return [Path(path).name for path in report.months]

    assert await morning() == [
        "landed-costs-EUR-2026-11.csv",
        "landed-costs-EUR-2026-11.xlsx",
    ]
    monkeypatch.setattr(costs, "MOST_SHEET_ROWS", 5)
    written(
        books_run,
        {"orders": rows_of("orders", [order("B-1", 5200, "S-3")])},
        "after",
        minutes=1,
    )
    assert await morning() == ["landed-costs-EUR-2026-11.csv"]
    assert os.listdir(books_run.settings.data_dir / "exports") == [
        "landed-costs-EUR-2026-11.csv"
    ]
    assert await morning() == []


DAY_MINUTES = 24 * 60
NEW_RATE = replace(RATES[0], rate=RATES[0].rate * 2, on=PAID.date() + timedelta(days=1))
MORE = pytest.mark.endurance


@pytest.mark.parametrize(
    ("changed", "books", "computed"),
    [
        ({}, EUR, []),
        pytest.param({"refunds": [refund("B-1", 100)]}, EUR, ["B-1"], marks=MORE),
        pytest.param(
            {"order_lines": [line("A-2", 1, 5000)]}, EUR, ["A-1", "A-2"], marks=MORE
        ),
        pytest.param(
            {"shipments": [shipment("A-2", "S-2", 801, "FAR9")]},
            EUR,
            ["A-1", "A-2"],
            marks=MORE,
        ),
        (
            {"shipments": [shipment("A-2", "S-2", 801, "FAR2")]},
            EUR,
            ["A-1", "A-2", "B-1"],
        ),
        ({"orders": [order("C-1", 700, None)]}, EUR, ["C-1"]),
        pytest.param(
            {"orders": [order("B-1", 0, "S-3")], "payments": [payment("B-1", 0)]},
            EUR,
            ["B-1"],
            marks=MORE,
        ),
        ({}, Books("EUR", Rates([*RATES, NEW_RATE])), ["A-1", "A-2", "B-1", "C-1"]),
        pytest.param(
            {},
            Books(
                "EUR",
                Rates([*RATES, replace(NEW_RATE, on=NEW_RATE.on + timedelta(days=9))]),
            ),
            [],
            marks=MORE,
        ),
        ({}, Books("CNY", Rates()), None),
    ],
)
async def test_only_what_may_have_moved_is_computed_and_the_table_is_as_if_all_were(
    changed: dict[str, Any],
    books: Books,
    computed: list[str] | None,
    books_run: Resources,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows of the order, of one in its parcel or formerly there, or a rate of its
    days.
    """
    asked: list[list[str] | None] = []

    def noted(*given: Any) -> list[str] | None:
        asked.append(moved_costs.moved_orders(*given))
        return asked[-1]

    monkeypatch.setattr(costs, "moved_orders", noted)
    run = replace(
        books_run,
        settings=books_run.settings.model_copy(update={"currency": books.currency}),
    )
    clock.now = WRITTEN + timedelta(days=2)
    await costed(books_run)
    written(
        run,
        {name: rows_of(name, rows) for name, rows in changed.items()},
        "later",
        minutes=3 * DAY_MINUTES,
    )
    clock.now = WRITTEN + timedelta(days=4)
    report = await costed(run, books)
    assert asked == [None, computed]
    (refs,) = moved_costs.in_parts(run.settings.snapshot_root, None)
    tables = landed_cost.cost_tables(Snapshots(run.settings.snapshot_root), refs)
    everything = landed_cost.landed_cost(tables, books, "UTC")
    assert report.orders == orders_of(everything.to_pylist())
    table = Snapshots(run.settings.snapshot_root).table("landed_costs")
    kept = table[table["problem"].fillna("") != NOT_PAID]
    names = landed_cost.SCHEMA.names
    assert (
        records(kept[names].sort_values(["order_ref", "line_no"]))
        == everything.to_pylist()
    )


async def test_a_paid_order_without_a_row_is_computed_however_late_its_rows_came(
    books_run: Resources, clock: MovableClock
) -> None:
    """The machine slept for days between reading the ledger and writing the tables."""
    clock.now = WRITTEN + timedelta(days=9)
    await costed(books_run)
    tables = {
        "orders": [order("B-2", 5100, "S-4")],
        "order_lines": [line("B-2", 1, 5100)],
    }
    written(
        books_run,
        {name: rows_of(name, rows) for name, rows in tables.items()},
        "late",
        minutes=60,
    )
    await costed(books_run)

    assert "B-2" in set(
        Snapshots(books_run.settings.snapshot_root).table("landed_costs")["order_ref"]
    )


async def test_what_is_computed_later_counts_though_the_clock_was_ahead_before(
    books_run: Resources, clock: MovableClock
) -> None:
    """The rows of then were the newest until that day, and the seller's refund stood in
    no table and no file.
    """
    clock.now = WRITTEN + timedelta(days=9)
    before = await costed(books_run)
    written(
        books_run,
        {"refunds": rows_of("refunds", [refund("B-1", 100)])},
        "after",
        minutes=60,
    )
    for hours in (2, 3):
        clock.now = WRITTEN + timedelta(hours=hours)
        report = await costed(books_run)
        assert (report.snapshot_id is None, report.summary != before.summary) == (
            hours == 3,
            True,
        )
        stored = Snapshots(books_run.settings.snapshot_root).table(
            "landed_costs", columns=["refunded_minor"]
        )
        assert stored["refunded_minor"].sum() == 1100


async def test_orders_are_computed_some_at_a_time_and_those_of_one_parcel_together(
    books_run: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moved_costs, "AT_ONCE", 1)
    root = books_run.settings.snapshot_root
    assert moved_costs.in_parts(root, None) == [["A-1", "A-2"], ["B-1"], ["C-1"]]
    report = await costed(books_run)
    assert {one.order_ref: one.landed for one in report.orders} == {
        ref: Money(minor, "EUR") for ref, minor in ORDER_SUMS.items()
    }
    assert list(Snapshots(root).table("landed_costs")["landed_minor"]) == [
        360,
        359,
        358,
        1849,
        447,
        670,
    ]
    assert (await costed(books_run)).snapshot_id is None


async def test_without_a_mark_of_this_very_table_all_is_computed(
    books_run: Resources, clock: MovableClock
) -> None:
    """After a restore the table may be older than the mark."""
    clock.now = WRITTEN + timedelta(days=2)
    await costed(books_run)
    path, root = (
        books_run.settings.data_dir / "costs.json",
        books_run.settings.snapshot_root,
    )
    mark = moved_costs.CostMark.of(root, EUR, "UTC", clock.now)
    assert moved_costs.moved_orders(root, moved_costs.read_mark(path), mark) == []
    ahead = path.read_text().replace('"seen": "2026', '"seen": "2027')
    for broken in (
        "",
        "{}",
        path.read_text().replace('"newest": "2026', '"newest": "2025'),
        ahead,
    ):
        path.write_text(broken)
        assert moved_costs.moved_orders(root, moved_costs.read_mark(path), mark) is None
