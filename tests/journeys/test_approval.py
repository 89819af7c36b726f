"""What was approved is what is bought: two people, two files, two runs at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.running import (
    PATIENCE_S,
    Merchant,
    assert_books_are_exact,
    single_line_orders,
    write_csv,
)


def requests(merchant: Merchant, name: str, each: int, **changes: object) -> Path:
    rows = single_line_orders(merchant.sandbox, {"taobao": each, "1688": each})
    return write_csv(merchant.folder / name, [{**row, **changes} for row in rows])


@pytest.mark.endurance
def test_runs_at_once_share_the_work_and_all_tell_the_truth(merchant: Merchant) -> None:
    """Three processes on one batch: nothing twice, nobody crashes, everything
    booked.
    """
    file = requests(merchant, "requests.csv", 15)
    merchant.report("run", file, "--dry-run")
    runs = [
        merchant.start("run", file, "--yes", "--json", "--chunk-size", "10")
        for _ in range(3)
    ]
    done = [(run.communicate(timeout=PATIENCE_S), run.returncode) for run in runs]
    assert all(code in (0, 3) for _, code in done), done
    report = merchant.report("run", file, "--yes")
    assert report["counts"] == {"booked": 30}
    books = merchant.sandbox.books()
    assert_books_are_exact(books, report)
    assert (
        len(books["orders"]) == len(books["payments"]) == len(books["shipments"]) == 30
    )


@pytest.mark.endurance
def test_two_files_at_once_stay_within_the_limit_of_the_day(merchant: Merchant) -> None:
    """The limit is checked in the transaction that claims, so no run can spend what
    another just took.
    """
    first = requests(merchant, "first.csv", 6)
    rows = single_line_orders(merchant.sandbox, {"taobao": 6, "1688": 6})
    second = write_csv(
        merchant.folder / "second.csv",
        [{**row, "order_ref": f"b-{row['order_ref']}"} for row in rows],
    )
    runs = [
        merchant.start(
            "run",
            file,
            "--yes",
            "--json",
            SOURCING_DAY_LIMIT_CNY="150",
            PYTHONUNBUFFERED="1",
        )
        for file in (first, second)
    ]
    reports = [json.loads(run.communicate(timeout=PATIENCE_S)[0]) for run in runs]
    spent = sum(report["spent_fen"] for report in reports)
    assert 0 < spent <= 15_000
    books = merchant.sandbox.books()
    assert books["wallet"]["opening_fen"] - books["wallet"]["balance_fen"] == spent
    held = {
        order["reason"]
        for report in reports
        for order in report["orders"]
        if order["state"] == "held"
    }
    assert held
    assert all("the day's limit" in reason for reason in held)


@pytest.mark.endurance
def test_a_second_ledger_buys_nothing_again(merchant: Merchant) -> None:
    """A lost data folder: the service's own records keep every order from being bought
    or booked a second time.
    """
    file = requests(merchant, "requests.csv", 2)
    assert merchant.report("run", file, "--yes")["counts"] == {"booked": 4}
    books = merchant.sandbox.books()
    report = merchant.report(
        "run", file, "--yes", SOURCING_DATA_DIR=str(merchant.folder / "other")
    )
    assert report["counts"] == {"booked": 2, "held": 2}
    assert all(
        "the service already has order" in o["reason"]
        for o in report["orders"]
        if o["state"] == "held"
    )
    assert merchant.sandbox.books() == books


def test_a_file_with_any_name_ends_with_its_report(merchant: Merchant) -> None:
    """A name that could not name a snapshot doesn't stop anything."""
    report = merchant.report("run", requests(merchant, "订单 №1.csv", 1), "--yes")
    assert report["counts"] == {"booked": 2}
    assert report["batch_id"].startswith("1-")


@pytest.mark.endurance
def test_a_batch_of_two_files_keeps_both_and_one_budget(merchant: Merchant) -> None:
    """The second file adds to the batch: its snapshot has the first one's orders, its
    budget counts their cost.
    """
    rows = single_line_orders(merchant.sandbox, {"taobao": 4})
    first = write_csv(merchant.folder / "first.csv", rows[:2])
    second = write_csv(merchant.folder / "second.csv", rows[2:])
    report = merchant.report("run", first, "--yes", "--batch", "both")
    budget = str(report["spent_fen"] / 100)
    two = merchant.report(
        "run", second, "--yes", "--batch", "both", "--budget-cny", budget
    )
    assert two["counts"] == {"held": 2}
    assert merchant.report("sql", "select count(*) as n from orders") == [{"n": 4}]
