"""Work in slices: one task run a slice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from connectors.xportcn.errors import ServiceAway
from tasks.progress import progress
from tasks.resources import Resources

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> list[tuple[str, Sequence[T]]]:
    """Slices of `size`, each with a label such as `101–200 of 1,000`."""
    total = len(items)
    return [
        (f"{start + 1:,}–{min(start + size, total):,} of {total:,}", items[start : start + size])
        for start in range(0, total, size)
    ]


def told_chunks(stage: str, items: Sequence[T], size: int) -> Iterator[tuple[str, Sequence[T]]]:
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
    for label, chunk in told_chunks(stage, items, size):
        if resources.gate.is_over:
            return
        with suppress(ServiceAway):
            await work(chunk, label)


class Window:
    """How many orders may be under way: chunks begin while there is room, and slow ones of a chunk keep none back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way = 0
        self._news = asyncio.Event()

    async def enter(self, orders: int) -> None:
        """Wait until there is room for these, or for half of them at least."""
        while self._under_way and self._under_way + orders / 2 > self._most:
            self._news.clear()
            await self._news.wait()
        self._under_way += orders

    def leave(self, orders: int = 1) -> None:
        """So many are through."""
        self._under_way -= orders
        self._news.set()
