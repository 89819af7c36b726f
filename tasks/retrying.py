"""Tasks that change nothing at the service, so that another try is worth it. What spends or promises never retries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from connectors.ledger.engine import LedgerUnusable
from connectors.settings import MissingSetting
from connectors.xportcn.errors import Misconfigured

P = ParamSpec("P")
R = TypeVar("R")


def reading_task(name: str, run_name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A Prefect task that is done again, twice at most, after trouble that passes."""
    return task(
        name=name,
        task_run_name=run_name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=2,
        retry_delay_seconds=[1, 5],
        retry_condition_fn=_is_passing,
    )


async def _is_passing(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """True unless a person must act first."""
    failure = await state.aresult(raise_on_failure=False)
    return not isinstance(failure, Misconfigured | MissingSetting | LedgerUnusable)
