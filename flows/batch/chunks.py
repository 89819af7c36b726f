"""Work in chunks: one task run a chunk and stage, several chunks under way at once."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
    Sized,
)
from contextlib import aclosing, suppress
from typing import TypeVar

from connectors.concurrently import task_group
from connectors.xportcn.errors import ServiceAway
from tasks.engine.progress import progress
from tasks.engine.resources import Resources

T = TypeVar("T")
C = TypeVar("C", bound=Sized)

ORDERS_A_CALL = 4
"""Orders under way for each concurrent call: some of them wait for one another, or for
the ledger.
"""


def chunks(items: Sequence[T], size: int) -> list[tuple[str, Sequence[T]]]:
    """Chunks of `size`, each with a label such as `101–200 of 1,000`."""
    total = len(items)
    return [
        (label_of(start, min(start + size, total), total), items[start : start + size])
        for start in range(0, total, size)
    ]


def label_of(start: int, end: int, total: int) -> str:
    """`101–200 of 1,000`."""
    return f"{start + 1:,}–{end:,} of {total:,}"


def chunks_with_progress(
    stage: str, items: Sequence[T], size: int
) -> Iterator[tuple[str, Sequence[T]]]:
    """Chunks with their labels, reported as progress: a chunk counts as done when the
    next one is taken.
    """
    listener = progress.get()
    listener.start(stage, len(items))
    for label, chunk in chunks(items, size):
        yield label, chunk
        listener.advance(stage, len(chunk))


async def taken_from(
    items: list[T], size: int
) -> AsyncGenerator[tuple[str, Sequence[T]], None]:
    """Labelled chunks, which leave the list as they are taken: what a chunk holds ends
    with its work.
    """
    total = len(items)
    while items:
        chunk, start = items[:size], total - len(items)
        del items[:size]
        yield label_of(start, start + len(chunk), total), chunk


async def as_they_come(
    resources: Resources,
    source: AsyncGenerator[tuple[str, C], None],
    work: Callable[[C, str, Callable[..., None]], Awaitable[object]],
) -> None:
    """Do the work on chunks of an iterator, with their labels, many at once, until
    patience or time is used up.

    Each is taken when there is room for at least half of the size of the last one. The
    third argument of `work` is a callback for the number of items that are done (1 by
    default): so slow items of a chunk delay no other one. The first exception cancels
    the rest, and is raised as itself when all have ended.
    """
    most, under_way, size, news = (
        ORDERS_A_CALL * resources.concurrency,
        0,
        0,
        asyncio.Event(),
    )

    async def one(chunk: C, label: str) -> None:
        left = len(chunk)

        def through(items: int = 1) -> None:
            nonlocal left, under_way
            left, under_way = left - items, under_way - items
            news.set()

        try:
            with suppress(ServiceAway):
                await work(chunk, label, through)
        finally:
            through(left)

    async with aclosing(source), task_group() as running:
        while not resources.breaker.is_over:
            while under_way and under_way + size / 2 > most:
                news.clear()
                await news.wait()
            if (
                resources.breaker.is_over
                or (next_one := await anext(source, None)) is None
            ):
                break
            label, chunk = next_one
            size = len(chunk)
            under_way += size
            running.create_task(one(chunk, label))
