"""Runs a flow for a command: on the data folder's own Prefect server, with progress
bars, and nothing else to see.

With `--wait` what it left open is followed up in this process, once that is due.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from cli.failures import say, settings_now, utc_now
from cli.lazily import lazily
from cli.terminal import progress_bars, quiet_prefect
from connectors.foreign import prefect_errors, words_of
from connectors.xportcn.errors import ContractMismatch, NotSent, Unanswered
from deployments.local_server import ServerFailed, prefect_server
from domain.follow_ups import FollowUp, due, merged
from domain.report import BatchReport
from tasks.engine.progress import listening, progress, wait_until

with lazily():
    from connectors.ledger import engine
    from flows import buy_from_file
    from flows.batch import reporting
    from tasks.engine import resources

R = TypeVar("R")
Flow = Callable[[], Coroutine[Any, Any, BatchReport]]
SELDOM = 50_000, 10, 10
"""A run makes many lasting objects and few rings: by Python's own thresholds,
collecting takes a tenth of it.
"""


def run_flow(
    flow: Callable[[], Coroutine[Any, Any, R]],
    *,
    first: Callable[[], object] = lambda: None,
) -> R:
    """The flow's answer.

    While the server starts, `first` does work such as reading a file, and modules are
    loaded. An error of `first` ends the command, and the server with it.
    """

    def meanwhile() -> None:
        first()
        _load()

    with prefect_server(settings_now().data_dir, meanwhile) as url:
        quiet_prefect()
        with progress_bars() as bars, listening(bars.waits), _server_is_well(url):
            progress.set(bars)
            return asyncio.run(flow())


def _load() -> None:
    """Import what every flow needs, also what would be imported late, while the server
    starts.

    Without garbage collection: imports leave little garbage.
    """
    if "prefect" in sys.modules:
        return
    gc.disable()
    import fastapi.encoders  # noqa: F401 - Prefect's, for the parameters of a run

    import flows.buy_from_file  # noqa: F401
    from connectors.marketplaces import load_all

    load_all()
    gc.freeze()
    gc.set_threshold(*SELDOM)
    gc.enable()


@contextmanager
def _server_is_well(url: str) -> Iterator[None]:
    """Errors of Prefect's own client end in a sentence; the service's failures have
    errors of their own.

    With the data folder its server may have gone too: then the run's own account comes
    before that.
    """
    losses: list[str] = []
    resources.last_replaced.set(losses)
    try:
        yield
    except Exception as error:
        if losses:
            raise engine.LedgerUnusable(losses[-1]) from error
        if not isinstance(error, prefect_errors()):
            raise
        raise ServerFailed(
            f"the Prefect server at {url} did not do what was asked ({words_of(error)}): see its log "
            "(prefect/server.log in the data folder, if it is the folder's own), and run the same command again"
        ) from error


def with_follow_ups(flow: Flow) -> Flow:
    """The flow, and as many looks at its batch as may help; answers the report as the
    last one left it.

    Ctrl-C while it waits ends the waiting, not the report.
    """

    async def followed() -> BatchReport:
        report = await flow()
        while (
            (follow_up := report.next_look)
            and not (follow_up.is_over or follow_up.is_late or follow_up.is_paused)
            and await _is_due(follow_up)
        ):
            report = await _followed_up(report, follow_up)
        return report

    return followed


async def _is_due(follow_up: FollowUp) -> bool:
    """Wait until then; False when a person would not."""
    say(
        f"waiting until {follow_up.at:%H:%M:%S} UTC, then looking again (look {follow_up.number}); Ctrl-C is safe"
    )
    try:
        await wait_until(follow_up.at, utc_now)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        return False
    return True


async def _followed_up(report: BatchReport, follow_up: FollowUp) -> BatchReport:
    """The report with the orders as a further look has left them, and all amounts
    spent.
    """
    try:
        reports = [
            await buy_from_file.finish_batch(batch_id) for batch_id in follow_up.batches
        ]
    except (NotSent, Unanswered) as error:
        say(f"this look came to nothing: {error}")
        return replace(report, next_look=_follow_up_again(follow_up, error))
    batch_report = reporting.one_report(
        [report, *reports], [line.order_ref for line in report.orders]
    )
    further = merged([report.next_look for report in reports if report.next_look])
    return replace(
        batch_report,
        matches=report.matches,
        warnings=report.warnings,
        next_look=further,
    )


def _follow_up_again(follow_up: FollowUp, error: NotSent | Unanswered) -> FollowUp:
    """The look once more. One that could not begin without the service does not count;
    one that an odd answer ended does.
    """
    number = follow_up.number + isinstance(error, ContractMismatch)
    ready_in_s = (error.retry_after_s or 0.0) if isinstance(error, NotSent) else 0.0
    at = due([], now=utc_now(), number=number, ready_in_s=ready_in_s)
    return replace(follow_up, number=number, at=at)
