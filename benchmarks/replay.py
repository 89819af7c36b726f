"""Recorded calls sent again with bare aiohttp, each as soon as the answers that it
needs are there.

`python -m benchmarks.replay STEPS URL AT_ONCE`: the floor under every way to buy the
same. Ids are exchanged for those of the new run; signature, nonce and time-stamp are
fresh. No models, no ledger, no Prefect, and no thought for safety.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import sys
import time
from collections.abc import Sequence
from hashlib import md5
from pathlib import Path

import aiohttp
import orjson
from yarl import URL

from benchmarks.steps import Place, Step
from sandbox.auth import SANDBOX_ACCOUNT as ACCOUNT

SAID_YES = (b'"code":200,', b'"errorCode":200,')


class Replay:
    """Steps on their way."""

    def __init__(
        self, steps: Sequence[Step], url: str, session: aiohttp.ClientSession
    ) -> None:
        self._steps = steps
        self._url = url
        self._session = session
        self._ids: dict[str, str] = {}
        self._missing = [len(step.needs) + step.waits_for_plan for step in steps]
        self._plan_left = sum(step.is_plan for step in steps)
        self._dependents: list[list[int]] = [[] for _ in steps]
        for index, step in enumerate(steps):
            for second in step.needs:
                self._dependents[second].append(index)
        self._ready: asyncio.Queue[int] = asyncio.Queue()
        self._left = len(steps)

    async def sent(self, at_once: int) -> None:
        """All steps, over as many connections; raises if the service refuses one."""
        for index, missing in enumerate(self._missing):
            if not missing:
                self._ready.put_nowait(index)
        if not self._plan_left:
            self._planned()
        async with asyncio.TaskGroup() as workers:
            for _ in range(at_once):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while (index := await self._ready.get()) >= 0:
            await self._send(self._steps[index])
            self._done(index)
        self._ready.put_nowait(-1)

    async def _send(self, step: Step) -> None:
        headers, timestamp = signed()
        url = self._url + self._filled(step.target)
        if step.signs_query:
            url += f"{'&' if '?' in url else '?'}timestamp={timestamp}&sign={headers['signature']}"
        content = self._filled(step.body).encode() or None
        async with self._session.request(
            step.method, URL(url, encoded=True), data=content, headers=headers
        ) as answer:
            body = await answer.read()
        if answer.status != 200 or not any(yes in body for yes in SAID_YES):
            raise RuntimeError(f"{step.method} {url}: {body.decode()[:300]}")
        if step.gives:
            data = orjson.loads(body)
            self._ids |= {old: _value(data, location) for old, location in step.gives}

    def _filled(self, pieces: tuple[str, ...]) -> str:
        if len(pieces) == 1:
            return pieces[0]
        return "".join(
            self._ids[piece] if number % 2 else piece
            for number, piece in enumerate(pieces)
        )

    def _done(self, index: int) -> None:
        self._left -= 1
        for dependent in self._dependents[index]:
            self._arrived(dependent)
        if self._steps[index].is_plan:
            self._plan_left -= 1
            if not self._plan_left:
                self._planned()
        if not self._left:
            self._ready.put_nowait(-1)

    def _planned(self) -> None:
        for index, step in enumerate(self._steps):
            if step.waits_for_plan:
                self._arrived(index)

    def _arrived(self, index: int) -> None:
        self._missing[index] -= 1
        if not self._missing[index]:
            self._ready.put_nowait(index)


def signed() -> tuple[dict[str, str], str]:
    """The headers of a new call, and its time-stamp."""
    timestamp = str(int(time.time()))
    nonce = os.urandom(16).hex()
    text = f"{ACCOUNT.access_key}{timestamp}{nonce}{ACCOUNT.access_secret}"
    return {
        "access-key": ACCOUNT.access_key,
        "user-id": ACCOUNT.user_id,
        "timestamp": timestamp,
        "nonce-str": nonce,
        "signature": md5(text.encode(), usedforsecurity=False).hexdigest().upper(),
        "content-type": "application/json",
    }, timestamp


def _value(data: object, index: Place) -> str:
    for key in index:
        data = data[key]  # type: ignore[index]
    return str(data)


async def _replayed(steps: Sequence[Step], url: str, at_once: int) -> None:
    connector = aiohttp.TCPConnector(limit=at_once)
    cookies = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=cookies, trust_env=False
    ) as session:
        await Replay(steps, url, session).sent(at_once)


if __name__ == "__main__":
    recorded = pickle.loads(Path(sys.argv[1]).read_bytes())
    gc.freeze()
    asyncio.run(_replayed(recorded, sys.argv[2], int(sys.argv[3])))
