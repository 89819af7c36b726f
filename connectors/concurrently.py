"""Runs coroutines side by side, never more than a given number at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CALLS_AT_ONCE = 8
"""What one call to a channel may ask the service side by side."""


async def concurrently(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], *, at_once: int = CALLS_AT_ONCE
) -> list[Result]:
    """The results of `work` on each item, in order. The first exception cancels the rest and comes out as itself."""
    gate = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Result:
        async with gate:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in running]
