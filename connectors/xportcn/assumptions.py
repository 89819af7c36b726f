"""What the contract leaves open and a call that costs nothing shows: asked both ways
once, and kept for the account.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel

from connectors.xportcn.errors import (
    Misconfigured,
    Refused,
    ServiceAway,
    TakenBothWays,
    Unanswered,
    XportcnError,
)
from connectors.xportcn.failures import ANY_NO
from connectors.xportcn.models import FittingRows
from connectors.xportcn.operations.operation import ReadCall, Req, Res
from connectors.xportcn.settings import XportcnSettings

SHOP, DISTRIBUTION = "shop", "distribution"
ABROAD, WAREHOUSE = "abroad", "warehouse"


class Assumption(StrEnum):
    """An open point, by the name of the setting that closes it."""

    FREIGHT_IDS = "freight_ids"
    TAOBAO_RECEIVER = "taobao_receiver"


WAYS: Mapping[Assumption, tuple[str, str]] = {
    Assumption.FREIGHT_IDS: (SHOP, DISTRIBUTION),
    Assumption.TAOBAO_RECEIVER: (ABROAD, WAREHOUSE),
}
"""The ways to take each, that of the contract first."""
POINT = {
    Assumption.FREIGHT_IDS: "Taobao's goods in freight calls",
    Assumption.TAOBAO_RECEIVER: "the receiver of Taobao's orders",
}
ABOUT = {
    Assumption.FREIGHT_IDS: re.compile(
        r"\b(?:item|sku|goods|product)|\bids?\b|商品|货品", re.IGNORECASE
    ),
    Assumption.TAOBAO_RECEIVER: re.compile(
        "address|receiver|country|地址|收货|收件|国家", re.IGNORECASE
    ),
}
"""Words of a refusal that is about it."""


class Kept(Protocol):
    """Where an account's answers outlast the process."""

    def shown(self, name: str) -> str:
        """What was shown last; empty for nothing."""

    def show(self, name: str, value: str) -> None: ...


class Assumptions:
    """The ways of one account: by its settings, else by what was shown, else the
    contract's.
    """

    def __init__(self, settings: XportcnSettings, kept: Kept | None = None) -> None:
        self._kept = kept
        self._settles = not settings.is_sandbox
        self._known = {
            one: str(way) for one in Assumption if (way := getattr(settings, one))
        }
        if kept is not None:
            self._known = {
                one: way for one in Assumption if (way := kept.shown(one))
            } | self._known
        self._taken_both_ways: dict[Assumption, TakenBothWays] = {}
        self._one_at_a_time = defaultdict[Assumption, asyncio.Lock](asyncio.Lock)

    def way(self, assumption: Assumption) -> str:
        return self._known.get(assumption, WAYS[assumption][0])

    async def ask(
        self, assumption: Assumption, call: Callable[[str], Awaitable[Res]]
    ) -> Res:
        """Make a call that changes nothing in the known way, else in both until one is
        refused in words about it.

        Raises `TakenBothWays` where neither is. A local sandbox is asked the other way
        only after such a refusal.
        """
        if not self._settles and assumption not in self._known:
            try:
                return await call(self.way(assumption))
            except (Refused, Unanswered) as refused:
                if not _is_about(assumption, refused):
                    raise
        if assumption not in self._known:
            async with self._one_at_a_time[assumption]:
                if assumption not in self._known:
                    return await self._both_ways(assumption, call)
        return await call(self.way(assumption))

    async def _both_ways(
        self, assumption: Assumption, call: Callable[[str], Awaitable[Res]]
    ) -> Res:
        if error := self._taken_both_ways.get(assumption):
            raise error
        answers, refusals = dict[str, Res](), list[Refused | Unanswered]()
        for way in WAYS[assumption]:
            try:
                answers[way] = await call(way)
            except (Refused, Unanswered) as refused:
                if isinstance(refused, Unanswered) and not _is_about(
                    assumption, refused
                ):
                    raise
                refusals.append(refused)
        if not answers:
            raise refusals[0]
        if not any(_is_about(assumption, refused) for refused in refusals):
            error = TakenBothWays(
                POINT[assumption],
                setting=f"XPORTCN_{assumption.upper()}",
                ways=WAYS[assumption],
                refused=refusals[0].message if refusals else "",
            )
            self._taken_both_ways[assumption] = error
            raise error
        ((way, answer),) = answers.items()
        self._known[assumption] = way
        if self._kept is not None:
            await asyncio.to_thread(self._kept.show, assumption, way)
        return answer


