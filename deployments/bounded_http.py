"""Connections of unknown clients: room for many silent ones, and bounds on what each
may send.
"""

from __future__ import annotations

import asyncio
import resource
import socket

import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp

from connectors.foreign import words_of

MOST_FILES = 16_384
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
    """Answer until SIGINT or SIGTERM; a request being answered then is answered.

    uvicorn bounds no client that connects and says nothing: a thousand of them would
    take all the files that a process may open by default.
    """
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, MOST_FILES), limit))
    config = uvicorn.Config(
        app,
        http="h11",
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
