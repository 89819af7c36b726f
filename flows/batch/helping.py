"""The work of one process on a shared batch: it takes chunks, and plans or buys their
orders.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta

from connectors.concurrently import shield_until_done
from connectors.ledger.chunks import Chunk, Planned, SharedBatch, Work
from connectors.ledger.send_log import is_dead
from domain.report import MatchLine
from flows.batch.chunks import as_they_come
from flows.batch.execution import Canaries, Steps
from flows.batch.plan_sources import summary_of
from flows.batch.planning import Planning, match_requests
from flows.prefect_ui.expected_errors import run_logger
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources

POLL_EVERY_S = 2.0
TAKE_EVERY_S = 0.5
ALONE_FOR = timedelta(minutes=2)
"""A run that was not seen for so long will not use the results."""
MOST_OFFERS_KEPT = 10_000
CLOSED = "the batch is done, or was stopped"
STOPPED = "Stopped"
"""How a helper ends that could do more and may not: the service is away, or the time is
up.
"""


def why_over(now: SharedBatch | None, shared_by: str, at: datetime) -> str:
    """Why no more of a batch is to be taken for a run; empty while that run is
    alive.
    """
    if now is None or now.owner != shared_by:
        return CLOSED
    return (
        f"the batch has had no run since {now.seen_at:%H:%M:%S} UTC"
        if at - now.seen_at > ALONE_FOR
        else ""
    )


class ChunkWorker:
    """The part of one process in a shared batch. `idle_s` is how long it waits for
    something to do.
    """

    def __init__(
        self, resources: Resources, shared: SharedBatch, *, idle_s: float
    ) -> None:
        self._resources = resources
        self._rows = resources.ledger.chunks
        resources.ledger.since = (
            shared.begun
        )  # what was dropped since then is planned by none of its helpers
        self._shared = shared
        self._idle_s = idle_s
        self._planning = Planning(resources, most_stored=MOST_OFFERS_KEPT)
        self._canaries = Canaries(resources)
        self._in_hand: set[int] = set()
        self._ends = False
        self.why_ended = "nothing was left to take"
        self.done: Counter[Work] = Counter()

    @property
    def is_stopped(self) -> bool:
        """Whether it waits no longer for the service, or the time is up."""
        return self._resources.breaker.is_over

    def end(self) -> None:
        """Take no more chunks."""
        self._ends = True

    async def work(self) -> None:
        """Take chunks until there are none, or the batch is closed: then calls on the
        wire are awaited, and no more.
        """
        working = asyncio.create_task(
            as_they_come(self._resources, self._taken(), self._one)
        )
        watching = asyncio.create_task(self._watch())
        watching.add_done_callback(lambda _: working.cancel())
        try:
            await working
        except asyncio.CancelledError:
            if not watching.done() or watching.cancelled():
                raise
            watching.result()
        finally:
            watching.cancel()
            await asyncio.shield(asyncio.to_thread(self._rows.release, self._shared))
        if self.is_stopped:
            self.why_ended = self._resources.breaker.blocked_by or "the time was up"

    async def _taken(self) -> AsyncGenerator[tuple[str, Chunk], None]:
        waited_s = 0.0
        while not self._ends:
            if (chunk := await self._take()) is not None:
                self._in_hand.add(chunk.number)
                yield f"of part {chunk.number}", chunk
                waited_s = 0.0
            elif waited_s >= self._idle_s:
                return
            else:
                await asyncio.sleep(TAKE_EVERY_S)
                waited_s = 0.0 if self._in_hand else waited_s + TAKE_EVERY_S

    async def _take(self) -> Chunk | None:
        in_hand = {*self._in_hand}  # it changes while the thread reads

        def take() -> Chunk | None:
            others = self._rows.at_work(self._shared)
            dead = [one for one in others if is_dead(self._resources.send_logs, one)]
            return self._rows.take(self._shared, in_hand=in_hand, dead=dead)

        # a process that is cancelled meanwhile releases its chunks only after this one
        # is taken
        return await shield_until_done(asyncio.to_thread(take), on_cancel=lambda: None)

    async def _watch(self) -> None:
        """Show that this process is alive, and end when the batch is no more shared."""
        while True:
            await asyncio.sleep(POLL_EVERY_S)
            now = await asyncio.to_thread(self._rows.of_batch, self._shared.batch_id)
            if why := why_over(now, self._shared.owner, self._resources.clock()):
                self.why_ended = why
                if why == CLOSED:
                    return
                self.end()
            await asyncio.to_thread(self._rows.show_alive, self._shared)

    async def _one(
        self, chunk: Chunk, label: str, through: Callable[..., None]
    ) -> None:
        try:
            is_done = await (self._plan if chunk.work is Work.PLAN else self._buy)(
                chunk, label, through
            )
            self.done[chunk.work] += len(chunk) if is_done else 0
        finally:
            self._in_hand.discard(chunk.number)

    async def _plan(
        self, chunk: Chunk, label: str, through: Callable[..., None]
    ) -> bool:
        requests = chunk.requests
        self._planning.expect(
            requests,
            await match_requests(
                self._resources, requests, chunk_size=len(chunk), anew=False
            ),
        )
        plans = await self._planning.plan(requests, label, through)
        if self.is_stopped:
            return False
        planned = Planned(
            plans=tuple(map(summary_of, plans)),
            postponed=tuple(plan.order_ref for plan in plans if plan.is_postponed),
            matches=tuple(
                MatchLine.of(plan.order_ref, match)
                for plan in plans
                for match in plan.matches
            ),
        )
        await asyncio.to_thread(
            self._rows.finish_planned, self._shared, chunk.number, plans, planned
        )
        run_logger().info("Planned the orders %s: %s", label, len(plans))
        return True

    async def _buy(
        self, chunk: Chunk, label: str, through: Callable[..., None]
    ) -> bool:
        approved = {ref: plan for ref, plan in chunk.approved.items() if plan}
        refs = list(chunk.approved)
        await settle_open(self._resources, refs)
        limits, asks = self._shared.limits, self._shared.asks
        steps = Steps(
            self._resources,
            approved,
            limits,
            label,
            self._canaries,
            asks=asks,
            then=through,
        )
        await steps.take(refs)
        if self.is_stopped:
            return False
        await asyncio.to_thread(self._rows.finish, self._shared, chunk.number)
        run_logger().info("Bought the orders %s: %s", label, len(refs))
        return True
