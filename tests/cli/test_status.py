"""`sourcing status`: where an order stands, and by which rule."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from connectors.ledger.plans import put_rows
from connectors.ledger.store import Ledger
from domain.reasons import ReasonCode, because
from tests.cli.conftest import Sourcing
from tests.connectors.ledger.plans import plan


def test_an_order_shows_the_code_of_its_reason(
    sourcing: Sourcing, tmp_path: Path
) -> None:
    """The code leads to the function that gives it, by docs/reasons.md."""
    (tmp_path / "data").mkdir()
    with Ledger(
        f"sqlite:///{tmp_path / 'data/ledger.db'}",
        clock=lambda: datetime.now(UTC),
        owner="me",
    ) as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1")])
        order = ledger.orders(["A-1"])["A-1"]
        ledger.change([order.held(because(ReasonCode.NOT_APPROVED, by="mei"))])
    assert (
        "Reason not_approved: see docs/reasons.md\n" in sourcing("status", "A-1").stdout
    )
