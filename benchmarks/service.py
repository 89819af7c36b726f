"""A service that is not the bottleneck: the sandbox's own operations behind a bare HTTP
server that records calls.

`python -m benchmarks.service` prints its address. What it serves is a sandbox:
signatures are checked, books are kept. Only what stands around the operations is lean.
`PUT /_bench/record` begins a record (`latency_s` and `stragglers` say how long answers
take), `GET /_bench/record?at_once=N` ends it and answers its sums; `GET /_bench/books`
sums the books.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Mapping
from random import Random
from time import monotonic
from typing import Any, cast
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from benchmarks.record import Record
from sandbox.app import Sandbox
from sandbox.world import World

RECORD = "/_bench/record"
BOOKS = "/_bench/books"
HEAD_END = b"\r\n\r\n"
SEED = 7


class ReceivedRequest:
    """As much of aiohttp's request as the sandbox looks at."""

    __slots__ = (
        "body",
        "headers",
        "method",
        "path",
        "query",
        "remote",
        "target",
        "transport",
    )

    def __init__(
        self, head: bytes, body: bytes, transport: asyncio.BaseTransport
    ) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.path, _, query = self.target.partition("?")
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        self.body = body
        self.transport = transport
        self.remote = "127.0.0.1"

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]

    async def read(self) -> bytes:
        return self.body


class Service:
    """A sandbox and the record of the calls made to it."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(World(SEED))
        self.record: Record | None = None
        self.latency_s = 0.0
        self.straggler_s = 0.0
        self.share = 0.0
        self.luck = Random(SEED)

    def delay_s(self) -> float:
        """How long the answer to the next call takes."""
        return self.straggler_s if self.luck.random() < self.share else self.latency_s

    def answer(self, request: ReceivedRequest) -> tuple[int, bytes]:
        """Carry a call out; what the sandbox does for one is done without waiting for
        anything.
        """
        if request.path in (RECORD, BOOKS):
            return 200, orjson.dumps(
                self._recorded(request) if request.path == RECORD else self._books()
            )
        work = self.sandbox.handle(cast(web.BaseRequest, request))
        try:
            work.send(None)
        except StopIteration as done:
            return done.value.status, bytes(done.value.body or b"")
        raise RuntimeError(f"{request.path} waits for something")

    def _books(self) -> tuple[int, int, int, int]:
        """Orders, those of them paid once, fen that left the wallet, and orders shipped
        once.
        """
        books = self.sandbox.world.books
        paid = [order.paid_times == 1 for order in books.every_order()]
        shipped = Counter(
            shipment.tmall_order_id for shipment in books.shipments.values()
        )
        spent = books.opening_fen - books.balance_fen
        return (
            len(paid),
            sum(paid),
            spent,
            sum(times == 1 for times in shipped.values()),
        )

    def _recorded(self, request: ReceivedRequest) -> Mapping[str, Any]:
        if request.method == "PUT":
            calls = orjson.loads(request.body)
            self.latency_s = calls.get("latency_s", 0.0)
            self.straggler_s, self.share = calls.get("stragglers", (0.0, 0.0))
            self.luck = Random(calls.get("seed", SEED))
            self.record = Record(calls["file"])
            return {}
        record = self.record
        self.record = None
        assert record is not None
        return record.ended(int(request.query["at_once"]))


class Connection(asyncio.Protocol):
    """One client's connection: calls one after another, each answered before the next
    is read.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, remainder = self._buffer.partition(HEAD_END)
        if not end:
            return
        length = _content_length(head)
        if len(remainder) < length:
            return
        self._buffer = remainder[length:]
        self._arrived(ReceivedRequest(head, remainder[:length], self._transport))

    def _arrived(self, request: ReceivedRequest) -> None:
        """In a later turn of the loop, so that calls which arrived together begin
        together.
        """
        loop = asyncio.get_running_loop()
        started_at = monotonic()
        is_control = request.path.startswith("/_")
        delay_s = 0.0 if is_control else self._service.delay_s()
        if delay_s:
            loop.call_later(delay_s, self._answered, request, started_at, delay_s)
        else:
            loop.call_soon(self._answered, request, started_at, delay_s)

    def _answered(
        self, request: ReceivedRequest, started_at: float, delay_s: float
    ) -> None:
        record = None if request.path.startswith("/_") else self._service.record
        status, body = self._service.answer(request)
        self._transport.write(_head(status, len(body)) + body)
        if record is not None:
            record.add(
                request.method,
                request.target,
                request.body,
                body,
                begun=started_at,
                delay_s=delay_s,
            )


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _head(status: int, length: int) -> bytes:
    return (
        b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % (status, length)
    )


async def serve() -> None:
    service = Service()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(service), "127.0.0.1", 0, backlog=1024
    )
    gc.freeze()
    gc.disable()
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
