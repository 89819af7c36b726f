"""`python -m tests.endurance.caller`: a process that calls the service as fast as it
may, until it is ended.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from connectors.marketplaces.freight import addresses_of
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import XportcnError
from connectors.xportcn.settings import XportcnSettings
from tasks.engine.resources import Resources, open_resources

CALLERS = 32


async def main() -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with open_resources(SourcingSettings(), XportcnSettings()) as resources:
        print("calls", flush=True)
        callers = [asyncio.create_task(_call(resources)) for _ in range(CALLERS)]
        await ended.wait()
        for caller in callers:
            caller.cancel()


async def _call(resources: Resources) -> None:
    while True:
        try:
            await addresses_of(resources.client)
        except XportcnError as error:  # told, and tried again
            print(f"failed: {error}", file=sys.stderr, flush=True)
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main())
