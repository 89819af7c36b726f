"""A service with bad weather: in front of the sandbox, counts calls, throttles them,
and goes away for a while.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import ClientError, ClientSession, web
from yarl import URL

from tests.running import PATIENCE_S

T = TypeVar("T")
ORDER_ID = re.compile(rb"[0-9]{15,20}")
OF_A_CONNECTION = {"content-length", "transfer-encoding", "connection", "host"}


@dataclass(kw_only=True)
class Fall:
    """The service goes away for a while, once: when a call to `path` arrives, or when
    one was answered.
    """

    path: str
    after: bool = False
    for_s: float = 1.0


@dataclass(kw_only=True)
class Throttling:
    """This share of all calls is told to wait, for a while from the first of them
    on.
    """

    share: float
    retry_after: str
    seconds: float
    until: float = 0.0

    @property
    def goes_on(self) -> bool:
        self.until = self.until or time.monotonic() + self.seconds
        return time.monotonic() < self.until


class Weather:
    """Forwards calls to a sandbox. `calls` counts those that arrived, by path;
    `throttled` those that were sent away.

    A call whose body holds one of the words in `fails_on` is always answered by 500, if
    it goes to that path.
    """

    def __init__(self, target: str) -> None:
        self.calls: Counter[str] = Counter()
        self.throttled = 0
        self.falls: list[Fall] = []
        self.fails_on: dict[str, bytes] = {}
        self._under_way: dict[int, tuple[str, bytes]] = {}
        self._target = target
        self._throttling: Throttling | None = None
        self._luck = random.Random(7)
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait_for(self._begin())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def throttle(self, share: float, seconds: float, retry_after: str = "") -> None:
        """For a while, from the next call on."""
        self._throttling = Throttling(
            share=share, retry_after=retry_after, seconds=seconds
        )

    def go_away(self) -> int:
        """No connection from now on; answers of how many orders, at most, a call was
        under way just then.
        """
        return self._wait_for(self._go_away())

    def come_back(self) -> None:
        self._wait_for(self._listen())

    def _orders_on_the_wire(self) -> int:
        """One a call, but for payments, which name several."""
        calls = list(self._under_way.values())
        return sum(
            max(1, len(set(ORDER_ID.findall(body)))) if "pay" in path else 1
            for path, body in calls
        )

    def end(self) -> None:
        self._wait_for(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _begin(self) -> None:
        self._session = ClientSession(auto_decompress=False)
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0)
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        self._site = web.TCPSite(
            self._runner, "127.0.0.1", self._port, reuse_address=True
        )
        await self._site.start()
        ((_, self._port, *_),) = self._runner.addresses

    async def _end(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _come_back_after(self, for_s: float) -> None:
        await asyncio.sleep(for_s)
        await self._listen()

    async def _go_away(self, *, but_for: asyncio.BaseTransport | None = None) -> int:
        wire = self._orders_on_the_wire()
        server = self._runner.server
        assert server is not None
        await self._site.stop()
        for connection in server.connections:
            if connection.transport is not None and connection.transport is not but_for:
                connection.transport.abort()
        return wire

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.calls[request.path] += 1
        if fall := self._fall(request.path, after=False):
            self._away = asyncio.create_task(self._come_back_after(fall.for_s))
            await self._go_away()
            return web.Response(status=502)  # to nobody: the connection is cut
        throttling = self._throttling
        if throttling and throttling.goes_on and self._luck.random() < throttling.share:
            self.throttled += 1
            headers = (
                {"Retry-After": throttling.retry_after}
                if throttling.retry_after
                else {}
            )
            return web.Response(status=429, headers=headers)
        if (text := self.fails_on.get(request.path)) and text in await request.read():
            return web.Response(status=500)
        try:
            answer = await self._forward(request)
        except (ClientError, OSError):  # the connection was cut on one of the two sides
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)
        if fall := self._fall(request.path, after=True):
            answer.force_close()  # the next call finds no connection: it must not slip through, nor be cut on its way
            await self._go_away(but_for=request.transport)
            self._away = asyncio.create_task(self._come_back_after(fall.for_s))
        return answer

    async def _forward(self, request: web.BaseRequest) -> web.Response:
        url = URL(f"{self._target}{request.raw_path}", encoded=True)
        body = await request.read()
        self._under_way[id(request)] = (request.path, body)
        try:
            return await self._forwarded(request, url, body)
        finally:
            del self._under_way[id(request)]

    async def _forwarded(
        self, request: web.BaseRequest, url: URL, body: bytes
    ) -> web.Response:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in OF_A_CONNECTION
        }
        async with self._session.request(
            request.method, url, data=body, headers=headers
        ) as answer:
            record = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in OF_A_CONNECTION
            }
            return web.Response(
                status=answer.status, body=await answer.read(), headers=record
            )

    def _fall(self, path: str, *, after: bool) -> Fall | None:
        fall = next(
            (fall for fall in self.falls if fall.path in path and fall.after is after),
            None,
        )
        if fall is not None:
            self.falls.remove(fall)
        return fall


@contextmanager
def weather_over(target: str) -> Iterator[Weather]:
    weather = Weather(target)
    try:
        yield weather
    finally:
        weather.end()
