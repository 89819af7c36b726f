"""A tenth of creates and payments lands late: `sourcing serve` ends the batch by
itself, whatever is killed.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from tests.deployments.conftest import free_port, receiver
from tests.deployments.served import Served, wait_for
from tests.endurance.lost import LostPlace
from tests.history import all_orders, violations
from tests.postgres import running_postgres
from tests.running import RunningSandbox, own_sandbox, single_line_orders, write_csv

LEASE_S = 60
SETTLE_S = 30
LATE_S = 20
ORDERS = {
    "taobao": 140,
    "1688": 140,
    "big_major": 10,
    "international": 10,
    "poizon": 12,
}
BATCH = "night"
PATHS = (
    "/open/purchase/create*",
    "/alibaba/*create*",
    "/poizon/*createOrder",
    "/open/purchase/pay",
    "/*pay*",
)
ALL_FOLLOW_UPS = {
    "flows": {"name": {"any_": ["finish-batch"]}},
    "sort": "EXPECTED_START_TIME_DESC",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is killed once the run has ended and its look waits; `look` is killed as
    soon as it works.
    """

    kills: Literal["nothing", "worker", "look", "all"]
    database: Literal["sqlite", "postgresql"]


CASES = (
    Case(kills="nothing", database="postgresql"),
    Case(kills="worker", database="sqlite"),
    Case(kills="look", database="postgresql"),
    Case(kills="all", database="sqlite"),
)


def follow_ups_come_by_themselves() -> bool:
    """Each case on a new data folder; a line each."""
    right = 0
    for case in CASES:
        began = time.monotonic()
        unknown, follow_ups, wrong = _one(case)
        print(
            f"looks      {case.kills:8} {case.database:10} {unknown:3} unknown at first; {follow_ups}; "
            f"over after {time.monotonic() - began:.0f} s; {'; '.join(wrong) or 'right'}",
            flush=True,
        )
        right += not wrong
    print(f"looks: {right} of {len(CASES)} batches ended by themselves", flush=True)
    return right == len(CASES)


def _one(case: Case) -> tuple[int, str, list[str]]:
    folder = Path(tempfile.mkdtemp(prefix="endurance-looks-"))
    database = (
        running_postgres(durable=True)
        if case.database == "postgresql"
        else nullcontext()
    )
    with own_sandbox() as sandbox, receiver(folder) as alerts, database as server:
        settings = {
            "port": free_port(),
            "sandbox_port": int(sandbox.url.rpartition(":")[2]),
            "alerts": alerts,
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        waits = {"SOURCING_LEASE_S": str(LEASE_S), "SOURCING_SETTLE_S": str(SETTLE_S)}
        lost_place = LostPlace(
            Served(folder), server.new_database() if server else None, waits
        )
        try:
            lost_place.start()
            return _followed_up(case, lost_place, sandbox)
        finally:
            lost_place.kill()


def _followed_up(
    case: Case, lost_place: LostPlace, sandbox: RunningSandbox
) -> tuple[int, str, list[str]]:
    shop = lost_place.shop
    rows = single_line_orders(sandbox, ORDERS)
    before = [
        {**row, "order_ref": f"before-{row['order_ref']}"}
        for row in rows
        if str(row["order_ref"])[-3:] == "000"
    ]
    _buy(shop, write_csv(shop.folder / "before.csv", before), "before")
    delayed = {
        "kind": "late_effect",
        "probability": 0.1,
        "times": None,
        "delay_s": LATE_S,
    }
    sandbox.faults(*({"path": path, **delayed} for path in PATHS))
    _buy(shop, write_csv(shop.folder / "batch.csv", rows), BATCH)
    sandbox.faults()
    unknown = _states(shop)["unknown"]
    _kill(case, lost_place)
    booked = {"booked": sum(ORDERS.values())}
    with suppress(AssertionError):
        wait_for(lambda: _states(shop) == booked, seconds=900)
    follow_ups = ", ".join(str(run["state_name"]) for run in _follow_ups(shop))
    states = _states(shop)
    wrong = _broken(shop, sandbox) + (
        [] if states == {"booked": sum(ORDERS.values())} else [str(dict(states))]
    )
    return unknown, follow_ups, wrong


def _buy(shop: Served, file: Path, batch: str) -> None:
    expected = {
        "requests": {"file": str(file)},
        "dry_run": False,
        "yes": True,
        "batch": batch,
    }
    shop.await_state(
        shop.start("buy-from-file/buy-from-file", **expected), "Completed", seconds=600
    )


def _kill(case: Case, lost_place: LostPlace) -> None:
    if case.kills == "worker":
        os.kill(lost_place.shop.part("worker"), signal.SIGKILL)
    elif case.kills == "look":
        (run,) = wait_for(lambda: _at_work(lost_place.shop), seconds=300)
        for pid in wait_for(
            lambda: lost_place.shop.processes_of(run["id"]), seconds=30
        ):
            os.kill(pid, signal.SIGKILL)
    elif case.kills == "all":
        lost_place.kill()
        time.sleep(LEASE_S + SETTLE_S)  # it comes late
        lost_place.start()


def _at_work(shop: Served) -> list[dict[str, Any]]:
    """The sweep that has the batch, as a worker started it."""
    running = {"state": {"type": {"any_": ["RUNNING"]}}}
    follow_ups = shop.ask("flow_runs/filter", {**ALL_FOLLOW_UPS, "flow_runs": running})
    if not follow_ups:
        return []
    sweeps = {"flows": {"name": {"any_": ["finish-open"]}}, "flow_runs": running}
    findings: list[dict[str, Any]] = shop.ask("flow_runs/filter", sweeps)
    return findings[:1]


def _follow_ups(shop: Served) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = shop.ask("flow_runs/filter", ALL_FOLLOW_UPS)
    return findings


def _ledger(shop: Served) -> Ledger:
    url = SourcingSettings(data_dir=shop.data_dir).ledger_url
    return Ledger(url, clock=lambda: datetime.now(UTC), owner="test")


def _states(shop: Served) -> Counter[str]:
    with _ledger(shop) as ledger:
        return Counter(
            str(order.state) for order in ledger.orders(ledger.refs_in(BATCH)).values()
        )


def _broken(shop: Served, sandbox: RunningSandbox) -> list[str]:
    with _ledger(shop) as ledger:
        orders = all_orders(ledger)
        return [
            str(violation)
            for violation in violations(
                sandbox.books(), orders, ledger.effects_of(orders), at_rest=True
            )
        ]
