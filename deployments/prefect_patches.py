"""Prefect's server as this product needs it: a busy database is asked again, and the empty one is made beforehand.

Prefect itself is not imported: commands start the server before that.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import sys
from contextlib import closing, suppress
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
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


def saving_template(app: ASGIApp, records: Path) -> ASGIApp:
    """The server, whose new database is kept for the next ones as it is before the first request."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        async def saved_before(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                save_template(records)
            await send(message)

        await app(scope, receive, saved_before if scope["type"] == "lifespan" else send)

    return served


def template_path() -> Path:
    return Path(sys.prefix, "var", "sourcing", f"prefect-{version('prefect')}.db")


def copy_template(records: Path) -> None:
    """Begin a database of Prefect with the empty one, if there is one."""
    unborn = records.with_name(f".{records.name}.{os.getpid()}")
    with suppress(OSError, sqlite3.Error):
        try:
            if template_path().exists():
                _copy(template_path(), unborn)
                os.rename(unborn, records)
        finally:
            unborn.unlink(missing_ok=True)


def save_template(records: Path) -> None:
    """Keep a database for the next servers, where none is kept."""
    kept = template_path()
    unborn = kept.with_name(f".{kept.name}.{os.getpid()}")
    with suppress(OSError, sqlite3.Error):
        if kept.exists():
            return
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            _copy(records, unborn)
            with closing(sqlite3.connect(unborn)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")  # other users may read it and write nothing beside
            os.rename(unborn, kept)
        finally:
            unborn.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Raises `sqlite3.Error` for a damaged one."""
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as old:
        if old.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError(source)
        target.touch(mode=0o600)
        with closing(sqlite3.connect(target)) as new:
            old.backup(new)
