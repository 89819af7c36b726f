"""Group commit of outcomes: those that arrive while a commit is under way share the next one."""

from __future__ import annotations

import asyncio

from connectors.ledger.records import Outcome
from connectors.ledger.store import Ledger


class OutcomeRecorder:
    """Writes outcomes durably without a commit for each; `record` returns once its outcome is on disk."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[tuple[Outcome, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None

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
