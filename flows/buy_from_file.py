"""The main flow: plan, gate, execute, snapshot, report."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from connectors.fetched_files import is_address
from connectors.settings import SourcingSettings
from domain.follow_ups import moment_of
from domain.report import BatchReport
from flows.batch.follow_up import schedule_follow_up
from flows.batch.opening import begun_at, ended, notifies_when_stopped, opened, show_outcome
from flows.batch.plan_sources import FromRequests
from flows.batch.request_batches import FETCHED, PASTED, note_missing, orders_to_buy, read_shown
from flows.batch.run import BatchRun
from flows.batch.sharing import helpers_for
from flows.prefect_ui.artifacts import shown_whole
from flows.prefect_ui.expected_errors import report_expected_errors
from flows.prefect_ui.parameters import (
    BatchName,
    DryRun,
    Limits,
    LimitsParameter,
    RequestsParameter,
    Speed,
    SpeedParameter,
    Yes,
)

NO_LIMITS, AS_SET = Limits(), Speed()


def run_name() -> str:
    """The name of the run until more is known of the batch than its name or file."""
    requests: Any = flow_run.parameters.get("requests") or {}
    file = requests.get("file") if isinstance(requests, Mapping) else requests.file
    source = FETCHED if is_address(str(file)) else Path(str(file)).name if file else PASTED
    named = flow_run.parameters.get("batch") or source
    return f"source {named}{' (dry run)' if flow_run.parameters.get('dry_run', True) else ''}"


@flow(flow_run_name=run_name, persist_result=False)
@report_expected_errors()
async def buy_from_file(
    requests: RequestsParameter,
    dry_run: DryRun = True,  # noqa: FBT002 - flow parameters make a form
    yes: Yes = False,  # noqa: FBT002
    batch: BatchName = "",
    limits: LimitsParameter = NO_LIMITS,
    speed: SpeedParameter = AS_SET,
) -> BatchReport:
    """Buy and ship what a request file asks for: plan, ask, create, pay, book, report.

    A dry run ends with the plan. Nothing is bought twice: a run that was broken off is simply started again.
    """
    limits.check()
    asked = await read_shown(requests, batch, SourcingSettings())
    async with opened(concurrency=speed.concurrency, begins_orders=True, done_by=limits.done_by) as resources:
        orders = await asyncio.to_thread(orders_to_buy, resources.ledger, asked.orders, dry_run=dry_run)
        source, asked = FromRequests(orders, asked.source, asked.warnings), replace(asked, orders=())
        done_by = moment_of(limits.done_by, begun_at(resources.clock()), resources.settings.timezone)
        helpers = 0 if dry_run else helpers_for(resources, len(orders), wanted=speed.helpers)
        del orders  # the run drops their texts once they are planned
        run = BatchRun(resources, asked.batch_id, source, chunk_size=speed.chunk_size, done_by=done_by, helpers=helpers)
        async with notifies_when_stopped(resources.ledger, asked.batch_id, buys=not dry_run):
            report = await run.followed(limits.budget, dry_run=dry_run, ask=not yes)
        report = await schedule_follow_up(resources, report, limits)
        note_missing(report, resources.settings.data_dir)
        await show_outcome(report, resources.ledger.orders(shown_whole(report)))
    answer: BatchReport = ended(report)
    return answer
