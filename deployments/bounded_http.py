"""Connections of unknown clients: how many at once, and how long each may take to send
its request.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from connectors.foreign import words_of

MOST_CONNECTIONS = 512
HEAD_WITHIN_S = 10.0
BACKLOG = 1024
STOPS_WITHIN_S = 10


class ReceiverFailed(Exception):
    """The receiver can't listen there; the message says what to do."""


def listening(
    host: str,
    port: int,
    what: str = "callbacks",
    setting: str = "SOURCING_CALLBACKS_PORT",
) -> socket.socket:
    """A socket that listens. Raises `ReceiverFailed`."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ReceiverFailed(
            f"port {port} on {host} can't be used for {what} ({words_of(error)}): end what listens there, "
            f"or choose another with --port or {setting}"
        ) from error


def run_app(app: ASGIApp, listener: socket.socket) -> None:
    """Answer until SIGINT or SIGTERM; a request being answered then is answered."""
    config = uvicorn.Config(
        app,
        http=bounded(),
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,  # it would hold tokens
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=STOPS_WITHIN_S,
    )
    uvicorn.Server(config).run(sockets=[listener])


async def body_of(request: Request, *, most: int, within_s: float) -> bytes:
    """The whole body, within bounds of size and time. Raises `HTTPException`."""
    size = request.headers.get("content-length", "")
    if size.isdecimal() and int(size) > most:
        raise HTTPException(413, f"at most {most:,} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise HTTPException(413, f"at most {most:,} bytes")
    except TimeoutError:
        raise HTTPException(408, f"within {within_s:.0f} seconds") from None
    return bytes(body)


def bounded(
    most: int = MOST_CONNECTIONS, within_s: float = HEAD_WITHIN_S
) -> type[H11Protocol]:
    """A protocol that closes silent and trickling connections; the most silent one
    where all slots are taken.

    So a thousand silent connections keep no client out.
    """
    silent: dict[Bounded, None] = {}

    class Bounded(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                next(iter(silent), self).transport.abort()
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_asked():
                self._received()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self.transport.is_closing() and not self._is_asked():
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._received()
            super().connection_lost(exc)

        def _is_asked(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _wait(self) -> None:
            self._received()
            silent[self] = None
            self._deadline = asyncio.get_running_loop().call_later(
                within_s, self.transport.abort
            )

        def _received(self) -> None:
            silent.pop(self, None)
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Bounded
