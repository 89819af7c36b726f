"""Words of sellers and files in real pages on a phone: nothing of them runs, calls
elsewhere, or makes a page wider.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from connectors.ledger.records import line_of
from connectors.ledger.store import Ledger
from domain.reasons import ReasonCode, because
from domain.report import BatchReport
from domain.states import OrderState
from flows.prefect_ui.markdown import markdown_report, table_row
from tasks.engine.resources import utc_now
from tests.deployments.served import Served
from tests.flows.prefect_ui.test_goods import order
from tests.ui.browser import Ui
from tests.ui.day import PHONE, of

if TYPE_CHECKING:
    from playwright.sync_api import Page

RUNS = "document.title='it runs'"
WORDS = " ".join(
    (
        f'<script>{RUNS}</script><img src="https://evil.example/p" onerror="{RUNS}"><svg/onload={RUNS}>',
        f"[press](javascript:{RUNS}) ![x](https://evil.example/q) `a` | **b** <https://evil.example>",
        "\u202eback to front \u0645\u0631\u062d\u0628\u0627",
        "long" * 500,
    )
)


def pages_of(served: Served, ui: Ui) -> Iterator[str]:
    """Of the page of its own, and artifacts: the report of a batch, and its plan as a
    table.
    """
    planned = order(
        WORDS, WORDS, WORDS, f'https://img.alicdn.com/a.jpg" onerror="{RUNS}'
    )
    with Ledger(
        f"sqlite:///{served.data_dir / 'ledger.db'}", clock=utc_now, owner="test"
    ) as ledger:
        ledger.start_batch("hostile", f"{WORDS[:60]}.csv")
        ledger.put_plans([planned], "hostile")
        ledger.change(
            [
                order.held(because(ReasonCode.NOT_APPROVED, by=WORDS))
                for order in ledger.orders(["P-1"]).values()
            ]
        )
        line = line_of(ledger.orders(["P-1"])["P-1"])
    yield from (
        f"{served.page}{path}" for path in ("/", "/order?ref=P-1", "/search?q=hostile")
    )
    report = BatchReport(
        batch_id="hostile",
        orders=[replace(line, state=OrderState.HELD)],
        spent_this_run_fen=0,
        bought_this_run=0,
        snapshot_id=None,
        snapshot_root="",
        dry_run=True,
        plans=[planned],
    )
    for kind, message in (
        ("markdown", markdown_report(report)),
        ("table", json.dumps([*map(table_row, report.plans)])),
    ):
        built = ui.ask(
            "artifacts/",
            {
                "key": f"hostile-{kind}",
                "type": kind,
                "data": message,
                "description": "hostile",
            },
        )
        yield f"{ui.url}/v2/artifacts/artifact/{built['id']}"


@pytest.mark.endurance
def test_words_of_others_stand_in_pages_and_artifacts_as_they_are(
    page: Page, served: Served
) -> None:
    ui = of(served, page).ui
    calls = list[str]()
    page.on("request", lambda request: calls.append(request.url))
    page.on("dialog", lambda dialog: calls.append(f"dialog:{dialog.message}"))
    page.set_viewport_size({"width": PHONE, "height": 844})
    for address in pages_of(served, ui):
        page.goto(address)
        page.get_by_text("longlong").first.wait_for()
        assert page.title() != "it runs", address
        assert page.locator("a[href^=javascript]").count() == 0, address
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, address
    assert [text for text in calls if "evil" in text or text.startswith("dialog")] == []
