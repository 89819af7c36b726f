"""Two processes on one batch, and a person who stops all buying and resumes, again and
again, until all is booked.
"""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.settings import SourcingSettings
from flows.answers.pausing import pause
from tests.crashes.books import kept, ledger_of
from tests.crashes.light import KILLED, Job, Run, run, start
from tests.endurance.shop import judged, new_batch, run_until_quiet
from tests.endurance.storm import Repetition
from tests.running import RunningSandbox

LEASE_S = 10
SETTLE_S = 60
KINDS = ("orders", "payments", "shipments")
KILLS = 0.3
"""So often one of the processes is killed right before the pause."""
LANDS_WITHIN_S = 1.0
"""A request that a killed process had written is carried out within this."""


def paused_batch(
    sandbox: RunningSandbox,
    folder: Path,
    *,
    seed: int,
    orders: int,
    processes: int,
    ledger_url: str | None,
) -> Repetition:
    """One batch, paused at random moments; what the books have when `pause` returns is
    what they have at its end.
    """
    file = new_batch(sandbox, folder, orders)
    luck = random.Random(seed)
    began = time.monotonic()
    settings = {"SOURCING_LEASE_S": str(LEASE_S), "SOURCING_SETTLE_S": str(SETTLE_S)}
    settings |= {"SOURCING_LEDGER_URL": ledger_url} if ledger_url else {}
    job = Job(
        url=sandbox.url,
        folder=folder,
        file=file,
        plans=folder / "plans",
        chunk_size=25,
        settings=settings,
    )
    run(replace(job, does="plan"))
    kills = 0
    pauses = 0
    failed = list[int]()
    broken = list[str]()
    while (
        not (pauses and all(order.shipment for order in kept(job)[0].values()))
        and pauses < orders
    ):
        runs = [start(job) for _ in range(processes)]
        _wait_for(sandbox, luck.randint(1, max(2, orders // 3)), runs)
        is_killed = luck.random() < KILLS and runs[0].process.is_alive()
        if is_killed:
            kills += 1
            os.kill(runs[0].pid, signal.SIGKILL)
        _pause(job)
        pauses += 1
        if is_killed:
            time.sleep(LANDS_WITHIN_S)
        bought = sandbox.books()
        codes = [item.ends(300) for item in runs]
        broken += [
            f"pause {pauses}: {difference}"
            for difference in _differences(bought, sandbox.books())
        ]
        failed += [code for code in codes if code not in (0, KILLED)]
        with ledger_of(job) as ledger:
            ledger.resume_buying("endurance")
    runs_after = run_until_quiet(job, past_settle_time_s=LEASE_S + SETTLE_S)
    end = judged(sandbox, job)
    return Repetition(
        seed=seed,
        kills=kills,
        stops=pauses,
        seconds=time.monotonic() - began,
        runs=runs_after,
        failed=failed,
        end=replace(end, violations=[*broken, *end.violations]),
    )


def _pause(job: Job) -> None:
    settings = SourcingSettings(
        data_dir=job.folder / "data", lease_s=LEASE_S, settle_s=SETTLE_S
    )
    with ledger_of(job) as ledger:
        pause(ledger, settings, by="endurance", why="a test", notify=lambda _: None)


def _wait_for(sandbox: RunningSandbox, effects: int, runs: list[Run]) -> None:
    """Until so many more effects have arrived, or nobody is at work any more."""
    at_first = sum(_counts(sandbox.books()))
    while sum(_counts(sandbox.books())) < at_first + effects and any(
        item.process.is_alive() for item in runs
    ):
        time.sleep(0.01)


def _counts(books: dict[str, Any]) -> list[int]:
    return [len(books[kind]) for kind in KINDS]


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What was bought meanwhile. A status goes on by itself: the service confirms a
    payment a moment later.
    """
    notices = []
    for kind in KINDS:
        old, new = (
            [{**row, "status": ""} for row in books[kind]] for books in (before, after)
        )
        if old != new:
            notices.append(
                f"{kind} {len(old)} and then {len(new)}: {next(row for row in new if row not in old)}"
            )
    return notices
