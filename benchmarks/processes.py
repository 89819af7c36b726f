"""Processes that are measured: what they cost, and what they leave in databases."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deployments.local_server import server_at_work

ROOT = Path(__file__).parent.parent
OURS = ("XPORTCN_", "SOURCING_", "PREFECT_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one process, from its start (monotonic) to its end: seconds, CPU seconds (user
    and system), peak MiB, MB.
    """

    started: float
    seconds: float
    cpu_s: float
    peak_mib: float
    written_mb: float
    code: int


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """These settings and nobody else's."""
    return {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(OURS)
        },
        **settings,
    }


def measured(
    arguments: Sequence[str | Path], settings: Mapping[str, str], output: Path
) -> Cost:
    """Run a Python module to its end; its output goes to a file, since nobody reads
    while it runs.

    Processes that it starts and does not wait for, such as Prefect's server, are not
    counted. Linux counts the memory of a parent as that of its child, so whoever calls
    this had better be small.
    """
    started = time.monotonic()
    with output.open("wb") as out, output.with_suffix(".err").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", *map(str, arguments)],
            cwd=ROOT,
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(
        started=started,
        seconds=time.monotonic() - started,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mib=usage.ru_maxrss / 1024,
        written_mb=usage.ru_oublock * 512 / 1e6,
        code=process.returncode,
    )


def cpu_of(pid: int) -> float:
    """CPU seconds of a running process so far; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end_server(data_dir: Path) -> float:
    """End the Prefect server of a data folder; answers the CPU seconds that it took."""
    server = server_at_work(data_dir / "prefect")
    if server is None:
        return 0.0
    cpu_s = cpu_of(server.pid)
    with suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGTERM)
    for _ in range(300):
        if not Path(f"/proc/{server.pid}").exists() or _is_zombie(server.pid):
            break
        time.sleep(0.1)
    return cpu_s


def _is_zombie(pid: int) -> bool:
    with suppress(OSError):
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        )
    return True


def used_bytes(database: Path) -> int:
    """What an SQLite database holds, without its free pages; 0 for one that is not
    there.
    """
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)


@contextmanager
def service() -> Iterator[tuple[str, int]]:
    """The address and the process id of a service of its own (see
    `benchmarks.service`).
    """
    command = [sys.executable, "-m", "benchmarks.service"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment({}), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()
