"""A small signing client for the sandbox's own tests; it shares nothing with the
connector.
"""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import md5
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
import orjson

from sandbox import catalogue
from sandbox.app import Sandbox
from sandbox.generator import generate
from sandbox.goods import Item
from sandbox.server import listening
from sandbox.store import FileStore
from sandbox.world import World

NONCE_LETTERS = string.ascii_letters + string.digits
LOGISTICS = "/open/pp/logistics/"


def fresh_nonce() -> str:
    return "".join(secrets.choice(NONCE_LETTERS) for _ in range(32))


def auth_headers(
    *,
    key: str = "sandbox-access-key",
    secret: str = "sandbox-access-secret",
    user: str = "2100007300001",
    timestamp: str | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """Headers that pass, unless a part is given that does not."""
    timestamp = timestamp or str(int(time.time()))
    nonce = nonce or fresh_nonce()
    signature = md5(f"{key}{timestamp}{nonce}{secret}".encode()).hexdigest().upper()
    return {
        "access-key": key,
        "timestamp": timestamp,
        "nonce-str": nonce,
        "user-id": user,
        "signature": signature,
    }


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Any:
        """The payload of an answer that must have succeeded."""
        code = self.body.get("code", self.body.get("errorCode"))
        assert (self.status, code) == (200, 200), self.body
        return self.body["data"]

    @property
    def refusal(self) -> tuple[int, int]:
        """HTTP status and envelope code."""
        return self.status, self.body.get("code", self.body.get("errorCode"))


class Caller:
    """Signs and sends calls to one sandbox."""

    def __init__(self, session: aiohttp.ClientSession, origin: str) -> None:
        self._session = session
        self.origin = origin

    async def get(self, path: str, **query: str) -> Answer:
        return await self.send("GET", path, headers=auth_headers(), query=query)

    async def post(self, path: str, body: Any) -> Answer:
        headers = auth_headers()
        query = (
            {"timestamp": headers["timestamp"], "sign": headers["signature"]}
            if LOGISTICS in path
            else {}
        )
        return await self.send("POST", path, headers=headers, query=query, body=body)

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        body: Any = None,
    ) -> Answer:
        kind = {"Content-Type": "application/json"} if body is not None else {}
        content = None if body is None else orjson.dumps(body)
        async with self._session.request(
            method,
            self.origin + path,
            headers={**kind, **(headers or {})},
            params=query,
            data=content,
        ) as response:
            return Answer(
                response.status,
                orjson.loads(await response.read()),
                dict(response.headers),
            )

    async def control(
        self, method: str, name: str, body: Any = None, **query: str
    ) -> Any:
        """A control call that must succeed; answers its body."""
        answer = await self.send(method, f"/_sandbox/{name}", query=query, body=body)
        assert answer.status == 200, answer.body
        return answer.body

    async def books(self) -> Any:
        return await self.control("GET", "books")

    async def advance(self, **spans: float) -> None:
        """Move the clock: advance(hours=2, days=1)."""
        seconds = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
        total = sum(count * seconds[unit] for unit, count in spans.items())
        await self.control("POST", "clock", {"advance_s": total})

    async def rows(
        self, marketplace: str, limit: int = 10_000, offset: int = 0
    ) -> list[dict[str, Any]]:
        """Catalogue rows; the first thousands can all be bought."""
        control = await self.control(
            "GET",
            "catalogue",
            marketplace=marketplace,
            limit=str(limit),
            offset=str(offset),
        )
        items: list[dict[str, Any]] = control["items"]
        return items


@asynccontextmanager
async def opened(state: Path, seed: int = 7) -> AsyncIterator[Caller]:
    """A sandbox in this process on the state file, which is let go of at the end; no
    other may be open then.
    """
    store = FileStore(state, seed)
    try:
        with patch.object(catalogue, "generate", _as_listed):
            sandbox = Sandbox(World(seed, store))
            async with listening(sandbox) as origin, aiohttp.ClientSession() as session:
                yield Caller(session, origin)
    finally:
        store.close()


@cache
def _generated(seed: int, marketplace: str) -> list[Item]:
    return generate(seed, marketplace)


def _as_listed(seed: int, marketplace: str) -> list[Item]:
    """The goods as they are at first; making them takes a fifth of a second."""
    for item in _generated(seed, marketplace):
        item.relist()
    return _generated(seed, marketplace)
