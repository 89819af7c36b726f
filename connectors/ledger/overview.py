"""Readings over all orders of the ledger: the columns that the service can confirm,
without the large ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Text,
    and_,
    cast,
    func,
    or_,
    select,
)

from connectors.ledger.engine import one_of
from connectors.ledger.records import JSON_COLUMNS, EffectRecord, OrderRecord
from connectors.ledger.schema import (
    batches,
    effects,
    minor_sum,
    moves,
    orders,
    tracking_events,
)
from connectors.ledger.transactions import Transactions
from domain.effects import OPEN
from domain.findings import UNSETTLED
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import ReasonCode
from domain.service_orders import TraceStatus
from domain.states import OrderState


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Orders that the ledger learned since then to be paid, with their amounts, freight
    booked since then, and how many orders entered which state.

    Sums are by currency. An order that entered a state and left it again is not counted
    there.
    """

    bought: int
    spent: tuple[Money, ...]
    booked: int
    freight: tuple[Money, ...]
    came: Mapping[str, int]


PAYMENT_REASONS = (ReasonCode.TAKEN_ABOVE_APPROVED, ReasonCode.PAID_BEFORE_CLOSED)
"""Reasons with which a payment is recorded elsewhere than on the road."""
LATE = (ReasonCode.OVERTAKEN, ReasonCode.CAME_LATE)


def happened(ledger: Transactions, since: datetime) -> Happened:
    earlier = moves.alias()
    known_before = select(1).where(
        earlier.c.order_ref == moves.c.order_ref,
        earlier.c.at < since,
        _records_payment(earlier),
    )
    told = select(moves.c.order_ref).where(
        moves.c.at >= since, _records_payment(moves), ~known_before.exists()
    )
    paid = select(orders.c.currency, orders.c.paid_minor.label("minor")).where(
        orders.c.paid_minor.is_not(None), orders.c.order_ref.in_(told)
    )
    fee_currency = orders.c.shipment[("fee", "currency")].as_string()
    fee = orders.c.shipment[("fee", "minor")]
    booked = select(
        func.coalesce(fee_currency, orders.c.freight_currency).label("currency"),
        func.coalesce(fee.as_integer(), orders.c.freight_minor).label("minor"),
    ).where(orders.c.booked_at >= since)
    bought, freight = (ledger.rows(_by_currency(some)) for some in (paid, booked))
    into = (
        select(
            moves.c.new_state.label("state"),
            func.count(moves.c.order_ref.distinct()).label("count"),
        )
        .join(orders, orders.c.order_ref == moves.c.order_ref)
        .where(moves.c.at >= since, moves.c.new_state == orders.c.state)
        .where(moves.c.old_state.is_distinct_from(moves.c.new_state))
        .group_by(moves.c.new_state)
    )
    return Happened(
        bought=sum(row["count"] for row in bought),
        spent=_sums(bought),
        booked=sum(row["count"] for row in freight),
        freight=_sums(freight),
        came=ledger.pairs(into),
    )


def _records_payment(move: FromClause) -> ColumnElement[bool]:
    """The service's own time of a payment may lie before the last reading, or be of a
    clock that is ahead.
    """
    late = move.c.reason_code.in_(LATE) & (
        move.c.reason_facts["what"].as_string() == OrderState.PAID
    )
    return or_(
        move.c.new_state == OrderState.PAID,
        move.c.reason_code.in_(PAYMENT_REASONS),
        late,
    )


def _by_currency(amounts: Select[Any]) -> Select[Any]:
    each = amounts.subquery()
    columns = (
        each.c.currency,
        func.count().label("count"),
        minor_sum(each.c.minor).label("minor"),
    )
    return select(*columns).group_by(each.c.currency).order_by(each.c.currency)


def _sums(rows: list[dict[str, Any]]) -> tuple[Money, ...]:
    return tuple(
        Money(row["minor"], row["currency"])
        for row in rows
        if row["minor"] and row["currency"]
    )


class OrderStanding(NamedTuple):
    """Where an order stands, without all that is known of it."""

    state: OrderState
    reason_code: str | None
    order_id: str | None


