"""A sandbox that keeps its state in a file, to be killed and started again at the same
address.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.running import ROOT, RunningSandbox


class KeptSandbox:
    """A process of the sandbox; `kill` is a real one."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._port = _free_port()
        self.running = RunningSandbox(f"http://127.0.0.1:{self._port}")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [
            sys.executable,
            "-m",
            "sandbox",
            "--port",
            str(self._port),
            "--state",
            str(self._state),
        ]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self._process.stdout.readline()

    def kill(self) -> None:
        """Once more does nothing."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


@contextmanager
def kept_sandbox(state: Path) -> Iterator[KeptSandbox]:
    sandbox = KeptSandbox(state)
    try:
        yield sandbox
    finally:
        sandbox.kill()


def _free_port() -> int:
    with socket.socket() as item:
        item.bind(("127.0.0.1", 0))
        return int(item.getsockname()[1])
