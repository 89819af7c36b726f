"""The client: reads are repeated, effects are sent once under a claim, and every
failure has a meaning.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from connectors.answer_bodies import HEADERS, Unreadable, read_body
from connectors.crash_points import AFTER_SEND, reach
from connectors.foreign import LEAST_SECRET, shortened, words_of
from connectors.once_transport import OnceTransport
from connectors.settings import MissingSetting
from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.envelope import Opened, open_envelope, without_the_receiver
from connectors.xportcn.errors import Misconfigured, NotSent, ServiceAway
from connectors.xportcn.failures import (
    NOT_FOUND,
    OUT_OF_ORDER,
    FailedCall,
    Failure,
    FailureKind,
    Meaning,
    error_of,
    is_missed,
    is_throttled,
    problem_in,
    retry_after_s,
    skew_s,
    wait_before_retry,
    what_came,
)
from connectors.xportcn.models import EffectAnswer, Nothing, field_of, path_and_query
from connectors.xportcn.operations import warehouse
from connectors.xportcn.operations.operation import (
    Call,
    EffectCall,
    Operation,
    ReadCall,
    Req,
    Res,
)
from connectors.xportcn.overrides import load_overrides, renamed
from connectors.xportcn.permits import DailyCalls
from connectors.xportcn.settings import XportcnSettings
from connectors.xportcn.signing import SignatureAuth, new_nonce
from connectors.xportcn.units import parse_units
from connectors.xportcn.wire import Bounds, PointInFen, Unit
from domain.effects import Claim

PAGES = ("page_no", "page", "start_page", "begin_page")
JSON_HEADERS = {**HEADERS, "content-type": "application/json"}
KIND_OF: dict[type[Exception], FailureKind] = {
    Unreadable: FailureKind.MISFIT,  # another try would end in the same way
    httpx.DecodingError: FailureKind.GARBLED,
    httpx.RemoteProtocolError: FailureKind.GARBLED,
    httpx.TimeoutException: FailureKind.TIMED_OUT,
    TimeoutError: FailureKind.TIMED_OUT,
    httpx.TransportError: FailureKind.BROKEN,
    httpx.InvalidURL: FailureKind.BROKEN,
}
"""What an exception means in place of an answer; the first row that fits counts."""

log = logging.getLogger("xportcn")


@dataclass(slots=True)
class Answer:
    """An HTTP answer out of its envelope."""

    status: int
    headers: Mapping[str, str]
    envelope: Opened | None


CALLS_AT_ONCE = 32
MAX_AMOUNT_MINOR = 10_000_000_00
"""No price, fee or order in an answer is believed above ten million yuan, or as many of
its currency: a unit is wrong then.
"""
MAX_ANSWER_BYTES = 16 << 20
"""Unpacked: what is larger is no answer of an order service, and would fill the
memory.
"""


class Send:
    """The way of one request onto the wire. `written` is true once its first byte may
    have left. A read, and a call by hand, have no claim.
    """

    def __init__(
        self,
        operation: str,
        claim: Claim | None = None,
        on_send: Callable[[Claim], None] = lambda _claim: None,
    ) -> None:
        self._operation = operation
        self._claim = claim
        self._on_send = on_send
        self.written = False

    def before_first_byte(self) -> None:
        """Note the claim. Raises `NotSent`, and on a second time `httpx.WriteError`:
        then nothing is to be written.
        """
        if self.written:
            raise httpx.WriteError("no request is written a second time")
        try:
            if self._claim:
                self._on_send(self._claim)
        except NotSent as error:
            error.operation = error.operation or self._operation
            raise
        except Exception as error:
            words = f"leave to send was not given ({type(error).__name__})"
            raise NotSent(words, operation=self._operation) from error
        self.written = True


class XportcnClient:
    """Calls the service. An async context manager; one a process and event loop.

    `on_send` is called synchronously with each claim of an effect, right before its
    first byte leaves. If it raises, nothing is written: `NotSent` passes as it is,
    anything else becomes the cause of a `NotSent`. Another `transport` is handed a
    request after that call, so that an effect whose connection fails is in doubt too,
    unless its attribute `calls_before_first_byte` is true: then it calls the request's
    extension `before_first_byte`, as `OnceTransport` does. Every call passes the
    `breaker`; the default breaker is the client's own and waits for nothing. Each call
    but a probe counts as one of the day's `calls`.
    """

    def __init__(
        self,
        settings: XportcnSettings,
        *,
        on_send: Callable[[Claim], None] = lambda _claim: None,
        clock: Callable[[], float] = time.time,
        nonces: Callable[[], str] = new_nonce,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
        breaker: CircuitBreaker | None = None,
        at_once: int = 0,
        calls: DailyCalls | None = None,
    ) -> None:
        self.address = _address(settings)
        self.overrides = load_overrides(settings.overrides)
        self.settings = settings
        self._answered = set[str]()
        self._on_send = on_send
        self._calls = calls
        self._clock = clock
        self._sleep = sleep
        self._secrets = _secrets(settings)
        self._units = parse_units(settings.units)
        self._bounds = Bounds(most_minor=MAX_AMOUNT_MINOR)
        most = at_once or CALLS_AT_ONCE
        self.breaker = breaker or CircuitBreaker(
            at_once=most, per_second=settings.requests_per_second, sleep=sleep
        )
        self.breaker.register(self._probe, at_once=most)
        self._auth = SignatureAuth(settings, clock=clock, nonces=nonces)
        self._transport = transport or OnceTransport()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        self.breaker.unregister(self._probe)
        await self._transport.aclose()

    async def read(self, call: ReadCall[Req, Res], request: Req) -> Res:
        """Make a call that changes nothing; failures that may pass are tried again
        inside.
        """
        if not isinstance(call, ReadCall):
            raise TypeError(f"{call.name} has an effect: it needs a claim")
        request = _counted(request, self.settings.first_page)
        tried = 0
        since = self.breaker.now()
        while True:
            await self._take_call()
            async with self.breaker.passing(holds_lease=False):
                result = await self._attempt(call, request, Send(call.name))
            if not isinstance(result, FailedCall):
                return result
            tried += 1
            await self._before_next_try(result, tried, since)

    async def effect(
        self, call: EffectCall[Req, Res], request: Req, *, claim: Claim
    ) -> Res:
        """Make a call with consequences: sent exactly once, or not at all."""
        if claim.action is not call.action:
            raise ValueError(
                f"{call.name} is sent under a claim to {call.action}, not to {claim.action}"
            )
        return await self._send_once(call, request, claim)

    async def by_hand(self, call: Call[Req, Res], request: Req) -> Res:
        """Make a call that a person asks for, under no claim: sent exactly once, or not
        at all. One that a command makes safely is none.
        """
        if call.command:
            raise TypeError(f"{call.name} is made by {call.command}: it needs a claim")
        return await self._send_once(call, request)

    async def _send_once(
        self, call: Call[Req, Res], request: Req, claim: Claim | None = None
    ) -> Res:
        await self._take_call()
        async with self.breaker.passing(holds_lease=call.effect):
            send = Send(call.name, claim, self._on_send)
            result = await self._attempt(call, request, send)
        if isinstance(result, FailedCall):
            raise error_of(result)
        return result

    async def _take_call(self) -> None:
        if self._calls:
            await self._calls.take()

    async def _before_next_try(
        self, failed: FailedCall, tried: int, since: float
    ) -> None:
        """Return when a read is to be made again, or raise the error. While calls are
        held back, the breaker waits.
        """
        passes = failed.meaning in (Meaning.RETRY_NOW, Meaning.RETRY_LATER)
        if (
            passes
            and self.breaker.waits
            and (self.breaker.blocked_by or is_throttled(failed.failure))
        ):
            if not self.breaker.has_patience(since):
                error = error_of(failed)
                raise ServiceAway(error.message, operation=error.operation)
            return
        wait = wait_before_retry(
            failed.meaning,
            tried=tried,
            retries=self.settings.retries,
            retry_after_s=failed.retry_after_s,
            luck=random.random(),
        )
        if wait is None:
            raise error_of(failed)
        await self._sleep(wait)

    async def _probe(self) -> bool:
        """One cheap call past the breaker: whether the service answers at all."""
        answer = await self._exchange(
            warehouse.ADDRESSES, Nothing(), Send(warehouse.ADDRESSES.name)
        )
        if isinstance(answer, FailedCall):
            return False
        judged = self._judge(warehouse.ADDRESSES, answer)
        return not isinstance(judged, FailedCall) or not is_missed(judged.failure)

    async def _attempt(
        self, call: Call[Req, Res], request: Req, send: Send
    ) -> Res | FailedCall:
        started = self.breaker.now()
        result = await self._exchange(call, request, send)
        if log.isEnabledFor(logging.DEBUG):
            seconds = self.breaker.now() - started
            _log(self.overrides[call].operation, seconds, result)
        if isinstance(result, FailedCall):
            judged: Res | FailedCall = result
        else:
            judged = self._judge(call, result)
        if isinstance(judged, FailedCall) and is_throttled(judged.failure):
            self.breaker.on_throttled(judged.retry_after_s)
        elif isinstance(judged, FailedCall) and is_missed(judged.failure):
            self.breaker.on_failure(what_came(judged))
        else:
            self.breaker.on_success()
        return judged

    async def _exchange(
        self, call: Call[Req, Res], request: Req, send: Send
    ) -> Answer | FailedCall:
        """Send and read the whole answer, in `timeout_s` at most; a broken exchange is
        a failed call.
        """
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                response, body = await self._send(call, request, send)
        except tuple(KIND_OF) as error:
            kind = next(KIND_OF[cause] for cause in KIND_OF if isinstance(error, cause))
            is_total = type(error) is TimeoutError
            words = f"{self.settings.timeout_s:g} s" if is_total else words_of(error)
            return FailedCall(
                operation=self.overrides[call].operation,
                address=self.address,
                failure=Failure(kind=kind, effect=call.effect, sent=send.written),
                words=words,
            )
        envelope = without_the_receiver(open_envelope(body, self._secrets), request)
        return Answer(response.status_code, response.headers, envelope)

    async def _send(
        self, call: Call[Req, Res], request: Req, send: Send
    ) -> tuple[httpx.Response, bytes]:
        """The transport takes the request itself: httpx's client keeps cookies and logs
        addresses, which may be signed.
        """
        signed = next(self._auth.auth_flow(self._http_request(call, request)))
        if getattr(self._transport, "calls_before_first_byte", False):
            signed.extensions["before_first_byte"] = send.before_first_byte
        else:
            send.before_first_byte()
        response = await self._transport.handle_async_request(signed)
        try:
            if isinstance(call, EffectCall):
                reach(AFTER_SEND, call.action)
            body = await read_body(response, MAX_ANSWER_BYTES)
        finally:
            await response.aclose()
        return response, body

    def _http_request(self, call: Call[Req, Res], request: Req) -> httpx.Request:
        override = self.overrides[call]
        path = override.operation.path
        query = {}
        body = ""
        if override.operation.method == "GET":
            path, fields = path_and_query(path, request.query(self._unit_of(call)))
            query = renamed(fields, override.request, reading=False)
        else:
            body = renamed(
                request.body(self._unit_of(call)), override.request, reading=False
            )
        return httpx.Request(
            override.operation.method,
            _url(f"{self.settings.base_url.rstrip('/')}{path}"),
            params=query or None,
            headers=JSON_HEADERS if body else HEADERS,
            content=body or None,
            extensions={"call": call},
        )

    def bounds_of(self, call: Call[Req, Res]) -> Bounds:
        """How the amounts of an operation's answer are read."""
        return replace(self._bounds, unit=self._unit_of(call))

    def _unit_of(self, call: Call[Req, Res]) -> Unit | None:
        return self._units.get(call.place)

    def _judge(self, call: Call[Req, Res], answer: Answer) -> Res | FailedCall:
        envelope = answer.envelope
        if envelope is None or not envelope.ok or not 200 <= answer.status < 300:
            return self._failed(call, answer, FailureKind.ANSWERED)
        self._answered.add(call.path)
        try:
            data = call.parse(
                renamed(envelope.data, self.overrides[call].response, reading=True),
                self.bounds_of(call),
            )
        except ValidationError as error:
            return self._failed(call, answer, FailureKind.MISFIT, error)
        if isinstance(data, EffectAnswer):
            data.came_with(envelope.request_id)
        return data

    def _failed(
        self,
        call: Call[Req, Res],
        answer: Answer,
        kind: FailureKind,
        error: ValidationError | None = None,
    ) -> FailedCall:
        envelope = answer.envelope
        now = self._clock()
        field, fault, is_point = _misfit(error) if error else ("", "", False)
        code = envelope.code if envelope else None
        return FailedCall(
            operation=self.overrides[call].operation,
            address=self.address,
            failure=Failure(
                kind=kind,
                effect=call.effect,
                sent=True,
                status=answer.status,
                code=code,
                is_known_refusal=_is_known_refusal(call, envelope),
                says_why=bool(
                    envelope
                    and (envelope.words or code == NOT_FOUND)
                    and not OUT_OF_ORDER.search(envelope.words)
                ),
                served=bool(self._answered),
                proven=call.path in self._answered,
            ),
            words=envelope.words
            if envelope and not envelope.ok
            else "",  # a success may quote the receiver
            request_id=envelope.request_id if envelope else "",
            retry_after_s=retry_after_s(answer.headers, now),
            skew_s=skew_s(answer.headers, now),
            field=field,
            fault=fault,
            place=call.place if is_point else "",
        )


