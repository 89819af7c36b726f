"""A real Redis for tests: a server of its own in a temporary folder, on a port of its
own.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.postgres import free_port

INSTALL = "apt-get install redis-server"


def redis_server() -> str | None:
    """Where it is; None where none is installed."""
    return shutil.which("redis-server")


@contextmanager
def running_redis() -> Iterator[str]:
    """The address of a server for as long as the context lasts; it keeps nothing."""
    found = redis_server()
    assert found, f"no Redis here: {INSTALL}"
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        options = [
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--dir",
            folder,
            "--save",
            "",
            "--loglevel",
            "warning",
        ]
        process = subprocess.Popen(
            [found, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            _await(port, process)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.communicate()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    with Redis(port=port) as redis:
        while True:
            try:
                redis.ping()
                return
            except RedisConnectionError:
                assert process.poll() is None, process.communicate()
                time.sleep(0.02)
