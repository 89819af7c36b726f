"""One request and its answer over HTTP: aiohttp's connections, used directly.

Its session, or httpx's client, would merge cookies, headers, addresses and redirects
into every request, which no call here needs: that takes three times as much processor
time a call.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from urllib.parse import urlencode

import aiohttp
import httpx
from aiohttp import (
    BaseConnector,
    ClientRequest,
    ClientResponse,
    ClientTimeout,
    ConnectionTimeoutError,
    Payload,
)
from aiohttp.connector import Connection
from aiohttp.http import StreamWriter
from yarl import URL

from connectors.crash_points import AFTER_SEND, reach


class Halted(Exception):
    """Nothing more is written for this call."""


class Send:
    """One request's way onto the wire. `written` is true once the first byte was about
    to leave.

    `leave` is called right before; if it raises, nothing is written and the exception
    is kept in `denied`. `action` names the effect, and is empty for a read.
    """

    __slots__ = ("action", "denied", "leave", "written")

    def __init__(
        self, leave: Callable[[], None] | None = None, *, action: str = ""
    ) -> None:
        self.leave = leave
        self.action = action
        self.written = False
        self.denied: Exception | None = None

    def first_byte(self) -> None:
        """Called before a request is written; raises `Halted` if it must not be, as on
        a second time.
        """
        if self.written:
            raise Halted(
                "the kept connection dropped; the request was not written a second time"
            )
        if self.leave is not None:
            self._ask(self.leave)
        self.written = True

    def _ask(self, leave: Callable[[], None]) -> None:
        try:
            leave()
        except Exception as error:
            # Not the error itself: aiohttp would take an OSError for its own and start
            # over.
            self.denied = error
            raise Halted("the request was not allowed to leave") from error


_current: ContextVar[Send] = ContextVar("send")


@contextmanager
def sending(send: Send) -> Iterator[None]:
    """A context in which requests call the hook of `send`."""
    token = _current.set(send)
    try:
        yield
    finally:
        _current.reset(token)


class GuardedRequest(ClientRequest):
    """aiohttp's request, which calls the `Send` of its context before anything is
    written.

    aiohttp by itself writes a body in a task of its own, for which the headers wait;
    here both leave at once. A session would repeat the request, follow redirects and
    search for cookies and credentials: here none is used.
    """

    connection_key = cached_property(ClientRequest.connection_key.fget)  # type: ignore[attr-defined]

    async def answered(
        self, connector: BaseConnector, connecting: ClientTimeout
    ) -> ClientResponse:
        """The answer, its headers read, for a `with`."""
        try:
            connection = await connector.connect(self, [], connecting)
        except TimeoutError as error:
            raise ConnectionTimeoutError(
                f"Connection timeout to host {self.url}"
            ) from error
        try:
            assert connection.protocol is not None
            if (
                connection.protocol.should_close
            ):  # else unrequested bytes would pass for our answer
                raise Halted("something came before anything was asked")
            connection.protocol.set_response_params(
                read_until_eof=True, auto_decompress=False
            )
            response = await (await self.send(connection)).start(connection)
        except BaseException:
            connection.close()
            raise
        if action := _current.get().action:
            reach(AFTER_SEND, action)
        return response

    async def send(self, conn: Connection) -> ClientResponse:
        assert conn.protocol is not None
        writer = StreamWriter(conn.protocol, self.loop)
        response = ClientResponse(  # before a byte leaves: an error of another aiohttp version must not come later
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=[],
            loop=self.loop,
            session=self.session,
            stream_writer=writer,
        )
        _current.get().first_byte()
        await writer.write_headers(
            f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers
        )
        if isinstance(self.body, Payload):
            await self.body.write(writer)
        await writer.write_eof()
        conn.protocol.start_timeout()
        return response


PACKINGS = ("gzip", "deflate")
"""The accepted encodings. One layer alone is unpacked: a packing within a packing
multiplies beyond any bound.
"""

CHARACTER_SETS = ("utf-8", "utf8", "gbk", "gb2312", "gb18030", "us-ascii", "iso-8859-1")
"""Named as encodings by mistake: nothing is packed."""

MEGABYTE, PART = 1 << 20, 1 << 14

# Shorter than the five seconds after which common servers close an idle connection: a
# close that crosses an effect on the wire leaves it unanswered.
KEEP_ALIVE_S = 4.0
BARE_HEADERS = {"accept-encoding": ", ".join(PACKINGS)}
JSON_HEADERS = {**BARE_HEADERS, "content-type": "application/json"}
_url = lru_cache(URL)
TRANSPORT_ERRORS = (
    httpx.DecodingError,
    aiohttp.ClientError,
    OSError,
    UnicodeError,
    Halted,
)  # Unicode: no host name
GARBLED = (aiohttp.ClientResponseError, aiohttp.ClientPayloadError, httpx.DecodingError)


class Unreadable(Exception):
    """The body is larger than the bound, or packed in another way than asked for; `str`
    names the fault.
    """


async def read_body(
    packed_as: str, unpacked: AsyncIterator[bytes], most_mb: int
) -> bytes:
    """The unpacked body. Raises `Unreadable`.

    Parts are read as they come, 16 kB each, which unpack to 16 MB at most.
    """
    packings = [name.strip().lower() for name in packed_as.split(",")]
    if len(packings) > 1 or packings[0] not in (
        "",
        "identity",
        *PACKINGS,
        *CHARACTER_SETS,
    ):
        raise Unreadable("the answer is packed in a way that was not asked for")
    parts: list[bytes] = []
    size = 0
    async for part in unpacked:
        size += len(part)
        if size > most_mb * MEGABYTE:
            raise Unreadable(f"the answer is larger than {most_mb} MB")
        parts.append(part)
    return b"".join(parts)


MAX_ANSWER_MB = 16
"""Unpacked: what is larger is no answer of an order service, and would fill the
memory.
"""
CONNECT_TIMEOUT_S = 5.0
"""A host that is there answers sooner; the rest of a call's time is for its answer."""


