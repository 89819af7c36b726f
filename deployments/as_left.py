"""Deployments as a person left them, through each registration and, from earlier
versions, under their new names.
"""

from __future__ import annotations

import asyncio
import json
import platform
from base64 import b64decode, b64encode
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zlib import compress, decompress

import yaml
from prefect.client.orchestration import PrefectClient, SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    DeploymentFilterTags,
    FlowFilter,
    FlowFilterName,
)
from prefect.client.schemas.objects import DeploymentSchedule, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.utilities.templating import apply_values
from prefect.variables import Variable

from connectors.settings import SourcingSettings, is_loopback
from deployments import ROOT, TAG
from flows.prefect_ui.runs import runs_in

if TYPE_CHECKING:
    from connectors.ledger.store import Ledger

REGISTERED = "sourcing-registered"
"""A variable of the server: what a person may change, as it was registered last."""
LEFT = "left:"
"""Notes in the ledger, by installation: that, and how its deployments were left, for
records that begin anew.
"""

NEW_NAMES = {
    "manual": "buy-from-file",
    "nightly": "buy-from-inbox",
    "costs": "compute-costs",
    "export": "export-tables",
    "after-sale": "follow-after-sale",
    "callbacks": "hear-callbacks",
    "reconcile": "reconcile-ledger",
    "refund": "request-refund",
    "resolve": "resolve-order",
    "return": "return-parcel",
    "digest": "send-digest",
    "notify": "send-messages",
    "todo": "show-todo",
}
"""A deployment's name until November 2026, and that of it and its flow since."""

FLOWS = (
    *(
        "ask-refund",
        "confirm-receipt",
        "costs",
        "digest",
        "export",
        "hear-callbacks",
        "follow-after-sale",
    ),
    *(
        "message-seller",
        "notify",
        "reconcile",
        "resolve",
        "return-parcel",
        "source-orders",
        "todo",
        "withdraw-refund",
    ),
)
"""What the flows of those deployments were called: a merchant's own deployment of such
a name has another flow.
"""

COPIED = (
    *(
        "parameters",
        "parameter_openapi_schema",
        "enforce_parameter_schema",
        "tags",
        "description",
    ),
    *("work_pool_name", "work_queue_name", "concurrency_options"),
)
KEPT: Any = {
    **dict.fromkeys(
        ("name", "entrypoint", "parameters", "job_variables", "paused"), True
    ),
    "schedules": {"__all__": {"slug", "schedule", "active", "parameters"}},
}
"""What of a deployment is noted in the ledger."""
NOT_OVER = (
    StateType.SCHEDULED,
    StateType.PENDING,
    StateType.RUNNING,
    StateType.PAUSED,
    StateType.CANCELLING,
)
MAY_GO_ON = (StateType.CRASHED, StateType.FAILED)
A_DAY = timedelta(days=1)
"""So long a crashed run is started again by itself, and a failed one likely by a
person.
"""


