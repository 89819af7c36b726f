"""A batch that several processes work on: who takes which chunk, and what becomes of
those of the dead.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from connectors.ledger.chunks import Chunk, Planned, SharedBatch, Work
from connectors.ledger.plans import plan_hash
from connectors.ledger.records import Approval, SpendLimits
from connectors.ledger.schema import batches, chunks, to_json
from connectors.ledger.store import Ledger
from domain.forgetting import Mentions
from domain.money import Money
from domain.plan import PlannedOrder
from domain.reasons import earlier
from tasks.engine.resources import utc_now
from tests.clock import MovableClock
from tests.connectors.ledger.older import take_back
from tests.everyday import examples
from tests.flows.plans import planned
from tests.postgres import Postgres

TO_BUY = ([("A-1", "hash"), ("A-2", None)], [("A-3", "hash")], [("A-4", "hash")])


def shared_by(ledger: Ledger, batch: str = "batch") -> SharedBatch:
    """A batch that the run of this ledger shares from now on."""
    shared = SharedBatch(
        batch_id=batch,
        owner=ledger.owner,
        seen_at=ledger.clock(),
        version="1",
        account="user 1 at the sandbox",
        run="run",
        limits=SpendLimits(batch_id=batch, batch=Money(100_00), day=None),
        concurrency=4,
        done_by=datetime(2026, 1, 2, tzinfo=UTC),
        begun=ledger.clock(),
        asks=True,
        settings={"settle_s": 900, "retry_delays_s": [1.0]},
        xportcn={"pay_is": "debit"},
    )
    ledger.start_batch(batch, "file.csv")
    ledger.chunks.share(shared)
    return shared


@pytest.fixture
def shared(ledger: Ledger) -> SharedBatch:
    """With three chunks to buy."""
    shared = shared_by(ledger)
    ledger.chunks.put(shared, 1, Work.BUY, TO_BUY)
    return shared


def take(ledger: Ledger, shared: SharedBatch, **how: Any) -> Chunk:
    chunk = ledger.chunks.take(shared, **how)
    assert chunk is not None
    return chunk


def test_a_batch_is_found_as_it_was_shared(
    ledger: Ledger, shared: SharedBatch, other: Ledger
) -> None:
    assert other.chunks.of_batch("batch") == shared
    other.start_batch("another", "file.csv")
    assert other.chunks.of_batch("another") is None
    with pytest.raises(LookupError):
        other.chunks.of_batch("unknown")


def test_each_chunk_is_taken_once(
    ledger: Ledger, other: Ledger, shared: SharedBatch
) -> None:
    """They are taken in their order; what all have in hand is free for nobody."""
    first, second, third = (
        take(ledger, shared),
        take(other, shared),
        take(ledger, shared, in_hand=[1]),
    )
    assert [one.number for one in (first, second, third)] == [1, 2, 3]
    assert (first.work, first.approved) == (Work.BUY, {"A-1": "hash", "A-2": None})
    assert ledger.chunks.take(shared, in_hand=[1, 3]) is None
    assert other.chunks.take(shared, in_hand=[2]) is None
    assert other.chunks.finish(shared, 2)
    assert not other.chunks.finish(shared, 1)
    assert [(one.taken_by, one.is_done) for one in ledger.chunks.states(shared)] == [
        ("first", False),
        ("second", True),
        ("first", False),
    ]


def test_what_a_dead_one_had_is_free_at_once(
    ledger: Ledger, other: Ledger, shared: SharedBatch
) -> None:
    take(ledger, shared)
    assert other.chunks.at_work(shared) == {"first"}
    assert (
        take(other, shared, dead=["first"]).number,
        take(other, shared, in_hand=[1]).number,
    ) == (1, 2)


def test_what_was_taken_unheard_is_taken_again(
    ledger: Ledger, shared: SharedBatch
) -> None:
    """The database committed, and its answer was lost: nobody works on that chunk."""
    take(ledger, shared)
    assert take(ledger, shared, in_hand=()).number == 1


def test_what_is_released_is_free(
    ledger: Ledger, other: Ledger, shared: SharedBatch
) -> None:
    take(ledger, shared)
    take(ledger, shared, in_hand=[1])
    assert ledger.chunks.finish(shared, 1)
    ledger.chunks.release(shared)
    assert take(other, shared).number == 2
    assert not ledger.chunks.finish(shared, 2)


def test_a_sign_of_life_is_for_the_chunks_of_that_process(
    ledger: Ledger, other: Ledger, shared: SharedBatch, clock: MovableClock
) -> None:
    take(ledger, shared)
    take(other, shared)
    began = clock.now
    clock.advance(10)
    other.chunks.show_alive(shared)
    assert [one.seen_at for one in ledger.chunks.states(shared)] == [
        began,
        clock.now,
        None,
    ]


def test_nothing_is_taken_of_a_batch_that_is_closed(
    ledger: Ledger, other: Ledger, shared: SharedBatch
) -> None:
    """Nothing is kept of what was in it; who was at work is told that it is too
    late.
    """
    late = take(other, shared)
    ledger.chunks.close(shared)
    assert other.chunks.take(shared) is None
    assert not other.chunks.finish(shared, late.number)
    ledger.chunks.put(shared, 5, Work.BUY, [[("A-5", "hash")]])
    assert ledger.rows(select(chunks)) == []
    assert ledger.chunks.of_batch("batch") is None


def test_a_second_run_shares_the_batch_from_then_on(
    ledger: Ledger, other: Ledger, shared: SharedBatch
) -> None:
    """The first one learns of it, adds nothing any more, and closes nothing; what its
    helpers had is gone.
    """
    late = take(other, shared)
    again = shared_by(other)
    other.chunks.put(again, 1, Work.BUY, [[("A-1", "newer")]])
    assert not ledger.chunks.touch(shared)
    ledger.chunks.put(shared, 5, Work.BUY, [[("A-5", "hash")]])
    assert not other.chunks.finish(shared, late.number)
    ledger.chunks.close(shared)
    assert other.chunks.touch(again)
    assert other.chunks.of_batch("batch") == again
    assert [one["content"] for one in ledger.rows(select(chunks))] == [
        [["A-1", "newer"]]
    ]


def test_who_still_has_chunks_of_an_earlier_run_is_known_until_it_releases_them(
    ledger: Ledger, other: Ledger, shared: SharedBatch, clock: MovableClock
) -> None:
    """Nothing is taken any more. A process that was not seen for long is not among
    them.
    """
    take(other, shared)
    began = clock.now
    clock.advance(10)
    take(ledger, shared)
    with Ledger(ledger.url, clock=clock, owner="third") as third:
        assert third.chunks.unshare("batch", since=began) == {"first", "second"}
        assert ledger.chunks.of_batch("batch") is None
        assert ledger.chunks.take(shared, in_hand=[2]) is None
        assert ledger.chunks.finish(shared, 2)
        assert third.chunks.unshare("batch", since=began) == {"second"}
        assert third.chunks.unshare("batch", since=clock.now) == set()
        assert not other.chunks.finish(shared, 1)


def test_chunks_are_put_once(ledger: Ledger, shared: SharedBatch) -> None:
    """A commit whose answer was lost is repeated."""
    ledger.chunks.put(shared, 3, Work.BUY, [[("A-4", "hash")], [("A-5", "hash")]])
    assert [one.number for one in ledger.chunks.states(shared)] == [1, 2, 3, 4]


def test_what_is_withdrawn_is_finished_by_nobody(
    ledger: Ledger, other: Ledger, shared: SharedBatch
) -> None:
    """What is done stays; the run does the others itself."""
    done, late = take(other, shared), take(other, shared, in_hand=[1])
    assert other.chunks.finish(shared, done.number)
    for _ in range(2):  # a commit whose answer was lost is repeated
        ledger.chunks.withdraw(shared)
    assert not other.chunks.finish(shared, late.number)
    assert ledger.chunks.take(shared) is None
    assert [(one.number, one.is_done) for one in ledger.chunks.states(shared)] == [
        (1, True)
    ]


@pytest.fixture
def to_plan(ledger: Ledger) -> SharedBatch:
    shared = shared_by(ledger)
    parts = [[planned("P-1").request, planned("P-2").request], [planned("P-3").request]]
    ledger.chunks.put(shared, 1, Work.PLAN, parts)
    return shared


def test_plans_and_the_end_of_their_chunk_are_one(
    ledger: Ledger, to_plan: SharedBatch
) -> None:
    """What was said of people is gone with it."""
    chunk = take(ledger, to_plan)
    assert [one.order_ref for one in chunk.requests] == ["P-1", "P-2"]
    plans = [planned("P-1"), planned("P-2")]
    assert ledger.chunks.finish_planned(to_plan, 1, plans, Planned(postponed=("P-2",)))
    assert ledger.orders(["P-1", "P-2"]).keys() == {"P-1", "P-2"}
    assert ledger.chunks.planned(to_plan, [1]) == [Planned(postponed=("P-2",))]
    content = ledger.rows(select(chunks.c.content).where(chunks.c.number == 1))
    assert chunk.requests[0].receiver.name not in str(content)


def test_who_slept_meanwhile_writes_over_nothing(
    ledger: Ledger, other: Ledger, to_plan: SharedBatch
) -> None:
    """The run planned its chunk itself, and the plans were approved: they stay
    approved.
    """
    late = take(other, to_plan)
    ledger.chunks.withdraw(to_plan)
    plans = [planned("P-1"), planned("P-2")]
    ledger.put_plans(plans, "batch")
    ledger.approve([_approval(plan) for plan in plans], "batch")
    assert not other.chunks.finish_planned(to_plan, late.number, plans, Planned())
    assert ledger.orders(["P-1"])["P-1"].plan_hash == plan_hash(plans[0])


def test_who_lost_its_chunk_writes_over_nothing(
    ledger: Ledger, other: Ledger, to_plan: SharedBatch
) -> None:
    """Another process of its machine took it for dead."""
    late = take(ledger, to_plan)
    take(other, to_plan, dead=["first"])
    assert not ledger.chunks.finish_planned(
        to_plan, late.number, [planned("P-1")], Planned()
    )
    assert ledger.orders(["P-1"]) == {}


def test_a_forgotten_receiver_is_in_no_chunk(
    ledger: Ledger, to_plan: SharedBatch
) -> None:
    """The others of the chunk are planned; one of nothing else ends as any other."""
    for ref in ("P-1", "P-3"):
        ledger.forgotten.erase(ref, Mentions.of([{"name": "Ann"}]), by="ann")
    first, second = take(ledger, to_plan), take(ledger, to_plan, in_hand=[1])
    assert [[one.order_ref for one in chunk.requests] for chunk in (first, second)] == [
        ["P-2"],
        [],
    ]
    assert ledger.chunks.finish_planned(to_plan, second.number, [], Planned())


def test_requests_of_a_run_that_is_gone_end_after_a_day(
    ledger: Ledger, to_plan: SharedBatch, clock: MovableClock
) -> None:
    clock.advance(86_400)
    ledger.chunks.drop_old()
    assert len(take(ledger, to_plan)) == 2
    clock.advance(1)
    ledger.chunks.drop_old()
    assert ledger.rows(select(chunks)) == []


def test_an_upgrade_keeps_nothing_of_what_was_shared(
    ledger_url: str, clock: MovableClock
) -> None:
    """The run that shared it plans and buys what is left; the batch can be shared
    anew.
    """
    with Ledger(ledger_url, clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        with ledger.engine.begin() as connection:
            take_back(connection, "0012")
            at = {"at": clock()}
            connection.execute(
                text(
                    "INSERT INTO shares VALUES ('old', 'batch', 'gone', '1', '{}', :at, :at, NULL)"
                ),
                at,
            )
            connection.execute(
                text(
                    "INSERT INTO share_chunks VALUES ('old', 1, 'plan', '[]', 'helper', :at, 1, NULL)"
                ),
                at,
            )
            connection.execute(
                text("INSERT INTO share_helpers VALUES ('old', 'helper', :at, NULL)"),
                at,
            )
    with Ledger(ledger_url, clock=clock, owner="second") as ledger:
        assert ledger.chunks.of_batch("batch") is None
        shared = shared_by(ledger)
        ledger.chunks.put(shared, 1, Work.BUY, TO_BUY)
        assert [one.number for one in ledger.chunks.states(shared)] == [1, 2, 3]


def _approval(plan: PlannedOrder) -> Approval:
    return Approval(
        order_ref=plan.order_ref,
        plan_hash=plan_hash(plan),
        total=plan.total,
        freight=None,
        why=earlier("yes"),
    )


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_how_long_ago_a_run_was_seen_is_by_the_database_s_clock(
    postgres: Postgres, ahead: timedelta
) -> None:
    """A helper whose clock is ahead took no chunk, and one whose clock was behind went
    on for a dead run.
    """
    url = postgres.new_ledger()
    with (
        Ledger(url, clock=utc_now, owner="run") as run,
        Ledger(url, clock=lambda: utc_now() + ahead, owner="helper") as helper,
    ):

        def seen_ago() -> timedelta:
            found = helper.chunks.of_batch("batch")
            assert found is not None
            return helper.clock() - found.seen_at

        shared, long, minute = (
            shared_by(run),
            timedelta(minutes=3),
            timedelta(minutes=1),
        )
        assert timedelta(0) <= seen_ago() < minute
        with run.transaction(()) as connection:
            connection.execute(update(batches).values(shared_at=utc_now() - long))
        assert long <= seen_ago() < long + minute
        assert run.chunks.touch(shared)
        assert timedelta(0) <= seen_ago() < minute


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_how_long_ago_a_helper_was_seen_is_by_the_database_s_clock(
    postgres: Postgres, ahead: timedelta
) -> None:
    """A helper whose clock was behind lost its chunk to the run, and a dead one that
    was ahead was waited for.
    """
    url, long, minute = (
        postgres.new_ledger(),
        timedelta(minutes=3),
        timedelta(minutes=1),
    )
    with (
        Ledger(url, clock=utc_now, owner="run") as run,
        Ledger(url, clock=lambda: utc_now() + ahead, owner="helper") as helper,
    ):
        batch = shared_by(run)

        def seen_ago() -> timedelta:
            (state,) = run.chunks.states(batch)
            assert state.seen_at is not None
            return run.clock() - state.seen_at

        run.chunks.put(batch, 1, Work.BUY, TO_BUY[:1])
        take(helper, batch)
        assert timedelta(0) <= seen_ago() < minute
        with run.transaction(()) as connection:
            connection.execute(update(chunks).values(seen_at=utc_now() - long))
        assert long <= seen_ago() < long + minute
        helper.chunks.show_alive(batch)
        assert timedelta(0) <= seen_ago() < minute
        assert helper.chunks.unshare("batch", since=helper.clock() - minute) == {
            "helper"
        }
        with run.transaction(()) as connection:
            connection.execute(update(chunks).values(seen_at=utc_now() - long))
        assert helper.chunks.unshare("batch", since=helper.clock() - minute) == set()


@pytest.fixture(scope="module")
def crew(postgres: Postgres) -> Iterator[tuple[MovableClock, list[Ledger]]]:
    """Three processes on PostgreSQL, and their clock."""
    clock, url = MovableClock(), postgres.new_ledger()
    ledgers = [
        Ledger(url, clock=clock, owner=f"helper-{number}") for number in range(3)
    ]
    yield clock, ledgers
    for one in ledgers:
        one.close()


def test_those_who_take_at_one_moment_get_different_ones(
    crew: tuple[MovableClock, list[Ledger]],
) -> None:
    """None waits for another's row, and none gets nothing while there is something."""
    _, ledgers = crew
    shared = shared_by(ledgers[0], "at-once")
    ledgers[0].chunks.put(
        shared, 1, Work.BUY, [[(f"A-{number}", None)] for number in range(60)]
    )

    def take_all(ledger: Ledger) -> list[int]:
        taken: list[int] = []
        while chunk := ledger.chunks.take(shared, in_hand=taken):
            taken.append(chunk.number)
        return taken

    with ThreadPoolExecutor(3) as pool:
        taken = list(pool.map(take_all, ledgers))
    assert sorted(number for one in taken for number in one) == list(range(1, 61))


