"""`pytest --everyday` (`make check`): each test that needs no process beside its own.

Which those are is nowhere listed: whichever starts one is left out at that moment.
"""

from __future__ import annotations

import multiprocessing.process
import sys
from typing import NoReturn

import pytest

from tests.needs import leave_out

OPTION = "--everyday"
STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help="only tests that start no process: no server, no browser")


def start_no_process() -> None:
    """From now on, and for good."""
    sys.addaudithook(lambda event, _: _leave_out() if event in STARTS else None)
    vars(multiprocessing.process)["BaseProcess"].start = lambda _: _leave_out()


def _leave_out() -> NoReturn:
    leave_out("a process beside the test's", "make test")