def keep_changes(
    listed: Sequence[dict[str, Any]], site: Mapping[str, str]
) -> tuple[Mapping[str, Any], Mapping[UUID, Any]]:
    """Put what a person changed into these deployments of `prefect.yaml`, which is
    filled in with the `site`.

    Answers what to `note` once they run, and the references for `updating`. Changed is
    what is not as it was registered last. `prefect deploy` alone replaces parameters
    and job variables, resumes what is paused, and may make all schedules anew and
    active: it gets those of new deployments only.
    """
    for one in listed:  # one of a merchant's own may say less
        schedules = enumerate(one.get("schedules") or ())
        one["schedules"] = [
            {"slug": f"schedule-{number}"} | schedule for number, schedule in schedules
        ]
        one["parameters"] = one.get("parameters") or {}
        one["work_pool"] = {"job_variables": {}} | (one.get("work_pool") or {})
    filled: Any = apply_values([*listed], {"site": site}, remove_notset=False)
    wanted = {_key(one["name"], one["entrypoint"]): _of_file(one) for one in filled}
    packed = Variable.get(REGISTERED)
    noted = _unpacked(str(packed)) if packed else {}
    references = dict[UUID, Any]()
    with get_client(sync_client=True) as client:
        if not packed and (left := _left(wanted)):
            noted = left["registered"]
            _make_anew(client, left["deployments"])
        names = DeploymentFilterName(any_=[one["name"] for one in listed])
        found = client.read_deployments(deployment_filter=DeploymentFilter(name=names))
        existing = {_key(one.name, one.entrypoint): one for one in found}
        for one in listed:
            key = _key(one["name"], one["entrypoint"])
            new = wanted[key]
            if (there := existing.get(key)) is None:
                if key in noted:  # a person deleted it: nothing of it begins by itself
                    one["schedules"] = [
                        schedule | {"active": False} for schedule in one["schedules"]
                    ]
                continue
            # but where a version lies: as prefect.yaml says, whatever was registered
            # between this and the last note
            variables = {
                key: one
                for key, one in there.job_variables.items()
                if key != "working_dir"
            }
            values = {"parameters": there.parameters, "job_variables": variables}
            references[there.id] = _part(values, is_filled_in=True)
            plain = _part(values, is_filled_in=False)
            now = _changeable(
                plain["parameters"], plain["job_variables"], there.schedules
            )
            was = noted.get(key) or _as_if_noted(now, new)
            one["paused"] = there.paused
            one["parameters"] = merged(
                was["parameters"], now["parameters"], new["parameters"]
            )
            variables = merged(was["variables"], now["variables"], new["variables"])
            one["work_pool"] = one["work_pool"] | {
                "job_variables": variables
            }  # other deployments have the same one
            del one["schedules"]
            _bring_schedules(
                client, there, was["schedules"], now["schedules"], new["schedules"]
            )
    return wanted, references


def _key(name: str, entrypoint: str | None) -> str:
    """A deployment, also with a flow of a merchant's own, whose name may be that of no
    function.
    """
    return f"{str(entrypoint).rpartition(':')[2]}/{name}"


def updating(
    references: Mapping[UUID, Any],
) -> Callable[..., Coroutine[Any, Any, None]]:
    """`PrefectClient.update_deployment` with these: `prefect deploy` would write out
    what they stand for.
    """
    update = PrefectClient.update_deployment

    async def update_deployment(
        client: PrefectClient, deployment_id: UUID, deployment: DeploymentUpdate
    ) -> None:
        values = references.get(deployment_id, {})
        whole = {
            what: merged({}, getattr(deployment, what), one)
            for what, one in values.items()
        }
        await update(client, deployment_id, deployment.model_copy(update=whole))

    return update_deployment


def _part(given: Mapping[str, Any], *, is_filled_in: bool) -> dict[str, Any]:
    """The values that the start of a run fills in, such as `{{
    prefect.blocks.secret.key }}`, or all others.
    """
    parts = {
        key: _part(one, is_filled_in=is_filled_in) if isinstance(one, dict) else one
        for key, one in given.items()
    }
    return {
        key: one for key, one in parts.items() if ("{{" in str(one)) == is_filled_in
    }


def note(registered: Mapping[str, Any]) -> None:
    """Keep what was registered with the server, compressed: a variable holds 5,000
    characters (1,100 are used).
    """
    Variable.set(REGISTERED, _packed(registered), overwrite=True)


async def keep_left(client: PrefectClient, ledger: Ledger, known: str = "") -> str:
    """Note in the ledger how the deployments are left, where that is not `known`;
    answers what is known then.

    So it goes where the ledger goes: to another database or machine. Nothing while
    deployments are being registered. Variables of the environment may be secrets and
    stay out: where a person set some, the deployment comes paused.
    """
    if (noted := await client.read_variable_by_name(REGISTERED)) is None:
        return known
    registered = _unpacked(str(noted.value))
    named = DeploymentFilter(
        name=DeploymentFilterName(any_=[key.rpartition("/")[2] for key in registered])
    )
    flows = {
        flow.id: flow.name for flow in await client.read_flows(deployment_filter=named)
    }
    found = {
        _key(one.name, one.entrypoint): one
        for one in await client.read_deployments(deployment_filter=named)
    }
    deployments = [
        {
            "flow_name": flows[one.flow_id],
            **one.model_dump(mode="json", include=KEPT),
            "paused": one.paused
            or one.job_variables.get("env") != registered[key]["variables"].get("env"),
        }
        for key, one in sorted(found.items())
        if key in registered
    ]
    # pasted lines name receivers, and `forget` does not look there
    left = _packed(
        {"registered": registered, "deployments": deployments}, "lines", "env"
    )
    if left != known and left != await asyncio.to_thread(
        ledger.marks.shown, name := _own_note()
    ):
        await asyncio.to_thread(ledger.marks.show, name, left)
    return left


