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

from connectors.book_file import of_a_night
from connectors.fetched_files import is_address
from connectors.ledger.batches import BatchOptions, OpenBatch
from connectors.ledger.store import Ledger
from connectors.request_copies import require_unchanged
from connectors.settings import SourcingSettings
from domain.follow_ups import earlier
from domain.report import BatchReport, check_batch_id
from domain.request_remarks import BadInput
from flows.batch.follow_up import FromLedger, report_follow_up, unfinished_of
from flows.batch.opening import absolute, opened
from flows.batch.parts import Part
from flows.batch.plan_sources import FromRequests, PlanSource
from flows.batch.question import put_question
from flows.batch.reporting import ended, notifies_when_stopped, show_outcome
from flows.batch.request_batches import (
    FETCHED,
    PASTED,
    RequestBatch,
    note_missing,
    orders_to_buy,
    read_shown,
)
from flows.batch.run import BatchRun
from flows.batch.worked_batch import (
    WorkedBatch,
    asked_batch,
    continued_batch,
    options_of,
    restricted,
)
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    run_logger,
    sourcing_flow,
)
from flows.prefect_ui.markdown import counts_of, shown_whole
from flows.prefect_ui.parameters import (
    BatchName,
    DoneBy,
    DryRun,
    Limits,
    LimitsParameter,
    Parts,
    Requests,
    RequestsParameter,
    Yes,
    asked,
    in_words,
)
from flows.prefect_ui.runs import is_deployed
from tasks.engine.resources import Resources, utc_now

NO_LIMITS = Limits()


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
    parts: Parts = 0,
) -> BatchReport:
    """Buy and ship what a request file asks for: plan, ask, create, pay, book, report.

    A dry run ends with the plan. Nothing is bought twice: a run that was broken off is
    simply started again.
    """
    limits.check()
    settings = SourcingSettings()
    asked = await read_shown(requests, batch, settings)
    if dry_run:
        return await _plan(asked, limits)
    options = options_of(
        settings,
        yes=yes,
        budget=limits.budget,
        done_by=await absolute(limits.done_by),
        encoding=requests.encoding if requests.file else "",
    )
    worked = asked_batch(asked, options, settings)
    async with opened(
        begins_orders=True, done_by=options.done_by, batch=worked
    ) as resources:
        source, asked = await _source_of(resources, asked)
        if of_a_night.get(None) is not None:
            source.of_batch = worked.batch_id
        report = await _buy(resources, source, worked, options, parts)
        note_missing(report, settings.data_dir)
    answer: BatchReport = ended(report)
    return answer


async def _plan(asked: RequestBatch, limits: Limits) -> BatchReport:
    async with opened(begins_orders=True, done_by=limits.done_by) as resources:
        orders = await asyncio.to_thread(
            orders_to_buy, resources.ledger, asked.orders, dry_run=True
        )
        run = BatchRun(
            resources,
            asked.batch_id,
            FromRequests(orders, asked.source, asked.warnings),
            budget=limits.budget,
        )
        report = await run.followed(dry_run=True, ask=False)
        note_missing(report, resources.settings.data_dir)
        await show_outcome(report, resources.ledger.orders(shown_whole(report)))
    return report


async def _source_of(
    resources: Resources, asked: RequestBatch
) -> tuple[FromRequests, RequestBatch]:
    """Return the plans of a batch's orders, and the batch without their texts, which
    the run drops once they are planned.
    """
    orders = await asyncio.to_thread(
        orders_to_buy, resources.ledger, asked.orders, dry_run=False
    )
    source = FromRequests(orders, asked.source, asked.warnings)
    return source, replace(asked, orders=(), content=b"")


