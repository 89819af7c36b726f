"""The nightly flow: every request file of a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from connectors.inbox import Inbox
from connectors.outside_watcher import ping_watcher
from connectors.settings import SourcingSettings
from flows import parameters as form
from flows.approval import asks_in_the_ui, at_work, has_deployment
from flows.night import FileResult, InboxReport, Night, show_inbox, summary_of
from flows.opening import absolute
from flows.parameters import BadInput
from flows.shown.expected_errors import failed, report_expected_errors, run_logger
from flows.shown.progress import best_effort


def run_name() -> str:
    return f"inbox {flow_run.parameters.get('inbox', 'inbox')}"


@flow(name="source-orders", flow_run_name=run_name, persist_result=False)
@report_expected_errors()
async def source_inbox(
    inbox: form.InboxFolder = "inbox",
    yes: form.Yes = True,  # noqa: FBT002 - flow parameters make a form
    budget_cny: form.BudgetCny = "",
    chunk_size: form.ChunkSize = 0,
    concurrency: form.Concurrency = 0,
    quiet_s: form.QuietSeconds = 10,
    done_by: form.DoneBy = "",
) -> InboxReport:
    """Buy and ship what every file of a folder asks for, the oldest first, each file as a batch of its own.

    A file is taken once: what is held or unknown stays in `open` and is tried again by every run until it is over.
    """
    if not inbox.strip():
        raise BadInput("Inbox: name the folder with the request files")
    async with watched_from_outside() as trouble:
        folder = Inbox(Path(inbox))
        found = await asyncio.to_thread(folder.waiting, quiet_s=quiet_s)
        limits = form.Limits(budget_cny=budget_cny, done_by=done_by)
        limits.check()
        limits = limits.model_copy(update={"done_by": absolute(done_by)})
        run = Night(folder, yes=yes, limits=limits, speed=form.Speed(chunk_size=chunk_size, concurrency=concurrency))
        asks_in_the_ui.set(has_deployment())
        at_work.set(asyncio.Semaphore(1))
        results = await asyncio.gather(*map(run.take, found), return_exceptions=True)
        trouble += [*run.trouble, *(result for result in results if isinstance(result, Exception))]
        files = [result for result in results if isinstance(result, FileResult)]
        report = InboxReport(inbox=str(folder.root.absolute()), files=files)
        await best_effort("the inbox", show_inbox(report))
    if trouble:
        run_logger().error("%s", summary_of(report))
        state: InboxReport = failed(trouble[0])
        return state
    run_logger().info("%s", summary_of(report))
    return report


@asynccontextmanager
async def watched_from_outside() -> AsyncIterator[list[Exception]]:
    """Report the end of a deployment's night to an external watcher: success, unless there was trouble."""
    trouble: list[Exception] = []
    try:
        yield trouble
    except Exception:
        await _ping_watcher(well=False)
        raise
    await _ping_watcher(well=not trouble)


async def _ping_watcher(*, well: bool) -> None:
    url = SourcingSettings().ping_url.get_secret_value()
    if url and has_deployment() and (why := await ping_watcher(url, well=well)):
        run_logger().warning("The watcher at SOURCING_PING_URL may not have heard how this night ended: %s", why)
