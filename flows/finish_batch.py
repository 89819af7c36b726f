"""The follow-up of a batch, started when it is due: it finishes what was approved, and asks for no approval."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from prefect import flow
from prefect.runtime import flow_run

from connectors.settings import SourcingSettings
from connectors.xportcn.errors import NotSent, Unanswered
from domain.follow_ups import MOST_FOLLOW_UPS, FollowUp, moment_of
from domain.report import BatchReport, check_batch_id
from flows.batch.follow_up import FromLedger, is_deployed, schedule_follow_up, scheduled, unfinished_of, waits_s
from flows.batch.opening import absolute, begun_at, ended, notifies_when_stopped, opened, show_outcome
from flows.batch.reporting import batch_report
from flows.batch.run import BatchRun
from flows.batch.sharing import helpers_for
from flows.prefect_ui.artifacts import artifact_key, counts_of, shown_whole
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.expected_errors import best_effort, rename_run, report_expected_errors, run_logger
from flows.prefect_ui.parameters import Limits, LimitsParameter, asked, in_words
from tasks.engine.resources import Resources, utc_now

KnownBatch = Annotated[str, asked("Batch", "The name of a batch that was begun, as its runs show it")]
FollowUpNumber = Annotated[
    int, asked("Look", f"Which follow-up of the batch this is; the last is {MOST_FOLLOW_UPS}", ge=1, le=MOST_FOLLOW_UPS)
]


NO_LIMITS = Limits()


def run_name() -> str:
    """`finish night-2026-11-25`."""
    return f"finish {flow_run.parameters['batch']}"


@flow(flow_run_name=run_name, persist_result=False)
@report_expected_errors()
async def finish_batch(batch: KnownBatch, limits: LimitsParameter = NO_LIMITS, look: FollowUpNumber = 1) -> BatchReport:
    """Settle what got no answer in a batch, and go on with what was approved: create, pay, book, report.

    Nothing is planned or approved anew: what is held, refused or not approved stays as it is.
    """
    limits.check()
    in_words("Batch", lambda: check_batch_id(batch))
    try:
        async with opened(begins_orders=True, done_by=limits.done_by) as resources:
            report: BatchReport = ended(await _finished(resources, batch, limits, look))
            return report
    except (NotSent, Unanswered) as error:
        if is_deployed():
            await _follow_up_later(batch, limits, look, waits_s(error))
        raise


async def _finished(resources: Resources, batch: str, limits: Limits, number: int) -> BatchReport:
    ledger, left = resources.ledger, unfinished_of(resources.ledger, batch)
    done_by = moment_of(limits.done_by, begun_at(resources.clock()), resources.settings.timezone)
    helpers = helpers_for(resources, len(left.to_do))
    run = BatchRun(resources, batch, FromLedger(ledger, batch), done_by=done_by, helpers=helpers)
    await best_effort("the run's name", rename_run(f"finish {batch}: {left.words or 'nothing left'}"))
    if left.words:
        run_logger().info("Batch %s: %s", batch, left.words)
        async with notifies_when_stopped(ledger, batch), progress_shown(artifact_key(batch)):
            report = await run.buy(limits.budget, ask=False)
        report = await schedule_follow_up(resources, report, limits, number=number + 1)
    else:
        report = batch_report(resources, batch, run.source.requests, taken={}, snapshot_id="")
        run_logger().info("Batch %s: nothing is left to do: %s", batch, counts_of(report))
    await show_outcome(report, ledger.orders(shown_whole(report)))
    await best_effort("the run's name", rename_run(f"finish {batch}: {counts_of(report)}"))
    return report


async def _follow_up_later(batch: str, limits: Limits, number: int, ready_in_s: float) -> None:
    """Schedule the next follow-up although the service can't be reached now."""
    now = utc_now()
    limits = limits.model_copy(update={"done_by": absolute(limits.done_by)})
    until = moment_of(limits.done_by, now, SourcingSettings().timezone)
    later = FollowUp(orders=0, batches=(batch,), number=number, at=now, here=False).later(now, ready_in_s)
    later = replace(later, is_late=until is not None and later.at >= until)
    if not (later.is_over or later.is_late):
        later = await scheduled(later, limits)
    run_logger().warning("Batch %s: %s", batch, later.words)