_url = lru_cache(maxsize=256)(httpx.URL)
"""Addresses of calls: httpx parses one in the time that it takes to build the rest of a
request.
"""


def _counted(request: Req, first_page: int) -> Req:
    """A request for a page, which counts from 1 here, as the service counts."""
    field = next((name for name in PAGES if name in type(request).model_fields), "")
    if not field or first_page == 1:
        return request
    number = getattr(request, field) - 1 + first_page
    return request.model_copy(update={field: number})


def _address(settings: XportcnSettings) -> str:
    """Scheme, host and port of the service; raises `Misconfigured` for settings that
    can't work.
    """
    try:
        settings.require_account()
        parts = urlsplit(settings.base_url)
        port = f":{parts.port}" if parts.port else ""
    except (MissingSetting, ValueError) as error:
        raise Misconfigured(str(error)) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(
            "XPORTCN_BASE_URL must look like https://host/api or http://127.0.0.1:8790"
        )
    account = (
        settings.access_key,
        settings.access_secret.get_secret_value(),
        settings.user_id,
    )
    if not all(
        part.isascii() and part.isprintable() and " " not in part for part in account
    ):
        raise Misconfigured(
            "XPORTCN_ACCESS_KEY, _ACCESS_SECRET or _USER_ID holds a blank, a line break or worse"
        )
    return f"{parts.scheme}://{parts.hostname}{port}"


