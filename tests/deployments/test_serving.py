"""`sourcing serve`, looked at from outside: what it registers, that secrets stay
secret, that there is one of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.deployments.served import Served, wait_for
from tests.deployments.test_prefect_yaml import DEPLOYMENTS
from tests.running import PATIENCE_S, ROOT

SECRET = "block-secret-9c2e44d1"
NAMES = {f"{name}/{name}" for name in DEPLOYMENTS} - {"help-batch/help-batch"}


def _command(
    served: Served, *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**served.environment, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def _serve(served: Served, *options: str, **settings: str) -> Result:
    """A second `sourcing serve`, in this process: it ends before it starts anything."""
    with patch.dict(os.environ, {**served.environment, **settings}, clear=True):
        return CliRunner().invoke(app, ["serve", *options])


def _registered(served: Served) -> dict[str, str]:
    """By their names; nobody's are of tests, maybe of one that runs beside this."""
    found = served.ask("deployments/filter", {})
    flows = {flow["id"]: flow["name"] for flow in served.ask("flows/filter", {})}
    named = {f"{flows[one['flow_id']]}/{one['name']}": one["id"] for one in found}
    return {
        name: made for name, made in named.items() if not name.startswith("nobody-")
    }


def test_every_deployment_is_there_with_its_limit(served: Served) -> None:
    assert {*_registered(served)} == NAMES
    nightly = served.deployment("buy-from-inbox/buy-from-inbox")
    assert (nightly["work_queue_name"], nightly["global_concurrency_limit"]) == (
        "default",
        None,
    )
    tracking = served.deployment("sync-tracking/sync-tracking")
    assert tracking["global_concurrency_limit"]["limit"] == 1
    assert tracking["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert nightly["work_pool_name"] == "sourcing"
    assert nightly["job_variables"]["env"] == {
        "PREFECT_LOGGING_EXTRA_LOGGERS": "sourcing",
    }
    assert nightly["parameters"] == {}
    assert nightly["tags"] == ["sourcing", "buy", "automatic"]
    assert served.deployment("buy-from-file/buy-from-file")["schedules"] == []


def test_the_nightly_run_is_planned_for_two_in_the_morning_where_the_merchant_lives(
    served: Served,
) -> None:
    nightly = served.deployment("buy-from-inbox/buy-from-inbox")
    assert [
        (one["active"], one["schedule"]["timezone"]) for one in nightly["schedules"]
    ] == [(True, "Asia/Shanghai")]

    def planned() -> list[dict[str, str]]:
        wanted = {"deployments": {"id": {"any_": [nightly["id"]]}}}
        found: list[dict[str, str]] = served.ask("flow_runs/filter", wanted)
        return [run for run in found if run["auto_scheduled"]]

    times = [
        datetime.fromisoformat(run["expected_start_time"]) for run in wait_for(planned)
    ]
    assert {
        (time.astimezone(ZoneInfo("Asia/Shanghai")).hour, time.minute) for time in times
    } == {(2, 0)}


@pytest.mark.usefixtures("automations_alone")
@pytest.mark.endurance
def test_deploying_again_changes_nothing_and_asks_nothing(served: Served) -> None:
    before = _registered(served)
    automations = _automations(served)
    again = _command(served, "-m", "deployments", PREFECT_API_URL=served.api)
    assert again.returncode == 0, again.stdout + again.stderr
    assert _registered(served) == before
    assert (
        _automations(served) == automations
    )  # an update would forget what they wait for
    assert len(served.deployment("buy-from-inbox/buy-from-inbox")["schedules"]) == 1


def _automations(served: Served) -> set[tuple[str, str, str]]:
    found = served.ask("automations/filter", {})
    return {
        (one["id"], one["name"], one["updated"])
        for one in found
        if one["name"].startswith("sourcing: ")
    }


def test_a_second_one_says_that_the_first_runs(served: Served) -> None:
    second = _serve(served, "--port", "1")
    assert second.exit_code == 1
    assert f"sourcing serve runs already for {served.data_dir}" in second.stderr
    assert served.api.removesuffix("/api") in second.stderr


def test_a_port_in_use_is_named(served: Served, tmp_path: Path) -> None:
    port = str(served.settings["port"])
    second = _serve(
        served, "--port", port, "--no-sandbox", SOURCING_DATA_DIR=str(tmp_path)
    )
    assert second.exit_code == 1
    assert (
        f"port {port} on 127.0.0.1 can't be used (Address already in use)"
        in second.stderr
    )
    assert "--port" in second.stderr


def test_other_machines_are_let_in_only_with_a_password(
    served: Served, tmp_path: Path
) -> None:
    second = _serve(served, "--host", "0.0.0.0", SOURCING_DATA_DIR=str(tmp_path))
    assert second.exit_code == 1
    assert "PREFECT_SERVER_API_AUTH_STRING" in second.stderr


@pytest.mark.endurance
def test_a_command_uses_the_server_that_is_there(served: Served) -> None:
    done = _command(served, "-m", "cli.main", "track", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["troubles"] == []
    wanted = {
        "flows": {"name": {"any_": ["sync-tracking"]}},
        "flow_runs": {"deployment_id": {"is_null_": True}},
    }
    assert [run["state_name"] for run in served.ask("flow_runs/filter", wanted)] == [
        "Completed"
    ]


@pytest.mark.endurance
def test_a_run_works_with_the_block_that_somebody_made_and_its_secret_is_readable_nowhere(
    served: Served,
) -> None:
    """Made as the UI makes it. A wrong secret fails the run, so the block is what
    counted.

    Cancelling an order that is not there asks the service one thing, and no schedule
    gets in its way.
    """
    _make_block(served, "right", "sandbox-access-secret")
    _make_block(served, "wrong", SECRET)
    good = _start_with_block(served, "right")
    assert (
        served.await_state(good, "To be checked", "Failed")["state_name"]
        == "To be checked"
    )  # it is not there
    bad = _start_with_block(served, "wrong")
    failed = served.await_state(bad, "Completed", "Failed")
    assert failed["state_name"] == "Failed"
    assert "XPORTCN_ACCESS_SECRET" in failed["state"]["message"]
    wait_for(
        lambda: served.ask("logs/filter", {"logs": {"flow_run_id": {"any_": [bad]}}})
    )
    answers = [
        served.ask(path, {})
        for path in (
            "logs/filter",
            "artifacts/filter",
            "flow_runs/filter",
            "block_documents/filter",
            "events/filter",
        )
    ]
    assert "Beginning flow run" in json.dumps(answers[0])
    readable = json.dumps(answers).encode() + served.database_bytes()
    readable += b"".join(
        path.read_bytes() for path in served.data_dir.rglob("*") if path.is_file()
    )
    assert SECRET.encode() not in readable
    assert b"alert-token-5f0c1b" not in readable
    assert (
        b"2100007300001" in served.database_bytes()
    )  # so the bytes are those of the blocks


def _make_block(served: Served, name: str, secret: str) -> None:
    kind = served.ask("block_types/slug/xportcn-credentials")
    schemas = served.ask(
        "block_schemas/filter",
        {"block_schemas": {"block_type_id": {"any_": [kind["id"]]}}},
    )
    account = {
        "base_url": served.sandbox.url,
        "access_key": "sandbox-access-key",
        "access_secret": secret,
        "user_id": "2100007300001",
    }
    made = {
        "name": name,
        "data": account,
        "block_type_id": kind["id"],
        "block_schema_id": schemas[0]["id"],
    }
    served.ask("block_documents/", made)


def _start_with_block(served: Served, name: str) -> str:
    environment = {"XPORTCN_BASE_URL": "", "XPORTCN_CREDENTIALS_BLOCK": name}
    deployment = served.deployment("cancel-orders/cancel-orders")
    variables = deployment["job_variables"]
    variables["env"] |= environment
    body = {"parameters": {"order_refs": ["NONE"]}, "job_variables": variables}
    return str(
        served.ask(f"deployments/{deployment['id']}/create_flow_run", body)["id"]
    )
