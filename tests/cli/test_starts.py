"""`kill -9` in the first seconds of a command, while its Prefect server starts: the
very next run works.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from deployments.local_server import server_at_work
from tests.cli.test_prefect_server import prefect_free
from tests.running import (
    PATIENCE_S,
    Merchant,
    RunningSandbox,
    single_line_orders,
    write_csv,
)


@pytest.mark.endurance
def test_whatever_a_killed_start_leaves_the_next_run_works(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at once; killed with its server while that makes its database; killed
    beside a server that goes on.
    """
    monkeypatch.delenv(
        "PREFECT_API_URL", raising=False
    )  # that of other tests in this process
    file = write_csv(
        tmp_path / "requests.csv", single_line_orders(sandbox, {"taobao": 1})
    )
    merchant = Merchant(sandbox, tmp_path, prefect_free(tmp_path))
    server = tmp_path / "data" / "prefect"
    killed(merchant, file, when=at_once)
    killed(merchant, file, when=(server / "prefect.db").exists)
    end(server, signal.SIGKILL)
    killed(
        merchant, file, when=lambda: bool(server.exists() and server_at_work(server))
    )
    remaining = server_at_work(server)
    run = merchant.start("run", file, "--yes", "--json", "--batch", "one")
    try:
        out, err = run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0, err
        assert json.loads(out)["counts"] == {"booked": 1}
        assert server_at_work(server) == remaining  # it was taken over, not doubled
        assert told_after_a_purchase(merchant) == ([], "")
        assert runs_of(server) == 2
        assert not (tmp_path / ".prefect" / "prefect.db").exists()
    finally:
        end(server, signal.SIGTERM)


def at_once() -> bool:
    return True


def told_after_a_purchase(merchant: Merchant) -> tuple[list[object], str]:
    """A command that runs a flow: on the server of the data folder, not on one that
    Prefect starts by itself.
    """
    out, err = merchant.start("refunds", "--json").communicate(timeout=PATIENCE_S)
    return json.loads(out)["refunds"], err


def runs_of(server: Path) -> int:
    """The flow runs that the server of the data folder knows."""
    address = server_at_work(server)
    assert address
    request = Request(
        f"{address.url}/flow_runs/count", b"{}", {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=PATIENCE_S) as answer:
        return int(answer.read())


def end(server: Path, how: signal.Signals) -> None:
    if holder := server_at_work(server):
        os.kill(holder.pid, how)
    while server_at_work(server) is not None:
        time.sleep(0.01)


def killed(merchant: Merchant, file: Path, *, when: Callable[[], bool]) -> None:
    run = merchant.start("run", file, "--yes", "--json", "--batch", "one")
    deadline = time.monotonic() + PATIENCE_S
    while not when():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.kill()
    run.communicate()
