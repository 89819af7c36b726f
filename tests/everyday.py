"""`pytest --everyday` (`make check`): each test that needs no process beside its own.

Which those are is nowhere listed: whichever starts one is left out at that moment. What is not begun at all are the
folders that play whole days, or open a browser.
"""

from __future__ import annotations

import multiprocessing.process
import sys
from typing import NoReturn

import pytest

from tests.needs import leave_out
from tests.running import ROOT

OPTION = "--everyday"
LONG = ("simulation", "hostile", "ui", "journeys", "crashes", "upgrade")
STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help="only tests that start no process: no server, no browser")


def is_long(item: pytest.Item) -> bool:
    return item.path.relative_to(ROOT / "tests").parts[0] in LONG


def start_no_process() -> None:
    """From now on, and for good."""
    sys.addaudithook(lambda event, _: _leave_out() if event in STARTS else None)
    vars(multiprocessing.process)["BaseProcess"].start = lambda _: _leave_out()


def _leave_out() -> NoReturn:
    leave_out("a process beside the test's", "make test")
