"""`python -m deployments`: register everything with the server at `PREFECT_API_URL`."""

from __future__ import annotations

import asyncio

from deployments.registration import DeployFailed, await_server, deploy, register


def main() -> None:
    """Pool, blocks and automations, then the deployments."""
    try:
        await_server()
    except DeployFailed as error:
        raise SystemExit(str(error)) from None
    asyncio.run(_register())
    deploy()


async def _register() -> None:
    from prefect.client.orchestration import get_client

    from deployments.run_recovery import forget_early_runs, resync_heartbeats

    async with get_client() as client:
        await register(client)
        await forget_early_runs(client)
        await resync_heartbeats(client)


if __name__ == "__main__":
    main()