async def _buy(
    resources: Resources,
    source: PlanSource,
    batch: WorkedBatch,
    options: BatchOptions,
    parts: int = 0,
) -> BatchReport:
    """Buy what a source has, and return the report with the next look at the batch."""
    run = BatchRun(
        resources, batch.batch_id, source, budget=options.budget, parts=parts
    )
    async with notifies_when_stopped(resources.ledger, batch.batch_id):
        report = await run.followed(dry_run=False, ask=source.asks and not options.yes)
    unplanned = len(run.postponed)
    del run, source  # what they know of each order is much memory
    report = await report_follow_up(resources, report, batch, unplanned=unplanned)
    if is_deployed():
        question = await put_question(resources, batch.batch_id)
        report = replace(report, approval=question)
    await show_outcome(report, resources.ledger.orders(shown_whole(report)))
    return report


KnownBatch = Annotated[
    str,
    asked(
        "Batch",
        "The name of a batch that was begun, as its runs show it",
    ),
]


PartOfBatch = Annotated[
    str, asked("Part", "Such as 2/4: the second of four runs at work on the batch")
]


@sourcing_flow("finish {batch}")
async def finish_batch(
    batch: KnownBatch, done_by: DoneBy = "", part: PartOfBatch = ""
) -> BatchReport:
    """Settle what got no answer in a batch, go on with what was approved, and plan what
    has no plan yet, under the options that the batch was begun with.

    What is held, refused or not approved stays as it is. A `part` of the batch, such
    as `2/4`, is what one of several runs at work on it buys. The sweep gives its own
    time limit (`done_by`).
    """
    return await finish(batch, done_by, part)


async def finish(batch: str, done_by: str = "", part: str = "") -> BatchReport:
    """Go on with a batch as the ledger has it; see `finish_batch`."""
    in_words("Batch", lambda: check_batch_id(batch))
    settings = SourcingSettings()
    stored = await asyncio.to_thread(_stored_batch, settings, batch)
    options = stored.options
    worked = continued_batch(stored, settings.timezone, is_sweep=bool(done_by))
    async with opened(
        begins_orders=True,
        done_by=earlier(done_by, options.done_by, settings.timezone),
        batch=None if part else worked,
        settings=restricted(settings, options),
    ) as resources:
        if part:
            source = FromLedger(resources.ledger, batch, Part.read(part))
            report = await _buy(resources, source, worked, options)
        else:
            report = await _finished(resources, stored, worked)
    answer: BatchReport = ended(report)
    return answer


def _stored_batch(settings: SourcingSettings, batch_id: str) -> OpenBatch:
    with Ledger(settings.ledger_url, clock=utc_now, owner="finish") as ledger:
        stored = ledger.batches.open(batch_id)
        if not stored:
            raise BadInput(
                f"no batch {batch_id} in the ledger {ledger.shown}; see: sourcing status"
            )
    return stored[0]


async def _finished(
    resources: Resources, stored: OpenBatch, worked: WorkedBatch
) -> BatchReport:
    """Go on with what is approved first: planning anew would ask again."""
    ledger = resources.ledger
    left = unfinished_of(ledger, stored.batch_id).words
    asked_by = stored.options.asked_by or "a command"
    open_words = left or "nothing is open"
    run_logger().info("Batch %s of %s: %s", stored.batch_id, asked_by, open_words)
    report = None
    if left or not worked.copy:
        source = FromLedger(ledger, stored.batch_id)
        report = await _buy(resources, source, worked, stored.options)
    if worked.copy and not resources.breaker.is_over:
        requests = await _read_copy(stored, worked.copy, resources.settings)
        planned, _ = await _source_of(resources, requests)
        planned.of_batch = stored.batch_id
        report = await _buy(resources, planned, worked, stored.options)
    assert report is not None
    await best_effort(
        "the run's name", rename_run(f"finish {stored.batch_id}: {counts_of(report)}")
    )
    return report


async def _read_copy(
    stored: OpenBatch, copy: Path, settings: SourcingSettings
) -> RequestBatch:
    require_unchanged(copy, stored.digest or "")
    requests = Requests(file=str(copy), encoding=stored.options.encoding)
    asked = await read_shown(requests, stored.batch_id, settings)
    return replace(asked, source=stored.source)
