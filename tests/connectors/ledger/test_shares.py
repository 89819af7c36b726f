"""A batch that several processes work on: who holds which chunk, and what happens to those of the dead."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from connectors.ledger.codec import to_json
from connectors.ledger.plans import plan_hash
from connectors.ledger.records import Approval, SpendLimits
from connectors.ledger.schema import share_chunks
from connectors.ledger.shares import Chunk, Planned, Share, Terms
from connectors.ledger.store import Ledger
from domain.forgetting import Mentions
from domain.money import Money
from domain.plan import PlannedOrder
from domain.reasons import earlier
from tests.clock import MovableClock
from tests.everyday import examples
from tests.flows.plans import planned
from tests.postgres import Postgres

LEASE = timedelta(seconds=60)
TERMS = Terms(
    account="user 1 at the sandbox",
    run="run",
    wanted="hash",
    limits=SpendLimits(batch_id="batch", batch=Money(100_00), day=None),
    chunk_size=2,
    concurrency=4,
    patience_s=0,
    settle_s=900,
    look_back_days=30,
    done_by=None,
    asks=True,
)


@pytest.fixture
def share(ledger: Ledger) -> Share:
    """Of three chunks to buy."""
    share = ledger.shares.open("share", "batch", version="1", terms=TERMS)
    ledger.shares.put_to_buy("share", 1, [{"A-1": "hash", "A-2": None}, {"A-3": "hash"}, {"A-4": "hash"}])
    return share


def take(ledger: Ledger, **how: Any) -> Chunk:
    chunk = ledger.shares.take("share", lease=LEASE, **how)
    assert chunk is not None
    return chunk


def test_a_share_is_found_as_it_was_opened(ledger: Ledger, share: Share, other: Ledger) -> None:
    assert other.shares.standing("batch") == other.shares.look("share") == share
    assert share.terms == TERMS
    assert other.shares.standing("another") is None


def test_each_chunk_has_one_holder(ledger: Ledger, other: Ledger, share: Share) -> None:
    """They are taken in their order; what all hold is free for nobody."""
    first, second, third = take(ledger), take(other), take(ledger, in_hand=[1])
    assert [(one.number, one.fence, one.had_a_holder) for one in (first, second, third)] == [
        (1, 1, False),
        (2, 1, False),
        (3, 1, False),
    ]
    assert first.approved == {"A-1": "hash", "A-2": None}
    assert ledger.shares.take("share", lease=LEASE, in_hand=[1, 3]) is None
    assert other.shares.take("share", lease=LEASE, in_hand=[2]) is None


def test_a_chunk_whose_holder_was_not_heard_of_is_taken_by_another(
    ledger: Ledger, other: Ledger, share: Share, clock: MovableClock
) -> None:
    """From then on the first one has no say in it."""
    slow = take(ledger)
    clock.advance(61)
    again = take(other)
    assert (again.number, again.fence, again.had_a_holder) == (1, 2, True)
    assert not ledger.shares.finish(slow)
    assert other.shares.finish(again)
    assert not other.shares.finish(again)


def test_who_renews_keeps_it(ledger: Ledger, other: Ledger, share: Share, clock: MovableClock) -> None:
    take(ledger)
    clock.advance(50)
    ledger.shares.renew("share", [1], lease=LEASE)
    clock.advance(50)
    assert take(other).number == 2
    clock.advance(11)
    assert take(other, in_hand=[2]).number == 1


def test_what_a_dead_one_held_is_free_at_once(ledger: Ledger, other: Ledger, share: Share) -> None:
    take(ledger)
    assert other.shares.holders("share") == {"first"}
    assert (take(other, dead=["first"]).number, take(other, in_hand=[1]).number) == (1, 2)


def test_what_was_taken_unheard_is_taken_again(ledger: Ledger, share: Share) -> None:
    """The database committed, and its answer was lost: nobody works on that chunk."""
    take(ledger)
    again = take(ledger, in_hand=())
    assert (again.number, again.fence) == (1, 2)


def test_what_is_given_back_and_what_is_left_is_free(ledger: Ledger, other: Ledger, share: Share) -> None:
    first = take(ledger)
    take(ledger, in_hand=[1])
    ledger.shares.give_back("share", [1])
    assert take(other).number == 1
    ledger.shares.leave("share")
    assert take(other, in_hand=[1]).number == 2
    assert not ledger.shares.finish(first)


def test_nothing_is_taken_of_a_share_that_is_closed(ledger: Ledger, other: Ledger, share: Share) -> None:
    """Nothing is kept of what was in it; who was at work is told that it is too late."""
    late = take(other)
    ledger.shares.close(share)
    assert other.shares.take("share", lease=LEASE) is None
    assert not other.shares.finish(late)
    assert not ledger.shares.put_to_buy("share", 5, [{"A-5": "hash"}])
    assert ledger.rows(select(share_chunks)) == []
    assert ledger.shares.standing("batch") is None
    found = ledger.shares.look("share")
    assert found is not None
    assert found.closed_at is not None


def test_one_of_two_takes_up_a_share(ledger: Ledger, other: Ledger, share: Share, clock: MovableClock) -> None:
    """Its run was not heard of; that one learns of it as soon as it wakes, and closes nothing any more."""
    clock.advance(60)
    assert other.shares.take_up(share)
    assert not ledger.shares.touch("share")
    assert not ledger.shares.put_to_buy("share", 5, [{"A-5": "hash"}])
    clock.advance(1)
    assert other.shares.touch("share")
    ledger.shares.close(share)
    assert other.shares.standing("batch") is not None


def test_nobody_takes_up_what_is_a_day_old(ledger: Ledger, other: Ledger, share: Share, clock: MovableClock) -> None:
    """What was approved then is asked about again; the next share that is opened ends it."""
    clock.advance(86_401)
    assert other.shares.standing("batch") is None
    other.shares.open("newer", "batch", version="1", terms=TERMS)
    assert ledger.shares.states("share") == []


def test_nobody_takes_up_what_was_approved_before_another_run_asked(
    ledger: Ledger, other: Ledger, share: Share, clock: MovableClock
) -> None:
    """That one may have heard a no; it began while the first still lived, and has ended."""
    clock.advance(1)
    newer = other.shares.open("newer", "batch", version="1", terms=TERMS)
    assert other.shares.standing("batch") == newer
    other.shares.close(newer)
    assert other.shares.standing("batch") is None


def test_chunks_are_put_once(ledger: Ledger, share: Share) -> None:
    """A commit whose answer was lost is repeated."""
    ledger.shares.put_to_buy("share", 3, [{"A-4": "hash"}, {"A-5": "hash"}])
    assert [one.number for one in ledger.shares.states("share")] == [1, 2, 3, 4]


@pytest.fixture
def to_plan(ledger: Ledger) -> Share:
    share = ledger.shares.open("share", "batch", version="1", terms=TERMS)
    ledger.shares.put_to_plan("share", 1, [[planned("P-1").request, planned("P-2").request], [planned("P-3").request]])
    return share


def test_plans_and_the_end_of_their_chunk_are_one(ledger: Ledger, to_plan: Share) -> None:
    """What was said of people is gone with it."""
    chunk = take(ledger)
    assert [one.order_ref for one in chunk.requests] == ["P-1", "P-2"]
    plans = [planned("P-1"), planned("P-2")]
    assert ledger.shares.finish_planned(chunk, plans, "batch", Planned(postponed=("P-2",)))
    assert ledger.orders(["P-1", "P-2"]).keys() == {"P-1", "P-2"}
    assert ledger.shares.planned("share", [1]) == [Planned(postponed=("P-2",))]
    kept = ledger.rows(select(share_chunks.c.content).where(share_chunks.c.number == 1))
    assert chunk.requests[0].receiver.name not in str(kept)


def test_who_slept_through_its_lease_writes_over_nothing(
    ledger: Ledger, other: Ledger, to_plan: Share, clock: MovableClock
) -> None:
    """Another one planned its chunk, and the plans were approved: they stay approved."""
    slow = take(ledger)
    clock.advance(61)
    plans = [planned("P-1"), planned("P-2")]
    assert other.shares.finish_planned(take(other), plans, "batch", Planned())
    other.approve([_approval(plan) for plan in plans], "batch")
    assert not ledger.shares.finish_planned(slow, plans, "batch", Planned())
    assert ledger.orders(["P-1"])["P-1"].plan_hash == plan_hash(plans[0])


def test_a_forgotten_receiver_is_in_no_chunk(ledger: Ledger, to_plan: Share) -> None:
    """The others of the chunk are planned; one of nothing else ends as any other."""
    for ref in ("P-1", "P-3"):
        ledger.forgotten.erase(ref, Mentions.of([{"name": "Ann"}]), by="ann")
    first, second = take(ledger), take(ledger, in_hand=[1])
    assert [[one.order_ref for one in chunk.requests] for chunk in (first, second)] == [["P-2"], []]
    assert ledger.shares.refs_to_plan("share") == {"P-2"}
    assert ledger.shares.finish_planned(second, [], "batch", Planned())


def test_requests_that_no_helper_ever_took_end_after_a_day(ledger: Ledger, to_plan: Share, clock: MovableClock) -> None:
    clock.advance(86_400)
    ledger.shares.close_idle()
    assert len(take(ledger)) == 2
    clock.advance(1)
    ledger.shares.close_idle()
    assert ledger.rows(select(share_chunks)) == []


def _approval(plan: PlannedOrder) -> Approval:
    return Approval(
        order_ref=plan.order_ref, plan_hash=plan_hash(plan), total=plan.total, freight=None, why=earlier("yes")
    )


@pytest.fixture(scope="module")
def crew(postgres: Postgres) -> Iterator[tuple[MovableClock, list[Ledger]]]:
    """Three processes on PostgreSQL, and their clock."""
    clock, url = MovableClock(), postgres.new_ledger()
    ledgers = [Ledger(url, clock=clock, owner=f"helper-{number}") for number in range(3)]
    ledgers[0].start_batch("batch", "file.csv")
    yield clock, ledgers
    for one in ledgers:
        one.close()


def test_those_who_take_at_one_moment_get_different_ones(crew: tuple[MovableClock, list[Ledger]]) -> None:
    """None waits for another's row, and none gets nothing while there is something."""
    _, ledgers = crew
    ledgers[0].shares.open("at-once", "batch", version="1", terms=TERMS)
    ledgers[0].shares.put_to_buy("at-once", 1, [{f"A-{number}": None} for number in range(60)])

    def take_all(ledger: Ledger) -> list[int]:
        taken: list[int] = []
        while chunk := ledger.shares.take("at-once", lease=LEASE, in_hand=taken):
            taken.append(chunk.number)
        return taken

    with ThreadPoolExecutor(3) as pool:
        taken = list(pool.map(take_all, ledgers))
    assert sorted(number for one in taken for number in one) == list(range(1, 61))


