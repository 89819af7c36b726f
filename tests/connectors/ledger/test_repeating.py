"""What the ledger repeats when its database was away."""

from __future__ import annotations

import time

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from connectors.ledger import transactions
from connectors.ledger.engine import LedgerUnusable


def test_the_patience_of_a_process_that_was_stopped_meanwhile_begins_when_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transactions, "PATIENCE_S", 0.05)
    tries: list[int] = []

    @transactions.repeating
    def operation() -> str:
        tries.append(1)
        if len(tries) > 1:
            return "done"
        time.sleep(0.1)
        lost = psycopg.OperationalError("server closed the connection unexpectedly")
        raise LedgerUnusable("lost") from OperationalError("", {}, lost)

    assert operation() == "done"


def test_it_is_not_repeated_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "PATIENCE_S", 0.1)

    @transactions.repeating
    def operation() -> None:
        raise LedgerUnusable("lost") from OperationalError(
            "", {}, psycopg.OperationalError("connection refused")
        )

    with pytest.raises(LedgerUnusable, match="lost"):
        operation()
