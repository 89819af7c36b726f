"""Deployments as a person left them, through each registration."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zlib import compress, decompress

from prefect.client.orchestration import PrefectClient, SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.utilities.templating import apply_values
from prefect.variables import Variable

from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings

REGISTERED = "sourcing-registered"
"""A variable of the server: what a person may change, as it was registered last."""
NAMES = "deployments"
"""A mark in the ledger: the deployments that any installation has registered."""

Described = Mapping[str, Any]
"""Parameters, job variables and schedules of a deployment."""


def keep_changes(
    listed: Sequence[dict[str, Any]], site: Mapping[str, str]
) -> tuple[Mapping[str, Described], Mapping[UUID, Described]]:
    """Prepare deployments of `prefect.yaml`, filled in with the `site`, to keep what a
    person changed: what is not as it was registered last.

    Return what to `note` once they run, and the changes for `updating`. A deployment
    that was registered before and is not on this server gets its schedules switched
    off: a person deleted it, or another installation has this ledger.
    """
    for deployment in listed:
        deployment["schedules"] = [
            {"slug": f"schedule-{number}"} | schedule
            for number, schedule in enumerate(deployment.get("schedules") or ())
        ]
    filled: Any = apply_values([*listed], {"site": site}, remove_notset=False)
    wanted = {_key(one["name"], one["entrypoint"]): _of_file(one) for one in filled}
    before = _read_note()
    names = _registered_names()
    changes = dict[UUID, Described]()
    with get_client(sync_client=True) as client:
        there = DeploymentFilterName(any_=[one["name"] for one in listed])
        found = client.read_deployments(deployment_filter=DeploymentFilter(name=there))
        existing = {_key(one.name, one.entrypoint): one for one in found}
        for deployment, (key, new) in zip(listed, wanted.items(), strict=True):
            if (old := existing.get(key)) is not None:
                # without schedules `prefect deploy` leaves those that are there
                del deployment["schedules"]
                was = before.get(key, {})
                changes[old.id] = _changed(old, was)
                _bring_schedules(client, old, was.get("schedules", {}), new)
            elif key in names:
                for schedule in deployment["schedules"]:
                    schedule["active"] = False
    return wanted, changes


def updating(
    changes: Mapping[UUID, Described],
) -> Callable[..., Coroutine[Any, Any, None]]:
    """`PrefectClient.update_deployment` that keeps these changes: `prefect deploy`
    would replace parameters and job variables, and resume what is paused.
    """
    update = PrefectClient.update_deployment

    async def update_deployment(
        client: PrefectClient, deployment_id: UUID, deployment: DeploymentUpdate
    ) -> None:
        given = {name: getattr(deployment, name) for name in changes[deployment_id]}
        kept = laid_over(given, changes[deployment_id])
        await update(client, deployment_id, deployment.model_copy(update=kept))

    return update_deployment


def note(registered: Mapping[str, Described]) -> None:
    """Record what was registered with the server, compressed, since a variable holds
    5,000 characters; and its names in the ledger.
    """
    packed = b64encode(compress(json.dumps(registered).encode())).decode()
    Variable.set(REGISTERED, packed, overwrite=True)
    with _ledger() as ledger:
        known = _names_in(ledger)
        if not known.issuperset(registered):
            ledger.marks.show(NAMES, json.dumps(sorted(known.union(registered))))


def changed(was: Any, now: Any) -> dict[str, Any]:
    """The values of `now` that differ from those that were registered. One that a
    placeholder stood for is no difference.
    """
    was = was if isinstance(was, Mapping) else {}
    differences = {}
    for key, value in now.items():
        if isinstance(value, Mapping):
            if inner := changed(was.get(key), value):
                differences[key] = inner
        elif value != was.get(key) and "{{" not in str(was.get(key)):
            differences[key] = value
    return differences


def laid_over(given: Any, changes: Any) -> Any:
    """The given values with these changes."""
    if not (isinstance(given, Mapping) and isinstance(changes, Mapping)):
        return changes
    return {
        **given,
        **{key: laid_over(given.get(key), changes[key]) for key in changes},
    }


def _changed(old: DeploymentResponse, was: Described) -> Described:
    """What `updating` keeps; a run begins in the folder of its version."""
    variables = {k: v for k, v in old.job_variables.items() if k != "working_dir"}
    return {
        "parameters": changed(was.get("parameters"), old.parameters),
        "job_variables": changed(was.get("job_variables"), variables),
        "paused": old.paused,
    }


def _bring_schedules(
    client: SyncPrefectClient, old: DeploymentResponse, was: Described, new: Described
) -> None:
    """Bring schedules up to date: one that a person deleted stays away, one that only a
    person made stays.
    """
    now = _describe(old.schedules)
    ids = {schedule.slug: schedule.id for schedule in old.schedules}
    for slug, wanted in new["schedules"].items():
        if slug not in now and slug not in was:
            client.create_deployment_schedules(old.id, [_schedule(slug, wanted)])
        elif slug in now:
            kept = laid_over(wanted, changed(was.get(slug), now[slug]))
            if kept != now[slug]:
                made = _schedule(slug, kept)
                client.update_deployment_schedule(
                    old.id,
                    ids[slug],
                    made.active,
                    made.schedule,
                    parameters=made.parameters,
                )
    for slug in was.keys() & now.keys() - new["schedules"].keys():
        if now[slug] == was[slug]:
            client.delete_deployment_schedule(old.id, ids[slug])


def _of_file(listed: Mapping[str, Any]) -> Described:
    about = ("slug", "active", "parameters")
    schedules = []
    for one in listed["schedules"]:
        described = {key: one[key] for key in about if key in one}
        times = {key: one[key] for key in one if key not in about}
        schedules.append(
            DeploymentScheduleCreate.model_validate({**described, "schedule": times})
        )
    return {
        "parameters": listed.get("parameters") or {},
        "job_variables": (listed.get("work_pool") or {}).get("job_variables") or {},
        "schedules": _describe(schedules),
    }


def _describe(
    schedules: Sequence[DeploymentSchedule | DeploymentScheduleCreate],
) -> dict[str, Any]:
    """Schedules by slug; the list makes a time one value, changed as a whole."""
    return {
        one.slug: {
            "schedule": [one.schedule.model_dump(mode="json")],
            "active": one.active,
            "parameters": one.parameters,
        }
        for one in schedules
        if one.slug
    }


def _schedule(slug: str, described: Described) -> DeploymentScheduleCreate:
    (schedule,) = described["schedule"]
    return DeploymentScheduleCreate.model_validate(
        {**described, "slug": slug, "schedule": schedule}
    )


def _key(name: str, entrypoint: str | None) -> str:
    """A deployment, also with a flow of a merchant's own, whose name may be that of no
    function.
    """
    return f"{str(entrypoint).rpartition(':')[2]}/{name}"


def _read_note() -> Mapping[str, Described]:
    packed = Variable.get(REGISTERED)
    noted: Mapping[str, Described] = (
        json.loads(decompress(b64decode(str(packed)))) if packed else {}
    )
    return noted


def _registered_names() -> set[str]:
    with _ledger() as ledger:
        return _names_in(ledger)


def _names_in(ledger: Ledger) -> set[str]:
    return set(json.loads(ledger.marks.shown(NAMES) or "[]"))


def _ledger() -> Ledger:
    url = SourcingSettings().ledger_url
    return Ledger(url, clock=lambda: datetime.now(UTC), owner="register")
