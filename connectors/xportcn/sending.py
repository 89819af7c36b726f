"""The moment before a request's first byte: once a call, and never without leave.

Exception types don't tell whether anything was sent, and aiohttp by itself repeats a GET when a kept connection drops,
although 1688's payment is a GET. Its request is told to write right before it does, so both questions are settled there
(its trace hooks would do as well, at a quarter of what the whole request costs).

Headers of a request with a body wait for the body and leave with it, in a later turn of the event loop. So there the
hook of the body is the last moment, and what a killed process noted is what it sent.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from types import SimpleNamespace

from aiohttp import ClientRequest, ClientResponse, ClientSession, TraceConfig, TraceRequestEndParams
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection

from connectors.crash_points import AFTER_SEND, is_armed, reach


class Halted(Exception):
    """Nothing more is written for this call."""


class Send:
    """One request's way onto the wire. `written` is true once the first byte was about to leave.

    `leave` is asked right before; if it raises, nothing is written and the exception is kept in `denied`.
    `action` names the effect, and is empty for a read.
    """

    __slots__ = ("action", "denied", "leave", "written")

    def __init__(self, leave: Callable[[], None] | None = None, *, action: str = "") -> None:
        self.leave = leave
        self.action = action
        self.written = False
        self.denied: Exception | None = None

    def headers(self, *, alone: bool) -> None:
        """A request is about to be written, its headers `alone` or with a body; raises `Halted` if it must not be."""
        if self.written:
            raise Halted("the kept connection dropped; the request was not written a second time")
        if alone:
            self._first_byte()

    def body(self) -> None:
        """A part of the body is about to be written, the headers with its first; raises `Halted` if it must not be."""
        if not self.written:
            self._first_byte()

    def _first_byte(self) -> None:
        if self.leave is not None:
            self._ask(self.leave)
        self.written = True

    def _ask(self, leave: Callable[[], None]) -> None:
        try:
            leave()
        except Exception as error:
            # Not as it is: aiohttp would take an OSError for its own and start over.
            self.denied = error
            raise Halted("the request was not allowed to leave") from error


_current: ContextVar[Send] = ContextVar("send")


class sending:
    """A context in which `send` is the one that requests ask."""

    __slots__ = ("_send", "_token")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._token: Token[Send]

    def __enter__(self) -> None:
        self._token = _current.set(self._send)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


_ = ClientRequest.send, ClientRequest.write_bytes  # with an aiohttp that calls others we must not even start


class GuardedRequest(ClientRequest):
    """aiohttp's request, which asks the `Send` of its context before anything is written."""

    async def send(self, conn: Connection) -> ClientResponse:
        _current.get().headers(alone=not self.body)
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        try:
            _current.get().body()
        except Halted as halted:  # in a task of its own: whoever waits for the answer must hear of it
            assert conn.protocol is not None
            conn.protocol.set_exception(halted)
            conn.close()
            return
        await super().write_bytes(writer, conn, content_length)


def traces() -> list[TraceConfig]:
    """What a session is followed with; nothing, unless a test has armed the point where an answer begins."""
    config = TraceConfig()
    config.on_request_end.append(_after_headers_of_answer)
    return [config] if is_armed() else []


async def _after_headers_of_answer(_: ClientSession, __: SimpleNamespace, ___: TraceRequestEndParams) -> None:
    if action := _current.get().action:
        reach(AFTER_SEND, action)
