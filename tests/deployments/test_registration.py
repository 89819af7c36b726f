"""What is registered with Prefect's server, and that it is done once a version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments import registration
from deployments.registration import NO_WORKER, keep_changes
from tests.deployments.test_prefect_yaml import DEPLOYMENTS


async def test_everything_is_registered_once_a_version(
    prefect_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SOURCING_NOTIFY", "json://127.0.0.1:9/hook")
    monkeypatch.setenv("PREFECT_API_URL", prefect_url)
    deployed: list[list[str]] = []
    deploy = registration.deploy

    async def deploy_noting(client: Any, ledger: Any, file: Any) -> None:
        deployed.append([item["name"] for item in file["deployments"]])
        await deploy(client, ledger, file)

    monkeypatch.setattr(registration, "deploy", deploy_noting)
    with temporary_settings({PREFECT_API_URL: prefect_url}):
        for version in ("1.0.0-a", "1.0.0-a", "1.0.0-b"):
            monkeypatch.setattr(
                registration, "program", lambda instant=version: instant
            )
            await registration.register()
        assert deployed == [list(DEPLOYMENTS)] * 2
        async with get_client() as client:
            (alert,) = await client.read_automations_by_name(NO_WORKER)
            assert alert.trigger.expect == {"prefect.work-pool.not-ready"}  # type: ignore[union-attr]
            assert len(alert.actions) == 1
            await client.delete_automation(alert.id)
            for deployment in await client.read_deployments(limit=200):
                if deployment.name in DEPLOYMENTS:
                    await client.delete_deployment(deployment.id)


@pytest.mark.parametrize(
    ("registered", "current", "declared", "values"),
    [
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": 3}, {"a": 2}, {"a": 3}),
        ({"a": 1}, {}, {"a": 2}, {}),
        ({"a": 1}, {"a": 1}, {}, {}),
        ({}, {"a": 3}, {}, {"a": 3}),
        ({}, {}, {"a": 2}, {"a": 2}),
    ],
)
def test_a_value_that_a_person_changed_stays(
    registered: dict[str, int],
    current: dict[str, int],
    declared: dict[str, int],
    values: dict[str, int],
) -> None:
    """Changed, taken away or added since the last registration; the others follow."""
    assert keep_changes(registered, current, declared) == values
