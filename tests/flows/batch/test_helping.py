"""When a helper takes a chunk, gives it back, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from connectors.ledger.shares import Chunk, Share
from connectors.ledger.store import Ledger
from flows.batch import helping
from flows.batch.helping import CLOSED, Helping
from tasks.engine.resources import Resources, utc_now
from tests.flows.batch.test_sharing import TERMS

PARTS: list[dict[str, str | None]] = [{"A-1": "hash"}, {"A-2": "hash"}]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helping, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(helping, "TAKE_EVERY_S", 0.02)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=utc_now, owner="helper") as ledger:
        ledger.start_batch("batch", "file.csv")
        yield ledger


@pytest.fixture
def share(ledger: Ledger) -> Share:
    share = ledger.shares.open("share", "batch", version="1", terms=TERMS)
    ledger.shares.put_to_buy("share", 1, PARTS)
    return share


class Buying(Helping):
    """What it is to buy is `bought` by the test."""

    bought: Callable[[Chunk], object]

    async def _buy(self, chunk: Chunk, label: str, through: Callable[..., None]) -> bool:
        answer = self.bought(chunk)
        if asyncio.iscoroutine(answer):
            await answer
        return self._shares.finish(chunk)


def helper_of(ledger: Ledger, share: Share, bought: Callable[[Chunk], object], *, idle_s: float = 0) -> Buying:
    breaker = SimpleNamespace(is_over=False, blocked_by="")
    resources = SimpleNamespace(
        ledger=ledger,
        clock=ledger.clock,
        lease=timedelta(seconds=60),
        send_logs=Path("nowhere"),
        concurrency=4,
        breaker=breaker,
    )
    buying = Buying(cast(Resources, resources), share, idle_s=idle_s)
    buying.bought = bought
    return buying


def free(ledger: Ledger) -> list[int]:
    """The chunks that another one could take now."""
    return [one.number for one in ledger.shares.states("share") if not (one.is_held or one.is_done)]


def test_it_ends_when_nothing_is_left(ledger: Ledger, share: Share) -> None:
    seen: list[int] = []
    helper = helper_of(ledger, share, lambda chunk: seen.append(chunk.number))
    asyncio.run(helper.work())
    assert (seen, helper.why_ended) == ([1, 2], "nothing was left to take")
    assert all(one.is_done for one in ledger.shares.states("share"))
    assert ledger.shares.helpers() == ["helper"]


def test_it_waits_for_what_comes_while_somebody_is_asked(ledger: Ledger, share: Share) -> None:
    """As long as it is told to, from its last chunk on."""
    seen: list[int] = []

    def bought(chunk: Chunk) -> None:
        seen.append(chunk.number)
        if chunk.number == 2:
            ledger.shares.put_to_buy("share", 3, [{"A-3": "hash"}])

    asyncio.run(helper_of(ledger, share, bought, idle_s=0.1).work())
    assert seen == [1, 2, 3]


def test_it_stops_when_its_share_is_closed(ledger: Ledger, share: Share) -> None:
    """Also in the middle of a chunk: what is on the wire is heard, as when a run is cancelled."""
    stopped: list[str] = []

    async def for_ever() -> None:
        try:
            ledger.shares.close(share)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append("heard")
            raise

    helper = helper_of(ledger, share, lambda _: for_ever())
    asyncio.run(asyncio.wait_for(helper.work(), 10))
    assert (set(stopped), helper.why_ended) == ({"heard"}, CLOSED)


def test_it_takes_no_more_for_a_run_that_is_gone(ledger: Ledger, share: Share) -> None:
    """What it has it ends."""
    helper = helper_of(ledger, share, lambda _: None, idle_s=60)
    helper._resources.clock = lambda: utc_now() + timedelta(minutes=6)
    asyncio.run(asyncio.wait_for(helper.work(), 10))
    assert helper.why_ended.startswith("the batch has had no run since ")


def test_what_fails_is_given_back(ledger: Ledger, share: Share) -> None:
    """Another one may do better, and hears of it at once; the helper ends with its error."""

    def fails(chunk: Chunk) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        asyncio.run(helper_of(ledger, share, fails).work())
    assert free(ledger) == [1, 2]


def test_it_keeps_what_takes_longer_than_a_lease(ledger: Ledger, share: Share) -> None:
    before = [one.is_held for one in ledger.shares.states("share")]

    async def long() -> None:
        await asyncio.sleep(0.3)

    helper = helper_of(ledger, share, lambda _: long())
    helper._resources = cast(Resources, SimpleNamespace(**{**vars(helper._resources), "lease": timedelta(seconds=0.1)}))
    asyncio.run(helper.work())
    assert before == [False, False]
    assert all(one.is_done for one in ledger.shares.states("share"))
