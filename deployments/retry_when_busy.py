"""A Prefect server that asks itself again where SQLite was busy.

A request whose transaction meets another one is answered 503, and nothing of it is kept. Prefect's own clients then
send it again; a browser does not, and a merchant's answer would be lost with one press of *Resume*.
"""

from __future__ import annotations

import asyncio
import random
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
READS = ("GET", "HEAD", "OPTIONS")


class RetryWhenBusy:
    """Middleware around all of the server; a request that only reads, and a socket, passes through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READS:
            await self._app(scope, receive, send)
            return
        if (body := await _whole(receive)) is None:
            return
        for pause in PAUSES_S:
            if await self._is_done(scope, _giving(body, receive), send):
                return
            await asyncio.sleep(random.uniform(0, pause))  # not all of them at once again
        await self._app(scope, _giving(body, receive), send)

    async def _is_done(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether the request was answered, with anything but 503, which is never passed on."""
        is_busy = False

        async def unless_busy(message: Message) -> None:
            nonlocal is_busy
            is_busy = is_busy or message.get("status") == HTTPStatus.SERVICE_UNAVAILABLE
            if not is_busy:
                await send(message)

        try:
            await self._app({**scope}, receive, unless_busy)
        except Exception:
            if not is_busy:  # else it is what the answer was about
                raise
        return not is_busy


async def _whole(receive: Receive) -> bytes | None:
    """The body of a request; None where the client has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _giving(body: bytes, receive: Receive) -> Receive:
    """Replay a body that was read before, then what comes."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return left.pop() if left else await receive()

    return give
