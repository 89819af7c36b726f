"""Tell when what should complete again and again has not done so for too long.

Each completion begins the wait for the next one. Prefect keeps its waits in its database, but one that ends while the
server is away is swept unseen when it is back, and before the first completion there is none. So whoever registers
begins the waits that are not under way, and looks at the runs there were: what is overdue already is told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from prefect.automations import AutomationCore
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events.actions import DoNothing, SendNotification
from prefect.events.clients import get_events_client
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import Event, RelatedResource, Resource, ResourceSpecification

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

COMPLETES_WITHIN = {"nightly": timedelta(hours=26), "sync-tracking": timedelta(hours=3)}
ONCE_A_DAY = timedelta(days=1)
COMPLETED = "prefect.flow-run.Completed"
AWAITED = "sourcing.deployment.awaited"
OVERDUE = "sourcing.deployment.overdue"
TAG = "sourcing"
OUR_TAG = {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}

Tell = Callable[[str, str], Sequence[SendNotification | DoNothing]]

WHAT_TO_DO = """
What to do: nothing is lost, the next run that completes catches up. Look at Runs in the UI. One that waits for an
answer, is late or fails again and again says why. If there is none, is the deployment's schedule on? If all are late,
does a worker run (Work Pools, sourcing, Workers)? Start `sourcing serve`, or the worker's service, again; then Quick
run."""

STALE = (
    """\
No run of the deployment {name} has completed for {hours} hours; counted from {{{{ event.occurred }}}}.
"""
    + WHAT_TO_DO
)

FOUND_STALE = (
    """\
Prefect was started, and finds that no run of the deployment {{ event.payload['deployment'] }} has completed since
{{ event.payload['completed_at'] }}, {{ event.payload['hours'] }} hours ago. Was the machine off? What it missed is
started by itself.
"""
    + WHAT_TO_DO
)


def freshness_automations(tell: Tell) -> list[AutomationCore]:
    """One a deployment that has to complete in time, and one for what the start of a server finds."""
    return [
        *(
            AutomationCore(
                name=f"sourcing: {name} is overdue",
                description=f"Tells when no run of {name} has completed for {_hours(within)} hours.",
                trigger=_without_completion(name, within),
                actions=list(
                    tell(
                        f"Sourcing: {name} has not completed for {_hours(within)} hours",
                        STALE.format(name=name, hours=_hours(within)),
                    )
                ),
            )
            for name, within in COMPLETES_WITHIN.items()
        ),
        AutomationCore(
            name="sourcing: overdue at the start",
            description="Tells what has not completed in time because the server was away; once a day.",
            trigger=EventTrigger(
                expect={OVERDUE},
                for_each={"prefect.resource.id"},
                posture=Posture.Reactive,
                threshold=1,
                within=ONCE_A_DAY,
            ),
            actions=list(
                tell("Sourcing: {{ event.payload['deployment'] }} has not completed in time", FOUND_STALE),
            ),
        ),
    ]


async def expect_completions(client: PrefectClient) -> None:
    """Begin the waits that are not under way, and tell of what is overdue already."""
    now = datetime.now(UTC)
    async with get_events_client() as events:
        for name, within in COMPLETES_WITHIN.items():
            await events.emit(about(name, AWAITED))
            last = await _last_completion(client, name)
            if last and now - last > within:
                payload = {
                    "deployment": name,
                    "completed_at": f"{last:%Y-%m-%d %H:%M} UTC",
                    "hours": _hours(now - last),
                }
                await events.emit(about(name, OVERDUE, payload))


def about(name: str, event: str, payload: Mapping[str, object] = MappingProxyType({})) -> Event:
    """An event of ours about a deployment."""
    resource_id = f"sourcing.deployment.{name}"
    deployment = {
        "prefect.resource.id": resource_id,
        "prefect.resource.name": name,
        "prefect.resource.role": "deployment",
    }
    return Event(
        event=event,
        resource=Resource({"prefect.resource.id": resource_id}),
        related=[RelatedResource(deployment), RelatedResource(OUR_TAG)],
        payload={**payload},
    )


def _without_completion(name: str, within: timedelta) -> EventTrigger:
    of_ours = {"prefect.resource.role": "deployment", "prefect.resource.name": name}
    return EventTrigger(
        posture=Posture.Proactive,
        match_related=[ResourceSpecification(root={**of_ours}), ResourceSpecification(root={**OUR_TAG})],
        after={COMPLETED, AWAITED},
        expect={COMPLETED},
        for_each={"related:deployment:prefect.resource.name"},
        threshold=1,
        within=within,
    )


async def _last_completion(client: PrefectClient, name: str) -> datetime | None:
    runs = await client.read_flow_runs(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[name])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.COMPLETED])),
            tags=FlowRunFilterTags(all_=[TAG]),
        ),
        sort=FlowRunSort.END_TIME_DESC,
        limit=1,
    )
    return runs[0].end_time if runs else None


def _hours(period: timedelta) -> int:
    return int(period.total_seconds() // 3600)  # Prefect's own kind of period can't be divided by another
