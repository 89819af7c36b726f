"""A seed is its episode: another process plays it again to the letter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROUGH_SEED = "3"


@pytest.mark.endurance
def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    """Every step at the same simulated moment."""
    command = [
        sys.executable,
        "-m",
        "tests.simulation",
        "--trace",
        "--seed",
        ROUGH_SEED,
    ]
    popens = [
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ}, stdout=subprocess.PIPE, text=True
        )
        for _ in "12"
    ]
    first, repeated = [process.communicate()[0] for process in popens]
    assert [process.returncode for process in popens] == [0, 0]
    assert first == repeated
    assert len(first.splitlines()) > 20