def _is_known_refusal(call: Call[Any, Any], envelope: Opened | None) -> bool:
    if envelope is None:
        return False
    return (
        envelope.code in call.refusals
        if isinstance(call, EffectCall)
        else problem_in(envelope.words) is not None
    )


def _misfit(error: ValidationError) -> tuple[str, str, bool]:
    """The field that does not fit, and the fault in the words of our own readers, never
    the value.

    Of an amount with a decimal point where fen are whole, which comes first, it is the
    amount; and then true.
    """
    faults = error.errors(include_input=False, include_url=False)
    points = [
        fault
        for fault in faults
        if isinstance(fault.get("ctx", {}).get("error"), PointInFen)
    ]
    told = (points or faults)[0]
    why: Any = told["ctx"]["error"] if told["type"] == "value_error" else ""
    return (
        field_of(told) or "data",
        shortened(str(why.amount if points else why)),
        bool(points),
    )


def _secrets(settings: XportcnSettings) -> tuple[str, ...]:
    """Secrets to remove from answers, the longest first: a secret may contain
    another.
    """
    known = {settings.access_secret.get_secret_value(), settings.access_key}
    return tuple(
        sorted(
            (text for text in known if len(text) >= LEAST_SECRET), key=len, reverse=True
        )
    )


def _log(operation: Operation, seconds: float, result: Answer | FailedCall) -> None:
    outcome = result.failure.kind if isinstance(result, FailedCall) else result.status
    request_id = ""
    if isinstance(result, Answer) and result.envelope:
        request_id = result.envelope.request_id
    log.debug(
        "%s: %s %s -> %s in %.0f ms, request %s",
        operation.name, operation.method, operation.path, outcome, seconds * 1000, request_id or "-",
    )  # fmt: skip
