"""The hook before a request's first byte: called once a call, and it may stop the call.

Exception types don't show whether anything was sent, and an aiohttp session repeats a GET when a kept connection drops,
although 1688's payment is a GET. So its request is used without the session, and calls the hook right before it writes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import cached_property

from aiohttp import (
    BaseConnector,
    ClientRequest,
    ClientResponse,
    ClientTimeout,
    ConnectionTimeoutError,
)
from aiohttp.connector import Connection
from aiohttp.http import StreamWriter
from aiohttp.payload import Payload

from connectors.crash_points import AFTER_SEND, reach


class Halted(Exception):
    """Nothing more is written for this call."""


class Send:
    """One request's way onto the wire. `written` is true once the first byte was about to leave.

    `leave` is called right before; if it raises, nothing is written and the exception is kept in `denied`. `action`
    names the effect, and is empty for a read.
    """

    __slots__ = ("action", "denied", "leave", "written")

    def __init__(self, leave: Callable[[], None] | None = None, *, action: str = "") -> None:
        self.leave = leave
        self.action = action
        self.written = False
        self.denied: Exception | None = None

    def first_byte(self) -> None:
        """Called before a request is written; raises `Halted` if it must not be, as on a second time."""
        if self.written:
            raise Halted("the kept connection dropped; the request was not written a second time")
        if self.leave is not None:
            self._ask(self.leave)
        self.written = True

    def _ask(self, leave: Callable[[], None]) -> None:
        try:
            leave()
        except Exception as error:
            # Not the error itself: aiohttp would take an OSError for its own and start over.
            self.denied = error
            raise Halted("the request was not allowed to leave") from error


_current: ContextVar[Send] = ContextVar("send")


class sending:
    """A context in which requests call the hook of `send`."""

    __slots__ = ("_send", "_token")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._token: Token[Send]

    def __enter__(self) -> None:
        self._token = _current.set(self._send)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


class GuardedRequest(ClientRequest):
    """aiohttp's request, which calls the `Send` of its context before anything is written.

    aiohttp by itself writes a body in a task of its own, for which the headers wait; here both leave at once. A session
    would repeat the request, follow redirects and search for cookies and credentials: here none is used.
    """

    connection_key = cached_property(ClientRequest.connection_key.fget)  # type: ignore[attr-defined]

    async def answered(self, connector: BaseConnector, connecting: ClientTimeout) -> ClientResponse:
        """The answer, its headers read, for a `with`."""
        try:
            connection = await connector.connect(self, [], connecting)
        except TimeoutError as error:
            raise ConnectionTimeoutError(f"Connection timeout to host {self.url}") from error
        try:
            assert connection.protocol is not None
            if connection.protocol.should_close:  # else unrequested bytes would pass for our answer
                raise Halted("something came before anything was asked")
            connection.protocol.set_response_params(read_until_eof=True, auto_decompress=False)
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
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )
        _current.get().first_byte()
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        if isinstance(self.body, Payload):
            await self.body.write(writer)
        await writer.write_eof()
        conn.protocol.start_timeout()
        return response
