"""A batch shared with helpers, from the side of its run: it puts chunks, takes them
too, and does what is left.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled

from connectors.ledger.chunks import ChunkState, Planned, SharedBatch, Work
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.records import SpendLimits
from connectors.ledger.send_log import is_dead
from connectors.process_locks import program
from connectors.xportcn.settings import XportcnSettings
from domain.orders import OrderRequest
from domain.request_remarks import BadInput
from flows.batch.chunks import chunks
from flows.batch.helping import STOPPED, ChunkWorker
from flows.batch.opening import this_run
from flows.prefect_ui.expected_errors import run_logger
from flows.prefect_ui.runs import current_run
from tasks.engine.progress import SILENT, progress
from tasks.engine.resources import Resources

T = TypeVar("T")
DEPLOYMENT = "help-batch/help-batch"
POLL_EVERY_S = 1.0
PATIENCE_S = 10.0
TOUCH_EVERY_S = 5.0
PARTS_A_PROCESS = 25
"""The least number of chunks for each process: at the end none waits long for the
others.
"""
OF_THE_RUN = (
    "lease_s",
    "settle_s",
    "look_back_days",
    "day_limit_cny",
    "timezone",
    "retry_delays_s",
)
"""The settings that helpers take from the run that shares its batch: all that buying
reads, but for the machine's.
"""
ACCOUNT_OF_THE_RUN = (
    *(
        "pay_is",
        "units",
        "freight_ids",
        "taobao_receiver",
        "warehouse",
        "booking_repeated",
    ),
    *("most_cny", "submission_h", "trade_types", "out_order_id"),
    *("first_page", "compact_times"),
)
"""What helpers take from its `XportcnSettings`. The account itself must be their
own.
"""


class Coordinator:
    """The run's side of a batch that it shares with so many `helpers`."""

    def __init__(
        self,
        resources: Resources,
        shared: SharedBatch,
        *,
        helpers: int,
        chunk_size: int,
    ) -> None:
        self._resources = resources
        self._rows = resources.ledger.chunks
        self._shared = shared
        self._helpers = helpers
        self._chunk_size = chunk_size
        self._runs: dict[UUID, FlowRun] = {}
        self._numbers = 0
        self.remarks: list[str] = []

    async def planned(self, requests: Sequence[OrderRequest]) -> list[Planned]:
        """Have these planned, in chunks; requests missing from the answer are left to
        this run.
        """
        together, listener = list[Planned](), progress.get()

        async def take_in(numbers: Sequence[int]) -> None:
            for planned in await asyncio.to_thread(
                self._rows.planned, self._shared, numbers
            ):
                together.append(planned)
                listener.advance("plan", len(planned.plans))

        listener.start("plan", len(requests))
        await self._done(Work.PLAN, self._parts(requests), take_in)
        return together

    async def bought(
        self,
        refs: Sequence[str],
        approved: Mapping[str, str],
        emit: Callable[[Sequence[str]], Awaitable[object]],
    ) -> list[str]:
        """Have these bought on the approved plans; answers those that are left to this
        run.

        `emit` is called with the orders of each chunk that is done.
        """
        listener, left = progress.get(), dict.fromkeys(refs)
        parts = self._parts([(ref, approved.get(ref)) for ref in refs])
        first = self._numbers + 1

        async def take_in(numbers: Sequence[int]) -> None:
            for number in numbers:
                done = [ref for ref, _ in parts[number - first]]
                for ref in done:
                    del left[ref]
                listener.advance("buy", len(done))
                await emit(done)

        listener.start("buy", len(refs))
        await self._done(Work.BUY, parts, take_in)
        return list(left)

    async def touch(self) -> None:
        """Show that this run is alive, also while it waits for a person; ends when
        another run shares the batch.
        """
        is_ours = True
        while is_ours:
            try:
                is_ours = await asyncio.to_thread(self._rows.touch, self._shared)
            except LedgerUnusable as error:
                run_logger().warning(
                    "Helpers of batch %s don't see this run: %s", self._batch, error
                )
            await asyncio.sleep(TOUCH_EVERY_S)

    async def close(self) -> None:
        """End the work of all helpers."""
        try:
            await asyncio.to_thread(self._rows.close, self._shared)
        except LedgerUnusable as error:
            run_logger().warning(
                "Batch %s is still open to helpers, which end by themselves: %s",
                self._batch,
                error,
            )
        if self._runs:
            await self._asked(self._call_off())

    # chunks

    def _parts(self, items: Sequence[T]) -> list[Sequence[T]]:
        processes = self._helpers + 1
        size = min(
            self._chunk_size,
            max(1, math.ceil(len(items) / (processes * PARTS_A_PROCESS))),
        )
        return [part for _, part in chunks(items, size)]

    async def _done(
        self,
        work: Work,
        parts: Sequence[Sequence[OrderRequest | tuple[str, str | None]]],
        take_in: Callable[[Sequence[int]], Awaitable[None]],
    ) -> None:
        """Work beside the helpers until all chunks are done, but for those of silent
        helpers, which are withdrawn.
        """
        first, self._numbers = self._numbers + 1, self._numbers + len(parts)
        await asyncio.to_thread(self._rows.put, self._shared, first, work, parts)
        starting = asyncio.create_task(
            self._start_helpers(len(parts))
        )  # seconds in which this run works already
        taken_in: set[int] = set()

        async def states() -> list[ChunkState]:
            mine = [
                one
                for one in await asyncio.to_thread(self._rows.states, self._shared)
                if one.number >= first
            ]
            done = [
                one.number for one in mine if one.is_done and one.number not in taken_in
            ]
            taken_in.update(done)
            await take_in(done)
            return [one for one in mine if not one.is_done]

        shown = progress.set(SILENT)  # the run shows the progress of it all
        worker = ChunkWorker(self._resources, self._shared, idle_s=math.inf)
        working = asyncio.create_task(worker.work())
        progress.reset(shown)
        try:
            while any(self._waits_for(one, working) for one in await states()):
                await asyncio.wait({working}, timeout=POLL_EVERY_S)
                if working.done():
                    working.result()
                    await asyncio.sleep(POLL_EVERY_S)
        except BaseException:
            working.cancel()
            raise
        finally:
            starting.cancel()
            worker.end()
            await asyncio.wait({working, starting})
        working.result()
        await asyncio.to_thread(self._rows.withdraw, self._shared)
        await states()

    def _waits_for(self, chunk: ChunkState, working: asyncio.Task[None]) -> bool:
        """Whether a chunk may still be done: by this run, or by a helper that was seen
        while its claims last.
        """
        if chunk.taken_by in (None, self._resources.ledger.owner):
            return not working.done()
        return chunk.seen_at is not None and chunk.seen_at > silent_since(
            self._resources
        )

    @property
    def _batch(self) -> str:
        return self._shared.batch_id

    # helpers

    async def _start_helpers(self, parts: int) -> None:
        """Start those that are missing: the first ones may have ended while a person
        was asked.
        """
        if (run := current_run()) is None or parts < 2:
            return
        await self._asked(self._read_runs())
        me = f"{run.id}:{run.run_count}"
        at_work = sum(not _is_over(one) for one in self._runs.values())
        for _ in range(self._helpers - at_work):
            if not await self._asked(
                self._start_one(f"{self._batch}:{me}:{len(self._runs)}")
            ):
                return

    async def _start_one(self, key: str) -> None:
        """Not as a subflow: a run that is killed and started again would show tasks
        that never end.
        """
        run = await arun_deployment(
            DEPLOYMENT,
            parameters={"batch": self._batch},
            flow_run_name=f"help {self._batch}",
            timeout=0,
            idempotency_key=key,
            as_subflow=False,
        )
        self._runs[run.id] = run

    async def _read_runs(self) -> None:
        if self._runs:
            async with get_client() as client:
                wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(self._runs)))
                self._runs |= {
                    run.id: run
                    for run in await client.read_flow_runs(flow_run_filter=wanted)
                }

    async def _call_off(self) -> None:
        """Cancel helpers that no worker has taken, which would be reported as late;
        remark on those that failed.
        """
        await self._read_runs()
        async with get_client() as client:
            for run in self._runs.values():
                if run.state and run.state.is_scheduled():
                    await client.set_flow_run_state(
                        run.id, Cancelled(message="The batch is done without it")
                    )
                elif (
                    run.state
                    and _is_over(run)
                    and not (run.state.is_completed() and run.state.name != STOPPED)
                ):
                    self._remark(
                        f"one has ended: {run.state.message or run.state.name}"
                    )

    async def _asked(self, asking: Coroutine[Any, Any, None]) -> bool:
        """Ask Prefect. A failure is no reason to stop: the run does by itself what no
        helper does.
        """
        try:
            await asyncio.wait_for(asking, PATIENCE_S)
        except ObjectNotFound:
            self._remark(
                f"there is no deployment {DEPLOYMENT}: register the deployments again"
            )
        except Exception as error:  # noqa: BLE001
            self._remark(
                f"the Prefect server did not do what was asked for helpers ({type(error).__name__})"
            )
        else:
            return True
        return False

    def _remark(self, words: str) -> None:
        """Write it to the log, and once to the report."""
        run_logger().warning("Batch %s: helpers: %s", self._batch, words)
        if words not in self.remarks:
            self.remarks.append(words)


