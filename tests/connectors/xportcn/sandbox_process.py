"""The sandbox in a process of its own, with its control endpoints."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.running import PATIENCE_S

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox; names as in its control endpoints."""

    url: str

    def control(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = Request(
            f"{self.url}/_sandbox/{path}", data=data, headers=headers, method=method
        )
        with urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def reset(self) -> None:
        self.faults()
        self.control("POST", "reset", {})

    def rows(
        self, marketplace: str, offset: int = 0, limit: int = 100
    ) -> list[dict[str, Any]]:
        rows = self.control(
            "GET", f"catalogue?marketplace={marketplace}&limit={limit}&offset={offset}"
        )["items"]
        assert isinstance(rows, list)
        return rows

    def books(self) -> Any:
        return self.control("GET", "books")

    def advance(self, days: float) -> None:
        self.control("POST", "clock", {"advance_s": int(days * 86400)})

    def faults(self, *rules: dict[str, Any]) -> None:
        full = [
            {"probability": 1, "times": None, "delay_s": 0} | rule for rule in rules
        ]
        self.control("PUT", "faults", {"seed": 1, "rules": full})


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        sandbox = Sandbox(f"http://127.0.0.1:{port}")
        _wait_for(sandbox, process)
        yield sandbox
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(sandbox: Sandbox, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the sandbox ended by itself"
        try:
            sandbox.control("GET", "health")
        except URLError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the sandbox is not up after {PATIENCE_S} s")
