"""Brings a ledger up to this program's schema: what its tables lack, then what earlier
programs wrote otherwise.

A schema only grows, so tables, columns and indexes that are missing are made as
`schema.py` declares them. Rows that are to change have a step, with the version that it
leads to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    and_,
    bindparam,
    column,
    exists,
    func,
    insert,
    inspect,
    literal,
    or_,
    select,
    table,
    text,
    update,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateColumn, CreateIndex

from connectors.crash_points import AFTER_REVISION, reach
from connectors.ledger.records import divided
from connectors.ledger.schema import (
    SCHEMA_VERSION,
    UtcDateTime,
    effects,
    forgotten,
    marks,
    messages,
    metadata,
    minor_sum,
    moves,
    orders,
    receivers,
    refunds,
    to_json,
)
from domain.effects import OPEN, Action, EffectStatus
from domain.marketplace import Marketplace
from domain.states import OrderState

VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32)),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The table that earlier programs, and those that open a newer ledger, read a version
from.
"""
BY = "upgrade"
_TWICE = text(
    "SELECT 1 FROM orders WHERE order_id IS NOT NULL GROUP BY marketplace, order_id HAVING count(*) > 1"
)


def upgrade(connection: Connection, version: str | None) -> None:
    """Make the tables of an empty database (no `version`), or bring an earlier ledger
    up to date, in one transaction.

    Tables without a version stay as they are, with an error: what they are is not
    known.
    """
    if version is None:
        metadata.create_all(connection, checkfirst=False)
        VERSION.create(connection)
        connection.execute(insert(VERSION).values(version_num=SCHEMA_VERSION))
        reach(AFTER_REVISION, SCHEMA_VERSION)
        return
    if version < "0017":
        connection.execute(
            text("DROP INDEX IF EXISTS ix_orders_state")
        )  # another one of this name
    _complete(connection)
    for leads_to, step in STEPS.items():
        if version < leads_to:
            step(connection)
            reach(AFTER_REVISION, leads_to)
    connection.execute(update(VERSION).values(version_num=SCHEMA_VERSION))


def _complete(connection: Connection) -> None:
    """Make what is missing. Ids that two orders have keep the index out that would
    forbid them.
    """
    found = inspect(connection).get_multi_columns()
    there = {
        name: {one["name"] for one in columns} for (_, name), columns in found.items()
    }
    for one in metadata.sorted_tables:
        if one.name not in there:
            one.create(connection)
            continue
        for missing in (each for each in one.c if each.name not in there[one.name]):
            words = CreateColumn(missing).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {one.name} ADD COLUMN {words}")
        for index in one.indexes:
            if not (index.unique and connection.execute(_TWICE).first()):
                connection.execute(CreateIndex(index, if_not_exists=True))


def _count_doubtful_sends(connection: Connection) -> None:
    connection.execute(
        update(effects).where(effects.c.status.in_(OPEN)).values(doubtful_sends=1)
    )


SENTENCES = {
    "the service already has order %": "already_there",
    "the price rose after ordering%": "price_rose",
    "its price is within what was approved again%": "price_fell",
    "the service has accepted the cancellation and not yet closed%": "cancel_accepted",
    "lies in the cart%": "in_cart",
    "%nobody answered within%": "nobody_answered",
    "approved by %": "approved",
    "freight approved by %": "freight_approved",
    "not approved by %": "not_approved",
    "freight not approved by %": "not_approved",
    "%not approved: its run was cancelled": "asking_run_cancelled",
    "% Answer with: sourcing resolve%": "no_answer_asked",
    "%no payment of this ledger accounts for it%": "paid_elsewhere",
    "%approved was%ask for the difference back": "taken_above_approved",
}
"""The reasons that this program recognizes by their codes, in earlier words; all others
keep their words alone.
"""


def _give_codes(connection: Connection) -> None:
    for one in (orders, effects, moves):
        for words, code in SENTENCES.items():
            these = update(one).where(
                one.c.reason_code.is_(None), one.c.reason.like(words)
            )
            connection.execute(these.values(reason_code=code))
    beforehand = "a yes given beforehand"
    these = update(moves).where(moves.c.reason.like(f"approved by {beforehand} at %"))
    connection.execute(these.values(reason_facts={"by": beforehand}))


