"""A batch shared with helpers, from the side of its run: it hands out chunks, and does what no helper takes."""

from __future__ import annotations

import asyncio
import math
import time
from collections import ChainMap
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.context import FlowRunContext
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.records import SpendLimits
from connectors.ledger.send_log import is_dead
from connectors.ledger.shares import ChunkState, Planned, Share, Terms, Work
from connectors.program import program
from connectors.settings import XportcnSettings
from domain.orders import OrderRequest
from domain.plan import PlanSummary
from domain.report import MatchLine
from flows.batch.chunks import chunks
from flows.batch.helping import STOPPED, Helping
from flows.batch.opening import this_run
from flows.prefect_ui.expected_errors import run_logger
from flows.prefect_ui.parameters import BadInput
from tasks.engine.progress import SILENT, progress
from tasks.engine.resources import Resources

T = TypeVar("T")
DEPLOYMENT = "help-batch/help-batch"
LOOK_EVERY_S = 1.0
RUNS_EVERY_S = 5.0
PATIENCE_S = 10.0
UNSEEN_AFTER = timedelta(seconds=15)
"""A helper sends a heartbeat every few seconds."""
NOBODY_FOR_S = 60.0
"""From then on missing helpers are reported: a worker polls every few seconds, and a helper takes some to start."""
TOUCH_EVERY_S = 5.0
STALE_AFTER = timedelta(seconds=90)
"""More than the clocks of two machines may be apart."""
PARTS_A_HELPER = 25
"""The least number of chunks for each helper: at the end no helper waits long for the others."""
MOST_ROUNDS = 2
"""So often helpers are started: those that had nothing to do during an approval have ended."""


@dataclass(kw_only=True)
class PlannedTogether:
    """The result of all planning: the plans in the ledger by reference, postponed orders, and matches of words."""

    plans: dict[str, PlanSummary] = field(default_factory=dict)
    postponed: list[str] = field(default_factory=list)
    matches: dict[str, list[MatchLine]] = field(default_factory=dict)

    def take(self, planned: Planned) -> None:
        """Add the result of a chunk."""
        self.plans |= {plan.order_ref: plan for plan in planned.plans}
        self.postponed += planned.postponed
        for line in planned.matches:
            self.matches.setdefault(line.order_ref, []).append(line)


class TakenOver(BadInput):
    """Another run goes on with the batch, since this one had no heartbeat for a while."""


