"""The process of a data folder's Prefect server: one a folder, known by its own note,
gone when no command needs it.

It notes its address before it begins to listen, so that the next command finds it, also
when the one that started it was killed meanwhile. The note is put in place whole, and
names an identity that the server gives with each of its answers: neither a note that
was left behind nor another server on the same port is taken for it.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import signal
import sys
import threading
import time
import uuid
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import httpx

from connectors.durable import put
from connectors.once_transport import trusted
from deployments.prefect_patches import (
    RetryWhenBusy,
    copy_database,
    saving_template,
    template_path,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn import Server

IDLE_S = 60.0
STOP_TIMEOUT_S = 10.0
IDENTITY = "x-sourcing-server"
"""The header that identifies the server that answers."""

NOT_OURS = 75
"""The exit code of a process that found another one at work."""

FIRST_ASKED = (
    "/admin",
    "/csrf-token",
    "/flows",
    "/flow_runs",
    "/events",
    "/logs",
    "/artifacts",
)
"""The prefixes of Prefect's routers that a run of a command asks."""

LOCK, NOTE, COMMANDS = "server.lock", "server.json", "commands.lock"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a folder's server is, or will be once it has started."""

    url: str
    pid: int
    identity: str

    def answers(self) -> bool:
        """Whether this very server is there and ready."""
        try:
            answer = httpx.get(f"{self.url}/health", timeout=2, verify=trusted())
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.is_success and answer.headers.get(IDENTITY) == self.identity


def noted(folder: Path) -> Address | None:
    """The address that the folder's server has noted; it may be gone since, or not be
    ready yet.
    """
    try:
        return Address(**json.loads((folder / NOTE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def at_work(folder: Path) -> int | None:
    """The process that is, or is about to be, the folder's server; None for none, 0 for
    one not yet known by its id.
    """
    with (folder / LOCK).open("a+") as lock:
        if locks(lock):
            return None
        lock.seek(0)
        pid = int(lock.read().strip() or 0)
    return pid if _is_of(folder, pid) else 0


def wake(pid: int) -> None:
    """Resume a stopped server (SIGSTOP); it would neither answer nor make room."""
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _is_of(folder: Path, pid: int) -> bool:
    """Whether this process is a server of the folder: the lock may have the id of the
    one before.
    """
    try:
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes().split(
            b"\0"
        )
    except OSError:
        return not Path("/proc/self").exists()


def is_used(folder: Path) -> bool:
    """Whether a command, or `sourcing serve`, uses the folder's server."""
    try:
        with (folder / COMMANDS).open() as commands:
            return not locks(commands)
    except OSError:
        return False


def locks(file: IO[str]) -> bool:
    """Take the lock on a file until it is closed; False when another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def serve(folder: Path, host: str, port: int) -> None:
    """Be the server until no command has used it for a minute, or the folder is gone.
    Port 0 is any that is free.
    """
    with (folder / LOCK).open("a+") as lock:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not locks(lock):  # the one before may be about to end
            if time.monotonic() > deadline:
                print(f"another Prefect server works on {folder}", file=sys.stderr)
                raise SystemExit(NOT_OURS)
            time.sleep(0.1)
        (folder / NOTE).unlink(missing_ok=True)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            _serve(folder, host, port)
        finally:
            with suppress(OSError):
                (folder / NOTE).unlink(missing_ok=True)


def _serve(folder: Path, host: str, port: int) -> None:
    gc.disable()  # importing makes much and leaves little behind: collecting takes a fifth of the start
    import uvicorn

    records = folder / "prefect.db"
    is_new = (
        str(records) in os.environ.get("PREFECT_SERVER_DATABASE_CONNECTION_URL", "")
        and not records.exists()
    )
    if is_new:
        copy_database(template_path(), records)
    app = RetryWhenBusy(_prefect_app())
    identity = uuid.uuid4().hex
    config = uvicorn.Config(
        saving_template(app, records) if is_new else app,
        host=host,
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=2,
        headers=[(IDENTITY, identity)],
    )
    with closing(config.bind_socket()) as place:
        url = f"http://{host}:{place.getsockname()[1]}/api"
        put(
            folder / NOTE,
            json.dumps(asdict(Address(url, os.getpid(), identity))).encode(),
            mode=0o600,
        )
        server = uvicorn.Server(config)
        threading.Thread(
            target=_end_when_idle, args=(server, folder), daemon=True
        ).start()
        server.run(sockets=[place])
    if not server.started:
        raise SystemExit("Prefect's server did not start")


def _prefect_app() -> ASGIApp:
    """Prefect's server, made and first asked without work that one app of one folder
    does not need.
    """
    from prefect.server.api import server
    from prefect.settings import Settings

    gc.freeze()  # Prefect collects once it has made the app
    Settings.hash_key = lambda _: ""  # type: ignore[method-assign,assignment] # the key of a cache, in which there is one app
    # FastAPI makes all routes of a router to know whether one of them is asked, and
    # goes on with the next router
    in_turn = sorted(server.API_ROUTERS, key=lambda one: one.prefix not in FIRST_ASKED)
    server.API_ROUTERS = tuple(in_turn)  # type: ignore[assignment]
    return server.create_app(final=True)


def _end_when_idle(server: Server, folder: Path) -> None:
    while not server.started and not server.should_exit:
        time.sleep(0.05)
    gc.freeze()
    gc.enable()
    last_seen = time.monotonic()
    while time.monotonic() - last_seen < IDLE_S:
        time.sleep(1)
        if is_used(
            folder
        ):  # never once the folder is gone: a run that stops for that has to report it first
            last_seen = time.monotonic()
    server.should_exit = True


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
