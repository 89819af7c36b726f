"""Everything a Prefect server must know of the product: work pool, block types, one
automation, and the deployments of `prefect.yaml`.

`prefect deploy` replaces parameters, schedules and job variables, and resumes what is
paused: a budget that a person gave in the UI would be gone with the next version. So
the same upsert of Prefect's client is called with what a person changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import chdir, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connectors.apprise_sender import recipients_of
from connectors.ledger.store import Ledger
from connectors.process_locks import program
from connectors.settings import SourcingSettings
from deployments import ROOT
from domain.request_cells import COLUMNS
from sourcing.version import version

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

POOL = "sourcing"
NO_WORKER = "sourcing: no worker"
NOTE = "deployments"
LATEST = "registered"
"""Marks in the ledger: what was registered last, which a person may have changed since,
and a digest of all of it.
"""

ABOUT = {"slug", "active", "parameters"}
OF_A_SCHEDULE = {"schedule", *ABOUT}


async def register() -> None:
    """Register everything, once a version; safe to repeat."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    from connectors.credentials_block import XportcnCredentials

    settings = SourcingSettings()
    file = declarations()
    recipients = settings.notify.get_secret_value()
    content = json.dumps([program(), file, recipients], default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()
    names = {deployment["name"] for deployment in file["deployments"]}
    ledger = Ledger(
        settings.ledger_url, clock=lambda: datetime.now(UTC), owner="register"
    )
    with ledger:
        async with get_client() as client:
            existing = {
                deployment.name
                for deployment in await client.read_deployments(limit=200)
            }
            if ledger.marks.shown(LATEST) == digest and names <= existing:
                return
            with suppress(ObjectAlreadyExists):  # as the merchant left it
                await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
            await XportcnCredentials.aregister_type_and_schema(client=client)
            await register_alert(client)
            await deploy(client, ledger, file)
            ledger.marks.note(LATEST, digest)


def declarations() -> Any:
    """The content of `prefect.yaml`, in whose folder the flows are found."""
    import yaml
    from prefect.utilities.templating import apply_values

    file = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    return apply_values(file, {"site": describe_site()}, remove_notset=False)


async def deploy(
    client: PrefectClient, ledger: Ledger, file: Mapping[str, Any]
) -> None:
    """Create the deployments, or bring them up to date but for what a person changed;
    note what was declared.

    One that is noted and not on this server gets its schedules switched off: a person
    deleted it, or another installation has this ledger.
    """
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.objects import ConcurrencyOptions
    from prefect.exceptions import ObjectNotFound
    from prefect.flows import load_flow_from_entrypoint

    noted = json.loads(ledger.marks.shown(NOTE) or "{}")
    for declared in file["deployments"]:
        with chdir(ROOT):
            flow: Flow[..., Any] = load_flow_from_entrypoint(
                declared["entrypoint"], use_placeholder_flow=False
            )
        key = f"{flow.name}/{declared['name']}"
        new = _changeable(declared)
        values = new
        is_paused = False
        try:
            existing = await client.read_deployment_by_name(key)
        except ObjectNotFound:
            if key in noted:
                schedules = {
                    slug: {**schedule, "active": False}
                    for slug, schedule in new["schedules"].items()
                }
                values = {**new, "schedules": schedules}
        else:
            is_paused = existing.paused
            registered = noted.get(key) or {"schedules": new["schedules"]}
            current = _current(existing)
            values = {
                name: keep_changes(registered.get(name, {}), current[name], new[name])
                for name in new
            }
        limit = dict(declared.get("concurrency_limit") or {})
        await client.create_deployment(
            await client.create_flow_from_name(flow.name),
            declared["name"],
            version=declared.get("version"),
            description=declared.get("description") or flow.description,
            tags=declared.get("tags"),
            entrypoint=declared["entrypoint"],
            pull_steps=file["pull"],
            parameter_openapi_schema=flow.parameters.model_dump(exclude_unset=True),
            enforce_parameter_schema=declared.get("enforce_parameter_schema", True),
            work_pool_name=declared["work_pool"]["name"],
            concurrency_limit=limit.pop("limit", None),
            concurrency_options=ConcurrencyOptions(**limit) if limit else None,
            parameters=values["parameters"],
            job_variables=values["job_variables"],
            paused=is_paused,
            schedules=[
                DeploymentScheduleCreate.model_validate(schedule)
                for schedule in values["schedules"].values()
            ],
        )
        noted[key] = new
    ledger.marks.note(NOTE, json.dumps(noted))


def _changeable(declared: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What of a deployment a person may change, by name; schedules by their slug."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate

    schedules = {}
    for number, schedule in enumerate(declared.get("schedules") or []):
        about = {"slug": f"schedule-{number}"}
        about |= {name: schedule[name] for name in ABOUT & schedule.keys()}
        times = {name: schedule[name] for name in schedule.keys() - ABOUT}
        made = DeploymentScheduleCreate.model_validate({**about, "schedule": times})
        schedules[about["slug"]] = made.model_dump(mode="json", include=OF_A_SCHEDULE)
    return {
        "parameters": declared.get("parameters") or {},
        "job_variables": declared["work_pool"].get("job_variables") or {},
        "schedules": schedules,
    }


def _current(existing: DeploymentResponse) -> dict[str, dict[str, Any]]:
    """What the server has of it; a schedule that a person made has no slug."""
    return {
        "parameters": existing.parameters,
        "job_variables": existing.job_variables,
        "schedules": {
            schedule.slug or str(schedule.id): schedule.model_dump(
                mode="json", include=OF_A_SCHEDULE
            )
            for schedule in existing.schedules
        },
    }


def keep_changes(
    registered: Mapping[str, Any],
    current: Mapping[str, Any],
    declared: Mapping[str, Any],
) -> dict[str, Any]:
    """The declared values, but for those that a person changed, added or took away
    since they were registered.
    """
    values = dict(declared)
    for name in {**registered, **current}:
        if name not in current:
            values.pop(name, None)
        elif current[name] != registered.get(name):
            values[name] = current[name]
    return values


async def register_alert(client: PrefectClient) -> None:
    """Tell the recipients of SOURCING_NOTIFY when the pool has no worker: no run can do
    it. An automation that a person paused stays paused.

    Prefect's block for webhooks takes any address of apprise.
    """
    from prefect.automations import AutomationCore
    from prefect.blocks.notifications import SlackWebhook
    from prefect.events import EventTrigger, Posture
    from prefect.events.actions import SendNotification

    actions = []
    for number, recipient in enumerate(recipients_of(SourcingSettings().notify)):
        block: Any = SlackWebhook(url=recipient.address)
        name = f"sourcing-{number}"
        block_id = await block.save(name, overwrite=True, client=client)
        actions.append(
            SendNotification(
                block_document_id=block_id,
                subject="No worker",
                body="No worker of the pool sourcing gives signs of life: start `sourcing serve` again.",
            )
        )
    if not actions:
        return
    automations = await client.read_automations_by_name(NO_WORKER)
    automation = AutomationCore(
        name=NO_WORKER,
        description="Tells the recipients of SOURCING_NOTIFY that no worker is there.",
        enabled=automations[0].enabled if automations else True,
        trigger=EventTrigger(
            posture=Posture.Reactive,
            expect={"prefect.work-pool.not-ready"},
            match={"prefect.resource.name": POOL},
            threshold=1,
        ),
        actions=actions,
    )
    if automations:
        await client.update_automation(automations[0].id, automation)
    else:
        await client.create_automation(automation)


EXAMPLE = "\n".join(
    ",".join(cells)
    for cells in zip(
        *((column.name, column.example) for column in COLUMNS), strict=True
    )
)


def describe_site() -> dict[str, str]:
    """The folder that is deployed, where request files are put, the version, and the
    time zone that schedules mean.

    And the header and a row of a request file, for the description of what starts from
    one.
    """
    settings = SourcingSettings()
    return {
        "folder": str(ROOT),
        "version": version(),
        "timezone": settings.timezone,
        "example": EXAMPLE,
    }