def test_who_forgets_waits_for_a_chunk_that_is_being_finished(
    crew: tuple[MovableClock, list[Ledger]],
) -> None:
    """And leaves alone what came of it, which names nobody."""
    _, (ledger, other, _) = crew
    shared = shared_by(ledger, "forgets")
    ledger.chunks.put(
        shared, 1, Work.PLAN, [[planned("F-1").request, planned("F-2").request]]
    )
    take(ledger, shared)
    result = Planned(postponed=("F-2",))
    with ThreadPoolExecutor(1) as pool:
        with ledger.transaction(()) as connection:
            assert ledger.chunks._finish(
                connection, shared, 1, {"content": to_json(result)}
            )
            erasing = pool.submit(
                other.forgotten.erase, "F-1", Mentions.of([{"name": "Ann"}]), by="ann"
            )
            wait_until_blocked(ledger)
        erasing.result(10)
    assert ledger.chunks.planned(shared, [1]) == [result]


def wait_until_blocked(ledger: Ledger) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while not ledger.rows(waiting)[0]["count"]:
        time.sleep(0.01)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "finish", "release", "die", "withdraw"]),
        st.integers(0, 2),
    ),
    max_size=40,
)


@settings(max_examples=examples(25))
@given(STEPS, st.integers(1, 5))
def test_whoever_dies_each_chunk_is_done_once_or_left_to_the_run(
    crew: tuple[MovableClock, list[Ledger]], steps: list[tuple[str, int]], count: int
) -> None:
    """No chunk is lost, none is in two hands, none is finished twice or after it was
    withdrawn.
    """
    clock, ledgers = crew
    clock.advance(1)
    shared = shared_by(ledgers[0], f"batch-{clock.now}")
    ledgers[0].chunks.put(
        shared, 1, Work.BUY, [[(f"A-{number}", None)] for number in range(count)]
    )
    hands: list[set[int]] = [set(), set(), set()]
    done: list[int] = []
    left: set[int] = set()

    def withdraw() -> None:
        left.update(
            {one.number for one in ledgers[0].chunks.states(shared) if not one.is_done}
        )
        ledgers[0].chunks.withdraw(shared)

    for what, who in steps:
        rows, mine = ledgers[who].chunks, hands[who]
        if what == "take" and (chunk := rows.take(shared, in_hand=mine)):
            assert not any(chunk.number in hand for hand in hands)
            mine.add(chunk.number)
        elif what == "finish" and mine:
            done += [number] if rows.finish(shared, number := min(mine)) else []
            mine.remove(number)
        elif what == "release":
            rows.release(shared)
            mine.clear()
        elif what == "die":
            mine.clear()  # the next one of that name takes them again
        elif what == "withdraw" and who == 0:
            withdraw()
    withdraw()
    assert sorted([*done, *left]) == list(range(1, count + 1))
    assert [one.number for one in ledgers[0].chunks.states(shared)] == sorted(done)
