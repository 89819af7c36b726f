"""`python -m deployments`: register everything with the server at `PREFECT_API_URL`."""

from __future__ import annotations

import asyncio

from deployments.registration import RegistrationFailed, await_server, register


def main() -> None:
    """Pool, block types and automation, then the deployments."""
    try:
        await_server()
    except RegistrationFailed as error:
        raise SystemExit(str(error)) from None
    asyncio.run(register())


if __name__ == "__main__":
    main()
