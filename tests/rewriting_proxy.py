"""A proxy between connector and sandbox that makes the service another one: paths
moved, answers changed.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from tests.running import PATIENCE_S
from tests.simulation.deviations.service import Deviation, Told, asked_of, told_by
from tests.simulation.deviations.wire import ROLES, Role

Change = Callable[[Any], Any]
HOP_HEADERS = {"host", "content-length", "connection", "transfer-encoding"}


@dataclass
class RewritingProxy:
    """`moved` maps the contract's paths to new ones, the old ones are gone then;
    `answers` changes `data` by path.

    A `deviation` may be put in at any moment.
    """

    behind: str
    moved: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Change] = field(default_factory=dict)
    deviation: Deviation | None = None
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path))
        if request.path in self.moved:
            return web.Response(
                status=404, text="<html>Not Found</html>", content_type="text/html"
            )
        path = next(
            (old for old, new in self.moved.items() if new == request.path),
            request.path,
        )
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in HOP_HEADERS
        }
        content = await request.read()
        if self.deviation:
            content = asked_of(self.deviation, path, content)
        try:
            async with aiohttp.request(
                request.method,
                f"{self.behind}{path}",
                params=request.query,
                data=content or None,
                headers=headers,
            ) as answer:
                text = await answer.read()
        except aiohttp.ClientConnectionError:  # cut by the service: cut here too
            assert request.transport
            request.transport.abort()
            return web.Response()
        notices = Told(
            path, ROLES.get(path, Role.OTHER), None, answer.status, Random(1)
        )
        if path in self.answers and (body := json.loads(text)).get("data") is not None:
            body["data"] = self.answers[path](body["data"])
            text = json.dumps(body).encode()
        if self.deviation:
            text = told_by(self.deviation, notices, text)
        return web.Response(
            status=notices.status, body=text, content_type="application/json"
        )


@contextmanager
def rewriting_proxy(
    behind: str,
    *,
    moved: Mapping[str, str] | None = None,
    answers: Mapping[str, Change] | None = None,
    deviation: Deviation | None = None,
) -> Iterator[RewritingProxy]:
    """A running proxy, in a thread of its own, so that a command in this process can
    use it.
    """
    proxy = RewritingProxy(behind, moved or {}, answers or {}, deviation)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        runner = asyncio.run_coroutine_threadsafe(_started(proxy), loop).result(
            PATIENCE_S
        )
        yield proxy
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(PATIENCE_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _started(proxy: RewritingProxy) -> web.AppRunner:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner


def renamed(old: str, new: str) -> Change:
    """A change that calls a field otherwise, wherever it is."""

    def change(data: Any) -> Any:
        if isinstance(data, list):
            return [change(entry) for entry in data]
        if isinstance(data, dict):
            return {
                new if name == old else name: change(value)
                for name, value in data.items()
            }
        return data

    return change
