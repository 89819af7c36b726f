"""Runs a sandbox on a port until it is stopped."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.app import Sandbox
from sandbox.dialects.known import DIALECTS, dialects_named
from sandbox.refusals import Refusal, bad_request
from sandbox.store import FileStore, StateError, Store
from sandbox.world import World

BACKLOG = 1024
MAX_BODY_BYTES = 16 * 1024 * 1024


def serve(
    host: str = "127.0.0.1",
    port: int = 8790,
    seed: int = 7,
    state: str | Path | None = None,
    dialects: Iterable[str] = (),
    callbacks: str = "",
) -> None:
    """Serve until SIGINT or SIGTERM. Exits with status 1 and a remedy on stderr if it
    cannot start.

    Without `state` everything lives in memory. Port 0 takes any free port; the line on
    stdout names it. Messages are posted to the URL `callbacks`, if there is one.
    """
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(name)s %(message)s"
    )
    try:
        spoken = dialects_named(dialects)
        store = FileStore(Path(state), seed) if state else Store()
        sandbox = Sandbox(
            World(seed, store, dialects=spoken), callbacks=_address(callbacks)
        )
        asyncio.run(
            _run(sandbox, host, port, f"state in {state}" if state else "in memory")
        )
    except (StateError, Refusal) as error:
        _give_up(str(error))
    except OSError as error:
        _give_up(_explained(error, host, port))


def _address(url: str) -> str:
    """Raises `Refusal` for a URL that can't be posted to."""
    if url and not url.startswith(("http://", "https://")):
        raise bad_request(
            "--callbacks", "must be an address that begins with http:// or https://"
        )
    return url


def list_dialects() -> None:
    """Print each dialect with what it means."""
    for dialect in DIALECTS:
        print(f"{dialect.name:32} {dialect.sentence}")


@asynccontextmanager
async def listening(
    sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve on the running loop while the context lasts; gives the origin, such as
    http://127.0.0.1:8790.
    """
    # no handler cancellation: an arrived request is carried out even if its sender is
    # gone
    runner = web.ServerRunner(
        web.Server(sandbox.handle, request_factory=_request, access_log=None)
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        yield f"http://{f'[{host}]' if ':' in host else host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: Any
) -> web.BaseRequest:
    """A request with room for the largest picture, which travels as text."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES
    )


async def _run(sandbox: Sandbox, host: str, port: int, where: str) -> None:
    stopped = _stopped_by_signal()
    posting = (
        asyncio.create_task(sandbox.callbacks.run()) if sandbox.callbacks else None
    )
    try:
        async with listening(sandbox, host, port) as origin:
            print(
                f"sandbox ready on {origin} (seed {sandbox.world.seed}, {where})",
                flush=True,
            )
            await stopped.wait()
    finally:
        if posting:
            posting.cancel()
        sandbox.world.store.close()


def _stopped_by_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stopped.set)
    return stopped


def _explained(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use. Stop what listens there, or choose another port with --port."
    return f"cannot listen on {host}:{port} ({error.strerror or error}). Choose another --host or --port."


def _give_up(message: str) -> None:
    print(f"sandbox: {message}", file=sys.stderr)
    raise SystemExit(1)
