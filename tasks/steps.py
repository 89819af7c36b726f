"""A step of a chunk: each order is worked on as soon as it comes, and goes on as soon
as it is through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

from connectors.concurrently import run_or_cancel, task_group
from connectors.ledger.records import OrderRecord
from tasks.effects.kinds import settled
from tasks.engine.gathering import OrderQueue, ignore
from tasks.engine.resources import Resources
from tasks.engine.tries import TryAgain

Orders = Mapping[str, OrderRecord]
MOST_TOGETHER = 20
"""So many orders are read together: few should wait for one slow answer."""


class Step:
    """The orders that come to a step of a chunk, those that it `is_for` in the state in
    which they came.

    Coming says that nothing more happens to an order in the step before, and not that
    this one has work with it. An order that is through goes on (`then`). `seen` gets
    orders that the service shows as they should be. One object serves all tries of the
    step's task.
    """

    def __init__(
        self,
        expected: Iterable[str],
        *,
        is_for: Callable[[OrderRecord], bool],
        then: Callable[..., None] = ignore,
        seen: Callable[..., None] = ignore,
    ) -> None:
        self.given: dict[str, OrderRecord] = {}
        self._is_for = is_for
        self._then = then
        self.seen = seen
        self._queue = OrderQueue(expected)
        self._under_way: set[str] = set()
        self._passed: set[str] = set()
        self._fresh: set[str] = set()
        self.put = self._queue.put
        self.begin: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = (
            asyncio.create_task
        )

    def through(self, *order_refs: str) -> None:
        """Nothing more happens to these in this step, in no try; a second call counts
        for nothing.
        """
        for ref in order_refs:
            self.given.pop(ref, None)
        first = [ref for ref in dict.fromkeys(order_refs) if ref not in self._passed]
        self._passed.update(first)
        self._then(*first)

    def end(self) -> None:
        """Nothing more happens in this step."""
        self._queue.close()
        self.through(*self._queue.take(), *self.given)

    async def has_work(self, resources: Resources) -> bool:
        """Wait for the first order that the step is for; False when all have come and
        there is none.
        """
        while not self.given and await self._take_in(resources):
            pass
        return bool(self.given)

    async def each_group(
        self,
        resources: Resources,
        work: Callable[[Orders], Awaitable[None]],
        *,
        waits: Callable[[OrderRecord, OrderRecord], bool],
        reads: bool = False,
    ) -> None:
        """One try: do `work` on what has come, marketplace by marketplace and without
        waiting for those before.

        Orders left by an earlier try are settled and read anew, and worked on while
        they still `waits` (as it is now, as it was given). A new order was just read; a
        run that is faster is met when this one claims. A step that `reads` makes a
        group when there is a slot for a call: while those are rare, groups become
        large. Raises the first `TryAgain` once nothing is under way any more.
        """
        again: list[TryAgain] = []
        stopped = asyncio.Event()
        self._under_way = set()

        async def one(group: Orders) -> None:
            fresh = self._fresh.issuperset(group)
            self._fresh -= group.keys()
            try:
                now = group if fresh else await settled(resources, group)
                if orders := {
                    ref: order
                    for ref, order in now.items()
                    if fresh or waits(order, group[ref])
                }:
                    await work(orders)
                self.through(*group)
            except TryAgain as error:
                again.append(error)
                stopped.set()

        async with task_group() as crew:
            self.begin = crew.create_task
            while not stopped.is_set() and await run_or_cancel(
                stopped, self._has_more(resources)
            ):
                if reads:
                    await run_or_cancel(stopped, resources.slots.wait_free())
                if not stopped.is_set():
                    crew.create_task(one(self._group(MOST_TOGETHER if reads else 0)))
        if again:
            raise again[0]

    async def _has_more(self, resources: Resources) -> bool:
        """Wait until there is an order that this try has not yet worked on."""
        while not (more := self.given.keys() - self._under_way) and await self._take_in(
            resources
        ):
            pass
        return bool(more)

    def _group(self, most: int) -> dict[str, OrderRecord]:
        """Orders that this try has not yet worked on, of one marketplace."""
        waiting = [
            order for ref, order in self.given.items() if ref not in self._under_way
        ]
        group = [
            order for order in waiting if order.marketplace is waiting[0].marketplace
        ]
        made = {order.order_ref: order for order in group[: most or None]}
        self._under_way |= made.keys()
        return made

    async def _take_in(self, resources: Resources) -> bool:
        """Wait for the next orders, and take in those that the step is for; False when
        all have come.
        """
        if not await self._queue.wait():
            return False
        here = list(self._queue.here)
        orders = await resources.group_commit.orders(here)
        self._queue.take(len(here))
        mine = {ref: order for ref, order in orders.items() if self._is_for(order)}
        self.given |= mine
        self._fresh |= mine.keys()
        self.through(*(ref for ref in here if ref not in mine))
        return True


class Batcher:
    """The joint work of a step's orders: a batch begins when it is full, or a moment
    after its first order came.
    """

    def __init__(
        self,
        step: Step,
        do: Callable[[list[str]], Awaitable[None]],
        *,
        most: int,
        within_s: float,
    ) -> None:
        self._step = step
        self._do = do
        self._most = most
        self._within_s = within_s
        self._filling: list[str] = []
        self._full = asyncio.Event()
        self._done: asyncio.Future[None] | None = None

    async def __call__(self, order_ref: str) -> None:
        """Return, or raise, when the batch of this order has ended."""
        if self._done is None:
            self._done = self._open()
        done = self._done
        self._filling.append(order_ref)
        if len(self._filling) >= self._most:
            self._full.set()
            self._done = None
        await asyncio.shield(done)

    def _open(self) -> asyncio.Future[None]:
        """A batch to fill. Raises `CancelledError` once the step's try is cancelled,
        which begins nothing more.
        """
        self._filling, self._full = [], asyncio.Event()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        work = self._begin(self._filling, self._full, done)
        try:
            begun = self._step.begin(work)
        except RuntimeError as error:  # of a group of tasks that is being cancelled
            work.close()
            raise asyncio.CancelledError from error
        begun.add_done_callback(
            lambda _: done.cancel()
        )  # a task cancelled before it starts can't
        return done

    async def _begin(
        self, batch: list[str], full: asyncio.Event, done: asyncio.Future[None]
    ) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._within_s):
                    await full.wait()
            self._done = None if self._done is done else self._done
            await self._do(batch)
        except Exception as error:  # noqa: BLE001 - each of the orders hears it
            done.set_exception(error)
            done.exception()
        except BaseException:
            done.cancel()
            raise
        else:
            done.set_result(None)
