"""Everything a Prefect server must know of the product: work pool and queues, block
types, automations, deployments.
"""

from __future__ import annotations

import os
import runpy
import ssl
import sys
import time
from collections.abc import Iterable, Sequence, Set
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from connectors.apprise_sender import recipients_of
from connectors.settings import SourcingSettings
from deployments import ROOT, TAG
from deployments.local_server import START_TIMEOUT_S, is_healthy
from domain.request_cells import COLUMNS
from domain.wording import GOES_ON
from sourcing.version import version

if TYPE_CHECKING:
    from prefect.automations import AutomationCore
    from prefect.client.orchestration import PrefectClient
    from prefect.events import EventTrigger


POOL_NOT_READY = "sourcing: work pool not ready"
RUN_AGAIN = "sourcing: run again"
LOST_AFTER = timedelta(seconds=120)
ALL_IS_REPORTED_AFTER = timedelta(seconds=20)
STARTED_AGAIN_AT_MOST = 5
OUR_TAG = {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}
OF_A_DEPLOYMENT = {"prefect.resource.role": "deployment"}
"""A batch of a night has none: only its night can start it again."""

TAKEN_UP = "sourcing.run.taken-up"
"""Emitted by `deployments/run_recovery.py` for a run that it starts again."""

SIGNS_OF_LIFE = frozenset({"prefect.flow-run.*", TAKEN_UP})
MUST_BE_FOLLOWED = frozenset({"prefect.flow-run.heartbeat", "prefect.flow-run.Running"})
"""Another has to follow these. An answer makes a paused run *Running*, whether its
process still gets it or not.
"""
NO_LONGER_CRASHED = frozenset(
    f"prefect.flow-run.{name}"
    for name in (
        "AwaitingRetry",
        "Scheduled",
        "Pending",
        "Running",
        "Completed",
        "Failed",
        "Cancelled",
    )
) | {TAKEN_UP}


async def register_automations(
    client: PrefectClient, *, lost_after: timedelta = LOST_AFTER
) -> None:
    """Create each automation, or bring the one of its name up to date; one paused by a
    person stays paused.
    """
    for wanted in automations(lost_after=lost_after):
        known = await client.read_automations_by_name(wanted.name)
        if not known:
            await client.create_automation(wanted)
            continue
        first, *doubles = known
        if _content(first) != _content(
            wanted
        ):  # an update resets what a trigger waits for
            await client.update_automation(
                first.id, wanted.model_copy(update={"enabled": first.enabled})
            )
        for double in doubles:
            await client.delete_automation(double.id)


def automations(*, lost_after: timedelta = LOST_AFTER) -> Sequence[AutomationCore]:
    """All automations, as they should be."""
    from prefect.automations import AutomationCore
    from prefect.client.schemas.objects import StateType
    from prefect.events import ChangeFlowRunState

    return [
        AutomationCore(
            name="sourcing: run lost",
            description="A run that gives no sign of life has lost its process or machine: it is marked as crashed.",
            trigger=_on_runs(
                {*SIGNS_OF_LIFE}, after=MUST_BE_FOLLOWED, within=lost_after
            ),
            actions=[
                ChangeFlowRunState(state=StateType.CRASHED, message=_lost(lost_after))
            ],
        ),
        AutomationCore(
            name=RUN_AGAIN,
            description=(
                "Starts a crashed run again. It reads from the ledger and the service what became of everything it "
                f"began. After {STARTED_AGAIN_AT_MOST} times a person has to find out why."
            ),
            # a worker reports a killed process twice, seconds apart: the second report
            # must not meet the next attempt
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
                    message=f"It crashed and is started again; {GOES_ON}.",
                )
            ],
        ),
    ]


def _on_runs(
    expect: set[str],
    *,
    after: Set[str],
    within: timedelta,
    run_counts: Iterable[int] = (),
) -> EventTrigger:
    """On the absence of all these events after such a one, for runs of our deployments
    that began so often.

    With `after` equal to `expect` each event begins the wait anew. Without `after`
    windows follow one another, and up to three pass before it fires. A wait that ends
    while the server is away is swept, and never fires.
    """
    from prefect.events import EventTrigger, Posture, ResourceSpecification

    runs: dict[str, str | list[str]] = {"prefect.resource.id": "prefect.flow-run.*"}
    if counts := [str(count) for count in run_counts]:
        runs["prefect.run-count"] = counts
    return EventTrigger(
        posture=Posture.Proactive,
        match=ResourceSpecification(root=runs),
        match_related=[
            ResourceSpecification(root={**one}) for one in (OUR_TAG, OF_A_DEPLOYMENT)
        ],
        after=set(after),
        expect=expect,
        for_each={"prefect.resource.id"},
        threshold=1,
        within=within,
    )


def _content(automation: AutomationCore) -> dict[str, Any]:
    """The content of an automation, without what a server adds."""
    content = automation.model_dump(
        mode="json", include={"description", "trigger", "actions"}
    )
    content["trigger"].pop("id", None)
    content["trigger"].update(
        {
            name: sorted(content["trigger"][name])
            for name in ("after", "expect", "for_each")
        }
    )
    return content


