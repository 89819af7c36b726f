"""Prefect tries a task again while the service is away, logs why, and for nothing
else.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect import Task, flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    LogFilter,
    LogFilterTaskRunId,
    TaskRunFilter,
    TaskRunFilterName,
)
from prefect.settings import PREFECT_API_URL, temporary_settings

import tasks
from connectors.foreign import shut_logs
from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.errors import Misconfigured, ServiceAway
from tasks.engine import retrying
from tasks.engine.resources import Resources, as_current
from tasks.engine.retrying import service_task
from tasks.engine.tries import TryAgain, may_try_again
from tests.running import ROOT

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
"""Prefect leaves its sockets to the garbage collector when a flow's event loop ends."""

RESOURCES = cast(
    Resources,
    SimpleNamespace(
        breaker=CircuitBreaker(at_once=1, patience_s=60),
    ),
)


@pytest.fixture
def server(prefect_url: str) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: prefect_url}):
        yield


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(retrying, "DELAYS_S", (0.01,))
    with as_current(RESOURCES):
        yield


class Unwalked(list[Exception]):
    """What Prefect may not look through."""

    def __iter__(self) -> Iterator[Exception]:
        raise AssertionError("walked")


@service_task("wait {label}")
async def wait(troubles: list[Exception], *, label: str) -> int:
    if troubles:
        raise troubles.pop(0)
    return len(label)


async def states_and_log_of(name: str, lines: int) -> tuple[list[str], list[str]]:
    """The states of a task run and what it logged of failures, once both are there: a
    little after its end.
    """
    async with get_client() as client:
        while True:
            named = TaskRunFilter(name=TaskRunFilterName(any_=[name]))
            found = [
                run
                for run in await client.read_task_runs(task_run_filter=named)
                if run.end_time
            ]
            if found:
                states = await client._client.get(
                    "/task_run_states/", params={"task_run_id": str(found[0].id)}
                )
                names = [state["name"] for state in states.json()]
                logs = await client.read_logs(
                    LogFilter(task_run_id=LogFilterTaskRunId(any_=[found[0].id]))
                )
                log = [
                    one.message.partition(" - ")[0]
                    for one in logs
                    if "failed" in one.message
                ]
                if names[-1] == "Completed" and len(log) == lines:
                    return names, log
            await asyncio.sleep(0.1)


async def test_it_waits_and_goes_on_and_its_log_has_the_reasons(server: None) -> None:
    troubles = Unwalked(
        [ServiceAway("the service is away for 40 s"), TryAgain("still away")]
    )

    @flow
    async def night() -> int:
        shut_logs()  # as each flow of the product does
        return await wait(troubles, label="1")

    assert await night() == 1
    assert not troubles
    assert await states_and_log_of("wait 1", lines=2) == (
        [
            "Pending",
            "Running",
            "AwaitingRetry",
            "Retrying",
            "AwaitingRetry",
            "Retrying",
            "Completed",
        ],
        [
            "Task run failed with exception: 'the service is away for 40 s'",
            "Task run failed with exception: 'still away'",
        ],
    )


async def test_what_a_person_must_mend_is_not_tried_again(server: None) -> None:
    @flow
    async def night() -> None:
        await wait([Misconfigured("wrong secret")], label="2")

    with pytest.raises(Misconfigured, match="wrong secret"):
        await night()


async def test_without_prefect_there_is_one_try() -> None:
    assert not may_try_again(RESOURCES)
    with pytest.raises(ServiceAway):
        await wait([ServiceAway("the service is away")], label="3")


def test_every_task_that_is_tried_again_waits_behind_the_breaker() -> None:
    modules = [
        import_module(one.name) for one in walk_packages(tasks.__path__, "tasks.")
    ]
    made = {
        one.name: cast(Any, one.fn)
        for module in modules
        for one in vars(module).values()
        if isinstance(one, Task)
    }
    waits = cast(Any, wait.fn).__wrapped__.__code__
    behind = {name for name, fn in made.items() if fn.__wrapped__.__code__ is waits}
    assert made.keys() - behind == {"cost_of", "_written"}
    assert len(behind) == 15


def test_a_task_is_declared_in_one_way() -> None:
    """With Prefect's own decorator its results would be stored, and a try would not
    settle first.
    """
    importing = re.compile(
        r"^from prefect(\.tasks)? import .*\b[Tt]ask\b|\bprefect\.[Tt]ask\b",
        re.MULTILINE,
    )
    assert [
        path.relative_to(ROOT).as_posix()
        for folder in ("cli", "connectors", "deployments", "domain", "flows", "tasks")
        for path in (ROOT / folder).rglob("*.py")
        if importing.search(path.read_text(encoding="utf-8"))
    ] == ["tasks/engine/retrying.py"]