def _own_note() -> str:
    """The name of this installation's note: others may have the same ledger, and
    deployments of their own.
    """
    api = PREFECT_API_URL.value() or ""
    place = (
        f"{platform.node()}:{SourcingSettings().data_dir.absolute()}"
        if is_loopback(api)
        else api
    )
    return f"{LEFT}{sha256(place.encode()).hexdigest()[:11]}"


def _left(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What this installation noted in the ledger last, else the only other one; nothing
    without a note.

    Of several others none is taken: all that is made begins with its schedules off, as
    if a person had deleted it.
    """
    from connectors.ledger.engine import sqlite_file
    from connectors.ledger.store import (
        Ledger,
    )  # a worker, which loads this too, needs none

    url = SourcingSettings().ledger_url
    if (file := sqlite_file(url)) and not file.exists():
        return {}
    with Ledger(url, clock=lambda: datetime.now(UTC), owner="register") as ledger:
        names = ledger.marks.names(LEFT)
        name = own if (own := _own_note()) in names or len(names) != 1 else names[0]
        left = ledger.marks.shown(name)
    if names and not left:
        print(
            f"{len(names)} other installations share this ledger: schedules are off until you switch them on"
        )
        return {"registered": wanted, "deployments": []}
    return _unpacked(left) if left else {}


def _make_anew(client: SyncPrefectClient, left: Sequence[dict[str, Any]]) -> None:
    """Make the deployments as they were left on another server, but for those that are
    there; they are updated then.
    """
    names = DeploymentFilterName(any_=[one["name"] for one in left])
    there = {
        _key(one.name, one.entrypoint)
        for one in client.read_deployments(
            deployment_filter=DeploymentFilter(name=names)
        )
    }
    for one in left:
        if _key(one["name"], one["entrypoint"]) in there:
            continue
        schedules = [
            DeploymentScheduleCreate.model_validate(schedule)
            for schedule in one.pop("schedules")
        ]
        flow = client.create_flow_from_name(one.pop("flow_name"))
        client.create_deployment(
            flow, schedules=schedules, enforce_parameter_schema=False, **one
        )


def _packed(value: Mapping[str, Any], *without: str) -> str:
    text = json.dumps(value, sort_keys=True)
    bare = json.dumps(
        json.loads(
            text,
            object_hook=lambda one: {
                key: one[key] for key in one if key not in without
            },
        )
    )
    return b64encode(compress(bare.encode())).decode()


def _unpacked(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decompress(b64decode(text)))
    return found


def merged(was: Any, now: Any, wanted: Any) -> Any:
    """What is wanted, but as it is now where that is not as it was. What is missing now
    is wanted again.

    For the UI's switch of a schedule loses its parameters (Prefect 3.9). What a
    placeholder stands for is wanted, too.
    """
    if not (isinstance(now, dict) and isinstance(wanted, dict)):
        return wanted if now == was or "{{" in str(wanted) else now
    was = was if isinstance(was, dict) else {}
    added = {
        key: one
        for key, one in now.items()
        if key not in wanted and (key not in was or one != was[key])
    }
    return added | {
        key: merged(was.get(key), now[key], one) if key in now else one
        for key, one in wanted.items()
    }


def _as_if_noted(now: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What a version that kept no note has registered: all that it knew of, but for
    whether a schedule is active.
    """

    def shared(now: Any, wanted: Any) -> Any:
        if not (isinstance(now, dict) and isinstance(wanted, dict)):
            return now
        return {key: shared(now[key], one) for key, one in wanted.items() if key in now}

    was: dict[str, Any] = shared(now, wanted)
    for slug, one in wanted["schedules"].items():
        was["schedules"].setdefault(slug, {})["active"] = one["active"]
    return was


def _bring_schedules(
    client: SyncPrefectClient,
    there: DeploymentResponse,
    was: Mapping[str, Any],
    now: Mapping[str, Any],
    wanted: Mapping[str, Any],
) -> None:
    """Bring schedules up to date: one that a person deleted stays away, one that only a
    person made stays.
    """
    ids = {one.slug: one.id for one in there.schedules}
    for slug in {**was, **wanted}:
        if slug not in now:
            if slug not in was:
                client.create_deployment_schedules(
                    there.id, [_schedule(slug, wanted[slug])]
                )
        elif slug not in wanted:
            if now[slug] == was[slug]:
                client.delete_deployment_schedule(there.id, ids[slug])
        elif (new := merged(was.get(slug), now[slug], wanted[slug])) != now[slug]:
            one = _schedule(slug, new)
            client.update_deployment_schedule(
                there.id, ids[slug], one.active, one.schedule, parameters=one.parameters
            )


def _of_file(listed: Mapping[str, Any]) -> dict[str, Any]:
    about = ("slug", "active", "parameters")
    schedules = [
        DeploymentScheduleCreate.model_validate(
            {key: value for key, value in one.items() if key in about}
            | {
                "schedule": {
                    key: value for key, value in one.items() if key not in about
                }
            }
        )
        for one in listed["schedules"]
    ]
    return _changeable(
        listed["parameters"], listed["work_pool"]["job_variables"], schedules
    )


def _changeable(
    parameters: Mapping[str, Any],
    variables: Mapping[str, Any],
    schedules: Sequence[DeploymentSchedule | DeploymentScheduleCreate],
) -> dict[str, Any]:
    """What a person may change of a deployment; the list makes a time one value,
    changed as a whole.
    """
    described = {
        one.slug: {
            "schedule": [one.schedule.model_dump(mode="json")],
            "active": one.active,
            "parameters": one.parameters,
        }
        for one in schedules
        if one.slug
    }
    return {"parameters": parameters, "variables": variables, "schedules": described}


def _schedule(slug: str, described: Mapping[str, Any]) -> DeploymentScheduleCreate:
    (schedule,) = described["schedule"]
    return DeploymentScheduleCreate.model_validate(
        {**described, "slug": slug, "schedule": schedule}
    )


async def redirect(client: PrefectClient) -> dict[str, DeploymentResponse]:
    """Let runs of an earlier version begin in this one; answers its deployments by
    their new names.

    A worker does it before its first run: one that waited for an answer during the
    upgrade is taken up at once.
    """
    wanted = DeploymentFilter(
        name=DeploymentFilterName(any_=[*NEW_NAMES]),
        tags=DeploymentFilterTags(all_=[TAG]),
    )
    ours = FlowFilter(name=FlowFilterName(any_=[*FLOWS]))
    found = await client.read_deployments(flow_filter=ours, deployment_filter=wanted)
    earlier = {NEW_NAMES[one.name]: one for one in found}
    for name, one in earlier.items():
        await client.update_deployment(one.id, DeploymentUpdate(**_place(one, name)))
    return earlier


async def rename_deployments(client: PrefectClient) -> None:
    """Make each renamed deployment from the earlier one, which is deleted once its runs
    are over. Safe to repeat.

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


def _place(before: DeploymentResponse, name: str) -> Mapping[str, Any]:
    """The flow of today's deployment, and this version's folder in place of the earlier
    one's.
    """
    listed = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    entrypoint = next(one["entrypoint"] for one in listed if one["name"] == name)
    place = json.dumps(
        {"pull_steps": before.pull_steps, "job_variables": before.job_variables}
    )
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
    for states, since in ((NOT_OVER, None), (MAY_GO_ON, datetime.now(UTC) - A_DAY)):
        wanted = runs_in(*states, deployment=deployment_id, ended_since=since)
        if await client.read_flow_runs(flow_run_filter=wanted, limit=1):
            return True
    return False
