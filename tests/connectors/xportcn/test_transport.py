"""The transport against servers of bare sockets, plain and over TLS: no payment is
written twice, and nothing is taken for an answer that was not asked for.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import socket
import ssl
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import once_transport
from connectors.once_transport import OnceTransport
from connectors.xportcn import client as xportcn_client
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import NotSent, Unanswered
from domain.effects import Claim
from tests.certificates import of_this_machine
from tests.connectors.xportcn.fake_service import body_length, listening, raw_ok
from tests.connectors.xportcn.orders import client_of
from tests.connectors.xportcn.test_sending import PAID, pay, read

ITEM = raw_ok({"itemId": 1})
MAYBE = "it may have been carried out"
Answering = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


class Service:
    """Answers each request by `answering`, which is told how many came before it. Has
    the heads of each connection.
    """

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.connections: list[list[bytes]] = []

    @property
    def heads(self) -> list[bytes]:
        return [head for heads in self.connections for head in heads]

    @property
    def payments(self) -> int:
        return sum(b"orderId=7" in head for head in self.heads)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        heads: list[bytes] = []
        self.connections.append(heads)
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(body_length(head))
                before = len(self.heads)
                heads.append(head)
                await self._answering(before, writer)
        except (asyncio.IncompleteReadError, OSError):
            return


@pytest.fixture(scope="module")
def contexts(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return of_this_machine(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["plain", "tls"])
def tls(
    request: pytest.FixtureRequest,
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> ssl.SSLContext | None:
    """The server's side of TLS, or None; the client trusts it."""
    server, client = contexts
    monkeypatch.setattr(once_transport, "trusted", lambda: client)
    return server if request.param == "tls" else None


@asynccontextmanager
async def serving(
    answering: Answering, tls: ssl.SSLContext | None, **changes: Any
) -> AsyncIterator[tuple[Service, XportcnClient]]:
    service = Service(answering)
    async with (
        listening(service.serve, tls) as url,
        client_of(url, retries=0, **changes) as client,
    ):
        yield service, client


def writing(*answers: bytes) -> Answering:
    """Each request's answer in turn; the last again and again."""

    async def answer(before: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[min(before, len(answers) - 1)])
        await writer.drain()

    return answer


async def heard() -> None:
    """Give bytes and closes the time to arrive."""
    await asyncio.sleep(0.05)


async def test_a_connection_closed_while_it_was_idle_is_noticed_before_writing(
    tls: ssl.SSLContext | None,
) -> None:
    async def answer(before: int, writer: asyncio.StreamWriter) -> None:
        writer.write(raw_ok(PAID) if before else ITEM)
        if not before:
            writer.close()

    async with serving(answer, tls) as (service, client):
        await read(client)
        await heard()
        await pay(client)
    assert [len(heads) for heads in service.connections] == [1, 1]


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\ncont", ITEM[:-5]])
@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_a_kept_connection_that_ends_amid_the_answer_leaves_a_doubt(
    tls: ssl.SSLContext | None, begun: bytes, end: str
) -> None:
    """During the request, in the head and after it: one payment was written."""

    async def answer(before: int, writer: asyncio.StreamWriter) -> None:
        if not before:
            writer.write(ITEM)
            return
        writer.write(begun)
        await writer.drain()
        await heard()
        if end == "reset":
            writer.transport.abort()
        writer.close()

    async with serving(answer, tls) as (service, client):
        await read(client)
        with pytest.raises(Unanswered, match=MAYBE):
            await pay(client)
        await heard()
    assert service.payments == 1
    assert len(service.connections) == 1


@pytest.mark.parametrize(
    "behind",
    [
        (raw_ok(PAID),),
        (raw_ok(PAID)[:20],),
        (raw_ok(PAID)[:20], raw_ok(PAID)[20:]),
    ],
    ids=["whole", "half", "in two writes"],
)
@pytest.mark.parametrize("when", ["at once", "later", "to a busy loop"])
async def test_bytes_that_nobody_asked_for_are_no_payments_answer(
    tls: ssl.SSLContext | None, behind: tuple[bytes, ...], when: str
) -> None:
    """Of a gateway that gave up and was overtaken. The payment goes over a fresh
    connection.
    """
    sent = asyncio.Event()

    async def answer(before: int, writer: asyncio.StreamWriter) -> None:
        if before:
            writer.write(raw_ok(PAID | {"message": "its own"}))
            return
        if when == "at once":
            writer.write(ITEM + behind[0])
            pieces = behind[1:]
        else:
            writer.write(ITEM)
            await sent.wait()
            pieces = behind
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(answer, tls) as (service, client):
        await read(client)
        sent.set()
        if when == "later":
            await heard()
        elif when == "to a busy loop":
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            time.sleep(0.05)  # noqa: ASYNC251
        await pay(client)
    assert [len(heads) for heads in service.connections] == [1, 1]
    assert service.payments == 1


