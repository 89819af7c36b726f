"""`python -m deployments`: register everything with the server at `PREFECT_API_URL`."""

from __future__ import annotations

import asyncio
import os

from connectors.settings import enter_folder
from deployments.local_server import await_healthy
from deployments.registration import register


def main() -> None:
    """Import the slow modules while the server starts, then register."""
    import prefect.client.orchestration  # noqa: F401

    address = os.environ.get("PREFECT_API_URL", "")
    if not address:
        raise SystemExit("set PREFECT_API_URL to the address of the Prefect server")
    if not await_healthy(address):
        raise SystemExit(f"no Prefect server answers at {address}")
    enter_folder()
    asyncio.run(register())


if __name__ == "__main__":
    main()
