"""A whole installation on one machine: Prefect's server and worker, what is registered
there, and what the caller adds.

All are children of one process, which starts again what ends and ends all of them when
it is stopped; when it is killed, the kernel ends them. Prefect's own `serve` and
`--background` do neither.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from connectors.foreign import words_of
from connectors.settings import FOLDER, SourcingSettings
from deployments import local_server
from deployments.die_with_parent import die_with_parent
from deployments.registration import POOL

COMPLETE_SERVER = local_server.SERVER | {
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_UI_API_URL": "/api",
    # in memory, a restart of the server would end healthy runs, and leave slots taken
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}
REGISTER = (sys.executable, "-m", "deployments")
WORKER = (
    *(sys.executable, "-m", "prefect", "worker", "start"),
    *("--type", "process", "--pool", POOL, "--name", "serve"),
)
RESTARTS_EVERY_S = 10.0
TICKS_EVERY_S = 5.0
PR_SET_CHILD_SUBREAPER = 36


@dataclass(eq=False, kw_only=True)
class Part:
    """A child that is to run all the time. `lock` is inherited by it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    lock: IO[str] | None = None
    process: subprocess.Popen[bytes] = field(init=False)
    started_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.started_at = time.monotonic()
        command = die_with_parent([*self.command])
        self.process = local_server.start(
            command, self.log, self.environment, lock=self.lock
        )

    def keep_running(self) -> str:
        """Start it again when it has ended, and not too often; return what was done.

        A full disk or memory must not end the parts beside this one.
        """
        has_ended = self.process.poll() is not None
        if not has_ended or time.monotonic() < self.started_at + RESTARTS_EVERY_S:
            return ""
        try:
            self._start()
        except OSError as error:
            return f"{self.name} can't be started again now: {words_of(error)}"
        return f"{self.name} had ended and was started again; see {self.log}"


@dataclass(eq=False, kw_only=True)
class Installation:
    """An installation's folders, its environment and its parts, in the order in which
    they began.
    """

    folder: Path
    data_dir: Path
    environment: Mapping[str, str]
    parts: list[Part] = field(default_factory=list)

    @property
    def ui(self) -> str:
        """The UI's second version: some paths without `/v2` open the first one."""
        return self.environment["PREFECT_UI_URL"]

    def part(self, name: str, command: Sequence[str]) -> Part:
        return Part(
            name=name,
            command=command,
            environment=self.environment,
            log=self.folder / f"{name}.log",
        )


@contextmanager
def installation(
    *, host: str, port: int, beside: Callable[[], Mapping[str, Sequence[str]]]
) -> Iterator[Installation]:
    """Server, worker, all that is registered, and what `beside` names, while the block
    runs.

    Raises `local_server.ServerFailed` or `LedgerUnusable`.
    """
    settings = SourcingSettings()
    folder = local_server.server_folder(settings.data_dir)
    url = f"http://{host}:{port}/api"
    installation = Installation(
        folder=folder,
        data_dir=settings.data_dir,
        environment=environment_of_runs(settings, url),
    )
    with ExitStack() as stack:
        lock = stack.enter_context(
            _only_server(folder, local_server.Server(url, os.getpid(), lasts=True))
        )
        local_server.usable_port(host, port, "--port")
        # runs whose worker was killed become children of this process
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        stack.callback(_end, installation)
        server = Part(
            name="server",
            command=local_server.server_command(host, port),
            environment={
                **local_server.environment_of_server(folder, COMPLETE_SERVER),
                "PREFECT_UI_URL": installation.ui,
            },
            log=folder / "server.log",
            lock=lock,
        )
        installation.parts.append(server)
        registration = installation.part("register", REGISTER)
        stack.callback(local_server.end, registration.process)
        installation.parts += [
            installation.part(*installed_part) for installed_part in beside().items()
        ]
        while not local_server.is_healthy(url):
            if server.process.poll() is not None:
                raise local_server.ServerFailed(local_server.reason_of_silence(folder))
            time.sleep(0.1)
        installation.parts.append(installation.part("worker", WORKER))
        if registration.process.wait():
            raise local_server.ServerFailed(
                f"blocks, automations and deployments could not be registered; see {registration.log}"
            )
        yield installation


def watch(
    place: Installation, *, say: Callable[[str], None], on_tick: Callable[[], None]
) -> None:
    """Keep every part running until this process is stopped; call `on_tick` every few
    seconds, which must return at once.
    """
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else under nohup
        signals.append(signal.SIGHUP)
    for number in signals:
        signal.signal(number, stop)
    next_tick = time.monotonic()
    while not stopped:
        for installed_part in place.parts:
            if change := installed_part.keep_running():
                # rich's answer to a pipe that is gone; a terminal may go too
                with suppress(OSError, SystemExit):
                    say(change)
        if time.monotonic() >= next_tick:
            next_tick = time.monotonic() + TICKS_EVERY_S
            on_tick()
        time.sleep(0.2)


@contextmanager
def _only_server(folder: Path, server: local_server.Server) -> Iterator[IO[str]]:
    """Hold the folder's lock; the small server of commands, and one whose `serve` was
    killed, make room for it.
    """
    deadline = time.monotonic() + local_server.START_TIMEOUT_S
    while time.monotonic() < deadline:
        with local_server.holding(folder, server) as lock:
            if lock:
                yield lock
                return
        other = local_server.server_at_work(folder) or local_server.Server()
        if other.lasts and Path(f"/proc/{other.pid}").exists():
            raise local_server.ServerFailed(
                f"sourcing serve runs already for {folder.parent}: open {other.url.removesuffix('/api')}"
            )
        if not other.lasts and local_server.is_used(folder):
            raise local_server.ServerFailed(
                f"a command is running with {folder.parent}: start again when it has ended"
            )
        if not other.lasts and other.pid:
            with suppress(ProcessLookupError):
                os.kill(other.pid, signal.SIGTERM)
        time.sleep(0.2)
    raise local_server.ServerFailed(local_server.reason_of_silence(folder))


def environment_of_runs(settings: SourcingSettings, url: str) -> dict[str, str]:
    """The environment of this process, this folder for settings and paths, and the
    addresses of the server.
    """
    ui = os.environ.get("PREFECT_UI_URL") or url.removesuffix("/api")
    return {
        **os.environ,
        FOLDER: str(Path.cwd()),
        "PREFECT_API_URL": url,
        "PREFECT_UI_URL": f"{ui.rstrip('/').removesuffix('/v2')}/v2",
        "PREFECT_HOME": str(local_server.server_folder(settings.data_dir)),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
    }


def _end(installation: Installation) -> None:
    """End runs and worker, then the rest, the server last: it has to record the end of
    the runs.
    """
    processes = [installed_part.process for installed_part in installation.parts]
    _end_runs({process.pid for process in processes})
    for process in reversed(processes):
        local_server.end(process)


def _end_runs(processes: set[int]) -> None:
    """End all processes below this one but for its parts: asked, so that they report
    it, then killed.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + local_server.ENDS_WITHIN_S
        for pid in descendants_of(os.getpid()) - processes:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while descendants_of(os.getpid()) - processes and time.monotonic() < deadline:
            time.sleep(0.1)


def descendants_of(pid: int) -> set[int]:
    """The processes below this one that run; not those whose parent has only to read
    their exit code.
    """
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, parent, *_ = stat.read_bytes().rpartition(b")")[2].split()
            if state != b"Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    below = [*children.get(pid, ())]
    for child in below:
        below += children.get(child, ())
    return {*below}
