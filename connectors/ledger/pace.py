"""The account's rate: one row from which all processes, on any machine, lease their
calls; and its calls of a day.

Nothing of the rate is repeated or durable: a client asks several times a second, and
can do without an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    DateTime,
    case,
    func,
    literal,
    or_,
    select,
    text,
    update,
)

from connectors.ledger.engine import blaming
from connectors.ledger.schema import from_json, pace, to_json
from connectors.ledger.transactions import Clock, LedgerRows, repeating
from domain.fair_pace import (
    Lease,
    Pace,
    RateClient,
    held,
    is_limited,
    leased,
    left,
    opening,
)

RATE, TODAY = 1, 2
"""The rows of the table: the call rate, and the calls made on a day, as `permits`,
since its beginning, as `at`.
"""
_ROW = select(pace.c.permits, pace.c.at, pace.c.not_before, pace.c.takers).where(
    pace.c.one == RATE
)
CLOCK = func.clock_timestamp(type_=DateTime(timezone=True))
_ITS_CLOCK, _OUR_CLOCK = (
    _ROW.add_columns(CLOCK.label("now")),
    _ROW.add_columns(literal(None).label("now")),
)
_LOCKED, _NOW = _ITS_CLOCK.with_for_update(), select(CLOCK)
STUCK_S = 2
"""A transaction that is idle for longer is ended by the database: all other clients
wait for the row.
"""
_SHORT = text(
    "SELECT set_config('synchronous_commit', 'off', true),"
    f" set_config('idle_in_transaction_session_timeout', '{STUCK_S}s', true)"
)


class PaceRows(LedgerRows):
    """The call rate of one ledger's account. Every method is one short transaction, or
    a read.

    Times are the database's on PostgreSQL; a SQLite ledger is on one machine with one
    clock. Raises `LedgerUnusable`.
    """

    def lease(self, name: str, client: RateClient) -> Lease:
        """The share of a client."""
        with self._writing() as connection:
            now, known = self._locked(connection, client.limit)
            changed, lease = leased(known, name, client, now)
            self._keep(connection, changed)
        return lease

    def leave(self, name: str, permits: float) -> None:
        """End a client, which has so many permits left."""
        with self._writing() as connection:
            now, known = self._locked(connection)
            self._keep(connection, left(known, name, permits, now))

    def hold(self, pause_s: float) -> None:
        """Pause all calls: the service throttles the account."""
        with self._writing() as connection:
            now, known = self._locked(connection)
            self._keep(connection, held(known, pause_s, now))

    def poll(self) -> tuple[float, bool]:
        """For how many seconds no call is allowed, and whether a calling client has a
        limit. Locks nothing.
        """
        with self._ledger.reading() as connection:
            now, known = pace_in(connection, self._ledger.clock)
        return (known.pause(now), is_limited(known, now)) if known else (0.0, False)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        # not `transaction`: nothing is spent here, so no other run need sum up anew
        with blaming(self._ledger.url), self._ledger.engine.begin() as connection:
            if is_postgres(connection):
                connection.execute(_SHORT)
            yield connection

    def _locked(self, connection: Connection, limit: float = 0.0) -> tuple[float, Pace]:
        """The time, and the row, locked until the end of the transaction."""
        now, known = pace_in(connection, self._ledger.clock, locked=True)
        while known is None:  # several may find none
            first = self._ledger.insert(pace).values(
                one=RATE, **_row(opening(now, limit))
            )
            connection.execute(first.on_conflict_do_nothing())
            now, known = pace_in(connection, self._ledger.clock, locked=True)
        return now, known

    def _keep(self, connection: Connection, changed: Pace) -> None:
        connection.execute(update(pace).where(pace.c.one == RATE).values(_row(changed)))

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
            one=TODAY, permits=0, at=day, not_before=day, takers={}
        )
        with self._writing() as connection:
            connection.execute(first.on_conflict_do_nothing())
            row = connection.execute(
                select(made, pace.c.at).where(pace.c.one == TODAY).with_for_update()
            ).one()
            if calls < 0 and row.at > day:
                return 0
            taken = min(calls, max(0, most - int(row[0])))
            now = {"permits": made + taken, "at": case((is_new, day), else_=pace.c.at)}
            connection.execute(update(pace).where(pace.c.one == TODAY).values(now))
        return taken


def pace_in(
    connection: Connection, clock: Clock, *, locked: bool = False
) -> tuple[float, Pace | None]:
    """The time on the ledger's clock, and the state of the account's permits; None
    where none was ever leased.
    """
    has_clock = is_postgres(connection)
    statement = (_LOCKED if locked else _ITS_CLOCK) if has_clock else _OUR_CLOCK
    row = connection.execute(statement).first()
    if row is None:
        return (
            connection.execute(_NOW).scalar_one() if has_clock else clock()
        ).timestamp(), None
    known = Pace(
        at=row.at.timestamp(),
        permits=row.permits,
        not_before=row.not_before.timestamp(),
        clients={
            name: from_json(RateClient, fields) for name, fields in row.takers.items()
        },
    )
    return (row.now or clock()).timestamp(), known


def _row(known: Pace) -> dict[str, Any]:
    return {
        "permits": known.permits,
        "at": datetime.fromtimestamp(known.at, UTC),
        "not_before": datetime.fromtimestamp(known.not_before, UTC),
        "takers": {name: to_json(taker) for name, taker in known.clients.items()},
    }


def is_postgres(connection: Connection) -> bool:
    """Whether the ledger has a `CLOCK` of its own."""
    return connection.dialect.name == "postgresql"
