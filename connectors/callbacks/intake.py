"""Group commit: messages that arrive during a commit share the next one, and each is answered when it is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from connectors.callbacks.records import Arrival
from connectors.callbacks.store import CallbackStore

MOST_TOGETHER = 500
MOST_WAITING = 5_000


class TooMany(Exception):
    """Too many messages wait for the disk; the sender tries again."""


class Intake:
    """The only writer of a receiver."""

    def __init__(self, store: CallbackStore) -> None:
        self._store = store
        self._waiting: list[tuple[Arrival, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, arrival: Arrival) -> None:
        """Return once the message is on disk. Raises `LedgerUnusable` when it is not, and `TooMany`."""
        if len(self._waiting) >= MOST_WAITING:
            raise TooMany
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, kept))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await kept

    async def _write(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            error: BaseException | None = None
            try:
                await asyncio.to_thread(self._store.add, [arrival for arrival, _ in some])
            except BaseException as caught:  # noqa: BLE001 - raised where it is waited for
                error = caught
            _resolve([kept for _, kept in some], error)

    async def close(self) -> None:
        """Wait for the write under way."""
        if self._writing is not None:
            await self._writing


def _resolve(waiting: Sequence[asyncio.Future[None]], error: BaseException | None) -> None:
    for kept in waiting:
        if kept.done():
            continue  # its sender is gone
        if error is None:
            kept.set_result(None)
        else:
            kept.set_exception(error)
