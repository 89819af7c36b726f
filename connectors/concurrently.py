"""Runs coroutines side by side, never more than a given number at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CALLS_AT_ONCE = 8
"""What one call to a channel may ask the service side by side."""


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A group of tasks that all end with it. The first exception cancels the others and comes out as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


class Slots:
    """Room for as many things at once as there is at the moment (`size`); who waits for a place gets it in turn."""

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self._taken = 0
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()

    async def take(self, most: int) -> int:
        """Wait for a place, and take as many as there are by then, `most` of them."""
        async with self._turn:
            while not (taken := self._take(most)):
                self._news.clear()
                await self._news.wait()
            return taken

    def take_now(self, most: int) -> int:
        """As many as there are at this moment; none while others wait for theirs."""
        return 0 if self._turn.locked() else self._take(most)

    def _take(self, most: int) -> int:
        taken = max(0, min(most, max(1, self._size()) - self._taken))
        self._taken += taken
        return taken

    def release(self, slots: int) -> None:
        """Give so many back."""
        self._taken -= slots
        self._news.set()

    async def wait_free(self) -> None:
        """Wait until there is a place, and take none."""
        self.release(await self.take(1))

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place meanwhile."""
        await self.take(1)
        try:
            yield
        finally:
            self.release(1)


async def concurrently(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], *, at_once: int = CALLS_AT_ONCE
) -> list[Result]:
    """The results of `work` on each item, in order. The first exception cancels the rest and comes out as itself.

    For reads: what a cancelled effect did, nobody hears (see `run_all_shielded`).
    """
    limit = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Result:
        async with limit:
            return await work(item)

    async with task_group() as group:
        running = [group.create_task(one(item)) for item in items]
    return [task.result() for task in running]


async def run_all_shielded(
    items: Collection[Item], work: Callable[[Item], Awaitable[None]], *, at_once: int, until: Callable[[], object]
) -> None:
    """Do `work` on each item, and cancel none that has begun: after an exception, or once `until`, no more begin.

    The first exception comes out when all have ended.
    """
    waiting, failures = iter(items), list[BaseException]()

    async def worker() -> None:
        for item in waiting:
            if failures or until():
                return
            try:
                await work(item)
            except BaseException as failure:  # noqa: BLE001 - the others must not hear of it before they have ended
                failures.append(failure)

    await _all_ended([asyncio.create_task(worker()) for _ in range(min(at_once, len(items)))])
    if failures:
        raise failures[0]


async def wait_all_shielded(works: Iterable[asyncio.Task[None]]) -> None:
    """Wait until all of these have ended, then raise the first exception; who cancels this is heard after that."""
    working = list(works)
    cancelled = await _all_ended(working)
    failures = [failure for task in working if not task.cancelled() and (failure := task.exception())]
    if cancelled or failures:
        raise cancelled or failures[0]


async def shield_until_done(work: Coroutine[Any, Any, Result], *, on_cancel: Callable[[], None]) -> Result:
    """What `work` answers. Who cancels this calls `on_cancel`, and is heard once the work has ended."""
    working = asyncio.create_task(work)
    if cancelled := await _all_ended([working], on_cancel):
        raise cancelled from (None if working.cancelled() else working.exception())
    return working.result()


async def run_or_cancel(stopped: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """What `work` answers; None, and the work is cancelled, when it is `stopped` before."""
    working, stop = asyncio.ensure_future(work), asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stop.cancel()


async def _all_ended(
    tasks: Iterable[asyncio.Task[Any]], on_cancel: Callable[[], None] = lambda: None
) -> asyncio.CancelledError | None:
    cancelled = None
    while running := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    return cancelled
