"""Tries of a step: which one this is, and whether another may follow. `sourcing todo`
reads this without Prefect.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from connectors.xportcn.errors import ServiceAway, XportcnError
from tasks.engine.resources import Resources


@dataclass(frozen=True, slots=True)
class Tries:
    """Which try of a task this is, from 1, and how many may follow."""

    this: int = 1
    left: int = 0


ONE = Tries()
tries: ContextVar[Tries] = ContextVar("tries", default=ONE)
"""The tries of a task outside Prefect."""


class TryAgain(Exception):
    """The rest of a task waits for the service; the message is the reason. All that is
    known is recorded.
    """


def this_try() -> Tries:
    from prefect.context import TaskRunContext

    if (run := TaskRunContext.get()) is None:
        return tries.get()
    return Tries(run.task_run.run_count, run.task.retries + 1 - run.task_run.run_count)


def may_try_again(resources: Resources) -> bool:
    """Whether another try is worth it and will come: else a task records what is left,
    and returns.
    """
    return (
        this_try().left > 0
        and resources.breaker.waits
        and not resources.breaker.is_over
    )


def raise_if_it_passes(resources: Resources, error: XportcnError) -> None:
    """Raise `TryAgain` for a read that failed since the service is away, while a
    further try may succeed.
    """
    if isinstance(error, ServiceAway) and may_try_again(resources):
        raise TryAgain(error.message) from error
