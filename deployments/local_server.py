"""The Prefect server of a data folder: small and short-lived for commands, complete and
lasting under `sourcing serve`.

Prefect's own temporary server costs each command ten seconds and is left behind when
the command is killed. This one is started once, serves all commands that share a data
folder, and keeps the history of runs there. It ends by itself a minute after the last
command has ended, however that ended: every command holds a shared lock on one file,
and the server waits for the moment when no process does. `sourcing serve` is one more
holder of that lock, so its server, which has a known port and all of Prefect's
services, is also the one that commands find and use.

A command that is killed while its server starts leaves a server that goes on starting:
the next command waits for it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

import httpx

from connectors.durable import put_once
from connectors.foreign import words_of
from connectors.once_transport import trusted
from connectors.ui_pages import TEMPORARY
from deployments.die_with_parent import die_with_parent
from deployments.prefect_patches import damage_of
from deployments.retention import retention_settings
from deployments.server_process import (
    COMMANDS,
    LOCK,
    NOT_OURS,
    STOP_TIMEOUT_S,
    at_work,
    is_used,
    locks,
    noted,
    wake,
)

START_TIMEOUT_S = 300.0
"""Seconds on most machines; a busy or a small one has to compile Prefect first."""
ENDS_WITHIN_S = 2.0
SERVE_LOCK = "serve.lock"
LOG_LIMIT_BYTES = 20_000_000
LEAST_FREE_MB = 20
"""Less room than this on the folder's disk does not even hold a new database of Prefect
and its log.
"""

QUIET_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}
"""A server for commands plans no runs, fires no automations and has no page: no worker
would be there, and no reader.

So it need not load all kinds of blocks either; a complete server does.
"""

OF_A_PERSON = (
    *(
        "PREFECT_SERVER_API_AUTH_STRING",
        "PREFECT_API_AUTH_STRING",
        "PREFECT_SERVER_ENCRYPTION_KEY",
    ),
    *("PREFECT_SERVER_SERVICES_DB_VACUUM_", "PREFECT_SERVER_EVENTS_RETENTION_PERIOD"),
)
"""Prefect's settings that the environment may give to a folder's server."""


# kept, since they go on after their parent
_started: list[subprocess.Popen[bytes]] = []


class ServerFailed(Exception):
    """The Prefect server can't be used; the message says why or names its log, and what
    to do.
    """


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
    folder, is_there = server_folder(data_dir), False
    try:
        with presence(folder):
            known = running(folder)
            ours = None if known else _begin(folder)
            meanwhile()
            url = known or _await_for_commands(folder, ours)
            is_there = True
            with _addressed(url):
                yield url
    finally:
        if not is_there:
            _end_unused(folder)


@contextmanager
def running_server(data_dir: Path) -> Iterator[None]:
    """Use the folder's server if it runs; none is started for events that only a
    running one is to have.
    """
    url = (
        None if os.environ.get("PREFECT_API_URL") else running(server_folder(data_dir))
    )
    with _addressed(url) if url else nullcontext():
        yield


@contextmanager
def _addressed(url: str) -> Iterator[None]:
    os.environ |= {
        "PREFECT_API_URL": url,
        TEMPORARY: "1",
    }  # for threads, and for a Prefect that is imported later
    try:
        with _server_address_set(url) if "prefect" in sys.modules else nullcontext():
            yield
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        os.environ.pop(TEMPORARY, None)


def _server_address_set(url: str) -> AbstractContextManager[object]:
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
def presence(folder: Path) -> Iterator[None]:
    """Hold the shared lock of the folder's server, so that it stays."""
    with (folder / COMMANDS).open("w") as commands:
        fcntl.flock(commands, fcntl.LOCK_SH)
        yield


def running(folder: Path) -> str | None:
    """The API address of the folder's server, if it answers."""
    address = noted(folder)
    return address.url if address and address.answers() else None


