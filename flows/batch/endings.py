"""The end of a batch's run in the UI: *Held* where every order waits, and its purchases where it was stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import TerminationSignal
from prefect.states import Completed

from connectors.ledger.store import Ledger
from connectors.settings import is_deployed_run
from domain.report import BatchReport
from flows.batch.reporting import bought_by, line_of
from flows.prefect_ui.artifacts import (
    artifact_key,
    counts_of,
    in_short,
    links_of,
    markdown_report,
    of_many,
    outcome_rows,
    show_outcome,
    with_parcels,
)

HELD = "Held"
STOPPED = "the run was stopped; what is not bought stays as it is, and a run of the same batch goes on with it"


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
        if buys and is_deployed_run():
            with suppress(Exception):  # the cause of the end must come out, also where the ledger failed
                report = so_far(ledger, batch_id)
                await show_outcome(report, ledger.orders(with_parcels(report)))
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
    rows, words = of_many([dict(row) for row in outcome_rows(report)], f"Batch {batch_id}: {counts_of(report)}")
    key, text = artifact_key(batch_id), markdown_report(report, links=links_of(report))
    for kind, name, data, said in (
        ("table", f"outcome-{key}", rows, words),
        ("markdown", f"report-{key}", text, in_short(report)),
    ):
        wanted = ArtifactCreate(key=name, type=kind, data=data, description=said, flow_run_id=run.id)
        await client.create_artifact(wanted)
    return f"Batch {batch_id}: {in_short(report)}"
