"""The resources that every flow opens before it acts, and how a run of a batch ends in Prefect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal
from prefect.states import Completed

from connectors.ledger.overview import every_open_effect, standing_of
from connectors.ledger.records import EffectRecord, OrderRecord, line_of
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings, deployed_run
from connectors.xportcn.settings import XportcnSettings
from domain.effects import EffectStatus
from domain.follow_ups import as_text, moment_of
from domain.messages import Message
from domain.report import BatchReport
from domain.states import NEEDS_A_PERSON
from flows.answers.todo import NOT_OVER
from flows.batch.reporting import bought_by
from flows.notify.news import REFUND_WAITS, of_calls, of_doubts, of_refunds
from flows.notify.outbox import enqueue, outages_notified, run_link, service_back
from flows.prefect_ui.artifacts import (
    NO_ORDERS,
    artifact_key,
    counts_of,
    in_short,
    links_of,
    markdown_report,
    of_many,
    outcome_rows,
    show_table,
    shown_whole,
)
from flows.prefect_ui.expected_errors import best_effort, rename_run
from flows.prefect_ui.markdown import dry_run_summary, plan_rows
from flows.prefect_ui.todo_artifact import links_from
from tasks.effects.kinds import kind_of
from tasks.engine.lost_ledger import require_not_lost
from tasks.engine.resources import Resources, open_resources, utc_now
from tasks.snapshot import snapshot_moved

LEAST_S = 60.0
"""The first call is waited for at least so long."""


def begun_at(now: datetime) -> datetime:
    """When this flow run began first: a run taken up after a crash is still the same run. `now` outside a run."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return (run.start_time if run else None) or now


def this_run() -> str:
    """The id of this flow run; empty outside one."""
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else ""


def absolute(done_by: str) -> str:
    """A time limit with its day, so that what this run starts means the same moment."""
    timezone = SourcingSettings().timezone
    moment = moment_of(done_by, begun_at(utc_now()), timezone)
    return as_text(moment, timezone) if moment else ""


@asynccontextmanager
async def opened(
    *,
    concurrency: int = 0,
    begins_orders: bool = False,
    done_by: str = "",
    settings: SourcingSettings | None = None,
    xportcn: XportcnSettings | None = None,
    run: str = "",
) -> AsyncIterator[Resources]:
    """Everything a run works with, once a cheap call has proved that service, clock and account are well.

    A run that `begins_orders` raises `LedgerUnusable` where a new ledger would have forgotten earlier ones.
    `concurrency` calls go to the service at once; 0: as the settings say. They count as those of `run`, else of this
    flow run. A service that is away is waited for until `done_by`, and for a minute where that is over: a run that
    comes too late ends in order too.
    """
    settings, xportcn = settings or SourcingSettings(), xportcn or XportcnSettings()
    run = run or this_run()
    async with open_resources(settings, xportcn, concurrency=concurrency or None, run=run) as resources:
        now = resources.clock()
        resources.ledger.since = begun_at(now)
        if moment := moment_of(done_by, begun_at(now), resources.settings.timezone):
            resources.breaker.until(max((moment - now).total_seconds(), LEAST_S))
        if begins_orders:
            require_not_lost(resources)
        with outages_notified(resources.ledger):
            await resources.warehouse()
            await asyncio.to_thread(service_back, resources.ledger, run_link())
            async with moves_written(resources):
                yield resources
        words = [word.message(order_refs) for word, order_refs in resources.unknown.items()]
        refunds = await asyncio.to_thread(refund_messages, resources)
        await enqueue(resources.ledger, *of_doubts(_doubts(resources)), *words, *of_calls(resources.calls), *refunds)


@asynccontextmanager
async def moves_written(resources: Resources) -> AsyncIterator[None]:
    """What is moved in the block and not written by its end reaches the tables, also where it fails or is cancelled."""
    try:
        yield
    except (asyncio.CancelledError, Exception):
        with suppress(Exception):  # the cause of the end must come out
            await snapshot_moved(resources)
        raise
    await snapshot_moved(resources)


def refund_messages(resources: Resources) -> list[Message]:
    """The messages of refunds that need a person and were not enqueued before: else each run would write."""
    ledger, now = resources.ledger, resources.clock()
    waiting = ledger.refunds.in_states(REFUND_WAITS)
    messages = [(one.order_ref, message) for one in waiting for message in of_refunds([one], now)]
    known = ledger.outbox.known(message.cause for _, message in messages)
    new = [(ref, message) for ref, message in messages if message.cause not in known]
    orders = standing_of(ledger, order_refs={ref for ref, _ in new})
    return [message for ref, message in new if orders[ref].state in NOT_OVER]


def _doubts(resources: Resources) -> list[EffectRecord]:
    """Unanswered effects that a reading may settle, of orders that don't wait for a person anyway."""
    found = [
        effect
        for effect in every_open_effect(resources.ledger)
        if effect.status is EffectStatus.UNKNOWN and kind_of(effect).is_worth_asking
    ]
    orders = resources.ledger.orders({effect.order_ref for effect in found}) if found else {}
    return [effect for effect in found if orders[effect.order_ref].state not in NEEDS_A_PERSON]


