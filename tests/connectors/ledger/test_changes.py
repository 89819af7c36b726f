"""Following what several writers commit: what a run knows of what is spent is what the
ledger says, at every look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, func, insert, select, update

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.order_mover import LOCKED_ORDERS
from connectors.ledger.plans import put_rows
from connectors.ledger.schema import changes, effects, orders
from connectors.ledger.spending import (
    KEPT,
    MOST_NAMED,
    PRUNE_EVERY,
    CommittedTotals,
    SeenUntil,
    batch_total,
    changes_since,
    day_total,
    record_change,
)
from connectors.ledger.store import Ledger
from connectors.ledger.transactions import passes
from domain.effects import EffectStatus
from domain.holds import start_of_day
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents, plan
from tests.everyday import examples
from tests.postgres import Postgres

LEASE = timedelta(seconds=60)
REFS = [f"A-{number}" for number in range(8)]
WRITERS = 4


class Undone(Exception):
    """A transaction that its writer gives up."""


class LedgerWriter:
    """A thread of a run: one transaction at a time, on the orders that nobody else has
    locked.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.refs: list[str] = []
        self._stack = ExitStack()
        self._connection: Connection | None = None

    def begin(self, refs: list[str]) -> None:
        self._connection = self._stack.enter_context(self.ledger.transaction(refs))
        self._connection.execute(LOCKED_ORDERS, {"refs": refs})
        self.refs = refs

    def check(self) -> None:
        """What is followed is what sums over all orders say."""
        if self._connection is None:
            with self.ledger.transaction(()) as connection:
                assert_followed(self.ledger, connection)
        else:
            assert_followed(self.ledger, self._connection)

    def end(self, fen: int, status: EffectStatus, *, undone: bool) -> None:
        """Change what was locked, and commit."""
        if self._connection is None:
            return
        of_these = orders.c.order_ref.in_(self.refs)
        self._connection.execute(
            update(orders).where(of_these).values(payable_minor=100_000 + fen)
        )
        settled_at = None if status is EffectStatus.SENDING else self.ledger.clock()
        values = {"status": status, "settled_at": settled_at}
        self._connection.execute(
            update(effects).where(effects.c.order_ref.in_(self.refs)).values(values)
        )
        self._connection, self.refs = None, []
        if undone:
            self._stack.__exit__(Undone, Undone(), None)
        else:
            self._stack.close()


def assert_followed(ledger: Ledger, connection: Connection) -> None:
    day_start = start_of_day(ledger.clock(), "Asia/Shanghai")
    batch, day, _ = ledger.totals.sums(connection, batch_id="batch", since=day_start)
    assert (batch, day) == (
        batch_total(connection, "batch"),
        day_total(connection, day_start),
    )


@pytest.fixture(scope="module")
def runs(postgres: Postgres) -> Iterator[list[Ledger]]:
    """Two runs on one PostgreSQL ledger whose orders are all begun."""
    url, clock = postgres.new_ledger(), MovableClock()
    with (
        Ledger(url, clock=clock, owner="first") as first,
        Ledger(url, clock=clock, owner="second") as second,
    ):
        first.start_batch("batch", "file.csv")
        put_rows(first, [plan(ref) for ref in REFS])
        first.claim(intents(*REFS), lease=LEASE)
        yield [first, second]


PLACE = st.integers(0, WRITERS - 1)
STATUSES = st.sampled_from(
    [EffectStatus.SENDING, EffectStatus.DONE, EffectStatus.UNSENT]
)
STEPS = st.one_of(
    st.tuples(
        st.just("begin"), PLACE, st.lists(st.sampled_from(REFS), min_size=1, max_size=3)
    ),
    st.tuples(st.just("end"), PLACE, st.integers(1, 200), STATUSES, st.booleans()),
    st.tuples(st.just("look"), PLACE),
)


@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, min_size=10, max_size=40))
def test_what_is_followed_is_what_the_ledger_says_however_commits_overtake_each_other(
    runs: Sequence[Ledger], steps: Sequence[tuple[Any, ...]]
) -> None:
    """Four threads of two runs: a transaction that began first may be seen last, and a
    look is in the midst of one.
    """
    writers = [LedgerWriter(runs[place % 2]) for place in range(WRITERS)]
    try:
        for what, place, *values in steps:
            writer = writers[place]
            if what == "look":
                writer.check()
            elif what == "end":
                writer.end(values[0], values[1], undone=values[2])
            elif not writer.refs:
                locked = {ref for other in writers for ref in other.refs}
                if free := sorted({*values[0]} - locked):
                    writer.begin(free)
    finally:
        for writer in writers:
            writer.end(100, EffectStatus.DONE, undone=False)
    for writer in writers:
        writer.check()


