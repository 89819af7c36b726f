"""A person buys with nothing but a browser: form, approval, outcome."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.deployments.served import Served
from tests.ui.day import WIDTHS, of

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_plan_is_approved_and_bought_in_the_browser(
    page: Page, market: Served, tmp_path: Path
) -> None:
    """Paste rows, see the run end with its plan, approve all but one of its orders in
    the form that its link opens, see the run that buys, and its outcome. The link is an
    old one then, and buys nothing.
    """
    day = of(market, page, tmp_path)
    run_id = day.paste("ui", 3)
    bought = day.approve_all_but(run_id, ["ui-2"], "ui")
    run = day.ui.await_state(bought)
    assert run["name"].endswith(": 2 booked, 1 held")
    assert [order["reference"] for order in market.sandbox.books()["orders"]] == [
        "ui-1",
        "ui-3",
    ]
    batch = run["name"].removeprefix("finish ").split(":")[0]
    day.ui.open_artifact(f"outcome-{batch}")
    page.get_by_role(
        "cell", name="not approved by Mei Lin: too dear this week"
    ).first.wait_for()
    assert page.get_by_role("cell", name="ui-1", exact=True).count() == 1
    for name in ("ui-question", "ui-answer"):
        for width in WIDTHS:
            assert (tmp_path / f"{name}-{width}.png").exists()
    old = day.ui.newest_artifact(f"approval-{batch}")
    paste = day.paste("ui", 3)
    assert day.ui.await_state(paste)["state_name"] == "WaitsForApproval"
    page.goto(f"{day.ui.url}/v2/artifacts/artifact/{old['id']}")
    page.get_by_role("link", name="Approve or refuse").first.click()
    day.answer_form(["ui-1"])
    refused = day.ui.await_state(day.ui.submit("approve-batch"))
    assert refused["state_type"] == "FAILED"
    assert "the plan has changed since it was shown" in refused["state"]["message"]
    assert len(market.sandbox.books()["orders"]) == 2
