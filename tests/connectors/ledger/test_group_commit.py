"""What a run's coroutines ask of the ledger at one time goes into few transactions, and
each hears its own answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.group_commit import GroupCommit
from connectors.ledger.marks import mark_restored
from connectors.ledger.plans import put_rows
from connectors.ledger.records import (
    Claimed,
    EffectRecord,
    OrderChange,
    Outcome,
    SpendLimits,
)
from connectors.ledger.store import Ledger
from domain.effects import EffectStatus
from domain.money import Money
from domain.states import IllegalMove, OrderState
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.postgres import Postgres
from tests.verdicts import in_these_words

LEASE = timedelta(seconds=60)
REFS = [f"A-{number}" for number in range(1, 7)]


@pytest.fixture
def group_commit(ledger: Ledger) -> GroupCommit:
    put_rows(ledger, [plan(ref) for ref in REFS[2:]])
    return GroupCommit(ledger)


@pytest.fixture
def commits(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each commit."""
    real = ledger.transaction
    commits = list[None]()

    @contextmanager
    def counted(*of: Any) -> Iterator[Connection]:
        with real(*of) as connection:
            yield connection
        commits.append(None)

    monkeypatch.setattr(ledger, "transaction", counted)
    return commits


def done(record: EffectRecord, state: OrderState = OrderState.ORDERED) -> Outcome:
    change = OrderChange(
        order_ref=record.order_ref,
        state=state,
        writes=Columns({"order_id": f"id-{record.order_ref}"}),
    )
    return Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)


def move(order_ref: str, state: OrderState) -> list[OrderChange]:
    return [OrderChange(order_ref=order_ref, state=state, why=in_these_words("seen"))]


async def claim_each(group_commit: GroupCommit) -> list[Claimed]:
    return await asyncio.gather(
        *(group_commit.claim(intents(ref), lease=LEASE) for ref in REFS)
    )


