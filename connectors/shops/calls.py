"""Calls of a shop's API: each is sent once, and every failure has a meaning."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from connectors.foreign import LEAST_SECRET, clean, shortened, words_of
from connectors.http import TRANSPORT_ERRORS, Http, HttpAnswer, Send, Unreadable, sending
from connectors.settings import is_loopback
from connectors.xportcn.errors import ContractMismatch, Misconfigured, NotSent, Refused, Unanswered
from connectors.xportcn.failures import retry_after_s
from domain.effects import Action

T = TypeVar("T")
TIMEOUT_S = 30.0
AT_ONCE = 4
"""Calls to one shop: both shops allow few a second."""
MAY_BE_UNDER_WAY = (408, 409, 423, 425)


@dataclass(frozen=True, slots=True)
class ShopAddress:
    """The address of a shop, as its connections need it."""

    base_url: str
    most_answer_mb: int = 16
    connect_timeout_s: float = 5.0
    max_connections: int = AT_ONCE


class ShopCalls:
    """The connections to one shop, whose address has its credentials (`https://USER:PASSWORD@HOST`).

    Raises `Misconfigured` for an address that can't be used, which it does not quote.
    """

    def __init__(self, name: str, url: str, headers: Callable[[str, str], Mapping[str, str]]) -> None:
        self._name = name
        try:
            parts = urlsplit(url)
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
            host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        except ValueError:
            host = user = password = ""
        is_safe = host and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)))
        if not (is_safe and password and f"{user}{password}".isascii() and f"{user}{password}".isprintable()):
            form = f"SOURCING_{name.upper()} must look like https://USER:PASSWORD@shop.example (docs/shops.md)"
            raise Misconfigured(form)
        self._headers = headers(user, password)
        self._secrets = [text for text in (user, password) if len(text) >= LEAST_SECRET]
        self._http = Http(ShopAddress(f"{parts.scheme}://{host}{parts.path}"), None)
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def read(self, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """The JSON of an answer to a call that changes nothing."""
        return await self._call(method, path, query or {}, body, Send())

    async def post(
        self, path: str, body: object, leave: Callable[[], None], query: Mapping[str, str] | None = None
    ) -> Any:
        """The JSON of the answer to a POST with consequences; `leave` is called before its first byte."""
        return await self._call("POST", path, query or {}, body, Send(leave, action=Action.FULFIL))

    async def _call(self, method: str, path: str, query: Mapping[str, str], body: object, send: Send) -> Any:
        text = "" if body is None else json.dumps(body)
        try:
            async with self._turn:
                with sending(send):
                    async with asyncio.timeout(TIMEOUT_S):
                        answer = await self._http.exchange(method, path, headers=self._headers, query=query, body=text)
        except TRANSPORT_ERRORS as error:
            if isinstance(send.denied, NotSent):
                raise send.denied from None
            is_in_doubt = send.action is not None and send.written and send.denied is None
            kind = Unanswered if is_in_doubt else NotSent
            raise kind(words_of(send.denied or error), operation=self._name) from error
        except Unreadable as error:
            words = "the answer is too large, or packed in a way that was not asked for"
            raise Unanswered(words, operation=self._name) from error
        return self._judged(answer)

    def _judged(self, answer: HttpAnswer) -> Any:
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        given = found if isinstance(found, dict) else {}
        what = str(given.get("message") or given.get("errors") or f"HTTP {answer.status}")
        words = shortened(clean(what, self._secrets), 200)
        status, code = answer.status, str(given.get("code") or answer.status)
        if status == 429:
            wait = retry_after_s(answer.headers, time.time())
            raise NotSent("too many calls", retry_after_s=wait, operation=self._name, status=status)
        if status in (401, 403):
            raise Misconfigured(f"{self._name} refuses the credentials: {words}", status=status)
        if 300 <= status < 400 or status == 402 or (status == 404 and code == "404"):
            raise Misconfigured(f"SOURCING_{self._name.upper()} leads to no open shop: {words}", status=status)
        if 400 <= status < 500 and status not in MAY_BE_UNDER_WAY:
            raise Refused(words, operation=self._name, status=status, code=code)
        if not 200 <= status < 300 or found is None:
            raise Unanswered(words, operation=self._name, status=status)
        return found


def fitting(kind: type[T], found: object) -> T:
    """An answer as it must be. Raises `ContractMismatch`."""
    try:
        return TypeAdapter(kind).validate_python(found)
    except ValidationError as error:
        place = ".".join(str(step) for step in error.errors(include_input=False)[0]["loc"])
        raise ContractMismatch("the answer is not as the shop's API says", field=place) from None
