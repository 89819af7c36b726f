"""The flow that looks at a batch again, by itself when that is due: it finishes what was approved, and asks nobody."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from prefect.runtime import flow_run
from pydantic import Field

from connectors.xportcn.errors import NotSent, Unanswered
from domain.looks import MOST_LOOKS, NextLook
from domain.money import Money
from domain.report import BATCH_ID, BatchReport
from flows.batch_run import BatchRun
from flows.opening import opened
from flows.parameters import BudgetCny, titled
from flows.reporting import batch_report
from flows.scheduling import is_deployed, scheduled
from flows.second_look import FromLedger, left_over, look_again, waits_s
from flows.shown.artifacts import artifact_key, counts_of, show_outcome
from flows.shown.board import progress_shown
from flows.shown.expected_failures import ends_plainly, run_logger
from flows.shown.progress import rename_run, shown
from tasks.resources import Resources, utc_now

KnownBatch = Annotated[
    str,
    Field(
        max_length=100,
        pattern=f"^{BATCH_ID.pattern}$",
        json_schema_extra=titled("Batch", "The name of a batch that was begun, as its runs show it"),
    ),
]
Look = Annotated[
    int,
    Field(
        ge=1,
        le=MOST_LOOKS,
        json_schema_extra=titled("Look", f"Which look at the batch this is; the last is {MOST_LOOKS}"),
    ),
]


def run_name() -> str:
    """`finish night-2026-11-25`."""
    return f"finish {flow_run.parameters['batch']}"


@flow(name="finish-batch", flow_run_name=run_name, persist_result=False)
@ends_plainly()
async def finish_batch(batch: KnownBatch, budget_cny: BudgetCny = "", look: Look = 1) -> BatchReport:
    """Settle what got no answer in a batch, and go on with what was approved: create, pay, book, report.

    Nothing is planned or approved anew: what is held, refused or not approved stays as it is.
    """
    try:
        async with opened(begins_orders=True) as resources:
            return await _finished(resources, batch, budget_cny, look)
    except (NotSent, Unanswered) as error:
        if is_deployed():
            await _look_later(batch, budget_cny, look, waits_s(error))
        raise


async def _finished(resources: Resources, batch: str, budget_cny: str, look: int) -> BatchReport:
    ledger = resources.ledger
    run, left = BatchRun(resources, batch, FromLedger(ledger, batch)), left_over(ledger, batch)
    await shown("the run's name", rename_run(f"finish {batch}: {left.words or 'nothing left'}"))
    if left.words:
        run_logger().info("Batch %s: %s", batch, left.words)
        async with progress_shown(artifact_key(batch)):
            report = await run.buy(Money.parse(budget_cny) if budget_cny else None, ask=False)
        report = await look_again(resources, report, budget_cny=budget_cny, number=look + 1)
    else:
        report = batch_report(resources, batch, run.source.requests, taken={}, snapshot_id="")
        run_logger().info("Batch %s: nothing is left to do: %s", batch, counts_of(report))
    await show_outcome(report, ledger.orders(run.refs))
    await shown("the run's name", rename_run(f"finish {batch}: {counts_of(report)}"))
    return report


async def _look_later(batch: str, budget_cny: str, look: int, opens_in_s: float) -> None:
    """The service can't be asked now: that is no reason never to look again."""
    now = utc_now()
    later = NextLook(orders=0, batches=(batch,), number=look, at=now).later(now, opens_in_s)
    if not later.is_over:
        later = await scheduled(later, budget_cny=budget_cny)
    run_logger().warning("Batch %s: %s", batch, later.words)
