"""`python -m deployments [process|docker|kubernetes]`: register everything with the server at `PREFECT_API_URL`."""

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
    asyncio.run(register(pool_type))
    deploy()


if __name__ == "__main__":
    main()
