"""The outbox: messages to people, a row for each cause and address.

A cause has one message, ever. A try is written before the message leaves: so two
senders send it once. A sender that dies in between may have sent it, and it is sent
again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    and_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from connectors.foreign import clean
from connectors.ledger.schema import messages
from connectors.ledger.transactions import LedgerRows, repeating
from domain.messages import LONGEST_PAUSE, Message, pause_after
from domain.reasons import Reason, ReasonCode, because

TRIED_FOR = timedelta(days=3)
LEAST_TRIES = 8
"""Also for a machine that was switched off for those days."""
MAX_CAUSE_LENGTH = 160
DIGEST_LENGTH = 16
NOT_ADDRESSED = ""

_UNSENT = messages.c.sent_at.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """The row of a message to one address."""

    cause: str
    address: str
    subject: str
    body: str
    link: str
    put_at: datetime
    tries: int
    next_try_at: datetime | None
    sent_at: datetime | None
    failure: str

    @property
    def is_given_up(self) -> bool:
        return self.next_try_at is None and self.sent_at is None

    @property
    def why_unsent(self) -> Reason:
        return because(
            ReasonCode.MESSAGE_UNDELIVERED,
            addressee=self.address or "SOURCING_NOTIFY",
            why=self.failure,
            over=self.is_given_up,
            goes_on=not self.is_given_up,
        )


class Outbox(LedgerRows):
    """The table `messages` of one ledger."""

    @repeating
    def put(self, *new: Message) -> None:
        """Enqueue the messages whose causes are new, in one commit."""
        with self._ledger.transaction() as connection:
            put_messages(connection, new, self._ledger.clock())

    @repeating
    def address(self, names: Collection[str], now: datetime) -> None:
        """Write a row for each of these recipients of each message that has none."""
        unaddressed = and_(
            messages.c.address == NOT_ADDRESSED, messages.c.next_try_at.is_not(None)
        )
        over = {"tries": 0, "sent_at": now, "next_try_at": None, "failure": ""}
        # in one statement: a message that is put meanwhile stays for the next call
        ending = update(messages).where(unaddressed).values(over).returning(messages)
        with self._ledger.transaction() as connection:
            for row in connection.execute(ending).mappings().all():
                unsent = {**row, "sent_at": None, "next_try_at": now}
                for name in names:
                    _insert(connection, {**unsent, "address": name})

    @repeating
    def due(self, now: datetime) -> StoredMessage | None:
        """The next message that is due, its try written; the least tried first."""
        next_one = select(messages).where(is_due(now)).limit(1)
        next_one = next_one.order_by(messages.c.tries, messages.c.put_at)
        with self._ledger.transaction() as connection:
            locked = next_one.with_for_update(skip_locked=True)
            row = connection.execute(locked).mappings().first()
            if row is None:
                return None
            message = StoredMessage(**row)
            stored_message = replace(message, tries=message.tries + 1)
            written = {
                "tries": stored_message.tries,
                "next_try_at": now + pause_after(stored_message.tries),
            }
            connection.execute(_of(stored_message).values(written))
        return stored_message

    def sent(self, message: StoredMessage, now: datetime) -> None:
        """Record that a recipient has taken a message."""
        self._do(_of(message).values(sent_at=now, next_try_at=None, failure=""))

    @repeating
    def failed(self, message: StoredMessage, reason: str, now: datetime) -> None:
        """Record why a message was not taken. What else is due at its address waits as
        long as this one.
        """
        next_try_at = now + pause_after(message.tries)
        is_over = now - message.put_at >= TRIED_FOR and message.tries >= LEAST_TRIES
        failure = {
            "next_try_at": None if is_over else next_try_at,
            "failure": reason,
        }
        older_messages = update(messages).where(
            messages.c.address == message.address, is_due(now)
        )
        with self._ledger.transaction() as connection:
            connection.execute(_of(message).where(_UNSENT).values(failure))
            connection.execute(older_messages.values(next_try_at=next_try_at))

    def undelivered(self, since: datetime) -> list[StoredMessage]:
        """The messages put since then that an address has refused, oldest first."""
        statement = select(messages).where(
            _UNSENT, messages.c.failure != "", messages.c.put_at >= since
        )
        rows = self._ledger.rows(statement.order_by(messages.c.put_at))
        return [StoredMessage(**row) for row in rows]

    def causes(self, prefix: str) -> dict[str, datetime]:
        """The causes that begin so, and when each was enqueued, oldest first."""
        statement = select(messages.c.cause, messages.c.put_at).where(
            messages.c.cause.startswith(prefix, autoescape=True),
            messages.c.address == NOT_ADDRESSED,
        )
        return self._ledger.pairs(
            statement.order_by(messages.c.put_at, messages.c.cause)
        )


def put_messages(
    connection: Connection, new: Iterable[Message], moment: datetime
) -> None:
    """Enqueue the messages whose causes are new, within a transaction."""
    for message in new:
        inserted = [_insert(connection, _row(cause, moment)) for cause in message.about]
        if not inserted or any(inserted):
            row = _row(message.cause, moment) | {
                "subject": clean(message.subject),
                "body": "\n".join(map(clean, message.body.splitlines())),
                "link": clean(message.link),
                "next_try_at": moment,
                "sent_at": None,
            }
            _insert(connection, row)


def end_unsent(connection: Connection, moment: datetime) -> None:
    """Take all messages for sent."""
    unsent = update(messages).where(messages.c.next_try_at.is_not(None))
    connection.execute(unsent.values(sent_at=moment, next_try_at=None))


def is_due(now: datetime) -> ColumnElement[bool]:
    """No pause is longer than `LONGEST_PAUSE`: a later try is of a clock that was
    ahead.
    """
    next_try_at = messages.c.next_try_at
    return or_(next_try_at <= now, next_try_at > now + LONGEST_PAUSE)


def _row(cause: str, moment: datetime) -> dict[str, Any]:
    """The row of a cause without a message."""
    if len(cause) > MAX_CAUSE_LENGTH:
        digest = hashlib.sha256(cause.encode()).hexdigest()[:DIGEST_LENGTH]
        cause = f"{cause[: MAX_CAUSE_LENGTH - DIGEST_LENGTH - 1]}#{digest}"
    empty = dict.fromkeys(("address", "subject", "body", "link"), "")
    return {**empty, "cause": cause, "put_at": moment, "sent_at": moment}


def _insert(connection: Connection, row: dict[str, Any]) -> bool:
    """Write a row; False where its cause is known at its address."""
    is_postgres = connection.dialect.name == "postgresql"
    insert = postgresql.insert if is_postgres else sqlite.insert
    statement = insert(messages).values(row).on_conflict_do_nothing()
    return bool(connection.scalars(statement.returning(messages.c.cause)).all())


def _of(message: StoredMessage) -> Update:
    return update(messages).where(
        messages.c.cause == message.cause, messages.c.address == message.address
    )
