"""A person buys with nothing but a browser: form, approval, outcome."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.deployments.served import Served
from tests.running import single_line_orders, write_csv
from tests.ui.conftest import Shot

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def test_a_run_is_started_approved_and_read_in_the_browser(page: Page, market: Served, shot: Shot) -> None:
    """Fill in the form, see the run pause, approve one of its orders, see it complete, open the outcome table."""
    rows = [{**row, "order_ref": f"ui-{n}"} for n, row in enumerate(single_line_orders(market.sandbox, {"taobao": 3}))]
    file = write_csv(market.folder / "browser.csv", rows)

    before = newest_run(market)
    open_the_form(page, market, shot)
    refuse_a_wrong_form(page, shot)
    assert newest_run(market) == before
    fill_in(page, "/srv/sourcing/orders.csv")
    shot("run-form")
    run_id = submit(page, market, str(file), before)
    asking = market.await_state(run_id, "Paused", "Completed", "Failed", "Crashed", seconds=180)
    assert asking["state_name"] == "Paused", asking["state"]["message"]
    page.goto(f"{market.api.removesuffix('/api')}/v2/runs/flow-run/{run_id}")
    page.get_by_text("Paused").first.wait_for()
    shot("paused")
    approve_one(page, "ui-1", shot)

    run = market.await_state(run_id, "Completed", seconds=180)
    assert run["name"].endswith(": 2 held, 1 booked")
    assert [order["reference"] for order in market.sandbox.books()["orders"]] == ["ui-1"]
    read_the_run(page, shot)
    read_the_outcome(page, shot)
    (written,) = (market.data_dir / "reports").glob("browser-*.html")
    assert "<dt>paid</dt>" in written.read_text(encoding="utf-8")


def open_the_form(page: Page, served: Served, shot: Shot) -> None:
    page.goto(served.api.removesuffix("/api"))
    page.get_by_role("link", name="Deployments").first.click()
    page.get_by_role("link", name="manual").wait_for()
    shot("deployments")
    page.get_by_role("link", name="manual").click()
    page.get_by_role("button", name="Run").first.click()
    page.get_by_role("menuitem", name="Custom run").click()


def refuse_a_wrong_form(page: Page, shot: Shot) -> None:
    """A number out of range is refused under its field; words are read by the run, which answers in words."""
    field(page, "Orders per step").fill("2000")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("2000 is greater than the maximum of 1000").first.wait_for()
    field(page, "Orders per step").scroll_into_view_if_needed()
    shot("wrong-form")
    page.reload()


def fill_in(page: Page, file: str) -> None:
    """Buy what a file asks for. On a busy machine the form may be drawn anew and lose it: it has to stand a second."""
    dry_run, requests = page.get_by_label("Dry run"), field(page, "Request file")
    stood = 0
    for _ in range(60):
        if not dry_run.is_checked() and requests.input_value() == file:
            stood += 1
        else:
            stood = 0
            requests.fill(file)
            if dry_run.is_checked():
                dry_run.click()
        if stood == 3:
            return
        page.wait_for_timeout(350)
    raise AssertionError("the form does not keep what is filled in")


def submit(page: Page, market: Served, file: str, before: str | None) -> str:
    """Send the form, and again when it was drawn anew under the click: the run that began."""
    for _ in range(3):
        fill_in(page, file)
        page.get_by_role("button", name="Submit").click()
        for _ in range(60):
            if (newest := newest_run(market)) and newest != before:
                return newest
            page.wait_for_timeout(500)
    raise AssertionError("no run began")


def approve_one(page: Page, order_ref: str, shot: Shot) -> None:
    """On a busy machine the form may lose what was chosen while it was still being drawn: then it is filled in anew."""
    for _ in range(3):
        if sends_approval(page, order_ref, shot):
            return
        page.reload()
    raise AssertionError("the form of the approval is not sent")


def sends_approval(page: Page, order_ref: str, shot: Shot) -> bool:
    page.locator("button[aria-haspopup=menu]").first.click()
    page.get_by_role("menuitem", name="Resume").click()
    form = page.get_by_role("dialog")
    form.get_by_text("Buy 3 orders for").wait_for()
    shot("approval-plan")
    form.get_by_role("button", name="Select").first.click()
    page.get_by_role("option", name="approve only").click()
    form.get_by_role("button", name="Select").last.click()
    page.get_by_role("option", name=order_ref).click()
    page.keyboard.press("Escape")
    field(form, "Your name").fill("Mei Chen")
    field(form, "Note").fill("the rest next week")
    field(form, "Plan").scroll_into_view_if_needed()
    shot("approval-form")
    form.get_by_role("button", name="Resume").click()
    for _ in range(20):
        if not form.is_visible():
            return True
        page.wait_for_timeout(500)
    return False


def read_the_run(page: Page, shot: Shot) -> None:
    page.reload()
    page.get_by_text("Completed").first.wait_for()
    page.get_by_role("tab", name="Logs").click()
    page.get_by_text("Oldest to newest").click()
    page.get_by_role("option", name="Newest to oldest").click()  # only what is in the window is there
    page.get_by_text("Orders 1–1 of 1: 1 booked").scroll_into_view_if_needed()
    shot("run-logs")
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("outcome-browser").first.wait_for()
    page.get_by_text("figures-browser").first.wait_for()
    shot("run-artifacts")


def read_the_outcome(page: Page, shot: Shot) -> None:
    page.get_by_text("outcome-browser").first.click()
    page.get_by_role("cell", name="not approved by Mei Chen: the rest next week").first.wait_for()
    assert page.get_by_role("cell", name="ui-1", exact=True).count() == 1
    shot("outcome")
    page.go_back()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("report-browser").first.click()
    page.get_by_role("heading", name="Waiting for a person").wait_for()
    shot("report")


def field(place: Page | Locator, title: str) -> Locator:
    return place.get_by_label(re.compile(f"^{title}"))


def newest_run(served: Served) -> str | None:
    """The id of the newest run of the manual deployment."""
    query = {
        "deployments": {"id": {"any_": [served.deployment("source-orders/manual")["id"]]}},
        "sort": "EXPECTED_START_TIME_DESC",
        "limit": 1,
    }
    runs = served.ask("flow_runs/filter", query)
    return str(runs[0]["id"]) if runs else None
