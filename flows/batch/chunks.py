"""Work in chunks: one task run a chunk and stage, several chunks under way at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from connectors.concurrently import task_group
from connectors.xportcn.errors import ServiceAway
from tasks.engine.progress import progress
from tasks.engine.resources import Resources

T = TypeVar("T")

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


async def work_on_chunks(
    resources: Resources,
    items: list[T],
    work: Callable[[Sequence[T], str, Callable[..., None]], Awaitable[object]],
) -> None:
    """Do the work on labelled chunks, many at once, until patience or time is used up.

    Chunks leave the list as they are taken: what a chunk holds ends with its work. A
    chunk is taken when there is room for at least half of it. The third argument of
    `work` is a callback for the number of items that are done (1 by default): so slow
    items of a chunk delay no other one. The first exception cancels the rest, and is
    raised as itself when all have ended.
    """
    total = len(items)
    max_under_way = ORDERS_A_CALL * resources.concurrency
    under_way = 0
    progress_made = asyncio.Event()

    async def work_on(chunk: Sequence[T], label: str) -> None:
        unfinished = len(chunk)

        def finish(count: int = 1) -> None:
            nonlocal unfinished, under_way
            unfinished -= count
            under_way -= count
            progress_made.set()

        try:
            with suppress(ServiceAway):
                await work(chunk, label, finish)
        finally:
            finish(unfinished)

    async with task_group() as running:
        while items and not resources.breaker.is_over:
            chunk = items[: resources.settings.chunk_size]
            if under_way and under_way + len(chunk) / 2 > max_under_way:
                progress_made.clear()
                await progress_made.wait()
                continue

            start = total - len(items)
            del items[: len(chunk)]
            under_way += len(chunk)
            label = label_of(start, start + len(chunk), total)
            running.create_task(work_on(chunk, label))
