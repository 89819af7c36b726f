"""Deployments as a person left them, through each registration."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient, SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.utilities.templating import apply_values

from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings

NOTE = "deployments"
"""A mark in the ledger: what a person may change, as it was registered last."""
ABOUT = ("slug", "active", "parameters")


def keep_changes(
    listed: Sequence[dict[str, Any]], site: Mapping[str, str]
) -> tuple[dict[str, Any], dict[UUID, dict[str, Any]]]:
    """Prepare deployments of `prefect.yaml`, filled in with the `site`, to keep what a
    person changed: what is not as it was registered last.

    Return what to `note` once they run, and the values for `updating`. A deployment
    that is noted and not on this server gets its schedules switched off: a person
    deleted it, or another installation has this ledger.
    """
    for deployment in listed:
        deployment["schedules"] = deployment.get("schedules") or []
        for number, schedule in enumerate(deployment["schedules"]):
            schedule.setdefault("slug", f"schedule-{number}")
    filled: Any = apply_values([*listed], {"site": site}, remove_notset=False)
    registered = {_key(one["name"], one["entrypoint"]): _of_file(one) for one in filled}
    names = DeploymentFilterName(any_=[one["name"] for one in listed])
    kept = {}
    with _ledger() as ledger, get_client(sync_client=True) as client:
        noted = _read_note(ledger)
        found = client.read_deployments(deployment_filter=DeploymentFilter(name=names))
        existing = {_key(one.name, one.entrypoint): one for one in found}
        for deployment, (key, new) in zip(listed, registered.items(), strict=True):
            if old := existing.get(key):
                # without schedules `prefect deploy` leaves those that are there
                del deployment["schedules"]
                was = noted.get(key, _describe({}, {}, ()))
                if key in noted:
                    _bring_schedules(client, old, was["schedules"], new["schedules"])
                kept[old.id] = {"paused": old.paused, **_changed(old, was)}
            elif key in noted:
                for schedule in deployment["schedules"]:
                    schedule["active"] = False
    return registered, kept


def updating(
    kept: Mapping[UUID, dict[str, Any]],
) -> Callable[..., Coroutine[Any, Any, None]]:
    """`PrefectClient.update_deployment` with these values: `prefect deploy` replaces
    parameters and job variables, and resumes what is paused.
    """
    update = PrefectClient.update_deployment

    async def update_deployment(
        client: PrefectClient, deployment_id: UUID, deployment: DeploymentUpdate
    ) -> None:
        values = dict(kept.get(deployment_id, {}))
        for name in values.keys() - {"paused"}:
            values[name] = {**(getattr(deployment, name) or {}), **values[name]}
        await update(client, deployment_id, deployment.model_copy(update=values))

    return update_deployment


def note(registered: Mapping[str, Any]) -> None:
    """Record in the ledger what was registered; what was noted before stays known."""
    with _ledger() as ledger:
        noted = _read_note(ledger)
        if (new := {**noted, **registered}) != noted:
            ledger.marks.show(NOTE, json.dumps(new))


def _ledger() -> Ledger:
    url = SourcingSettings().ledger_url
    return Ledger(url, clock=lambda: datetime.now(UTC), owner="register")


def _read_note(ledger: Ledger) -> dict[str, Any]:
    noted: dict[str, Any] = json.loads(ledger.marks.shown(NOTE) or "{}")
    return noted


def _key(name: str, entrypoint: str | None) -> str:
    """A deployment, also with a flow of a merchant's own, whose name may be that of no
    function.
    """
    return f"{str(entrypoint).rpartition(':')[2]}/{name}"


def _of_file(listed: Mapping[str, Any]) -> dict[str, Any]:
    schedules = []
    for one in listed["schedules"]:
        about = {name: one[name] for name in ABOUT if name in one}
        times = {name: one[name] for name in one if name not in ABOUT}
        schedules.append(
            DeploymentScheduleCreate.model_validate({**about, "schedule": times})
        )
    pool = listed.get("work_pool") or {}
    variables = pool.get("job_variables") or {}
    return _describe(listed.get("parameters") or {}, variables, schedules)


def _describe(
    parameters: Mapping[str, Any],
    variables: Mapping[str, Any],
    schedules: Sequence[DeploymentSchedule | DeploymentScheduleCreate],
) -> dict[str, Any]:
    fields = {"schedule", *ABOUT}
    return {
        "parameters": parameters,
        "job_variables": variables,
        "schedules": {
            one.slug: one.model_dump(mode="json", include=fields)
            for one in schedules
            if one.slug
        },
    }


def _changed(old: DeploymentResponse, was: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a person gave. One that a placeholder stood for is none, nor is
    the folder, which is that of the version.
    """
    now = _describe(old.parameters, old.job_variables, ())
    return {
        part: {
            name: value
            for name, value in now[part].items()
            if value != was[part].get(name)
            and name != "working_dir"
            and "{{" not in str(was[part].get(name))
        }
        for part in ("parameters", "job_variables")
    }


def _bring_schedules(
    client: SyncPrefectClient,
    old: DeploymentResponse,
    was: Mapping[str, Any],
    new: Mapping[str, Any],
) -> None:
    """Bring schedules up to date, but for those that a person changed, deleted or
    made.
    """
    now = _describe({}, {}, old.schedules)["schedules"]
    ids = {schedule.slug: schedule.id for schedule in old.schedules}
    for slug in {**was, **new}:
        if slug not in now:
            if slug not in was:
                made = DeploymentScheduleCreate.model_validate(new[slug])
                client.create_deployment_schedules(old.id, [made])
        elif now[slug] != was.get(slug) or now[slug] == new.get(slug):
            continue
        elif slug not in new:
            client.delete_deployment_schedule(old.id, ids[slug])
        else:
            made = DeploymentScheduleCreate.model_validate(new[slug])
            client.update_deployment_schedule(
                old.id,
                ids[slug],
                made.active,
                made.schedule,
                parameters=made.parameters,
            )
