"""`sourcing status`: where an order stands, and by which rule."""

from __future__ import annotations

import json
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
    assert "0.00 CNY paid; 1 held\n" in sourcing("status").stdout
    for command in (("status",), ("status", "A-1")):
        told = json.loads(sourcing(*command, "--json").stdout)
        assert (told["counts"], told["spent_fen"]) == ({"held": 1}, 0)
        assert [order["order_ref"] for order in told["orders"]] == ["A-1"]
    assert sourcing("status", "A-2", "--json").exit_code == 1
