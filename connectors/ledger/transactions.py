"""Transactions of the ledger: begun, repeated where a database asks for it, and what
they changed.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, ParamSpec, Self, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Table,
    UpdateBase,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from connectors.ledger.engine import (
    ONLY_READS,
    LedgerUnusable,
    blaming,
    open_engine,
    reading_engine,
    require_lasting,
)

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE_S = 60.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
UNDONE = (
    "40001",
    "40P01",
)  # serialization failure, deadlock: of two transactions PostgreSQL rolled one back
AWAY = ("08", "57P")  # no connection; the server is going down or coming up
HOPELESS = (
    "password",
    "pg_hba.conf",
    "does not exist",
)  # refused for good; while connecting there is no SQLSTATE

log = logging.getLogger("sourcing")


def repeating(operation: Callable[P, R]) -> Callable[P, R]:
    """Retry after a deadlock or a lost server, for a minute from the first failure.

    The minute does not count from the start: a process that was stopped meanwhile would
    have used it up. The operation must be idempotent: its first commit may have
    succeeded although the confirmation was lost.
    """

    @functools.wraps(operation)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
        deadline = math.inf
        pause = FIRST_PAUSE_S
        while True:
            try:
                return operation(*args, **kwargs)
            except LedgerUnusable as error:
                deadline = min(deadline, time.monotonic() + PATIENCE_S)
                if not passes(error.__cause__) or time.monotonic() >= deadline:
                    raise
                if (
                    pause == 2 * FIRST_PAUSE_S
                ):  # a failure that passes at once is not worth a line
                    log.warning(
                        "The ledger's database does not answer; waiting for it up to %.0f s",
                        PATIENCE_S,
                    )
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    return repeated


def passes(cause: BaseException | None) -> bool:
    """Whether waiting may help. Never for SQLite, which waits for locks by itself."""
    if not isinstance(cause, DBAPIError) or not type(cause.orig).__module__.startswith(
        "psycopg"
    ):
        return False
    state = getattr(cause.orig, "sqlstate", None)
    if state is None:
        return not any(sign in str(cause.orig) for sign in HOPELESS)
    return cause.connection_invalidated or state in UNDONE or state.startswith(AWAY)


Clock = Callable[[], datetime]


class Database:
    """An open database, and reads of it that lock nothing. Raises `LedgerUnusable`."""

    def __init__(self, url: str, engine: Engine, *, clock: Clock) -> None:
        self.url = url
        self.engine = engine
        self.clock = clock
        self.is_postgres = engine.dialect.name == "postgresql"
        self.insert = postgresql.insert if self.is_postgres else sqlite.insert

    def upsert(
        self,
        table: Table,
        names: Iterable[str],
        where: ColumnElement[bool] | None = None,
    ) -> Any:
        """An insert that writes these columns over a row of the same key."""
        insert = self.insert(table)
        return insert.on_conflict_do_update(
            index_elements=table.primary_key,
            set_={name: insert.excluded[name] for name in names},
            where=where,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self.engine.dispose()

    @repeating
    def rows(self, statement: Executable, **given: Any) -> list[dict[str, Any]]:
        """The rows of a statement that only reads, with the values of its
        parameters.
        """
        with self.reading() as connection:
            return [
                dict(row) for row in connection.execute(statement, given).mappings()
            ]

    @repeating
    def column(self, statement: Executable, **given: Any) -> list[Any]:
        """The first column of the rows of a statement that only reads."""
        with self.reading() as connection:
            return [*connection.scalars(statement, given)]

    @repeating
    def pairs(self, statement: Executable, **given: Any) -> dict[Any, Any]:
        """The second column of the rows of a statement that only reads, by the
        first.
        """
        with self.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement, given)}

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        only_reads: dict[str, Any] = (
            {"isolation_level": "AUTOCOMMIT"}
            if self.is_postgres
            else {ONLY_READS: True}
        )
        with blaming(self.url), self.engine.connect() as connection:
            yield connection.execution_options(**only_reads)


class Transactions(Database):
    """An open ledger. `owner` names this run in rows and in the audit trail; `since` is
    when it began (UTC).

    `moved` are orders that this run has changed, or whose refunds, and `scanned` the
    scans that it has recorded, which no snapshot has yet.

    One that `only_reads` makes no ledger, and its database refuses what would write.
    """

    def __init__(
        self, url: str, *, clock: Clock, owner: str, only_reads: bool = False
    ) -> None:
        require_lasting(url)
        super().__init__(
            url, reading_engine(url) if only_reads else open_engine(url), clock=clock
        )
        self.owner = owner
        self.since: datetime | None = None
        self.asks_first = False
        self.free_of_first = set[str]()

    @property
    def shown(self) -> str:
        """The address without a password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One durable commit, or nothing. Raises `LedgerUnusable`."""
        with blaming(self.url), self._begun() as connection:
            yield connection

    def _begun(self) -> AbstractContextManager[Connection]:
        return self.engine.begin()


class LedgerRows:
    """Some tables of one ledger. Every method is one durable transaction, or a read."""

    def __init__(self, ledger: Transactions) -> None:
        self._ledger = ledger

    @repeating
    def _do(self, statement: UpdateBase) -> int:
        """Write by one statement that spends nothing, in a commit of its own; answers
        how many rows it changed.
        """
        with self._ledger.transaction() as connection:
            return connection.execute(statement).rowcount