def require_reachable(url: str) -> None:
    """Raise `ServerFailed` when no server answers at the configured address; the answer
    itself is left to Prefect.
    """
    try:
        httpx.get(f"{url}/health", timeout=10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        if "SSL" in words_of(error):
            return  # Prefect has its own settings of whom to trust
        raise ServerFailed(
            f"no Prefect server can be reached at PREFECT_API_URL={without_password(url)} "
            f"({words_of(error)}): start it, correct the address, or unset it to "
            "use a server of the data folder. Nothing was sent"
        ) from error


def version_at(url: str) -> str:
    """The version of Prefect that a server names; empty where Prefect alone may ask."""
    user, _, password = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")
    with suppress(httpx.HTTPError, httpx.InvalidURL, ValueError):
        answer = httpx.get(f"{url}/admin/version", auth=(user, password), timeout=10)
        return str(answer.json()) if answer.is_success else ""
    return ""


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def require_sound_records(folder: Path) -> None:
    """Raise `ServerFailed` for a damaged database of Prefect. No purchase depends on
    it.
    """
    records = folder / "prefect.db"
    if damage := damage_of(records):
        raise ServerFailed(
            f"Prefect's database {records} is damaged ({damage}). It holds only the history of runs and, under "
            f"`sourcing serve`, blocks; orders and how deployments were left are in the ledger. Move it and run again: "
            f"mv {records} {records}.damaged. Nothing was sent"
        )


def start_server(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    settings: Mapping[str, str],
    lasts: bool = True,
) -> subprocess.Popen[bytes]:
    """Start the folder's server as a process of its own, with these settings over the
    environment's.

    One that does not last ends with this process, others a minute after the last
    command. Raises `ServerFailed` on a full disk.
    """
    require_room(folder)
    command = [
        sys.executable,
        "-m",
        "deployments.server_process",
        str(folder),
        host,
        str(port),
    ]
    with opened_log(folder / "server.log") as log:
        return subprocess.Popen(
            command if lasts else die_with_parent(command),
            env={
                **_inherited(os.environ),
                **_home(folder),
                **retention_settings(os.environ),
                **settings,
            },
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def opened_log(log: Path) -> BinaryIO:
    """The log of a process that is to start; a long one is laid aside."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".old.log"))
    return log.open("ab")


def require_room(folder: Path) -> None:
    """Raise `ServerFailed` on a full disk: the server would fail on it, and the log
    that says so is on it too.
    """
    free_mb = shutil.disk_usage(folder).free / 1e6
    if free_mb < LEAST_FREE_MB:
        raise ServerFailed(
            f"the disk of {folder.parent} is full ({free_mb:.0f} MB free; Prefect's server needs {LEAST_FREE_MB}): "
            "free some space; nothing was sent"
        )


def await_health(folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Wait until the new server answers. Raises `ServerFailed`."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        if running(folder):
            return
        time.sleep(0.1)
    raise ServerFailed(_why_not(folder))


def end_small_server(folder: Path) -> None:
    """Make room for a complete server. Raises `ServerFailed` while commands use the
    small one.
    """
    with (folder / LOCK).open("a+") as lock:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not locks(lock):
            if is_used(folder):
                raise ServerFailed(
                    f"a command is running with {folder.parent}: start again when it has ended"
                )
            if pid := at_work(folder):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                wake(pid)
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"another Prefect server (process {pid}) works on {folder} and does not end: end it"
                )
            time.sleep(0.2)


def database(folder: Path) -> dict[str, str]:
    """The settings for a database in the folder."""
    return {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}"
    }


def is_healthy(url: str) -> bool:
    """Whether a Prefect API, or a sandbox, answers at this address."""
    try:
        return httpx.get(f"{url}/health", timeout=2, verify=trusted()).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _begin(folder: Path) -> subprocess.Popen[bytes] | None:
    """Start the folder's server, unless one is starting already."""
    if at_work(folder) is not None or is_served(folder):
        return None
    ours = start_server(folder, settings={**QUIET_SERVER, **database(folder)})
    _started.append(ours)
    return ours


def _end_unused(folder: Path) -> None:
    """End a server that this command has started and that no other command uses."""
    starting = [
        one
        for one in _started
        if str(folder) in cast(list[str], one.args) and one.poll() is None
    ]
    with (folder / COMMANDS).open("a") as commands:
        for server in starting if locks(commands) else ():
            server.terminate()
            try:
                server.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                server.kill()  # it makes its database, which a kill does not hurt
                server.wait()


def _await_for_commands(folder: Path, ours: subprocess.Popen[bytes] | None) -> str:
    """The address of the folder's server, once it answers: one that is starting
    already, or a new one.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if url := running(folder):
            return url
        if (pid := at_work(folder)) is not None:
            wake(pid)
        elif ours is not None and ours.poll() not in (None, NOT_OURS):
            break
        elif ours is None or ours.poll() == NOT_OURS:
            ours = _begin(folder)
        time.sleep(0.05)
    raise ServerFailed(_why_not(folder))


def is_served(folder: Path) -> bool:
    """Whether `sourcing serve` runs, which starts its server again by itself."""
    with (folder / SERVE_LOCK).open("a") as lock:
        return not locks(lock)


def _why_not(folder: Path) -> str:
    """Why the folder's server does not answer, and what to do. Raises `ServerFailed`
    for damaged records.
    """
    require_sound_records(folder)
    if pid := at_work(folder):
        return (
            f"the Prefect server of {folder} (process {pid}) does not answer: end it with `kill -9 {pid}` and run "
            f"again; its log is {folder / 'server.log'}. Nothing was sent"
        )
    return f"the local Prefect server did not start; see {folder / 'server.log'}, or set PREFECT_API_URL. Nothing was sent"


def _home(folder: Path) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ENCRYPTION_KEY": os.environ.get("PREFECT_SERVER_ENCRYPTION_KEY")
        or _encryption_key(folder),
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


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the service's account, and without the settings of
    another server of Prefect.

    Each of its settings has several names, so that its database, which this one would
    migrate and empty of old runs, can't be overridden one by one.
    """
    return {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith(("XPORTCN_", "PREFECT_"))
        or name.startswith(OF_A_PERSON)
    }
