"""Messages that the service posts: stored before the answer, never believed.

With SQLite they lie in a file beside the ledger, so that no receiver waits for a run;
with PostgreSQL in the ledger's database.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from connectors.ledger import engine
from connectors.ledger.schema import UtcDateTime
from connectors.ledger.transactions import Clock, Database, repeating

FILE = "callbacks.db"
KEPT_FOR = timedelta(days=30)
READ_EVERY = timedelta(minutes=2)
"""The least time between two readings, so between two reads of one order."""
MAX_VALID_TOKENS = 2
MAKING_LOCK = 7_307_431
UNREAD = sa.text("times_posted > times_read")

metadata = sa.MetaData()
callbacks = sa.Table(
    "callbacks",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("order_ids", sa.JSON, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False, index=True),
    sa.Column("times_posted", sa.Integer, nullable=False, default=1),
    sa.Column("times_read", sa.Integer, nullable=False, default=0),
    sa.Column("read_at", UtcDateTime, index=True),
    sa.Index("ix_unread", "digest", sqlite_where=UNREAD, postgresql_where=UNREAD),
)
tokens = sa.Table(
    "callback_tokens",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("digest", sa.String(64), nullable=False),
)


def callbacks_url(ledger_url: str) -> str:
    """Return the address of the database of messages."""
    file = engine.sqlite_file(ledger_url)
    return f"sqlite:///{file.absolute().parent / FILE}" if file else ledger_url


def are_received(ledger_url: str) -> bool:
    """Return whether a receiver has run here: with SQLite there is no file before."""
    file = engine.sqlite_file(callbacks_url(ledger_url))
    return file is None or file.exists()


class Message(NamedTuple):
    """A stored message: the orders that it names, and how often it was posted."""

    digest: str
    order_ids: Sequence[str]
    times_posted: int


class CallbackStore(Database):
    """The table of messages, for several processes. Raises `LedgerUnusable`."""

    def __init__(self, ledger_url: str, *, clock: Clock) -> None:
        engine.require_lasting(ledger_url)
        url = callbacks_url(ledger_url)
        super().__init__(url, engine.durable_engine(url), clock=clock)
        try:
            with self.engine.begin() as connection:
                if self.is_postgres:
                    lock = sa.func.pg_advisory_xact_lock(MAKING_LOCK)
                    connection.execute(sa.select(lock))
                metadata.create_all(connection)
        except (DatabaseError, OSError) as error:
            self.close()
            raise engine.unusable(self.url, error) from error

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        with engine.blaming(self.url), self.engine.begin() as connection:
            yield connection

    @repeating
    def add(self, messages: Mapping[bytes, Sequence[str]]) -> None:
        """Store bodies with the ids of their orders, in one commit.

        A body that is posted again is to be read again: a price that rose, fell and
        rose comes in the same bytes.
        """
        moment = self.clock()
        rows = [
            {"digest": _digest(body), "body": body, "order_ids": list(order_ids)}
            for body, order_ids in messages.items()
        ]
        statement = self.insert(callbacks).values(received_at=moment)
        posted_again = {
            "times_posted": callbacks.c.times_posted + 1,
            "received_at": moment,
        }
        statement = statement.on_conflict_do_update(
            index_elements=["digest"], set_=posted_again
        )
        with self.transaction() as connection:
            connection.execute(statement, rows)

    def is_reading_due(self) -> bool:
        """Return whether a message waits, and the last reading is long enough ago."""
        unread = sa.select(callbacks.c.digest).where(UNREAD).limit(1)
        return bool(self.rows(unread)) and self._may_read(
            self.column(sa.select(sa.func.max(callbacks.c.read_at)))[0]
        )

    def _may_read(self, last: datetime | None) -> bool:
        # a last reading in the future was written by a clock that was ahead
        return last is None or not timedelta(0) <= self.clock() - last < READ_EVERY

    @repeating
    def take_due(self) -> list[Message]:
        """Begin a reading; return the messages to read, and delete those read long ago.

        Within `READ_EVERY` of the last reading there are none. A message stays due
        until `mark_read`.
        """
        moment = self.clock()
        row = callbacks.c
        is_read_long_ago = sa.and_(
            row.times_posted <= row.times_read, row.received_at < moment - KEPT_FOR
        )
        marking = sa.update(callbacks).where(UNREAD).values(read_at=moment)
        marking = marking.returning(row.digest, row.order_ids, row.times_posted)
        with self.transaction() as connection:
            connection.execute(sa.delete(callbacks).where(is_read_long_ago))
            last = connection.scalar(sa.select(sa.func.max(row.read_at)))
            if not self._may_read(last):
                return []
            return [Message(*message) for message in connection.execute(marking)]

    @repeating
    def mark_read(self, messages: Iterable[Message]) -> None:
        """Record that the orders of messages were read after they were taken."""
        with self.transaction() as connection:
            for message in messages:
                is_it = callbacks.c.digest == message.digest
                times = {"times_read": message.times_posted}
                connection.execute(sa.update(callbacks).where(is_it).values(times))

    def new_token(self) -> str:
        """Return a new token, stored as a hash. The one before stays valid; older ones
        end.
        """
        token = secrets.token_urlsafe(32)
        newest = sa.select(tokens.c.id).order_by(tokens.c.id.desc())
        is_older = tokens.c.id.not_in(newest.limit(MAX_VALID_TOKENS).scalar_subquery())
        with self.transaction() as connection:
            row = {"digest": _digest(token.encode())}
            connection.execute(sa.insert(tokens).values(row))
            connection.execute(sa.delete(tokens).where(is_older))
        return token

    def is_valid(self, token: str) -> bool:
        """Return whether messages may come with this token."""
        digest = _digest(token.encode("utf-8", "surrogatepass"))
        return digest in self.column(sa.select(tokens.c.digest))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
