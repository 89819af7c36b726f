"""Tasks of a run: their options for Prefect, how each try begins, and what a call of
one does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from connectors.foreign import shut
from connectors.ledger.engine import LedgerUnusable
from connectors.settings import MissingSetting
from connectors.xportcn.breaker import fail_fast
from connectors.xportcn.errors import Misconfigured, ServiceAway
from tasks.engine.resources import current_resources
from tasks.engine.tries import TryAgain, raise_if_it_passes

P = ParamSpec("P")
R = TypeVar("R")
Work = Callable[P, Coroutine[Any, Any, R]]


async def _wants_another_try(
    _task: Task[..., Any], _run: TaskRun, state: State[Any]
) -> bool:
    return isinstance(await state.aresult(raise_on_failure=False), TryAgain)


async def _is_passing(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """True unless a person must act first."""
    failure = await state.aresult(raise_on_failure=False)
    return not isinstance(failure, Misconfigured | MissingSetting | LedgerUnusable)


RETRYING: Mapping[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": 200,
    "retry_jitter_factor": 0.3,
    "retry_condition_fn": _wants_another_try,
}
"""Options of a task that calls the service. Only `TryAgain` brings another try.

So many retries are never reached: a try is one absence of the service.
"""
DELAYS_S = (5.0, 15.0, 30.0, 60.0)
"""Seconds before each further try; the last one goes on."""
READING_DELAYS_S = (1, 5)
READING: Mapping[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": 2,
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


class _DirectTask(Task[P, R]):
    """A task that is awaited as its function is. Prefect gets its parameters quoted: it
    walks through all others.

    Outside a flow run, where Prefect would start a server, the function is called,
    once. `delays_s` gives the seconds between tries.
    """

    def __init__(
        self,
        work: Callable[P, R],
        delays_s: Callable[[], Sequence[float]],
        **options: Any,
    ) -> None:
        super().__init__(work, **options)
        self._delays_s = delays_s

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if FlowRunContext.get() is None or begins_no_task.get():
            return self.fn(*args, **kwargs)
        delayed = _with_delays(self, tuple(self._delays_s()))
        named = {name: quote(value) for name, value in kwargs.items()}
        return delayed(*map(quote, args), **named)


@cache
def _with_delays(task: Task[..., Any], delays_s: tuple[float, ...]) -> Any:
    """A copy of the task, made once: that takes as long as a run of it."""
    return task.with_options(retry_delay_seconds=list(delays_s))


def service_task(
    run_name: str,
) -> Callable[[Work[P, R]], Task[P, Coroutine[Any, Any, R]]]:
    """Make a task that calls the service, with the resources that its flow has opened.

        @service_task("pay {label}")
        async def pay_orders(step: Step, *, label: str) -> None:
            resources = current_resources()
            ...

        await pay_orders(step, label="1-50 of 200")

    Its every try begins at the circuit breaker, before any claim. `ServiceAway` becomes
    `TryAgain` while another try may come.
    """

    def decorated(work: Work[P, R]) -> Task[P, Coroutine[Any, Any, R]]:
        @wraps(work)
        async def one_try(*args: P.args, **kwargs: P.kwargs) -> R:
            resources = current_resources()
            with suppress(
                ServiceAway
            ):  # patience is over: what is left is recorded with that reason
                await resources.breaker.wait_ready()
            with fail_fast():
                try:
                    return await work(*args, **kwargs)
                except ServiceAway as away:
                    raise_if_it_passes(resources, away)
                    raise

        return _DirectTask(
            _shut_in(one_try), lambda: DELAYS_S, task_run_name=run_name, **RETRYING
        )

    return decorated


def file_task(
    run_name: str,
) -> Callable[[Work[P, R]], Task[P, Coroutine[Any, Any, R]]]:
    """Make a task that reads or writes files."""

    def decorated(work: Work[P, R]) -> Task[P, Coroutine[Any, Any, R]]:
        return _DirectTask(
            _shut_in(work), lambda: READING_DELAYS_S, task_run_name=run_name, **READING
        )

    return decorated
