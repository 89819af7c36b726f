"""`sourcing report`: what a person reads, what a program reads, and the page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.snapshots.tables import TABLES
from connectors.snapshots.tables.table import TEXT
from connectors.snapshots.writer import write_snapshot
from tests.cli.conftest import Sourcing

DAY = datetime(2026, 11, 2, 20, tzinfo=UTC)
ORDER = {
    "marketplace": "taobao",
    "currency": "CNY",
    "quoted_minor": 0,
    "approved_minor": 0,
    "tracking_numbers": [],
}


@pytest.fixture
def bought(tmp_path: Path) -> None:
    """A batch of one paid and one held order; a snapshot without other tables."""
    orders = [
        {
            **ORDER,
            "order_ref": "A",
            "state": "paid",
            "paid_minor": 1234,
            "freight_minor": 0,
        },
        {
            **ORDER,
            "order_ref": "B",
            "state": "held",
            "reason": "[bold]sold out[/]",
            "paid_minor": 0,
            "freight_minor": 0,
        },
    ]
    payments = [
        {
            **ORDER,
            "order_ref": "A",
            "order_id": "1",
            "amount_minor": 1234,
            "paid_at": DAY,
        }
    ]
    payments = [
        {
            k: v
            for k, v in row.items()
            if not k.startswith(("quoted", "approved", "track"))
        }
        for row in payments
    ]
    tables = {"orders": orders, "payments": payments}
    write_snapshot(
        tmp_path / "data" / "snapshots",
        "b",
        DAY.date(),
        tables,
        batch_id="b",
        written_at=DAY,
    )


@pytest.mark.usefixtures("bought")
def test_the_terminal_shows_the_figures_and_what_waits(sourcing: Sourcing) -> None:
    """Words of the service are shown as they are; landed cost says how to get it."""
    done = sourcing("report", "b")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Batch b, as of 2026-11-02 20:00 UTC" in done.stdout
    assert "orders 2; wait for you 1; delivered 0; paid 12.34 CNY" in done.stdout
    assert "[bold]sold out[/]" in done.stdout
    assert "1 paid order not worked out yet: sourcing costs" in done.stdout


@pytest.mark.usefixtures("bought")
def test_a_program_reads_minor_units(sourcing: Sourcing) -> None:
    """One document, everything when no batch is named."""
    document = json.loads(sourcing("report", "--json").stdout)
    assert document["spend"] == [
        {
            "currency": "CNY",
            "marketplace": "taobao",
            "day": "2026-11-02",
            "orders": 1,
            "paid_minor": 1234,
        }
    ]
    assert document["waiting"][0]["order_refs"] == ["B"]


@pytest.mark.usefixtures("bought")
def test_the_page_is_written_where_it_is_asked_for(
    sourcing: Sourcing, tmp_path: Path
) -> None:
    """Folders are made, and the place is told."""
    done = sourcing("report", "b", "--html", "out/b.html")
    assert (done.exit_code, done.stdout) == (
        0,
        f"Report of 2 orders in {tmp_path / 'out' / 'b.html'}\n",
    )
    assert "<title>Batch b</title>" in (tmp_path / "out" / "b.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.usefixtures("bought")
def test_an_unknown_batch_is_bad_usage(sourcing: Sourcing, tmp_path: Path) -> None:
    """Those that there are are named; no page is written."""
    done = sourcing("report", "c", "--html", "c.html")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "sourcing: no snapshot has a batch c; the newest are b\n"
    assert not (tmp_path / "c.html").exists()


def test_a_batch_that_is_only_planned_has_a_report(
    sourcing: Sourcing, tmp_path: Path
) -> None:
    """It has lines that were asked for, and no order yet."""
    texts = {
        name: ""
        for name, column in TABLES["requests"].columns.items()
        if column.dtype == TEXT and not column.null
    }
    asked = {
        **texts,
        "line_no": 1,
        "file_row": 2,
        "marketplace": "taobao",
        "quantity": 1,
        "max_unit_price_minor": 0,
    }
    tables = {"requests": [{**asked, "order_ref": "A", "snapshot_id": "p"}]}
    write_snapshot(
        tmp_path / "data" / "snapshots",
        "p",
        DAY.date(),
        tables,
        batch_id="p",
        written_at=DAY,
    )
    done = sourcing("report", "p")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Nothing was bought yet: a plan of 1 line." in done.stdout


def test_nothing_yet_says_how_to_begin(sourcing: Sourcing) -> None:
    """An empty data folder is no error, but a batch that is not there is."""
    done = sourcing("report")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (
        0,
        "All orders, nothing is there yet: sourcing run FILE",
    )
    assert (
        sourcing("report", "b").stderr
        == "sourcing: no snapshot has a batch b; there is none yet: sourcing run FILE\n"
    )
