"""A seed is its episode: another process plays it again to the letter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ROUGH_SEEDS = "3", "11"


def started(*seeds: str) -> list[subprocess.Popen[str]]:
    """A process each, all at once."""
    commands = [[sys.executable, "-m", "tests.simulation", "--trace", "--seed", seed] for seed in seeds]
    return [subprocess.Popen(one, cwd=ROOT, env={**os.environ}, stdout=subprocess.PIPE, text=True) for one in commands]


def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    """Every step at the same simulated moment; another seed goes another way."""
    processes = started(ROUGH_SEEDS[0], ROUGH_SEEDS[0], ROUGH_SEEDS[1])
    first, again, other = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert first == again
    assert len(first.splitlines()) > 20
    assert first != other
