"""A small Prefect server for commands run at a terminal, when no other server is configured.

Prefect's own temporary server costs each command ten seconds and is left behind when the command is killed. This one is
started once, serves all commands that share a data folder, and keeps the history of runs there. It ends by itself a
minute after the last command has ended, however that ended: every command holds a shared lock on one file, and the
server watches for the moment when nobody does.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

IDLE_S = 60.0
START_TIMEOUT_S = 90.0

QUIET_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
}


# kept, since they go on after their parent
_started: list[subprocess.Popen[bytes]] = []


class ServerFailed(Exception):
    """The local Prefect server did not come up; the message names its log."""


@contextmanager
def prefect_server(data_dir: Path) -> Iterator[str]:
    """The API address to use: the configured one, or this folder's own server, started if need be."""
    if configured := os.environ.get("PREFECT_API_URL"):
        yield configured
        return
    folder = data_dir.absolute() / "prefect"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "commands.lock").open("w") as commands:
        fcntl.flock(commands, fcntl.LOCK_SH)
        url = _running(folder) or _start(folder)
        os.environ["PREFECT_API_URL"] = url
        try:
            yield url
        finally:
            del os.environ["PREFECT_API_URL"]


def _start(folder: Path) -> str:
    with (folder / "start.lock").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if url := _running(folder):
            return url
        port = _free_port()
        log = (folder / "server.log").open("ab")
        server = subprocess.Popen(
            [sys.executable, "-m", "deployments.local_server", str(folder), str(port)],
            env={**os.environ, **QUIET_SERVER, **_database(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        _started.append(server)
        return _await_health(folder, port, server)


def _await_health(folder: Path, port: int, server: subprocess.Popen[bytes]) -> str:
    url = f"http://127.0.0.1:{port}/api"
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        if _is_healthy(url):
            (folder / "server.json").write_text(json.dumps({"url": url, "pid": server.pid}))
            return url
        time.sleep(0.1)
    raise ServerFailed(f"the local Prefect server did not start; see {folder / 'server.log'}, or set PREFECT_API_URL")


def _running(folder: Path) -> str | None:
    try:
        url = str(json.loads((folder / "server.json").read_text())["url"])
    except (OSError, ValueError, KeyError):
        return None
    return url if _is_healthy(url) else None


def _is_healthy(url: str) -> bool:
    try:
        with urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _database(folder: Path) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
    }


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(folder: Path, port: int) -> None:
    """Run the server in this process until no command has been there for a minute, or the folder is gone."""
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(
        create_app(final=True), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    threading.Thread(target=_end_when_idle, args=(server, folder), daemon=True).start()
    server.run()
    (folder / "server.json").unlink(missing_ok=True)


def _end_when_idle(server: object, folder: Path) -> None:
    last_seen = time.monotonic()
    while time.monotonic() - last_seen < IDLE_S:
        time.sleep(1)
        if not folder.exists():
            break
        if _somebody_is_there(folder):
            last_seen = time.monotonic()
    server.should_exit = True  # type: ignore[attr-defined]


def _somebody_is_there(folder: Path) -> bool:
    try:
        with (folder / "commands.lock").open() as commands:
            fcntl.flock(commands, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
