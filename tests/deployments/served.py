"""A running installation, as tests look at it."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from deployments.serving import descendants_of
from tests.endurance.retention import SWEEPS_OFTEN, asked
from tests.running import PATIENCE_S, RunningSandbox

T = TypeVar("T")


@dataclass(frozen=True)
class Served:
    """`sourcing serve` with its data in a folder."""

    folder: Path

    @cached_property
    def settings(self) -> dict[str, Any]:
        stored: dict[str, Any] = json.loads((self.folder / "settings.json").read_text())
        return stored

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.settings['port']}/api"

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.settings['environment']['SOURCING_PAGE_PORT']}"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def sandbox(self) -> RunningSandbox:
        return RunningSandbox(f"http://127.0.0.1:{self.settings['sandbox_port']}")

    @property
    def environment(self) -> dict[str, str]:
        """The settings of this merchant and nobody else's."""
        neighbours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("XPORTCN_", "SOURCING_", "PREFECT_"))
        }
        return {
            **neighbours,
            "XPORTCN_BASE_URL": self.sandbox.url,
            "SOURCING_DATA_DIR": str(self.data_dir),
            "SOURCING_TIMEZONE": "Asia/Shanghai",
            "SOURCING_NOTIFY": self.settings["alerts"],
            "COLUMNS": "200",
            **SWEEPS_OFTEN,
            **self.settings.get("environment", {}),
        }

    @property
    def server_folder(self) -> Path:
        return self.data_dir / "prefect"

    @contextmanager
    def held(self, mode: int, *, of: str = "parts") -> Iterator[None]:
        """Its parts, or its books, alone or together with other tests, which may run in
        other processes.

        Who wants both takes the books first.
        """
        with (self.folder / f"{of}.lock").open("w") as lock:
            fcntl.flock(lock, mode)
            yield

    def ask(
        self,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        method: str | None = None,
    ) -> Any:
        """The answer of Prefect's API."""
        return asked(self.api, path, body, method=method)

    def deployment(self, name: str) -> dict[str, Any]:
        findings: dict[str, Any] = self.ask(f"deployments/name/{name}")
        return findings

    def start(self, name: str, **parameters: object) -> str:
        """Press Run; answers the id of the flow run."""
        built = self.ask(
            f"deployments/{self.deployment(name)['id']}/create_flow_run",
            {"parameters": parameters},
        )
        return str(built["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        findings: dict[str, Any] = self.ask(f"flow_runs/{run_id}")
        return findings

    def await_state(
        self, run_id: str, *states: str, seconds: float = PATIENCE_S
    ) -> dict[str, Any]:
        """The run, once it is in one of these states."""

        def arrived() -> dict[str, Any] | None:
            run = self.run(run_id)
            return run if run["state_name"] in states else None

        return wait_for(arrived, seconds=seconds)

    def part(self, module: str) -> int:
        """The process of a part of `sourcing serve`, once it runs."""
        serve = json.loads((self.folder / "served.json").read_text())["pid"]

        def found() -> int:
            commands = {
                pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                for pid in descendants_of(serve)
            }
            return next(
                (
                    pid
                    for pid, command in commands.items()
                    if module.encode() in command[:4]
                ),
                0,
            )

        return wait_for(found)

    def processes_of(self, run_id: str) -> list[int]:
        """The processes of a run, below the worker's."""
        below = descendants_of(self.part("worker"))
        return [pid for pid in below if run_id.encode() in environment_of(pid)]

    def alerts(self) -> list[dict[str, str]]:
        """What was posted to the merchant's webhook so far."""
        path = self.folder / "alerts.jsonl"
        return (
            [json.loads(line) for line in path.read_text().splitlines()]
            if path.exists()
            else []
        )

    def await_alert(self, *words: str) -> dict[str, str]:
        """The alert that has all these words."""

        def arrived() -> dict[str, str] | None:
            return next(
                (
                    alert
                    for alert in self.alerts()
                    if all(text in json.dumps(alert) for text in words)
                ),
                None,
            )

        return wait_for(arrived)

    def database_bytes(self) -> bytes:
        """All of the server's database, what is still in its journal included."""
        with sqlite3.connect(self.server_folder / "prefect.db") as database:
            database.execute("PRAGMA wal_checkpoint(FULL)")
        return b"".join(
            path.read_bytes() for path in sorted(self.server_folder.glob("prefect.db*"))
        )


def wait_for(answer: Callable[[], T | None], *, seconds: float = PATIENCE_S) -> T:
    """The answer, once there is one."""
    deadline = time.monotonic() + seconds
    while not (result := answer()):
        assert time.monotonic() < deadline, f"nothing in {seconds} seconds"
        time.sleep(0.2)
    return result


def environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""  # it has just ended
