"""The tables of callbacks: with SQLite in a file beside the ledger, with PostgreSQL in the ledger's database."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

from connectors.ledger.schema import UtcDateTime

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