def test_what_a_transaction_changes_after_its_own_look_is_seen_at_the_next(
    runs: Sequence[Ledger],
) -> None:
    """Its snapshot takes it for ended when a later one has ended before the look."""
    overtaken, overtaking = LedgerWriter(runs[0]), LedgerWriter(runs[1])
    overtaken.begin(["A-1"])
    overtaking.begin(["A-2"])
    overtaking.end(70, EffectStatus.DONE, undone=False)
    overtaken.check()
    overtaken.end(80, EffectStatus.DONE, undone=False)
    overtaken.check()


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, ledger: Ledger, clock: MovableClock
) -> Iterator[Ledger]:
    """A ledger of either kind with two planned orders."""
    if request.param == "sqlite":
        yield ledger
        return
    url = request.getfixturevalue("postgres").new_ledger()
    with Ledger(url, clock=clock, owner="first") as server:
        server.start_batch("batch", "file.csv")
        put_rows(server, [plan("A-1"), plan("A-2")])
        yield server


@contextmanager
def statements(ledger: Ledger) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    asked: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(ledger.engine, "before_cursor_execute", keep)
    yield asked
    event.remove(ledger.engine, "before_cursor_execute", keep)


def test_another_runs_commit_costs_no_new_sum(
    shared: Ledger, clock: MovableClock
) -> None:
    """The orders that it changed are read, and nothing else."""
    with (
        Ledger(shared.url, clock=clock, owner="second") as other,
        shared.transaction(()) as connection,
    ):
        assert_followed(shared, connection)
    with Ledger(shared.url, clock=clock, owner="second") as other:
        other.claim(intents("A-2"), lease=LEASE)
    day_start = start_of_day(clock(), "Asia/Shanghai")
    with statements(shared) as asked, shared.transaction(()) as connection:
        batch, day, _ = shared.totals.sums(
            connection, batch_id="batch", since=day_start
        )
    assert (batch, day) == (100, 100)
    assert len([statement for statement in asked if "FROM effects" in statement]) == 1


def test_few_commits_are_kept_and_who_was_away_for_longer_sums_up_anew(
    shared: Ledger,
) -> None:
    """The table stays small whatever happens, and nothing is missed."""
    away = CommittedTotals()
    with shared.transaction(()) as connection:
        assert away.sums(connection, batch_id="batch", since=None)[0] == 0
    shared.claim(intents("A-1"), lease=LEASE)
    for _ in range(KEPT + 3 * PRUNE_EVERY):
        with shared.transaction(["A-2"]):
            pass
    with shared.transaction(()) as connection:
        assert (
            connection.execute(select(func.count()).select_from(changes)).scalar_one()
            <= KEPT + 2 * PRUNE_EVERY
        )
        assert away.sums(connection, batch_id="batch", since=None)[0] == 100


def test_a_commit_of_very_many_orders_names_none(shared: Ledger) -> None:
    """They are summed up anew, which is cheaper by then."""
    with shared.transaction(()) as connection:
        before, _ = changes_since(connection, SeenUntil())
    with shared.engine.begin() as connection:
        record_change(connection, [f"B-{number}" for number in range(MOST_NAMED + 1)])
    with shared.transaction(()) as connection:
        assert changes_since(connection, before)[1] is None


def test_numbers_of_another_server_are_read_until_they_are_pruned(
    postgres: Postgres, clock: MovableClock
) -> None:
    """A database that was put back elsewhere: such a number may be one that is to come
    there.
    """
    with Ledger(postgres.new_ledger(), clock=clock, owner="first") as ledger:
        with ledger.engine.begin() as connection:
            next_one = (
                int(
                    connection.exec_driver_sql(
                        "SELECT pg_current_xact_id()::text"
                    ).scalar_one()
                )
                + 1
            )
            rows = [
                {"number": number, "order_refs": ["Z-1"]}
                for number in (next_one, 10**12)
            ]
            connection.execute(insert(changes), rows)
        with ledger.transaction(["A-1"]) as connection:
            before, _ = changes_since(connection, SeenUntil())
        with ledger.transaction(()) as connection:
            assert changes_since(connection, before)[1] == {"A-1", "Z-1"}
        for _ in range(KEPT + PRUNE_EVERY):
            with ledger.transaction(["A-2"]):
                pass
        with ledger.transaction(()) as connection:
            assert (
                connection.execute(select(func.max(changes.c.number))).scalar_one()
                < 10**12
            )


def test_a_run_that_stands_still_in_a_transaction_keeps_nobody_waiting_for_long(
    postgres: Postgres, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server undoes it and frees its locks; the run, should it go on, hears of it
    and tries again.
    """
    url = postgres.new_ledger()
    with (
        Ledger(url, clock=clock, owner="first") as first,
        Ledger(url, clock=clock, owner="second") as second,
    ):
        first.start_batch("batch", "file.csv")
        put_rows(first, [plan("A-1")])
        monkeypatch.setattr("connectors.ledger.engine.IDLE_S", 0.2)
        first.engine.dispose()

        def stand_still() -> None:
            with first.transaction(["A-1"]) as connection:
                connection.execute(LOCKED_ORDERS, {"refs": ["A-1"]})
                assert set(second.claim(intents("A-1"), lease=LEASE).won) == {"A-1"}
                connection.execute(LOCKED_ORDERS, {"refs": ["A-1"]})

        with pytest.raises(LedgerUnusable) as undone:
            stand_still()
        assert passes(undone.value.__cause__)
        assert set(first.claim(intents("A-1"), lease=LEASE).open) == {"A-1"}
