"""A person buys with nothing but a browser: form, approval, outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deployments.served import Served
from tests.ui.day import of

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_run_is_started_approved_and_read_in_the_browser(
    page: Page, market: Served
) -> None:
    """Paste rows, see the run pause, approve all but one of its orders, see it
    complete, open the outcome table.
    """
    day = of(market, page)
    run_id = day.paste("ui", 3)
    day.approve_all_but(run_id, ["ui-2"], "ui")
    run = day.ui.await_state(run_id)
    assert run["name"].endswith(": 2 booked, 1 held")
    assert [order["reference"] for order in market.sandbox.books()["orders"]] == [
        "ui-1",
        "ui-3",
    ]
    batch = run["name"].split(":")[0]
    shown = {
        one["key"]
        for one in day.ui.ask(
            "artifacts/filter", {"flow_runs": {"id": {"any_": [run_id]}}}
        )
    }
    assert {
        f"outcome-{batch}",
        f"report-{batch}",
        f"plan-{batch}",
    } <= shown
    day.ui.open_artifact(f"outcome-{batch}")
    page.get_by_role(
        "cell", name="not approved by Mei Lin: too dear this week"
    ).first.wait_for()
    assert page.get_by_role("cell", name="ui-1", exact=True).count() == 1
