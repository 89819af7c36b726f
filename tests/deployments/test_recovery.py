"""Killed, restarted, cancelled or retried under a worker: the run goes on, and the
books are exact.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.ledger.store import Ledger
from deployments.local_server import is_healthy
from domain.effects import OPEN
from domain.states import OrderState
from tests.deployments.served import Served, wait_for
from tests.history import violations
from tests.running import single_line_orders, write_csv

LEASE = timedelta(seconds=120)
ORDERS = {"taobao": 12, "1688": 12}
SLOW_PAYMENTS = {
    "path": "*pay*",
    "kind": "latency",
    "probability": 1.0,
    "times": None,
    "delay_s": 1.5,
}


@pytest.fixture
def shop(shop: Served) -> Iterator[Served]:
    """Empty books, and payments slow enough to be hit in the middle."""
    shop.sandbox.faults(SLOW_PAYMENTS)
    yield shop
    shop.sandbox.faults()


@pytest.mark.endurance
def test_one_run_is_killed_paused_cancelled_retried_and_loses_its_server(
    shop: Served, tmp_path: Path
) -> None:
    """Each time in the middle of paying. It ends as if nothing had been: everything is
    bought, and once.
    """
    run_id = _buy(shop, tmp_path, "storm")
    _await_payments(shop, 1)
    with shop.held(fcntl.LOCK_EX):
        _all_is_killed(shop, run_id)
        _await_another_payment(shop)
    _paused_and_resumed_in_the_ui(shop, run_id)
    _await_another_payment(shop)
    _cancelled_in_the_ui(shop, run_id)
    with shop.held(fcntl.LOCK_EX):  # other tests need the server
        _retried_in_the_ui(shop, run_id)
        _await_another_payment(shop)
        _server_is_killed(shop)
    done = shop.await_state(run_id, "Completed", "Failed")
    assert (done["state_name"], done["run_count"]) == ("Completed", 3)
    _assert_all_is_bought_once(shop, "storm")


def _all_is_killed(shop: Served, run_id: str) -> None:
    """Nobody is left to report it, and what a server had heard is forgotten: the next
    worker finds the process gone.
    """
    worker, server = (
        shop.part("deployments.worker"),
        shop.part("deployments.server_process"),
    )
    for pid in [
        server,
        worker,
        *shop.processes_of(run_id),
    ]:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: is_healthy(shop.api) and shop.run(run_id)["run_count"] == 2)
    states = [
        state["name"] for state in shop.ask(f"flow_run_states/?flow_run_id={run_id}")
    ]
    assert ("AwaitingRetry" in states, "Crashed" in states) == (True, False)


def _paused_and_resumed_in_the_ui(shop: Served, run_id: str) -> None:
    """As the button does it: nothing further is paid, what was bought is shown, and the
    process has ended.
    """
    until = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    details = {"pause_timeout": until, "pause_reschedule": True}
    suspended = {"type": "PAUSED", "name": "Suspended", "state_details": details}
    shop.ask(f"flow_runs/{run_id}/set_state", {"state": suspended, "force": True})
    wait_for(lambda: shop.processes_of(run_id) == [])
    assert shop.run(run_id)["state_name"] == "Suspended"
    assert len(shop.sandbox.books()["payments"]) < sum(ORDERS.values())
    shown = shop.ask(
        "artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
    )
    assert "outcome-storm" in {one["key"] for one in shown}
    shop.ask(f"flow_runs/{run_id}/resume", {})
    shop.await_state(run_id, "Running")


def _cancelled_in_the_ui(shop: Served, run_id: str) -> None:
    """The process ends in the middle of a payment; what it had claimed is held no
    longer than its lease.
    """
    shop.sandbox.faults(
        {**SLOW_PAYMENTS, "delay_s": 20}
    )  # on a busy machine it would be over before it is cancelled
    shop.ask(f"flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}})
    shop.await_state(run_id, "Cancelled")
    shop.sandbox.faults(SLOW_PAYMENTS)
    assert len(shop.sandbox.books()["payments"]) < sum(ORDERS.values())
    assert shop.processes_of(run_id) == []
    with _ledger(shop) as ledger:
        claimed = [
            effect
            for effect in ledger.effects_of(ledger.refs_in("storm"))
            if effect.status in OPEN
        ]
    assert all(effect.lease_until - datetime.now(UTC) <= LEASE for effect in claimed)


def _retried_in_the_ui(shop: Served, run_id: str) -> None:
    shop.ask(
        f"flow_runs/{run_id}/set_state",
        {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}},
    )


def _server_is_killed(shop: Served) -> None:
    """The run goes on without it and reports when it is back."""
    server = shop.part("deployments.server_process")
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: is_healthy(shop.api))
    assert shop.part("deployments.server_process") != server


def _buy(shop: Served, folder: Path, batch: str) -> str:
    """Start the run from the form: two orders a step, approved beforehand."""
    rows = [
        {**row, "order_ref": f"{batch}-{row['order_ref']}"}
        for row in single_line_orders(shop.sandbox, ORDERS)
    ]
    file = write_csv(folder / f"{batch}.csv", rows)
    wanted = {
        "requests": {"file": str(file)},
        "dry_run": False,
        "yes": True,
        "batch": batch,
    }
    return shop.start(
        "buy-from-file/buy-from-file",
        **wanted,
        speed={"chunk_size": 2, "concurrency": 1},
    )


def _await_payments(shop: Served, count: int) -> None:
    wait_for(lambda: len(shop.sandbox.books()["payments"]) >= count)


def _await_another_payment(shop: Served) -> None:
    _await_payments(shop, len(shop.sandbox.books()["payments"]) + 1)


def _ledger(shop: Served) -> Ledger:
    return Ledger(
        f"sqlite:///{shop.data_dir / 'ledger.db'}",
        clock=lambda: datetime.now(UTC),
        owner="test",
    )


def _assert_all_is_bought_once(shop: Served, batch: str) -> None:
    with _ledger(shop) as ledger:
        orders = ledger.orders(ledger.refs_in(batch))
        assert {order.state for order in orders.values()} == {OrderState.BOOKED}
        assert violations(shop.sandbox.books(), orders, ledger.effects_of(orders)) == []
    books = shop.sandbox.books()
    assert [len(books[name]) for name in ("orders", "payments", "shipments")] == [
        sum(ORDERS.values())
    ] * 3
