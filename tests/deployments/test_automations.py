"""What Prefect does by itself on a real server, and that what older versions made it do
is gone.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.events import Event, Resource, get_events_client
from prefect.events.schemas.automations import EventTrigger
from prefect.events.schemas.events import ResourceSpecification

from deployments.registration import POOL, automations
from deployments.run_recovery import resync_heartbeats
from tests.deployments.served import Served

SHORT = timedelta(seconds=10)


@pytest.mark.endurance
async def test_a_run_that_gives_no_sign_of_life_has_crashed(served: Served) -> None:
    """Whether it was heard before or not, and also when an answer was given to
    nobody.
    """
    unheard, answered = _running_flow_run(served), _running_flow_run(served)
    batch_of_a_night = _running_flow_run(served, of_a_deployment=False)
    async with (
        get_client() as client,
        impatient(client, unheard, answered, batch_of_a_night),
    ):
        await resync_heartbeats(client)
        served.ask(
            f"flow_runs/{answered}/set_state",
            {"state": {"type": "RUNNING"}, "force": True},
        )
        for run_id in (unheard, answered):
            crashed = served.await_state(run_id, "Crashed")
            assert crashed["state"]["message"].startswith(
                "No sign of life for 10 seconds"
            )
    assert (
        served.run(batch_of_a_night)["state_name"] == "Running"
    )  # nobody could start it again: its night does


@asynccontextmanager
async def impatient(client: PrefectClient, *run_ids: str) -> AsyncIterator[None]:
    """The automation for lost runs, beside the registered one, with ten seconds of
    patience, for these runs only.
    """
    lost, _again = automations(lost_after=SHORT)
    assert isinstance(lost.trigger, EventTrigger)
    lost.trigger.match = ResourceSpecification(
        root={
            "prefect.resource.id": [f"prefect.flow-run.{run_id}" for run_id in run_ids]
        }
    )
    made = await client.create_automation(
        lost.model_copy(update={"name": f"short {lost.name}"})
    )
    yield
    await client.delete_automation(made)


def _running_flow_run(served: Served, *, of_a_deployment: bool = True) -> str:
    """A run of ours that says it is running, without a process."""
    flow = served.ask("flows/", {"name": f"nobody-{uuid.uuid4()}"})
    wanted = {"flow_id": flow["id"], "tags": ["sourcing"], "state": {"type": "PENDING"}}
    if of_a_deployment:
        made = served.ask(
            "deployments/",
            {"name": "silent", "flow_id": flow["id"], "tags": ["sourcing"]},
        )
        wanted["deployment_id"] = made["id"]
    run = served.ask("flow_runs/", wanted)
    served.ask(
        f"flow_runs/{run['id']}/set_state",
        {"state": {"type": "RUNNING"}, "force": True},
    )
    return str(run["id"])


@pytest.mark.endurance
async def test_that_no_worker_is_there_is_told_by_prefect_itself(
    served: Served,
) -> None:
    """Without one, no run of ours could send it."""
    async with get_client() as client, get_events_client() as events:
        pool = await client.read_work_pool(POOL)
        await events.emit(
            Event(
                event="prefect.work-pool.not-ready",
                resource=Resource(
                    {
                        "prefect.resource.id": f"prefect.work-pool.{pool.id}",
                        "prefect.resource.name": POOL,
                    }
                ),
            )
        )
    assert served.await_alert("no run can begin")["subject"].startswith("No worker")
