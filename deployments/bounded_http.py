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

from deployments.local_server import BACKLOG

MOST_FILES = 16_384
STOPS_WITHIN_S = 10


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
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise HTTPException(413, f"at most {most:,} bytes")
    except TimeoutError:
        raise HTTPException(408, f"within {within_s:.0f} seconds") from None
    return bytes(body)