async def test_a_server_that_talks_first_is_asked_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its words would pass for our answer."""
    heads: list[bytes] = []
    connect = once_transport._open_connection

    async def connect_slowly(url: httpx.URL) -> Any:
        connection = await connect(url)
        await heard()
        return connection

    monkeypatch.setattr(once_transport, "_open_connection", connect_slowly)

    async def talks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw_ok(PAID))
        heads.append(await reader.read())

    async with listening(talks) as url, client_of(url) as client:
        with pytest.raises(NotSent, match="something came before anything was asked"):
            await pay(client)
        await heard()
    assert heads == [b""]


async def test_an_answer_before_the_body_was_read_is_taken_and_the_connection_is_not(
    tls: ssl.SSLContext | None,
) -> None:
    """20 MB, of which the server reads nothing."""
    connections: list[bytes] = []
    is_over = asyncio.Event()

    async def answers_at_once(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        connections.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(raw_ok("early"))
        await is_over.wait()

    async with (
        listening(answers_at_once, tls) as url,
        OnceTransport() as transport,
    ):
        try:
            for _ in range(2):
                request = httpx.Request("POST", url, content=bytes(20 << 20))
                response = await transport.handle_async_request(request)
                assert b"early" in await response.aread()
                await response.aclose()
        finally:
            is_over.set()
    assert len(connections) == 2


async def test_a_server_that_says_nothing_leaves_a_doubt(
    tls: ssl.SSLContext | None,
) -> None:
    async def silent(_before: int, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with serving(silent, tls, timeout_s=0.3) as (service, client):
        with pytest.raises(Unanswered, match=r"no answer in time \(0\.3 s\)"):
            await pay(client)
    assert service.payments == 1


async def test_tls_that_hangs_is_no_connection() -> None:
    async def hangs(
        reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()

    async with (
        listening(hangs) as url,
        client_of(
            url.replace("http", "https"), transport=OnceTransport(connect_timeout_s=0.2)
        ) as client,
    ):
        with pytest.raises(NotSent, match=r"no connection to .* \(ConnectTimeout\)"):
            await pay(client)


def packed(body: bytes, packing: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n"
    return head % (packing, len(body)) + body


def bomb() -> bytes:
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    blanks = b" " * (1 << 20)
    return b"".join([*(packing.compress(blanks) for _ in range(300)), packing.flush()])


async def test_300_mb_in_a_packed_answer_take_two(
    tls: ssl.SSLContext | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unpacked as far as the bound, here 1 MB."""
    monkeypatch.setattr(xportcn_client, "MAX_ANSWER_BYTES", 1 << 20)
    answer = packed(bomb(), b"gzip")
    async with serving(writing(answer), tls) as (_, client):
        tracemalloc.start()
        try:
            with pytest.raises(Unanswered, match="larger than 1 MB"):
                await pay(client)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 3 << 20


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (packed(gzip.compress(gzip.compress(ITEM)), b"gzip, gzip"), "not asked for"),
        (packed(gzip.compress(gzip.compress(ITEM)), b"gzip"), "not the service's"),
        (packed(gzip.compress(ITEM)[:-9], b"gzip"), "DecodingError"),
        (packed(gzip.compress(ITEM) + b"more", b"gzip"), "DecodingError"),
        (packed(b"\x0b\x02\x80{}\x03", b"br"), "not asked for"),
    ],
    ids=["two layers", "one within", "cut", "followed", "brotli"],
)
async def test_a_packed_answer_is_one_whole_gzip(
    tls: ssl.SSLContext | None, answer: bytes, words: str
) -> None:
    async with serving(writing(answer), tls) as (service, client):
        with pytest.raises(Unanswered, match=words):
            await pay(client)
    assert service.payments == 1