@dataclass(slots=True)
class HttpAnswer:
    """A whole, unpacked answer; the names of `headers` are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """The connections to one address. Every request is sent once; no redirect is
    followed.
    """

    def __init__(
        self,
        *,
        base_url: str,
        max_connections: int,
        most_answer_mb: int = MAX_ANSWER_MB,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._most_mb = most_answer_mb
        self._most_connections = max_connections + 1
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect_timeout_s)
        self._opened: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        body: str = "",
    ) -> HttpAnswer:
        """Send and read the answer to its end. Raises `Unreadable` or one of
        `TRANSPORT_ERRORS`.
        """
        headers = {**headers, **(JSON_HEADERS if body else BARE_HEADERS)}
        url = (
            f"{self._base_url}{path}?{urlencode(query)}"
            if query
            else self._base_url + path
        )
        session, loop, data = (
            self._session(),
            asyncio.get_running_loop(),
            body.encode() or None,
        )
        assert session.connector is not None
        request = GuardedRequest(
            method, _url(url), headers=headers, data=data, session=session, loop=loop
        )
        async with await request.answered(session.connector, self._timeout) as response:
            packed_as = response.headers.get("content-encoding", "")
            parts = (
                _unpacked(response, packed_as)
                if packed_as
                else response.content.iter_any()
            )
            content = await read_body(packed_as, parts, self._most_mb)
            return HttpAnswer(response.status, response.headers, content)

    def _session(self) -> aiohttp.ClientSession:
        """The environment's proxies and netrc are left alone: a proxy may repeat what
        must be sent once.
        """
        if self._opened is None:
            limit, kept_s = self._most_connections, KEEP_ALIVE_S
            connector = aiohttp.TCPConnector(
                ssl=trusted(), limit=limit, keepalive_timeout=kept_s
            )
            self._opened = aiohttp.ClientSession(connector=connector)
        return self._opened


def is_garbled(error: Exception) -> bool:
    """Whether bytes came that are no HTTP answer. An answer that a reset cut short does
    not count.
    """
    was_cut = isinstance(
        error, aiohttp.ClientPayloadError
    ) and ConnectionResetError.__name__ in str(error)
    return isinstance(error, GARBLED) and not was_cut


def _unpacked(response: aiohttp.ClientResponse, packed_as: str) -> AsyncIterator[bytes]:
    packed = response.content.iter_chunked(PART)
    return httpx.Response(
        response.status, headers={"content-encoding": packed_as}, content=packed
    ).aiter_bytes()


@cache
def trusted() -> ssl.SSLContext:
    """The trusted certificates, read once a process: that takes ten milliseconds."""
    return httpx.create_ssl_context()
