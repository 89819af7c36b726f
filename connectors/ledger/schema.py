"""The ledger's tables (SQLAlchemy Core), their digest, and the JSON in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, TypeVar, cast

import orjson
from pydantic import TypeAdapter
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    DateTime,
    DefaultClause,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    func,
    or_,
    text,
)
from sqlalchemy import cast as cast_to

T = TypeVar("T")

DECODED_AT_ONCE = 2_000


def minor_sum(amounts: ColumnElement[Any]) -> ColumnElement[int]:
    """A sum in minor units, 0 without rows. The cast is for PostgreSQL, whose sum of
    `bigint` is `numeric`.
    """
    return cast_to(func.coalesce(func.sum(amounts), 0), BigInteger)


def to_json(value: object) -> Any:
    """A domain dataclass as plain JSON values."""
    return _adapter(cast(Any, type(value))).dump_python(value, mode="json")


def from_json(kind: type[T], value: Any) -> T:
    """A domain dataclass from plain JSON values."""
    return cast(T, _adapter(cast(Any, kind)).validate_python(value))


def from_text(kind: type[T], text: str) -> T:
    """A domain object from a column's text. Results are cached: orders are read often,
    domain objects are frozen.
    """
    return cast(T, _decoded(cast(Any, kind), text))


def as_text(value: Any) -> str:
    """Plain JSON values as a column has them."""
    return orjson.dumps(value).decode()


@lru_cache(maxsize=DECODED_AT_ONCE)
def _decoded(kind: Any, text: str) -> Any:
    return _adapter(kind).validate_json(text)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


DIGEST_LENGTH = 16


def digest_of(declared: MetaData) -> str:
    """A hash of the declared tables, the same on every database."""
    lines = [
        line for table in declared.sorted_tables for line in sorted(_describe(table))
    ]
    return sha256("\n".join(lines).encode()).hexdigest()[:DIGEST_LENGTH]


def _describe(table: Table) -> Iterator[str]:
    """A line for each column, reference, rule and index of a table."""
    for column in table.columns:
        default = column.server_default
        parts = (
            type(column.type).__name__,
            getattr(column.type, "length", None),
            "null" if column.nullable else "not null",
            "key" if column.primary_key else "",
            default.arg if isinstance(default, DefaultClause) else "",
        )
        yield f"{column} {' '.join(map(str, parts))}"
        for reference in column.foreign_keys:
            yield f"{column} references {reference.target_fullname}"
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            yield f"{table} check {constraint.name} {constraint.sqltext}"
    for index in table.indexes:
        columns = ", ".join(column.name for column in index.columns)
        kind = "unique index" if index.unique else "index"
        where = index.dialect_options["sqlite"]["where"]
        yield f"{table} {kind} {index.name} ({columns}) where {where}"


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in, aware UTC datetimes out; SQLite has no time zones of its
    own.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        if value is None:
            return None
        return (
            value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        )


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _index_of_some(
    where: ColumnElement[bool],
    *columns: Column[Any],
    name: str = "",
    unique: bool = False,
) -> Index:
    name = name or f"ix_{columns[0].table.name}_{columns[0].name}"
    return Index(
        name, *columns, unique=unique, sqlite_where=where, postgresql_where=where
    )


account = Table(
    "account",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("batch_id", String(120), primary_key=True),
    Column("source", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("file", Text),
    Column("digest", String(64)),
    Column("options", JSON(none_as_null=True)),
    Column("flow_run", String(36)),
    Column("worker", String(120)),
    Column("worked_until", UtcDateTime),
    Column("due_at", UtcDateTime),
    Column("follow_ups", Integer, nullable=False, server_default=text("0")),
    Column("waits_for_resume", Boolean, nullable=False, server_default=false()),
)
OPEN_BATCHES = or_(batches.c.worked_until.is_not(None), batches.c.due_at.is_not(None))
_index_of_some(OPEN_BATCHES, batches.c.batch_id, name="ix_batches_open")

leases = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("owner", String(120), nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
"""Work of which only one process may be at, and when it may begin again."""

orders = Table(
    "orders",
    metadata,
    Column("order_ref", String(64), primary_key=True),
    Column(
        "batch_id",
        String(120),
        ForeignKey("batches.batch_id"),
        nullable=False,
    ),
    Column("marketplace", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("request", JSON, nullable=False),
    Column("lines", JSON, nullable=False),
    Column("offers", JSON, nullable=False),
    Column("quote", JSON),
    Column("seller_id", Text, nullable=False),
    Column("approved_minor", BigInteger),
    Column("plan_hash", String(64)),
    Column("freight_approved_minor", BigInteger),
    Column("currency", String(3), nullable=False),
    Column("order_id", String(64), index=True),
    Column("ordered_at", UtcDateTime),
    Column("total_minor", BigInteger),
    Column("paid_minor", BigInteger),
    Column("paid_at", UtcDateTime),
    Column("freight_quote", JSON),
    Column("freight_service", String(64)),
    Column("freight_minor", BigInteger),
    Column("freight_currency", String(3)),
    Column("shipment", JSON),
    Column("shipment_order_id", String(64), index=True),
    Column("booked_at", UtcDateTime),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("refunded_minor", BigInteger),
    Column("payable_minor", BigInteger),
    Column("reason_code", String(64)),
    Column("reason_facts", JSON(none_as_null=True)),
    Column("warehouse", Text),
    Column("parcel_reported_at", UtcDateTime),
    Column("shop", String(40)),
    Column("shop_ref", String(80)),
    Column("committed_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("outlay_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("spent_at", UtcDateTime),
    CheckConstraint(
        "0 <= committed_minor AND committed_minor <= outlay_minor",
        name="ck_orders_committed",
    ),
    CheckConstraint(
        "payable_minor IS NULL OR payable_minor >= coalesce(approved_minor, 0)",
        name="ck_orders_payable",
    ),
)
Index("ix_orders_batch_id", orders.c.batch_id, orders.c.committed_minor)
_index_of_some(orders.c.spent_at.is_not(None), orders.c.spent_at, orders.c.outlay_minor)
Index("ix_orders_marketplace", orders.c.marketplace, orders.c.ordered_at)
Index("ix_orders_state", orders.c.state, orders.c.updated_at)
Index("ix_orders_recorded_at", orders.c.recorded_at)
_index_of_some(orders.c.paid_at.is_not(None), orders.c.paid_at)
_index_of_some(orders.c.booked_at.is_not(None), orders.c.booked_at)
_index_of_some(orders.c.reason_code.is_not(None), orders.c.reason_code)
_index_of_some(
    orders.c.order_id.is_not(None),
    orders.c.marketplace,
    orders.c.order_id,
    name="uq_orders_order_id",
    unique=True,
)

unwritten = Table(
    "unwritten",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("order_ref", String(64), nullable=False),
    Column("planned", Boolean, nullable=False),
)
"""Orders that changed since the tables were written. The change is of the plan where
one was `planned`.
"""

parts = Table(
    "parts",
    metadata,
    Column("part_of", String(64), primary_key=True),
    Column("own_sku", Text, primary_key=True),
    Column("order_ref", String(64), nullable=False),
)
"""The order that an own SKU of a request went to when it was first split by the SKU
book: it goes to no other.
"""

exported_numbers = Table(
    "exported_numbers",
    metadata,
    Column("order_ref", String(64), ForeignKey("orders.order_ref"), primary_key=True),
    Column("tracking_number", String(64), primary_key=True),
    Column("file", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""Tracking numbers that were exported for an order's shop, and the file. An empty one
stands for all of them.
"""

