"""`python -m benchmarks writers`: several processes on one PostgreSQL ledger that
claim, record and read as runs do.

Each order is created, paid and booked at a service that takes `--latency-ms` an answer,
with `--at-once` calls under way in each process. The server is a real one of its own,
whose commits are durable. Each row of the table is one ledger of its own; CPU is that
of all processes, and of the server, in milliseconds an order.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg

from benchmarks.processes import cpu_of
from connectors.concurrently import concurrently
from connectors.ledger.engine import chunked
from connectors.ledger.group_commit import GroupCommit
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange, Outcome, SpendLimits
from connectors.ledger.store import Ledger
from domain.effects import Action, EffectStatus
from domain.money import Money
from domain.states import OrderState
from tests.postgres import running_postgres

LEASE = timedelta(seconds=60)
PRICE = Money(1_000)
BATCH = "benchmark"
NO_LIMITS = SpendLimits(batch_id=BATCH, batch=None, day=None)
LIMITS = SpendLimits(batch_id=BATCH, batch=Money(10**12), day=Money(10**12))
PLAN: dict[str, Any] = {
    "batch_id": BATCH,
    "marketplace": "taobao",
    "state": OrderState.PLANNED,
    "fingerprint": "f" * 64,
    "request": {"receiver": "x" * 300},
    "lines": [{"item": "y" * 200}],
    "offers": [{"offer": "z" * 600}],
    "seller_id": "",
    "approved_minor": PRICE.minor,
    "payable_minor": PRICE.minor,
    "plan_hash": "h" * 64,
    "currency": PRICE.currency,
    "freight_approved_minor": PRICE.minor,
    "freight_currency": PRICE.currency,
}
WAITS = """
SELECT coalesce(wait_event_type || ' ' || wait_event, 'at work') FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state IN ('active', 'idle in transaction')
"""
COUNTS = "SELECT xact_commit, deadlocks FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one process buys, and how."""

    url: str
    refs: Sequence[str]
    limits: SpendLimits
    latency_s: float
    at_once: int
    begin: Barrier
    end: Barrier
    cpu_s: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Of one ledger: what it took, in seconds, and where connections stood when they
    were looked at.
    """

    seconds: float
    cpu_s: float
    server_cpu_s: float
    commits: int
    deadlocks: int
    waits: Mapping[str, int]


def main(arguments: Sequence[str]) -> None:
    options = _options(arguments)
    print(
        "| processes | limits | orders/s | times one | CPU ms | server's CPU ms | commits | deadlocks | waits |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with running_postgres(durable=True) as server:
        for limits in (
            {"none": NO_LIMITS, "both": LIMITS}[name]
            for name in options.limits.split(",")
        ):
            alone: float | None = None
            for processes in map(int, options.processes.split(",")):
                observed = bought(
                    server.new_database(), server.data, processes, limits, options
                )
                a_second = options.orders / observed.seconds
                alone = alone or a_second / processes
                waits = ", ".join(
                    f"{name} {number}"
                    for name, number in Counter(observed.waits).most_common(4)
                )
                cells = (
                    *(
                        str(processes),
                        "both" if limits.batch else "none",
                        f"{a_second:.0f}",
                        f"{a_second / alone:.2f}",
                    ),
                    *(
                        f"{1000 * cpu_s / options.orders:.1f}"
                        for cpu_s in (observed.cpu_s, observed.server_cpu_s)
                    ),
                    *(
                        f"{observed.commits / options.orders:.2f}",
                        str(observed.deadlocks),
                        waits,
                    ),
                )
                print(f"| {' | '.join(cells)} |", flush=True)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks writers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--orders", type=int, default=1_000, help="bought by all processes together"
    )
    parser.add_argument(
        "--begun",
        type=int,
        default=0,
        help="so many orders of the batch are ordered already",
    )
    parser.add_argument("--processes", default="1,2,4")
    parser.add_argument(
        "--at-once", type=int, default=16, help="calls under way in each process"
    )
    parser.add_argument(
        "--limits", default="none,both", help="batch's budget and day's limit"
    )
    parser.add_argument("--latency-ms", type=float, default=200)
    return parser.parse_args(arguments)


def bought(
    url: str,
    data: Path,
    processes: int,
    limits: SpendLimits,
    options: argparse.Namespace,
) -> Seen:
    """Let so many processes buy a batch."""
    refs = [f"B-{number}" for number in range(options.orders)]
    with Ledger(url, clock=_now, owner="plans") as ledger:
        ledger.start_batch(BATCH, "")
        started = [f"A-{number}" for number in range(options.begun)]
        for chunk in chunked([*started, *refs]):
            put_rows(ledger, [{**PLAN, "order_ref": ref} for ref in chunk])
        for chunk in chunked(started):
            won = ledger.claim(
                [_intent(ref, Action.CREATE) for ref in chunk], lease=LEASE
            ).won
            ledger.record(
                [_outcome(record.claim, Action.CREATE) for record in won.values()]
            )
    spawning = multiprocessing.get_context("spawn")
    begin = spawning.Barrier(processes + 1)
    end = spawning.Barrier(processes + 1)
    cpu_s = spawning.Value("d", 0.0)
    jobs = [
        Job(
            url=url,
            refs=refs[index::processes],
            limits=limits,
            latency_s=options.latency_ms / 1000,
            at_once=options.at_once,
            begin=begin,
            end=end,
            cpu_s=cpu_s,
        )
        for index in range(processes)
    ]
    workers = [
        spawning.Process(target=work, args=(f"run-{index}", job))
        for index, job in enumerate(jobs)
    ]
    for worker in workers:
        worker.start()
    with psycopg.connect(url, autocommit=True) as watching, sampling(watching) as waits:
        begin.wait(60)
        commits, deadlocks = _counts(watching)
        server_cpu_s = _cpu_of_server(data)
        began = time.monotonic()
        end.wait(3600)
        seconds = time.monotonic() - began
        server_cpu_s = _cpu_of_server(data) - server_cpu_s
    for worker in workers:
        worker.join()
    with psycopg.connect(url, autocommit=True) as watching:
        after = _counts(watching)
    with Ledger(url, clock=_now, owner="judge") as ledger:
        assert {order.state for order in ledger.orders(refs).values()} == {
            OrderState.BOOKED
        }
    return Seen(
        seconds=seconds,
        cpu_s=cpu_s.value,
        server_cpu_s=server_cpu_s,
        commits=after[0] - commits,
        deadlocks=after[1] - deadlocks,
        waits=waits,
    )


def work(name: str, job: Job) -> None:
    """In a process of its own."""
    with Ledger(job.url, clock=_now, owner=name) as ledger:
        group_commit = GroupCommit(ledger)
        ledger.committed_in(BATCH)
        job.begin.wait(60)
        before = _cpu_s()
        asyncio.run(
            concurrently(
                job.refs, lambda ref: _buy(group_commit, ref, job), at_once=job.at_once
            )
        )
        with job.cpu_s.get_lock():
            job.cpu_s.value += _cpu_s() - before
        job.end.wait(3600)


async def _buy(group_commit: GroupCommit, ref: str, job: Job) -> None:
    for action in (Action.CREATE, Action.PAY, Action.BOOK):
        await group_commit.orders([ref])
        limits = job.limits if action is not Action.BOOK else None
        claimed = await group_commit.claim(
            [_intent(ref, action)], lease=LEASE, limits=limits
        )
        await asyncio.sleep(job.latency_s)
        await group_commit.record(_outcome(claimed.won[ref].claim, action))


def _intent(ref: str, action: Action) -> Intent:
    return Intent(order_ref=ref, action=action, amount=PRICE, request_hash="h")


def _outcome(claim: Any, action: Action) -> Outcome:
    ref = claim.order_ref
    at = claim.lease_until
    change = {
        Action.CREATE: OrderChange(
            order_ref=ref,
            state=OrderState.ORDERED,
            writes=OrderUpdate.ordered(order_id=f"id-{ref}", total=PRICE, at=at),
        ),
        Action.PAY: OrderChange(
            order_ref=ref,
            state=OrderState.PAID,
            writes=OrderUpdate(
                {"paid_minor": PRICE.minor, "paid_at": at, "total_minor": PRICE.minor}
            ),
        ),
        Action.BOOK: OrderChange(
            order_ref=ref,
            state=OrderState.BOOKED,
            writes=OrderUpdate({"shipment_order_id": f"s-{ref}", "booked_at": at}),
        ),
    }[action]
    return Outcome(
        claim=claim, status=EffectStatus.DONE, answer={"of": ref}, change=change
    )


@contextmanager
def sampling(connection: psycopg.Connection[Any]) -> Iterator[Counter[str]]:
    """What connections of a database wait for, looked at twenty times a second."""
    waits = Counter[str]()
    over = Event()

    def sample() -> None:
        with psycopg.connect(connection.info.dsn, autocommit=True) as looking:
            while not over.wait(0.05):
                waits.update(name for (name,) in looking.execute(WAITS))

    thread = Thread(target=sample)
    thread.start()
    yield waits
    over.set()
    thread.join()


def _counts(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    connection.execute("SELECT pg_sleep(1.1)")  # counts are told about once a second
    ((commits, deadlocks),) = connection.execute(COUNTS)
    return commits, deadlocks


def _cpu_of_server(data: Path) -> float:
    """CPU seconds of the server's processes that live, and of those that ended."""
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    fields = Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()
    children = (
        Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    )
    return (
        sum(cpu_of(int(pid)) for pid in children)
        + (int(fields[13]) + int(fields[14])) / 100
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _now() -> datetime:
    return datetime.now(UTC)
