"""The resources that every flow opens before it acts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import datetime, timedelta

from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from domain.follow_ups import as_text, moment_of
from flows.answers.todo import to_do
from flows.batch.worked_batch import WorkedBatch, worked_on
from flows.notify.news import of_calls, of_waiting
from flows.notify.outbox import enqueue, send_due
from flows.prefect_ui.runs import current_run, retried_at
from tasks.engine.lost_ledger import require_not_lost
from tasks.engine.resources import Resources, open_resources, utc_now
from tasks.engine.retrying import begins_no_task
from tasks.snapshot import write_tables

LEAST = timedelta(seconds=60)
"""The first call is waited for at least so long."""


def begun_at(now: datetime) -> datetime:
    """When this flow run began first: a run taken up after a crash is still the same
    run. `now` outside a run.

    Never later than now: the start is of the Prefect server's clock, which may be
    ahead.
    """
    run = current_run()
    return min((run.start_time if run else None) or now, now)


async def requested_at(now: datetime) -> datetime:
    """When a person had this run started, or started again; not when a process took it
    up, maybe after others.
    """
    return min(await retried_at() or planned_at(now), now)


def planned_at(now: datetime) -> datetime:
    """When this run was to begin first, as a person pressed or planned it."""
    run = current_run()
    return min((run.expected_start_time if run else None) or now, now)


async def absolute(done_by: str) -> str:
    """A time limit with its day, so that what this run starts means the same moment."""
    timezone = SourcingSettings().timezone
    moment = await _meant(done_by, utc_now(), timezone)
    return as_text(moment, timezone) if moment else ""


async def _meant(done_by: str, now: datetime, timezone: str) -> datetime | None:
    return (
        moment_of(done_by, await retried_at() or begun_at(now), timezone)
        if done_by
        else None
    )


@asynccontextmanager
async def opened(
    *,
    begins_orders: bool = False,
    done_by: str = "",
    batch: WorkedBatch | None = None,
    settings: SourcingSettings | None = None,
) -> AsyncIterator[Resources]:
    """Everything a run works with, once a cheap call has proved that service, clock and
    account are well.

    A run that `begins_orders` raises `LedgerUnusable` where a new ledger would have
    forgotten earlier ones. A service that is away is waited for until `done_by`, and
    for a minute where that is over: a run that comes too late ends in order too. A
    `batch` is stored as this run's before all that.
    """
    settings = settings or SourcingSettings()
    async with (
        open_resources(settings, XportcnSettings()) as resources,
        worked_on(resources.ledger, batch) if batch else nullcontext(),
    ):
        now = resources.clock()
        resources.ledger.since = begun_at(now)
        resources.done_by = await _meant(done_by, now, settings.timezone)
        if resources.done_by:
            resources.breaker.until(
                max(resources.done_by, now + LEAST), resources.clock
            )
        if begins_orders:
            require_not_lost(resources)
        await resources.addresses()
        async with moves_written(resources):
            yield resources
        words = [
            word.message(order_refs) for word, order_refs in resources.unknown.items()
        ]
        waits = await asyncio.to_thread(to_do, resources.ledger, begun_for=timedelta(0))
        await enqueue(
            resources.ledger, *of_waiting(waits), *words, *of_calls(resources.calls)
        )
        await send_due(resources.ledger, settings, now=resources.clock())


@asynccontextmanager
async def moves_written(resources: Resources) -> AsyncIterator[None]:
    """What is moved in the block and not written by its end reaches the tables, also
    where it fails or is cancelled.
    """
    try:
        yield
    except BaseException:
        begins_no_task.set(True)
        with suppress(Exception):  # the cause of the end must come out
            await write_tables(resources, "moved")
        raise
    await write_tables(resources, "moved")
