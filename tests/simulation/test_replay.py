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
    both = [
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ}, stdout=subprocess.PIPE, text=True
        )
        for _ in "12"
    ]
    first, again = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert first == again
    assert len(first.splitlines()) > 20
