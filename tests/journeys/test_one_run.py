"""A batch bought from a file: what is seen, told, approved and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect import State

from connectors.ledger.store import Ledger
from flows.batch.execution import STAGES
from flows.buy_from_file import buy_from_file
from flows.prefect_ui.parameters import Requests
from tasks.engine.resources import utc_now
from tests.journeys.seen_in_prefect import events_of, newest_run
from tests.running import Merchant, single_line_orders, write_csv


def requests(merchant: Merchant) -> Path:
    """Two orders without a price limit, of a marketplace each."""
    rows = single_line_orders(merchant.sandbox, {"taobao": 1, "1688": 1})
    rows = [
        {**row, "order_ref": f"A-{row['marketplace']}", "max_unit_price": ""}
        for row in rows
    ]
    return write_csv(merchant.folder / "requests.csv", rows)


@pytest.mark.endurance
def test_a_batch_is_seen_told_approved_and_reported(
    merchant: Merchant, prefect_url: str
) -> None:
    """A look, a run without room in its budget, and one that buys: names, tables,
    events, stages, approvals, report.
    """
    name = "from-file"
    run = ("run", requests(merchant), "--batch", name)
    buy = (*run, "--yes")

    planned = merchant.report(*run, "--dry-run")
    assert (planned["batch_id"], planned["dry_run"], planned["counts"]) == (
        name,
        True,
        {"planned": 2},
    )
    assert (
        planned["snapshot_id"],
        planned["spent_fen"],
        planned["lines_without_limit"],
    ) == (f"{name}-plan", 0, 2)
    assert all(
        order["quoted_fen"] > 0 and order["stock"] > 0 for order in planned["orders"]
    )
    assert {order["freight_currency"] for order in planned["orders"]} == {"USD"}
    look = newest_run(prefect_url)
    assert (look.name, look.state) == (f"{name}: 2 planned (dry run)", "Completed")
    assert set(look.artifacts) == {f"report-{name}"}

    poor = merchant.report(*buy, "--budget-cny", "0.01")
    assert (poor["counts"], poor["spent_this_run_fen"]) == ({"held": 2}, 0)
    assert all("does not fit the budget" in order["reason"] for order in poor["orders"])
    seen_run = newest_run(prefect_url)
    assert (seen_run.name, seen_run.state) == (f"{name}: 2 held", "Held")
    notices = ("batch.finished", "budget.used-up", "order.held")
    assert events_of(prefect_url, seen_run, 3) == [
        f"sourcing.{label} {name}" for label in notices
    ]
    assert merchant.sandbox.books()["orders"] == []

    rich = merchant.report(*buy)
    assert (rich["batch_id"], rich["counts"], rich["dry_run"]) == (
        name,
        {"booked": 2},
        False,
    )
    assert (rich["snapshot_id"], rich["bought_this_run"]) == (name, 2)
    assert (
        rich["spent_fen"]
        == rich["spent_this_run_fen"]
        == sum(order["paid_fen"] for order in rich["orders"])
    )
    assert rich.keys() == planned.keys()
    seen_run = newest_run(prefect_url)
    assert (seen_run.name, seen_run.state) == (f"{name}: 2 booked", "Completed")
    assert {f"{stage}: 2 of 2" for stage in ("preview", *STAGES)} <= set(seen_run.logs)
    assert set(seen_run.artifacts) == {f"outcome-{name}", f"report-{name}"}
    notices = ("batch.finished", "order.booked", "order.paid")
    assert events_of(prefect_url, seen_run, 3) == [
        f"sourcing.{label} {name}" for label in notices
    ]
    assert f"Batch {name}: 2 orders to buy" in seen_run.logs
    assert "2 of 2 orders approved by a yes given beforehand" in seen_run.logs

    with Ledger(
        f"sqlite:///{merchant.folder / 'data' / 'ledger.db'}",
        clock=utc_now,
        owner="test",
    ) as ledger:
        for ref, order in ledger.orders(["A-taobao", "A-1688"]).items():
            (approval,) = [
                move["reason"]
                for move in ledger.moves_of(ref)
                if move["reason"].startswith("approved by ")
            ]
            assert approval.startswith("approved by a yes given beforehand at 20")
            assert (
                f" UTC: {order.approved}, plan {str(order.plan_hash)[:12]}" in approval
            )
    report = merchant.report(*buy)
    assert (report["counts"], report["bought_this_run"]) == ({"booked": 2}, 0)
    books = merchant.sandbox.books()
    assert events_of(prefect_url, look, 0) == []
    assert [order["paid_times"] for order in books["orders"]] == [1, 1]
    assert len(books["shipments"]) == 2


async def test_what_can_not_be_done_is_the_runs_message(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with faults: one message, and nothing is sent."""
    state = await ended(merchant, monkeypatch, quantity="many")
    assert state.is_failed()
    assert "1 fault" in str(state.message)
    assert merchant.sandbox.books()["orders"] == []


async def test_a_refused_account_is_the_runs_message(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the setting that is wrong."""
    monkeypatch.setenv("XPORTCN_ACCESS_SECRET", "wrong")
    state = await ended(merchant, monkeypatch)
    assert state.is_failed()
    assert "XPORTCN_ACCESS_SECRET" in str(state.message)


async def ended(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch, **columns: object
) -> State[Any]:
    """How a run ends that is started in this process with the merchant's settings."""
    for name, value in merchant.environment.items():
        monkeypatch.setenv(name, value)
    (row,) = single_line_orders(merchant.sandbox, {"taobao": 1})
    file = write_csv(merchant.folder / "requests.csv", [{**row, **columns}])
    return await buy_from_file(
        Requests(file=str(file)), dry_run=False, yes=True, return_state=True
    )