class Sharing:
    """One batch, shared with so many `helpers`; `is_taken_up` from a run before."""

    def __init__(self, resources: Resources, share: Share, *, helpers: int, is_taken_up: bool) -> None:
        self.share = share
        self._id = share.share_id
        self._resources = resources
        self._shares = resources.ledger.shares
        self._helpers = helpers
        self._is_taken_up = is_taken_up
        self._heard: set[int] = set()
        self._runs: dict[UUID, FlowRun] = {}
        self._started = 0
        self._has_warned = False
        self.said: list[str] = []
        self._looked_at_runs = self._somebody_at = time.monotonic()
        self._alone: Helping | None = None
        self._working_alone: asyncio.Task[None] | None = None
        self._touching = asyncio.create_task(self._touch())

    # what a run asks of it

    async def bought_before(self) -> dict[str, str | None]:
        """The approved hashes by reference that were handed out for buying before this run took the share up."""
        if not self._is_taken_up:
            return {}
        states = await asyncio.to_thread(self._shares.states, self._id)
        numbers = [one.number for one in states if one.work is Work.BUY]
        return dict(ChainMap(*await asyncio.to_thread(self._shares.to_buy, self._id, numbers)))

    async def planned(self, requests: Sequence[OrderRequest]) -> PlannedTogether:
        """Have these planned; requests missing from the answer were not planned: patience or time was used up."""
        handed_out = await asyncio.to_thread(self._shares.refs_to_plan, self._id) if self._is_taken_up else ()
        parts = self._parts([request for request in requests if request.order_ref not in handed_out])
        if not await asyncio.to_thread(self._shares.put_to_plan, self._id, await self._next_number(), parts):
            raise self._taken_over()
        together, listener = PlannedTogether(), progress.get()

        async def hear(numbers: Sequence[int]) -> None:
            for planned in await asyncio.to_thread(self._shares.planned, self._id, numbers):
                together.take(planned)
                listener.advance("plan", len(planned.plans))

        listener.start("plan", len(requests))
        await self._followed(Work.PLAN, hear)
        return together

    async def bought(
        self, refs: Sequence[str], approved: Mapping[str, str], tell: Callable[[Sequence[str]], Awaitable[object]]
    ) -> None:
        """Have these bought, on the approved plans; `tell` is called with orders that a helper has finished."""
        if not await self.bought_before():
            parts = [{ref: approved.get(ref) for ref in part} for part in self._parts(refs)]
            if not await asyncio.to_thread(self._shares.put_to_buy, self._id, await self._next_number(), parts):
                raise self._taken_over()
        listener = progress.get()

        async def hear(numbers: Sequence[int]) -> None:
            for done in await asyncio.to_thread(self._shares.to_buy, self._id, numbers):
                listener.advance("buy", len(done))
                await tell(list(done))

        listener.start("buy", len(refs))
        await self._followed(Work.BUY, hear)

    async def close(self) -> None:
        """End the work of all helpers, unless another run has taken the share up."""
        self._touching.cancel()
        if self._working_alone is not None:
            self._working_alone.cancel()
            await asyncio.wait({self._working_alone})
        try:
            await asyncio.to_thread(self._shares.close, self.share)
        except LedgerUnusable as error:
            run_logger().warning("Batch %s is still open to helpers, which end by themselves: %s", self._batch, error)
        if not all(map(_is_over, self._runs.values())):
            await self._asked(self._call_off())

    # following

    def _parts(self, items: Sequence[T]) -> list[Sequence[T]]:
        size = min(
            self.share.terms.chunk_size, max(1, math.ceil(len(items) / (max(1, self._helpers) * PARTS_A_HELPER)))
        )
        return [part for _, part in chunks(items, size)]

    async def _next_number(self) -> int:
        states = await asyncio.to_thread(self._shares.states, self._id)
        return max((one.number for one in states), default=0) + 1

    async def _followed(self, work: Work, hear: Callable[[Sequence[int]], Awaitable[None]]) -> None:
        """Wait until all chunks of this work are done, or no helper does any more of it and this run can't."""
        while True:
            states = await asyncio.to_thread(self._shares.states, self._id)
            if not await asyncio.to_thread(self._shares.touch, self._id):  # then these may be what another one left
                raise self._taken_over()
            mine = [one for one in states if one.work is work]
            if done := [one.number for one in mine if one.is_done and one.number not in self._heard]:
                await hear(done)
                self._heard.update(done)
            left = [one for one in mine if not one.is_done]
            if not left:
                return
            await self._see_to_helpers(left)
            if self._resources.breaker.is_over and not any(one.is_held for one in left):
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def _taken_over(self) -> TakenOver:
        return TakenOver(
            f"another run goes on with batch {self._batch}: this one gave no sign of life for a while, and ends"
        )

    async def _touch(self) -> None:
        """Send heartbeats, also while this run waits for a person; ends when the share is no more its own."""
        while await asyncio.to_thread(self._shares.touch, self._id):  # noqa: ASYNC110 - it is told to a database
            await asyncio.sleep(TOUCH_EVERY_S)

    async def _see_to_helpers(self, left: Sequence[ChunkState]) -> None:
        """Start helpers; while none is at work, as before the first has begun, this run works by itself."""
        others = await asyncio.to_thread(self._shares.at_work, self._id, within=UNSEEN_AFTER)
        is_free, now = any(not one.is_held for one in left), time.monotonic()
        if self._runs and now - self._looked_at_runs >= RUNS_EVERY_S:
            self._looked_at_runs = now
            await self._asked(self._look_at_runs())
        if is_free:
            await self._start_missing(others)
        if others:
            self._somebody_at = now
            if self._alone is not None:
                self._alone.end()
        if self._working_alone is not None and self._working_alone.done():
            working, self._working_alone, self._alone = self._working_alone, None, None
            working.result()
        if is_free and not others and self._working_alone is None:
            self._working_alone = asyncio.create_task(self._work_alone())
        if not others and not self._has_warned and now - self._somebody_at >= NOBODY_FOR_S:
            self._has_warned = True
            self._say("none is at work; this run goes on by itself")

    async def _work_alone(self) -> None:
        progress.set(SILENT)  # the run shows the progress of it all
        self._alone = Helping(self._resources, self.share, idle_s=0)
        await self._alone.work()

    @property
    def _batch(self) -> str:
        return self.share.batch_id

    # helpers

    async def _start_missing(self, others: int) -> None:
        """Ask Prefect for helpers; later for others in place of helpers that had nothing to do, and ended.

        Failed helpers are not replaced, and no helper is replaced again and again.
        """
        context = FlowRunContext.get()
        if context is None or context.flow_run is None:
            return
        if not self._started:
            missing = self._helpers - others
        else:
            missing = sum(_has_ended_well(run) for run in self._runs.values())
            self._runs = {key: run for key, run in self._runs.items() if not _has_ended_well(run)}
        me = f"{context.flow_run.id}:{context.flow_run.run_count}"
        for _ in range(min(missing, MOST_ROUNDS * self._helpers - self._started)):
            self._started += 1
            if not await self._asked(self._start_one(f"{self._batch}:{me}:{self._started}")):
                return

    async def _start_one(self, key: str) -> None:
        """Not as a subflow: a run that is killed and started again would show tasks that never end."""
        run = await arun_deployment(
            DEPLOYMENT,
            parameters={"share": self.share.share_id},
            flow_run_name=f"help {self._batch}",
            timeout=0,
            idempotency_key=key,
            as_subflow=False,
        )
        self._runs[run.id] = run

    async def _look_at_runs(self) -> None:
        async with get_client() as client:
            wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(self._runs)))
            for run in await client.read_flow_runs(flow_run_filter=wanted):
                before, self._runs[run.id] = self._runs[run.id], run
                if run.state and _is_over(run) and not (_is_over(before) or _has_ended_well(run)):
                    self._say(f"one has ended: {run.state.message or run.state.name}")

    async def _call_off(self) -> None:
        """Cancel helper runs that no worker has taken: they would wait for ever, and be reported as late."""
        waiting = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(self._runs)), state=waiting)
        async with get_client() as client:
            for run in await client.read_flow_runs(flow_run_filter=wanted):
                await client.set_flow_run_state(run.id, Cancelled(message="The batch is done without it"))

    async def _asked(self, asking: Coroutine[Any, Any, None]) -> bool:
        """Ask Prefect. A failure is no reason to stop: the run does by itself what no helper does."""
        try:
            await asyncio.wait_for(asking, PATIENCE_S)
        except ObjectNotFound:
            self._say(f"there is no deployment {DEPLOYMENT}: register the deployments again")
        except Exception as error:  # noqa: BLE001
            self._say(f"the Prefect server did not do what was asked for helpers ({type(error).__name__})")
        else:
            return True
        return False

    def _say(self, words: str) -> None:
        """Write it to the log, and once to the report."""
        run_logger().warning("Batch %s: helpers: %s", self._batch, words)
        if words not in self.said:
            self.said.append(words)


