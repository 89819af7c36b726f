"""The figures at the end of a worker's run: a page in the data folder, and the same as
text where Prefect shows it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.snapshots.writer import write_snapshot
from domain.report import BatchReport
from flows.batch.reporting import show_outcome
from flows.prefect_ui.artifacts import markdown_figures, show_figures
from flows.prefect_ui.expected_errors import run_logger
from tests.flows.report.test_report_figures import order, told

DAY = datetime(2026, 11, 2, 20, tzinfo=UTC)
ORDER = {
    "marketplace": "taobao",
    "currency": "CNY",
    "quoted_minor": 0,
    "approved_minor": 0,
    "tracking_numbers": [],
}


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchReport:
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    root = tmp_path / "snapshots"
    rows = [
        {
            **ORDER,
            "order_ref": "A",
            "state": "paid",
            "paid_minor": 0,
            "freight_minor": 0,
        }
    ]
    write_snapshot(
        root, "b", DAY.date(), {"orders": rows}, batch_id="b", written_at=DAY
    )
    return BatchReport(
        batch_id="b",
        orders=[],
        spent_this_run_fen=0,
        bought_this_run=0,
        snapshot_id="b",
        snapshot_root=str(root),
    )


def test_text_has_the_figures_and_names_the_page() -> None:
    """Words of others make no Markdown; what waits is in the report's own artifact."""
    figures = told(
        orders=[order("A", "held", reason="dear", updated_at=DAY)],
        payments=[
            {
                "order_ref": "A",
                "marketplace": "a|b",
                "currency": "CNY",
                "amount_minor": 1234,
                "paid_at": DAY,
            }
        ],
    )
    text = markdown_figures(figures, "UTC", Path("/data/reports/b.html"))
    assert text.startswith(
        "# Batch b, as of 2026-11-02 20:00 UTC\n\n| figure |  |\n| --- | --- |\n| orders | 1 |"
    )
    assert (
        "## What was paid\n\n| marketplace | orders | paid |\n| --- | --- | --- |\n| a｜b | 1 | 12.34 CNY |"
        in text
    )
    assert text.endswith(
        "machine of the worker: `/data/reports/b.html`. Anew: `sourcing report b --html FILE`"
    )
    assert "dear" not in text


async def test_a_worker_writes_the_page_and_a_terminal_does_not(
    report: BatchReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that a worker started knows its flow run from the environment."""
    page = tmp_path / "reports" / "b.html"
    await show_outcome(report)
    assert not page.exists()
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "1")
    await show_outcome(report)
    assert "<title>Batch b</title>" in page.read_text(encoding="utf-8")


async def test_figures_that_can_not_be_made_stop_no_run(
    report: BatchReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line in the log says why, and how to make them."""
    said: list[str] = []
    monkeypatch.setattr(
        run_logger(), "warning", lambda words, *told: said.append(words % told)
    )
    (tmp_path / "reports").write_text("a file where the folder should be")
    await show_figures(report)
    assert said[0].startswith("No figures (")
    assert said[0].endswith("; make them with: sourcing report b")
