"""Transactions and reads on one ledger's database, with the owner and the clock of their run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Table, event, select
from sqlalchemy.dialects import postgresql, sqlite

from connectors.ledger.changes import record_change
from connectors.ledger.engine import ONLY_READS, blaming, open_engine, require_lasting
from connectors.ledger.repeating import repeating
from connectors.ledger.spending import CommittedTotals

Clock = Callable[[], datetime]


class Transactions:
    """An open database. `owner` names this run in rows and in the audit trail."""

    def __init__(self, url: str, *, clock: Clock, owner: str) -> None:
        require_lasting(url)
        self.url = url
        self.clock = clock
        self.owner = owner
        self.totals = CommittedTotals()
        self.engine = open_engine(url)
        event.listen(self.engine, "connect", lambda *_: self.totals.forget())  # it may be another server by now
        is_postgres = self.engine.dialect.name == "postgresql"
        self._only_reads: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"} if is_postgres else {ONLY_READS: True}
        self.insert = postgresql.insert if is_postgres else sqlite.insert

    def close(self) -> None:
        self.engine.dispose()

    @property
    def shown(self) -> str:
        """The address without a password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def transaction(self, of: Collection[str] | None = None) -> Iterator[Connection]:
        """One durable commit, or nothing. Raises `LedgerUnusable`.

        `of` are the orders whose spending it may change; None: any.
        """
        try:
            with blaming(self.url), self._begun() as connection:
                if of is None or of:
                    record_change(connection, of)
                yield connection
        except BaseException:
            self.totals.forget()
            raise

    def _begun(self) -> AbstractContextManager[Connection]:
        return self.engine.begin()

    @repeating
    def rows(self, statement: Executable, given: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a statement that only reads."""
        with self.reading() as connection:
            return [dict(row) for row in connection.execute(statement, given).mappings()]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads that lock nothing. Raises `LedgerUnusable`."""
        with blaming(self.url), self.engine.connect() as connection:
            yield connection.execution_options(**self._only_reads)


class LedgerRows:
    """Some tables of one ledger. Every method is one durable transaction, or a read."""

    def __init__(self, ledger: Transactions) -> None:
        self._ledger = ledger

    def _events(
        self, events: Table, *order: ColumnElement[Any], order_refs: Iterable[str] | None, since: datetime | None
    ) -> list[dict[str, Any]]:
        """Recorded events in order, optionally of some orders, or recorded since a time."""
        statement = select(events).order_by(*order)
        if order_refs is not None:
            statement = statement.where(events.c.order_ref.in_(list(order_refs)))
        if since is not None:
            statement = statement.where(events.c.recorded_at >= since)
        return self._ledger.rows(statement)
