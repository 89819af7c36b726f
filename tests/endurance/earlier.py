"""A run that waited for its approval when everything was killed, and this version's
`sourcing serve` on its folder.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from connectors.ledger.store import Ledger
from domain.wording import ALL
from tasks.engine.resources import utc_now
from tests.crashes.books import broken_promises
from tests.crashes.light import Job
from tests.deployments.conftest import free_port
from tests.deployments.served import wait_for
from tests.running import ROOT, RunningSandbox
from tests.upgrade.__main__ import PAUSED, asked
from tests.upgrade.folder import EARLIER, unpacked
from tests.upgrade.test_earlier_version import AS_IT_SHOULD, finished

ENDS_WITHIN_S, FOR_EVER_S = 600, 10**9


def earlier_run_goes_on() -> bool:
    """Print what is wrong with that of each earlier version; whether nothing is."""
    found = []
    for archive in EARLIER:
        with tempfile.TemporaryDirectory() as place:
            wrong = paused_run_goes_on(archive, Path(place))
        print(
            f"earlier    the paused run of {archive.name}: {'; '.join(wrong) or '0 violations'}",
            flush=True,
        )
        found += wrong
    return not found


def paused_run_goes_on(archive: Path, folder: Path) -> list[str]:
    """Answers what is wrong: nothing, when the run asked anew, was approved, and bought
    and shipped all, once.
    """
    unpacked(archive, folder)
    sandbox, port = RunningSandbox(f"http://127.0.0.1:{free_port()}"), free_port()
    api = f"http://127.0.0.1:{port}/api"
    others = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "SOURCING_"))
    }
    waits = {
        "SOURCING_APPROVAL_TIMEOUT_S": str(FOR_EVER_S)
    }  # the question was asked when the archive was made
    environment = {
        **others,
        **waits,
        "XPORTCN_BASE_URL": sandbox.url,
        "SOURCING_DATA_DIR": str(folder / "data"),
    }
    command = [sys.executable, "-m", "cli.main", "serve", "--port", str(port)]
    with (folder / "serve.txt").open("w") as output:
        serve = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        wait_for(
            lambda: (
                "Ctrl-C" in (folder / "serve.txt").read_text()
                or serve.poll() is not None
            ),
            seconds=300,
        )
        (run,) = asked(
            api,
            "flow_runs/filter",
            {"flow_runs": {"state": {"name": {"any_": ["Paused"]}}}},
        )
        _until_it_ends(api, run["id"])
        with Ledger(
            f"sqlite:///{folder / 'data' / 'ledger.db'}", clock=utc_now, owner="test"
        ) as ledger:
            states = {
                ref: str(order.state)
                for ref, order in ledger.orders(ledger.refs_in(PAUSED)).items()
            }
        wrong = [
            f"{ref} is {state}" for ref, state in states.items() if state != "booked"
        ]
        few = [] if len(states) == 2 else [f"{len(states)} orders"]
        few += (
            [] if (ended := finished(sandbox, folder)) == AS_IT_SHOULD else [str(ended)]
        )
        return [
            *wrong,
            *few,
            *broken_promises(sandbox, Job(url=sandbox.url, folder=folder)),
        ]
    finally:
        serve.send_signal(signal.SIGINT)
        serve.wait(120)


def _until_it_ends(api: str, run_id: str) -> None:
    """Approve as often as it asks: the process that asked first is gone."""
    answered: set[str] = set()
    deadline = time.monotonic() + ENDS_WITHIN_S
    while (run := asked(api, f"flow_runs/{run_id}"))["state_name"] not in (
        "Completed",
        "Held",
        "Failed",
        "Cancelled",
    ):
        assert time.monotonic() < deadline, run["state_name"]
        keyset = run["state"]["state_details"].get("run_input_keyset")
        if (
            run["state_name"] == "Paused"
            and keyset["schema"] not in answered
            and (form := _form(api, run_id, keyset))
        ):
            answer = {
                "decision": ALL,
                "approved_by": "Mei Chen",
                "plan": form["properties"]["plan"]["const"],
            }
            said = asked(api, f"flow_runs/{run_id}/resume", {"run_input": answer})
            answered.add(keyset["schema"])
            print(run["state_name"], keyset["schema"], said["status"], flush=True)
        time.sleep(1)


def _form(api: str, run_id: str, keyset: dict[str, str]) -> dict[str, Any] | None:
    inputs = asked(
        api,
        f"flow_runs/{run_id}/input/filter",
        {"prefix": keyset["schema"], "limit": 1},
    )
    return json.loads(inputs[0]["value"]) if inputs else None
