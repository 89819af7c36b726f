"""When a process takes a chunk, releases it, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from connectors.ledger.chunks import Chunk, Planned, SharedBatch, Work
from connectors.ledger.plans import drop
from connectors.ledger.store import Ledger
from domain.states import OrderState
from flows.batch import helping
from flows.batch.helping import CLOSED, ChunkWorker
from tasks.engine.resources import Resources, utc_now
from tests.connectors.ledger.test_chunks import shared_by
from tests.flows.plans import planned


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helping, "POLL_EVERY_S", 0.02)
    monkeypatch.setattr(helping, "TAKE_EVERY_S", 0.02)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=utc_now, owner="helper"
    ) as ledger:
        yield ledger


@pytest.fixture
def shared(ledger: Ledger) -> SharedBatch:
    shared = shared_by(ledger)
    ledger.chunks.put(shared, 1, Work.BUY, [[("A-1", "hash")], [("A-2", "hash")]])
    return shared


class Buying(ChunkWorker):
    """What it is to buy is `bought` by the test."""

    bought: Callable[[Chunk], object]

    async def _buy(
        self, chunk: Chunk, label: str, through: Callable[..., None]
    ) -> bool:
        answer = self.bought(chunk)
        if asyncio.iscoroutine(answer):
            await answer
        return self._rows.finish(self._shared, chunk.number)


def helper_of(
    ledger: Ledger,
    shared: SharedBatch,
    bought: Callable[[Chunk], object],
    *,
    idle_s: float = 0,
) -> Buying:
    breaker = SimpleNamespace(is_over=False, blocked_by="")
    resources = SimpleNamespace(
        ledger=ledger,
        clock=ledger.clock,
        send_logs=Path("nowhere"),
        concurrency=4,
        breaker=breaker,
    )
    buying = Buying(cast(Resources, resources), shared, idle_s=idle_s)
    buying.bought = bought
    return buying


def test_it_ends_when_nothing_is_left(ledger: Ledger, shared: SharedBatch) -> None:
    seen: list[int] = []
    helper = helper_of(ledger, shared, lambda chunk: seen.append(chunk.number))
    asyncio.run(helper.work())
    assert (seen, helper.done, helper.why_ended) == (
        [1, 2],
        {Work.BUY: 2},
        "nothing was left to take",
    )
    assert [(one.taken_by, one.is_done) for one in ledger.chunks.states(shared)] == [
        ("helper", True)
    ] * 2


def test_it_waits_for_what_comes_while_somebody_is_asked(
    ledger: Ledger, shared: SharedBatch
) -> None:
    """As long as it is told to, from its last chunk on."""
    seen: list[int] = []

    def bought(chunk: Chunk) -> None:
        seen.append(chunk.number)
        if chunk.number == 2:
            ledger.chunks.put(shared, 3, Work.BUY, [[("A-3", "hash")]])

    asyncio.run(helper_of(ledger, shared, bought, idle_s=0.1).work())
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("is_another", [False, True])
def test_it_stops_when_the_batch_is_closed_or_another_run_shares_it(
    ledger: Ledger, shared: SharedBatch, *, is_another: bool
) -> None:
    """Also in the middle of a chunk: what is on the wire is heard, as when a run is
    cancelled.
    """
    stopped: list[str] = []

    async def for_ever() -> None:
        try:
            if is_another:
                with Ledger(ledger.url, clock=utc_now, owner="second") as other:
                    shared_by(other)
            else:
                ledger.chunks.close(shared)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append("heard")
            raise

    helper = helper_of(ledger, shared, lambda _: for_ever())
    asyncio.run(asyncio.wait_for(helper.work(), 10))
    assert (set(stopped), helper.why_ended) == ({"heard"}, CLOSED)


def test_it_takes_no_more_for_a_run_that_is_gone(
    ledger: Ledger, shared: SharedBatch
) -> None:
    """What it has it ends."""
    helper = helper_of(ledger, shared, lambda _: None, idle_s=60)
    helper._resources.clock = lambda: utc_now() + timedelta(minutes=6)
    asyncio.run(asyncio.wait_for(helper.work(), 10))
    assert helper.why_ended.startswith("the batch has had no run since ")


def test_what_fails_is_released(ledger: Ledger, shared: SharedBatch) -> None:
    """Another one may do better, and finds it at once; the helper ends with its
    error.
    """

    def fails(chunk: Chunk) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        asyncio.run(helper_of(ledger, shared, fails).work())
    assert [(one.taken_by, one.is_done) for one in ledger.chunks.states(shared)] == [
        (None, False)
    ] * 2


def test_it_shows_that_it_is_alive(ledger: Ledger, shared: SharedBatch) -> None:
    seen = []

    async def long() -> None:
        before = after = ledger.chunks.states(shared)[0].seen_at
        async with asyncio.timeout(30):
            while after == before:
                await asyncio.sleep(0.1)
                after = ledger.chunks.states(shared)[0].seen_at
        seen.append((before, after))

    asyncio.run(
        helper_of(
            ledger, shared, lambda chunk: long() if chunk.number == 1 else None
        ).work()
    )
    ((before, after),) = seen
    assert before is not None
    assert after is not None
    assert after > before


def test_what_was_dropped_since_the_run_that_shares_the_batch_began_stays_dropped(
    ledger: Ledger,
) -> None:
    """The helper began after that."""
    shared = shared_by(ledger)
    ledger.put_plans([planned("A-9")], "batch")
    ledger.chunks.put(shared, 1, Work.PLAN, [[planned("A-9").request]])
    with Ledger(ledger.url, clock=utc_now, owner="person") as person:
        assert drop(person, ["A-9"], by="mei") == {}
    ledger.since = utc_now()
    helper_of(ledger, shared, lambda _: None)
    assert ledger.chunks.take(shared)
    assert ledger.chunks.finish_planned(shared, 1, [planned("A-9")], Planned())
    assert ledger.orders(["A-9"])["A-9"].state is OrderState.CANCELLED
