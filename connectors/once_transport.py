"""A transport for httpx that writes each request once and takes nothing for its answer
that was not asked for.

httpx's own transport takes bytes that came behind an answer for the next answer.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator
from functools import cache
from typing import cast

import h11
import httpx
from aiohappyeyeballs import start_connection

from connectors.foreign import words_of

# Shorter than the five seconds after which common servers close an idle connection: a
# close that crosses an effect on the wire leaves it unanswered.
KEEP_ALIVE_S = 4.0
CONNECT_TIMEOUT_S = 5.0
"""A host that is there answers sooner; the rest of a call's time is for its answer."""
NEXT_ADDRESS_AFTER_S = 0.25
MAX_KEPT_BYTES = 16 << 10
"""Of a request. An answer may come before a larger one has left, and TLS of asyncio
does not tell what is left.
"""


class OnceTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 without proxies, cookies, redirects and a second try.

    The request's extension `before_first_byte` is called right before the one write. If
    it raises, nothing is written, and the connection is kept. The number of connections
    is the number of requests at once, which the caller bounds, as it does their time.
    """

    calls_before_first_byte = True

    def __init__(self, *, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._idle = defaultdict[tuple[str, bytes], list[_Connection]](list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `httpx.ConnectError`, `ConnectTimeout`, `ReadError`, and
        `RemoteProtocolError` for bytes that are no answer.
        """
        await request.aread()
        idle = self._idle[request.url.scheme, request.url.netloc]
        connection = _take_silent(idle) or await self._connect(request.url)
        try:
            connection.write(request)
        except BaseException:
            idle.append(connection)
            raise
        try:
            head = await connection.read_head()
        except BaseException:
            connection.abort()
            raise
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(connection, idle),
        )

    async def aclose(self) -> None:
        for connections in self._idle.values():
            while connections:
                connections.pop().abort()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next turn

    async def _connect(self, url: httpx.URL) -> _Connection:
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                connection = await _open_connection(url)
                await asyncio.sleep(0)  # bytes that are there already are read now
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except (OSError, UnicodeError) as error:  # Unicode: the host can be no name
            raise httpx.ConnectError(words_of(error)) from error
        if connection.is_closing():
            raise httpx.ConnectError("something came before anything was asked")
        return connection


class _Connection(asyncio.Protocol):
    """For one request after the other. Bytes that come in between close it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._unread = select.poll()
        self._unread.register(transport.get_extra_info("socket"), select.POLLIN)
        self._has_news = asyncio.Event()
        self._broken: httpx.ReadError | None = None
        self.rest()

    def data_received(self, data: bytes) -> None:
        if self._is_idle:
            self.abort()
            return
        self._http.receive_data(data)
        self._has_news.set()

    def eof_received(self) -> None:
        """The connection closes. This ends a body of no other length."""
        if not self._is_idle and self._http.their_state is h11.SEND_BODY:
            self.data_received(b"")

    def connection_lost(self, error: Exception | None) -> None:
        self._broken = httpx.ReadError(
            words_of(error) if error else "closed without an answer"
        )
        self._has_news.set()

    def write(self, request: httpx.Request) -> None:
        http = h11.Connection(h11.CLIENT)  # takes a head of 16 KB at most
        head = h11.Request(
            method=request.method,
            target=request.url.raw_path,
            headers=request.headers.raw,
        )
        body_chunks = (
            http.send(head),
            http.send(h11.Data(data=request.content)),
            http.send(h11.EndOfMessage()),
        )
        message = b"".join(chunk for chunk in body_chunks if chunk)
        if before_first_byte := request.extensions.get("before_first_byte"):
            before_first_byte()
        self._http = http
        self._is_idle = False
        self._written_bytes = len(message)
        self._transport.write(message)

    async def read_head(self) -> h11.Response:
        while not isinstance(event := await self.next_event(), h11.Response):
            pass  # an interim answer, such as 100
        return event

    async def next_event(self) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if self._broken is not None:
                    raise self._broken
                self._has_news.clear()
                await self._has_news.wait()
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError("these bytes are no answer") from error
        return event

    def is_at_rest(self) -> bool:
        """Whether request and answer are over, and nothing came behind the answer."""
        return (
            self._http.our_state is self._http.their_state is h11.DONE
            and self._http.trailing_data == (b"", False)
            and self._written_bytes <= MAX_KEPT_BYTES
        )

    def rest(self) -> None:
        self._is_idle = True
        self._idle_since = asyncio.get_running_loop().time()

    def is_silent(self) -> bool:
        """Whether an idle connection is young and open, and no byte waits in the
        system, where a busy event loop has not seen it.
        """
        idle_s = asyncio.get_running_loop().time() - self._idle_since
        return (
            idle_s < KEEP_ALIVE_S and not self.is_closing() and not self._unread.poll(0)
        )

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def abort(self) -> None:
        self._transport.abort()


class _Body(httpx.AsyncByteStream):
    """The body of an answer. Closing it keeps the connection or aborts it."""

    def __init__(self, connection: _Connection, idle: list[_Connection]) -> None:
        self._connection: _Connection | None = connection
        self._idle = idle

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert self._connection is not None
        while isinstance(event := await self._connection.next_event(), h11.Data):
            yield bytes(event.data)

    async def aclose(self) -> None:
        connection = self._connection
        self._connection = None
        if connection is None:
            return
        if connection.is_at_rest():
            connection.rest()
            self._idle.append(connection)
        else:
            connection.abort()


async def _open_connection(url: httpx.URL) -> _Connection:
    """asyncio's own race of addresses leaves sockets open when it is cancelled."""
    loop = asyncio.get_running_loop()
    host = url.raw_host.decode()
    is_tls = url.scheme == "https"
    addresses = await loop.getaddrinfo(
        host, url.port or (443 if is_tls else 80), type=socket.SOCK_STREAM
    )
    _, connection = await loop.create_connection(
        _Connection,
        sock=await start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER_S
        ),
        ssl=trusted() if is_tls else None,
        server_hostname=host if is_tls else None,
    )
    return connection


def _take_silent(idle: list[_Connection]) -> _Connection | None:
    """From here to the write nothing is awaited."""
    while idle:
        connection = idle.pop()
        if connection.is_silent():
            return connection
        connection.abort()
    return None


@cache
def trusted() -> ssl.SSLContext:
    """The trusted certificates, read once a process: that takes ten milliseconds."""
    return httpx.create_ssl_context()
