"""A whole installation on one machine: server, worker, deployments, and whatever else
the caller adds.

All are children of one process. It starts again what ends by itself, and ends all of
them when it is stopped; when it is killed, the kernel ends them. Runs are children of
the worker: when they are ended, Prefect notes a crash, and the next worker lets them go
on (`run_recovery.py`).
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, MappingProxyType

from connectors.fetched_files import is_address
from connectors.ledger.engine import sqlite_file
from connectors.settings import ENV_FILE, SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from deployments import ROOT, databases, local_server
from deployments.die_with_parent import die_with_parent
from deployments.processes import Supervised, end, end_tree
from deployments.registration import DeployFailed
from deployments.watched_worker import WORKER, watched_worker

WORKER_POLLS_EVERY_S = 2
SET_BACK_S = 60.0
REGISTER = (sys.executable, "-m", "deployments")

COMPLETE_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_UI_API_URL": "/api",
    # in memory, a restart would lose the holder of a deployment's slot and leave the
    # slot taken
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}


class ServeFailed(Exception):
    """The installation could not be started, or runs already; the message says what to
    do.
    """


@dataclass(eq=False, kw_only=True)
class Installation:
    """The paths of an installation, its parts, and where Prefect's records are if not
    in its folder.

    `clock` is the clock on the wall, less the machine's steady one.
    """

    url: str
    folder: Path
    data_dir: Path
    environment: Mapping[str, str]
    records: str = ""
    require_alone: Callable[[], None] = lambda: None
    parts: list[Supervised] = field(default_factory=list)
    clock: float = field(default_factory=lambda: time.time() - time.monotonic())

    @property
    def ui(self) -> str:
        """The UI's second version: some paths without `/v2` open the first one."""
        return self.environment["PREFECT_UI_URL"]

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def process(self, name: str) -> subprocess.Popen[bytes]:
        return next(
            part.process for part in self.parts if part.name == name and part.process
        )

    def add(self, name: str, command: Sequence[str]) -> None:
        """Start a part that is to run all the time."""
        self.keep(Supervised(name=name, start=lambda: self.start(name, command)))

    def keep(self, part: Supervised) -> None:
        part.begin()
        self.parts.append(part)

    def start(
        self,
        name: str,
        command: Sequence[str],
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.Popen[bytes]:
        """Start a process that ends with this one; its output goes to its log."""
        with local_server.opened_log(self.log(name)) as output:
            return subprocess.Popen(
                die_with_parent(list(command)),
                cwd=ROOT,
                env={**self.environment, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


@contextmanager
def installation(
    *,
    host: str,
    port: int,
    postgres_url: str | None = None,
    redis_url: str | None = None,
    beside: Callable[[], Mapping[str, Sequence[str]]],
) -> Iterator[Installation]:
    """Server, worker, and all that is registered, and what `beside` names,
    while the block runs.

    Raises `ServeFailed`, `local_server.ServerFailed`, `databases.DatabaseUnusable`,
    `MessagingUnusable`, `LedgerUnusable` or `registration.DeployFailed`.
    """
    settings = SourcingSettings()
    folder = local_server.server_folder(settings.data_dir)
    with ExitStack() as stack:
        stack.enter_context(_only_one(folder, host, port))
        usable_port(host, port, "--port")
        records = postgres_url or databases.noted(settings)
        if records:
            databases.prepare(records)
        require_alone = stack.enter_context(
            databases.only_serve(records) if records else nullcontext(lambda: None)
        )
        if records:
            _require_account(
                databases.ledger_url(postgres_url)
                if postgres_url
                else settings.ledger_url
            )
        if postgres_url:
            databases.settle_ledger(settings, postgres_url)
        if redis_url:
            databases.require_messaging(redis_url)
        local_server.end_small_server(folder)
        stack.enter_context(local_server.presence(folder))
        url = f"http://{host}:{port}/api"
        place = Installation(
            url=url,
            folder=folder,
            data_dir=settings.data_dir,
            environment=environment_of_runs(settings, url),
            records=databases.shown(records) if records else "",
            require_alone=require_alone,
        )
        stack.callback(_end, place)
        for name, command in beside().items():
            place.add(name, command)
        _start_server(place, host, port, _server_settings(folder, records, redis_url))
        registering = place.start("register", REGISTER)
        worker = [sys.executable, "-m", "deployments.worker", "serve"]
        place.keep(
            watched_worker(lambda settings: place.start(WORKER, worker, settings), url)
        )
        local_server.await_health(folder, place.process("server"))
        if registering.wait():
            raise DeployFailed(
                f"blocks, automations and deployments could not be registered; see {place.log('register')}"
            )
        yield place


def watch(place: Installation, *, say: Callable[[str], None]) -> None:
    """Keep every part running until this process is stopped, or another one has taken
    the database.
    """
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    under_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        *(() if under_nohup else (signal.SIGHUP,)),
    ):
        signal.signal(number, stop)
    while not stopped:
        place.require_alone()
        plan_anew_where_set_back(place)
        for part in place.parts:
            if what := part.keep_running():
                with suppress(
                    OSError, SystemExit
                ):  # rich's answer to a pipe that is gone; a terminal may go too
                    say(f"{part.name} {what}; see {place.log(part.name)}")
        time.sleep(0.2)


def plan_anew_where_set_back(place: Installation) -> None:
    """End the server, which is started again, and register once more, where the
    machine's clock was set back.

    Until the time that the clock had shown, the server would plan nothing and look for
    no lost run.
    """
    before, place.clock = place.clock, time.time() - time.monotonic()
    if before - place.clock > SET_BACK_S:
        for part in place.parts:
            if part.name == "server" and part.process:
                end(part.process)
        with suppress(
            OSError
        ):  # a full disk ends no other part; the next start registers
            place.start("register", REGISTER)


def usable_port(host: str, port: int, option: str) -> int:
    """The port, or for 0 any that is free. Raises `ServeFailed` when another process
    listens there.
    """
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServeFailed(
                f"port {port} on {host} can't be used ({error.strerror}): end what listens there, or choose another "
                f"with {option}"
            ) from error
        return int(probe.getsockname()[1])


def _server_settings(
    folder: Path, records: str, redis_url: str | None
) -> dict[str, str]:
    kept = (
        databases.postgres_settings(records)
        if records
        else local_server.database(folder)
    )
    return {
        **COMPLETE_SERVER,
        **kept,
        **(databases.redis_settings(redis_url) if redis_url else {}),
    }


def _start_server(
    place: Installation, host: str, port: int, kept: Mapping[str, str]
) -> None:
    settings = {**kept, "PREFECT_UI_URL": place.ui}

    def start() -> subprocess.Popen[bytes]:
        return local_server.start_server(
            place.folder, host=host, port=port, settings=settings, lasts=False
        )

    place.keep(Supervised(name="server", start=start))


def environment_of_runs(settings: SourcingSettings, url: str) -> dict[str, str]:
    """The settings of this folder, with paths that hold in every folder; each run reads
    its `.env` as it is by then.

    One that is not there is named too: in the program's folder the account of another
    installation may lie.
    """
    return {
        **os.environ,
        **_absolute_paths(settings),
        "SOURCING_ENV_FILE": str(Path(ENV_FILE).absolute()),
        "PREFECT_API_URL": url,
        "PREFECT_UI_URL": _second_ui(
            os.environ.get("PREFECT_UI_URL") or url.removesuffix("/api")
        ),
        "PREFECT_HOME": str(local_server.server_folder(settings.data_dir)),
        "PREFECT_WORKER_QUERY_SECONDS": str(WORKER_POLLS_EVERY_S),
    }


def _absolute_paths(settings: SourcingSettings) -> dict[str, str]:
    paths: dict[str, Path | str] = {
        "SOURCING_DATA_DIR": settings.data_dir,
        "SOURCING_SNAPSHOTS": settings.snapshot_root,
        "XPORTCN_OVERRIDES": XportcnSettings().overrides,
    }
    found = dict[str, str]()
    if Path.cwd() != ROOT:  # there each run reads `.env` as it is by then
        book = settings.book.get_secret_value()
        paths |= {
            "SOURCING_RATES": settings.rates,
            "SOURCING_BOOK": "" if is_address(book) else book,
        }
        paths["SOURCING_INBOX"] = settings.inbox_setting
        if ledger := sqlite_file(settings.ledger_url_setting):
            found["SOURCING_LEDGER_URL"] = f"sqlite:///{ledger.absolute()}"
    return found | {
        name: str(Path(path).absolute()) for name, path in paths.items() if path
    }


def _second_ui(address: str) -> str:
    return f"{address.rstrip('/').removesuffix('/v2')}/v2"


def _require_account(ledger_url: str) -> None:
    """Raise `LedgerUnusable` where the ledger belongs to another account: its
    deployments would be taken over.

    An account in a Prefect block is known to runs alone.
    """
    from connectors.ledger.store import Ledger

    xportcn = XportcnSettings()
    if xportcn.user_id and not xportcn.is_sandbox:
        with Ledger(
            ledger_url, clock=lambda: datetime.now(UTC), owner="serve"
        ) as ledger:
            ledger.require_account(xportcn.account_name)


@contextmanager
def _only_one(folder: Path, host: str, port: int) -> Iterator[None]:
    with (folder / local_server.SERVE_LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise ServeFailed(
                f"sourcing serve runs already for {folder.parent}: open {lock.read().strip()}"
            ) from None
        lock.truncate(0)
        lock.write(f"http://{host}:{port}")
        lock.flush()
        yield


def _end(place: Installation) -> None:
    """End runs and worker, then the rest, the server late: it has to record the end of
    the runs.
    """
    for part in reversed(place.parts):
        if (process := part.process) and process.poll() is None:
            (end_tree if part.name == WORKER else end)(process)