def test_who_forgets_waits_for_a_chunk_that_is_being_finished(crew: tuple[MovableClock, list[Ledger]]) -> None:
    """And leaves alone what came of it, which names nobody."""
    _, (ledger, other, _) = crew
    ledger.shares.open("forgets", "batch", version="1", terms=TERMS)
    ledger.shares.put_to_plan("forgets", 1, [[planned("F-1").request, planned("F-2").request]])
    chunk = ledger.shares.take("forgets", lease=LEASE)
    assert chunk is not None
    told = Planned(postponed=("F-2",))
    with ThreadPoolExecutor(1) as pool:
        with ledger.transaction(()) as connection:
            assert ledger.shares._finish(connection, chunk, {"content": to_json(told)})
            striking = pool.submit(other.forgotten.erase, "F-1", Mentions.of([{"name": "Ann"}]), by="ann")
            wait_until_blocked(ledger)
        striking.result(10)
    assert ledger.shares.planned("forgets", [1]) == [told]


def wait_until_blocked(ledger: Ledger) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while not ledger.rows(waiting)[0]["count"]:
        time.sleep(0.01)


STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "finish", "give back", "renew", "die", "wait"]), st.integers(0, 2)), max_size=40
)


@settings(max_examples=examples(25))
@given(STEPS, st.integers(1, 5))
def test_whoever_dies_when_each_chunk_is_done_once(
    crew: tuple[MovableClock, list[Ledger]], steps: list[tuple[str, int]], chunks: int
) -> None:
    """No chunk is lost, none is finished twice, and two believe to hold one only after a lease."""
    clock, ledgers = crew
    share = ledgers[0].shares.open(f"share-{clock.now}", "batch", version="1", terms=TERMS)
    name = share.share_id
    ledgers[0].shares.put_to_buy(name, 1, [{f"A-{number}": None} for number in range(chunks)])
    hands: list[dict[int, tuple[Chunk, float]]] = [{}, {}, {}]
    done: list[int] = []

    def finish(who: int, number: int) -> None:
        chunk, _ = hands[who].pop(number)
        done.extend([number] if ledgers[who].shares.finish(chunk) else [])

    for what, who in steps:
        rows, mine, now = ledgers[who].shares, hands[who], clock.now.timestamp()
        if what == "take" and (chunk := rows.take(name, lease=LEASE, in_hand=mine)):
            assert chunk.number not in done
            believers = [hand for hand in hands if (held := hand.get(chunk.number)) and held[1] > now]
            assert not believers
            mine[chunk.number] = chunk, now + 60
        elif what == "finish" and mine:
            finish(who, min(mine))
        elif what == "give back" and mine:
            rows.give_back(name, [number := min(mine)])
            del mine[number]
        elif what == "renew" and mine:
            rows.renew(name, list(mine), lease=LEASE)
            still = {number: held for number, held in mine.items() if held[1] > now}
            hands[who] = mine | {number: (one, now + 60) for number, (one, _) in still.items()}
        elif what == "die":
            mine.clear()
        elif what == "wait":
            clock.advance(31)
    clock.advance(61)
    while chunk := ledgers[0].shares.take(name, lease=LEASE):
        hands[0][chunk.number] = chunk, 0
        finish(0, chunk.number)
    assert sorted(done) == list(range(1, chunks + 1))
    assert all(one.is_done for one in ledgers[0].shares.states(name))
    clock.advance(1)