HELD = "Held"
STOPPED = "the run was stopped; what is not bought stays as it is, and a run of the same batch goes on with it"
last_report: ContextVar[list[BatchReport] | None] = ContextVar("last_report", default=None)
"""Reports for a caller that needs them even when Prefect can't record the end of the run."""


async def show_outcome(report: BatchReport, orders: Mapping[str, OrderRecord] = NO_ORDERS) -> None:
    """Show the table of outcomes, or of a dry run's plan, and the report, which links to everything else.

    In a worker's process also the figures of the batch, and their page.

    `orders` of the ledger have the links to follow their parcels.
    """
    if (reports := last_report.get()) is not None:
        reports.append(report)  # before anything is shown, which may fail

    async def all_of_it() -> None:
        await (_show_plan(report) if report.dry_run else _show_orders(report))
        await acreate_markdown_artifact(
            key=f"report-{artifact_key(report.batch_id)}",
            markdown=markdown_report(report, orders, links_of(report), await links_from(report)),
            description=in_short(report),
        )
        await rename_run(f"{report.batch_id}: {counts_of(report)}{' (dry run)' if report.dry_run else ''}")

    await best_effort("the report", all_of_it())
    if deployed_run() and report.snapshot_id and not report.dry_run:
        # pandas, which a terminal need not wait for
        from flows.prefect_ui.artifacts import show_figures

        await show_figures(report)


async def _show_orders(report: BatchReport) -> None:
    next_look = f"; {report.next_look.words}" if report.next_look else ""
    words = f"{counts_of(report)}{next_look}: orders of batch {report.batch_id}"
    await show_table(f"outcome-{artifact_key(report.batch_id)}", outcome_rows(report), words, of=len(report.orders))


async def _show_plan(report: BatchReport) -> None:
    words = f"{counts_of(report)}: plan of batch {report.batch_id}. {dry_run_summary(report)}"
    rows = sorted(plan_rows(report), key=lambda row: row["state"] not in NEEDS_A_PERSON)
    await show_table(artifact_key(f"plan-{report.batch_id}"), rows, words)


def ended(report: BatchReport) -> Any:
    """The result of a flow: the report. A run of which every order waits for a person is no plain success.

    Nor is a run that a pause kept from buying. Such a run ends as *Held*, a kind of completed: nothing is tried again,
    and a caller gets the report all the same.
    """
    if report.paused and not (report.dry_run or report.all_booked):
        return Completed(name=HELD, message=f"{report.paused.notice}. {counts_of(report)}", data=report)
    if not report.all_wait:
        return report
    return Completed(name=HELD, message=f"No order went on: {counts_of(report)}", data=report)


@asynccontextmanager
async def notifies_when_stopped(ledger: Ledger, batch_id: str, *, buys: bool = True) -> AsyncIterator[None]:
    """A worker's run that is cancelled or fails in the block shows what it bought until then; its end stays the same.

    Calls on the wire have ended by then, so the ledger has their answers.
    """
    try:
        yield
    except (asyncio.CancelledError, TerminationSignal, Exception):
        if buys and deployed_run():
            with suppress(Exception):  # the cause of the end must come out, also where the ledger failed
                report = so_far(ledger, batch_id)
                await show_outcome(report, ledger.orders(shown_whole(report)))
        raise


def so_far(ledger: Ledger, batch_id: str) -> BatchReport:
    """The report of a batch whose run was broken off, from the ledger; without orders for an unknown batch."""
    orders = {order.order_ref: order for order in ledger.each_order(ledger.refs_in(batch_id))}
    bought = bought_by(ledger, orders)
    return BatchReport(
        batch_id=batch_id,
        orders=[line_of(order) for order in orders.values()],
        spent_this_run_fen=sum(bought.values()),
        bought_this_run=len(bought),
        snapshot_id=None,
        snapshot_root="",
        broken_off=STOPPED,
    )


async def show_stopped(client: PrefectClient, run: FlowRun, ledger: Ledger) -> str:
    """Show the purchases of a dead run with that run; answers them in one line.

    Called by the recovery of lost runs. Empty for a run without a batch.
    """
    batch_id = run.name.partition(": ")[0].removeprefix("finish ")
    report = await asyncio.to_thread(so_far, ledger, batch_id)
    if not report.orders:
        return ""
    summary = f"Batch {batch_id}: {counts_of(report)}"
    rows, words = of_many(outcome_rows(report), summary, of=len(report.orders))
    key, text = artifact_key(batch_id), markdown_report(report, links=links_of(report))
    for kind, name, data, said in (
        ("table", f"outcome-{key}", rows, words),
        ("markdown", f"report-{key}", text, in_short(report)),
    ):
        wanted = ArtifactCreate(key=name, type=kind, data=data, description=said, flow_run_id=run.id)
        await client.create_artifact(wanted)
    return f"Batch {batch_id}: {in_short(report)}"
