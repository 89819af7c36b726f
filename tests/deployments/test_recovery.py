"""Killed, restarted, cancelled or retried under a worker: the run goes on, and the books are exact."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.ledger.store import OPEN, Ledger
from deployments.local_server import is_healthy
from deployments.processes import children_of, descendants_of
from domain.states import OrderState
from tests.deployments.served import Served, wait_for
from tests.deployments.test_automations import call_roll, impatient
from tests.history import violations
from tests.running import single_line_orders, write_csv

LEASE = timedelta(seconds=120)
ORDERS = {"taobao": 4, "1688": 4}
SLOW_PAYMENTS = {"path": "*pay*", "kind": "latency", "probability": 1.0, "times": None, "delay_s": 1.5}


@pytest.fixture
def shop(served: Served) -> Iterator[Served]:
    """Empty books, and payments slow enough to be hit in the middle."""
    served.sandbox.reset()
    served.sandbox.faults(SLOW_PAYMENTS)
    yield served
    served.sandbox.faults()


async def test_a_run_goes_on_when_worker_and_run_are_killed_and_then_the_server(shop: Served, tmp_path: Path) -> None:
    """Nobody reports the death of the run: no sign of life tells it. The second attempt outlives its server."""
    run_id = _buy(shop, tmp_path, "storm")
    _await_payments(shop, 1)
    worker = _part(shop, "deployments.worker")
    for pid in [worker, *descendants_of(worker)]:
        os.kill(pid, signal.SIGKILL)
    async with impatient(run_id):
        await call_roll()
        shop.await_state(run_id, "Crashed", "AwaitingRetry", "Pending", "Running")
        _await_payments(shop, len(shop.sandbox.books()["payments"]) + 1)
    assert _part(shop, "deployments.worker") != worker

    server = _part(shop, "deployments.local_server")
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: is_healthy(shop.api), seconds=120)
    assert _part(shop, "deployments.local_server") != server
    done = shop.await_state(run_id, "Completed", "Failed")
    assert (done["state_name"], done["run_count"]) == ("Completed", 2)
    _assert_all_is_bought_once(shop, "storm")


async def test_a_run_that_is_cancelled_in_the_ui_can_be_retried_there(shop: Served, tmp_path: Path) -> None:
    """Cancelling ends the process in the middle of a payment; what it held is free at once, since it is dead."""
    run_id = _buy(shop, tmp_path, "calm")
    _await_payments(shop, 1)
    shop.ask(f"flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}})
    shop.await_state(run_id, "Cancelled")
    paid = len(shop.sandbox.books()["payments"])
    assert paid < sum(ORDERS.values())
    assert descendants_of(_part(shop, "deployments.worker")) == []
    with _ledger(shop) as ledger:
        leases = [effect.lease_until for effect in ledger.effects_of(ledger.refs_in("calm")) if effect.status in OPEN]
    assert all(lease - datetime.now(UTC) <= LEASE for lease in leases)

    shop.ask(f"flow_runs/{run_id}/set_state", {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}})
    done = shop.await_state(run_id, "Completed", "Failed")
    assert (done["state_name"], done["run_count"]) == ("Completed", 2)
    _assert_all_is_bought_once(shop, "calm")


def _buy(shop: Served, folder: Path, batch: str) -> str:
    """Start the run from the form: two orders a step, approved beforehand."""
    rows = [{**row, "order_ref": f"{batch}-{row['order_ref']}"} for row in single_line_orders(shop.sandbox, ORDERS)]
    file = write_csv(folder / f"{batch}.csv", rows)
    wanted = {"requests": {"file": str(file)}, "dry_run": False, "yes": True, "batch": batch}
    return shop.start("source-orders/manual", **wanted, speed={"chunk_size": 2})


def _await_payments(shop: Served, count: int) -> None:
    wait_for(lambda: len(shop.sandbox.books()["payments"]) >= count, seconds=180)


def _part(served: Served, module: str) -> int:
    """The process of a part of `sourcing serve`, once it runs."""
    serve = json.loads((served.folder / "served.json").read_text())["pid"]

    def found() -> int:
        commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children_of(serve)}
        return next((pid for pid, words in commands.items() if module.encode() in words[:4]), 0)

    return wait_for(found, seconds=60)


def _ledger(shop: Served) -> Ledger:
    return Ledger(f"sqlite:///{shop.data_dir / 'ledger.db'}", clock=lambda: datetime.now(UTC), owner="test")


def _assert_all_is_bought_once(shop: Served, batch: str) -> None:
    with _ledger(shop) as ledger:
        orders = ledger.orders(ledger.refs_in(batch))
        assert {order.state for order in orders.values()} == {OrderState.BOOKED}
        assert violations(shop.sandbox.books(), orders, ledger.effects_of(orders)) == []
    books = shop.sandbox.books()
    assert [len(books[name]) for name in ("orders", "payments", "shipments")] == [8, 8, 8]
