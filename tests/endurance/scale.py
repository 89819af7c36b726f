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


def _buy(orders: int, parts: int) -> tuple[float, dict[str, int], list[str]]:
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
        place = LostPlace(Served(folder), server.new_database())
        try:
            place.start()
            return _bought(place, sandbox, orders, parts)
        finally:
            place.kill()


def _bought(
    place: LostPlace, sandbox: RunningSandbox, orders: int, parts: int
) -> tuple[float, dict[str, int], list[str]]:
    latency = {"path": "/*", "kind": "latency", "probability": 1, "delay_s": LATENCY_S}
    sandbox.faults(latency)
    rows = single_line_orders(sandbox, {"taobao": orders // 2, "1688": orders // 2})
    file = write_csv(place.shop.folder / "batch.csv", rows)
    began = time.monotonic()
    run_id = place.shop.start(
        "buy-from-file/buy-from-file",
        requests={"file": str(file)},
        dry_run=False,
        yes=True,
        batch=BATCH,
        parts=parts,
    )
    place.shop.await_state(run_id, "Completed", seconds=1800)
    seconds = time.monotonic() - began
    assert place.ledger_url
    clock = lambda: datetime.now(UTC)  # noqa: E731
    with Ledger(place.ledger_url, clock=clock, owner="test") as ledger:
        known = ledger.orders(ledger.refs_in(BATCH))
        broken = violations(
            sandbox.books(), known, ledger.effects_of(known), at_rest=True
        )
    states = Counter(str(order.state) for order in known.values())
    wrong = [str(one) for one in broken]
    if states != {"booked": len(rows)}:
        wrong.append(str(dict(states)))
    return seconds, dict(states), wrong
