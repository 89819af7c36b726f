"""The account's call rate and its calls of a day: one row each, which all processes of
the ledger share on any machine.

Nothing of the rate is repeated or durable: a process can do without an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, DateTime, case, func, or_, select, text, update

from connectors.ledger.engine import blaming
from connectors.ledger.schema import pace
from connectors.ledger.transactions import LedgerRows, repeating
from domain.pace import Block, Bucket, full_bucket, paused_bucket, take_block

RATE_ROW = 1
TODAY_ROW = 2
"""It counts the calls made on a day as `permits`, since the day's beginning, `at`."""
MAX_IDLE_S = 2
"""A transaction that is idle for longer is ended by the database: all other processes
wait for the row.
"""
_SHORT_TRANSACTION = text(
    "SELECT set_config('synchronous_commit', 'off', true),"
    f" set_config('idle_in_transaction_session_timeout', '{MAX_IDLE_S}s', true)"
)
_DATABASE_CLOCK = select(func.clock_timestamp(type_=DateTime(timezone=True)))


class PaceRows(LedgerRows):
    """The call rate of one ledger's account. Every method is one short transaction.

    Times are the database's on PostgreSQL; a SQLite ledger is on one machine with one
    clock. Raises `LedgerUnusable`.
    """

    def take_block(self, wanted: int, per_second: float) -> Block:
        """Take permits to call, up to `wanted`."""
        with self._writing() as connection:
            bucket, seconds = self._lock_bucket(connection, per_second)
            bucket, block = take_block(bucket, wanted, per_second, seconds)
            self._save_bucket(connection, bucket)
        return block

    def pause(self, pause_s: float, per_second: float) -> None:
        """Pause all calls: the service throttles the account."""
        with self._writing() as connection:
            bucket, seconds = self._lock_bucket(connection, per_second)
            self._save_bucket(connection, paused_bucket(bucket, pause_s, seconds))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with blaming(self._ledger.url), self._ledger.engine.begin() as connection:
            if self._ledger.is_postgres:
                connection.execute(_SHORT_TRANSACTION)
            yield connection

    def _lock_bucket(
        self, connection: Connection, per_second: float
    ) -> tuple[Bucket, float]:
        """The bucket, locked until the end of the transaction, and the time."""
        values = _values_of(full_bucket(per_second, now=0))
        first_row = self._ledger.insert(pace).values(one=RATE_ROW, **values)
        connection.execute(first_row.on_conflict_do_nothing())
        row = connection.execute(
            select(pace).where(pace.c.one == RATE_ROW).with_for_update()
        ).one()
        bucket = Bucket(row.at.timestamp(), row.permits, row.not_before.timestamp())
        return bucket, self._read_clock(connection)

    def _read_clock(self, connection: Connection) -> float:
        if self._ledger.is_postgres:
            return connection.execute(_DATABASE_CLOCK).scalar_one().timestamp()
        return self._ledger.clock().timestamp()

    def _save_bucket(self, connection: Connection, bucket: Bucket) -> None:
        row = update(pace).where(pace.c.one == RATE_ROW)
        connection.execute(row.values(_values_of(bucket)))

    @repeating
    def take_today(self, day: datetime, calls: int, most: int) -> int:
        """How many of so many calls are left, of `most` on a day; they count as made.

        Fewer than 0 are given back, unless that day is over by the row: they would
        count for the next one. The row of a later day than the next is of a clock that
        was ahead.
        """
        is_new = or_(pace.c.at < day, pace.c.at > day + timedelta(days=1))
        made = case((is_new, 0), else_=pace.c.permits)
        first = self._ledger.insert(pace).values(
            one=TODAY_ROW, permits=0, at=day, not_before=day
        )
        with self._writing() as connection:
            connection.execute(first.on_conflict_do_nothing())
            row = connection.execute(
                select(made, pace.c.at).where(pace.c.one == TODAY_ROW).with_for_update()
            ).one()
            if calls < 0 and row.at > day:
                return 0
            taken_calls = min(calls, max(0, most - int(row[0])))
            seconds = {
                "permits": made + taken_calls,
                "at": case((is_new, day), else_=pace.c.at),
            }
            connection.execute(
                update(pace).where(pace.c.one == TODAY_ROW).values(seconds)
            )
        return taken_calls


def _values_of(bucket: Bucket) -> dict[str, float | datetime]:
    return {
        "permits": bucket.permits,
        "at": datetime.fromtimestamp(bucket.at, UTC),
        "not_before": datetime.fromtimestamp(bucket.not_before, UTC),
    }
