"""What Prefect does by itself when something goes wrong: take up lost runs, and tell somebody.

| automation | fires when | does |
|---|---|---|
| `sourcing: run lost` | a run gave no sign of life for two minutes | marks it as crashed |
| `sourcing: run again` | a run crashed, up to five times | starts it again 20 s later; the ledger has what it did |
| `sourcing: run failed` | a run failed, crashed, was lost or took too long | tells |
| `sourcing: outcome unknown` | nobody could find out in time whether an action happened | tells |
| `sourcing: budget used up` | orders were held because a limit was reached | tells |
| `sourcing: parcel stalled` | an order's parcels have not moved for days | tells |
| `sourcing: nightly is overdue` | no nightly run completed for 26 h; for tracking 3 h (freshness.py) | tells |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.automations import AutomationCore
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, DoNothing, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from deployments.freshness import OUR_TAG, freshness_automations

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

RUN_AGAIN = "sourcing: run again"
LOST_AFTER = timedelta(seconds=120)
ALL_IS_REPORTED_AFTER = timedelta(seconds=20)
ONCE_A_DAY = timedelta(days=1)
STARTED_AGAIN_AT_MOST = 5

TAKEN_UP = "sourcing.run.taken-up"
"""Said by `deployments/lost_runs.py` of a run that it starts again."""

SIGNS_OF_LIFE = frozenset({"prefect.flow-run.*", TAKEN_UP})
MUST_BE_FOLLOWED = frozenset({"prefect.flow-run.heartbeat", "prefect.flow-run.Running"})
"""Another has to follow these. An answer makes a paused run *Running*, whether its process still hears it or not."""
NO_LONGER_CRASHED = frozenset(
    f"prefect.flow-run.{name}"
    for name in ("AwaitingRetry", "Scheduled", "Pending", "Running", "Completed", "Failed", "Cancelled")
) | {TAKEN_UP}

RUN_ENDED = """\
{{ flow.name }}, run {{ flow_run.name }}: {{ event.resource['prefect.state-name'] }}
{{ event.resource['prefect.state-message'] }}

{{ flow_run|ui_url }}

What to do: nothing is bought twice, the ledger knows how far the run came. A crashed run is started again by itself,
up to five times. For a failed one, mend what the message says and press Retry on the run's page, or wait for the next
schedule. What waits for you: sourcing status"""

ABOUT_AN_ORDER = """\
{{ event.event }}: {{ event.resource['prefect.resource.id'] }}
{% for name, value in event.payload.items() %}{{ name }}: {{ value }}
{% endfor %}
"""

UNKNOWN = (
    ABOUT_AN_ORDER
    + """\
What to do, unless it was answered meanwhile: look at the order in the console of Xportcn, then answer as this says:
sourcing resolve {{ event.payload.get('order_ref') or 'ORDER_REF' }}
Until then its money counts as spent and nothing is sent again."""
)

BUDGET = (
    ABOUT_AN_ORDER
    + """\
What to do: the orders that did not fit are held and nothing was spent on them. Raise the limit (SOURCING_DAY_LIMIT_CNY,
SOURCING_ORDER_LIMIT_CNY or the budget of the run) or wait for tomorrow, then run the same file again."""
)

STALLED = (
    ABOUT_AN_ORDER
    + """\
