"""What the Prefect UI shows of a flow run, as its server tells it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.sorting import FlowRunSort


@dataclass(frozen=True)
class SeenRun:
    """A flow run as the Prefect UI shows it."""

    run_id: str
    name: str
    state: str
    message: str
    artifacts: dict[str, str]
    logs: list[str]


def newest_run(url: str) -> SeenRun:
    """The run that was started last."""

    async def seen() -> SeenRun:
        async with PrefectClient(url) as client:
            (run,) = await client.read_flow_runs(
                sort=FlowRunSort.START_TIME_DESC, limit=1
            )
            for _ in range(600):  # log lines are sent in the background
                logs = await client.read_logs(
                    LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
                )
                if any(
                    log.task_run_id is None
                    and log.message.startswith("Finished in state")
                    for log in logs
                ):
                    break
                await asyncio.sleep(0.2)
            only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
            artifacts = await client.read_artifacts(artifact_filter=only)
            assert run.state
            return SeenRun(
                run_id=str(run.id),
                name=run.name,
                state=run.state.name or "",
                message=run.state.message or "",
                artifacts={
                    str(artifact.key): str(artifact.description)
                    for artifact in artifacts
                },
                logs=[log.message for log in logs],
            )

    return asyncio.run(seen())


def events_of(url: str, run: SeenRun, count: int) -> list[str]:
    """What it told, such as `sourcing.order.paid spring`, sorted; the server writes its
    `count` events down in time.
    """
    calls = {
        "filter": {
            "event": {"prefix": ["sourcing."]},
            "related": {"id": [f"prefect.flow-run.{run.run_id}"]},
        }
    }

    async def told() -> list[dict[str, Any]]:
        async with PrefectClient(url) as client:
            for _ in range(600):
                json: list[dict[str, Any]] = (
                    await client.request("POST", "/events/filter", json=calls)
                ).json()["events"]
                if len(json) >= count:
                    break
                await asyncio.sleep(0.2)
            return json

    return sorted(
        f"{event['event']} {event['resource']['prefect.resource.name']}"
        for event in asyncio.run(told())
    )
