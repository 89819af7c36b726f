"""The client: reads are repeated, effects are sent once under a claim, and every
failure has a meaning.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

from pydantic import ValidationError

from connectors.foreign import LEAST_SECRET, shortened, words_of
from connectors.http import (
    TRANSPORT_ERRORS,
    Http,
    HttpAnswer,
    Send,
    Unreadable,
    is_garbled,
    sending,
)
from connectors.settings import MissingSetting
from connectors.units import Unit, parse_units
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
from connectors.xportcn.leased_permits import DailyCalls
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
from connectors.xportcn.settings import XportcnSettings
from connectors.xportcn.wire import Bounds, PointInFen
from domain.effects import Claim


def new_nonce() -> str:
    """32 random characters of [A-Za-z0-9]: hex is enough of them, and fast."""
    return secrets.token_hex(16)


def signature(
    *, access_key: str, timestamp: str, nonce: str, access_secret: str
) -> str:
    """MD5 of the four texts joined without separators, in upper-case hex."""
    text = f"{access_key}{timestamp}{nonce}{access_secret}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


LOGISTICS = "/open/pp/logistics/"
PAGES = ("page_no", "page", "start_page", "begin_page")


class SignatureAuth:
    """Signs every request anew: a nonce is good for one try only."""

    def __init__(
        self,
        settings: XportcnSettings,
        *,
        clock: Callable[[], float],
        nonces: Callable[[], str] = new_nonce,
    ) -> None:
        self._access_key, self._secret = (
            settings.access_key,
            settings.access_secret.get_secret_value(),
        )
        self._user_id = settings.user_id
        self._signs_query = settings.logistics_sign == "signature"
        self._per_second = 1000 if settings.timestamp_unit == "ms" else 1
        self._clock = clock
        self._nonces = nonces

    def headers(self) -> dict[str, str]:
        """The five headers of contract 1.3."""
        timestamp, nonce = str(int(self._clock() * self._per_second)), self._nonces()
        return {
            "access-key": self._access_key,
            "user-id": self._user_id,
            "timestamp": timestamp,
            "nonce-str": nonce,
            "signature": signature(
                access_key=self._access_key,
                timestamp=timestamp,
                nonce=nonce,
                access_secret=self._secret,
            ),
        }

    def query(self, headers: Mapping[str, str], operation: Operation) -> dict[str, str]:
        """Headers that the query repeats: in logistics calls, wherever an override
        moves them, and in those there.
        """
        if self._signs_query and (
            operation.group == warehouse.LOGISTICS.name or LOGISTICS in operation.path
        ):
            return {"timestamp": headers["timestamp"], "sign": headers["signature"]}
        return {}


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


class XportcnClient:
    """Calls the service. An async context manager; one a process and event loop.

    `on_send` is called synchronously with each claim of an effect, right before its
    first byte leaves. If it raises, nothing is written: `NotSent` passes as it is,
    anything else becomes the cause of a `NotSent`. Another `http` must call the hooks
    of `connectors.http` itself. Every call passes the `breaker`; the default breaker is
    the client's own and waits for nothing. Each call but a probe counts as one of the
    day's `calls`.
    """

    def __init__(
        self,
        settings: XportcnSettings,
        *,
        on_send: Callable[[Claim], None] = lambda _claim: None,
        clock: Callable[[], float] = time.time,
        nonces: Callable[[], str] = new_nonce,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        http: Http | None = None,
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
        self._http = http or Http(base_url=settings.base_url, max_connections=most)

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
        await self._http.aclose()

    async def read(self, call: ReadCall[Req, Res], request: Req) -> Res:
        """Make a call that changes nothing; failures that may pass are tried again
        inside.
        """
        if not isinstance(call, ReadCall):
            raise TypeError(f"{call.name} has an effect: it needs a claim")
        request = _counted(request, self.settings.first_page)
        tried, since = 0, self.breaker.now()
        while True:
            await self._take_call()
            async with self.breaker.passing(holds_lease=False):
                result = await self._attempt(call, request, Send())
            if not isinstance(result, FailedCall):
                return result
            tried += 1
            await self._before_next_try(result, tried, since)

    async def effect(
        self, call: EffectCall[Req, Res], request: Req, *, claim: Claim
    ) -> Res:
        """Make a call with consequences: sent exactly once, or not at all."""
        return await self.joint_effect(call, request, claims=(claim,))

    async def joint_effect(
        self, call: EffectCall[Req, Res], request: Req, *, claims: Sequence[Claim]
    ) -> Res:
        """One call with the consequences of several claims: `on_send` must let all of
        them go, or nothing is sent.
        """
        _require_claims(call, claims)

        def leave() -> None:
            for claim in claims:
                self._on_send(claim)

        return await self._send_once(call, request, Send(leave, action=call.action))

    async def by_hand(self, call: Call[Req, Res], request: Req) -> Res:
        """Make a call that a person asks for, under no claim: sent exactly once, or not
        at all. One that a command makes safely is none.
        """
        if call.command:
            raise TypeError(f"{call.name} is made by {call.command}: it needs a claim")
        return await self._send_once(call, request, Send())

    async def _send_once(self, call: Call[Req, Res], request: Req, send: Send) -> Res:
        await self._take_call()
        async with self.breaker.passing(holds_lease=call.effect):
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
        answer = await self._exchange(warehouse.ADDRESSES, Nothing(), Send())
        if isinstance(answer, FailedCall):
            return False
        judged = self._judge(warehouse.ADDRESSES, answer)
        return not isinstance(judged, FailedCall) or not is_missed(judged.failure)

    async def _attempt(
        self, call: Call[Req, Res], request: Req, send: Send
    ) -> Res | FailedCall:
        started = self.breaker.now()
        result = await self._exchange(call, request, send)
        seconds = self.breaker.now() - started
        if log.isEnabledFor(logging.DEBUG):
            _log(self.overrides[call].operation, seconds, result)
        if isinstance(result, FailedCall):
            self._report(result)
            return result
        judged = self._judge(call, result)
        if isinstance(judged, FailedCall):
            self._report(judged)
        else:
            self.breaker.on_success(call.path, seconds)
        return judged

    def _report(self, result: FailedCall) -> None:
        if is_throttled(result.failure):
            self.breaker.on_throttled(result.retry_after_s)
        elif is_missed(result.failure):
            self.breaker.on_failure(what_came(result))
        else:
            self.breaker.on_success()

    async def _exchange(
        self, call: Call[Req, Res], request: Req, send: Send
    ) -> Answer | FailedCall:
        """Send and read the whole answer, in `timeout_s` at most; a broken exchange is
        a failed call.
        """
        try:
            with sending(send):
                async with asyncio.timeout(self.settings.timeout_s):
                    received = await self._sent(call, request)
        except TRANSPORT_ERRORS as error:
            if send.denied is not None:
                _raise_denied(call, send.denied)
            timed_out = isinstance(error, TimeoutError) or isinstance(
                error.__cause__, TimeoutError
            )
            broken = FailureKind.GARBLED if is_garbled(error) else FailureKind.BROKEN
            words = (
                f"{self.settings.timeout_s:g} s"
                if type(error) is TimeoutError
                else words_of(error)
            )
            return self._unanswered(
                call,
                FailureKind.TIMED_OUT if timed_out else broken,
                words,
                sent=send.written,
            )
        except Unreadable as error:  # another try would end in the same way
            return self._unanswered(call, FailureKind.MISFIT, str(error), sent=True)
        envelope = without_the_receiver(
            open_envelope(received.body, self._secrets), request
        )
        return Answer(received.status, received.headers, envelope)

    async def _sent(self, call: Call[Req, Res], request: Req) -> HttpAnswer:
        override = self.overrides[call]
        operation = override.operation
        path, query, body = operation.path, {}, ""
        if operation.method == "GET":
            path, fields = path_and_query(path, request.query(self._unit_of(call)))
            query = renamed(fields, override.request, reading=False)
        else:
            body = renamed(
                request.body(self._unit_of(call)), override.request, reading=False
            )
        headers = self._auth.headers()
        query |= self._auth.query(headers, operation)
        return await self._http.exchange(
            operation.method, path, headers=headers, query=query, body=body
        )

    def bounds_of(self, call: Call[Req, Res]) -> Bounds:
        """How the amounts of an operation's answer are read."""
        return replace(self._bounds, unit=self._unit_of(call))

    def _unit_of(self, call: Call[Req, Res]) -> Unit | None:
        return self._units.get(call.place)

    def _unanswered(
        self, call: Call[Req, Res], kind: FailureKind, words: str, *, sent: bool
    ) -> FailedCall:
        """A call whose answer did not come, or was not read to its end."""
        failure = Failure(kind=kind, effect=call.effect, sent=sent)
        return FailedCall(
            operation=self.overrides[call].operation,
            address=self.address,
            failure=failure,
            words=words,
        )

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
        for part in data if isinstance(data, tuple) else (data,):
            if isinstance(part, EffectAnswer):
                part.came_with(envelope.request_id)
        return data

    def _failed(
        self,
        call: Call[Req, Res],
        answer: Answer,
        kind: FailureKind,
        error: ValidationError | None = None,
    ) -> FailedCall:
        envelope, now = answer.envelope, self._clock()
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


