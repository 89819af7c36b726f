"""What all tests share: real processes of the sandbox and of `sourcing`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.clock import clock
from tests.postgres import MISSING, Postgres, binaries, running_postgres
from tests.running import ROOT, RunningSandbox, own_sandbox

__all__ = ["clock"]

os.environ["COLUMNS"] = "200"  # the terminal's width is measured once, by whichever test imports it first
os.environ.setdefault("SOURCING_PATIENCE_S", "0")  # a test that is about waiting for the service says so
SLOW = (
    *("tests/deployments/test_recovery.py", "tests/deployments/test_questions.py", "tests/ui/", "tests/deployments/"),
    *("tests/cli/test_starts.py", "tests/journeys/", "tests/crashes/"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for other processes comes first: one worker begins with it while the others compute."""
    places = {item: str(item.path.relative_to(ROOT)) for item in items}
    items.sort(key=lambda item: next((n for n, part in enumerate(SLOW) if places[item].startswith(part)), len(SLOW)))


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[RunningSandbox]:
    """One sandbox for the whole test session, in memory."""
    with own_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_process: RunningSandbox) -> RunningSandbox:
    """The sandbox with empty books, no faults and a full wallet."""
    sandbox_process.reset()
    return sandbox_process


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server for the whole test session; each test has databases of its own."""
    if binaries() is None:
        pytest.skip(MISSING)
    with running_postgres(durable=False) as server:
        yield server
