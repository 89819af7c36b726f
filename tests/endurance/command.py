"""Once with everything: the real command with its Prefect server, killed and stopped
while it spends.
"""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

from domain.effects import OPEN
from tasks.effects.kinds import kind_of
from tests.crashes.books import kept
from tests.crashes.light import Job
from tests.endurance.shop import judged, new_batch
from tests.endurance.storm import LEASE_S, SETTLE_S, Repetition
from tests.running import Merchant, RunningSandbox

STRIKES = 4
LONGEST_STOP_S = 15.0
"""Longer than a lease, and shorter than lease and settle time."""


def commands_under_fire(
    sandbox: RunningSandbox,
    folder: Path,
    *,
    seed: int,
    orders: int,
    ledger_url: str | None,
) -> Repetition:
    """Two `sourcing run` at a time, killed `STRIKES` times, every other time after a
    stop; then alone.
    """
    luck = random.Random(seed)
    began = time.monotonic()
    file = new_batch(sandbox, folder, orders)
    settings = {"SOURCING_LEASE_S": str(LEASE_S), "SOURCING_SETTLE_S": str(SETTLE_S)}
    if ledger_url:
        settings["SOURCING_LEDGER_URL"] = ledger_url
    merchant = Merchant(sandbox, folder, settings)
    command = (
        "run",
        file,
        "--yes",
        "--batch",
        "batch",
        "--chunk-size",
        "25",
    )  # all of it fits into an unread pipe
    kills = stops = 0
    for strike in range(STRIKES):
        runs = [merchant.start(*command) for _ in range(2)]
        try:
            goal = _effects(sandbox) + luck.randint(1, max(2, orders // 2))
            while _effects(sandbox) < goal and any(
                item.poll() is None for item in runs
            ):
                time.sleep(0.02)
            victim = luck.choice(runs)
            if strike % 2:
                victim.send_signal(signal.SIGSTOP)
                stops += 1
                time.sleep(luck.uniform(LEASE_S, LONGEST_STOP_S))
                victim.send_signal(signal.SIGCONT)
        finally:
            kills += sum(item.poll() is None for item in runs)
            for item in runs:
                item.kill()
                item.communicate()
    job = Job(url=sandbox.url, folder=folder, file=file, settings=settings)
    last = [_alone(merchant, command)]
    open_until = time.monotonic() + LEASE_S + SETTLE_S
    while last[-1] not in (0, 3) or _is_open(job):
        if time.monotonic() > open_until + 60:
            break
        time.sleep(5)
        last.append(_alone(merchant, command))
    return Repetition(
        seed=seed,
        kills=kills,
        stops=stops,
        seconds=time.monotonic() - began,
        runs=len(last),
        failed=[code for code in last if code not in (0, 3)],
        end=judged(sandbox, job),
    )


def _alone(merchant: Merchant, command: tuple[str | Path, ...]) -> int:
    run = merchant.start(*command)
    run.communicate()
    return run.returncode


def _effects(sandbox: RunningSandbox) -> int:
    books = sandbox.books()
    return sum(len(books[kind]) for kind in ("orders", "payments", "shipments"))


def _is_open(job: Job) -> bool:
    """Whether something is left that time and a read can settle."""
    return any(
        effect.status in OPEN and kind_of(effect).absence_proves
        for effect in kept(job)[1]
    )
