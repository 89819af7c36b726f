"""Tasks of a run: their options for Prefect, how each try begins, and how a flow runs
one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from connectors.foreign import shut
from connectors.ledger.engine import LedgerUnusable
from connectors.settings import MissingSetting
from connectors.snapshots.manifests import SnapshotSumsDiffer
from connectors.xportcn.breaker import fail_fast
from connectors.xportcn.errors import Misconfigured, ServiceAway
from tasks.engine.resources import Resources
from tasks.engine.tries import TryAgain, raise_if_it_passes

P = ParamSpec("P")
R = TypeVar("R")
Work = Callable[P, Coroutine[Any, Any, R]]
ServiceWork = Callable[Concatenate[Resources, P], Coroutine[Any, Any, R]]


async def _wants_another_try(
    _task: Task[..., Any], _run: TaskRun, state: State[Any]
) -> bool:
    return isinstance(await state.aresult(raise_on_failure=False), TryAgain)


async def _is_passing(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """True unless a person must act first."""
    failure = await state.aresult(raise_on_failure=False)
    return not isinstance(
        failure, Misconfigured | MissingSetting | LedgerUnusable | SnapshotSumsDiffer
    )


RETRYING: Mapping[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": 200,
    "retry_delay_seconds": 30,
    "retry_jitter_factor": 0.3,
    "retry_condition_fn": _wants_another_try,
}
"""Options of a task that calls the service. Only `TryAgain` brings another try.

So many retries are never reached: a try is one absence of the service. `run_task` has
the delays of the settings.
"""
READING: Mapping[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": 2,
    "retry_delay_seconds": [1, 5],
    "retry_condition_fn": _is_passing,
}
"""Options of a task that reads or writes files. Trouble that passes brings another
try.
"""


begins_no_task = ContextVar("begins_no_task", default=False)
"""Set in a run that ends before its time: Prefect would refuse it a task where it is
paused.
"""


def _shut_in(work: Work[P, R]) -> Work[P, R]:
    """The work of a task, whose errors Prefect writes down: none leaves it with words
    of other programs.
    """

    @wraps(work)
    async def done(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await work(*args, **kwargs)
        except Exception as error:
            if (told := shut(error)) is error:
                raise
            raise told from None

    return done


def service_task(
    run_name: str,
) -> Callable[
    [ServiceWork[P, R]], Task[Concatenate[Resources, P], Coroutine[Any, Any, R]]
]:
    """Make a task that calls the service. Its every try begins at the circuit breaker,
    before any claim.

    `ServiceAway` becomes `TryAgain` while another try may come.
    """

    def decorated(
        work: ServiceWork[P, R],
    ) -> Task[Concatenate[Resources, P], Coroutine[Any, Any, R]]:
        @wraps(work)
        async def one_try(
            resources: Resources, /, *args: P.args, **kwargs: P.kwargs
        ) -> R:
            with suppress(
                ServiceAway
            ):  # patience is over: what is left is recorded with that reason
                await resources.breaker.wait_ready()
            with fail_fast():
                try:
                    return await work(resources, *args, **kwargs)
                except ServiceAway as away:
                    raise_if_it_passes(resources, away)
                    raise

        return task(task_run_name=run_name, **RETRYING)(_shut_in(one_try))

    return decorated


def file_task(
    run_name: str,
) -> Callable[[Work[P, R]], Task[P, Coroutine[Any, Any, R]]]:
    """Make a task that reads or writes files."""

    def decorated(work: Work[P, R]) -> Task[P, Coroutine[Any, Any, R]]:
        return task(task_run_name=run_name, **READING)(_shut_in(work))

    return decorated


async def run_task(
    task: Task[Concatenate[Resources, P], Coroutine[Any, Any, R]],
    resources: Resources,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Run a task that calls the service, as `run_quoted` does, with the delays of the
    settings between its tries.
    """
    if FlowRunContext.get() is None:
        return await task.fn(resources, *args, **kwargs)
    delayed: Task[Concatenate[Resources, P], Coroutine[Any, Any, R]]
    delayed = _with_delays(task, tuple(resources.settings.retry_delays_s))
    return await run_quoted(delayed, resources, *args, **kwargs)


async def run_quoted(
    task: Task[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """Run a task with quoted parameters, since Prefect walks through all others.

    Outside a flow run, where Prefect would start a server, the task's function is
    called, once.
    """
    if FlowRunContext.get() is None or begins_no_task.get():
        return await task.fn(*args, **kwargs)
    run = cast(Callable[..., Coroutine[Any, Any, R]], task)
    return await run(
        *map(quote, args), **{name: quote(value) for name, value in kwargs.items()}
    )


@cache
def _with_delays(task: Any, delays_s: tuple[float, ...]) -> Any:
    """A copy of the task, made once: that takes as long as a run of it."""
    return task.with_options(retry_delay_seconds=list(delays_s))
