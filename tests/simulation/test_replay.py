"""A seed is its episode: another process plays it again to the letter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ROUGH_SEEDS = "3", "11"


def replay(seed: str) -> str:
    command = [sys.executable, "-m", "tests.simulation", "--trace", "--seed", seed]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    """Every step at the same simulated moment; another seed goes another way."""
    first, again, other = replay(ROUGH_SEEDS[0]), replay(ROUGH_SEEDS[0]), replay(ROUGH_SEEDS[1])
    assert first == again
    assert len(first.splitlines()) > 20
    assert first != other