async def raised(*asked: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_claims_that_come_together_are_one_and_each_caller_gets_its_own(
    group_commit: GroupCommit, commits: list[None]
) -> None:
    """One commit for six claims."""
    claimed = await claim_each(group_commit)
    assert [list(item.won) for item in claimed] == [[ref] for ref in REFS]
    assert len(commits) == 1


async def test_outcomes_and_changes_that_come_together_are_one_commit(
    group_commit: GroupCommit, commits: list[None]
) -> None:
    """Four outcomes and two moves."""
    won = [
        record
        for item in await claim_each(group_commit)
        for record in item.won.values()
    ]
    outcomes = [group_commit.record(done(record)) for record in won[:4]]
    held = [group_commit.change(move(ref, OrderState.HELD)) for ref in REFS[4:]]
    assert await asyncio.gather(*outcomes, *held) == [
        True,
        True,
        True,
        True,
        None,
        None,
    ]
    assert len(commits) == 2
    states = [str(order.state) for order in (await group_commit.orders(REFS)).values()]
    assert states == ["ordered", "ordered", "ordered", "ordered", "held", "held"]


async def test_what_is_read_with_an_outcome_shows_it(group_commit: GroupCommit) -> None:
    """Of one turn the reads come last."""
    record = (await group_commit.claim(intents("A-1"), lease=LEASE)).won["A-1"]
    _, orders, effects, open_ = await asyncio.gather(
        group_commit.record(done(record)),
        group_commit.orders(["A-1"]),
        group_commit.effects_of(["A-1"]),
        group_commit.unsettled(["A-1", "A-2"]),
    )
    assert orders["A-1"].order_id == "id-A-1"
    assert [effect.status for effect in effects] == [EffectStatus.DONE]
    assert open_ == set()


async def test_each_reader_gets_what_it_asked_for(group_commit: GroupCommit) -> None:
    """In the order of the references; what is not there is left out."""
    await group_commit.claim(intents("A-2", "A-1"), lease=LEASE)
    two, orders, open_, of_both = await asyncio.gather(
        group_commit.orders(["A-2", "A-1"]),
        group_commit.orders(["A-3", "no"]),
        group_commit.unsettled(REFS),
        group_commit.effects_of(["A-2", "A-1"]),
    )
    assert (list(two), list(orders), open_) == (["A-2", "A-1"], ["A-3"], {"A-1", "A-2"})
    assert {effect.order_ref for effect in of_both} == {"A-1", "A-2"}


async def test_an_illegal_move_fails_its_caller_alone(
    group_commit: GroupCommit,
) -> None:
    """The others' outcomes and moves are written, although they came in the same
    turn.
    """
    record = (await group_commit.claim(intents("A-1"), lease=LEASE)).won["A-1"]
    heard = await raised(
        group_commit.change(move("A-2", OrderState.HELD)),
        group_commit.change(move("A-3", OrderState.DELIVERED)),
        group_commit.record(done(record)),
    )
    assert [type(item) for item in heard] == [type(None), IllegalMove, bool]
    states = {
        ref: order.state for ref, order in (await group_commit.orders(REFS[:3])).items()
    }
    assert states == {
        "A-1": OrderState.ORDERED,
        "A-2": OrderState.HELD,
        "A-3": OrderState.PLANNED,
    }


async def test_a_claim_that_fails_fails_its_caller_alone(
    group_commit: GroupCommit,
) -> None:
    """An order that the ledger does not have."""
    unknown = [replace(intent, plan_hash="h") for intent in intents("no")]
    lost, won = await raised(
        group_commit.claim(unknown, lease=LEASE),
        group_commit.claim(intents("A-1"), lease=LEASE),
    )
    assert (type(lost), list(won.won)) == (KeyError, ["A-1"])


async def test_two_claims_of_one_order_are_decided_as_ever(
    group_commit: GroupCommit,
) -> None:
    """One wins, the other finds it open."""
    first, second = await asyncio.gather(
        *(group_commit.claim(intents("A-1"), lease=LEASE) for _ in range(2))
    )
    assert (list(first.won), list(second.won), list(second.open)) == (
        ["A-1"],
        [],
        ["A-1"],
    )


async def test_claims_that_share_a_turn_share_the_budget(
    group_commit: GroupCommit,
) -> None:
    """Three of 1.00 CNY, and 2.50 CNY in all; in the order in which they came."""
    limits = SpendLimits(batch_id="batch", batch=Money(250), day=None)
    claimed = await asyncio.gather(
        *(
            group_commit.claim(intents(ref), lease=LEASE, limits=limits)
            for ref in REFS[:3]
        )
    )
    assert [list(item.won) for item in claimed] == [["A-1"], ["A-2"], []]
    assert (await group_commit.orders(["A-3"]))["A-3"].state is OrderState.HELD


async def test_a_ledger_that_may_not_buy_is_told_to_all_who_wait(
    group_commit: GroupCommit, ledger: Ledger
) -> None:
    """A mark forbids the claim; the outcome that came with it is written and known as
    written.
    """
    record = (await group_commit.claim(intents("A-1"), lease=LEASE)).won["A-1"]
    with ledger.transaction() as connection:
        mark_restored(connection, "was restored", by="x", at=ledger.clock())
    heard = await raised(
        group_commit.claim(intents("A-2"), lease=LEASE),
        group_commit.record(done(record)),
        group_commit.orders(["A-1"]),
    )
    assert [type(item) for item in heard] == [LedgerUnusable, bool, LedgerUnusable]
    assert (await group_commit.orders(["A-1"]))["A-1"].order_id == "id-A-1"


async def test_a_claim_whose_caller_is_cancelled_is_given_back(
    group_commit: GroupCommit, ledger: Ledger
) -> None:
    """Nobody would ever send it: it may be claimed again at once."""
    asking = asyncio.create_task(group_commit.claim(intents("A-1"), lease=LEASE))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    for _ in range(3):  # turns: what was asked before is answered before
        await group_commit.orders(["A-1"])
    assert [effect.status for effect in ledger.effects_of(["A-1"])] == [
        EffectStatus.UNSENT
    ]
    assert list((await group_commit.claim(intents("A-1"), lease=LEASE)).won) == ["A-1"]


async def test_a_cancelled_caller_takes_no_outcome_with_it(
    group_commit: GroupCommit,
) -> None:
    """What happened is written down, whoever waits for it."""
    record = (await group_commit.claim(intents("A-1"), lease=LEASE)).won["A-1"]
    asking = group_commit.record(done(record))
    await asyncio.sleep(0)
    asking.cancel()
    assert (await group_commit.orders(["A-1"]))["A-1"].order_id == "id-A-1"


async def test_who_waits_hears_when_the_program_ends_while_a_turn_waits_for_company(
    group_commit: GroupCommit,
) -> None:
    """A run is shielded from its end until the ledger has answered: without a word it
    would wait for ever.
    """
    asking = (
        group_commit.change(move("A-1", OrderState.HELD)),
        group_commit.orders(["A-1"]),
    )
    heard = asyncio.gather(*asking, return_exceptions=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for task in asyncio.all_tasks():
        if "_commit_queued" in repr(task.get_coro()):
            task.cancel()
    async with asyncio.timeout(5):
        assert [type(error) for error in await heard] == [asyncio.CancelledError] * 2


async def test_moves_of_one_order_are_made_in_the_order_in_which_they_came(
    group_commit: GroupCommit, ledger: Ledger
) -> None:
    """Also when they share a commit."""
    await asyncio.gather(
        *(
            group_commit.change(move("A-1", state))
            for state in (OrderState.HELD, OrderState.CANCELLED)
        )
    )
    assert [row["new_state"] for row in ledger.moves_of("A-1")] == [
        "planned",
        "held",
        "cancelled",
    ]


async def test_the_same_on_postgres(postgres: Postgres, clock: MovableClock) -> None:
    """Claim, outcome and move in one turn each, beside a change that is illegal."""
    with Ledger(postgres.new_ledger(), clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan(ref) for ref in REFS])
        group_commit = GroupCommit(ledger)
        won = [
            record
            for item in await claim_each(group_commit)
            for record in item.won.values()
        ]
        heard = await raised(
            *(group_commit.record(done(record)) for record in won[:5]),
            group_commit.change(move("A-6", OrderState.DELIVERED)),
        )
        assert [type(item) for item in heard] == [bool] * 5 + [IllegalMove]
        assert await group_commit.unsettled(REFS) == {"A-6"}
        assert not await group_commit.record(
            replace(done(won[0]), claim=replace(won[0].claim, fence=7))
        )
