"""What Prefect does by itself when a run's process is gone. deployments/post_office.py sends the messages about it.

| automation | fires when | does |
|---|---|---|
| `sourcing: run lost` | a run gave no sign of life for two minutes | marks it as crashed |
| `sourcing: run again` | a run crashed, up to five times | starts it again 20 s later; the ledger has what it did |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prefect.automations import AutomationCore
from prefect.client.schemas.objects import StateType
from prefect.events import ChangeFlowRunState, EventTrigger, Posture, ResourceSpecification

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

RUN_AGAIN = "sourcing: run again"
LOST_AFTER = timedelta(seconds=120)
ALL_IS_REPORTED_AFTER = timedelta(seconds=20)
STARTED_AGAIN_AT_MOST = 5
TAG = "sourcing"
OUR_TAG = {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}
OF_A_DEPLOYMENT = {"prefect.resource.role": "deployment"}
"""A batch of a night has none: only its night can start it again."""

TAKEN_UP = "sourcing.run.taken-up"
"""Emitted by `deployments/run_recovery.py` for a run that it starts again."""

SIGNS_OF_LIFE = frozenset({"prefect.flow-run.*", TAKEN_UP})
MUST_BE_FOLLOWED = frozenset({"prefect.flow-run.heartbeat", "prefect.flow-run.Running"})
"""Another has to follow these. An answer makes a paused run *Running*, whether its process still gets it or not."""
NO_LONGER_CRASHED = frozenset(
    f"prefect.flow-run.{name}"
    for name in ("AwaitingRetry", "Scheduled", "Pending", "Running", "Completed", "Failed", "Cancelled")
) | {TAKEN_UP}

OF_OLDER_VERSIONS = (
    "sourcing: run failed",
    "sourcing: outcome unknown",
    "sourcing: budget used up",
    "sourcing: parcel stalled",
    "sourcing: ledger and service differ",
    "sourcing: nightly is overdue",
    "sourcing: sync-tracking is overdue",
    "sourcing: overdue at the start",
)
"""They notified people, and lost their state when the server ended."""


async def register_automations(client: PrefectClient, *, lost_after: timedelta = LOST_AFTER) -> None:
    """Create each automation, or bring the one of its name up to date; one paused by a person stays paused."""
    for wanted in automations(lost_after=lost_after):
        known = await client.read_automations_by_name(wanted.name)
        if not known:
            await client.create_automation(wanted)
            continue
        first, *doubles = known
        if _content(first) != _content(wanted):  # an update resets what a trigger waits for
            await client.update_automation(first.id, wanted.model_copy(update={"enabled": first.enabled}))
        for double in doubles:
            await client.delete_automation(double.id)


def automations(*, lost_after: timedelta = LOST_AFTER) -> Sequence[AutomationCore]:
    """All automations, as they should be."""
    return [
        AutomationCore(
            name="sourcing: run lost",
            description="A run that gives no sign of life has lost its process or machine: it is marked as crashed.",
            trigger=_on_runs({*SIGNS_OF_LIFE}, after=MUST_BE_FOLLOWED, within=lost_after),
            actions=[ChangeFlowRunState(state=StateType.CRASHED, message=_lost(lost_after))],
        ),
        AutomationCore(
            name=RUN_AGAIN,
            description=(
                "Starts a crashed run again. It reads from the ledger and the service what became of everything it "
                f"began. After {STARTED_AGAIN_AT_MOST} times a person has to find out why."
            ),
            # a worker reports a killed process twice, seconds apart: the second report must not meet the next attempt
            trigger=_on_runs(
                {*NO_LONGER_CRASHED},
                after={"prefect.flow-run.Crashed"},
                within=ALL_IS_REPORTED_AFTER,
                run_counts=range(1, STARTED_AGAIN_AT_MOST + 1),
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.SCHEDULED,
                    name="AwaitingRetry",
                    message="It crashed and is started again; the ledger knows how far it came.",
                )
            ],
        ),
    ]


def _on_runs(expect: set[str], *, after: Set[str], within: timedelta, run_counts: Iterable[int] = ()) -> EventTrigger:
    """On the absence of all these events after such a one, for runs of our deployments that began so often.

    With `after` equal to `expect` each event begins the wait anew. Without `after` windows follow one another, and up
    to three pass before it fires. A wait that ends while the server is away is swept, and never fires.
    """
    runs: dict[str, str | list[str]] = {"prefect.resource.id": "prefect.flow-run.*"}
    if counts := [str(count) for count in run_counts]:
        runs["prefect.run-count"] = counts
    return EventTrigger(
        posture=Posture.Proactive,
        match=ResourceSpecification(root=runs),
        match_related=[ResourceSpecification(root={**one}) for one in (OUR_TAG, OF_A_DEPLOYMENT)],
        after=set(after),
        expect=expect,
        for_each={"prefect.resource.id"},
        threshold=1,
        within=within,
    )


def _content(automation: AutomationCore) -> dict[str, Any]:
    """The content of an automation, without what a server adds."""
    content = automation.model_dump(mode="json", include={"description", "trigger", "actions"})
    content["trigger"].pop("id", None)
    content["trigger"].update({name: sorted(content["trigger"][name]) for name in ("after", "expect", "for_each")})
    return content


def _lost(after: timedelta) -> str:
    return f"No sign of life for {after.total_seconds():.0f} seconds: its process or machine is gone."
