"""`python -m deployments.watched_worker [--helper]`: a process worker where there is no `sourcing serve`.

It starts the worker again when that ends or hangs. When it is stopped it stops the worker, which waits for its runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import FrameType

from deployments.die_with_parent import die_with_parent
from deployments.registration import DeployFailed, api_address
from deployments.worker_health import watched_worker

COMMAND = ["-m", "deployments.worker", *sys.argv[1:]]


def main() -> None:
    """Keep a worker for the pool running until stopped."""
    try:
        api = api_address()
    except DeployFailed as error:
        raise SystemExit(str(error)) from None
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    part = watched_worker(_start, api)
    part.begin()
    while not told:
        if what := part.keep_running():
            print(f"the worker {what}", file=sys.stderr, flush=True)
        time.sleep(0.5)
    if part.process:
        part.process.send_signal(signal.SIGTERM)
        raise SystemExit(part.process.wait())


def _start(settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(die_with_parent([sys.executable, *COMMAND]), env={**os.environ, **settings})


if __name__ == "__main__":
    main()
