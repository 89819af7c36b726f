"""`python -m deployments [process|docker|kubernetes]`: register everything with the
server at `PREFECT_API_URL`.
"""

from __future__ import annotations

import asyncio
import sys

from deployments.registration import DeployFailed, await_server, deploy, register


def main() -> None:
    """Pool, blocks and automations, then the deployments."""
    pool_type = sys.argv[1] if len(sys.argv) > 1 else "process"
    try:
        await_server()
    except DeployFailed as error:
        raise SystemExit(str(error)) from None
    asyncio.run(_register(pool_type))
    deploy()


async def _register(pool_type: str) -> None:
    from prefect.client.orchestration import get_client

    from deployments.run_recovery import forget_early_runs, resync_heartbeats

    async with get_client() as client:
        await register(client, pool_type)
        await forget_early_runs(client)
        await resync_heartbeats(client)


if __name__ == "__main__":
    main()
