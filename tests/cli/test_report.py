"""`sourcing report`: the figures at a terminal, and the page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from domain.states import OrderState
from tests.cli.conftest import Sourcing
from tests.connectors.ledger.plans import Columns
from tests.flows.plans import planned
from tests.verdicts import in_these_words


@pytest.fixture
def bought(tmp_path: Path) -> None:
    """A batch of one paid and one held order."""
    (tmp_path / "data").mkdir()
    with Ledger(
        f"sqlite:///{tmp_path / 'data/ledger.db'}",
        clock=lambda: datetime.now(UTC),
        owner="me",
    ) as ledger:
        ledger.start_batch("b", "file.csv")
        ledger.put_plans([planned(ref) for ref in ("A", "B")], "b")
        paid = Columns({"paid_minor": 1234})
        reason = in_these_words("[bold]sold out[/]")
        changes = [
            OrderChange(order_ref="A", state=OrderState.ORDERED),
            OrderChange(order_ref="A", state=OrderState.PAID, writes=paid),
            OrderChange(order_ref="B", state=OrderState.HELD, why=reason),
        ]
        for change in changes:
            ledger.change([change])


@pytest.mark.usefixtures("bought")
def test_the_terminal_shows_the_figures_and_what_waits(sourcing: Sourcing) -> None:
    """Words of the service are no markup."""
    done = sourcing("report", "b")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.strip().startswith("Batch b")
    assert "\nas of 20" in done.stdout
    rows = [line.replace("│", "").split() for line in done.stdout.splitlines()]
    assert ["wait", "for", "you", "1"] in rows
    assert ["paid", "1", "12.34", "CNY"] in rows
    assert "［bold］sold out［/］" in done.stdout


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
    written = (tmp_path / "out" / "b.html").read_text(encoding="utf-8")
    assert "<title>Batch b</title>" in written


@pytest.mark.usefixtures("bought")
def test_without_a_batch_all_orders_are_shown(sourcing: Sourcing) -> None:
    done = sourcing("report")
    assert done.exit_code == 0
    assert done.stdout.strip().startswith("All orders")
    assert "12.34 CNY" in done.stdout


@pytest.mark.usefixtures("bought")
def test_an_unknown_batch_is_bad_usage(sourcing: Sourcing, tmp_path: Path) -> None:
    """Those that there are are named; no page is written."""
    done = sourcing("report", "c", "--html", "c.html")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "sourcing: the ledger has no batch c; the newest are b\n"
    assert not (tmp_path / "c.html").exists()


@pytest.mark.usefixtures("empty_ledger")
def test_nothing_yet_says_how_to_begin(sourcing: Sourcing) -> None:
    """An empty ledger is no error, but a batch that is not there is."""
    done = sourcing("report")
    assert done.exit_code == 0
    assert "No orders yet. Begin with: sourcing run FILE" in done.stdout
    assert "there is none yet" in sourcing("report", "b").stderr
