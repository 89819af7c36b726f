"""A deployment of an earlier version gets its new name, and stays as a person left
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4

from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    FlowFilter,
    FlowRunFilter,
)
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound

from deployments.as_left import NEW_NAMES, redirect, rename_deployments
from tests.deployments.test_prefect_yaml import DEPLOYMENTS
from tests.running import ROOT

NIGHT = "nightly"
HERE = {
    "entrypoint": "flows/buy_from_inbox.py:buy_from_inbox",
    "pull_steps": [
        {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
    ],
    "job_variables": {"working_dir": str(ROOT), "env": {"A": "/opt/0.1/a"}},
}


@dataclass
class Server:
    """A Prefect server with deployments by name, and the states of their runs."""

    deployments: dict[str, Any] = field(default_factory=dict)
    runs: dict[UUID, str] = field(default_factory=dict)
    updates: list[dict[str, Any]] = field(default_factory=list)

    flow: str = "source-orders"

    async def read_deployments(
        self,
        *,
        deployment_filter: DeploymentFilter,
        flow_filter: FlowFilter | None = None,
    ) -> list[Any]:
        assert deployment_filter.tags == DeploymentFilterTags(all_=["sourcing"])
        names = (deployment_filter.name and deployment_filter.name.any_) or []
        if (
            flow_filter
            and flow_filter.name
            and self.flow not in (flow_filter.name.any_ or [])
        ):
            return []
        return [one for name, one in self.deployments.items() if name in names]

    async def read_deployment_by_name(self, name: str) -> Any:
        if (found := self.deployments.get(name.partition("/")[2])) is None:
            raise ObjectNotFound(Exception(name))
        return found

    async def create_flow_from_name(self, _name: str) -> UUID:
        return uuid4()

    async def create_deployment(self, flow_id: UUID, name: str, **about: Any) -> None:
        assert name not in self.deployments
        self.deployments[name] = {"flow_id": flow_id, **about}

    async def update_deployment(self, _id: UUID, update: DeploymentUpdate) -> None:
        self.updates.append(update.model_dump(exclude_unset=True))

    async def read_flow_runs(
        self, *, flow_run_filter: FlowRunFilter, limit: int
    ) -> list[str]:
        assert flow_run_filter.deployment_id
        assert flow_run_filter.state
        assert flow_run_filter.state.type
        (of,) = flow_run_filter.deployment_id.any_ or []
        return [
            state
            for state in [self.runs.get(of)]
            if state in (flow_run_filter.state.type.any_ or [])
        ][:limit]

    async def delete_deployment(self, deployment_id: UUID) -> None:
        left = {
            name: one
            for name, one in self.deployments.items()
            if getattr(one, "id", None) != deployment_id
        }
        self.deployments = left


def night(*, active: bool) -> DeploymentResponse:
    schedule = DeploymentSchedule(
        schedule=CronSchedule(cron="0 2 * * *"),
        active=active,
        slug="nightly",
        parameters={"yes": False},
    )
    return DeploymentResponse(
        id=uuid4(),
        name=NIGHT,
        labels={},
        flow_id=uuid4(),
        schedules=[schedule],
        parameters={"inbox": "/in"},
        paused=False,
        pull_steps=[
            {
                "prefect.deployments.steps.set_working_directory": {
                    "directory": "/opt/0.1"
                }
            }
        ],
        job_variables={"working_dir": "/opt/0.1", "env": {"A": "/opt/0.1/a"}},
    )


def test_every_new_name_is_one_of_prefect_yaml_and_no_old_one_is() -> None:
    assert {*NEW_NAMES.values()} <= {*DEPLOYMENTS}
    assert not {*NEW_NAMES} & {*DEPLOYMENTS}
    assert len({*NEW_NAMES.values()}) == len(NEW_NAMES)


async def test_a_run_of_an_earlier_version_begins_in_this_one() -> None:
    server = Server({NIGHT: night(active=True)})
    assert [*await redirect(cast(Any, server))] == ["buy-from-inbox"]
    assert server.updates == [HERE]


async def test_a_merchant_s_own_deployment_of_such_a_name_stays_as_it_is() -> None:
    server = Server({NIGHT: night(active=True)}, flow="my-night")
    await rename_deployments(cast(Any, server))
    assert ([*server.deployments], server.updates) == ([NIGHT], [])


async def test_a_paused_schedule_is_paused_under_the_new_name_and_the_old_one_is_gone() -> (
    None
):
    server = Server({NIGHT: night(active=False)})
    await rename_deployments(cast(Any, server))
    assert [*server.deployments] == ["buy-from-inbox"]
    made = server.deployments["buy-from-inbox"]
    (schedule,) = made["schedules"]
    assert isinstance(schedule, DeploymentScheduleCreate)
    assert (schedule.active, schedule.slug, schedule.parameters) == (
        False,
        "nightly",
        {"yes": False},
    )
    assert (made["parameters"], made["entrypoint"]) == (
        {"inbox": "/in"},
        "flows/buy_from_inbox.py:buy_from_inbox",
    )
    await rename_deployments(cast(Any, server))
    assert server.deployments["buy-from-inbox"] is made


async def test_a_paused_deployment_has_its_schedules_switched_off() -> None:
    paused = night(active=True).model_copy(update={"paused": True})
    server = Server({NIGHT: paused})
    await rename_deployments(cast(Any, server))
    assert [
        one.active for one in server.deployments["buy-from-inbox"]["schedules"]
    ] == [False]


async def test_an_old_one_with_a_run_that_may_go_on_stays_without_planning_more() -> (
    None
):
    """A run that waits for an answer, is planned, or crashed lately begins by its
    deployment.
    """
    for state in ("SCHEDULED", "PAUSED", "RUNNING", "CRASHED", "FAILED"):
        old = night(active=True)
        server = Server({NIGHT: old}, {old.id: state})
        await rename_deployments(cast(Any, server))
        assert [*server.deployments] == [NIGHT, "buy-from-inbox"]
        assert server.updates == [HERE, {"paused": True}]
        made = server.deployments["buy-from-inbox"]
        server.runs[old.id] = "COMPLETED"
        await rename_deployments(cast(Any, server))
        assert server.deployments == {"buy-from-inbox": made}
