"""`pytest --everyday` (`make check`): each test that needs no process beside its own.

Which those are is nowhere listed: whichever starts one is left out at that moment. What is not begun at all are the
folders that play whole days, open a browser, let a write die at each of its steps, or load Prefect's server.
"""

from __future__ import annotations

import multiprocessing.process
import os
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from tests.needs import leave_out
from tests.running import ROOT

OPTION = "--everyday"
LONG = [
    *(ROOT / "tests" / folder for folder in ("simulation", "hostile", "ui", "journeys", "crashes", "upgrade")),
    ROOT / "tests" / "connectors" / "snapshots" / "test_crashes.py",
    ROOT / "tests" / "deployments" / "test_causal_order.py",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help="only tests that start no process: no server, no browser")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(OPTION):
        settings.register_profile("everyday", settings.get_profile("same"), max_examples=20)
        settings.load_profile("everyday")


def examples(count: int) -> int:
    """The number of examples of a property that needs fewer or more than the usual 100, as endurance makes them.

    `make test` makes half of them, `make check` a fifth; at least three, since the first one is the simplest.
    """
    return max(3, count * settings().max_examples // 100)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What is long is not even loaded."""
    return True if config.getoption(OPTION) and collection_path in LONG else None


def start_no_process() -> None:
    """From now on, and for good."""
    vars(subprocess)["Popen"].__init__ = _leave_out
    vars(multiprocessing.process)["BaseProcess"].start = _leave_out
    os.fork = _leave_out


def _leave_out(*_: object, **__: object) -> NoReturn:
    leave_out("a process beside the test's", "make test")
