"""`python -m deployments.worker [NAME]`: Prefect's own process worker, which also
restarts lost runs.

It does not outlive its parent, nor do its runs.
"""

from __future__ import annotations

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
    from deployments.run_recovery import watch

    threading.Thread(target=watch, args=(datetime.now(UTC),), daemon=True).start()

    named = ["--name", *sys.argv[1:]] if sys.argv[1:] else []
    sys.argv[1:] = ["worker", "start", "--type", "process", *named]
    sys.argv += ["--pool", POOL, "--with-healthcheck"]
    runpy.run_module("prefect", run_name="__main__")


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
