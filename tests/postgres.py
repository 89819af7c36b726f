"""A real PostgreSQL for tests: a server of its own in a temporary folder, which can be stopped and started."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import psycopg

MISSING = "no PostgreSQL here: install it (apt-get install postgresql) or put initdb and pg_ctl on the path"
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


@cache
def binaries() -> Path | None:
    """The folder with `initdb` and `pg_ctl`, of the newest version; None where there is none."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """One server."""

    bin: Path
    data: Path
    port: int
    options: Sequence[str]

    def new_database(self) -> str:
        """The URL of a new, empty database, as `SOURCING_LEDGER_URL` takes it."""
        name = f"ledger_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._url(name)

    def start(self) -> None:
        settings = " ".join(f"-c {option}" for option in ("max_connections=300", *self.options))
        listening = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.data.parent} {settings}"
        _as_owner(
            [self.bin / "pg_ctl", "-D", self.data, "-l", self.data.parent / "log", "-w", "-o", listening, "start"]
        )

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server: `fast` throws everybody out, `immediate` is a crash that the next start recovers from."""
        _as_owner([self.bin / "pg_ctl", "-D", self.data, "-w", "-m", mode, "stop"])

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


@contextmanager
def running_postgres(*, durable: bool) -> Iterator[Postgres]:
    """A server for as long as the context lasts. Not `durable` is faster, and loses data only in a power cut."""
    found = binaries()
    assert found is not None, MISSING
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = Postgres(bin=found, data=folder / "data", port=free_port(), options=() if durable else FAST)
    try:
        _as_owner([found / "initdb", "-D", server.data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"])
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_owner(command: Sequence[str | Path]) -> None:
    """PostgreSQL refuses to run as root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*prefix, *map(str, command)],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
