"""How tracking, reconciling, costs and cancelling look in Prefect: names, tables, log
lines, one message a failure.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.seen_in_prefect import newest_run
from tests.running import Merchant, single_line_orders, write_csv

DAY_S = 86_400


@pytest.fixture
def bought(merchant: Merchant) -> Merchant:
    """A merchant with two booked orders."""
    file = write_csv(
        merchant.folder / "requests.csv",
        single_line_orders(merchant.sandbox, {"taobao": 2}),
    )
    assert merchant.report("run", file, "--yes")["counts"] == {"booked": 2}
    return merchant


@pytest.mark.endurance
def test_runs_say_what_and_how_many(bought: Merchant, prefect_url: str) -> None:
    """In their names, in a table, and in log lines that a merchant can read."""
    bought.sandbox.advance(3 * DAY_S)
    report: dict[str, Any] = bought.report("track")
    tracked = newest_run(prefect_url)
    moved = len(report["moved"])
    events = report["new_events"]
    assert (moved, events > 0) == (2, True)
    assert tracked.name == f"track 2 orders: {moved} moved, {events} new events"
    assert tracked.artifacts["tracking"].partition(" · ")[0] == tracked.name[6:]
    assert {"2 orders to follow", "track: 2 of 2", tracked.name[6:]} <= set(
        tracked.logs
    )

    assert bought.sourcing("reconcile").exit_code == 0
    compared = newest_run(prefect_url)
    assert compared.name == "reconcile: nothing differs; 2 orders compared"
    assert set(compared.artifacts) == {"reconciliation"}
    assert "nothing differs; 2 orders compared" in compared.logs

    assert bought.sourcing("costs").exit_code == 3
    costed = newest_run(prefect_url)
    assert costed.name == "costs: 2 paid orders, 2 orders without a sum"
    assert set(costed.artifacts) == {"costs", "costs-summary"}
    unnamed = "SOURCING_CURRENCY is not set: name the currency of your books there"
    assert any(
        line.startswith("No sum for ") and line.endswith(unnamed)
        for line in costed.logs
    )

    assert bought.sourcing("cancel", "A-7", "A-8").exit_code == 3
    cancelled = newest_run(prefect_url)
    assert cancelled.name == "cancel A-7, A-8: nothing to do; 2 not as asked"
    assert (
        "Not as asked: A-7: no such order in the ledger; see all with: sourcing status"
        in cancelled.logs
    )


def test_a_wrong_account_is_one_message(merchant: Merchant, prefect_url: str) -> None:
    """In the run's state and at the terminal, without a traceback in the log."""
    done = merchant.sourcing("reconcile", XPORTCN_ACCESS_SECRET="wrong")
    assert done.exit_code == 1
    run = newest_run(prefect_url)
    assert (run.name, run.state) == ("reconcile", "Failed")
    assert done.stderr == f"sourcing: {run.message}\n"
    assert "XPORTCN_ACCESS_SECRET" in run.message
    assert not any("Traceback" in line for line in run.logs)