What to do: ask the carrier or the seller about the parcel. Its last events:
sourcing status {{ event.payload.get('order_ref') or 'ORDER_REF' }}"""
)

DIFFERS = """\
{{ event.payload.get('summary') or 'The ledger and the service differ.' }}
What to do: each finding of the run says it, in the UI under Artifacts (reconciliation), or with
sourcing reconcile"""


async def register_automations(
    client: PrefectClient, *, notify_with: UUID | None, unknown_after: timedelta, lost_after: timedelta = LOST_AFTER
) -> None:
    """Create each automation, or bring the one of its name up to date; one that somebody paused stays paused.

    `notify_with` is the notification block to tell with. Without one nobody is told: that an automation fired only
    shows in the event feed of the UI.
    """
    for wanted in automations(notify_with=notify_with, unknown_after=unknown_after, lost_after=lost_after):
        known = await client.read_automations_by_name(wanted.name)
        if not known:
            await client.create_automation(wanted)
            continue
        first, *doubles = known
        if _content(first) != _content(wanted):  # an update forgets what a trigger waits for
            await client.update_automation(first.id, wanted.model_copy(update={"enabled": first.enabled}))
        for double in doubles:
            await client.delete_automation(double.id)


def automations(
    *, notify_with: UUID | None, unknown_after: timedelta, lost_after: timedelta = LOST_AFTER
) -> Sequence[AutomationCore]:
    """All automations, as they should be."""

    def tell(subject: str, body: str) -> list[SendNotification | DoNothing]:
        if notify_with is None:
            return [DoNothing()]
        return [SendNotification(block_document_id=notify_with, subject=subject, body=body)]

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
                f"began. After {STARTED_AGAIN_AT_MOST} times somebody has to look."
            ),
            # a worker reports a killed process twice, seconds apart: the second word must not meet the next attempt
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
        AutomationCore(
            name="sourcing: run failed",
            description="Tells of a run that failed, crashed, was lost or took too long.",
            trigger=_on_runs({*(f"prefect.flow-run.{name}" for name in ("Failed", "Crashed", "TimedOut")), TAKEN_UP}),
            actions=tell("Sourcing: {{ flow_run.name }} {{ event.resource['prefect.state-name'] }}", RUN_ENDED),
        ),
        AutomationCore(
            name="sourcing: outcome unknown",
            description="Tells of an action that got no answer, when no run could find out in time what became of it.",
            trigger=_on({"sourcing.effect.settled"}, after={"sourcing.effect.unknown"}, within=unknown_after),
            actions=tell("Sourcing: an outcome is unknown, and only you can find out", UNKNOWN),
        ),
        AutomationCore(
            name="sourcing: budget used up",
            description="Tells when orders are held because a limit is reached; once a day for a batch.",
            trigger=_on({"sourcing.budget.used-up"}, within=ONCE_A_DAY),
            actions=tell("Sourcing: a budget is used up", BUDGET),
        ),
        AutomationCore(
            name="sourcing: parcel stalled",
            description="Tells of an order whose parcels have not moved for days; once a day.",
            trigger=_on({"sourcing.tracking.stalled"}, within=ONCE_A_DAY),
            actions=tell("Sourcing: a parcel does not move", STALLED),
        ),
        AutomationCore(
            name="sourcing: ledger and service differ",
            description="Tells what a reconciliation found; once a day.",
            trigger=_on({"sourcing.reconciliation.differs"}, within=ONCE_A_DAY),
            actions=tell("Sourcing: the ledger and the service differ", DIFFERS),
        ),
        *freshness_automations(tell),
    ]


def _on(expect: set[str], *, after: Set[str] = frozenset(), within: timedelta = timedelta(0)) -> EventTrigger:
    """On one of these events, once in that time; with `after` on their absence. Each resource by itself."""
    return EventTrigger(
        posture=Posture.Proactive if after else Posture.Reactive,
        after=set(after),
        expect=expect,
        for_each={"prefect.resource.id"},
        threshold=1,
        within=within,
    )


def _on_runs(
    expect: set[str],
    *,
    run_counts: Iterable[int] = (),
    after: Set[str] = frozenset(),
    within: timedelta = timedelta(0),
) -> EventTrigger:
    """The same for runs of our deployments, and only for those that began so often."""
    runs: dict[str, str | list[str]] = {"prefect.resource.id": "prefect.flow-run.*"}
    if counts := [str(count) for count in run_counts]:
        runs["prefect.run-count"] = counts
    trigger = _on(expect, after=after, within=within)
    return trigger.model_copy(
        update={"match": ResourceSpecification(root=runs), "match_related": ResourceSpecification(root={**OUR_TAG})}
    )


def _content(automation: AutomationCore) -> dict[str, Any]:
    """What an automation says, without what a server adds."""
    content = automation.model_dump(mode="json", include={"description", "trigger", "actions"})
    content["trigger"].pop("id", None)
    content["trigger"].update({name: sorted(content["trigger"][name]) for name in ("after", "expect", "for_each")})
    return content


def _lost(after: timedelta) -> str:
    return f"No sign of life for {after.total_seconds():.0f} seconds: its process or machine is gone."
