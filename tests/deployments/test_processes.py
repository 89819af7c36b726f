"""A process ends with the one that started it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from deployments.die_with_parent import die_with_parent
from tests.deployments.served import wait_for
from tests.running import PATIENCE_S, ROOT

LEAVES_A_CHILD = """
import subprocess, sys
from deployments.die_with_parent import die_with_parent
child = subprocess.Popen(die_with_parent([sys.executable, "-c", "import time; time.sleep(60)"]))
print(child.pid, flush=True)
import time; time.sleep(60)
"""


def test_a_child_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LEAVES_A_CHILD], cwd=ROOT, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        wait_for(lambda: b"time.sleep" in _last_argument(child))
        parent.kill()
        wait_for(lambda: not _runs(child))


def test_nothing_is_started_for_a_parent_that_is_gone_already() -> None:
    command = die_with_parent([sys.executable, "-c", "print('started')"])
    command[3] = "1"  # somebody else's process
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "the process that started this is gone" in done.stderr


def test_a_child_can_be_interrupted_though_its_parent_can_not() -> None:
    """As where a script has started the parent with `&`."""
    waits = "import time; print('waits', flush=True); time.sleep(60)"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = subprocess.Popen(
            die_with_parent([sys.executable, "-c", waits]),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with child:
        assert child.stdout
        assert child.stdout.readline() == b"waits\n"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=PATIENCE_S) != 0


def _last_argument(pid: int) -> bytes:
    """Empty for a moment while it becomes another program."""
    return b"".join(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2:-1])


def _runs(pid: int) -> bool:
    """Whether it is there and not merely waiting to be looked at."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except OSError:
        return False
