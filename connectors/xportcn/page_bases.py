"""Whether a list counts its pages from 0 or from 1: found by both once a list, and kept for the account."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel

from connectors.settings import XportcnSettings
from connectors.xportcn.assumptions import Kept
from connectors.xportcn.errors import Misconfigured, Refused, ServiceAway, XportcnError
from connectors.xportcn.operations import ReadCall, Req, Res
from connectors.xportcn.rows import FittingRows

PAGES = ("page_no", "page", "start_page", "begin_page")
FIRST = 1
"""The number of a list's first page here, and by the contract."""


class Reads(Protocol):
    """Makes a call that changes nothing; `once`: without further tries."""

    async def __call__(self, call: ReadCall[Req, Res], request: Req, *, once: bool = False) -> Res: ...


class PageBases:
    """The number of the first page of each list of an account. A local sandbox counts as the contract does."""

    def __init__(self, settings: XportcnSettings, kept: Kept | None = None) -> None:
        self._kept = kept
        self._is_real = not settings.is_sandbox
        self._known: dict[str, int] = {}
        self._tried = set[str]()
        self._one_at_a_time = defaultdict[str, asyncio.Lock](asyncio.Lock)

    async def read(self, read: Reads, call: ReadCall[Req, Res], request: Req) -> Res:
        """Read a page whose number counts from 1. Where a list's base is open its first page is read by both."""
        field = _page_field(type(request))
        if not (field and self._is_real and issubclass(call.response, BaseModel)):
            return await read(call, request)
        page: int = getattr(request, field)
        if call.path not in self._known and call.path not in self._tried:
            async with self._one_at_a_time[call.path]:
                await self._recall(call.path)
                if call.path not in self._known and page == FIRST:
                    self._tried.add(call.path)
                    return await self._both(read, call, request, field)
        if call.path not in self._known and page == FIRST:
            return await self._both(read, call, request, field)
        return await read(call, _at(request, field, page - FIRST + self._known.get(call.path, FIRST)))

    async def _recall(self, path: str) -> None:
        if self._kept is None or path in self._known:
            return
        if base := await asyncio.to_thread(self._kept.shown, _name(path)):
            self._known[path] = int(base)

    async def _both(self, read: Reads, call: ReadCall[Req, Res], request: Req, field: str) -> Res:
        """The first page. A list from 1 refuses page 0, shows nothing there, or the first page again."""
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
        elif zeros and not {*ones} & {*zeros}:
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
    """The first id in each row of a list's answer; empty where it has none that can be read."""
    return [next(_ids(row), "") for row in next(_lists(answer), ())]


def _lists(value: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, FittingRows) or (isinstance(value, tuple) and value and isinstance(value[0], BaseModel)):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _lists(getattr(value, name))


def _ids(row: Any) -> Iterator[str]:
    for name in type(row).model_fields if isinstance(row, BaseModel) else ():
        value = getattr(row, name)
        if isinstance(value, BaseModel):
            yield from _ids(value)
        elif isinstance(value, str) and value and (name == "id" or name.endswith(("_id", "_no"))):
            yield value
