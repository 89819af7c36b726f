"""Several calls at once, but not too many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

AT_ONCE = 8


async def concurrently(
    call: Callable[[In], Awaitable[Out]], arguments: Iterable[In], *, at_once: int = AT_ONCE
) -> list[Out]:
    """Answers in the order of the arguments. The first exception stops the rest and comes out as itself."""
    gate = asyncio.Semaphore(at_once)

    async def one(argument: In) -> Out:
        async with gate:
            return await call(argument)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(argument)) for argument in arguments]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