AT_ONCE = 500


def _divide_requests(connection: Connection) -> None:
    """Move name, phone, e-mail and street from the requests of orders into their own
    table.
    """
    following = (
        select(orders.c.order_ref, orders.c.request)
        .where(
            orders.c.order_ref > bindparam("last"),
            orders.c.order_ref.not_in(select(forgotten.c.order_ref)),
        )
        .order_by(orders.c.order_ref)
        .limit(AT_ONCE)
    )
    keeping = (
        update(orders)
        .where(orders.c.order_ref == bindparam("ref"))
        .values(request=bindparam("kept"))
    )
    last = ""
    while found := connection.execute(following, {"last": last}).all():
        last = found[-1].order_ref
        parts = {row.order_ref: divided(row.request) for row in found}
        named = {ref: part for ref, part in parts.items() if part[1]}
        if named:
            connection.execute(
                insert(receivers),
                [{"order_ref": r, "receiver": one} for r, (_, one) in named.items()],
            )
            connection.execute(
                keeping,
                [{"ref": ref, "kept": kept} for ref, (kept, _) in named.items()],
            )


def _add_rules(connection: Connection) -> None:
    """Have the database hold the schema's rules, but for those that an old row breaks;
    `verify` names that row.
    """
    for one in (orders, effects):
        rules = {
            str(rule.name): rule.sqltext
            for rule in one.constraints
            if isinstance(rule, CheckConstraint)
        }
        for name in sorted(rules):
            broken = text(f"SELECT 1 FROM {one.name} WHERE NOT ({rules[name]}) LIMIT 1")
            if connection.execute(broken).first() is None:
                _add_rule(
                    connection, one.name, f"CONSTRAINT {name} CHECK ({rules[name]})"
                )


