"""The form that lays aside what is not wanted any more."""

from __future__ import annotations

from prefect import flow

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from flows.answers.dropping import NOTHING_NAMED, dropped
from flows.prefect_ui.expected_errors import best_effort, rename_run, report_expected_errors, run_logger
from flows.prefect_ui.parameters import BadInput, DroppedBatch, DroppedBy, DroppedOrders, WhyDropped
from tasks.engine.resources import utc_now
from tasks.snapshot import LedgerAlone

NO_ORDER: list[str] = []


@flow(flow_run_name="drop orders", persist_result=False)
@report_expected_errors(LedgerUnusable)
async def drop_orders(
    order_refs: DroppedOrders = NO_ORDER,
    batch: DroppedBatch = "",
    why: WhyDropped = "",
    said_by: DroppedBy = "",
) -> str:
    """Close orders that are not wanted any more and of which nothing was begun; the service is not called.

    They wait for nothing any longer, and come back when a run that starts later names them. An order of which something
    was begun stays as it is, and its log line says what to do instead.
    """
    settings = SourcingSettings()
    with Ledger(settings.ledger_url, clock=utc_now, owner="drop-orders") as ledger:
        done = await dropped(LedgerAlone(ledger, settings), order_refs, batch, by=said_by, why=why)
    if done is None:
        raise BadInput(NOTHING_NAMED)
    for ref, reason in done.stay.items():
        run_logger().warning("%s stays: %s", ref, reason)
    run_logger().info("%s", done.words)
    await best_effort("the run's name", rename_run(done.words))
    return done.words
