"""A shop in the browser: its export comes in at night, is approved on a phone, tracked,
and its numbers go back.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from connectors.book_file import book_text
from tests.connectors.test_shop_files import SHOPIFY, SHOPIFY_HEADER, text_of
from tests.deployments.conftest import serve
from tests.needs import leave_out
from tests.running import single_line_orders
from tests.ui.browser import chromium, window
from tests.ui.day import PHONE, nothing, of

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.endurance
def test_an_export_of_shopify_becomes_its_tracking_numbers(tmp_path: Path) -> None:
    """Of two orders one is approved: the file for the shop has its number, and nothing
    of its buyer.
    """
    if chromium() is None:
        leave_out("Chromium", "apt-get install chromium")
    from_export_to_numbers(tmp_path)


def from_export_to_numbers(
    tmp_path: Path, at: Callable[[Page], None] = nothing
) -> None:
    """`at` sees the approval, and the list of files at the end."""
    book = tmp_path / "book.csv"
    with (
        serve(tmp_path, None, SOURCING_BOOK=str(book)) as served,
        window(width=PHONE) as page,
    ):
        day = of(served, page, None, PHONE)
        (cup,) = single_line_orders(served.sandbox, {"taobao": 1})
        row = {
            "own_sku": "FERN-1",
            "marketplace": "taobao",
            "item": str(cup["item"]),
            "sku": str(cup["sku"]),
        }
        book.write_bytes(book_text([row]))
        rows = [
            {**SHOPIFY, "Name": name, "Id": name.replace("#", "77")}
            for name in ("#1001", "#1002")
        ]
        (served.data_dir / "inbox").mkdir(exist_ok=True)
        (served.data_dir / "inbox" / "ask-orders_export.csv").write_text(
            text_of(SHOPIFY_HEADER, rows)
        )
        day.ui.await_state(day.begin_the_night())
        day.open_what_asks()
        day.answer_form(["S-1002"])
        at(page)
        run_id = day.ui.submit("approve-batch")
        assert day.see_the_outcome(run_id, "shop")["name"].endswith(
            ": 1 booked, 1 held"
        )
        assert [book["reference"] for book in served.sandbox.books()["orders"]] == [
            "S-1001"
        ]
        for _ in range(6):
            served.sandbox.advance(4 * 86_400)
            day.open_page()
            assert (
                day.ui.await_state(day.follow("Read the parcels now", "sync-tracking"))[
                    "state_type"
                ]
                == "COMPLETED"
            )
            if paths := [*(served.data_dir / "exports").glob("shopify-Orders-*.csv")]:
                break
        (file,) = paths
        (line,) = csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines())
        (shipment,) = served.sandbox.books()["shipments"]
        assert (line["Name"], line["Line: SKU"], line["Line: Quantity"]) == (
            "#1001",
            "FERN-1",
            "2",
        )
        assert line["Fulfillment: Tracking Number"] in shipment["tracking_numbers"]
        assert "Jane" not in file.read_text()
        day.open_page("Downloads")
        page.get_by_role("link", name=file.name).first.wait_for()
        at(page)
