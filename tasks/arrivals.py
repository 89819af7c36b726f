"""Orders on their way from one step of a run to the next, each as soon as its own step is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable


def ignore(*_order_refs: str) -> None:
    """No further step waits for these orders."""


class Arrivals:
    """Where orders arrive, one by one, in whatever order. It ends when all that are expected have come.

    Arriving says that nothing more happens to an order in the step before, and not that this step has work with it.
    """

    def __init__(self, expected: Iterable[str]) -> None:
        self._awaited = dict.fromkeys(expected)
        self.here: list[str] = []
        self._news = asyncio.Event()

    def come(self, *order_refs: str) -> None:
        """These orders are here; one that came before is not counted twice."""
        for ref in order_refs:
            if ref in self._awaited:
                del self._awaited[ref]
                self.here.append(ref)
        self._news.set()

    def back(self, order_refs: Iterable[str]) -> None:
        """These orders came and could not be worked on yet: they are in the next group again."""
        self.here[:0] = order_refs
        self._news.set()

    def all_come(self) -> None:
        """No further order is waited for."""
        self.come(*self._awaited)

    async def wait(self) -> bool:
        """Wait until an order is here that was not taken yet; False when there will be none."""
        while not self.here and self._awaited:
            self._news.clear()
            await self._news.wait()
        return bool(self.here)

    def take(self, most: int = 0) -> list[str]:
        """The orders here, at most `most` of them, in the order in which they came."""
        size = most or len(self.here)
        taken, self.here = self.here[:size], self.here[size:]
        return taken

    async def groups(self, most: int = 0) -> AsyncIterator[list[str]]:
        """What has come since the last group, `most` at once; waits for more until all have come."""
        while await self.wait():
            yield self.take(most)
