"""Rules that the database itself holds, whatever program writes to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from connectors.ledger.plans import put_rows
from connectors.ledger.store import Ledger
from connectors.ledger.verify import verify
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents, plan
from tests.connectors.ledger.test_claims import LEASE

BREACHES = (
    ("UPDATE effects SET fence = 0 WHERE key = 'A-1:create'", "fence 0, attempt 1"),
    (
        "UPDATE effects SET status = 'ok' WHERE key = 'A-1:create'",
        "status 'ok' does not exist",
    ),
    (
        "UPDATE effects SET status = 'done' WHERE key = 'A-1:create'",
        "was never settled",
    ),
    (
        "UPDATE orders SET payable_minor = 99 WHERE order_ref = 'A-1'",
        "less than the 100",
    ),
    ("UPDATE orders SET order_id = '77'", "has order id 77, which A-1 has too"),
)


@pytest.fixture
def begun(ledger_url: str, clock: MovableClock) -> Iterator[Ledger]:
    """Two orders, one of them being created."""
    with Ledger(ledger_url, clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1"), plan("A-2")])
        ledger.claim(intents("A-1"), lease=LEASE)
        yield ledger


def test_a_write_that_breaks_a_rule_is_refused_by_the_database(begun: Ledger) -> None:
    for breach, _ in BREACHES:
        with pytest.raises(IntegrityError), begun.engine.begin() as connection:
            connection.execute(text(breach))
    assert verify(begun.url).faults == []
