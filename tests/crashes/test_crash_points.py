"""What `SOURCING_CRASH_AT` may say, and who refuses what it may not."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connectors import crash_points
from connectors.crash_points import POINTS, VARIABLE, UnknownCrashPoint, is_armed, reach
from tests.running import ROOT, Merchant, RunningSandbox

SCRIPT = (
    "import sys; from connectors.crash_points import reach\n"
    "for number, detail in enumerate(sys.argv[1:], 1): reach('after-intent', detail); print(number, flush=True)"
)


def ran(crash_at: str, *details: str) -> tuple[int, int]:
    """The exit code of a real process that reaches `after-intent` with these details,
    and how many it passed.
    """
    environment = {**os.environ, VARIABLE: crash_at}
    command = [sys.executable, "-c", SCRIPT, *details]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, len(done.stdout.split())


@pytest.mark.parametrize(
    ("crash_at", "passed"),
    [
        ("after-intent", 0),
        ("after-intent:pay", 1),
        ("after-intent:pay:2", 3),
        ("kill@after-intent::3", 2),
    ],
)
def test_a_process_dies_where_it_is_told(crash_at: str, passed: int) -> None:
    """At the first time, at the first of a detail, at the second of it, and at the
    third of any.
    """
    assert ran(crash_at, "create", "pay", "book", "pay") == (-signal.SIGKILL, passed)


def test_a_process_that_never_gets_there_lives() -> None:
    assert ran("after-record:pay", "create", "pay") == (0, 2)


def test_nothing_happens_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    for point in POINTS:
        reach(point, "pay")
    assert not is_armed()


@pytest.mark.parametrize(
    "text",
    [
        "after-intend",
        "after-intent:pay:0",
        "after-intent:pay:many",
        "term@after-intent",
        "@",
        "a:b:c:d",
    ],
)
def test_a_value_that_means_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A misspelt point would never be reached, and its test would prove nothing."""
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(
        UnknownCrashPoint, match=r"kill@\|stop@.*before-intent.*Nothing was sent"
    ):
        is_armed()


def test_a_command_with_a_misspelt_point_does_not_start(tmp_path: Path) -> None:
    """The process that opens the ledger says so: it is the first that could reach a
    point.
    """
    merchant = Merchant(
        RunningSandbox("http://127.0.0.1:9"), tmp_path, {VARIABLE: "after-intend:pay"}
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.db").touch()
    done = merchant.sourcing("status")
    assert done.exit_code == 1
    assert "sourcing: SOURCING_CRASH_AT=after-intend:pay: must be" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_point_stands_in_the_table() -> None:
    """The module's table is what a person reads."""
    assert crash_points.__doc__
    assert re.findall(
        r"^\| `([a-z-]+)` \|", crash_points.__doc__, re.MULTILINE
    ) == list(POINTS)