def _is_over(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()


def helpers_for(resources: Resources, orders: int, *, wanted: int = 0) -> int:
    """The number of helpers for a run of so many orders: as `wanted` for it, else by
    the settings.

    Raises `BadInput` for wanted helpers where the ledger can't be shared.
    """
    settings = resources.settings
    if not (
        helpers := wanted or (settings.helpers if orders > settings.help_above else 0)
    ):
        return 0
    if resources.ledger.engine.dialect.name == "postgresql":
        return helpers
    remedy = "helpers need a ledger on PostgreSQL: move it there (sourcing ledger copy --to URL)"
    if wanted:
        raise BadInput(f"{remedy}, or run without helpers. Nothing was sent")
    run_logger().warning(
        "SOURCING_HELPERS is %s, but %s; this run does everything itself",
        helpers,
        remedy,
    )
    return 0


def silent_since(resources: Resources) -> datetime:
    """A process that was not seen since then is waited for no longer: its claims are
    over.
    """
    return resources.clock() - resources.lease * 1.25


async def helpers_end(resources: Resources, batch_id: str) -> None:
    """Wait until the helpers of a run before have ended, or are silent: only then it
    shows which orders are begun.
    """
    while True:
        at_work = await asyncio.to_thread(
            resources.ledger.chunks.unshare, batch_id, since=silent_since(resources)
        )
        if all(is_dead(resources.send_logs, one) for one in at_work):
            return
        run_logger().info(
            "Batch %s: helpers of an earlier run are to end first", batch_id
        )
        await asyncio.sleep(POLL_EVERY_S)


@asynccontextmanager
async def shared(
    resources: Resources,
    limits: SpendLimits,
    *,
    helpers: int,
    chunk_size: int,
    asks: bool,
) -> AsyncIterator[Coordinator]:
    """A batch that is shared until the end."""
    account = XportcnSettings()
    shared = SharedBatch(
        batch_id=limits.batch_id,
        owner=resources.ledger.owner,
        seen_at=resources.clock(),
        version=program(),
        account=account.account_name,
        run=this_run() or resources.ledger.owner,
        limits=limits,
        concurrency=resources.concurrency,
        done_by=resources.done_by,
        begun=resources.ledger.since,
        asks=asks,
        settings={
            **resources.settings.model_dump(mode="json", include={*OF_THE_RUN}),
            "patience_s_setting": resources.settings.patience_s,
        },
        xportcn={
            **account.model_dump(mode="json", include={*ACCOUNT_OF_THE_RUN}),
            "ask_first": account.asks_first,
        },
    )
    await asyncio.to_thread(resources.ledger.chunks.share, shared)
    coordinator = Coordinator(resources, shared, helpers=helpers, chunk_size=chunk_size)
    touching = asyncio.create_task(coordinator.touch())
    try:
        yield coordinator
    finally:
        touching.cancel()
        await asyncio.shield(asyncio.create_task(coordinator.close()))
