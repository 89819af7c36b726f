"""Prefect's server as this product needs it: a busy database is asked again, and the
empty one is made beforehand.

Prefect itself is not imported: commands start the server before that.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from contextlib import closing, suppress
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.durable import whole
from connectors.foreign import words_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
READS = ("GET", "HEAD", "OPTIONS")


class RetryWhenBusy:
    """Middleware around all of the server; a request that only reads, and a socket,
    passes through.
    """

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
            await asyncio.sleep(
                random.uniform(0, pause)
            )  # not all of them at once again
        await self._app(scope, _giving(body, receive), send)

    async def _is_done(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether the request was answered, with anything but 503, which is never
        passed on.
        """
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
    """The server, whose new database is kept for the next ones as it is before the
    first request.
    """

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        async def saved_before(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                copy_database(records, template_path())
            await send(message)

        await app(scope, receive, saved_before if scope["type"] == "lifespan" else send)

    return served


def template_path() -> Path:
    return Path(sys.prefix, "var", "sourcing", f"prefect-{version('prefect')}.db")


def copy_database(source: Path, target: Path) -> None:
    """Copy one that is sound, where there is none yet; without a copy Prefect makes its
    own.
    """
    with suppress(OSError, sqlite3.Error):
        if target.exists() or not source.exists() or damage_of(source):
            return
        with whole(target) as unborn, closing(_only_read(source)) as old:
            unborn.touch(mode=0o600)
            with closing(sqlite3.connect(unborn)) as new:
                old.backup(new)
                new.execute(
                    "PRAGMA journal_mode = DELETE"
                )  # other users may read it and write nothing beside


def damage_of(database: Path) -> str:
    """What SQLite finds wrong with a file; empty for a whole one, and for none."""
    if not database.exists():
        return ""
    try:
        with closing(_only_read(database)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return ""  # it can't be opened, or is in use, which proves nothing about its content
    except sqlite3.DatabaseError as error:
        return words_of(error)
    return "" if found == "ok" else str(found)


def _only_read(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
