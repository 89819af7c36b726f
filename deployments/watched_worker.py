"""`python -m deployments.watched_worker`: a process worker where there is no `sourcing
serve`.

It starts the worker again when that ends or hangs. When it is stopped it stops the
worker, which waits for its runs.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from subprocess import Popen
from types import FrameType

from deployments.die_with_parent import die_with_parent
from deployments.local_server import is_healthy
from deployments.processes import Supervised
from deployments.registration import DeployFailed, api_address

WORKER = "worker"


def watched_worker(
    start: Callable[[Mapping[str, str]], Popen[bytes]], api: str
) -> Supervised:
    """A worker that is started again when it hangs; `start` gets the settings of its
    health check.

    It has a new port at each start: one taken by another process meanwhile would make
    it seem to hang.
    """
    port = 0

    def begin() -> Popen[bytes]:
        nonlocal port
        port = _free_port()
        return start(
            {
                "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1",
                "PREFECT_WORKER_WEBSERVER_PORT": str(port),
            }
        )

    def is_well() -> bool:
        """A worker whose server is away can't poll for runs, and ending it would end
        those that it has.
        """
        return is_healthy(f"http://127.0.0.1:{port}") or not is_healthy(api)

    return Supervised(name=WORKER, start=begin, is_well=is_well)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


COMMAND = ("-m", "deployments.worker")


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
    return subprocess.Popen(
        die_with_parent([sys.executable, *COMMAND]), env={**os.environ, **settings}
    )


if __name__ == "__main__":
    main()
