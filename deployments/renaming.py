"""Deployments of earlier versions under their new names, as a person left them: Prefect itself can't rename one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import yaml
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    DeploymentFilterTags,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from deployments.registration import ROOT, TAG

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

NEW_NAMES = {
    "manual": "buy-from-file",
    "nightly": "buy-from-inbox",
    "costs": "compute-costs",
    "receive": "confirm-receipt",
    "export": "export-tables",
    "after-sale": "follow-after-sale",
    "callbacks": "hear-callbacks",
    "helper": "help-batch",
    "message": "message-seller",
    "reconcile": "reconcile-ledger",
    "refund": "request-refund",
    "resolve": "resolve-order",
    "return": "return-parcel",
    "digest": "send-digest",
    "notify": "send-messages",
    "todo": "show-todo",
    "withdraw": "withdraw-refund",
}
"""A deployment's name until November 2026, and that of it and its flow since."""

FLOWS = (
    *("ask-refund", "confirm-receipt", "costs", "digest", "export", "hear-callbacks", "follow-after-sale", "helper"),
    *("message-seller", "notify", "reconcile", "resolve", "return-parcel", "source-orders", "todo", "withdraw-refund"),
)
"""What the flows of those deployments were called: a merchant's own deployment of such a name has another flow."""

COPIED = (
    *("parameters", "parameter_openapi_schema", "enforce_parameter_schema", "tags", "description"),
    *("work_pool_name", "work_queue_name", "concurrency_options"),
)
NOT_OVER = (StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)
MAY_GO_ON = (StateType.CRASHED, StateType.FAILED)
A_DAY = timedelta(days=1)
"""So long a crashed run is started again by itself, and a failed one likely by a person."""


async def redirect(client: PrefectClient) -> dict[str, DeploymentResponse]:
    """Let runs of an earlier version begin in this one; answers its deployments by their new names.

    A worker does it before its first run: one that waited for an answer during the upgrade is taken up at once.
    """
    wanted = DeploymentFilter(name=DeploymentFilterName(any_=[*NEW_NAMES]), tags=DeploymentFilterTags(all_=[TAG]))
    ours = FlowFilter(name=FlowFilterName(any_=[*FLOWS]))
    found = await client.read_deployments(flow_filter=ours, deployment_filter=wanted)
    earlier = {NEW_NAMES[one.name]: one for one in found}
    for name, one in earlier.items():
        await client.update_deployment(one.id, DeploymentUpdate(**_place(one, name)))
    return earlier


async def rename_deployments(client: PrefectClient) -> None:
    """Make each renamed deployment from the earlier one, which is deleted once its runs are over. Safe to repeat.

    Until then the earlier one plans no runs.
    """
    for name, before in (await redirect(client)).items():
        try:
            await client.read_deployment_by_name(f"{name}/{name}")
        except ObjectNotFound:
            await _copy(client, before, name)
        # not by deleting its schedules: that would also delete a run that is late
        await client.update_deployment(before.id, DeploymentUpdate(paused=True))
        if not await _has_runs(client, before.id):
            await client.delete_deployment(before.id)


async def keep_paused(client: PrefectClient) -> None:
    """Switch the schedules of paused deployments off: `prefect deploy` resumes a deployment, and leaves those alone."""
    wanted = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    for one in await client.read_deployments(deployment_filter=wanted):
        for schedule in one.schedules:
            if one.paused and schedule.active and one.name not in NEW_NAMES:
                await client.update_deployment_schedule(one.id, schedule.id, active=False)


def _place(before: DeploymentResponse, name: str) -> Mapping[str, Any]:
    """The flow of today's deployment, and this version's folder in place of the earlier one's."""
    listed = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    entrypoint = next(one["entrypoint"] for one in listed if one["name"] == name)
    place = json.dumps({"pull_steps": before.pull_steps, "job_variables": before.job_variables})
    if folder := before.job_variables.get("working_dir"):
        place = place.replace(json.dumps(folder), json.dumps(str(ROOT)))
    return {"entrypoint": entrypoint, **json.loads(place)}


async def _copy(client: PrefectClient, before: DeploymentResponse, name: str) -> None:
    limit = before.global_concurrency_limit
    schedules = [
        DeploymentScheduleCreate(
            schedule=one.schedule,
            active=one.active and not before.paused,
            parameters=one.parameters,
            slug=one.slug,
        )
        for one in before.schedules
    ]
    await client.create_deployment(
        await client.create_flow_from_name(name),
        name,
        schedules=schedules,
        concurrency_limit=limit.limit if limit else None,
        **_place(before, name),
        **{what: getattr(before, what) for what in COPIED},
    )


async def _has_runs(client: PrefectClient, deployment_id: UUID) -> bool:
    lately = FlowRunFilterEndTime(after_=datetime.now(UTC) - A_DAY)
    for states, ended in ((NOT_OVER, None), (MAY_GO_ON, lately)):
        wanted = FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[deployment_id]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[*states])),
            end_time=ended,
        )
        if await client.read_flow_runs(flow_run_filter=wanted, limit=1):
            return True
    return False
