"""The ledger's tables (SQLAlchemy Core), their digest, and the JSON in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import sha256
from itertools import starmap
from typing import Any, TypeVar, cast, get_args

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
from sqlalchemy.schema import SchemaItem

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


KEY = {"primary_key": True}
ID = {"kind": int, "primary_key": True}
ORDER = {"refers": "orders.order_ref", "index": True}
ORDER_KEY = {"refers": "orders.order_ref", "primary_key": True}
FROM_ZERO = {"kind": int, "server_default": text("0")}
REASON = {"reason_code": str | None, "reason_facts": dict | None}
TYPES: Mapping[Any, Any] = {
    str: Text,
    int: BigInteger().with_variant(Integer, "sqlite"),
    float: Float,
    bool: Boolean,
    datetime: UtcDateTime,
    dict: JSON(none_as_null=True),
}


def _table(table: str, /, *rules: SchemaItem, **columns: Any) -> Table:
    """A table of columns by their type in Python, such as `str | None`, or by `kind`
    and options.
    """
    return Table(table, metadata, *starmap(_column, columns.items()), *rules)


def _column(name: str, declared: Any) -> Column[Any]:
    options = declared if isinstance(declared, dict) else {"kind": declared}
    kind = options.get("kind", str)
    python_type, *nothing = get_args(kind) or [kind]
    references = [ForeignKey(options["refers"])] if "refers" in options else []
    further = {
        name: value for name, value in options.items() if name not in ("kind", "refers")
    }
    return Column(
        name, TYPES[python_type], *references, nullable=bool(nothing), **further
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


account = _table("account", one=ID, name=str)

batches = _table(
    "batches",
    batch_id=KEY,
    source=str,
    created_at=datetime,
    file=str | None,
    digest=str | None,
    options=dict | None,
    flow_run=str | None,
    worker=str | None,
    worked_until=datetime | None,
    due_at=datetime | None,
    follow_ups=FROM_ZERO,
    waits_for_resume={"kind": bool, "server_default": false()},
)
OPEN_BATCHES = or_(batches.c.worked_until.is_not(None), batches.c.due_at.is_not(None))
_index_of_some(OPEN_BATCHES, batches.c.batch_id, name="ix_batches_open")

leases = _table("leases", name=KEY, owner=str, until=datetime)
"""Work of which only one process may be at, and when it may begin again."""

orders = _table(
    "orders",
    CheckConstraint(
        "0 <= committed_minor AND committed_minor <= outlay_minor",
        name="ck_orders_committed",
    ),
    CheckConstraint(
        "payable_minor IS NULL OR payable_minor >= coalesce(approved_minor, 0)",
        name="ck_orders_payable",
    ),
    order_ref=KEY,
    batch_id={"refers": "batches.batch_id"},
    marketplace=str,
    state=str,
    fingerprint=str,
    request=dict,
    lines=dict,
    offers=dict,
    quote=dict | None,
    seller_id=str,
    approved_minor=int | None,
    plan_hash=str | None,
    freight_approved_minor=int | None,
    currency=str,
    order_id={"kind": str | None, "index": True},
    ordered_at=datetime | None,
    total_minor=int | None,
    paid_minor=int | None,
    paid_at=datetime | None,
    freight_quote=dict | None,
    freight_service=str | None,
    freight_minor=int | None,
    freight_currency=str | None,
    shipment=dict | None,
    shipment_order_id={"kind": str | None, "index": True},
    booked_at=datetime | None,
    recorded_at=datetime,
    updated_at=datetime,
    refunded_minor=int | None,
    payable_minor=int | None,
    **REASON,
    warehouse=str | None,
    parcel_reported_at=datetime | None,
    shop=str | None,
    shop_ref=str | None,
    committed_minor=FROM_ZERO,
    outlay_minor=FROM_ZERO,
    spent_at=datetime | None,
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

unwritten = _table("unwritten", id=ID, order_ref=str, planned=bool)
"""Orders that changed since the tables were written. The change is of the plan where
one was `planned`.
"""

parts = _table("parts", part_of=KEY, own_sku=KEY, order_ref=str)
"""The order that an own SKU of a request went to when it was first split by the SKU
book: it goes to no other.
"""

over_in_shop = _table("over_in_shop", order_ref=KEY, file=str)
"""Orders that a shop's export showed as cancelled or sent before the ledger knew them,
and that file.
"""

exported_numbers = _table(
    "exported_numbers",
    order_ref=ORDER_KEY,
    tracking_number=KEY,
    file=str,
    at=datetime,
)
"""Tracking numbers that were exported for an order's shop, and the file. An empty one
stands for all of them.
"""

receivers = _table("receivers", order_ref=ORDER_KEY, receiver=dict)
"""Name, phone, e-mail and street of an order's receiver, which no other table has."""

