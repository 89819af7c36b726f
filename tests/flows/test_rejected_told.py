"""Rows that a snapshot rejected are told wherever a run is told of, and somebody is to
look.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.run import print_report
from domain.report import NONE_REJECTED, Rejected, RejectedRow, all_rejected
from domain.states import OrderState
from flows.after_sale_reporting import AfterSaleReport
from flows.after_sale_reporting import summary_of as after_sale_summary
from flows.prefect_ui.markdown import markdown_report
from flows.prefect_ui.reconcile_artifact import ReconciliationReport
from flows.prefect_ui.reconcile_artifact import markdown as reconciliation_markdown
from flows.prefect_ui.reconcile_artifact import summary_of as reconciliation_summary
from flows.sync_catalog import CatalogReport
from flows.sync_tracking import TrackReport
from flows.sync_tracking import summary_of as tracking_summary
from tests.cli.test_long_tables import line, report

ROW = RejectedRow(
    table="order_lines",
    key="A-1,2",
    rule="quantity",
    message="quantity is 0, and must be 1 or more",
)
TWO = Rejected(count=2, rows=[ROW, replace(ROW, key="A-1,3")])
WORDS = (
    "2 rows of this snapshot can't be right and went into the table rejected_rows instead; the ledger has everything. "
    "order_lines A-1,2 (quantity): quantity is 0, and must be 1 or more; "
    "order_lines A-1,3 (quantity): quantity is 0, and must be 1 or more. "
    "Once the cause is mended, `sourcing snapshot rebuild` or the next run writes them well"
)
AS_JSON = {
    "count": 2,
    "rows": [
        {"table": "order_lines", "key": key, "rule": "quantity", "message": ROW.message}
        for key in ("A-1,2", "A-1,3")
    ],
}


def test_a_batch_says_so_in_all_its_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    fine = report(line(1, OrderState.BOOKED))
    told = replace(fine, rejected=TWO)
    assert (fine.all_fine, told.all_fine) == (True, False)
    assert (fine.to_json()["rejected"], told.to_json()["rejected"]) == (
        {"count": 0, "rows": ()},
        AS_JSON,
    )
    words = "2 rows of this snapshot can't be right"
    assert words in markdown_report(told)
    assert words not in markdown_report(fine)
    print_report(told)
    assert WORDS in " ".join(capsys.readouterr().out.split())


def test_of_many_the_first_are_told_and_where_the_others_are() -> None:
    many = all_rejected([TWO, NONE_REJECTED, TWO, Rejected(count=1_000, rows=[ROW])])
    assert (many.count, many.counted, len(many.rows)) == (
        1_004,
        "1,004 rows rejected",
        5,
    )
    assert many.lines[2:] == [
        "order_lines A-1,2 (quantity): quantity is 0, and must be 1 or more",
        "and 1,001 more: sourcing snapshot show, or the table rejected_rows",
    ]


def test_the_other_runs_say_so_too() -> None:
    place: dict[str, Any] = {"snapshot_id": "s", "snapshot_root": "", "rejected": TWO}
    tracked = TrackReport(
        followed=1, moved=[], new_events=0, troubles=[], orders=[], **place
    )
    assert (
        tracking_summary(tracked) == "1 order: 0 moved, 0 new events, 2 rows rejected"
    )
    after = AfterSaleReport(orders=[line(1)], refunds=[], troubles=[], **place)
    assert (after.all_fine, after_sale_summary(after)) == (
        False,
        "1 order: 1 booked; 2 rows rejected",
    )
    nothing: dict[str, Any] = {
        "settled": [],
        "findings": [],
        "paid": [],
        "troubles": [],
        "notes": [],
        "not_marked": [],
    }
    since = datetime(2026, 1, 2, tzinfo=UTC)
    compared = ReconciliationReport(
        since=since, compared=1, in_hand=0, wallet_out=None, **nothing, **place
    )
    assert (
        reconciliation_summary(compared)
        == "nothing differs; 1 order compared; 2 rows rejected"
    )
    assert "2 rows of this snapshot can't be right" in reconciliation_markdown(compared)
    counts: dict[str, Any] = dict.fromkeys(
        ("pages", "items", "fetched", "skus", "new", "changed", "unchanged", "gone"), 0
    )
    crawled = CatalogReport(sources=[], troubles=[], trouble_count=0, **counts, **place)
    assert [
        one.to_json()["rejected"] for one in (tracked, after, compared, crawled)
    ] == [AS_JSON] * 4
