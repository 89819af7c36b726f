"""The records and tables of callbacks: with SQLite in a file of their own, with
PostgreSQL beside the ledger's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from sqlalchemy import (
    JSON,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from connectors.ledger.schema import UtcDateTime
from domain.reasons import Reason, from_text
from domain.received import CallbackKind, CallbackState

metadata = MetaData()

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("times", Integer, nullable=False),
    Column("source", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("message_type", String(80), nullable=False),
    Column("marketplace", String(16), nullable=False),
    Column("order_id", String(80), nullable=False, index=True),
    Column("order_ids", JSON, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("ticket", String(64), nullable=False, index=True),
    Column("settled_at", UtcDateTime),
    Column("outcome", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
Index("ix_callbacks_state", callbacks.c.state, callbacks.c.kind, callbacks.c.id)

tickets = Table(
    "callback_tickets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("orders", Integer, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("asked_at", UtcDateTime),
    Column("begun_at", UtcDateTime),
    Column("lease_until", UtcDateTime),
    Column("ended_at", UtcDateTime),
)
Index(
    "ix_callback_tickets_one",
    tickets.c.kind,
    unique=True,
    sqlite_where=text("ended_at IS NULL"),
    postgresql_where=text("ended_at IS NULL"),
)
"""One run of a kind at a time: the ticket of a second dispatcher conflicts."""

tokens = Table(
    "callback_tokens",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A posted message before it is stored. `body` is the posted bytes."""

    body: bytes
    source: str
    received_at: datetime
    state: CallbackState
    outcome: Reason | None = None
    kind: CallbackKind = CallbackKind.STATUS
    message_type: str = ""
    marketplace: str = ""
    order_ids: tuple[str, ...] = ()
    sent_at: datetime | None = None

    @property
    def digest(self) -> str:
        """The identity of a message: the service gives it no id."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A stored message. Times are UTC; `times` is how often it was posted; `outcome` is
    the result of processing it.

    A newer version may have written a `kind` or `state` that is unknown here.
    """

    id: int
    digest: str
    received_at: datetime
    last_at: datetime
    times: int
    source: str
    kind: str
    message_type: str
    marketplace: str
    order_ids: tuple[str, ...]
    sent_at: datetime | None
    state: str
    attempts: int
    ticket: str
    settled_at: datetime | None
    outcome: Reason | None
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        known = {name: row[name] for name in cls.__slots__}
        known |= {
            "order_ids": tuple(row["order_ids"]),
            "outcome": from_text(row["outcome"]),
        }
        return cls(**known | {"body": bytes(row["body"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The messages for one run. `id` is also the idempotency key of that run in
    Prefect.
    """

    id: str
    kind: CallbackKind
    orders: int
