"""What all tests share: real processes of the sandbox and of `sourcing`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import RunningSandbox

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[RunningSandbox]:
    """One sandbox for the whole test session, in memory."""
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        words = process.stdout.readline().split()
        yield RunningSandbox(words[words.index("on") + 1])
        process.terminate()


@pytest.fixture
def sandbox(sandbox_process: RunningSandbox) -> RunningSandbox:
    """The sandbox with empty books, no faults and a full wallet."""
    sandbox_process.reset()
    return sandbox_process
