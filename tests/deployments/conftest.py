"""One `sourcing serve` for all tests here, whichever process of the test session they
run in.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.serving import descendants_of
from tests.deployments.served import Served, wait_for
from tests.http_server import serving
from tests.kept import kept
from tests.running import PATIENCE_S, ROOT, RunningSandbox, own_sandbox

IMPATIENT = Path(__file__).parent / "impatient"


@pytest.fixture
def served(installed: Served) -> Iterator[Served]:
    """The installation, which nobody breaks meanwhile."""
    with installed.held(fcntl.LOCK_SH), _client_settings(installed):
        yield installed


@pytest.fixture
def automations_alone(served: Served) -> Iterator[None]:
    """No other test makes automations meanwhile."""
    with served.held(fcntl.LOCK_EX, of="automations"):
        yield


@pytest.fixture
def shop(installed: Served) -> Iterator[Served]:
    """Empty books, and nobody else buys meanwhile."""
    with installed.held(fcntl.LOCK_EX, of="books"), _client_settings(installed):
        installed.sandbox.reset(
            keep_ids=True
        )  # the ledger still knows the orders of other tests
        yield installed


@pytest.fixture
def market(shop: Served) -> Iterator[Served]:
    """Empty books, and a server that nobody breaks."""
    with shop.held(fcntl.LOCK_SH):
        yield shop


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A whole installation: sandbox, server, worker, everything registered; alerts go
    to a file.
    """
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    return kept("installed", lambda: _installation(shared / "served"))


@contextmanager
def _installation(folder: Path) -> Iterator[Served]:
    """Of another process of the test session, or a new one, which ends when nobody uses
    it.
    """
    folder.mkdir(exist_ok=True)
    is_there = folder / "served.json"
    with (
        (folder / "start.lock").open("w") as start,
        (folder / "users.lock").open("w") as users,
    ):
        fcntl.flock(start, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if is_there.exists():
            fcntl.flock(start, fcntl.LOCK_UN)
            yield Served(folder)
            return
        with own_sandbox() as sandbox, serve(folder, sandbox) as served:
            fcntl.flock(start, fcntl.LOCK_UN)
            try:
                yield served
            finally:
                fcntl.flock(start, fcntl.LOCK_EX)
                fcntl.flock(users, fcntl.LOCK_EX)  # until nobody else uses it
                is_there.unlink()


@contextmanager
def _client_settings(served: Served) -> Iterator[None]:
    """For one test: others in this process talk to a server of their own."""
    with temporary_settings({PREFECT_API_URL: served.api}):
        yield


@contextmanager
def serve(
    folder: Path, sandbox: RunningSandbox | None = None, **settings: str
) -> Iterator[Served]:
    """`sourcing serve` on ports of its own, with these settings beside those of every
    test.

    Without a sandbox it starts one, whose messages have runs started.
    """
    sandbox_port = sandbox.url.rpartition(":")[2] if sandbox else free_port()
    ports = {"port": free_port(), "sandbox_port": sandbox_port}
    own = {"SOURCING_PAGE_PORT": str(free_port())}
    with ExitStack() as stack:
        served = {
            **ports,
            "alerts": stack.enter_context(receiver(folder)),
            "environment": {**own, **settings},
        }
        (folder / "settings.json").write_text(json.dumps(served))
        output = folder / "serve.txt"
        file = stack.enter_context(output.open("w"))
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "serve", "--port", str(ports["port"])],
            cwd=ROOT,
            env={**Served(folder).environment, "PYTHONPATH": _python_path()},
            stdout=file,
            stderr=file,
        )
        stack.callback(_end, process)
        wait_for(lambda: "Ctrl-C" in output.read_text() or process.poll() is not None)
        assert process.poll() is None, output.read_text()
        (folder / "served.json").write_text(json.dumps({**served, "pid": process.pid}))
        yield Served(folder)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        descendants = descendants_of(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        assert [pid for pid in descendants if Path(f"/proc/{pid}").exists()] == []


def _python_path() -> str:
    return os.pathsep.join(filter(None, [str(IMPATIENT), os.environ.get("PYTHONPATH")]))


@contextmanager
def receiver(folder: Path) -> Iterator[str]:
    """Somebody's webhook, as an address of apprise: keeps what is posted to it, a line
    each.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with (folder / "alerts.jsonl").open("ab") as file:
                file.write(body + b"\n")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as port:
        yield f"json://127.0.0.1:{port}/hook/{ALERT_TOKEN}?:title=subject&:message=body"


ALERT_TOKEN = "alert-token-5f0c1b"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
