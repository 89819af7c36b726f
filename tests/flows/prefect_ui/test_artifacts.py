"""What a run shows of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.report import BatchReport, ReportLine
from domain.states import OrderState
from flows.batch.reporting import one_report
from flows.prefect_ui.artifacts import links_of, of_many, outcome_rows
from flows.prefect_ui.markdown import in_short, markdown_report
from flows.report.sections import Link

LINES = [
    ReportLine(
        order_ref="A-1",
        marketplace="taobao",
        state=OrderState.BOOKED,
        reason="",
        order_id="9",
        paid_fen=1200,
        tracking_numbers=["SF1"],
        freight_minor=3390,
        freight_currency="USD",
    ),
    ReportLine(
        order_ref="A-2", marketplace="1688", state=OrderState.HELD, reason="dear"
    ),
    ReportLine(
        order_ref="A-3", marketplace="1688", state=OrderState.HELD, reason="dear"
    ),
]
REPORT = BatchReport(
    batch_id="b",
    orders=LINES,
    spent_this_run_fen=1200,
    bought_this_run=1,
    snapshot_id="b",
    snapshot_root="/s",
)


def test_orders_that_wait_for_a_person_come_first() -> None:
    """All cells are text."""
    rows = outcome_rows(REPORT)
    assert [row["order"] for row in rows] == ["A-2", "A-3", "A-1"]
    assert rows[2] == {
        "order": "A-1",
        "state": "booked",
        "reason": "",
        "paid": "12.00 CNY",
        "freight": "33.90 USD",
        "tracking": "SF1",
        "order id": "9",
        "marketplace": "taobao",
    }
    assert list(rows[2])[:3] == ["order", "state", "reason"]


def test_of_many_rows_the_first_are_shown() -> None:
    """And it is said how many more there are."""
    rows: list[dict[str, object]] = [{"order": str(number)} for number in range(2_500)]
    assert of_many(rows, "Orders") == (
        rows[:1_000],
        "Orders (1,500 more: see the snapshot)",
    )
    assert of_many(rows[:1_000], "Orders") == (rows[:1_000], "Orders")


def test_the_report_leads_to_the_other_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every order, and what waits; nothing where no UI is known."""
    for name in ("PREFECT_UI_URL", "PREFECT_API_URL", "PREFECT__FLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    assert links_of(REPORT) == ""
    monkeypatch.setenv("PREFECT_UI_URL", "http://shop:4200")
    pages = "http://shop:4200/v2/artifacts/key"
    waits = f"[What waits for you]({pages}/what-waits)"
    assert links_of(REPORT) == f"[Every order]({pages}/outcome-b) · {waits}"
    assert links_of(replace(REPORT, dry_run=True)) == waits
    assert f"# Batch b\n\n[Every order]({pages}/outcome-b) · " in markdown_report(
        REPORT, links=links_of(REPORT)
    )


def test_a_report_is_told_in_one_line() -> None:
    """What the list of artifacts shows of it."""
    assert in_short(REPORT) == "12.00 CNY paid, freight 33.90 USD; 2 held, 1 booked"
    assert (
        in_short(replace(REPORT, dry_run=True))
        == "A run would spend 0.00 CNY; 2 held, 1 booked"
    )


def test_the_report_has_money_and_what_to_do() -> None:
    """Orders that wait for the same thing share a row, with the links that lead on."""
    leads = [Link("run it again", "http://ui/1"), Link("not wanted", "http://ui/2")]
    pieces = markdown_report(REPORT, leads=lambda _: leads).split("\n\n")
    assert pieces[:3] == ["# Batch b", "## In all", "Snapshot b in /s"]
    assert pieces[3] == (
        "|  | sum |\n| --- | --: |\n| orders | 3 |\n| wait for you | 2 |\n"
        "| paid | 12.00 CNY |\n| paid by this run | 12.00 CNY for 1 order |\n"
        "| freight booked | 33.90 USD |"
    )
    links = "[run it again](http://ui/1), [not wanted](http://ui/2)"
    assert f"| A-2, A-3 | 2 | held | dear | {links} |" in pieces[6]
    assert pieces[8] == (
        "| state | orders | paid | freight |\n| --- | --: | --: | --: |\n"
        "| booked | 1 | 12.00 CNY | 33.90 USD |\n| held | 2 | 0.00 CNY |  |"
    )
    assert "| [SF1](https://t.17track.net/en#nums=SF1) |" in pieces[-1]


def test_a_report_says_what_of_its_file_another_batch_has_paid() -> None:
    """As after a mended file was sent again: sums of batches can be added."""
    shown = markdown_report(replace(REPORT, elsewhere_fen=700))
    assert "| paid | 12.00 CNY |\n| of it in other batches | 7.00 CNY |" in shown


def test_words_without_a_meaning_stand_in_a_batch_s_report() -> None:
    """Those of all batches of a run, each with its orders."""
    reports = [
        replace(REPORT, unknown_words={f"taobao order state {text}": count})
        for text, count in ((77, 2), (78, 1))
    ]
    report = one_report(reports, ["A-1"])
    assert report.to_json()["unknown_words"] == {
        "taobao order state 77": 2,
        "taobao order state 78": 1,
    }
    assert (
        "Not known: taobao order state 77 (2)" in markdown_report(report).splitlines()
    )
