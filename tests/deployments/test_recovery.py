"""Killed, restarted, cancelled or retried under a worker: the run goes on, and the books are exact."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.ledger.store import Ledger
from deployments.local_server import is_healthy
from deployments.processes import children_of, descendants_of
from domain.effects import OPEN
from domain.states import OrderState
from tests.deployments.served import Served, wait_for
from tests.deployments.test_automations import call_roll, impatient
from tests.history import violations
from tests.running import single_line_orders, write_csv

LEASE = timedelta(seconds=120)
ORDERS = {"taobao": 12, "1688": 12}
SLOW_PAYMENTS = {"path": "*pay*", "kind": "latency", "probability": 1.0, "times": None, "delay_s": 1.5}


@pytest.fixture
def shop(installed: Served) -> Iterator[Served]:
    """Empty books, and payments slow enough to be hit in the middle. Only this test buys here."""
    installed.sandbox.reset()
    installed.sandbox.faults(SLOW_PAYMENTS)
    yield installed
    installed.sandbox.faults()


async def test_one_run_is_killed_cancelled_retried_and_loses_its_server(shop: Served, tmp_path: Path) -> None:
    """Each time in the middle of paying. It ends as if nothing had been: everything is bought, and once."""
    run_id = _buy(shop, tmp_path, "storm")
    _await_payments(shop, 1)
    await _worker_and_run_are_killed(shop, run_id)
    _await_another_payment(shop)
    _cancelled_in_the_ui(shop, run_id)
    with shop.held(fcntl.LOCK_EX):  # other tests need the server
        _retried_in_the_ui(shop, run_id)
        _await_another_payment(shop)
        _server_is_killed(shop)
    done = shop.await_state(run_id, "Completed", "Failed", seconds=240)
    assert (done["state_name"], done["run_count"]) == ("Completed", 3)
    _assert_all_is_bought_once(shop, "storm")


async def _worker_and_run_are_killed(shop: Served, run_id: str) -> None:
    """Nobody is left to report it. The next worker is there at once; the run is missed, and started again."""
    worker = _part(shop, "deployments.worker")
    for pid in [worker, *_processes_of(shop, run_id)]:
        os.kill(pid, signal.SIGKILL)
    async with impatient(run_id):
        await call_roll()
        wait_for(lambda: shop.run(run_id)["run_count"] == 2, seconds=180)
    assert _part(shop, "deployments.worker") != worker


def _cancelled_in_the_ui(shop: Served, run_id: str) -> None:
    """The process ends in the middle of a payment; what it had claimed is held no longer than its lease."""
    shop.ask(f"flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}})
    shop.await_state(run_id, "Cancelled")
    assert len(shop.sandbox.books()["payments"]) < sum(ORDERS.values())
    assert _processes_of(shop, run_id) == []
    with _ledger(shop) as ledger:
        claimed = [effect for effect in ledger.effects_of(ledger.refs_in("storm")) if effect.status in OPEN]
    assert all(effect.lease_until - datetime.now(UTC) <= LEASE for effect in claimed)


def _retried_in_the_ui(shop: Served, run_id: str) -> None:
    shop.ask(f"flow_runs/{run_id}/set_state", {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}})


def _server_is_killed(shop: Served) -> None:
    """The run goes on without it and reports when it is back."""
    server = _part(shop, "deployments.local_server")
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: is_healthy(shop.api), seconds=120)
    assert _part(shop, "deployments.local_server") != server


def _buy(shop: Served, folder: Path, batch: str) -> str:
    """Start the run from the form: two orders a step, approved beforehand."""
    rows = [{**row, "order_ref": f"{batch}-{row['order_ref']}"} for row in single_line_orders(shop.sandbox, ORDERS)]
    file = write_csv(folder / f"{batch}.csv", rows)
    wanted = {"requests": {"file": str(file)}, "dry_run": False, "yes": True, "batch": batch}
    return shop.start("source-orders/manual", **wanted, speed={"chunk_size": 2})


def _await_payments(shop: Served, count: int) -> None:
    wait_for(lambda: len(shop.sandbox.books()["payments"]) >= count, seconds=180)


def _await_another_payment(shop: Served) -> None:
    _await_payments(shop, len(shop.sandbox.books()["payments"]) + 1)


def _part(served: Served, module: str) -> int:
    """The process of a part of `sourcing serve`, once it runs."""
    serve = json.loads((served.folder / "served.json").read_text())["pid"]

    def found() -> int:
        commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children_of(serve)}
        return next((pid for pid, words in commands.items() if module.encode() in words[:4]), 0)

    return wait_for(found, seconds=60)


def _processes_of(shop: Served, run_id: str) -> list[int]:
    below = descendants_of(_part(shop, "deployments.worker"))
    return [pid for pid in below if run_id.encode() in _environment(pid)]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""  # it has just ended


def _ledger(shop: Served) -> Ledger:
    return Ledger(f"sqlite:///{shop.data_dir / 'ledger.db'}", clock=lambda: datetime.now(UTC), owner="test")


def _assert_all_is_bought_once(shop: Served, batch: str) -> None:
    with _ledger(shop) as ledger:
        orders = ledger.orders(ledger.refs_in(batch))
        assert {order.state for order in orders.values()} == {OrderState.BOOKED}
        assert violations(shop.sandbox.books(), orders, ledger.effects_of(orders)) == []
    books = shop.sandbox.books()
    assert [len(books[name]) for name in ("orders", "payments", "shipments")] == [sum(ORDERS.values())] * 3
