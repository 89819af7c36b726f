"""A ledger keeps reasons as codes with facts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from domain.money import Money
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from tests.connectors.ledger.plans import plan

OVER = because(
    ReasonCode.OVER_BUDGET, costs=Money(500), taken=Money(100), limit=Money(300)
)


def open_ledger(file: Path) -> Ledger:
    return Ledger(f"sqlite:///{file}", clock=lambda: datetime.now(UTC), owner="me")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with open_ledger(tmp_path / "ledger.db") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1")])
    return tmp_path / "ledger.db"


def test_the_same_reason_again_is_no_move(file: Path) -> None:
    with open_ledger(file) as ledger:
        for _ in range(2):
            ledger.change(
                [OrderChange(order_ref="A-1", state=OrderState.HELD, why=OVER)]
            )
        assert [move["reason"] for move in ledger.moves_of("A-1")][1:] == [str(OVER)]
