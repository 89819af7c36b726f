"""What a command costs follows what it touches and what is open: no statement reads all
that ever was.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Select, create_engine, event, insert, select

from connectors.ledger.overview import happened
from connectors.ledger.schema import UtcDateTime, metadata
from domain.messages import Message
from flows.answers.todo import to_do
from flows.reconcile import reconcile
from tasks.engine.resources import Resources
from tests.notified import taken_messages
from tests.postgres import Postgres
from tests.simulation.dialects.journey import ENDED, Journey
from tests.simulation.runs import BATCH
from tests.simulation.stage import Stage, stage

NIGHTS = 50
COPY = "night-"
PRESENT = f" WHERE order_ref NOT LIKE '{COPY}%' ORDER BY"
TRACKED_D = (2, 7, 18)
LARGE = ("orders", "effects", "moves", "tracking_events")
IDS = (
    "order_ref",
    "key",
    "batch_id",
    "order_id",
    "shipment_order_id",
    "cause",
    "refund_id",
    "effect_key",
)
NOT_COPIED = (
    "account",
    "changes",
    "pace",
    "switches",
    "not_ours",
    "forgotten",
)
SCANS = re.compile(rf"^SCAN (?:{'|'.join(LARGE)})\b(?!.*VIRTUAL)")
READS_ALL = re.compile(rf"Seq Scan on (?:{'|'.join(LARGE)})\b")
STEPS = 1.5
MORE = 400
"""So many times the steps on a ledger without the past are no growth, nor are so many
steps more.
"""
WEEK = timedelta(days=7)
DAY = timedelta(days=1)


@dataclass
class Statements:
    """What a connection was asked, by text: the parameters of some calls, and the
    statement as it was built.
    """

    asked: defaultdict[str, list[Any]] = field(
        default_factory=lambda: defaultdict(list)
    )
    built: dict[str, tuple[Select[Any], Any]] = field(default_factory=dict)

    is_on = True

    def on(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(
        self,
        _connection: Any,
        _cursor: Any,
        text: str,
        given: Any,
        context: Any,
        _many: Any,
    ) -> None:
        if self.is_on and text.startswith(
            ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
        ):
            calls = self.asked[text]
            calls.append(given[0] if isinstance(given, list) and given else given)
            del calls[3:-3]
            if context.compiled is not None and isinstance(
                context.compiled.statement, Select
            ):
                self.built[text] = (
                    context.compiled.statement,
                    dict(context.compiled_parameters[0]),
                )

    def plans(self, database: sqlite3.Connection) -> Iterator[str]:
        """The scans of large tables, each with its statement. A scan that ends at its
        first row is none.
        """
        for text, calls in self.asked.items():
            steps = [
                row[3]
                for row in database.execute(f"EXPLAIN QUERY PLAN {text}", calls[0])
            ]
            if not _ends_at_once(text):
                yield from (f"{step}: {text}" for step in steps if SCANS.match(step))

    def steps(self, database: sqlite3.Connection) -> dict[tuple[str, int], int]:
        """How many steps SQLite's machine takes for each call; nothing that is written
        stays.
        """
        return {
            (text, number): _steps(database, text, given)
            for text, calls in self.asked.items()
            for number, given in enumerate(calls)
        }


def _ends_at_once(text: str) -> bool:
    return "LIMIT" in text and "WHERE" not in text and "ORDER BY" not in text


def _steps(database: sqlite3.Connection, text: str, given: Any) -> int:
    count = 0

    def stepped() -> None:
        nonlocal count
        count += 10

    database.execute("SAVEPOINT measured")
    database.set_progress_handler(stepped, 10)
    try:
        database.execute(text, given).fetchall()
    finally:
        database.set_progress_handler(None, 0)
        database.execute("ROLLBACK TO measured")
        database.execute("RELEASE measured")
    return count


class OldInstallation(Journey):
    """A first batch to the door, its night copied into the past; then all that runs
    every day, with a second batch.
    """

    statements = Statements()

    def __init__(self, made: Stage) -> None:
        super().__init__(made, ())

    def check(self, after: str, *, at_rest: bool = False) -> None:
        """Nothing here is about money."""

    async def _play(self) -> None:
        await self._is_delivered()
        self._ages()
        watched = self.database.rows  # what watches the ledger reads all of it
        self.database.rows = (  # type: ignore[method-assign]
            lambda statement: watched(statement.replace(" ORDER BY", PRESENT))
        )
        self.statements.on(self.database.engine)
        requests = self.scenario.requests
        self.scenario = replace(
            self.scenario,
            requests=tuple(
                replace(one, order_ref=f"new-{one.order_ref}") for one in requests
            ),
        )
        await self._is_delivered(self._does_daily_work)

    async def _is_delivered(
        self, daily: Callable[[Resources], Any] | None = None
    ) -> None:
        await self._does(self._buys_these)
        await self._does(self._answers)
        await self._passes(0.5)
        await self._does(self._buys_these)
        if daily is None:
            await self._does(self._takes_back)
        for before, day in zip((0, *TRACKED_D), TRACKED_D, strict=False):
            await self._passes(24 * (day - before))
            await self._does(self._follows)
            if daily is not None:
                await self._does(daily)

    async def _buys_these(self, resources: Resources) -> None:
        await self._buy(
            resources,
            self._batch(),
            BATCH if self._batch()[0].order_ref == "taobao-1" else "second",
        )

    async def _does_daily_work(self, resources: Resources) -> None:
        ledger = resources.ledger
        now = resources.clock()
        await reconcile(resources, 30)
        happened(ledger, now - DAY)
        to_do(ledger, refused_for=WEEK)
        ledger.outbox.put(
            Message(
                cause=f"digest:{now:%Y-%m-%d}",
                subject="s",
                body="b",
                link="",
            )
        )
        taken_messages(ledger)

    def _ages(self) -> None:
        """Copy all that the first batch left, once for each night."""
        self.copied = [end.state for end in self.told_ends()].count("delivered")
        unsettled = {
            end.order_ref for end in self.told_ends() if end.state not in ENDED
        }
        with self.database.connection.begin():
            for table in metadata.sorted_tables:
                if table.name in NOT_COPIED:
                    continue
                rows = [
                    dict(row)
                    for row in self.database.connection.execute(
                        select(table)
                    ).mappings()
                    if row.get("order_ref") not in unsettled
                ]
                copies = [
                    _of_night(table, row, night)
                    for night in range(1, NIGHTS + 1)
                    for row in rows
                ]
                if copies:
                    self.database.connection.execute(insert(table), copies)

    def forget_the_past(self) -> None:
        with self.database.connection.begin():
            for table in reversed(metadata.sorted_tables):
                copied = [column for column in table.c if column.name in IDS]
                if copied and table.name not in NOT_COPIED:
                    self.database.connection.execute(
                        table.delete().where(copied[0].startswith(COPY))
                    )


def _of_night(table: Any, row: dict[str, Any], night: int) -> dict[str, Any]:
    copy = {}
    for column in table.c:
        value = row[column.name]
        if column.name == "id":
            continue
        if isinstance(column.type, UtcDateTime) and value is not None:
            value -= timedelta(days=30 + night)
        elif column.name in IDS and value:
            value = f"{COPY}{night}-{value}"[: column.type.length]
        copy[column.name] = value
    return copy


@pytest.fixture(scope="module")
def old() -> Iterator[OldInstallation]:
    with stage() as made:
        installation = OldInstallation(made)
        installation.run()
        assert installation.copied >= 14
        assert [end.state for end in installation.told_ends()].count("delivered") >= 14
        yield installation


def raw(connection: Connection) -> sqlite3.Connection:
    found = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found


def test_nothing_that_runs_every_day_reads_all_orders(old: OldInstallation) -> None:
    """By SQLite's plan of each statement of a run, tracking, reconciliation, digest,
    metrics, messages and `todo`.
    """
    assert len(old.statements.asked) > 50
    assert not (
        shown := "\n\n".join(old.statements.plans(raw(old.database.connection)))
    ), shown


def test_no_statement_takes_more_steps_on_an_old_ledger(old: OldInstallation) -> None:
    """Each with its own parameters: as it is, and once the copied nights are gone."""
    database = raw(old.database.connection)
    aged = old.statements.steps(database)
    old.forget_the_past()
    young = old.statements.steps(database)
    grown = [
        f"{young[call]} → {steps} steps: {call[0]}"
        for call, steps in aged.items()
        if steps > STEPS * young[call] + MORE
    ]
    assert not (shown := "\n\n".join(grown)), shown


@pytest.mark.endurance
def test_postgresql_finds_an_index_for_each(
    old: OldInstallation, postgres: Postgres
) -> None:
    """Its planner, forbidden to read whole tables, does so only where there is no other
    way.
    """
    engine = create_engine(
        postgres.new_ledger().replace("postgresql://", "postgresql+psycopg://")
    )
    with engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        event.listen(
            connection,
            "before_cursor_execute",
            lambda *call: (f"EXPLAIN {call[2]}", call[3]),
            retval=True,
        )
        plans = {
            text: [
                str(line)
                for (line,) in connection.execute(statement, given).cursor.fetchall()
            ]
            for text, (statement, given) in old.statements.built.items()
        }
    engine.dispose()
    found = [
        f"{line}: {text}"
        for text, lines in plans.items()
        for line in lines
        if READS_ALL.search(line)
    ]
    assert not (shown := "\n\n".join(found)), shown
