"""Sandboxes as processes of their own, for tests that kill them or talk to them byte by
byte.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.running import PATIENCE_S
from tests.sandbox.client import Caller

ROOT = Path(__file__).parents[2]


class SandboxProcess:
    """`python -m sandbox` on a free port; `ready` is the line it prints."""

    def __init__(self, *arguments: str) -> None:
        self._process = start(*arguments)
        assert self._process.stdout is not None
        self.ready = self._process.stdout.readline().strip()
        match = re.search(r"http://[^ ]+:(\d+)", self.ready)
        assert match is not None, self._process.communicate()[1]
        self.origin, self.port = match.group(0), int(match.group(1))

    def kill(self) -> None:
        """As `kill -9` does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        self._end(signal.SIGTERM)
        return self._process.returncode

    def _end(self, sign: signal.Signals) -> None:
        if self._process.poll() is None:
            os.kill(self._process.pid, sign)
        self._process.communicate(timeout=PATIENCE_S)


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def failed_start(*arguments: str) -> tuple[int, str]:
    """Exit status and message of a sandbox that must not start."""
    process = start(*arguments)
    _, message = process.communicate(timeout=PATIENCE_S)
    return process.returncode, message


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[tuple[SandboxProcess, Caller]]:
    sandbox = SandboxProcess(*arguments)
    try:
        async with aiohttp.ClientSession() as session:
            yield sandbox, Caller(session, sandbox.origin)
    finally:
        sandbox.kill()
