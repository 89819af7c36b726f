"""The Prefect server of commands: the configured one, else that of their data folder.

Prefect's own temporary server is made anew for each command, and is left behind where
the command is killed. This one is `prefect server start`, once for all commands of a
folder: a lock file names it and goes with it. A process that keeps it
(`python -m deployments.local_server FOLDER`) ends it a minute after the last command.
While `sourcing serve` runs, its server is the folder's.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import httpx

from connectors.durable import put_once
from connectors.once_transport import trusted
from connectors.ui_pages import TEMPORARY
from deployments import ROOT
from deployments.die_with_parent import die_with_parent

START_TIMEOUT_S = 300.0
"""Seconds on most machines; a busy or a small one has to compile Prefect first."""
IDLE_S = 60.0
ENDS_WITHIN_S = 8.0
BACKLOG = 1024
RUNS_KEPT_FOR = timedelta(days=90)
LOCK = "server.lock"
COMMANDS = "commands.lock"

SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(
        int(RUNS_KEPT_FOR.total_seconds())
    ),
    # else each state of a task run is a transaction: most of what a run costs
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}
QUIET_SERVER = SERVER | {
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}
"""A server for commands plans no runs and has no page: no worker is there, and no
reader.
"""
OF_A_PERSON = (
    *("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"),
    *("PREFECT_SERVER_ENCRYPTION_KEY", "PREFECT_SERVER_SERVICES_DB_VACUUM_"),
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD",
)
"""Prefect's settings that the environment may give to a folder's server."""


class ServerFailed(Exception):
    """A server can't be started or used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Server:
    """The content of the lock file. `lasts` is true for the server of `serve`."""

    url: str = ""
    pid: int = 0
    lasts: bool = False

    def answers(self) -> bool:
        """Whether it is ready; without the process that keeps it, it is about to
        end.
        """
        return Path(f"/proc/{self.pid}").exists() and is_healthy(self.url)


@contextmanager
def prefect_server(
    data_dir: Path, meanwhile: Callable[[], object] = lambda: None
) -> Iterator[str]:
    """The API address to use: the configured one, or this folder's own server, started
    if need be.

    `meanwhile` is called while it starts: work without a server, which may raise to
    show that none is needed. Raises `ServerFailed`.
    """
    if configured := os.environ.get("PREFECT_API_URL"):
        meanwhile()
        require_reachable(configured)
        yield configured
        return
    folder = server_folder(data_dir)
    with presence(folder) as commands:
        keeper = None if server_at_work(folder) else _start_keeper(folder)
        try:
            meanwhile()
        except BaseException:
            fcntl.flock(commands, fcntl.LOCK_UN)
            if keeper and not is_used(folder):
                end(keeper)
            raise
        with _addressed(_await_running(folder, keeper)) as url:
            yield url


@contextmanager
def running_server(data_dir: Path) -> Iterator[None]:
    """Use the server of `serve` if it runs: none is started for events and links that
    only a lasting one is to have.
    """
    server = None
    if not os.environ.get("PREFECT_API_URL"):
        server = server_at_work(server_folder(data_dir))
    is_usable = server and server.lasts and server.answers()
    with _addressed(server.url) if server and is_usable else nullcontext():
        yield


@contextmanager
def _addressed(url: str) -> Iterator[str]:
    # for threads, and for a Prefect that is imported later
    os.environ |= {"PREFECT_API_URL": url, TEMPORARY: "1"}
    try:
        with _server_address_set(url) if "prefect" in sys.modules else nullcontext():
            yield url
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        os.environ.pop(TEMPORARY, None)


def _server_address_set(url: str) -> Any:
    """Prefect has read its server's address when it was imported, and without one
    starts a server of its own.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    return temporary_settings({PREFECT_API_URL: url})


def server_folder(data_dir: Path) -> Path:
    """The folder of the server's database, log, key and locks."""
    folder = data_dir.absolute() / "prefect"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def presence(folder: Path) -> Iterator[IO[str]]:
    """Hold the shared lock of the folder's server, so that it stays; yield its file."""
    with (folder / COMMANDS).open("w") as commands:
        fcntl.flock(commands, fcntl.LOCK_SH)
        yield commands


def is_used(folder: Path) -> bool:
    """Whether a command uses the folder's server."""
    with (folder / COMMANDS).open("a") as commands:
        return not _locks(commands, fcntl.LOCK_EX)


