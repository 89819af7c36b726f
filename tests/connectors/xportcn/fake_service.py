"""A tiny service on loopback that answers what a test tells it to, and remembers what
it was asked.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Maker = Callable[[], web.Response]
Serve = Callable[
    [asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]
]


def ok(data: Any, **headers: str) -> web.Response:
    return web.json_response(
        {"requestId": "r" * 32, "code": 200, "msg": "成功", "data": data},
        headers=headers,
    )


def no(
    code: int | str, words: str, *, status: int = 200, **headers: str
) -> web.Response:
    body = {"requestId": "r" * 32, "code": code, "msg": words, "data": None}
    return web.json_response(body, status=status, headers=headers)


def bare(status: int, text: str = "<html>") -> web.Response:
    return web.Response(status=status, text=text)


@dataclass
class ReceivedCall:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass
class FakeService:
    """Answers a path with the responses given, in order; the last one again and
    again.
    """

    url: str = ""
    asked: list[ReceivedCall] = field(default_factory=list)
    _answers: defaultdict[str, list[Maker]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def answers(self, path: str, *makers: Maker) -> None:
        self._answers[path] = list(makers)

    def lists(
        self,
        path: str,
        rows: Iterable[Any],
        answer: Callable[[list[Any]], Any],
        *names: str,
    ) -> None:
        """Answer a page of these rows, by the `names` that the request has for its
        number, from 1, and its size.
        """
        notices = list(rows)

        def page() -> web.Response:
            number, size = (self.asked[-1].body[name] for name in names)
            return ok(answer(notices[(number - 1) * size : number * size]))

        self.answers(path, page)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.asked.append(
            ReceivedCall(
                request.method,
                request.path,
                dict(request.query),
                dict(request.headers),
                text,
            )
        )
        makers = self._answers[request.path]
        if not makers:
            return bare(404)
        maker = makers.pop(0) if len(makers) > 1 else makers[0]
        return maker()


@asynccontextmanager
async def fake_service() -> AsyncIterator[FakeService]:
    service = FakeService()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()


@dataclass
class RawServer:
    """Answers each request with the script's next bytes; at None, and after the last,
    it cuts the connection.
    """

    script: list[bytes | None]
    url: str = ""
    heads: list[bytes] = field(default_factory=list)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await self._answer_all(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    async def _answer_all(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while self.script:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            await reader.readexactly(body_length(head))
            answer = self.script.pop(0)
            if answer is None:
                return
            writer.write(answer)
            await writer.drain()


def body_length(head: bytes) -> int:
    lines = [
        line
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    ]
    return int(lines[0].split(b":")[1]) if lines else 0


def raw_ok(data: Any) -> bytes:
    body = json.dumps({"code": 200, "data": data}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


@asynccontextmanager
async def raw_server(*script: bytes | None) -> AsyncIterator[RawServer]:
    server = RawServer(list(script))
    async with listening(server.serve) as url:
        server.url = url
        yield server


@asynccontextmanager
async def listening(
    serve: Serve, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A server of bare connections; its address. A connection is closed when `serve`
    returns, or at the end.
    """
    serving: list[asyncio.Task[None]] = []

    async def serve_and_close(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.create_task(serve_and_close(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)
    await asyncio.sleep(0)
