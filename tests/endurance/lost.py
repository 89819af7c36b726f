"""`kill -9` of parts of `sourcing serve`, at several ages of a run: it is taken up
without a person, and pays once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from connectors.ledger.questions import question_hash
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from deployments.serving import descendants_of
from tests.deployments.conftest import free_port, receiver
from tests.deployments.served import Served, wait_for
from tests.history import violations
from tests.postgres import running_postgres
from tests.running import (
    ROOT,
    RunningSandbox,
    own_sandbox,
    single_line_orders,
    write_csv,
)

WITHIN_S = 180
ORDERS = {"taobao": 20, "1688": 20}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is killed, how long after the run was started, and whether that run buys
    what a person has approved in it.
    """

    kills: Literal["serve", "worker", "run", "all"]
    age_s: int
    answers: bool
    database: Literal["sqlite", "postgresql"]

    @property
    def words(self) -> str:
        return f"{self.kills:6} {self.age_s:3} s {'answers' if self.answers else 'plans':7} {self.database:10}"


CASES = (
    Case(kills="serve", age_s=5, answers=False, database="sqlite"),
    Case(kills="serve", age_s=400, answers=True, database="postgresql"),
    Case(kills="worker", age_s=60, answers=False, database="postgresql"),
    Case(kills="worker", age_s=5, answers=True, database="sqlite"),
    Case(kills="run", age_s=400, answers=False, database="sqlite"),
    Case(kills="run", age_s=60, answers=True, database="postgresql"),
    Case(kills="all", age_s=5, answers=False, database="postgresql"),
    Case(kills="all", age_s=60, answers=True, database="sqlite"),
)
"""Of the pairs of what is killed with everything else, and of the others with each
other, as many as eight can hold.
"""


@dataclass(kw_only=True)
class Seen:
    """What became of a run. Seconds are from the kill, or from when `sourcing serve`
    was started again.
    """

    paid_before: int = 0
    taken_up_s: float | None = None
    seconds: float = 0
    paid: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def lost_runs_are_taken_up(cases: Sequence[Case] = CASES) -> bool:
    """Each on a new data folder; a line each."""
    right = 0
    for case in cases:
        observed = _one(case)
        taken_up = (
            f"{observed.taken_up_s:.0f} s"
            if observed.taken_up_s is not None
            else "never"
        )
        paid = ", ".join(
            f"{count} paid {times} times"
            for times, count in sorted(observed.paid.items())
        )
        print(
            f"lost       {case.words} {observed.paid_before:3} paid before; taken up {taken_up}, "
            f"over after {observed.seconds:.0f} s; {paid}; {'; '.join(observed.wrong) or 'right'}",
            flush=True,
        )
        right += not observed.wrong
    print(f"lost: {right} of {len(cases)} taken up and paid once", flush=True)
    return right == len(cases)


