"""What all tests share: real processes of the sandbox and of `sourcing`."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.testing
from hypothesis import HealthCheck, settings
from typer.main import get_command

from deployments.local_server import prefect_server
from tests.clock import clock
from tests.everyday import (
    OPTION,
    pytest_addoption,
    pytest_configure,
    pytest_ignore_collect,
    start_no_process,
)
from tests.kept import end_all_but, kept
from tests.made_once import (
    copy_new_ledgers,
    share_certificates,
    share_prefect_settings,
    share_statements,
)
from tests.needs import leave_out, pytest_terminal_summary
from tests.postgres import INSTALL, Postgres, binaries, running_postgres
from tests.running import ROOT, RunningSandbox, own_sandbox

MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2**30
"""Temporary folders are in memory where there is room: thousands of commits wait for no
disk.
"""

# no test fails by luck: the same examples each time, however long making them takes;
# `search` draws new ones
settings.register_profile(
    "same",
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
settings.register_profile(
    "search",
    settings.get_profile("same"),
    max_examples=100,
    derandomize=False,
    print_blob=True,
)
settings.load_profile("same")

copy_new_ledgers()
share_statements()
share_prefect_settings()
share_certificates()

# the commands are made once a process, as in a terminal, not once a call
vars(typer.testing)["_get_command"] = cache(get_command)

__all__ = [
    "clock",
    "pytest_addoption",
    "pytest_configure",
    "pytest_ignore_collect",
    "pytest_terminal_summary",
]

os.environ["COLUMNS"] = (
    "200"  # the terminal's width is measured once, by whichever test imports it first
)
os.environ.setdefault(
    "SOURCING_PATIENCE_S", "0"
)  # a test that is about waiting for the service says so
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
INSTALLED = "installed"
SERVER = "prefect_url"
POSTGRES = "postgres"
LANES = (
    (
        (
            INSTALLED,
            ("ui/", ""),
        ),
        ("", ("cli/test_starts",)),
    ),
    ((SERVER, ("journeys/test_a", "journeys/test_c")),),
    ((SERVER, ("",)),),
    ((POSTGRES, ("",)), ("", ("crashes/", "simulation/", "hostile/"))),
)
"""What each of the four workers of `make test` begins with: users of a fixture, by
where they are; many processes.

The users of an installation or a Prefect server stand together, since it ends before
the first test without it; those of PostgreSQL do, or each worker had a server of its
own.
"""


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Each worker gets its share of the list, slow tests first: what one takes off
    another at the end is quick.
    """
    if config.getoption(OPTION):  # not in the process that starts the workers
        start_no_process()
        return
    remaining = {
        item: item.path.relative_to(ROOT / "tests").as_posix() for item in items
    }
    lanes: list[list[pytest.Item]] = []
    for expected in LANES:
        lane: list[pytest.Item] = []
        for fixture, location in (
            (fixture, location)
            for fixture, locations in expected
            for location in locations
        ):
            findings = [
                item
                for item, name in remaining.items()
                if name.startswith(location) and uses(item, fixture)
            ]
            lane += findings
            for item in findings:
                del remaining[item]
        lanes.append(lane)
    quick = list(remaining)
    share = -(-len(items) // len(LANES))
    for lane in lanes:
        room = max(0, share - len(lane))
        lane.extend(quick[:room])
        del quick[:room]
    items[:] = [*(item for lane in lanes for item in lane), *quick]


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the garbage collection does not go through it again
    and again.
    """
    gc.collect()
    gc.freeze()


def uses(item: pytest.Item, fixture: str) -> bool:
    """A database of its parameters is asked for by none of its fixtures' names."""
    is_on_postgres = fixture == POSTGRES and "postgresql" in item.name
    return not fixture or is_on_postgres or fixture in getattr(item, "fixturenames", ())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None]:
    yield
    end_all_but(getattr(nextitem, "fixturenames", ()))


def pytest_sessionfinish() -> None:
    end_all_but(())  # what an interrupted test had


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


@pytest.fixture
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The small Prefect server of a data folder, one for all tests that follow each
    other and use one.
    """
    return kept(SERVER, lambda: prefect_server(tmp_path_factory.mktemp("server")))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server for the whole test session; each test has databases of its
    own.
    """
    if binaries() is None:
        leave_out("PostgreSQL", INSTALL)
    with running_postgres(durable=False) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new ledger, of each kind of database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_ledger()