def _is_about(assumption: Assumption, refused: Refused | Unanswered) -> bool:
    """Whether it is a no in words about it; under the code of a fault too."""
    is_no = isinstance(refused, Refused) or refused.code == ANY_NO
    return is_no and bool(ABOUT[assumption].search(refused.message))


PAGES = ("page_no", "page", "start_page", "begin_page")
FIRST = 1
"""The number of a list's first page here, and by the contract."""


class Reads(Protocol):
    """Makes a call that changes nothing; `once`: without further tries."""

    async def __call__(
        self, call: ReadCall[Req, Res], request: Req, *, once: bool = False
    ) -> Res: ...


class PageBases:
    """The number of the first page of each list of an account. A local sandbox counts
    as the contract does.
    """

    def __init__(self, settings: XportcnSettings, kept: Kept | None = None) -> None:
        self._kept = kept
        self._is_real = not settings.is_sandbox
        self._known: dict[str, int] = {}
        self._tried = set[str]()
        self._one_at_a_time = defaultdict[str, asyncio.Lock](asyncio.Lock)

    async def read(self, read: Reads, call: ReadCall[Req, Res], request: Req) -> Res:
        """Read a page whose number counts from 1. Where a list's base is open its first
        page is read by both.
        """
        field = _page_field(type(request))
        if not (field and self._is_real and issubclass(call.response, BaseModel)):
            return await read(call, request)
        page: int = getattr(request, field)
        if call.path not in self._known and call.path not in self._tried:
            async with self._one_at_a_time[call.path]:
                if self._kept is not None and (
                    base := await asyncio.to_thread(self._kept.shown, _name(call.path))
                ):
                    self._known[call.path] = int(base)
                if call.path not in self._known and page == FIRST:
                    self._tried.add(call.path)
                    return await self._both(read, call, request, field)
        if call.path not in self._known and page == FIRST:
            return await self._both(read, call, request, field)
        return await read(
            call, _at(request, field, page - FIRST + self._known.get(call.path, FIRST))
        )

    async def _both(
        self, read: Reads, call: ReadCall[Req, Res], request: Req, field: str
    ) -> Res:
        """The first page. A list from 1 refuses page 0, shows nothing there, or the
        first page again.

        Where page 0 is another one, page 1 has to be as it was: new rows make another
        one of a list from 1 too.
        """
        by_one = await read(call, request)
        try:
            by_zero = await read(call, _at(request, field, 0), once=True)
        except (Misconfigured, ServiceAway):
            return by_one
        except XportcnError as error:
            await self._learn(call.path, FIRST, keep=isinstance(error, Refused))
            return by_one
        ones, zeros = ids_of(by_one), ids_of(by_zero)
        if ones and (not zeros or ones[0] == zeros[0]):
            await self._learn(call.path, FIRST)
        elif (
            zeros
            and not {*ones} & {*zeros}
            and ids_of(await read(call, request))[:1] == ones[:1]
        ):
            await self._learn(call.path, 0)
            return by_zero
        return by_one

    async def _learn(self, path: str, base: int, *, keep: bool = True) -> None:
        self._known[path] = base
        if keep and self._kept is not None:
            await asyncio.to_thread(self._kept.show, _name(path), str(base))


def _name(path: str) -> str:
    """The name of a list's mark, within the ledger's 16 letters."""
    return f"page:{hashlib.sha256(path.encode()).hexdigest()[:11]}"


@cache
def _page_field(request: type[BaseModel]) -> str:
    return next((name for name in PAGES if name in request.model_fields), "")


def _at(request: Req, field: str, page: int) -> Req:
    return request.model_copy(update={field: page})


def ids_of(answer: Any) -> list[str]:
    """The first id in each row of a list's answer; empty where it has none that can be
    read.
    """
    return [next(_ids(row), "") for row in next(_lists(answer), ())]


def _lists(value: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, FittingRows) or (
        isinstance(value, tuple) and value and isinstance(value[0], BaseModel)
    ):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _lists(getattr(value, name))


def _ids(row: Any) -> Iterator[str]:
    for name in type(row).model_fields if isinstance(row, BaseModel) else ():
        value = getattr(row, name)
        if isinstance(value, BaseModel):
            yield from _ids(value)
        elif (
            isinstance(value, str)
            and value
            and (name == "id" or name.endswith(("_id", "_no")))
        ):
            yield value
