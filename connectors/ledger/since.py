"""Sums of what happened since a time, for the daily digest. No order is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from connectors.ledger.schema import moves, orders
from connectors.ledger.sums import minor_sum
from connectors.ledger.transactions import Transactions
from domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Orders paid since then with their amounts, freight booked since then, and how many orders entered which state.

    Sums are by currency. An order that entered a state and left it again is not counted there.
    """

    bought: int
    spent: tuple[Money, ...]
    booked: int
    freight: tuple[Money, ...]
    came: Mapping[str, int]


def happened(ledger: Transactions, since: datetime) -> Happened:
    paid = ledger.rows(
        select(orders.c.currency, func.count().label("count"), minor_sum(orders.c.paid_minor).label("minor"))
        .where(orders.c.paid_at >= since, orders.c.paid_minor.is_not(None))
        .group_by(orders.c.currency)
        .order_by(orders.c.currency)
    )
    booked = ledger.rows(
        select(
            orders.c.freight_currency.label("currency"),
            func.count().label("count"),
            minor_sum(orders.c.freight_minor).label("minor"),
        )
        .where(orders.c.booked_at >= since)
        .group_by(orders.c.freight_currency)
        .order_by(orders.c.freight_currency)
    )
    into = (
        select(moves.c.new_state.label("state"), func.count(moves.c.order_ref.distinct()).label("count"))
        .join(orders, orders.c.order_ref == moves.c.order_ref)
        .where(moves.c.at >= since, moves.c.new_state == orders.c.state)
        .where(moves.c.old_state.is_distinct_from(moves.c.new_state))
        .group_by(moves.c.new_state)
    )
    return Happened(
        bought=sum(row["count"] for row in paid),
        spent=_sums(paid),
        booked=sum(row["count"] for row in booked),
        freight=_sums(booked),
        came={row["state"]: row["count"] for row in ledger.rows(into)},
    )


def _sums(rows: list[dict[str, Any]]) -> tuple[Money, ...]:
    return tuple(Money(row["minor"], row["currency"]) for row in rows if row["minor"] and row["currency"])