effects = _table(
    "effects",
    CheckConstraint("fence >= 1 AND attempt >= 1", name="ck_effects_counted"),
    CheckConstraint(
        "status IN ('sending', 'unknown') OR (status IN ('done', 'refused', 'unsent') AND settled_at IS NOT NULL)",
        name="ck_effects_settled",
    ),
    key=KEY,
    order_ref=ORDER,
    action=str,
    attempt=int,
    status=str,
    amount_minor=int | None,
    currency=str | None,
    request_hash=str,
    fence=int,
    owner=str,
    lease_until=datetime,
    sender=str,
    intent_at=datetime,
    settled_at=datetime | None,
    answer=dict | None,
    leaves_by=datetime,
    doubtful_sends=FROM_ZERO,
    **REASON,
)
Index("ix_effects_status", effects.c.status)
STATUS_OF_THESE = effects.c.status.concat("")
"""The status as a second condition, without its index: by that SQLite would read all
effects of a status.
"""

answers = _table(
    "answers",
    id=ID,
    order_ref=ORDER,
    effect_key=str,
    at=datetime,
    by=str,
    question=str,
    answer=str,
)

_ENDING = {"ended_at": datetime | None, "ended_by": str | None}

marks = _table("marks", id=ID, name=str, at=datetime, by=str, words=str, **_ENDING)
Index("ix_marks_name", marks.c.name, marks.c.id)
_index_of_some(marks.c.ended_at.is_(None), marks.c.name, name="ix_marks_standing")

not_ours = _table(
    "not_ours",
    id=ID,
    marketplace=str,
    order_id=str,
    amount_minor=int,
    currency=str,
    at=datetime,
    by=str,
    **_ENDING,
)

switches = _table("switches", id=ID, name=str, at=datetime, by=str, why=str, **_ENDING)
"""What is turned off, by whom and until when: `buying`, or a marketplace held for
contradicting amounts.
"""

forgotten = _table("forgotten", order_ref=KEY, at=datetime, by=str)
"""Orders whose receiver was erased."""

moves = _table(
    "moves",
    id=ID,
    order_ref=ORDER,
    at=datetime,
    old_state=str | None,
    new_state=str,
    by=str,
    **REASON,
)
Index("ix_moves_at", moves.c.at)

tracking_events = _table(
    "tracking_events",
    order_ref=ORDER_KEY,
    tracking_number=KEY,
    sequence=ID,
    occurred_at=datetime,
    status=str,
    description=str,
    place=str,
    recorded_at=datetime,
)
Index(
    "ix_tracking_events_recorded_at",
    tracking_events.c.recorded_at,
    tracking_events.c.order_ref,
)

tracked = _table(
    "tracked",
    order_ref=ORDER_KEY,
    next_poll_at=datetime,
)
"""When a parcel is to be read again."""

matches = _table("matches", order_ref=KEY, words=KEY, match=dict, decided_at=datetime)

refunds = _table(
    "refunds",
    key=KEY,
    order_ref=ORDER,
    order_id=str,
    part=str,
    number=int,
    kind=str,
    state={"index": True},
    asked_minor=int,
    approved_minor=int,
    refunded_minor=int,
    currency=str,
    refund_id=str,
    refund=dict,
    recorded_at=datetime,
    updated_at={"kind": datetime, "index": True},
)

messages = _table(
    "messages",
    cause=KEY,
    address=KEY,
    subject=str,
    body=str,
    link=str,
    put_at={"kind": datetime, "index": True},
    tries=FROM_ZERO,
    next_try_at={"kind": datetime | None, "index": True},
    sent_at=datetime | None,
    failure={"server_default": ""},
)
"""`address` is the name of a recipient; it is empty until the message is addressed."""

pace = _table("pace", one=ID, permits=float, at=datetime, not_before=datetime)
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