@pytest.mark.parametrize("part", [b"x: y\r\n", b"x" * 1000])
async def test_a_head_without_end_is_not_read_for_ever(
    tls: ssl.SSLContext | None, part: bytes
) -> None:
    async def answer(_before: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(part)
            await writer.drain()

    async with serving(answer, tls) as (service, client):
        with pytest.raises(Unanswered, match="RemoteProtocolError"):
            await pay(client)
    assert service.payments == 1


async def test_no_redirect_is_followed_and_nothing_of_the_environment_is_used(
    tls: ssl.SSLContext | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No proxy, which may repeat what must be sent once, no credentials of a netrc file
    and no cookie.
    """
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login jane password secret\n")
    monkeypatch.setenv("NETRC", os.fspath(netrc))
    moved = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: seen=1\r\ncontent-length: 0\r\n\r\n"
    async with serving(writing(ITEM, moved, ITEM), tls) as (service, client):
        await read(client)
        with pytest.raises(Unanswered):
            await pay(client)
        await read(client)
    assert len(service.heads) == 3
    assert service.payments == 1
    sent = b"".join(service.heads).lower()
    assert b"authorization" not in sent
    assert b"cookie" not in sent
    assert b"elsewhere" not in sent


@pytest.mark.parametrize("is_kept", [False, True])
async def test_a_hook_that_raises_writes_nothing_and_spares_the_connection(
    tls: ssl.SSLContext | None, *, is_kept: bool
) -> None:
    def too_late(_claim: Claim) -> None:
        raise NotSent("the lease ran out")

    async with serving(writing(ITEM), tls, on_send=too_late) as (service, client):
        if is_kept:
            await read(client)
        with pytest.raises(NotSent, match="the lease ran out"):
            await pay(client)
        await heard()  # TLS has words of its own after its handshake
        await read(client)
    assert service.payments == 0
    assert [len(heads) for heads in service.connections] == [1 + is_kept]


async def test_requests_to_two_hosts_do_not_share_a_connection() -> None:
    first = Service(writing(ITEM))
    second = Service(writing(ITEM))
    async with (
        listening(first.serve) as text,
        listening(second.serve) as other,
        httpx.AsyncClient(transport=OnceTransport()) as client,
    ):
        for url in (text, other, text, other):
            await client.get(url)
    assert [len(heads) for heads in first.connections + second.connections] == [2, 2]


@asynccontextmanager
async def unanswering(host: str, port: int) -> AsyncIterator[None]:
    """An address that answers no handshake: its queue of connections is full."""
    waiting: list[socket.socket] = []
    with socket.socket() as full:
        full.bind((host, port))
        full.listen(0)
        try:
            for _ in range(3):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)  # noqa: FBT003
                waiting[-1].connect_ex((host, port))
            yield
        finally:
            for item in waiting:
                item.close()


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name `two.example` has a dead address and then one that lives."""
    real = socket.getaddrinfo

    def both(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        hosts = ["127.0.0.2", "127.0.0.1"] if host == "two.example" else [host]
        return [
            result for host in hosts for result in real(host, port, *args, **kwargs)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)


@pytest.mark.usefixtures("two_addresses")
async def test_a_dead_address_does_not_use_up_the_time_to_connect() -> None:
    """The next address is tried a quarter of a second later, and no socket stays."""
    service = Service(writing(raw_ok(PAID)))
    async with listening(service.serve) as url:
        port = int(url.rpartition(":")[2])
        async with (
            unanswering("127.0.0.2", port),
            client_of(
                f"http://two.example:{port}",
                access_key="k",
                access_secret="s",
                user_id="7",
            ) as client,
        ):
            started = time.monotonic()
            await pay(client)
            assert 0.2 < time.monotonic() - started < 2
    gc.collect()  # an unclosed socket warns, which is an error here
    assert service.payments == 1


@pytest.mark.usefixtures("two_addresses")
async def test_a_connection_given_up_leaves_no_socket() -> None:
    service = Service(writing(raw_ok(PAID)))
    async with listening(service.serve) as url:
        port = int(url.rpartition(":")[2])
        async with (
            unanswering("127.0.0.2", port),
            OnceTransport(connect_timeout_s=0.1) as transport,
        ):
            request = httpx.Request("GET", f"http://two.example:{port}")
            with pytest.raises(httpx.ConnectTimeout):
                await transport.handle_async_request(request)
    gc.collect()
    assert service.connections == []