def _locks(file: IO[str], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def server_at_work(folder: Path) -> Server | None:
    """The server that has the folder's lock; it may not answer yet, or just end."""
    with (folder / LOCK).open("a+") as file:
        if _locks(file, fcntl.LOCK_SH):
            return None
        file.seek(0)
        with suppress(ValueError):
            return Server(**json.loads(file.read()))
    return Server()


@contextmanager
def holding(folder: Path, server: Server) -> Iterator[IO[str] | None]:
    """Hold the folder's lock for a server; None where another one has it.

    The process of the server inherits the lock, and so has it for as long as it lives.
    """
    with (folder / LOCK).open("a+") as file:
        if not _locks(file, fcntl.LOCK_EX):
            yield None
            return
        file.truncate(0)
        file.write(json.dumps(asdict(server)))
        file.flush()
        yield file


def is_healthy(url: str) -> bool:
    """Whether a Prefect API, or a sandbox, answers at this address."""
    try:
        return httpx.get(f"{url}/health", timeout=2, verify=trusted()).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def await_healthy(url: str) -> bool:
    """Wait for an API that may be starting; return whether it answers."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (answers := is_healthy(url)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answers


def require_reachable(url: str) -> None:
    """Raise `ServerFailed` when no server answers at the configured address; one with a
    certificate is left to Prefect, which has its own settings of whom to trust.
    """
    if not url.startswith("https") and not is_healthy(url):
        raise ServerFailed(
            f"no Prefect server can be reached at PREFECT_API_URL={without_password(url)}: start it, correct the "
            "address, or unset it to use a server of the data folder. Nothing was sent"
        )


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def environment_of_server(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment without the service's account, and without the settings of
    another server of Prefect, whose database this one would migrate.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("XPORTCN_", "PREFECT_"))
        or name.startswith(OF_A_PERSON)
    }
    records = f"sqlite+aiosqlite:///{folder / 'prefect.db'}"
    return {
        "PREFECT_SERVER_ENCRYPTION_KEY": _encryption_key(folder),
        **settings,
        **inherited,
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": records,
    }


def _encryption_key(folder: Path) -> str:
    """The key that blocks are encrypted with. Prefect would keep it in the database,
    beside what it encrypts.
    """
    path = folder / "encryption.key"
    if not path.exists():
        from cryptography.fernet import Fernet

        put_once(path, Fernet.generate_key(), mode=0o600)
    return path.read_text().strip()


def listening(host: str, port: int, setting: str) -> socket.socket:
    """A socket that listens, for port 0 on any that is free. Raises `ServerFailed`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ServerFailed(
            f"port {port} on {host} can't be used ({reason}): end what listens there, or choose another with {setting}"
        ) from error


def usable_port(host: str, port: int, setting: str) -> int:
    """The port, or for 0 any that is free. Raises `ServerFailed`."""
    with closing(listening(host, port, setting)) as probe:
        return int(probe.getsockname()[1])


def server_command(host: str, port: int) -> list[str]:
    command = [sys.executable, "-m", "prefect", "server", "start"]
    return [*command, "--host", host, "--port", str(port)]


def start(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    *,
    lock: IO[str] | None = None,
    own_session: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a process with its output in a log."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=own_session,
            pass_fds=[lock.fileno()] if lock else [],
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; kill it when it does not."""
    process.terminate()
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _start_keeper(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "deployments.local_server", str(folder)]
    environment = environment_of_server(folder, QUIET_SERVER)
    _keepers.append(start(command, folder / "server.log", environment))
    return _keepers[-1]


# kept, since they go on after this process
_keepers: list[subprocess.Popen[bytes]] = []


def _await_running(folder: Path, keeper: subprocess.Popen[bytes] | None) -> str:
    """The address of the folder's server, once it answers: one that is starting
    already, or a new one. Raises `ServerFailed`.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and not (keeper and keeper.poll()):
        if server := server_at_work(folder):
            if server.answers():
                return server.url
        elif keeper is None or keeper.poll() is not None:
            keeper = _start_keeper(folder)
        time.sleep(0.05)
    raise ServerFailed(reason_of_silence(folder))


def reason_of_silence(folder: Path) -> str:
    """Why the folder's server does not answer, and what to do."""
    server = server_at_work(folder)
    remedy = (
        f"end it with `kill -9 -- -{server.pid}`"
        if server
        else f"if its database is damaged, move {folder / 'prefect.db'}, which holds only the history of runs"
    )
    return (
        f"the local Prefect server does not answer: see {folder / 'server.log'}; {remedy}, and run again. "
        "Nothing was sent"
    )


def keep_server(folder: Path) -> int:
    """Keep a server until no command has used it for a minute. Return 1 if it ended by
    itself.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = usable_port("127.0.0.1", 0, "")
    server = Server(f"http://127.0.0.1:{port}/api", os.getpid())
    with holding(folder, server) as lock:
        if lock is None:
            return 0
        command = die_with_parent(server_command("127.0.0.1", port))
        log = folder / "server.log"
        process = start(command, log, os.environ, lock=lock, own_session=False)
        try:
            last_used = time.monotonic()
            while time.monotonic() - last_used < IDLE_S:
                time.sleep(0.5)
                if process.poll() is not None:
                    return 1
                if is_used(folder):
                    last_used = time.monotonic()
            return 0
        finally:
            end(process)


if __name__ == "__main__":
    sys.exit(keep_server(Path(sys.argv[1])))
