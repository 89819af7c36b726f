"""What all tests share: real processes of the sandbox and of `sourcing`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from deployments.local_server import prefect_server
from tests.clock import clock
from tests.postgres import MISSING, Postgres, binaries, running_postgres
from tests.running import ROOT, RunningSandbox, own_sandbox

# on a busy machine making examples takes long, and that is no fault of the product
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

__all__ = ["clock"]

os.environ["COLUMNS"] = "200"  # the terminal's width is measured once, by whichever test imports it first
os.environ.setdefault("SOURCING_PATIENCE_S", "0")  # a test that is about waiting for the service says so
LANES = (
    (
        *("tests/deployments/test_recovery.py", "tests/deployments/test_questions.py", "tests/ui/"),
        *("tests/deployments/", "tests/cli/test_starts.py", "tests/journeys/test_a", "tests/journeys/test_c"),
    ),
    ("tests/tasks/test_retrying.py", "tests/journeys/"),
    ("tests/crashes/", "tests/simulation/", "tests/upgrade/", "tests/hostile/"),
)
"""What each of the three workers of `make test` begins with: an installation, a Prefect server, many processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each worker gets a third of the list, slow tests first: what one takes off another at the end is quick."""
    names = {item: str(item.path.relative_to(ROOT)) for item in items}
    ordered: list[list[pytest.Item]] = []
    for places in LANES:
        lane = [item for place in places for item, name in names.items() if name.startswith(place)]
        ordered.append(list(dict.fromkeys(lane)))
        names = {item: name for item, name in names.items() if not name.startswith(places)}
    quick, share = list(names), -(-len(items) // len(LANES))
    for lane in ordered:
        room = max(0, share - len(lane))
        lane.extend(quick[:room])
        del quick[:room]
    items[:] = [*(item for lane in ordered for item in lane), *quick]


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
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The small Prefect server of a data folder, one for the whole test session."""
    with prefect_server(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server for the whole test session; each test has databases of its own."""
    if binaries() is None:
        pytest.skip(MISSING)
    with running_postgres(durable=False) as server:
        yield server
