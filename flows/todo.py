"""The flow that shows all that waits for a person."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import get_client

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.ui_pages import WHAT_WAITS
from flows.prefect_ui.expected_errors import rename_run, report_expected_errors, run_logger
from flows.prefect_ui.todo_artifact import what_waits
from tasks.engine.resources import utc_now


@flow(flow_run_name="what waits", persist_result=False)
@report_expected_errors(LedgerUnusable)
async def show_todo() -> str:
    """Show all that waits for you over all batches, the most urgent first, each with its reason and what to do.

    Reads the ledger alone: it asks the service nothing and changes nothing.
    """
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="todo") as ledger:
        async with get_client() as client:
            text, summary = await what_waits(client, ledger)
    await acreate_markdown_artifact(markdown=text, key=WHAT_WAITS, description=summary)
    await rename_run(summary)
    run_logger().info("%s", summary)
    return summary
