"""A ledger with a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.store import Ledger
from tests.connectors.ledger.plans import plan
from tests.postgres import MISSING, Postgres, binaries, running_postgres


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


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
    with Ledger(url, clock=clock, owner="second") as other:
        yield other


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    if binaries() is None:
        pytest.skip(MISSING)
    with running_postgres(durable=False) as server:
        yield server
