"""The account's rate, kept by several processes on one ledger; counted where the calls
of each arrive.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.postgres import Postgres, running_postgres
from tests.running import ROOT, RunningSandbox, own_sandbox
from tests.weather import Weather

LIMIT = 50
PROCESSES = 4
SETTLED_S = 5
"""Until all have begun and what was saved up is used."""
RETRY_AFTER_S = 5
STOPPED_S = 20
LOCKED_S = 2


class Counting(Weather):
    """The service as one process sees it: `arrived` are the moments of its calls."""

    def __init__(self, target: str) -> None:
        self.arrived: list[float] = []
        super().__init__(target)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.arrived.append(time.monotonic())
        return await super()._answer(request)


@dataclass
class Caller:
    """One process that calls, and what of it arrived."""

    process: subprocess.Popen[str]
    service: Counting

    def within(self, since: float, until: float) -> int:
        return sum(since <= at < until for at in self.service.arrived)


@dataclass
class Play:
    """A ledger of one account with its callers."""

    sandbox: RunningSandbox
    folder: Path
    server: Postgres | None
    stack: ExitStack
    ledger_url: str
    callers: list[Caller] = field(default_factory=list)

    def start(self) -> Caller:
        """One run more."""
        service = Counting(self.sandbox.url)
        self.stack.callback(service.end)
        settings = {
            "XPORTCN_BASE_URL": service.url,
            "XPORTCN_REQUESTS_PER_SECOND": str(LIMIT),
            "SOURCING_DATA_DIR": str(self.folder / f"home-{len(self.callers)}"),
            "SOURCING_LEDGER_URL": self.ledger_url,
            "SOURCING_PATIENCE_S": "600",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.endurance.caller"],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=(self.folder / f"errors-{len(self.callers)}").open("w"),
            text=True,
        )
        self.stack.callback(process.kill)
        assert process.stdout
        assert process.stdout.readline() == "calls\n", (
            f"it did not start: see {self.folder}"
        )
        self.callers.append(caller := Caller(process, service))
        return caller

    def runs(self) -> list[Caller]:
        return [self.start() for _ in range(PROCESSES)]

    def within(self, since: float, until: float) -> int:
        return sum(caller.within(since, until) for caller in self.callers)

    def most(self, seconds: float, since: float) -> int:
        """The most calls that arrived within so many seconds."""
        moments = sorted(
            at
            for caller in self.callers
            for at in caller.service.arrived
            if at >= since
        )
        limit = first = 0
        for last, at in enumerate(moments):
            while moments[first] <= at - seconds:
                first += 1
            limit = max(limit, last - first + 1)
        return limit

    def longest_gap(self, since: float, until: float) -> float:
        """The longest time in which nobody's call arrived."""
        moments = sorted(
            at
            for caller in self.callers
            for at in caller.service.arrived
            if since <= at < until
        )
        return max(
            after - before
            for before, after in zip([since, *moments], [*moments, until], strict=True)
        )


def rate_is_kept(database: str, seconds: float) -> bool:
    """A line a case, on one database; whether all went as promised."""
    print("rate      database    what was seen", flush=True)
    cases = [_kept, _fair, _throttled, _killed, _stopped, _ledger_away]
    return all([_case(database, case, seconds) for case in cases])


def _case(
    database: str, case: Callable[[Play, float], tuple[bool, str]], seconds: float
) -> bool:
    with _playing(database) as play:
        right, observed = case(play, seconds)
    name = case.__name__.strip("_")
    print(f"{name:10}{database:12}{observed}{'' if right else ' BROKEN'}", flush=True)
    return right


@contextmanager
def _playing(database: str) -> Iterator[Play]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="endurance-rate-"))
        server = (
            stack.enter_context(running_postgres(durable=True))
            if database == "postgresql"
            else None
        )
        url = server.new_database() if server else f"sqlite:///{folder / 'ledger.db'}"
        yield Play(stack.enter_context(own_sandbox()), folder, server, stack, url)


def _kept(play: Play, seconds: float) -> tuple[bool, str]:
    """Within five percent, and at least nine tenths of it used."""
    play.runs()
    since, until = _after(seconds)
    used = play.within(since, until) / (LIMIT * seconds)
    limit = play.most(seconds, since=0) / (LIMIT * seconds)
    a_second = play.most(1, since)
    message = f"{used:.1%} of {LIMIT}/s used over {seconds:g} s; at most {limit:.1%} in so long, {a_second} in a second"
    return (
        used >= 0.9 and limit <= 1.05,
        f"{message}, {play.most(1, since=0)} while they began",
    )


