"""A transport that does not call the hook before the first byte: its effects are noted
before it is handed the request, so a killed process leaves them in doubt.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from connectors.ledger.send_log import SendLog, is_dead, never_sent
from connectors.once_transport import OnceTransport
from domain.effects import Action
from tests.connectors.xportcn.orders import claim, client_of
from tests.connectors.xportcn.test_sending import pay

PAYMENT = claim(Action.PAY).key
PATIENCE_S = 30
TRANSPORTS = {"httpx": httpx.AsyncHTTPTransport, "ours": OnceTransport}


async def pay_and_wait(folder: Path, url: str, transport: str) -> None:
    """Told of the log on standard output, then busy with a payment until killed."""
    with SendLog(folder) as log:
        print(log.owner, flush=True)
        async with client_of(
            url,
            on_send=log.note,
            transport=TRANSPORTS[transport](),
            timeout_s=PATIENCE_S,
        ) as client:
            await pay(client)


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Nobody accepts its connections; the system takes one."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        yield listening


@contextmanager
def paying(folder: Path, server: socket.socket, transport: str) -> Iterator[str]:
    """The owner of the log of a process that pays. It is killed at the end."""
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    command = [sys.executable, "-m", __name__, str(folder), url, transport]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGKILL)


def wait_for_note(folder: Path, owner: str, most_s: float = PATIENCE_S) -> None:
    log = folder / f"{owner}.log"
    until = time.monotonic() + most_s
    while PAYMENT not in log.read_text() and time.monotonic() < until:
        time.sleep(0.05)


def test_a_payment_killed_while_httpx_connects_is_in_doubt(
    tmp_path: Path, server: socket.socket
) -> None:
    with (
        socket.create_connection(server.getsockname()),
        paying(tmp_path, server, "httpx") as owner,
    ):
        wait_for_note(tmp_path, owner)
    assert is_dead(tmp_path, owner)
    assert not never_sent(tmp_path, owner, PAYMENT)


def test_a_payment_killed_after_httpx_wrote_it_is_in_doubt(
    tmp_path: Path, server: socket.socket
) -> None:
    server.settimeout(PATIENCE_S)
    with (
        paying(tmp_path, server, "httpx") as owner,
        server.accept()[0] as connection,
    ):
        assert b"orderId=7" in connection.recv(1 << 16)
    assert is_dead(tmp_path, owner)
    assert not never_sent(tmp_path, owner, PAYMENT)


def test_a_payment_killed_while_ours_connects_never_left(
    tmp_path: Path, server: socket.socket
) -> None:
    """The own transport calls the hook on an open connection."""
    with (
        socket.create_connection(server.getsockname()),
        paying(tmp_path, server, "ours") as owner,
    ):
        wait_for_note(tmp_path, owner, most_s=2)
    assert is_dead(tmp_path, owner)
    assert never_sent(tmp_path, owner, PAYMENT)


if __name__ == "__main__":
    asyncio.run(pay_and_wait(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
