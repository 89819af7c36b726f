"""`kill -9` at every 0.2 s of the first ten seconds of `sourcing run`: the very next
run works.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deployments.local_server import server_at_work
from tests.crashes.books import broken_promises
from tests.crashes.light import Job
from tests.running import (
    Merchant,
    RunningSandbox,
    own_sandbox,
    single_line_orders,
    write_csv,
)

MOMENTS_S = [0.2 * number for number in range(1, 51)]
RUN = ("--yes", "--json", "--batch", "first")
SETTLES_AT_ONCE = {"SOURCING_SETTLE_S": "0"}


@dataclass(frozen=True, kw_only=True)
class Start:
    """A start that was killed, with its server or without, and the very next run."""

    killed_after_s: float
    with_server: bool
    code: int
    seconds: float
    wrong: Sequence[str]


def killed_starts_lock_nobody_out(moments: Sequence[float] = MOMENTS_S) -> bool:
    """Each on a new data folder; at every other moment the server that was started is
    killed as well.
    """
    right = 0
    with tempfile.TemporaryDirectory() as location, own_sandbox() as sandbox:
        for number, moment in enumerate(moments):
            item = _start(
                sandbox,
                Path(location) / f"{moment:.1f}",
                moment,
                with_server=bool(number % 2),
            )
            how = "with its server" if item.with_server else "alone"
            message = f"killed after {moment:.1f} s {how}: next run {item.code} in {item.seconds:.1f} s"
            print(
                f"starts     {message}; {'; '.join(item.wrong) or '0 violations'}",
                flush=True,
            )
            right += item.code == 0 and not item.wrong
    print(
        f"starts: after {right} of {len(moments)} the very next run worked", flush=True
    )
    return right == len(moments)


def _start(
    sandbox: RunningSandbox, folder: Path, moment: float, *, with_server: bool
) -> Start:
    sandbox.reset()
    folder.mkdir(parents=True)
    file = write_csv(
        folder / "requests.csv", single_line_orders(sandbox, {"taobao": 1})
    )
    without_prefect = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PREFECT_")
    }
    merchant = Merchant(sandbox, folder, {**without_prefect, **SETTLES_AT_ONCE})
    server = folder / "data" / "prefect"
    first = merchant.start("run", file, *RUN)
    time.sleep(moment)
    first.kill()
    first.communicate()
    if with_server:
        end_server(server, signal.SIGKILL)
    began = time.monotonic()
    second = merchant.start("run", file, *RUN)
    try:
        _, err = second.communicate(timeout=180)
    finally:
        second.kill()
        end_server(server, signal.SIGTERM)
    job = Job(url=sandbox.url, folder=folder)
    wrong = [] if second.returncode in (0, 3) else [err.strip()]
    wrong += [] if wrong else broken_promises(sandbox, job)
    return Start(
        killed_after_s=moment,
        with_server=with_server,
        code=second.returncode,
        seconds=time.monotonic() - began,
        wrong=wrong,
    )


def end_server(server: Path, how: signal.Signals) -> None:
    """End the folder's server, if one is there, and wait for that."""
    while server.exists() and (holder := server_at_work(server)):
        if holder.pid:
            with suppress(ProcessLookupError):
                os.kill(holder.pid, how)
        time.sleep(0.1)
