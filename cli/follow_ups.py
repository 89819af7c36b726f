"""`--wait`: follow up what a run left open, in the same process, once that is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cli.failures import say
from connectors.xportcn.errors import NotSent, Unanswered
from domain.follow_ups import FollowUp, merged
from domain.report import BatchReport
from tasks.engine.progress import progress

if TYPE_CHECKING:
    from flows.prefect_ui.parameters import Limits
Flow = Callable[[], Coroutine[Any, Any, BatchReport]]
STEP_S = 5


def with_follow_ups(flow: Flow, *, budget_cny: str, done_by: str = "") -> Flow:
    """The flow, and as many follow-ups as may help; answers the report as the last one left it.

    Ctrl-C while it waits ends the waiting, not the report.
    """

    async def followed() -> BatchReport:
        from flows.batch.opening import absolute
        from flows.prefect_ui.parameters import Limits

        limits = Limits(budget_cny=budget_cny, done_by=absolute(done_by))
        report = await flow()
        while (
            (follow_up := report.next_look)
            and not (follow_up.is_over or follow_up.is_late)
            and await _is_due(follow_up)
        ):
            report = await _followed_up(report, follow_up, limits)
        return report

    return followed


async def _is_due(follow_up: FollowUp) -> bool:
    """Wait until then; False when a person would not. By the clock, since a machine may sleep meanwhile."""
    say(f"waiting until {follow_up.at:%H:%M:%S} UTC, then looking again (look {follow_up.number}); Ctrl-C is safe")
    stage, listener = f"until {follow_up.at:%H:%M} UTC", progress.get()
    listener.start(stage, round(_seconds_to(follow_up)))
    try:
        while (left := _seconds_to(follow_up)) > 0:
            await asyncio.sleep(min(STEP_S, left))
            listener.advance(stage, round(min(STEP_S, left)))
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        return False
    return True


def _seconds_to(follow_up: FollowUp) -> float:
    return (follow_up.at - datetime.now(UTC)).total_seconds()


async def _followed_up(report: BatchReport, follow_up: FollowUp, limits: Limits) -> BatchReport:
    """The report with the orders as the follow-up has left them, and all amounts spent."""
    from flows.batch.follow_up import waits_s
    from flows.batch.reporting import one_report
    from flows.finish_batch import finish_batch

    try:
        reports = [await finish_batch(batch, limits, follow_up.number) for batch in follow_up.batches]
    except (NotSent, Unanswered) as error:
        say(f"this look came to nothing: {error}")
        return replace(report, next_look=follow_up.later(datetime.now(UTC), waits_s(error)))
    whole = one_report([report, *reports], [line.order_ref for line in report.orders])
    further = merged([one.next_look for one in reports if one.next_look])
    return replace(whole, matches=report.matches, warnings=report.warnings, next_look=further)
