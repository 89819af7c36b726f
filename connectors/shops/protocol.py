"""What a shop shows of an order, and how it learns that a parcel left: each call once,
each failure with a meaning.
"""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from connectors.foreign import LEAST_SECRET, clean, shortened, words_of
from connectors.http import (
    TRANSPORT_ERRORS,
    Address,
    Http,
    HttpAnswer,
    Send,
    Unreadable,
    sending,
)
from connectors.settings import is_loopback
from connectors.xportcn.errors import (
    ContractMismatch,
    Misconfigured,
    NotSent,
    Refused,
    Unanswered,
)
from connectors.xportcn.failures import retry_after_s
from domain.effects import Action
from domain.orders import ShopLine
from domain.shop_files import unmarked
from domain.shop_tracking import Parcel
from domain.wording import shorten

P = ParamSpec("P")
T = TypeVar("T")
TIMEOUT_S = 30.0
AT_ONCE = 4
"""Calls to one shop: both shops allow few a second."""
THROTTLED = "THROTTLED"
PAUSES_S = (3.0, 10.0, 30.0)
MAY_BE_UNDER_WAY = (408, 409, 423, 425)


class ShopCalls:
    """The connections to one shop, whose address has its credentials
    (`https://USER:PASSWORD@HOST`).

    Raises `Misconfigured` for an address that can't be used, which it does not quote.
    """

    def __init__(
        self, name: str, url: str, headers: Callable[[str, str], Mapping[str, str]]
    ) -> None:
        self._name = name
        try:
            parts = urlsplit(url)
            user, password = (
                unquote(parts.username or ""),
                unquote(parts.password or ""),
            )
            host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        except ValueError:
            host = user = password = ""
        is_safe = host and (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))
        )
        if not (
            is_safe
            and password
            and f"{user}{password}".isascii()
            and f"{user}{password}".isprintable()
        ):
            form = f"SOURCING_{name.upper()} must look like https://USER:PASSWORD@shop.example (docs/shops.md)"
            raise Misconfigured(form)
        self._headers = headers(user, password)
        self._secrets = [text for text in (user, password) if len(text) >= LEAST_SECRET]
        self._http = Http(
            Address(
                base_url=f"{parts.scheme}://{host}{parts.path}", max_connections=AT_ONCE
            )
        )
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def read(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Any:
        """The JSON of an answer to a call that changes nothing."""
        return await self._call(method, path, query or {}, body, Send())

    async def post(
        self,
        path: str,
        body: object,
        leave: Callable[[], None],
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON of the answer to a POST with consequences; `leave` is called before
        its first byte.
        """
        return await self._call(
            "POST", path, query or {}, body, Send(leave, action=Action.FULFIL)
        )

    async def _call(
        self, method: str, path: str, query: Mapping[str, str], body: object, send: Send
    ) -> Any:
        text = "" if body is None else json.dumps(body)
        try:
            async with self._turn:
                with sending(send):
                    async with asyncio.timeout(TIMEOUT_S):
                        answer = await self._http.exchange(
                            method, path, headers=self._headers, query=query, body=text
                        )
        except TRANSPORT_ERRORS as error:
            if isinstance(send.denied, NotSent):
                raise send.denied from None
            is_in_doubt = (
                send.action is not None and send.written and send.denied is None
            )
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
        what = str(
            given.get("message") or given.get("errors") or f"HTTP {answer.status}"
        )
        words = shortened(clean(what, self._secrets), 200)
        status, code = answer.status, str(given.get("code") or answer.status)
        if status == 429:
            wait = retry_after_s(answer.headers, time.time())
            raise NotSent(
                "too many calls",
                retry_after_s=wait,
                operation=self._name,
                status=status,
                code=THROTTLED,
            )
        if status in (401, 403):
            raise Misconfigured(
                f"{self._name} refuses the credentials: {words}", status=status
            )
        if 300 <= status < 400 or status == 402 or (status == 404 and code == "404"):
            raise Misconfigured(
                f"SOURCING_{self._name.upper()} leads to no open shop: {words}",
                status=status,
            )
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
        place = ".".join(
            str(step) for step in error.errors(include_input=False)[0]["loc"]
        )
        raise ContractMismatch(
            "the answer is not as the shop's API says", field=place
        ) from None


NOTHING_LEFT = "nothing_left"
"""The code of a refusal of ours: the shop's order can't take the parcel, and nothing
was sent.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLine:
    """A line of an order with the pieces `left` to be sent. `ref` names it to the shop,
    in the part `of` the order.
    """

    ref: str
    line: str
    sku: str
    name: str
    left: int
    of: str = ""

    def is_of(self, sku: str, wanted: ShopLine) -> bool:
        """Whether it is the line of an own SKU, by the shop's id where that is known,
        else as an export is read.
        """
        return (
            wanted.line == self.line
            if wanted.line
            else sku in (unmarked(self.sku), unmarked(self.name))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOrder:
    """An order as its shop shows it: the tracking `numbers` that it has, and the lines
    left. `why`: it can take none.

    `route` says by which of its ways the shop learns of parcels, `is_whole` that
    numbers are of orders there, not of lines.
    """

    numbers: frozenset[str] = frozenset()
    lines: tuple[ShownLine, ...] = ()
    why: str = ""
    route: str = ""
    is_whole: bool = False

    def refusal(self, parcel: Parcel) -> str:
        """Why the order can't have the parcel, if so; one that lacks a line of it may
        be another buyer's.
        """
        wanted = parcel.lines or parcel.of_order
        lacking = [
            sku
            for sku, one in wanted
            if not any(line.is_of(sku, one) for line in self.lines)
        ]
        if self.why or lacking:
            return self.why or f"it lacks {shorten(lacking)}"
        is_left = bool(wanted) if self.is_whole else bool(self.pieces(parcel))
        return "" if is_left else "nothing of these lines is left to be sent there"

    def pieces(self, parcel: Parcel) -> list[tuple[ShownLine, int]]:
        """The lines that go with a parcel, with as many pieces as are left."""
        taken = Counter[ShownLine]()
        for sku, wanted in parcel.lines:
            missing = wanted.quantity
            for line in self.lines:
                if line.is_of(sku, wanted):
                    count = min(missing, line.left - taken[line])
                    missing -= count
                    taken[line] += count
        return [(line, count) for line, count in taken.items() if count]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLine:
    """A line of an order that waits to be bought: a row of a request file, with `order`
    as the shop names it.
    """

    order: str
    line: str
    sku: str
    name: str
    quantity: int
    receiver_name: str
    receiver_phone: str
    receiver_email: str
    country: str
    state: str
    city: str
    zip: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingOrder:
    """A paid order with the lines to buy, `name` as its shop has it. `why`: it is not
    bought as it is.

    `sent`: it is so as some of it was sent, maybe by this program.
    """

    name: str
    lines: tuple[WaitingLine, ...] = ()
    why: str = ""
    sent: bool = False


def read_each(
    kind: type[T],
    found: Sequence[Any],
    key: str,
    read: Callable[[T], WaitingOrder | None],
) -> list[WaitingOrder]:
    """What `read` makes of each order; one that is not as declared is left out alone,
    named by what is at its `key`.
    """
    orders = list[WaitingOrder | None]()
    for one in found:
        try:
            orders.append(read(fitting(kind, one)))
        except ContractMismatch as error:
            name = (
                shortened(clean(str(one.get(key) or "")), 80)
                if isinstance(one, dict)
                else ""
            )
            orders.append(
                WaitingOrder(
                    name=name,
                    why=f"{error.field or 'it'} is not as the shop's API says",
                )
            )
    return [*filter(None, orders)]


@dataclass(frozen=True)
class Shop(ABC):
    """A shop's API. All methods raise as the connector's calls do
    (`connectors.xportcn.errors`).

    `asks`: the shop does not show all that keeps an order from being bought, so its
    orders need an approval.
    """

    asks: ClassVar[bool] = False
    calls: ShopCalls

    @staticmethod
    @abstractmethod
    def headers(user: str, password: str) -> Mapping[str, str]:
        """What user name and password of the address become."""

    @abstractmethod
    async def read(self, shop_ref: str) -> ShownOrder:
        """The order, read now."""

    @abstractmethod
    async def waiting(self) -> list[WaitingOrder]:
        """The paid orders that wait to be sent, in the shop's order."""

    @abstractmethod
    async def over(self, shop_ref: str) -> str:
        """What ended an order there, such as a cancellation; empty where the shop shows
        nothing of the kind.
        """

    async def sent(self, name: str) -> str:
        """What says that some of a waiting order was sent, where its shop shows that of
        one order at a time.
        """
        return ""

    async def patiently(
        self, read: Callable[P, Awaitable[T]], *args: P.args, **options: P.kwargs
    ) -> T:
        """What `read` answers, after pauses while the shop has too many calls: a
        nightly reading can wait.
        """
        for pause_s in PAUSES_S:
            try:
                return await read(*args, **options)
            except NotSent as error:
                wait_s = error.retry_after_s or pause_s
                if error.code != THROTTLED or wait_s > PAUSES_S[-1]:
                    raise
                await asyncio.sleep(wait_s)
        return await read(*args, **options)

    @abstractmethod
    async def fulfil(
        self, shown: ShownOrder, parcel: Parcel, carrier: str, leave: Callable[[], None]
    ) -> None:
        """Tell the shop once that a parcel left, which mails the buyer; `leave` is
        called before the first byte.
        """
