"""`pytest --everyday` (`make check`): each test that needs no process beside its own.

Which those are is nowhere listed: whichever starts one is left out at that moment. What
is not begun at all is long: it plays whole days, opens a browser, lets a write die at
each of its steps, makes random examples.
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
LONG = {
    *(
        "simulation",
        "hostile",
        "ui",
        "journeys",
        "crashes",
        "sandbox",
        "test_reasons_are_data",
    ),
    *(
        f"cli/test_{name}"
        for name in ("confirm", "diff", "doctor", "doctor_live", "reasons", "report")
    ),
    *("connectors/callbacks", "connectors/snapshots", "connectors/request_files"),
    *(
        f"connectors/test_{name}"
        for name in ("cost_files", "exports", "foreign", "notifying")
    ),
    *(
        f"connectors/ledger/test_{name}"
        for name in ("backup", "changes", "forgetting", "receivers")
    ),
    *(
        f"connectors/ledger/test_{name}"
        for name in ("first_orders", "guard", "parts", "spending", "trouble", "verify")
    ),
    "connectors/marketplaces/channel_contract",
    *(
        f"connectors/xportcn/test_{name}"
        for name in ("breaker", "permits", "live", "tolerant_readers")
    ),
    *(f"deployments/test_{name}" for name in ("dispatching", "page", "receiver")),
    *(
        f"domain/test_{name}"
        for name in (
            "pace",
            "landed",
            "polling",
            "reasons",
            "reconciliation_properties",
        )
    ),
    *(
        "cli/test_snapshot_commands",
        "flows/batch/test_sharing",
        "flows/prefect_ui/test_report_artifact",
    ),
    *(
        "flows/report",
        "flows/answers/test_dropping",
        "flows/answers/test_resolve",
        "flows/test_costs",
    ),
    *(
        "flows/test_reconcile",
        "tasks/test_snapshot",
        "tasks/test_snapshot_sums",
        "tasks/test_submissions",
    ),
    *(
        f"tasks/test_{name}"
        for name in (
            "bookings_repeated",
            "callback_handling",
            "doors",
            "kinds",
        )
    ),
    *(
        f"tasks/test_{name}"
        for name in (
            "amounts",
            "effect_path",
            "effects",
            "landed_cost",
            "overtaken",
            "pay",
        )
    ),
    *(f"tasks/test_{name}" for name in ("rebuild", "refund", "tries")),
}
"""Folders and files of tests that take a tenth of a second each, or more."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        OPTION,
        action="store_true",
        help="only tests that start no process: no server, no browser",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(OPTION):
        settings.register_profile(
            "everyday", settings.get_profile("same"), max_examples=20
        )
        settings.load_profile("everyday")


def examples(count: int) -> int:
    """The number of examples of a property that needs fewer or more than the usual 100,
    as endurance makes them.

    `make test` makes half of them, `make check` a fifth; at least three, since the
    first one is the simplest.
    """
    return max(3, count * settings().max_examples // 100)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What is long is not even loaded."""
    posix = collection_path.relative_to(ROOT / "tests").with_suffix("").as_posix()
    return True if config.getoption(OPTION) and posix in LONG else None


def start_no_process() -> None:
    """From now on, and for good."""
    vars(subprocess)["Popen"].__init__ = _leave_out
    vars(multiprocessing.process)["BaseProcess"].start = _leave_out
    os.fork = _leave_out


def _leave_out(*_: object, **__: object) -> NoReturn:
    leave_out("a process beside the test's", "make test")
