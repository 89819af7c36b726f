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


async def concurrently(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], *, at_once: int = CALLS_AT_ONCE
) -> list[Result]:
    """The results of `work` on each item, in order. The first exception cancels the rest and comes out as itself.

    For reads: what a cancelled effect did, nobody hears (see `each_to_its_end`).
    """
    gate = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Result:
        async with gate:
            return await work(item)

    async with together() as group:
        running = [group.create_task(one(item)) for item in items]
    return [task.result() for task in running]


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first exception comes out as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def each_to_its_end(
    items: Collection[Item],
    work: Callable[[Item], Awaitable[None]],
    *,
    at_once: int,
    until: Callable[[], object],
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


async def to_its_end(work: Coroutine[Any, Any, Result], *, on_cancel: Callable[[], None]) -> Result:
    """What `work` answers. Who cancels this calls `on_cancel`, and is heard once the work has ended."""
    working = asyncio.create_task(work)
    if cancelled := await _all_ended([working], on_cancel):
        raise cancelled from (None if working.cancelled() else working.exception())
    return working.result()


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
