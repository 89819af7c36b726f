"""Runs coroutines concurrently, at most a given number at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
)
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Late = TypeVar("Late")

CALLS_AT_ONCE = 8
"""How many requests one call to a channel may have under way at once."""


def within(seconds: float, work: Callable[[], Result], late: Late) -> Result | Late:
    """The result of blocking `work`, or what stands for one that is `late`. What the
    work raises is lost.

    It runs in a daemon thread: an answer in drips delays neither others nor the end of
    the process.
    """
    results: list[Result | Late] = [late]
    thread = threading.Thread(
        target=lambda: results.__setitem__(0, work()), daemon=True
    )
    thread.start()
    thread.join(seconds)
    return results[0]


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that raises the first exception itself, not an exception group; the
    other tasks are cancelled.
    """
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


class Slots:
    """A semaphore of changing `size`; waiting tasks get their slots in turn."""

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self._taken = 0
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()

    async def take(self, most: int) -> int:
        """Wait for a free slot, and take as many as are free by then, at most
        `most`.
        """
        async with self._turn:
            while not (taken := self._take(most)):
                self._news.clear()
                await self._news.wait()
            return taken

    def _take(self, most: int) -> int:
        taken = max(0, min(most, max(1, self._size()) - self._taken))
        self._taken += taken
        return taken

    def release(self, slots: int) -> None:
        self._taken -= slots
        self._news.set()

    async def wait_free(self) -> None:
        """Wait until a slot is free, and take none."""
        self.release(await self.take(1))

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold one slot."""
        await self.take(1)
        try:
            yield
        finally:
            self.release(1)


async def concurrently(
    items: Iterable[Item],
    work: Callable[[Item], Awaitable[Result]],
    *,
    at_once: int = CALLS_AT_ONCE,
) -> list[Result]:
    """The results of `work` on each item, in order. The first exception cancels the
    rest and is raised itself.

    For reads only: the outcome of a cancelled effect would be lost (see
    `wait_all_shielded`).
    """
    limit = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Result:
        async with limit:
            return await work(item)

    async with task_group() as group:
        running = [group.create_task(one(item)) for item in items]
    return [task.result() for task in running]


async def wait_all_shielded(
    works: Iterable[Awaitable[None]], *, on_cancel: Callable[[], None] = lambda: None
) -> None:
    """Do all of these to their end, then raise the first exception. A cancellation
    calls `on_cancel`, and takes effect after that.
    """
    working = [asyncio.ensure_future(work) for work in works]
    cancelled = await _all_ended(working, on_cancel)
    failures = [
        failure
        for failure in await asyncio.gather(*working, return_exceptions=True)
        if failure
    ]
    if cancelled or failures:
        raise cancelled or failures[0]


async def run_or_cancel(
    stopped: asyncio.Event, work: Coroutine[Any, Any, Result]
) -> Result | None:
    """The result of `work`; None, with the work cancelled, when `stopped` is set
    before.
    """
    working = asyncio.ensure_future(work)
    stop = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stop.cancel()


async def _all_ended(
    tasks: Iterable[asyncio.Future[Any]], on_cancel: Callable[[], None] = lambda: None
) -> asyncio.CancelledError | None:
    cancelled = None
    while running := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    return cancelled
