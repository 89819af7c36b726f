"""One batch bought by one run and by several, on a ledger in PostgreSQL: what that
gains on this machine, and that nothing is bought twice.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from connectors.ledger.store import Ledger
from tests.deployments.conftest import free_port, receiver
from tests.deployments.served import Served
from tests.endurance.lost import LostPlace
from tests.history import violations
from tests.postgres import running_postgres
from tests.running import RunningSandbox, own_sandbox, single_line_orders, write_csv

BATCH = "scale"
LATENCY_S = 0.2


def parts_buy_once(orders: int, parts: int) -> bool:
    """The same batch in one part and in so many, each on a new ledger; a line each."""
    seconds: dict[int, float] = {}
    wrong: list[str] = []
    for count in (1, parts):
        seconds[count], states, broken = _buy(orders, count)
        wrong += broken
        print(
            f"scale      {count} parts, {orders} orders: {seconds[count]:.0f} s; "
            f"{states}; {'; '.join(broken) or 'right'}",
            flush=True,
        )
    ratio = seconds[parts] / seconds[1]
    print(f"scale: {parts} parts took {ratio:.2f} of the time of one", flush=True)
    return not wrong


def _buy(orders: int, pieces: int) -> tuple[float, dict[str, int], list[str]]:
    folder = Path(tempfile.mkdtemp(prefix="endurance-scale-"))
    with (
        own_sandbox() as sandbox,
        receiver(folder) as alerts,
        running_postgres(durable=True) as server,
    ):
        settings = {
            "port": free_port(),
            "sandbox_port": int(sandbox.url.rpartition(":")[2]),
            "alerts": alerts,
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        lost_place = LostPlace(Served(folder), server.new_database())
        try:
            lost_place.start()
            return _bought(lost_place, sandbox, orders, pieces)
        finally:
            lost_place.kill()


def _bought(
    lost_place: LostPlace, sandbox: RunningSandbox, orders: int, pieces: int
) -> tuple[float, dict[str, int], list[str]]:
    latency = {"path": "/*", "kind": "latency", "probability": 1, "delay_s": LATENCY_S}
    sandbox.faults(latency)
    rows = single_line_orders(sandbox, {"taobao": orders // 2, "1688": orders // 2})
    file = write_csv(lost_place.shop.folder / "batch.csv", rows)
    began = time.monotonic()
    run_id = lost_place.shop.start(
        "buy-from-file/buy-from-file",
        requests={"file": str(file)},
        dry_run=False,
        yes=True,
        batch=BATCH,
        parts=pieces,
    )
    lost_place.shop.await_state(run_id, "Completed", seconds=1800)
    seconds = time.monotonic() - began
    assert lost_place.ledger_url
    clock = lambda: datetime.now(UTC)  # noqa: E731
    with Ledger(lost_place.ledger_url, clock=clock, owner="test") as ledger:
        order_records = ledger.orders(ledger.refs_in(BATCH))
        broken = violations(
            sandbox.books(),
            order_records,
            ledger.effects_of(order_records),
            at_rest=True,
        )
    states = Counter(str(order.state) for order in order_records.values())
    wrong = [str(violation) for violation in broken]
    if states != {"booked": len(rows)}:
        wrong.append(str(dict(states)))
    return seconds, dict(states), wrong