def _one(case: Case) -> Seen:
    folder = Path(tempfile.mkdtemp(prefix="endurance-lost-"))
    with own_sandbox() as sandbox, receiver(folder) as alerts, _postgres(case) as url:
        settings = {
            "port": free_port(),
            "sandbox_port": int(sandbox.url.rpartition(":")[2]),
            "alerts": alerts,
            "environment": {"SOURCING_CHUNK_SIZE": "2", "SOURCING_CONCURRENCY": "1"},
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        location = LostPlace(Served(folder), url)
        try:
            location.start()
            return _killed(case, location, sandbox)
        finally:
            location.kill()


@dataclass
class LostPlace:
    """An installation that is killed and started again."""

    shop: Served
    ledger_url: str | None
    settings: Mapping[str, str] = field(
        default_factory=lambda: {"SOURCING_SETTLE_S": "0"}
    )
    options: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until everything is registered."""
        output = self.shop.folder / "serve.txt"
        ledger = {"SOURCING_LEDGER_URL": self.ledger_url} if self.ledger_url else {}
        with output.open("w") as file:
            process = self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "cli.main",
                    "serve",
                    "--port",
                    str(self.shop.settings["port"]),
                    *self.options,
                ],
                cwd=ROOT,
                env={**self.shop.environment, **self.settings, **ledger},
                stdout=file,
                stderr=file,
            )
        (self.shop.folder / "served.json").write_text(json.dumps({"pid": process.pid}))
        wait_for(
            lambda: "Ctrl-C" in output.read_text() or process.poll() is not None,
            seconds=240,
        )
        assert process.poll() is None, output.read_text()

    def kill(self, *, parts: bool = True) -> None:
        """The main process, which takes its parts along, or all at once."""
        if self.process is None:
            return
        below = descendants_of(self.process.pid)
        for pid in [self.process.pid, *(below if parts else [])]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_for(
            lambda: not [pid for pid in below if Path(f"/proc/{pid}/fd/0").exists()],
            seconds=60,
        )


def _killed(case: Case, lost_place: LostPlace, sandbox: RunningSandbox) -> Seen:
    shop = lost_place.shop
    running_sandbox = Seen()
    sandbox.faults(
        {
            "path": "*pay*",
            "kind": "latency",
            "probability": 1,
            "delay_s": min(20, max(2, case.age_s / 20)),
        }
    )
    file = write_csv(shop.folder / "batch.csv", single_line_orders(sandbox, ORDERS))
    expected = {
        "requests": {"file": str(file)},
        "dry_run": False,
        "yes": not case.answers,
        "batch": "lost",
    }
    run_id = shop.start(
        "buy-from-file/buy-from-file",
        **expected,
    )
    if case.answers:
        shop.await_state(run_id, "WaitsForApproval")
        running_sandbox.wrong += ["bought what nobody approved"] * bool(
            sandbox.books()["orders"]
        )
        run_id = shop.start("approve-batch/approve-batch", **_answer(lost_place))
    time.sleep(case.age_s)
    running_sandbox.paid_before = len(sandbox.books()["payments"])
    began = _kill(case, lost_place, run_id)
    running_sandbox.taken_up_s = _until(
        began, lambda: len(sandbox.books()["payments"]) > running_sandbox.paid_before
    )
    running_sandbox.wrong += ["not taken up"] * (running_sandbox.taken_up_s is None)
    sandbox.faults()
    with suppress(AssertionError):
        wait_for(lambda: not _wrong_books(lost_place, sandbox), seconds=600)
    running_sandbox.seconds = time.monotonic() - began
    running_sandbox.wrong += _wrong_books(lost_place, sandbox)
    running_sandbox.paid = Counter(
        order["paid_times"] for order in sandbox.books()["orders"]
    )
    return running_sandbox


def _kill(case: Case, lost_place: LostPlace, run_id: str) -> float:
    """Answers when it was done, or was being started again by hand."""
    shop = lost_place.shop
    if case.kills in ("serve", "all"):
        lost_place.kill(parts=case.kills == "all")
        began = time.monotonic()
        lost_place.start()
        return began
    for pid in (
        [shop.part("worker")] if case.kills == "worker" else shop.processes_of(run_id)
    ):
        os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def _until(began: float, came: Callable[[], object]) -> float | None:
    """After how many seconds it came; None for never."""
    with suppress(AssertionError):
        wait_for(came, seconds=WITHIN_S)
        return time.monotonic() - began
    return None


def _answer(lost_place: LostPlace) -> dict[str, str]:
    """A yes to all that waits, as its link fills the form in but for that."""
    settings = SourcingSettings(data_dir=lost_place.shop.data_dir)
    url = lost_place.ledger_url or settings.ledger_url
    with Ledger(url, clock=lambda: datetime.now(UTC), owner="test") as ledger:
        shown_hash = question_hash(ledger, "lost", settings)
    return {"batch": "lost", "plan_hash": shown_hash, "answer": "all"}


def _wrong_books(lost_place: LostPlace, sandbox: RunningSandbox) -> list[str]:
    url = (
        lost_place.ledger_url
        or SourcingSettings(data_dir=lost_place.shop.data_dir).ledger_url
    )
    with Ledger(url, clock=lambda: datetime.now(UTC), owner="test") as ledger:
        orders = ledger.orders(ledger.refs_in("lost"))
        broken = violations(
            sandbox.books(), orders, ledger.effects_of(orders), at_rest=True
        )
        states = Counter(str(order.state) for order in orders.values())
    wrong = [str(violation) for violation in broken]
    return wrong + (
        [] if states == {"booked": sum(ORDERS.values())} else [str(dict(states))]
    )


@contextmanager
def _postgres(case: Case) -> Iterator[str | None]:
    if case.database == "sqlite":
        yield None
        return
    with running_postgres(durable=True) as server:
        yield server.new_database()
