"""`python -m tests.upgrade CHECKOUT FILE`: make the next data folder of "the version
before" by the code of CHECKOUT.

CHECKOUT is a work tree of that version with a `.venv` of its own, in a folder whose
name may be known (it stands in Prefect's records), such as /srv/sourcing. What it does
there is what a merchant does: `sourcing serve` on a new folder, runs that are killed at
named points (`SOURCING_CRASH_AT`), a batch that is killed half-way, a run in the UI
that waits for its approval; then everything is killed at once. Needs root, for a host
name that says nothing.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tests.running import COLUMNS, RunningSandbox, single_line_orders, write_csv

KILLED = -signal.SIGKILL
CRASHES = {
    "never-sent": ("1688", "after-intent:create"),
    "ordered-unheard": ("taobao", "after-send:create"),
    "ordered-unwritten": ("1688", "after-answer:create"),
    "paid-unheard": ("taobao", "after-send:pay"),
    "paid-unheard-too": ("1688", "after-send:pay"),
    "booked-unheard": ("taobao", "after-send:book"),
}
"""One order each, and the point at which its run is killed."""
HALF = "half-done"
ASKED = "asked-about"
PAUSED = "waits-for-a-yes"
ANOTHER_BOOT = "00000000-0000-0000-0000-000000000000"
KEPT = (
    "ledger.db",
    "ledger.db-wal",
    "sandbox.db",
    "sends",
    "snapshots",
    "prefect/prefect.db",
)
"""What is kept of the folder; locks, logs and the key that nothing is encrypted with
are not.
"""


def main() -> None:
    checkout, target = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    if "--alone" not in sys.argv:
        command = [
            sys.executable,
            "-m",
            "tests.upgrade",
            str(checkout),
            str(target),
            "--alone",
        ]
        raise SystemExit(
            subprocess.run(["unshare", "--uts", *command], check=False).returncode
        )
    subprocess.run(["hostname", "merchant"], check=True)
    assert not (checkout / "data").exists(), f"move {checkout / 'data'} away"
    make(checkout)
    pack(checkout / "data", target)


def make(checkout: Path) -> None:
    """Leave the checkout's own data folder in the middle of everything."""
    ports = [free_port(), free_port()]
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SOURCING_", "PREFECT_"))
        },
        "XPORTCN_BASE_URL": f"http://127.0.0.1:{ports[0]}",
        "PYTHONPATH": str(checkout),
        "HOME": str(checkout),
    }
    python = str(checkout / ".venv" / "bin" / "python")
    sandbox = RunningSandbox(f"http://127.0.0.1:{ports[0]}")
    api = f"http://127.0.0.1:{ports[1]}/api"

    def sourcing(*words: str, **settings: str) -> int:
        command = [python, "-m", "cli.main", *words]
        done = subprocess.run(
            command, env={**environment, **settings}, cwd=checkout, check=False
        )
        print(*words, settings, done.returncode, flush=True)
        return done.returncode

    def file(name: str, counts: Mapping[str, int]) -> str:
        rows = [
            {**row, "order_ref": f"{name}-{row['order_ref']}"}
            for row in single_line_orders(sandbox, counts)
        ]
        return str(write_csv(checkout / f"{name}.csv", rows))

    with served(
        [python, "-m", "cli.main", "serve", "--port", str(ports[1])],
        environment,
        checkout,
    ):
        wait_until(lambda: is_registered(api))
        for name, (marketplace, point) in CRASHES.items():
            code = sourcing(
                "run",
                file(name, {marketplace: 1}),
                "--yes",
                "--batch",
                name,
                SOURCING_CRASH_AT=point,
            )
            assert code == KILLED, point
        sandbox.faults(
            {
                "path": "/open/pp/logistics/orderBookingFreight",
                "kind": "drop_before",
                "probability": 1,
            }
        )
        assert (
            sourcing("run", file(ASKED, {"taobao": 1}), "--yes", "--batch", ASKED) == 3
        )
        sandbox.faults()
        half = file(HALF, {"taobao": 4, "1688": 3})
        options = ("--yes", "--batch", HALF, "--chunk-size", "2", "--budget-cny", "500")
        assert (
            sourcing("run", half, *options, SOURCING_CRASH_AT="after-record:pay:2")
            == KILLED
        )
        pasted = {
            "requests": {"lines": lines_of(sandbox, PAUSED)},
            "dry_run": False,
            "batch": PAUSED,
        }
        run_id = start(api, "buy-from-file/buy-from-file", pasted)
        wait_until(lambda: is_asking(api, run_id))


@contextmanager
def served(
    command: Sequence[str], environment: Mapping[str, str], checkout: Path
) -> Iterator[None]:
    """`sourcing serve` while the block runs; then all of it is killed, like a machine
    that loses its power.
    """
    process = subprocess.Popen(
        command, env=environment, cwd=checkout, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGSTOP)
        for pid in [*below(process.pid), process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.wait()


def below(pid: int) -> list[int]:
    listed = [
        thread.read_text() for thread in Path(f"/proc/{pid}/task").glob("*/children")
    ]
    children = [int(child) for line in listed for child in line.split()]
    return children + [one for child in children for one in below(child)]


def lines_of(sandbox: RunningSandbox, name: str) -> str:
    rows = [
        {**row, "order_ref": f"{name}-{row['order_ref']}"}
        for row in single_line_orders(sandbox, {"1688": 2})
    ]
    return "\n".join(
        [
            ",".join(COLUMNS),
            *(",".join(str(row[column]) for column in COLUMNS) for row in rows),
        ]
    )


def pack(data: Path, target: Path) -> None:
    """Only what lasts, as small as it goes, with no times and no owners of files, from
    another machine than this.
    """
    for name in ("sandbox.db", "prefect/prefect.db"):
        with closing(sqlite3.connect(data / name)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if name.startswith("prefect"):
                database.execute("DELETE FROM log")
                database.execute("DELETE FROM events")
                database.execute("DELETE FROM event_resources")
                database.commit()
            database.execute("VACUUM")
    for log in (data / "sends").glob("*.log"):
        _, *sent = log.read_text().splitlines(keepends=True)
        log.write_text("".join([f"{ANOTHER_BOOT}\n", *sent]))
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for name in KEPT:
            if (data / name).exists():
                archive.add(data / name, f"data/{name}", filter=anonymous)
    print(f"{target}: {target.stat().st_size:,} bytes")


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def asked(api: str, path: str, body: object = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    for _ in range(60):
        try:
            with urlopen(
                Request(f"{api}/{path}", content, {"Content-Type": "application/json"}),
                timeout=30,
            ) as answer:
                return json.load(answer)
        except HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(1)  # SQLite is busy
    raise AssertionError(f"{path}: 503 again and again")


def start(api: str, deployment: str, parameters: object) -> str:
    found = asked(api, f"deployments/name/{deployment}")
    return str(
        asked(
            api,
            f"deployments/{found['id']}/create_flow_run",
            {"parameters": parameters},
        )["id"]
    )


def is_registered(api: str) -> bool:
    try:
        return len(asked(api, "deployments/filter", {})) >= 7
    except (URLError, OSError):
        return False


def is_asking(api: str, run_id: str) -> bool:
    run = asked(api, f"flow_runs/{run_id}")
    if run["state_name"] != "Paused":
        return False
    keyset = run["state"]["state_details"]["run_input_keyset"]
    return bool(
        asked(
            api,
            f"flow_runs/{run_id}/input/filter",
            {"prefix": keyset["schema"], "limit": 1},
        )
    )


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
