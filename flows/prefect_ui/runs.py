"""The flow run of this process, and which ones Prefect's server is asked for."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext


def current_run() -> FlowRun | None:
    """The flow run that this code runs in, as it was when it began; None outside
    one.
    """
    context = FlowRunContext.get()
    return context.flow_run if context else None


def runs_in(
    *states: StateType,
    tag: str = "",
    deployment: UUID | None = None,
) -> FlowRunFilter:
    """Runs in these states."""
    wanted = {
        "state": {"type": {"any_": states}},
        "tags": {"all_": [tag]} if tag else None,
        "deployment_id": {"any_": [deployment]} if deployment else None,
    }
    return FlowRunFilter.model_validate(wanted)


async def next_start(client: PrefectClient, deployment: UUID) -> datetime | None:
    """When the next run of a deployment is planned."""
    planned, first = (
        runs_in(StateType.SCHEDULED, deployment=deployment),
        FlowRunSort.EXPECTED_START_TIME_ASC,
    )
    runs = await client.read_flow_runs(flow_run_filter=planned, sort=first, limit=1)
    return runs[0].expected_start_time if runs else None
