"""A ledger with a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.store import Ledger
from tests.clock import MovableClock
from tests.connectors.ledger.plans import plan


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(url: str, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(url, clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1"), plan("A-2")])
        yield ledger


@pytest.fixture
def other(url: str, clock: MovableClock, ledger: Ledger) -> Iterator[Ledger]:
    """The same ledger in the hands of another run."""
    with Ledger(url, clock=clock, owner="second") as second:
        yield second
