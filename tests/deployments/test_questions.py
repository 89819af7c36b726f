"""A run under a worker that waits for an answer: how long it may take, and who waits
for it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from domain.wording import ALL
from tests.deployments.served import Served, wait_for
from tests.running import single_line_orders, write_csv

RENEWALS_S = 6  # five renewals of a lease, see impatient/sitecustomize.py


@pytest.mark.endurance
def test_a_process_that_is_killed_while_it_asks_costs_one_attempt(
    market: Served, tmp_path: Path
) -> None:
    """Its worker reports the death twice; the run crashes once, is started once more,
    and asks anew.

    What is answered to the question that died with it counts for nothing.
    """
    file = _requests(market, tmp_path / "killed.csv", "killed")
    run_id = market.start(
        "buy-from-file/buy-from-file", requests={"file": str(file)}, dry_run=False
    )
    market.await_state(run_id, "Paused")
    _plan_shown(market, run_id)
    killed = market.processes_of(run_id)
    for pid in killed:
        os.kill(pid, signal.SIGSTOP)  # it hears the answer no more
    _approve(market, run_id)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    market.await_state(run_id, "Crashed")
    market.await_state(run_id, "Paused")
    assert _paid(market) == []
    _approve(market, run_id)
    done = market.await_state(run_id, "Completed", "Failed")
    assert (done["state_name"], _crashes(market, run_id)) == ("Completed", 1)
    assert _paid(market) == ["killed-taobao-000", "killed-taobao-001"]


@pytest.mark.endurance
def test_a_question_stays_open_and_a_second_night_waits_for_its_answer(
    market: Served, tmp_path: Path
) -> None:
    """A paused run has no place that it could lose, so the process that asked is the
    one that hears the answer.

    The night itself is at work while one of its batches asks, so the next one is not
    started.
    """
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    _requests(market, inbox / "evening.csv", "evening")
    night = {"inbox": str(inbox), "yes": False, "quiet_s": 0}
    patient = _requests(market, tmp_path / "patient.csv", "patient")
    manual = market.start(
        "buy-from-file/buy-from-file", requests={"file": str(patient)}, dry_run=False
    )
    first = market.start("buy-from-inbox/buy-from-inbox", **night)
    batch_id = wait_for(lambda: _paused_batch_of(market, first))
    second = market.start("buy-from-inbox/buy-from-inbox", **night)
    market.await_state(manual, "Paused")
    time.sleep(RENEWALS_S)
    assert (market.run(first)["state_name"], market.run(second)["run_count"]) == (
        "Running",
        0,
    )
    for asks in (manual, batch_id):
        assert market.run(asks)["state_name"] == "Paused"
        _approve(market, asks)
    for run_id, count in (
        (manual, 2),
        (first, 1),
        (second, 1),
    ):  # an answer counts as a start
        done = market.await_state(run_id, "Completed", "Failed", "Crashed")
        assert (done["state_name"], done["run_count"], _crashes(market, run_id)) == (
            "Completed",
            count,
            0,
        )
    assert _paid(market) == [
        f"{name}-taobao-00{number}"
        for name in ("evening", "patient")
        for number in (0, 1)
    ]


def _requests(market: Served, file: Path, name: str) -> Path:
    rows = single_line_orders(market.sandbox, {"taobao": 2})
    return write_csv(
        file, [{**row, "order_ref": f"{name}-{row['order_ref']}"} for row in rows]
    )


def _paused_batch_of(market: Served, night: str) -> str | None:
    """The run of the batch that asks: a child of the night's run."""
    wanted = {
        "flow_runs": {
            "state": {"name": {"any_": ["Paused"]}},
            "parent_flow_run_id": {"any_": [night]},
        },
    }
    return next(
        (str(run["id"]) for run in market.ask("flow_runs/filter", wanted)), None
    )


def _crashes(market: Served, run_id: str) -> int:
    states = market.ask(f"flow_run_states/?flow_run_id={run_id}")
    return [state["name"] for state in states].count("Crashed")


def _plan_shown(market: Served, run_id: str) -> str:
    """What the form of a run that asks shows of its plan."""
    keyset = market.run(run_id)["state"]["state_details"]["run_input_keyset"]

    def form() -> dict[str, Any] | None:  # written right after the pause
        inputs = market.ask(
            f"flow_runs/{run_id}/input/filter", {"prefix": keyset["schema"], "limit": 1}
        )
        return json.loads(inputs[0]["value"]) if inputs else None

    return str(wait_for(form)["properties"]["plan"]["const"])


def _approve(market: Served, run_id: str) -> None:
    """Fill in the form as the UI does: the plan is what the form shows."""
    answer = {
        "decision": ALL,
        "approved_by": "Mei Chen",
        "plan": _plan_shown(market, run_id),
    }
    said = market.ask(f"flow_runs/{run_id}/resume", {"run_input": answer})
    assert said["status"] == "ACCEPT", said


def _paid(market: Served) -> list[str]:
    return sorted(
        order["reference"]
        for order in market.sandbox.books()["orders"]
        if order["paid_times"]
    )
