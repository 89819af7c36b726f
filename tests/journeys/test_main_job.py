"""The main job from the request file to delivered parcels, checked against the
sandbox's books.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.running import (
    Merchant,
    assert_books_are_exact,
    single_line_orders,
    write_csv,
)

DAY_S = 86_400


def requests(merchant: Merchant, each: int) -> Path:
    rows = single_line_orders(merchant.sandbox, {"taobao": each, "1688": each})
    return write_csv(merchant.folder / "requests.csv", rows)


def test_a_batch_is_bought_once_and_every_record_agrees(merchant: Merchant) -> None:
    """Report, books, SQL and plain pandas tell the same; the second run buys
    nothing.
    """
    file = requests(merchant, 12)
    first = merchant.sourcing("run", file, "--yes", "--json")
    assert first.exit_code == 0, first.stderr
    report = json.loads(first.stdout)
    books = merchant.sandbox.books()
    assert report["counts"] == {"booked": 24}
    assert_books_are_exact(books, report)
    assert len(books["orders"]) == len(books["shipments"]) == 24
    spent = books["wallet"]["opening_fen"] - books["wallet"]["balance_fen"]
    assert report["spent_fen"] == spent

    orders = pd.read_parquet(Path(report["snapshot_root"]) / "orders")
    assert (
        len(orders),
        int(orders["paid_minor"].sum()),
        str(orders["paid_minor"].dtype),
    ) == (24, spent, "int64")
    totals = merchant.report(
        "sql", "select count(*) as n, sum(amount_minor)::bigint as fen from payments"
    )
    assert totals == [{"n": 24, "fen": spent}]

    repeated = merchant.report("run", file, "--yes")
    assert (
        repeated["bought_this_run"],
        repeated["spent_this_run_fen"],
        repeated["spent_fen"],
    ) == (0, 0, spent)
    assert merchant.sandbox.books() == books
    assert len(pd.read_parquet(Path(report["snapshot_root"]) / "orders")) == 24


@pytest.mark.endurance
def test_a_second_ledger_says_that_it_bought_nothing(merchant: Merchant) -> None:
    """Where creating is idempotent it finds its orders paid; it records them, and they
    are not its purchases.
    """
    file = write_csv(
        merchant.folder / "requests.csv",
        single_line_orders(merchant.sandbox, {"taobao": 2, "poizon": 2}),
    )
    first = merchant.report("run", file, "--yes")
    assert (first["bought_this_run"], first["spent_this_run_fen"]) == (
        4,
        first["spent_fen"],
    )
    books = merchant.sandbox.books()
    second = merchant.report(
        "run", file, "--yes", SOURCING_DATA_DIR=str(merchant.folder / "second")
    )
    assert (second["bought_this_run"], second["spent_this_run_fen"]) == (0, 0)
    assert second["spent_fen"] == first["spent_fen"]
    assert merchant.sandbox.books()["payments"] == books["payments"]


@pytest.mark.endurance
def test_parcels_are_followed_to_the_door(merchant: Merchant) -> None:
    """Orders reach `delivered`, events come in order and once, domestic numbers reach
    the warehouse once.
    """
    report = merchant.report("run", requests(merchant, 3), "--yes")
    merchant.sandbox.advance(2 * DAY_S)
    assert merchant.report("track")["new_events"] > 0
    merchant.sandbox.advance(40 * DAY_S)
    merchant.report("track")
    last = merchant.report("track")
    assert last["new_events"] == 0
    states = merchant.report(
        "sql", "select state, count(*) as n from orders group by all"
    )
    assert states == [{"state": "delivered", "n": 6}]
    updates = [
        (u["order_id"], u["domestic_number"])
        for u in merchant.sandbox.books()["domestic_updates"]
    ]
    assert len(updates) == len(set(updates)) == 6

    events = pd.read_parquet(Path(report["snapshot_root"]) / "tracking_events")
    assert not events.duplicated(["order_ref", "tracking_number", "sequence"]).any()
    for _, parcel in events.groupby(["order_ref", "tracking_number"]):
        assert parcel.sort_values("sequence")["occurred_at"].is_monotonic_increasing


def test_the_status_of_an_order_is_for_people(merchant: Merchant) -> None:
    """Times are of the merchant's zone and say so, a run is called one, and tables
    without rows are left out.
    """
    merchant.report("run", requests(merchant, 1), "--yes")
    message = merchant.sourcing(
        "status", "taobao-000", SOURCING_TIMEZONE="Pacific/Kiritimati"
    ).stdout
    moved = merchant.report(
        "sql",
        "select strftime(paid_at + interval 14 hour, '%Y-%m-%d %H:%M') as at from orders",
    )
    assert "at (Pacific/Kiritimati)" in message
    assert "since (Pacific/Kiritimati)" in message
    assert moved[0]["at"] in message
    assert [
        line.split("│")[-2].strip()
        for line in message.splitlines()
        if "│ booked " in line
    ][1:] == ["run"]
    assert "Answers" not in message
    assert "Tracking" not in message


def test_a_dry_run_buys_nothing(merchant: Merchant) -> None:
    """The plan is written as a snapshot, the books stay empty, the exit code says that
    all is fine.
    """
    done = merchant.sourcing("run", requests(merchant, 2), "--dry-run", "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["counts"]) == (0, {"planned": 4})
    assert merchant.sandbox.books()["orders"] == []
    assert merchant.report("sql", "select count(*) as n from quotes") == [{"n": 4}]


def test_a_dry_run_shows_what_it_would_cost(merchant: Merchant) -> None:
    """Price and freight of each order, the total, and what would be held; programs read
    the same.
    """
    file = write_csv(
        merchant.folder / "requests.csv",
        [
            {
                **row,
                "order_ref": f"A-{index}",
                "max_unit_price": "" if index == 0 else "0.01",
            }
            for index, row in enumerate(
                single_line_orders(merchant.sandbox, {"taobao": 2})
            )
        ],
    )
    fine, held = merchant.report("run", file, "--dry-run")["orders"]
    assert (fine["state"], held["state"], held["freight_minor"]) == (
        "planned",
        "held",
        None,
    )
    goods = f"{fine['quoted_fen'] / 100:,.2f} CNY"
    freight = f"{fine['freight_minor'] / 100:,.2f} USD"
    stdout = merchant.sourcing("run", file, "--dry-run").stdout
    (row,) = [line for line in stdout.splitlines() if line.startswith(" A-0 ")]
    assert row.split()[-4:] == [*goods.split(), *freight.split()]
    assert f"{held['quoted_fen'] / 100:,.2f} CNY" in stdout
    assert " A-1 " in stdout.split("What waits for you")[1].split("Orders by state")[0]
    assert (
        f"A run would buy 1 order for {goods} and ship 1 order for freight of {freight}."
        in stdout
    )


def test_the_budget_holds_what_does_not_fit(merchant: Merchant) -> None:
    """The sum of what is bought stays within the budget; the rest is held with the
    reason, exit code 3.
    """
    done = merchant.sourcing(
        "run", requests(merchant, 4), "--yes", "--budget-cny", "60", "--json"
    )
    report = json.loads(done.stdout)
    assert done.exit_code == 3
    assert 0 < report["spent_fen"] <= 6000
    held = {
        order["order_ref"]: order
        for order in report["orders"]
        if order["state"] == "held"
    }
    assert held
    assert all("does not fit the budget" in order["reason"] for order in held.values())
    assert {order["reason_code"] for order in held.values()} == {"over_budget"}
    assert_books_are_exact(merchant.sandbox.books(), report)
    stdout = merchant.sourcing("status", "--reason", "over_budget").stdout
    assert {
        ref
        for ref in (order["order_ref"] for order in report["orders"])
        if f"│ {ref} " in stdout
    } == {*held}
    assert "What to do: Raise the budget, and run the same file again" in stdout
    query = (
        "select order_ref, reason_code from orders where reason_code = 'over_budget'"
    )
    assert {row["order_ref"] for row in merchant.report("sql", query)} == {*held}
    waits = json.loads(merchant.sourcing("todo", "--json").stdout)
    assert {
        item["order_ref"]
        for item in waits
        if item["reason_code"] == "over_budget" and item["remedy"]
    } == {*held}


def test_a_reference_never_buys_two_different_things(merchant: Merchant) -> None:
    """A second file that uses an old order_ref for something else is refused, and the
    old order stays as it was.
    """
    rows = single_line_orders(merchant.sandbox, {"taobao": 1})
    merchant.report("run", write_csv(merchant.folder / "first.csv", rows), "--yes")
    changed = [{**rows[0], "quantity": 2}]
    second = merchant.report(
        "run", write_csv(merchant.folder / "second.csv", changed), "--yes"
    )
    assert second["orders"][0]["state"] == "refused"
    assert (
        "already stands for an order with other contents (batch first-"
        in second["orders"][0]["reason"]
    )
    assert len(merchant.sandbox.books()["orders"]) == 1


def test_without_somebody_to_ask_nothing_is_bought(merchant: Merchant) -> None:
    """No terminal and no --yes: bad usage, and the remedy is named."""
    done = merchant.sourcing("run", requests(merchant, 1))
    assert (done.exit_code, done.stderr) == (
        2,
        "sourcing: there is no terminal to approve the plan at: add --yes, or --dry-run to look only\n",
    )
