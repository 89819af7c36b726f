"""The way to the service: the client's connections, which hand each request to the
sandbox, in time or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx
from aiohttp import web
from multidict import CIMultiDict

from sandbox.auth import SignatureCheck
from sandbox.faults import Kind as SandboxKind
from sandbox.faults import Rule
from tests.simulation.loop import START
from tests.simulation.misfortune import Call, Fault, Kind, calls
from tests.simulation.process import current

if TYPE_CHECKING:
    from tests.simulation.episode import Episode

BY_SANDBOX = {
    Kind.HTTP_500: SandboxKind.HTTP_500,
    Kind.HTTP_429: SandboxKind.HTTP_429,
    Kind.GARBAGE: SandboxKind.GARBAGE,
    Kind.DROP_BEFORE: SandboxKind.DROP_BEFORE,
    Kind.DROP_AFTER: SandboxKind.DROP_AFTER,
    Kind.LATE_EFFECT: SandboxKind.LATE_EFFECT,
    Kind.PRICE_CHANGE: SandboxKind.PRICE_CHANGE,
    Kind.OUT_OF_STOCK: SandboxKind.OUT_OF_STOCK,
    Kind.PART_FAILS: SandboxKind.PART_FAILS,
    Kind.PART_UNSAID: SandboxKind.PART_UNSAID,
}


class DrawnFaults:
    """In place of the sandbox's rules: the fault that was drawn for the request that
    comes next.
    """

    def __init__(self) -> None:
        self.next: Rule | None = None

    def strike(self, path: str) -> Rule | None:
        rule = self.next
        self.next = None
        return rule


class OpenBreaker(SignatureCheck):
    """Lets a request through that has used its nonce already: the service itself
    repeats it.
    """

    def check(
        self,
        headers: Mapping[str, str],
        logistics_query: Mapping[str, str] | None = None,
    ) -> None:
        pass


class Incoming:
    """As much of an aiohttp request as the sandbox looks at; it is its own
    connection.
    """

    remote = "127.0.0.1"

    def __init__(self, request: httpx.Request) -> None:
        self.method = request.method
        self.path = request.url.path
        self.query = dict(request.url.params)
        self.headers = CIMultiDict(request.headers)
        self.content_type = request.headers.get("content-type", "")
        self.transport = self
        self.cut = False
        self._body = request.content

    async def read(self) -> bytes:
        return self._body

    def abort(self) -> None:
        self.cut = True


class Network(httpx.AsyncBaseTransport):
    """Crashes and stops of the sender fall before the first byte, after it, and when
    the answer arrives.
    """

    calls_before_first_byte = True

    def __init__(self, episode: Episode) -> None:
        self._episode = episode
        self._loop = episode.loop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        process = current()
        luck = self._episode.misfortune
        assert process is not None
        path = request.url.path
        is_effect = request.extensions["call"].effect
        call = calls(path, effect=is_effect)
        fault = luck.fault(call)
        if away := luck.away(self._loop.time() - START):
            luck.count("outage")
            fault = Fault(away)
        text = "effect" if is_effect else "read"
        process.boundary(f"{text}: before the first byte")
        await asyncio.sleep(luck.wire_s())
        process.boundary(f"{text}: connected")
        if fault is not None and fault.kind is Kind.NO_CONNECTION:
            self._episode.note(f"{process.name} {path} no connection")
            raise httpx.ConnectError("connection refused")
        request.extensions["before_first_byte"]()
        answer: asyncio.Future[httpx.Response] = self._loop.create_future()
        incoming = Incoming(request)
        under_way_s = (
            fault.delay_s
            if fault is not None and fault.kind is Kind.SLOW
            else luck.wire_s()
        )
        self._loop.outside(
            under_way_s, self._arrive, process.name, call, fault, incoming, answer
        )
        process.boundary(f"{text}: after the first byte")
        response = await answer
        process.boundary(f"{text}: answered")
        return response

    def _arrive(
        self,
        sender: str,
        call: Call,
        fault: Fault | None,
        incoming: Incoming,
        answer: asyncio.Future[httpx.Response],
    ) -> None:
        episode = self._episode
        luck = self._episode.misfortune
        episode.land()
        if fault is None and luck.away(self._loop.time() - START) is Kind.NO_CONNECTION:
            fault = Fault(luck.outages.choice((Kind.DROP_BEFORE, Kind.DROP_AFTER)))
        orders_before = len(episode.world.books.orders)
        self._strike_before(fault)
        response = self._answered(incoming, fault)
        self._strike_after(fault, orders_before)
        if fault is not None and fault.kind is Kind.CARRIED_OUT_TWICE:
            response = self._answered_again(incoming)
        message = "cut" if incoming.cut else str(response.status)
        episode.note(
            f"{sender} {incoming.path} {fault.kind if fault else 'fine'} -> {message}"
        )
        if call not in (Call.PLAN, Call.READ):
            episode.check(f"{call} of {sender}")
        response = episode.told(call, fault, incoming, response)
        self._loop.outside(
            episode.misfortune.wire_s(), _reply, answer, incoming, response
        )

    def _strike_before(self, fault: Fault | None) -> None:
        episode = self._episode
        if fault is None:
            return
        if fault.kind is Kind.WALLET_SHORT:
            episode.world.books.set_balance(1)
        if fault.kind is Kind.SELLER_CLOSES:
            payable = [
                order for order in episode.world.books.every_order() if order.payable
            ]
            for order in payable[:1]:
                episode.world.close(order, "SELLER_CLOSED")
        if fault.kind is Kind.LATE_EFFECT:
            self._loop.outside(fault.delay_s + 0.002, episode.land)

    def _strike_after(self, fault: Fault | None, orders_before: int) -> None:
        if fault is not None and fault.kind is Kind.PRICE_RISES_AFTER:
            world = self._episode.world
            for order in list(world.books.orders.values())[orders_before:]:
                world.books.raise_prices(order, world.now())

    def _answered(self, incoming: Incoming, fault: Fault | None) -> web.Response:
        episode = self._episode
        if fault is not None and (kind := BY_SANDBOX.get(fault.kind)):
            episode.faults.next = Rule(incoming.path, kind, 1.0, None, fault.delay_s)
        return _done(episode.sandbox.handle(incoming))  # type: ignore[arg-type]

    def _answered_again(self, incoming: Incoming) -> web.Response:
        sandbox = self._episode.sandbox
        breaker = sandbox._signatures
        sandbox._signatures = OpenBreaker()
        try:
            return _done(sandbox.handle(incoming))  # type: ignore[arg-type]
        finally:
            sandbox._signatures = breaker


def _done(answering: Any) -> web.Response:
    """The sandbox awaits nothing but the body, which is there."""
    try:
        answering.send(None)
    except StopIteration as done:
        response: web.Response = done.value
        return response
    raise AssertionError("the sandbox waits for something")


def _reply(
    answer: asyncio.Future[httpx.Response], incoming: Incoming, response: web.Response
) -> None:
    if answer.done():
        return
    if incoming.cut:
        answer.set_exception(httpx.ReadError("the connection was cut"))
        return
    body = response.body if isinstance(response.body, bytes) else b""
    answer.set_result(
        httpx.Response(response.status, headers=response.headers, content=body)
    )