def _add_rule(connection: Connection, name: str, rule: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER TABLE {name} ADD {rule}")
        return
    # the way that SQLite documents for rules alone (ALTER TABLE, 7): rows stay where
    # they are
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    with suppress(
        OperationalError
    ):  # an SQLite that was built not to allow it goes without rules
        connection.exec_driver_sql(
            "UPDATE sqlite_schema SET sql = substr(rtrim(sql), 1, length(rtrim(sql)) - 1) || ? || ')' "
            "WHERE type = 'table' AND name = ?",
            (f", {rule}", name),
        )
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


_TIMES = ("first_try_at", "free_at", "sent_at", "given_up_at")
_DELIVERIES = table(
    "deliveries",
    *(column(name) for name in ("cause", "addressee", "tries", "reason")),
    *(column(name, UtcDateTime()) for name in _TIMES),
)


def _move_tries(connection: Connection) -> None:
    """Move the tries of a message at its recipients, which had a table of their own,
    into its row.
    """
    if not inspect(connection).has_table(_DELIVERIES.name):
        return
    tries = defaultdict[str, dict[str, object]](dict)
    for row in connection.execute(select(_DELIVERIES)):
        tries[row.cause][row.addressee] = {
            "count": row.tries,
            "first_at": row.first_try_at,
            "next_at": None if row.sent_at or row.given_up_at else row.free_at,
            "sent_at": row.sent_at,
            "why": row.reason,
        }
    for cause, those in tries.items():
        connection.execute(
            update(messages)
            .where(messages.c.cause == cause)
            .values(tries=to_json(those))
        )
    connection.execute(text("DROP TABLE deliveries"))


def _drop_shares(connection: Connection) -> None:
    """What was shared and is not begun, the run that shared it plans anew: it names
    receivers, and is not kept.
    """
    for name in ("share_helpers", "share_chunks", "shares"):
        connection.execute(text(f"DROP TABLE IF EXISTS {name}"))


def _withdraw_approvals(connection: Connection) -> None:
    """Withdraw those of orders that a person took back, in vain or not, and whose
    freight is not booked.

    Refunds count from half of the money, for any lines. Of what was taken above the
    approved people got the difference back and booked it by hand, as the manual had it.
    """
    o = orders.c
    cancelled = exists().where(
        effects.c.order_ref == o.order_ref, effects.c.action == Action.CANCEL
    )
    asked = (
        select(minor_sum(refunds.c.asked_minor))
        .where(refunds.c.order_ref == o.order_ref)
        .scalar_subquery()
    )
    is_left = and_(
        o.shipment_order_id.is_(None),
        o.state.not_in((OrderState.CANCELLED, OrderState.REFUNDED)),
    )
    is_above = o.paid_minor > func.coalesce(o.payable_minor, o.approved_minor)
    is_asked_back = and_(asked > 0, 2 * asked >= o.paid_minor)
    taken_back = and_(is_left, or_(cancelled, is_asked_back, is_above))
    _write_moves(
        connection,
        taken_back,
        new_state=o.state,
        reason=literal(""),
        reason_code=literal("wanted_back"),
    )
    connection.execute(update(orders).where(taken_back).values(plan_hash=None))


def _write_moves(
    connection: Connection, these: ColumnElement[bool], **columns: ColumnElement[Any]
) -> None:
    """Write into the audit trail what happens to these orders."""
    o, at = orders.c, literal(datetime.now(UTC), UtcDateTime())
    moved = {
        "order_ref": o.order_ref,
        "old_state": o.state,
        **columns,
        "by": literal(BY),
        "at": at,
    }
    connection.execute(
        insert(moves).from_select([*moved], select(*moved.values()).where(these))
    )


def _note_paid_anew(connection: Connection) -> None:
    """Note from when on 1688 is paid by another call, where it was paid before: what
    was seen is of the old one.
    """
    at = Marketplace.ALIBABA_1688
    paid = exists().where(
        orders.c.order_ref == effects.c.order_ref,
        orders.c.marketplace == at,
        effects.c.action == Action.PAY,
    )
    if connection.scalar(select(paid)):
        now, words = datetime.now(UTC), "by one call, alone or together"
        said = {
            "name": f"paid_anew:{at}",
            "at": now,
            "by": BY,
            "words": words,
            "ended_at": now,
            "ended_by": BY,
        }
        connection.execute(insert(marks).values(said))


def _mend_booked(connection: Connection) -> None:
    """Booked is what went back to paid as its refund ended, and booked at the price
    that was sent, if no fee is known.

    The answer of such a booking was lost, and what the order shows has no fee.
    """
    o, e, now = orders.c, effects.c, datetime.now(UTC)
    went_back = and_(o.state == OrderState.PAID, o.shipment_order_id.is_not(None))
    _write_moves(
        connection,
        went_back,
        new_state=literal(OrderState.BOOKED.value),
        reason=literal("it is booked"),
    )
    connection.execute(
        update(orders).where(went_back).values(state=OrderState.BOOKED, updated_at=now)
    )
    is_booking = and_(
        e.action == Action.BOOK,
        e.status == EffectStatus.DONE,
        e.amount_minor.is_not(None),
    )
    unpriced = and_(o.shipment_order_id.is_not(None), o.freight_minor.is_(None))
    sent = (
        select(o.order_ref, e.amount_minor, e.currency)
        .join_from(effects, orders)
        .where(is_booking, unpriced)
    )
    newest = {
        ref: {"ref": ref, "minor": minor, "in": into}
        for ref, minor, into in connection.execute(sent.order_by(e.attempt))
    }
    price = {
        "freight_minor": bindparam("minor"),
        "freight_currency": bindparam("in"),
        "updated_at": now,
    }
    if newest:  # a statement for all would look at each booking for each order
        connection.execute(
            update(orders).where(o.order_ref == bindparam("ref")).values(price),
            [*newest.values()],
        )


STEPS: dict[str, Callable[[Connection], None]] = {
    "0014": _count_doubtful_sends,
    "0015": _give_codes,
    "0016": _divide_requests,
    "0017": _add_rules,
    "0019": _move_tries,
    "0021": _drop_shares,
    "0024": _withdraw_approvals,
    "0025": _note_paid_anew,
    "0026": _mend_booked,
}
"""What brings the rows of an earlier ledger to each version."""
