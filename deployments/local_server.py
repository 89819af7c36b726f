"""The Prefect server of a data folder: small and short-lived for commands, complete and lasting under `sourcing serve`.

Prefect's own temporary server costs each command ten seconds and is left behind when the command is killed. This one is
started once, serves all commands that share a data folder, and keeps the history of runs there. It ends by itself a
minute after the last command has ended, however that ended: every command holds a shared lock on one file, and the
server watches for the moment when nobody does. `sourcing serve` is one more holder of that lock, so its server, which
has a known port and all of Prefect's services, is also the one that commands find and use.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from deployments.tether import tethered

IDLE_S = 60.0
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 10.0
LEAST_FREE_MB = 20
"""Less room than this on the folder's disk does not even hold a new database of Prefect and its log."""

QUIET_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
}
"""A server for commands plans no runs and fires no automations: nobody would be there to carry them out."""


# kept, since they go on after their parent
_started: list[subprocess.Popen[bytes]] = []


class ServerFailed(Exception):
    """The local Prefect server did not come up; the message says why or names its log."""


@contextmanager
def prefect_server(data_dir: Path) -> Iterator[str]:
    """The API address to use: the configured one, or this folder's own server, started if need be."""
    if configured := os.environ.get("PREFECT_API_URL"):
        yield configured
        return
    folder = server_folder(data_dir)
    with presence(folder):
        url = running(folder) or _start_for_commands(folder)
        with _addressed(url):
            yield url


@contextmanager
def running_server(data_dir: Path) -> Iterator[None]:
    """Use the folder's server if it runs; nothing is started for what is only worth telling to those who listen."""
    url = None if os.environ.get("PREFECT_API_URL") else running(server_folder(data_dir))
    with _addressed(url) if url else nullcontext():
        yield


@contextmanager
def _addressed(url: str) -> Iterator[None]:
    os.environ["PREFECT_API_URL"] = url
    try:
        yield
    finally:
        del os.environ["PREFECT_API_URL"]


def server_folder(data_dir: Path) -> Path:
    """Where the server of a data folder keeps its database, log, key and locks."""
    folder = data_dir.absolute() / "prefect"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def presence(folder: Path) -> Iterator[None]:
    """Somebody uses the folder's server while this lasts, so it stays."""
    with (folder / "commands.lock").open("w") as commands:
        fcntl.flock(commands, fcntl.LOCK_SH)
        yield


def running(folder: Path) -> str | None:
    """The API address of the folder's server, if it answers."""
    try:
        url = str(json.loads((folder / "server.json").read_text())["url"])
    except (OSError, ValueError, KeyError):
        return None
    return url if is_healthy(url) else None


def start_server(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int,
    settings: Mapping[str, str],
    lasts: bool = True,
) -> subprocess.Popen[bytes]:
    """Start the folder's server as a process of its own, with these settings over the environment's.

    One that does not last ends with this process, others a minute after the last command. Raises `ServerFailed` on a
    full disk.
    """
    require_room(folder)
    command = [sys.executable, "-m", "deployments.local_server", str(folder), host, str(port)]
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            command if lasts else tethered(command),
            env={**_without_account(os.environ), **_home(folder), **settings},
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def require_room(folder: Path) -> None:
    """Raise `ServerFailed` on a full disk: the server would fail on it, and its log, which says so, is there too."""
    free_mb = shutil.disk_usage(folder).free / 1e6
    if free_mb < LEAST_FREE_MB:
        raise ServerFailed(
            f"the disk of {folder.parent} is full ({free_mb:.0f} MB free; Prefect's server needs {LEAST_FREE_MB}): "
            "free some space; nothing was sent"
        )


def await_health(folder: Path, url: str, server: subprocess.Popen[bytes]) -> str:
    """Wait until the server answers, and note it for commands. Raises `ServerFailed`."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        if is_healthy(url):
            (folder / "server.json").write_text(json.dumps({"url": url, "pid": server.pid}))
            return url
        time.sleep(0.1)
    raise ServerFailed(f"the local Prefect server did not start; see {folder / 'server.log'}, or set PREFECT_API_URL")


def end_small_server(folder: Path) -> None:
    """Make room for a complete server. Raises `ServerFailed` while commands use the small one."""
    with (folder / "server.lock").open("a+") as lock:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not _is_locked_by_us(lock):
            if _somebody_is_there(folder):
                raise ServerFailed(f"a command is running with {folder.parent}: start again when it has ended")
            lock.seek(0)
            if pid := lock.read().strip():
                os.kill(int(pid), signal.SIGTERM)
            if time.monotonic() > deadline:
                raise ServerFailed(f"another Prefect server (process {pid}) works on {folder} and does not end: end it")
            time.sleep(0.2)


def database(folder: Path) -> dict[str, str]:
    """The settings for a database in the folder."""
    return {"PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}"}


def is_healthy(url: str) -> bool:
    """Whether a Prefect API answers at this address."""
    try:
        with urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _start_for_commands(folder: Path) -> str:
    with (folder / "start.lock").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if url := running(folder):
            return url
        port = _free_port()
        server = start_server(folder, port=port, settings={**QUIET_SERVER, **database(folder)})
        _started.append(server)
        return await_health(folder, f"http://127.0.0.1:{port}/api", server)


def _home(folder: Path) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ENCRYPTION_KEY": os.environ.get("PREFECT_SERVER_ENCRYPTION_KEY") or _encryption_key(folder),
    }


def _encryption_key(folder: Path) -> str:
    """The key that blocks are encrypted with. Prefect would keep it in the database, beside what it encrypts."""
    from cryptography.fernet import Fernet

    path = folder / "encryption.key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(Fernet.generate_key().decode())
    return path.read_text().strip()


def _without_account(environment: Mapping[str, str]) -> dict[str, str]:
    """The service's credentials are none of the server's business."""
    return {name: value for name, value in environment.items() if not name.startswith("XPORTCN_")}


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(folder: Path, host: str, port: int) -> None:
    """Run the server in this process until nobody has been there for a minute, or the folder is gone."""
    with (folder / "server.lock").open("a+") as lock:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not _is_locked_by_us(lock):  # the one before may be about to end
            if time.monotonic() > deadline:
                raise SystemExit(f"another Prefect server works on {folder}")
            time.sleep(0.1)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _serve(folder, host, port)


def _serve(folder: Path, host: str, port: int) -> None:
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(
        create_app(final=True), host=host, port=port, log_level="warning", timeout_graceful_shutdown=2
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


def _is_locked_by_us(file: object) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except OSError:
        return False
    return True


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
