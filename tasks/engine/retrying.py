"""Tries of a step: when Prefect runs it again, and what it may not see."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial, wraps
from inspect import signature
from types import MappingProxyType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.task_engine import run_task_async
from prefect.tasks import Task
from pydantic import PrivateAttr

from connectors.foreign import shut, words_of
from connectors.ledger.engine import LedgerUnusable
from connectors.settings import MissingSetting
from connectors.snapshots.manifests import SnapshotSumsDiffer
from connectors.xportcn.breaker import fail_fast
from connectors.xportcn.errors import Misconfigured, ServiceAway
from tasks.engine.resources import Resources
from tasks.engine.tries import TryAgain, raise_if_it_passes

K = TypeVar("K")
V = TypeVar("V")


def hide_from_prefect(mapping: Mapping[K, V]) -> Mapping[K, V]:
    """A view of the mapping that costs nothing to pass as a parameter, of any size. For `reading_task` alone."""
    return MappingProxyType(mapping)  # Prefect walks dicts, lists, tuples, sets, dataclasses and pydantic models


P = ParamSpec("P")
R = TypeVar("R")

RETRIES = 200
"""Never reached: a try waits at the circuit breaker while the service is away, so a try is one absence of the service.
"""
JITTER = 0.3


class _Call(Generic[R]):
    """One use of a task, as Prefect gets it: nothing that it would walk, copy or keep until the flow has ended."""

    result: R

    def __init__(self, one_try: Callable[[], Coroutine[Any, Any, R]]) -> None:
        self._one_try = one_try

    async def __call__(self) -> None:
        self.result = await shut_in(self._one_try)()


@dataclass(frozen=True)
class RetryingTask(Generic[P, R]):
    """A task whose every try begins at the circuit breaker, before any claim. `fn` is one try, without Prefect."""

    run_name: str
    fn: Callable[Concatenate[Resources, P], Coroutine[Any, Any, R]]

    async def __call__(self, resources: Resources, /, *args: P.args, **kwargs: P.kwargs) -> R:
        task = self.task(tuple(resources.settings.retry_delays_s))
        call = _Call(partial(self.fn, resources, *args, **kwargs))
        called = signature(self.fn).bind(resources, *args, **kwargs).arguments
        parameters = {"call": call, "name": self.run_name.format(**called)}
        # a run that is made beforehand has no event of its own for *Pending*, a third of what it costs the server
        run = _LoggingRun.model_construct(**dict(await task.create_local_run(parameters=parameters)))
        await run_task_async(task, task_run=run, parameters=parameters)
        return call.result

    @cache  # noqa: B019 - a task lives as long as its module
    def task(self, delays_s: tuple[float, ...]) -> Task[[_Call[R], str], Coroutine[Any, Any, None]]:
        """Prefect's task: it fixes the delays when it is built, and uses the last one for all further tries."""

        async def try_once(call: _Call[R], name: str) -> None:
            await call()

        try_once.__qualname__ = self.fn.__name__  # else all tasks would have the same key
        return Task(
            try_once,
            name=self.fn.__name__,
            task_run_name="{name}",
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=RETRIES,
            retry_delay_seconds=list(delays_s),
            retry_jitter_factor=JITTER,
            retry_condition_fn=_wants_another_try,
        )


def retrying_task(
    run_name: str,
) -> Callable[[Callable[Concatenate[Resources, P], Coroutine[Any, Any, R]]], RetryingTask[P, R]]:
    """A task of a run. Only `TryAgain` brings another try; `ServiceAway` becomes one while one may come."""

    def made(function: Callable[Concatenate[Resources, P], Coroutine[Any, Any, R]]) -> RetryingTask[P, R]:
        @wraps(function)
        async def one_try(resources: Resources, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with suppress(ServiceAway):  # patience is over: what is left is recorded with that reason
                await resources.breaker.wait_ready()
            with fail_fast():
                try:
                    return await function(resources, *args, **kwargs)
                except ServiceAway as away:
                    raise_if_it_passes(resources, away)
                    raise

        return RetryingTask(run_name, one_try)

    return made


class _LoggingRun(TaskRun):
    """A task run with the reason of its waiting in *AwaitingRetry*. Prefect itself has it in the log alone."""

    _why: str = PrivateAttr("")

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "state" and value.name == "AwaitingRetry":
            value.message = self._why
        super().__setattr__(name, value)


async def _wants_another_try(_task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    failure = await state.aresult(raise_on_failure=False)
    if isinstance(run, _LoggingRun):
        run._why = words_of(failure)
    return isinstance(failure, TryAgain)


def reading_task(
    run_name: str,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Task[P, Coroutine[Any, Any, R]]]:
    """A Prefect task that is done again, twice at most, after trouble that passes."""
    made = task(
        task_run_name=run_name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=2,
        retry_delay_seconds=[1, 5],
        retry_condition_fn=_is_passing,
    )
    return lambda function: made(shut_in(function))


def shut_in(work: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """The work of a task, whose errors Prefect writes down: none leaves it with words of other programs."""

    @wraps(work)
    async def done(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await work(*args, **kwargs)
        except Exception as error:
            if (told := shut(error)) is error:
                raise
            raise told from None

    return done


async def _is_passing(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """True unless a person must act first."""
    failure = await state.aresult(raise_on_failure=False)
    return not isinstance(failure, Misconfigured | MissingSetting | LedgerUnusable | SnapshotSumsDiffer)
