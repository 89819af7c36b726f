"""`--wait`: look again at what a run left open, in the same process, once that is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cli.failures import say
from connectors.xportcn.errors import NotSent, Unanswered
from domain.looks import NextLook, together
from domain.report import BatchReport
from tasks.progress import progress

if TYPE_CHECKING:
    from flows.parameters import Limits
Flow = Callable[[], Coroutine[Any, Any, BatchReport]]
STEP_S = 5


def with_looks(flow: Flow, *, budget_cny: str, done_by: str = "") -> Flow:
    """The flow, and as many looks after it as may help; answers the report as the last one left it.

    Ctrl-C while it waits ends the waiting, not the report.
    """

    async def followed() -> BatchReport:
        from flows.opening import absolute
        from flows.parameters import Limits

        limits = Limits(budget_cny=budget_cny, done_by=absolute(done_by))
        report = await flow()
        while (look := report.next_look) and not (look.is_over or look.is_late) and await _is_due(look):
            report = await _looked_at(report, look, limits)
        return report

    return followed


async def _is_due(look: NextLook) -> bool:
    """Wait until then; False when a person would not. By the clock, since a machine may sleep meanwhile."""
    say(f"waiting until {look.at:%H:%M:%S} UTC, then looking again (look {look.number}); Ctrl-C is safe")
    stage, listener = f"until {look.at:%H:%M} UTC", progress.get()
    listener.start(stage, round(_seconds_to(look)))
    try:
        while (left := _seconds_to(look)) > 0:
            await asyncio.sleep(min(STEP_S, left))
            listener.advance(stage, round(min(STEP_S, left)))
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        return False
    return True


def _seconds_to(look: NextLook) -> float:
    return (look.at - datetime.now(UTC)).total_seconds()


async def _looked_at(report: BatchReport, look: NextLook, limits: Limits) -> BatchReport:
    """The report with the orders as the look has left them, and what all of it has spent."""
    from flows.finish_batch import finish_batch
    from flows.reporting import one_report
    from flows.second_look import waits_s

    try:
        looks = [await finish_batch(batch, limits, look.number) for batch in look.batches]
    except (NotSent, Unanswered) as error:
        say(f"this look came to nothing: {error}")
        return replace(report, next_look=look.later(datetime.now(UTC), waits_s(error)))
    whole = one_report([report, *looks], [line.order_ref for line in report.orders])
    further = together([one.next_look for one in looks if one.next_look])
    return replace(whole, matches=report.matches, warnings=report.warnings, next_look=further)
