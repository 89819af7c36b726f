"""The work of one process on a shared batch: it takes chunks, and plans or buys their orders."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta

from connectors.concurrently import shield_until_done
from connectors.ledger.send_log import is_dead
from connectors.ledger.shares import Chunk, Planned, Share, Work
from flows.batch.canary import Canaries
from flows.batch.chunks import as_they_come
from flows.batch.execution import Steps
from flows.batch.plan_sources import summary_of
from flows.batch.planning import Planning, match_requests
from flows.batch.reporting import match_line
from flows.prefect_ui.expected_errors import run_logger
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources

LOOK_EVERY_S = 2.0
TAKE_EVERY_S = 0.5
ALONE_FOR = timedelta(minutes=2)
"""A run that has not renewed its share for so long will not use the results."""
MOST_OFFERS_KEPT = 10_000
CLOSED = "the batch is done, or was stopped"
STOPPED = "Stopped"
"""How a helper ends that could do more and may not: the service is away, or the time is up."""


def why_over(share: Share | None, now: datetime) -> str:
    """Why no more of a share is to be taken; empty while its run is alive."""
    if share is None or share.closed_at is not None:
        return CLOSED
    is_alone = now - share.seen_at > ALONE_FOR
    return f"the batch has had no run since {share.seen_at:%H:%M:%S} UTC" if is_alone else ""


class Helping:
    """The part of one process in a share. `idle_s` is how long it waits for something to do."""

    def __init__(self, resources: Resources, share: Share, *, idle_s: float) -> None:
        self._resources = resources
        self._shares = resources.ledger.shares
        self._share = share
        self._idle_s = idle_s
        self._planning = Planning(resources, most_stored=MOST_OFFERS_KEPT)
        self._canaries = Canaries(resources)
        self._in_hand: set[int] = set()
        self._ends = False
        self.why_ended = "nothing was left to take"
        self.done: Counter[Work] = Counter()

    @property
    def _id(self) -> str:
        return self._share.share_id

    @property
    def _renews_every(self) -> timedelta:
        return self._resources.lease / 4

    @property
    def _lease(self) -> timedelta:
        """Once it is over, so are those of all effects that were claimed for the chunk."""
        return self._resources.lease + self._renews_every

    @property
    def is_stopped(self) -> bool:
        """Whether it waits no longer for the service, or the time is up."""
        return self._resources.breaker.is_over

    def end(self) -> None:
        """Take no more chunks."""
        self._ends = True

    async def work(self) -> None:
        """Take chunks until there are none, or the share is closed: then calls on the wire are awaited, and no more."""
        await asyncio.to_thread(self._shares.join, self._id)
        drawing = as_they_come(self._resources, self._taken(), self._one)
        working = asyncio.create_task(drawing)
        watching = asyncio.create_task(self._watch(working))
        watching.add_done_callback(lambda _: working.cancel())
        try:
            await working
        except asyncio.CancelledError:
            if not watching.done() or watching.cancelled():
                raise
            watching.result()
        finally:
            watching.cancel()
            await asyncio.shield(asyncio.to_thread(self._shares.leave, self._id))
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
        def take() -> Chunk | None:
            holders = self._shares.holders(self._id)
            dead = [one for one in holders if is_dead(self._resources.send_logs, one)]
            return self._shares.take(self._id, lease=self._lease, dead=dead, in_hand=self._in_hand)

        # a helper that is cancelled meanwhile leaves the share only now: taken chunks would have no holder
        return await shield_until_done(asyncio.to_thread(take), on_cancel=lambda: None)

    async def _watch(self, working: asyncio.Task[None]) -> None:
        """Renew the taken chunks, and end when the share is over."""
        renewed_at = self._resources.clock()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            share = await asyncio.to_thread(self._shares.look, self._id)
            now = self._resources.clock()
            if why := why_over(share, now):
                self.why_ended = why
                if why == CLOSED:
                    return
                self.end()
            await asyncio.to_thread(self._shares.join, self._id)
            if now - renewed_at >= self._renews_every:
                await asyncio.to_thread(self._shares.renew, self._id, list(self._in_hand), lease=self._lease)
                renewed_at = now

    async def _one(self, chunk: Chunk, label: str, through: Callable[..., None]) -> None:
        is_done = False
        try:
            if chunk.work is Work.PLAN:
                is_done = await self._plan(chunk, label, through)
            else:
                is_done = await self._buy(chunk, label, through)
            self.done[chunk.work] += len(chunk) if is_done else 0
        finally:
            self._in_hand.discard(chunk.number)
            if not is_done:
                await asyncio.shield(asyncio.to_thread(self._shares.give_back, self._id, [chunk.number]))

    async def _plan(self, chunk: Chunk, label: str, through: Callable[..., None]) -> bool:
        requests = chunk.requests
        self._planning.expect(
            requests, await match_requests(self._resources, requests, chunk_size=len(chunk), anew=False)
        )
        plans = await self._planning.plan(requests, label, through)
        if self.is_stopped:
            return False
        told = Planned(
            plans=tuple(map(summary_of, plans)),
            postponed=tuple(plan.order_ref for plan in plans if plan.is_postponed),
            matches=tuple(match_line(plan.order_ref, match) for plan in plans for match in plan.matches),
        )
        await asyncio.to_thread(self._shares.finish_planned, chunk, plans, self._share.batch_id, told)
        run_logger().info("Planned the orders %s: %s", label, len(plans))
        return True

    async def _buy(self, chunk: Chunk, label: str, through: Callable[..., None]) -> bool:
        terms, approved = self._share.terms, chunk.approved
        refs = list(approved)
        if chunk.had_a_holder:
            await settle_open(self._resources, refs)
        await Steps(
            self._resources,
            {ref: plan for ref, plan in approved.items() if plan},
            terms.limits,
            label,
            self._canaries,
            asks=terms.asks,
            then=through,
        ).take(refs)
        if self.is_stopped:
            return False
        await asyncio.to_thread(self._shares.finish, chunk)
        run_logger().info("Bought the orders %s: %s", label, len(refs))
        return True
