"""What a permit of the account's rate costs a call: from blocks taken
of the ledger, by a round trip a call, or none.

Both keep their books in the same PostgreSQL, and the limit is far away, so that nobody
waits for anything but the permit. The rival is only for comparison and no dependency:
`pip install "pyrate-limiter[postgres]"` brings it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import import_module

from benchmarks.measuring import Comparison, compare
from connectors.ledger.store import Ledger
from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.permits import Permits
from tests.postgres import running_postgres

CALLS = 2_000
AT_ONCE = 16
CALL_S = 0.005
LIMIT = 1_000_000
REPETITIONS = 3
MISSING = 'pace: one rival is not here: pip install "pyrate-limiter[postgres]"'
Call = Callable[[], Awaitable[None]]


def run() -> list[Comparison]:
    with ExitStack() as stack:
        server = stack.enter_context(running_postgres(durable=True))
        url = server.new_database()
        ledger = stack.enter_context(
            Ledger(url, clock=lambda: datetime.now(UTC), owner="benchmark")
        )
        runner = stack.enter_context(asyncio.Runner())
        breaker = CircuitBreaker(at_once=AT_ONCE)
        lent = breaker.at_rate(Permits(LIMIT, ledger.pace))
        runner.run(lent.__aenter__())
        stack.callback(lambda: runner.run(lent.__aexit__(None, None, None)))
        passing = _passing(breaker)
        comparisons = [
            _compared(
                runner,
                passing,
                "no permit at all",
                _passing(CircuitBreaker(at_once=AT_ONCE)),
            )
        ]
        if rival := _round_trips(url, stack):
            comparisons.append(
                _compared(
                    runner,
                    passing,
                    "pyrate-limiter's PostgresBucket, a round trip a call",
                    rival,
                )
            )
        return comparisons


def _compared(
    runner: asyncio.Runner, own: Call, rival: str, theirs: Call
) -> Comparison:
    return compare(
        lambda: runner.run(_called(own)),
        lambda: runner.run(_called(theirs)),
        work=f"calls of {CALL_S * 1000:g} ms, {AT_ONCE} at once, each with a permit out of one PostgreSQL",
        rival=rival,
        amount=CALLS,
        things="calls",
        repetitions=REPETITIONS,
    )


def _passing(breaker: CircuitBreaker) -> Call:
    async def call() -> None:
        async with breaker.passing(holds_lease=False):
            await asyncio.sleep(CALL_S)

    return call


def _round_trips(url: str, stack: ExitStack) -> Call | None:
    try:
        limiters = import_module("pyrate_limiter")
        pools = import_module("psycopg_pool")
    except ModuleNotFoundError:
        print(MISSING, file=sys.stderr)
        return None
    pool = stack.enter_context(pools.ConnectionPool(url, min_size=4, open=True))
    bucket = limiters.PostgresBucket(
        pool, "calls", [limiters.Rate(LIMIT, limiters.Duration.SECOND)]
    )
    limiter = limiters.Limiter(bucket)

    async def call() -> None:
        await asyncio.to_thread(limiter.try_acquire, "calls")
        await asyncio.sleep(CALL_S)

    return call


async def _called(call: Call) -> None:
    waiting = iter(range(CALLS))

    async def caller() -> None:
        for _ in waiting:
            await call()

    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
