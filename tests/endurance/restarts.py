"""PostgreSQL goes away and comes back, again and again, while one run buys a batch: the
run recovers by itself.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from connectors.ledger.transactions import PATIENCE_S
from tests.crashes.light import Job, run, start, states
from tests.endurance.shop import End, judged, new_batch, run_until_quiet
from tests.postgres import Postgres
from tests.running import RunningSandbox

SHORTEST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 40.0
LONGEST_AWAY_S = 6.0
LATENCY_S = 0.3
"""What a call abroad takes; without it a batch is over before many restarts fall into
it.
"""
LEASE_S = 120
SETTLE_S = 60
HOW: tuple[Literal["fast", "immediate"], ...] = ("fast", "immediate")


@dataclass(frozen=True, kw_only=True)
class Restarted:
    """What one batch went through. `by_itself` is how many orders the one run got to
    the end, without another.
    """

    seed: int
    restarts: int
    crashes: int
    seconds: float
    by_itself: int
    runs: int
    failed: list[int]
    end: End


def batch_under_restarts(
    sandbox: RunningSandbox,
    server: Postgres,
    folder: Path,
    *,
    seed: int,
    orders: int,
    longest_pause_s: float,
    latency_s: float,
) -> Restarted:
    """Buy a batch with one process while the server is stopped and started every 5 s to
    `longest_pause_s`.

    The service takes `latency_s` for each answer meanwhile.
    """
    luck = random.Random(seed)
    assert LONGEST_AWAY_S < PATIENCE_S
    job = Job(
        url=sandbox.url,
        folder=folder,
        file=new_batch(sandbox, folder, orders),
        plans=folder / "plans",
        settings={
            "SOURCING_LEDGER_URL": server.new_database(),
            "SOURCING_SETTLE_S": str(SETTLE_S),
        },
    )
    run(replace(job, does="plan"))
    sandbox.faults(
        {"path": "*", "kind": "latency", "probability": 1, "delay_s": latency_s}
    )
    began = time.monotonic()
    buyer = start(job)
    restarts = 0
    crashes = 0
    pid = buyer.pid
    next_at = began + luck.uniform(SHORTEST_PAUSE_S, longest_pause_s)
    while buyer.process.exitcode is None:
        if time.monotonic() >= next_at:
            how = luck.choice(HOW)
            server.stop(how)
            time.sleep(luck.uniform(0, LONGEST_AWAY_S))
            server.start()
            restarts = restarts + 1
            crashes = crashes + (how == "immediate")
            next_at = time.monotonic() + luck.uniform(SHORTEST_PAUSE_S, longest_pause_s)
        time.sleep(0.05)
    code = buyer.ends()
    seconds = time.monotonic() - began
    sandbox.faults()
    by_itself = list(states(job.told(pid)).values()).count("booked") if code == 0 else 0
    runs = run_until_quiet(job, past_settle_time_s=2 * (LEASE_S + SETTLE_S))
    return Restarted(
        seed=seed,
        restarts=restarts,
        crashes=crashes,
        seconds=seconds,
        by_itself=by_itself,
        runs=runs,
        failed=[code] if code else [],
        end=judged(sandbox, job),
    )
