"""Work in slices: one task run a slice and stage, several slices under way at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence, Sized
from contextlib import aclosing, suppress
from typing import TypeVar

from connectors.concurrently import task_group
from connectors.xportcn.errors import ServiceAway
from tasks.progress import progress
from tasks.resources import Resources

T = TypeVar("T")
C = TypeVar("C", bound=Sized)

ORDERS_A_CALL = 4
"""So many orders are under way for each call that may be: some of them wait for one another, or for the ledger."""


def chunks(items: Sequence[T], size: int) -> list[tuple[str, Sequence[T]]]:
    """Slices of `size`, each with a label such as `101–200 of 1,000`."""
    total = len(items)
    return [
        (label_of(start, min(start + size, total), total), items[start : start + size])
        for start in range(0, total, size)
    ]


def label_of(start: int, end: int, total: int) -> str:
    """`101–200 of 1,000`, for a slice of that many."""
    return f"{start + 1:,}–{end:,} of {total:,}"


def chunks_with_progress(stage: str, items: Sequence[T], size: int) -> Iterator[tuple[str, Sequence[T]]]:
    """The same as a stage that who listens hears of: a slice is done when the next one is asked for."""
    listener = progress.get()
    listener.start(stage, len(items))
    for label, chunk in chunks(items, size):
        yield label, chunk
        listener.advance(stage, len(chunk))


async def each_chunk(
    resources: Resources,
    stage: str,
    items: Sequence[T],
    size: int,
    work: Callable[[Sequence[T], str], Awaitable[object]],
) -> None:
    """Do the work on each slice, with its label, while it makes sense: until patience or time is used up."""
    for label, chunk in chunks_with_progress(stage, items, size):
        if resources.breaker.is_over:
            return
        with suppress(ServiceAway):
            await work(chunk, label)


class Window:
    """How many orders may be under way: chunks begin while there is room, and slow ones of a chunk keep none back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way = 0
        self._news = asyncio.Event()

    async def has_room(self, orders: int) -> None:
        """Wait until there is room for so many, or for half of them at least."""
        while self._under_way and self._under_way + orders / 2 > self._most:
            self._news.clear()
            await self._news.wait()

    def enter(self, orders: int) -> None:
        """So many more are under way."""
        self._under_way += orders

    def leave(self, orders: int = 1) -> None:
        """So many are through."""
        self._under_way -= orders
        self._news.set()


async def side_by_side(
    resources: Resources,
    items: Sequence[T],
    size: int,
    work: Callable[[Sequence[T], str, Callable[..., None]], Awaitable[object]],
) -> None:
    """Do the work on each slice, with its label, many at once, begun in order while it makes sense.

    The work calls what it gets third with how many more items are through (one), and so lets the next slice begin while
    a slow one of its own is awaited. The first exception cancels the rest, and comes out as itself when all have ended.
    """

    async def listed() -> AsyncGenerator[tuple[str, Sequence[T]], None]:
        for labelled in chunks(items, size):
            yield labelled

    await as_they_come(resources, listed(), work)


async def as_they_come(
    resources: Resources,
    source: AsyncGenerator[tuple[str, C], None],
    work: Callable[[C, str, Callable[..., None]], Awaitable[object]],
) -> None:
    """The same for slices that come one by one: each is asked for when there is room for one as large as the last."""
    window, size = Window(ORDERS_A_CALL * resources.concurrency), 0

    async def one(chunk: C, label: str) -> None:
        under_way = len(chunk)

        def through(items: int = 1) -> None:
            nonlocal under_way
            under_way -= items
            window.leave(items)

        try:
            with suppress(ServiceAway):
                await work(chunk, label, through)
        finally:
            window.leave(under_way)

    async with aclosing(source), task_group() as running:
        while not resources.breaker.is_over:
            await window.has_room(size)
            if resources.breaker.is_over or (next_one := await anext(source, None)) is None:
                break
            label, chunk = next_one
            size = len(chunk)
            window.enter(size)
            running.create_task(one(chunk, label))
