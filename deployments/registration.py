"""Everything a Prefect server must know of the product: work pool and queues, block types, automations, deployments."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from connectors.settings import Settings
from deployments.local_server import START_TIMEOUT_S, is_healthy

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

ROOT = Path(__file__).parent.parent
POOL = "sourcing"
AT_ONCE = {"nightly": 1, "manual": 4, "finish-batch": 2}
"""Runs at work by work queue: not a deployment's limit, see prefect.yaml."""
TEMPLATES = Path(__file__).parent / "work_pools"
ALERTS_BLOCK = "sourcing-alerts"


class AlertSettings(Settings):
    """Whom automations tell, and when. Variables start with `SOURCING_ALERT_`."""

    model_config = SettingsConfigDict(env_prefix="SOURCING_ALERT_", env_file=".env", extra="ignore", frozen=True)

    url: SecretStr = Field(SecretStr(""), description="Where to POST {subject, body} as JSON; empty is nowhere")
    unknown_minutes: int = Field(60, ge=1, description="How long an outcome may be unknown before somebody is told")


class DeployFailed(Exception):
    """`prefect deploy` refused; the message is what it said."""


async def register(pool_type: str = "process") -> None:
    """Create or bring up to date all but the deployments. Safe to repeat; needs `PREFECT_API_URL`."""
    from prefect.client.orchestration import get_client

    from connectors.credentials_block import XportcnCredentials
    from deployments.automations import register_automations
    from deployments.freshness import expect_completions
    from deployments.lost_runs import call_the_roll

    settings = AlertSettings()
    async with get_client() as client:
        await _register_pool(client, pool_type)
        await _register_queues(client)
        await XportcnCredentials.aregister_type_and_schema(client=client)
        await register_automations(
            client,
            notify_with=await _alerts_block(client, settings.url.get_secret_value()),
            unknown_after=timedelta(minutes=settings.unknown_minutes),
        )
        await expect_completions(client)
        await call_the_roll(client)


def deploy() -> None:
    """`prefect deploy --all` in the product's folder, in this process, which ends with it."""
    from prefect.cli import app

    os.chdir(ROOT)
    sys.argv[1:] = ["--no-prompt", "deploy", "--all"]
    app()


def await_server() -> None:
    """Load what is slow to load, and wait until the server at `PREFECT_API_URL` answers. Raises `DeployFailed`."""
    import prefect.client.orchestration  # noqa: F401

    address = api_address()
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_healthy(address):
        if time.monotonic() > deadline:
            raise DeployFailed(f"no Prefect server answers at {address}")
        time.sleep(0.1)


def api_address() -> str:
    """Where the Prefect server is. Raises `DeployFailed` when nobody said."""
    if address := os.environ.get("PREFECT_API_URL", ""):
        return address
    raise DeployFailed("set PREFECT_API_URL to the address of the Prefect server")


async def _register_pool(client: PrefectClient, pool_type: str) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    template = json.loads((TEMPLATES / f"{pool_type}.json").read_text())
    try:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type=pool_type, base_job_template=template))
    except ObjectAlreadyExists:
        return  # as the merchant left it


async def _register_queues(client: PrefectClient) -> None:
    from prefect.exceptions import ObjectAlreadyExists

    for name, limit in AT_ONCE.items():
        with suppress(ObjectAlreadyExists):  # as the merchant left it
            await client.create_work_queue(name, work_pool_name=POOL, concurrency_limit=limit)


async def _alerts_block(client: PrefectClient, url: str) -> UUID | None:
    """The block that automations tell with: a webhook to the configured address, or what somebody made in the UI."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    if url:
        block = CustomWebhookNotificationBlock(
            name="Sourcing alerts",
            url="{{ address }}",
            json_data={"subject": "{{ subject }}", "body": "{{ body }}"},
            secrets={"address": url},
        )
        return await block.asave(ALERTS_BLOCK, overwrite=True, client=client)
    made: list[Any] = await client.read_block_documents()
    return next((document.id for document in made if document.name == ALERTS_BLOCK), None)
