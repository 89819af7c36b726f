"""The ledger as a run's coroutines see it: what they ask for while a transaction is under way shares the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

from connectors.ledger.records import Claimed, EffectRecord, Intent, OrderChange, OrderRecord, Outcome, SpendLimits
from connectors.ledger.store import Ledger


class Desk:
    """The operations of one run's `Ledger`, awaited: each returns once it is on disk, or raises as that one does."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[tuple[Outcome, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def orders(self, order_refs: Iterable[str]) -> dict[str, OrderRecord]:
        """See `Ledger.orders`."""
        return await asyncio.to_thread(self._ledger.orders, list(order_refs))

    async def unsettled(self, order_refs: Iterable[str]) -> set[str]:
        """See `Ledger.unsettled`."""
        return await asyncio.to_thread(self._ledger.unsettled, list(order_refs))

    async def effects_of(self, order_refs: Iterable[str]) -> list[EffectRecord]:
        """See `Ledger.effects_of`."""
        return await asyncio.to_thread(self._ledger.effects_of, list(order_refs))

    async def claim(self, intents: Sequence[Intent], *, lease: timedelta, limits: SpendLimits | None = None) -> Claimed:
        """See `Ledger.claim`."""
        return await asyncio.to_thread(self._ledger.claim, intents, lease=lease, limits=limits)

    async def change(self, changes: Sequence[OrderChange]) -> None:
        """See `Ledger.change`."""
        if changes:
            await asyncio.to_thread(self._ledger.change, changes)

    async def record(self, outcome: Outcome) -> bool:
        """Write one outcome; False when another holder of the claim decides (see `Ledger.record`)."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((outcome, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await done

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                written = await asyncio.to_thread(self._ledger.record, [outcome for outcome, _ in batch])
            except BaseException as error:
                goes_on = isinstance(error, Exception)
                for _, done in batch if goes_on else [*batch, *self._waiting]:  # every waiter must hear of it
                    if not done.done():
                        done.set_exception(error)
                if not goes_on:
                    self._waiting = []
                    raise
                continue
            for (_, done), ok in zip(batch, written, strict=True):
                if not done.done():
                    done.set_result(ok)
