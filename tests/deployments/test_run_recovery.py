"""Who takes up a lost run, when, and that it is one."""

from __future__ import annotations

import asyncio
import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, StateType

from connectors.process_locks import hold
from deployments.run_recovery import RunRecovery, candidates, take_up, why_lost
from domain.reasons import Reason, ReasonCode, because
from tests.deployments.served import Served

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
GONE = because(ReasonCode.RUN_PROCESS_GONE)
NOT_BEGUN = because(ReasonCode.RUN_NEVER_BEGAN)
FORGOTTEN = because(ReasonCode.RUN_CRASHED)


@pytest.mark.parametrize(
    ("kind", "since_s", "died_s", "began_s", "why"),
    [
        ("RUNNING", 300, 0, 10, GONE),
        ("RUNNING", 299, 0, 10, GONE),
        ("RUNNING", 90_000, 0, 10, GONE),
        ("PAUSED", 300, 0, 10, GONE),
        ("RUNNING", 300, None, 10, None),
        pytest.param(
            "RUNNING",
            300,
            59,
            600,
            None,
            id="its worker lives, and reports it first, twice",
        ),
        pytest.param("RUNNING", 300, 60, 600, GONE, id="its worker did not"),
        pytest.param(
            "PENDING",
            300,
            None,
            59,
            None,
            id="a process that outlived its worker may just begin",
        ),
        pytest.param("PENDING", 300, None, 60, NOT_BEGUN, id="it did not"),
        pytest.param("PENDING", 300, None, 300, None, id="this worker took it"),
        pytest.param("PENDING", 300, 0, 10, None, id="dead is the attempt before"),
        ("CRASHED", 59, None, 600, None),
        ("CRASHED", 60, None, 600, FORGOTTEN),
        pytest.param(
            "CRASHED", -28_800, None, 600, FORGOTTEN, id="by a clock that was ahead"
        ),
        pytest.param("RUNNING", -28_800, -28_790, 600, GONE, id="found gone by one"),
        pytest.param(
            "PENDING",
            5,
            None,
            -28_800,
            None,
            id="this worker began by one, and takes it now",
        ),
    ],
)
def test_a_run_is_taken_up_when_nobody_else_will(
    kind: str, since_s: float, died_s: float | None, began_s: float, why: Reason | None
) -> None:
    """`since_s` ago it came into its state, `died_s` ago its process was found gone,
    `began_s` ago the worker began.
    """

    def ago(seconds: float) -> datetime:
        return NOW - timedelta(seconds=seconds)

    state = State(type=StateType(kind), timestamp=ago(since_s))
    died = None if died_s is None else ago(died_s)
    assert why_lost(state, died=died, began=ago(began_s), now=NOW) == why


def test_one_that_was_put_aside_has_no_process_to_lose() -> None:
    state = State(
        type=StateType.PAUSED, name="Suspended", timestamp=NOW - timedelta(hours=1)
    )
    assert why_lost(state, died=NOW, began=NOW, now=NOW) is None


async def test_a_run_without_its_process_is_started_again_and_told_of(
    served: Served, tmp_path: Path
) -> None:
    """Whether it was at work or asked."""
    runs = [
        _run(served, *states)
        for states in (("PENDING", "RUNNING"), ("PENDING", "RUNNING", "PAUSED"))
    ]
    for run_id in runs:
        os.close(hold(tmp_path, run_id))
    async with get_client() as client:
        lost = await RunRecovery(
            locks=tmp_path, began=datetime.now(UTC), has_resynced=True
        ).poll(client)
    assert {str(run.id) for run in lost} == {*runs}
    for run_id in runs:
        assert not (
            tmp_path / run_id
        ).exists()  # else it would prove dead what goes on on another machine
        assert served.run(run_id)["state_name"] == "AwaitingRetry"


async def test_of_two_who_take_up_a_run_one_does(served: Served) -> None:
    """Also when the second looks again only after the first has done it, and a worker
    has taken the run.
    """
    run_id = _run(served, "PENDING", "RUNNING")
    async with get_client() as client:
        seen = await client.read_flow_run(uuid.UUID(run_id))
        assert sorted(
            await asyncio.gather(*(take_up(client, seen, GONE) for _ in range(4)))
        ) == [False] * 3 + [True]
        served.ask(f"flow_runs/{run_id}/set_state", {"state": {"type": "PENDING"}})
        assert not await take_up(client, seen, GONE)
    assert _states(served, run_id) == ["Pending", "Running", "AwaitingRetry", "Pending"]


async def test_a_run_that_never_began_gives_its_place_back(served: Served) -> None:
    """The next hourly run would else be let go, and the one after it."""
    run_id = _run(served, "PENDING", limit=1)
    later = _run(served, "PENDING", like=run_id)
    assert served.run(later)["state_name"] == "Cancelled"
    async with get_client() as client:
        assert await take_up(
            client, await client.read_flow_run(uuid.UUID(run_id)), NOT_BEGUN
        )
    assert served.run(_run(served, "PENDING", like=run_id))["state_name"] == "Pending"


async def test_after_five_times_a_person_has_to_look(served: Served) -> None:
    """Counted also for processes that die before their run has begun."""
    run_id = _run(served, "PENDING")

    async def seen() -> FlowRun:
        return await client.read_flow_run(uuid.UUID(run_id))

    async with get_client() as client:
        for _time in range(5):
            assert await take_up(client, await seen(), NOT_BEGUN)
            served.ask(f"flow_runs/{run_id}/set_state", {"state": {"type": "PENDING"}})
        assert not await take_up(client, await seen(), NOT_BEGUN)
        assert (await seen()).state_name == "Crashed"
        assert not await take_up(client, await seen(), FORGOTTEN)
    assert _states(served, run_id).count("AwaitingRetry") == 5


async def test_one_that_crashed_today_is_looked_at_too(served: Served) -> None:
    """Whom an automation was to start again, while its server was killed."""
    run_id = _run(served, "PENDING", "RUNNING", "CRASHED")
    async with get_client() as client:
        assert run_id in {str(run.id) for run in await candidates(client)}


async def test_who_pauses_the_automation_pauses_this_as_well() -> None:
    run = FlowRun(
        flow_id=uuid.uuid4(), run_count=1, state=State(type=StateType.RUNNING)
    )
    client = AsyncMock()
    client.read_flow_run_states.return_value = []
    client.read_automations_by_name.return_value = [Mock(enabled=False)]
    assert not await take_up(client, run, GONE)


def _run(served: Served, *states: str, limit: int | None = None, like: str = "") -> str:
    """A run of a deployment that no worker works for."""
    if like:
        deployment_id = served.run(like)["deployment_id"]
    else:
        flow = served.ask("flows/", {"name": f"nobody-{uuid.uuid4()}"})
        wanted: dict[str, object] = {
            "name": "lost",
            "flow_id": flow["id"],
            "tags": ["sourcing"],
        }
        if limit:
            wanted |= {
                "concurrency_limit": limit,
                "concurrency_options": {"collision_strategy": "CANCEL_NEW"},
            }
        deployment_id = served.ask("deployments/", wanted)["id"]
    run_id = str(served.ask(f"deployments/{deployment_id}/create_flow_run", {})["id"])
    for state in states:
        served.ask(f"flow_runs/{run_id}/set_state", {"state": {"type": state}})
    return run_id


def _states(served: Served, run_id: str) -> list[str]:
    states = sorted(
        served.ask(f"flow_run_states/?flow_run_id={run_id}"),
        key=lambda state: str(state["timestamp"]),
    )
    return [str(state["name"]) for state in states][1:]