def _require_claims(call: EffectCall[Any, Any], claims: Sequence[Claim]) -> None:
    name, keys = call.name, {claim.key for claim in claims}
    if not claims or len(keys) < len(claims):
        raise ValueError(
            f"{name} is sent under one claim an effect, not under {len(claims)} with {len(keys)} keys"
        )
    if wrong := [claim.action for claim in claims if claim.action is not call.action]:
        raise ValueError(
            f"{name} is sent under a claim to {call.action}, not to {wrong[0]}"
        )


def _is_known_refusal(call: Call[Any, Any], envelope: Opened | None) -> bool:
    if envelope is None:
        return False
    return (
        envelope.code in call.refusals
        if isinstance(call, EffectCall)
        else problem_in(envelope.words) is not None
    )


def _raise_denied(call: Call[Any, Any], denied: Exception) -> NoReturn:
    name = call.name
    if isinstance(denied, NotSent):
        denied.operation = denied.operation or name
        raise denied
    words = f"leave to send was not given ({type(denied).__name__})"
    raise NotSent(words, operation=name) from denied


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
    outcome, request_id = (
        result.failure.kind if isinstance(result, FailedCall) else result.status,
        "",
    )
    if isinstance(result, Answer) and result.envelope:
        request_id = result.envelope.request_id
    log.debug(
        "%s: %s %s -> %s in %.0f ms, request %s",
        operation.name, operation.method, operation.path, outcome, seconds * 1000, request_id or "-",
    )  # fmt: skip