receivers = Table(
    "receivers",
    metadata,
    Column("order_ref", String(64), ForeignKey("orders.order_ref"), primary_key=True),
    Column("receiver", JSON, nullable=False),
)
"""Name, phone, e-mail and street of an order's receiver, which no other table has."""

effects = Table(
    "effects",
    metadata,
    Column("key", String(160), primary_key=True),
    Column(
        "order_ref",
        String(64),
        ForeignKey("orders.order_ref"),
        nullable=False,
        index=True,
    ),
    Column("action", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("amount_minor", BigInteger),
    Column("currency", String(3)),
    Column("request_hash", String(64), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("owner", String(120), nullable=False),
    Column("lease_until", UtcDateTime, nullable=False),
    Column("sender", String(120), nullable=False),
    Column("intent_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("answer", JSON),
    Column("leaves_by", UtcDateTime, nullable=False),
    Column("doubtful_sends", Integer, nullable=False, server_default=text("0")),
    Column("reason_code", String(64)),
    Column("reason_facts", JSON(none_as_null=True)),
    CheckConstraint("fence >= 1 AND attempt >= 1", name="ck_effects_counted"),
    CheckConstraint(
        "status IN ('sending', 'unknown') OR (status IN ('done', 'refused', 'unsent') AND settled_at IS NOT NULL)",
        name="ck_effects_settled",
    ),
)
Index("ix_effects_status", effects.c.status)
STATUS_OF_THESE = effects.c.status.concat("")
"""The status as a second condition, without its index: by that SQLite would read all
effects of a status.
"""

answers = Table(
    "answers",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column(
        "order_ref",
        String(64),
        ForeignKey("orders.order_ref"),
        nullable=False,
        index=True,
    ),
    Column("effect_key", String(160), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(120), nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
)

marks = Table(
    "marks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(120), nullable=False),
    Column("words", Text, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ended_by", String(120)),
)
Index("ix_marks_name", marks.c.name, marks.c.id)
_index_of_some(marks.c.ended_at.is_(None), marks.c.name, name="ix_marks_standing")

not_ours = Table(
    "not_ours",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("marketplace", String(16), nullable=False),
    Column("order_id", String(64), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(120), nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ended_by", String(120)),
)

switches = Table(
    "switches",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(120), nullable=False),
    Column("why", Text, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ended_by", String(120)),
)
"""What is turned off, by whom and until when: `buying`, or a marketplace held for
contradicting amounts.
"""

forgotten = Table(
    "forgotten",
    metadata,
    Column("order_ref", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(120), nullable=False),
    Column("receivers", JSON),
    Column("finished_at", UtcDateTime),
)
"""Orders whose receiver was erased. Until all copies are erased, `receivers` has the
texts to search for.
"""

moves = Table(
    "moves",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column(
        "order_ref",
        String(64),
        ForeignKey("orders.order_ref"),
        nullable=False,
        index=True,
    ),
    Column("at", UtcDateTime, nullable=False),
    Column("old_state", String(32)),
    Column("new_state", String(32), nullable=False),
    Column("by", String(120), nullable=False),
    Column("reason_code", String(64)),
    Column("reason_facts", JSON(none_as_null=True)),
)
Index("ix_moves_at", moves.c.at)

tracking_events = Table(
    "tracking_events",
    metadata,
    Column("order_ref", String(64), ForeignKey("orders.order_ref"), primary_key=True),
    Column("tracking_number", String(64), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("status", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)
Index(
    "ix_tracking_events_recorded_at",
    tracking_events.c.recorded_at,
    tracking_events.c.order_ref,
)

tracked = Table(
    "tracked",
    metadata,
    Column("order_ref", String(64), ForeignKey("orders.order_ref"), primary_key=True),
    Column("next_poll_at", UtcDateTime, nullable=False),
    Column("last_scan_at", UtcDateTime),
)
"""When a parcel is to be read again, and when its newest scan was recorded."""

matches = Table(
    "matches",
    metadata,
    Column("order_ref", String(64), primary_key=True),
    Column("words", Text, primary_key=True),
    Column("match", JSON, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
)

refunds = Table(
    "refunds",
    metadata,
    Column("key", String(160), primary_key=True),
    Column(
        "order_ref",
        String(64),
        ForeignKey("orders.order_ref"),
        nullable=False,
        index=True,
    ),
    Column("order_id", String(64), nullable=False),
    Column("part", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("asked_minor", BigInteger, nullable=False),
    Column("approved_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("refund_id", String(64), nullable=False),
    Column("refund", JSON, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False, index=True),
)

refund_events = Table(
    "refund_events",
    metadata,
    Column("key", String(160), ForeignKey("refunds.key"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("order_ref", String(64), nullable=False, index=True),
    Column("refund_id", String(64), nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("status", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("cause", String(160), primary_key=True),
    Column("address", String(64), primary_key=True),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("put_at", UtcDateTime, nullable=False, index=True),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("next_try_at", UtcDateTime, index=True),
    Column("sent_at", UtcDateTime),
    Column("failure", Text, nullable=False, server_default=""),
)
"""`address` is the name of a recipient; it is empty until the message is addressed."""

pace = Table(
    "pace",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("permits", Float, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
)
"""How many calls the account may make, as of a time, and until when the service
throttles. A second row counts the calls of a day.
"""

SCHEMA_DIGEST = digest_of(metadata)

ledger_schema = Table(
    "ledger_schema",
    MetaData(),
    Column("digest", String(DIGEST_LENGTH), primary_key=True),
)
"""The digest of the tables that a ledger was made with. It is no table of `metadata`:
copies of a ledger have their own.
"""