def _is_over(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()


def _has_ended_well(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_completed() and run.state.name != STOPPED


def helpers_for(resources: Resources, orders: int, *, wanted: int = 0) -> int:
    """The number of helpers for a run of so many orders: as `wanted` for it, else by the settings.

    Raises `BadInput` for wanted helpers where the ledger can't be shared.
    """
    settings = resources.settings
    if not (helpers := wanted or (settings.helpers if orders > settings.help_above else 0)):
        return 0
    if resources.ledger.engine.dialect.name == "postgresql":
        return helpers
    remedy = "helpers need a ledger on PostgreSQL: move it there (sourcing ledger copy --to URL)"
    if wanted:
        raise BadInput(f"{remedy}, or run without helpers. Nothing was sent")
    run_logger().warning("SOURCING_HELPERS is %s, but %s; this run does everything itself", helpers, remedy)
    return 0


@asynccontextmanager
async def shared(
    resources: Resources,
    batch_id: str,
    *,
    helpers: int,
    wanted: str,
    limits: SpendLimits,
    chunk_size: int,
    done_by: datetime | None,
    asks: bool,
) -> AsyncIterator[Sharing | None]:
    """A share of a batch: the one that a run before this has left open, or a new one for helpers, else none.

    `wanted` as in `Terms`. It is closed at the end. A killed run leaves it open, and the restarted run takes it up,
    without asking twice.
    """
    account = XportcnSettings()
    terms = Terms(
        account=account.account_name,
        run=this_run() or resources.ledger.owner,
        wanted=wanted,
        limits=limits,
        chunk_size=chunk_size,
        concurrency=resources.concurrency,
        patience_s=resources.settings.patience_s,
        settle_s=resources.settings.settle_s,
        look_back_days=resources.settings.look_back_days,
        done_by=done_by,
        asks=asks,
        pay_is=account.pay_is,
        units=account.units,
        asks_first=account.asks_first,
        freight_ids=account.freight_ids,
        taobao_receiver=account.taobao_receiver,
        booking_repeated=account.booking_repeated,
    )
    before = await _taken_up(resources, batch_id, terms)
    if before is None and not helpers:
        yield None
        return
    share = before or resources.ledger.shares.open(_new_id(), batch_id, version=program(), terms=terms)
    sharing = Sharing(resources, share, helpers=helpers, is_taken_up=before is not None)
    try:
        yield sharing
    finally:
        await asyncio.shield(asyncio.create_task(sharing.close()))


async def _taken_up(resources: Resources, batch_id: str, terms: Terms) -> Share | None:
    """The open share of the batch, if its run is gone and it is on the same terms; another one is closed.

    While a living run shares the batch, this one does not take it up: each order is bought by one of them.
    """
    shares = resources.ledger.shares
    while (share := await asyncio.to_thread(shares.standing, batch_id)) is not None:
        unseen = resources.clock() - share.seen_at
        if unseen < STALE_AFTER and not is_dead(resources.send_logs, share.parent):
            await asyncio.sleep(min(TOUCH_EVERY_S * 2, (STALE_AFTER - unseen).total_seconds() + 0.1))
            now = await asyncio.to_thread(shares.look, share.share_id)
            if now and now.closed_at is None and now.seen_at != share.seen_at:
                run_logger().warning(
                    "Batch %s: another run shares it too; each order is bought by one of them", batch_id
                )
                return None
        elif share.version != program() or replace(share.terms, run=terms.run) != terms:
            await asyncio.to_thread(shares.close, share)
        elif await asyncio.to_thread(shares.take_up, share):
            run_logger().info("Batch %s: goes on with what the run before this one has begun", batch_id)
            return replace(share, parent=resources.ledger.owner)
    return None


def _new_id() -> str:
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return f"{run.id}:{run.run_count}" if run else uuid4().hex
