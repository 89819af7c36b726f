"""The process of `sourcing serve` beside its parts: what ends it, and what does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from tests.running import PATIENCE_S, ROOT

WATCHING = """
import sys, types
from deployments.serving import watch

def lost(_line):
    raise OSError(5, "the terminal is gone")

part = types.SimpleNamespace(name="worker", keep_running=lambda: print("watching", flush=True) or "was started again")
place = types.SimpleNamespace(parts=[part], log=lambda name: name, require_alone=lambda: None, clock=0.0)
watch(place, say=lost)
print("ended in order", flush=True)
"""


def _signalled(*signals: signal.Signals, under: str = "") -> str:
    command = [*under.split(), sys.executable, "-c", WATCHING]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert [process.stdout.readline() for _ in range(2)] == [
            "watching\n"
        ] * 2  # also after what it said
        for one in signals:
            process.send_signal(one)
            time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        return process.communicate(timeout=PATIENCE_S)[0]


def test_a_hang_up_ends_it_in_order_also_with_a_terminal_that_is_gone() -> None:
    """What is said to a terminal that is gone fails, and ends nothing."""
    said = _signalled(signal.SIGHUP)
    assert said.splitlines()[-1] == "ended in order"


def test_with_nohup_it_outlives_its_terminal() -> None:
    """A merchant at a small server closes the laptop: the night would not be bought,
    and no message says so.
    """
    said = _signalled(signal.SIGHUP, under="nohup")
    assert "watching" in said
    assert said.splitlines()[-1] == "ended in order"
