"""`python -m deployments.worker [NAME]`: Prefect's own process worker, which also
restarts lost runs.

It does not outlive its parent, nor do its runs.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
import threading
import time
from datetime import UTC, datetime

from deployments.processes import end_descendants
from deployments.registration import POOL, await_server


def main() -> None:
    """Work for the pool, which is created where it is missing."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    await_server()
    asyncio.run(_redirect())
    from deployments.run_recovery import watch

    threading.Thread(target=watch, args=(datetime.now(UTC),), daemon=True).start()

    named = ["--name", *sys.argv[1:]] if sys.argv[1:] else []
    sys.argv[1:] = ["worker", "start", "--type", "process", *named]
    sys.argv += ["--pool", POOL, "--with-healthcheck"]
    runpy.run_module("prefect", run_name="__main__")


async def _redirect() -> None:
    from prefect.client.orchestration import get_client

    from connectors.foreign import words_of
    from deployments.as_left import redirect

    try:
        async with get_client() as client:
            await redirect(client)
    except Exception as error:  # noqa: BLE001 - whatever it is, the worker has other runs, and registration comes
        print(
            f"runs of an earlier version can't be looked for now: {words_of(error)}",
            flush=True,
        )


def _end_with(parent: int) -> None:
    """A worker that is asked to end waits for its runs; without a server they would not
    end well.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    end_descendants(os.getpid())
    os._exit(1)


if __name__ == "__main__":
    main()
