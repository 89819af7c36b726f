"""Whether a worker still polls for runs: Prefect's own health check of it, on a port of this machine alone."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from subprocess import Popen

from deployments.local_server import is_healthy
from deployments.processes import Supervised

WORKER, HELPER = "worker", "helper"


def watched_worker(start: Callable[[Mapping[str, str]], Popen[bytes]], api: str, name: str = WORKER) -> Supervised:
    """A worker that is started again when it hangs; `start` gets the settings of its health check.

    It has a new port at each start: one taken by another process meanwhile would make it seem to hang.
    """
    port = 0

    def begin() -> Popen[bytes]:
        nonlocal port
        port = _free_port()
        return start({"PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PREFECT_WORKER_WEBSERVER_PORT": str(port)})

    def is_well() -> bool:
        """A worker whose server is away can't poll for runs, and ending it would end those that it has."""
        return is_healthy(f"http://127.0.0.1:{port}") or not is_healthy(api)

    return Supervised(name=name, start=begin, is_well=is_well)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
