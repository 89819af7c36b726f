"""Orders on their way from one step to the next, and calls for many of them."""

from __future__ import annotations

import asyncio
from collections import UserDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from connectors.concurrently import task_group
from connectors.xportcn.errors import (
    ContractMismatch,
    NotSent,
    ServiceAway,
    SettingUnset,
    Unanswered,
    UnitUnclear,
    XportcnError,
)
from domain.decisions import Verdict, held, postponed, unread, unusable
from domain.reasons import ReasonCode, because
from tasks.engine.resources import Resources
from tasks.engine.tries import TryAgain, raise_if_it_passes


def ignore(*_order_refs: str) -> None:
    """No further step waits for these orders."""


class OrderQueue:
    """Orders on their way into a step, in whatever order. It ends when all that are
    expected have come.

    Arriving says that nothing more happens to an order in the step before, and not that
    this step has work with it.
    """

    def __init__(self, expected: Iterable[str]) -> None:
        self._awaited = dict.fromkeys(expected)
        self.here: list[str] = []
        self._news = asyncio.Event()

    def put(self, *order_refs: str) -> None:
        """These orders are here; one that came before is not counted twice."""
        for ref in order_refs:
            if ref in self._awaited:
                del self._awaited[ref]
                self.here.append(ref)
        self._news.set()

    def back(self, order_refs: Iterable[str]) -> None:
        """These orders came and could not be worked on yet: they are in the next group
        again.
        """
        self.here[:0] = order_refs
        self._news.set()

    def close(self) -> None:
        """No further order is waited for."""
        self.put(*self._awaited)

    async def wait(self) -> bool:
        """Wait until an order is here that was not taken yet; False when there will be
        none.
        """
        while not self.here and self._awaited:
            self._news.clear()
            await self._news.wait()
        return bool(self.here)

    def take(self, most: int = 0) -> list[str]:
        """The orders here, at most `most` of them, in the order in which they came."""
        size = most or len(self.here)
        taken = self.here[:size]
        self.here = self.here[size:]
        return taken

    async def groups(self) -> AsyncIterator[list[str]]:
        """What has come since the last group; waits for more until all have come."""
        while await self.wait():
            yield self.take()


K = TypeVar("K")
V = TypeVar("V")


class PartialResults(UserDict[K, V]):
    """The results of a task's tries so far; `then` gets each."""

    def __init__(
        self,
        known: Mapping[K, V] | None = None,
        *,
        then: Callable[[K], object] = lambda _key: None,
    ) -> None:
        self._then = then
        super().__init__(known or {})

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self._then(key)


async def gather_missing(
    resources: Resources,
    wanted: Iterable[K],
    ask: Callable[[K], Awaitable[V]],
    found: PartialResults[K, V],
) -> None:
    """Ask for each of `wanted` that is not in `found`, and put the answer there. The
    circuit breaker bounds how many at once.

    Those not asked since the service is away are left out. When all others are done the
    task is tried again for them, if there is another try.
    """
    away: list[ServiceAway] = []

    async def one(key: K) -> None:
        try:
            found[key] = await ask(key)
        except ServiceAway as error:
            away.append(error)

    async with task_group() as asking:
        for key in dict.fromkeys(wanted):
            if key not in found:
                asking.create_task(one(key))
    if away:
        raise_if_it_passes(resources, away[0])


async def gather_queued(
    resources: Resources,
    queue: OrderQueue,
    ask: Callable[[str], Awaitable[V]],
    found: PartialResults[str, V],
) -> None:
    """Ask about orders, each as soon as it arrives. When some could not be asked, no
    more are taken in this try.
    """
    away: list[TryAgain] = []

    async def some(order_refs: list[str]) -> None:
        try:
            await gather_missing(resources, order_refs, ask, found)
        except TryAgain as error:
            away.append(error)
            queue.back(ref for ref in order_refs if ref not in found)
            taking.cancel()

    async def take() -> None:
        async for group in queue.groups():
            asking.create_task(some(group))

    async with task_group() as asking:
        taking = asking.create_task(take())
    if away:
        raise away[0]


def not_read(what: str, error: XportcnError) -> Verdict:
    """The verdict on an order that could not be asked about: silence passes, a refusal
    or an odd answer does not.
    """
    if isinstance(error, SettingUnset):
        first, second = error.forms
        return held(
            because(
                ReasonCode.SETTING_UNSET,
                what=what,
                setting=error.setting,
                first=first,
                second=second,
            )
        )
    if isinstance(error, NotSent | Unanswered) and not isinstance(
        error, ContractMismatch
    ):
        return postponed(unread(what, error.message))
    if isinstance(error, UnitUnclear):
        field = error.field
        amount = error.amount
        place = error.place
        return held(
            because(
                ReasonCode.UNIT_UNCLEAR,
                what=what,
                field=field,
                amount=amount,
                place=place,
            )
        )
    return unusable(what, error.message)
