"""A call of a task by another run than the one of the fixture `resources`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ParamSpec, TypeVar

from prefect import Task

from tasks.engine.resources import Resources, as_current

P = ParamSpec("P")
R = TypeVar("R")


async def call_in(
    run: Resources,
    task: Task[P, Coroutine[Any, Any, R]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    with as_current(run):
        return await task(*args, **kwargs)
