"""The main flow: plan, gate, execute, snapshot, report; and the flow that finishes what
a run has left open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from prefect.runtime import flow_run

from connectors.fetched_files import is_address
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import NotSent, Unanswered
from domain.follow_ups import MOST_FOLLOW_UPS, FollowUp
from domain.report import BatchReport, check_batch_id
from flows.batch.follow_up import (
    FromLedger,
    once_more,
    schedule_follow_up,
    scheduled,
    unfinished_of,
)
from flows.batch.opening import absolute, opened
from flows.batch.plan_sources import FromRequests
from flows.batch.question import put_question
from flows.batch.reporting import ended, notifies_when_stopped, show_outcome
from flows.batch.request_batches import (
    FETCHED,
    PASTED,
    note_missing,
    orders_to_buy,
    read_shown,
)
from flows.batch.run import BatchRun
from flows.batch.sorting import SortedOrders
from flows.prefect_ui.artifacts import artifact_key
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    run_logger,
    sourcing_flow,
)
from flows.prefect_ui.markdown import counts_of, shown_whole
from flows.prefect_ui.parameters import (
    BatchName,
    DryRun,
    Limits,
    LimitsParameter,
    RequestsParameter,
    Speed,
    SpeedParameter,
    Yes,
    asked,
    in_words,
)
from flows.prefect_ui.runs import is_deployed
from tasks.engine.resources import Resources, utc_now

NO_LIMITS, AS_SET = Limits(), Speed()


def run_name() -> str:
    """The name of the run until more is known of the batch than its name or file."""
    requests: Any = flow_run.parameters.get("requests") or {}
    file = requests.get("file") if isinstance(requests, Mapping) else requests.file
    source = (
        FETCHED if is_address(str(file)) else Path(str(file)).name if file else PASTED
    )
    named = flow_run.parameters.get("batch") or source
    return f"source {named}{' (dry run)' if flow_run.parameters.get('dry_run', True) else ''}"


@sourcing_flow(run_name)
async def buy_from_file(
    requests: RequestsParameter,
    dry_run: DryRun = True,  # noqa: FBT002 - flow parameters make a form
    yes: Yes = False,  # noqa: FBT002
    batch: BatchName = "",
    limits: LimitsParameter = NO_LIMITS,
    speed: SpeedParameter = AS_SET,
) -> BatchReport:
    """Buy and ship what a request file asks for: plan, ask, create, pay, book, report.

    A dry run ends with the plan. Nothing is bought twice: a run that was broken off is
    simply started again.
    """
    limits.check()
    asked = await read_shown(requests, batch, SourcingSettings())
    async with opened(
        concurrency=speed.concurrency, begins_orders=True, done_by=limits.done_by
    ) as resources:
        orders = await asyncio.to_thread(
            orders_to_buy, resources.ledger, asked.orders, dry_run=dry_run
        )
        source, asked = (
            FromRequests(orders, asked.source, asked.warnings),
            replace(asked, orders=()),
        )
        del orders  # the run drops their texts once they are planned
        run = BatchRun(
            resources,
            asked.batch_id,
            source,
            budget=limits.budget,
            chunk_size=speed.chunk_size,
        )
        async with notifies_when_stopped(
            resources.ledger, asked.batch_id, buys=not dry_run
        ):
            report = await run.followed(dry_run=dry_run, ask=not yes)
        del run, source  # what they know of each order is much memory
        report = await schedule_follow_up(resources, report, limits)
        if is_deployed() and not dry_run:
            report = replace(
                report,
                approval=await put_question(
                    resources, report.batch_id, limits.budget_cny
                ),
            )
        note_missing(report, resources.settings.data_dir)
        await show_outcome(report, resources.ledger.orders(shown_whole(report)))
    answer: BatchReport = ended(report)
    return answer


KnownBatch = Annotated[
    str, asked("Batch", "The name of a batch that was begun, as its runs show it")
]
FollowUpNumber = Annotated[
    int,
    asked(
        "Look",
        f"Which follow-up of the batch this is; the last is {MOST_FOLLOW_UPS}",
        ge=1,
        le=MOST_FOLLOW_UPS,
    ),
]


@sourcing_flow("finish {batch}")
async def finish_batch(
    batch: KnownBatch, limits: LimitsParameter = NO_LIMITS, look: FollowUpNumber = 1
) -> BatchReport:
    """Settle what got no answer in a batch, and go on with what was approved: create,
    pay, book, report.

    Nothing is planned or approved anew: what is held, refused or not approved stays as
    it is.
    """
    return await finish(batch, limits, look)


async def finish(batch: str, limits: Limits, look: int = 1) -> BatchReport:
    """Go on with a batch as the ledger has it; see `finish_batch`."""
    limits.check()
    in_words("Batch", lambda: check_batch_id(batch))
    try:
        async with opened(begins_orders=True, done_by=limits.done_by) as resources:
            return await _finished(resources, batch, limits, look)
    except (NotSent, Unanswered) as error:
        if is_deployed():
            await _follow_up_later(batch, limits, look, error)
        raise


async def _finished(
    resources: Resources, batch: str, limits: Limits, number: int
) -> BatchReport:
    ledger, left = resources.ledger, unfinished_of(resources.ledger, batch)
    source = FromLedger(ledger, batch)
    run = BatchRun(resources, batch, source, budget=limits.budget)
    await best_effort(
        "the run's name", rename_run(f"finish {batch}: {left.words or 'nothing left'}")
    )
    if not left.words:
        report = run.report(SortedOrders(), snapshot_id="")
        run_logger().info(
            "Batch %s: nothing is left to do: %s", batch, counts_of(report)
        )
    else:
        run_logger().info("Batch %s: %s", batch, left.words)
        async with (
            notifies_when_stopped(ledger, batch),
            progress_shown(artifact_key(batch)),
        ):
            report = await run.buy(ask=False)
        report = await schedule_follow_up(resources, report, limits, number=number + 1)
    await show_outcome(report, ledger.orders(shown_whole(report)))
    await best_effort(
        "the run's name", rename_run(f"finish {batch}: {counts_of(report)}")
    )
    answer: BatchReport = ended(report)
    return answer


async def _follow_up_later(
    batch: str, limits: Limits, number: int, error: NotSent | Unanswered
) -> None:
    limits = limits.model_copy(update={"done_by": await absolute(limits.done_by)})
    this = FollowUp(orders=0, batches=(batch,), number=number, at=utc_now(), here=False)
    later = once_more(this, error, limits.done_by)
    if not (later.is_over or later.is_late):
        later = await scheduled(later, limits)
    run_logger().warning("Batch %s: %s", batch, later.words)