_LARGE = ("request", "lines", "offers", "quote", "freight_quote")
_SLIM = select(
    *(
        cast(column, Text).label(column.name) if column.name in JSON_COLUMNS else column
        for column in orders.c
        if column.name not in _LARGE
    )
)
_STANDING = select(
    *(
        orders.c[name]
        for name in ("order_ref", "state", "reason_code", "order_id", "recorded_at")
    )
)


def in_warehouse_since(ledger: Transactions, since: datetime) -> dict[str, datetime]:
    """The orders in the warehouse that came there first since then, and when: at the
    last signature, where it is known.

    A ledger may learn of it days later.
    """
    signed = select(func.max(tracking_events.c.occurred_at)).where(
        tracking_events.c.order_ref == moves.c.order_ref,
        tracking_events.c.status == TraceStatus.SIGN,
    )
    statement = (
        select(
            moves.c.order_ref,
            func.min(moves.c.at).label("at"),
            signed.scalar_subquery().label("signed"),
        )
        .join(orders, orders.c.order_ref == moves.c.order_ref)
        .where(
            moves.c.new_state == OrderState.IN_WAREHOUSE,
            orders.c.state == OrderState.IN_WAREHOUSE,
        )
        .group_by(moves.c.order_ref)
        .having(func.min(moves.c.at) >= since)
    )
    return {
        row["order_ref"]: min(row["at"], row["signed"] or row["at"])
        for row in ledger.rows(statement)
    }


def orders_to_compare(
    ledger: Transactions,
    *,
    since: datetime,
    order_refs: Iterable[str],
    order_ids: Iterable[str],
) -> list[OrderRecord]:
    """The orders that were ordered or paid since then, are not settled, or are named,
    without their large columns.

    Each by its own index: never all orders.
    """
    marketplaces = orders.c.marketplace.in_(
        list(Marketplace)
    )  # only with these the index of `ordered_at` serves
    those = (
        and_(marketplaces, orders.c.ordered_at >= since),
        orders.c.paid_at >= since,
        orders.c.state.in_(UNSETTLED),
        one_of(orders.c.order_id, "ids"),
        one_of(orders.c.order_ref, "refs"),
    )
    given = {"ids": [*order_ids], "refs": [*order_refs]}
    found = {
        row["order_ref"]: OrderRecord.of(dict.fromkeys(JSON_COLUMNS) | row)
        for which in those
        for row in ledger.rows(_SLIM.where(which), **given)
    }
    return [found[ref] for ref in sorted(found)]


def standing_of(
    ledger: Transactions,
    *,
    states: Iterable[OrderState] = (),
    order_refs: Iterable[str] = (),
) -> dict[str, OrderStanding]:
    """Where these orders stand, and all orders in these states, oldest first."""
    rows = ledger.rows(
        _STANDING.where(one_of(orders.c.state, "states")), states=[*states]
    )
    rows += ledger.rows(
        _STANDING.where(one_of(orders.c.order_ref, "refs")), refs=[*order_refs]
    )
    rows.sort(key=lambda row: (row["recorded_at"], row["order_ref"]))
    return {
        row["order_ref"]: OrderStanding(
            OrderState(row["state"]), row["reason_code"], row["order_id"]
        )
        for row in rows
    }


def counted_by_state(
    connection: Connection, states: Collection[OrderState]
) -> dict[str, int]:
    """The number of orders in each of these states that has any."""
    counted = (
        select(orders.c.state, func.count())
        .where(orders.c.state.in_(states))
        .group_by(orders.c.state)
    )
    return {state: count for state, count in connection.execute(counted)}


def every_batch(ledger: Transactions) -> dict[str, datetime]:
    """When each batch was started, oldest first."""
    statement = select(batches.c.batch_id, batches.c.created_at).order_by(
        batches.c.created_at, batches.c.batch_id
    )
    return ledger.pairs(statement)


def every_open_effect(ledger: Transactions) -> list[EffectRecord]:
    """Every effect that may have been sent and has no outcome, oldest first."""
    statement = (
        select(effects)
        .where(effects.c.status.in_(OPEN))
        .order_by(effects.c.intent_at, effects.c.key)
    )
    return [EffectRecord.of(row) for row in ledger.rows(statement)]