def _fair(play: Play, seconds: float) -> tuple[bool, str]:
    """A manual run beside that of a night gets at least a third."""
    play.start()
    manual = play.start()
    since, until = _after(seconds / 2)
    within = manual.within(since, until) / max(1, play.within(since, until))
    used = play.within(since, until) / (LIMIT * seconds / 2)
    return (
        within >= 1 / 3 and used <= 1.05,
        f"{within:.1%} for the manual run beside another, {used:.1%} used",
    )


def _throttled(play: Play, _seconds: float) -> tuple[bool, str]:
    """One is told to wait; all stop within a second."""
    first, *_ = play.runs()
    since, _ = _after(5)
    notices = time.monotonic()
    first.service.throttle(1.0, 1.0, str(RETRY_AFTER_S))
    time.sleep(RETRY_AFTER_S + 10)
    before = play.within(since, notices) / (notices - since)
    moments = sorted(at for caller in play.callers for at in caller.service.arrived)
    heard = next(at for at in sorted(first.service.arrived) if at >= notices)
    last = max(at for at in moments if at < heard + RETRY_AFTER_S - 0.5) - heard
    repeated = (
        next((at for at in moments if at >= heard + RETRY_AFTER_S - 0.5), notices + 99)
        - heard
    )
    message = f"{before:.0f}/s before; all had stopped after {last:.2f} s, and went on after {repeated:.1f} s"
    return last <= 1 and RETRY_AFTER_S - 0.1 <= repeated <= RETRY_AFTER_S + 5, message


def _killed(play: Play, seconds: float) -> tuple[bool, str]:
    """The others use what it had."""
    first, *_ = play.runs()
    _after(2)
    first.process.send_signal(signal.SIGKILL)
    died = time.monotonic()
    time.sleep(seconds / 4)
    early = play.within(died, died + 3) / (LIMIT * 3)
    later = play.within(died + 3, died + seconds / 4)
    used = later / (LIMIT * (seconds / 4 - 3))
    message = f"{early:.1%} used in the 3 s after kill -9 of one in four, {used:.1%} afterwards"
    return used >= 0.9 and early >= 0.6, message


def _stopped(play: Play, _seconds: float) -> tuple[bool, str]:
    """As when it is killed; and it comes back without what it had."""
    first, *_ = play.runs()
    _after(2)
    first.process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    time.sleep(STOPPED_S)
    used = play.within(stopped + 3, stopped + STOPPED_S) / (LIMIT * (STOPPED_S - 3))
    first.process.send_signal(signal.SIGCONT)
    back = time.monotonic()
    time.sleep(10)
    limit = play.most(1, since=back)
    after = play.within(back, back + 10) / (LIMIT * 10)
    message = f"{used:.1%} used while one stood still; {after:.1%} after that, at most {limit} in a second"
    return used >= 0.9 and 0.85 <= after <= 1.15, message


def _ledger_away(play: Play, _seconds: float) -> tuple[bool, str]:
    """SQLite locked for two seconds, PostgreSQL restarted: calls go on, and no more of
    them.
    """
    play.runs()
    since, _ = _after(5)
    if play.server:
        play.server.stop("immediate")
        time.sleep(LOCKED_S)
        play.server.start()
    else:
        with sqlite3.connect(play.folder / "ledger.db", isolation_level=None) as lock:
            lock.execute("BEGIN IMMEDIATE")
            time.sleep(LOCKED_S)
            lock.execute("ROLLBACK")
    back = time.monotonic()
    time.sleep(10)
    used = play.within(since, back + 10) / (LIMIT * (back + 10 - since))
    gap = play.longest_gap(since, back + 10)
    return (
        0.85 <= used <= 1.05 and gap <= 1.5,
        f"{used:.1%} used around {LOCKED_S} s; nothing for {gap:.2f} s at most",
    )


def _after(seconds: float) -> tuple[float, float]:
    """Let all settle, then wait so long; from when until when."""
    time.sleep(SETTLED_S)
    since = time.monotonic()
    time.sleep(seconds)
    return since, time.monotonic()
