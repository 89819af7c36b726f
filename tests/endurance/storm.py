"""Four processes on one batch; a seeded driver kills and stops them while they spend,
and starts them anew.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.crashes.books import kept
from tests.crashes.light import KILLED, Job, Run, Speed, run, start
from tests.endurance.shop import End, judged, new_batch, run_until_quiet
from tests.running import RunningSandbox

LEASE_S = 10
SETTLE_S = 60
TIMES = 2
"""The ledger's clock goes twice as fast: a lease is over in 5 s, and no stop outlasts
lease and settle time.
"""

LONGEST_STOP_S = 8.0
STORM_S = 300.0
PAUSE_S = 0.01
FEW = 1
MANY = 60
"""How many effects a process sends before the next blow."""


@dataclass(kw_only=True)
class _Target:
    """One of the processes, and what is to happen to it next."""

    run: Run
    strike_at: int
    continues_at: float | None = None


@dataclass(kw_only=True)
class Storm:
    """One repetition."""

    sandbox: RunningSandbox
    job: Job
    luck: random.Random
    processes: int
    kills: int = 0
    stops: int = 0
    failed: list[int] = field(default_factory=list)
    targets: list[_Target] = field(default_factory=list)

    def rages(self) -> None:
        """Until nothing is left to send, for `STORM_S` at most; ends with no
        process.
        """
        deadline = time.monotonic() + STORM_S
        self.targets = [self._started() for _ in range(self.processes)]
        while time.monotonic() < deadline and self.targets:
            for target in list(self.targets):
                self._weather(target)
            time.sleep(PAUSE_S)
        for target in self.targets:
            if target.continues_at is not None:
                target.run.goes_on()
        for target in self.targets:
            self._ended(target)

    def _weather(self, target: _Target) -> None:
        instant = time.monotonic()
        if target.continues_at is not None:
            if instant >= target.continues_at:
                target.run.goes_on()
                target.continues_at = None
        elif target.run.process.exitcode is not None:
            self._ended(target)
            self.targets.remove(target)
            if not self._is_over():
                self.targets.append(self._started())
        elif self._sent(target) >= target.strike_at:
            self._strike(target, instant)

    def _strike(self, target: _Target, instant: float) -> None:
        if self.luck.random() < 0.6:
            self.kills += 1
            os.kill(target.run.pid, signal.SIGKILL)
            target.run.ends()
            self.targets.remove(target)
            self.targets.append(self._started())
            return
        self.stops += 1
        os.kill(target.run.pid, signal.SIGSTOP)
        target.continues_at = instant + self.luck.uniform(0.1, LONGEST_STOP_S)
        target.strike_at = self._sent(target) + self.luck.randint(FEW, MANY)

    def _started(self) -> _Target:
        return _Target(run=start(self.job), strike_at=self.luck.randint(FEW, MANY))

    def _ended(self, target: _Target) -> None:
        code = target.run.ends(600)
        if code not in (0, KILLED):
            self.failed.append(code)

    def _sent(self, target: _Target) -> int:
        """How many effects the process has noted in its send log; the first line is the
        boot of the machine.
        """
        with suppress(OSError, StopIteration):
            log = next(
                (self.job.folder / "data" / "sends").glob(f"*-{target.run.pid}-*.log")
            )
            return max(0, log.read_bytes().count(b"\n") - 1)
        return 0

    def _is_over(self) -> bool:
        """Whether every order is booked, or waits for a person, or for the settle
        time.
        """
        orders, _ = kept(self.job)
        return bool(orders) and all(
            order.shipment is not None or order.state == "unknown"
            for order in orders.values()
        )


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """What one repetition was like and how it ended."""

    seed: int
    kills: int
    stops: int
    seconds: float
    runs: int
    failed: list[int]
    end: End


def repetition(
    sandbox: RunningSandbox,
    folder: Path,
    *,
    seed: int,
    orders: int,
    processes: int,
    ledger_url: str | None,
) -> Repetition:
    """One batch through one storm, to rest."""
    file = new_batch(sandbox, folder, orders)
    settings = {"SOURCING_LEASE_S": str(LEASE_S), "SOURCING_SETTLE_S": str(SETTLE_S)}
    if ledger_url:
        settings["SOURCING_LEDGER_URL"] = ledger_url
    began = time.monotonic()
    clock = Speed(times=TIMES, since=time.time())
    job = Job(
        url=sandbox.url,
        folder=folder,
        file=file,
        plans=folder / "plans",
        chunk_size=25,
        clock=clock,
        settings=settings,
    )
    run(replace(job, does="plan"))
    storm = Storm(
        sandbox=sandbox, job=job, luck=random.Random(seed), processes=processes
    )
    storm.rages()
    runs = run_until_quiet(job, past_settle_time_s=2 * (LEASE_S + SETTLE_S))
    return Repetition(
        seed=seed,
        kills=storm.kills,
        stops=storm.stops,
        seconds=time.monotonic() - began,
        runs=runs,
        failed=storm.failed,
        end=judged(sandbox, job),
    )