def _lost(after: timedelta) -> str:
    return f"No sign of life for {after.total_seconds():.0f} seconds: its process or machine is gone."


POOL = "sourcing"
AT_ONCE = {"nightly": 1, "manual": 4}
"""Runs at work by work queue: not a deployment's limit, see prefect.yaml."""


class DeployFailed(Exception):
    """`prefect deploy` refused; the message is its output."""


async def register(client: PrefectClient) -> None:
    """Create or bring up to date all but the deployments. Safe to repeat."""
    from connectors.credentials_block import XportcnCredentials

    await _register_pool(client)
    await _register_queues(client)
    await XportcnCredentials.aregister_type_and_schema(client=client)
    await register_automations(client)
    await _register_pool_alert(client)


async def _register_pool_alert(client: PrefectClient) -> None:
    """The message that no worker is there, sent by Prefect: without one no run of ours
    could send it. One paused by a person stays paused.
    """
    from prefect.automations import AutomationCore
    from prefect.blocks.notifications import SlackWebhook
    from prefect.events import EventTrigger, SendNotification

    is_enabled = True
    for known in await client.read_automations_by_name(POOL_NOT_READY):
        is_enabled = is_enabled and known.enabled
        await client.delete_automation(known.id)

    actions = []
    for number, recipient in enumerate(recipients_of(SourcingSettings().notify)):
        # the one built-in block that takes every address of apprise
        block = SlackWebhook(url=recipient.address)
        block_id = await block.asave(f"sourcing-{number}", overwrite=True)
        actions.append(
            SendNotification(
                block_document_id=block_id,
                subject="No worker: no run can begin",
                body=f"No worker of the pool {POOL} gives signs of life. Start `sourcing serve`, or the worker's service, "
                "again; its log says why it ended.",
            )
        )
    if actions:
        trigger = EventTrigger(
            expect={"prefect.work-pool.not-ready"},
            match={
                "prefect.resource.id": "prefect.work-pool.*",
                "prefect.resource.name": POOL,
            },
        )
        await client.create_automation(
            AutomationCore(
                name=POOL_NOT_READY,
                description="Tells the addresses in SOURCING_NOTIFY that no worker is there.",
                enabled=is_enabled,
                trigger=trigger,
                actions=actions,
            )
        )


def deploy() -> None:
    """`prefect deploy` of all that can run here, in the product's folder, with what a
    person changed in the UI.
    """
    import yaml
    from prefect.client.orchestration import PrefectClient

    from deployments.as_left import keep_changes, note, updating

    os.chdir(ROOT)
    content = yaml.safe_load(Path("prefect.yaml").read_text(encoding="utf-8"))
    registered, kept = keep_changes(content["deployments"], describe_site())
    with NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(content, file)
        file.flush()
        sys.argv[1:] = ["--no-prompt", "deploy", "--all", "--prefect-file", file.name]
        # each of its 150 clients would read the certificates anew, a fifth of the time
        # that registering takes
        with (
            patch.object(
                ssl, "create_default_context", cache(ssl.create_default_context)
            ),
            patch.object(PrefectClient, "update_deployment", updating(kept)),
        ):
            try:
                runpy.run_module("prefect", run_name="__main__")
            except SystemExit as end:
                if end.code:
                    raise
    note(registered)


def await_server() -> None:
    """Import the slow modules, and wait until the server at `PREFECT_API_URL` answers.
    Raises `DeployFailed`.
    """
    import prefect.client.orchestration  # noqa: F401

    address = api_address()
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_healthy(address):
        if time.monotonic() > deadline:
            raise DeployFailed(f"no Prefect server answers at {address}")
        time.sleep(0.1)


def api_address() -> str:
    """Where the Prefect server is. Raises `DeployFailed` where no address is set."""
    if address := os.environ.get("PREFECT_API_URL", ""):
        return address
    raise DeployFailed("set PREFECT_API_URL to the address of the Prefect server")


async def _register_pool(client: PrefectClient) -> None:
    """Its template is the worker's own, which sets it as it starts."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with suppress(ObjectAlreadyExists):  # as the merchant left it
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


async def _register_queues(client: PrefectClient) -> None:
    from prefect.exceptions import ObjectAlreadyExists

    for name, limit in AT_ONCE.items():
        with suppress(ObjectAlreadyExists):  # as the merchant left it
            await client.create_work_queue(
                name, work_pool_name=POOL, concurrency_limit=limit
            )


EXAMPLE = "\n".join(
    ",".join(cells)
    for cells in zip(*((one.name, one.example) for one in COLUMNS), strict=True)
)


def describe_site() -> dict[str, str]:
    """The folder that is deployed, where request files are put, the version, and the
    time zone that schedules mean.

    And the header and a row of a request file, for the description of what starts from
    one.
    """
    settings = SourcingSettings()
    return {
        "folder": str(Path.cwd()),
        "inbox": str(settings.inbox),
        "version": version(),
        "timezone": settings.timezone,
        "example": EXAMPLE,
    }
