"""Prefect tries a task again while the service is away, says why, and for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName
from prefect.settings import PREFECT_API_URL, temporary_settings

from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.errors import Misconfigured, ServiceAway
from tasks.engine.resources import Resources
from tasks.engine.retrying import retrying_task
from tasks.engine.tries import TryAgain, may_try_again

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Prefect leaves its sockets to the garbage collector when a flow's event loop ends."""

RESOURCES = cast(
    Resources,
    SimpleNamespace(settings=SimpleNamespace(retry_delays_s=(0.01,)), breaker=CircuitBreaker(at_once=1, patience_s=60)),
)


@pytest.fixture
def server(prefect_url: str) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: prefect_url}):
        yield


class Unwalked(list[Exception]):
    """What Prefect may neither look through as an argument nor as a result."""

    def __iter__(self) -> Iterator[Exception]:
        raise AssertionError("walked")


@retrying_task("wait {label}")
async def wait(_resources: Resources, troubles: list[Exception], *, label: str) -> list[Exception]:
    if troubles:
        raise troubles.pop(0)
    return troubles


async def states_of(name: str) -> list[tuple[str, str]]:
    """The states of a task run, once it is over: a service of the server writes them down a little later."""
    async with get_client() as client:
        while True:
            named = TaskRunFilter(name=TaskRunFilterName(any_=[name]))
            found = [run for run in await client.read_task_runs(task_run_filter=named) if run.end_time]
            if found:
                states = await client._client.get("/task_run_states/", params={"task_run_id": str(found[0].id)})
                told = [(state["name"], state["message"]) for state in states.json()]
                if told[-1][0] == "Completed":
                    return told
            await asyncio.sleep(0.1)


async def test_it_waits_with_the_reason_and_goes_on(server: None) -> None:
    @flow
    async def night() -> int:
        troubles = Unwalked([ServiceAway("the service is away for 40 s"), TryAgain("still away")])
        return len(await wait(RESOURCES, troubles, label="1"))

    assert await night() == 0
    assert await states_of("wait 1") == [
        ("Running", ""),
        ("AwaitingRetry", "the service is away for 40 s"),
        ("Retrying", ""),
        ("AwaitingRetry", "still away"),
        ("Retrying", ""),
        ("Completed", ""),
    ]


async def test_what_a_person_must_mend_is_not_tried_again(server: None) -> None:
    @flow
    async def night() -> None:
        await wait(RESOURCES, [Misconfigured("wrong secret")], label="2")

    with pytest.raises(Misconfigured, match="wrong secret"):
        await night()


async def test_without_prefect_there_is_one_try() -> None:
    assert not may_try_again(RESOURCES)
    with pytest.raises(ServiceAway):
        await wait.fn(RESOURCES, [ServiceAway("the service is away")], label="3")
