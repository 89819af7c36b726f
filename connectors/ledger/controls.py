"""Orders of ours that the service must know: by them a reading shows what it can show."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select

from connectors.ledger.schema import orders
from connectors.ledger.slices import slices
from connectors.ledger.transactions import Transactions
from domain.absence import Control
from domain.marketplace import Marketplace


def controls(
    ledger: Transactions, marketplace: Marketplace, *, since: datetime, until: datetime, most: int
) -> list[Control]:
    """The newest orders of a marketplace that were ordered in this time."""
    statement = (
        select(orders.c.order_ref, orders.c.order_id, orders.c.ordered_at)
        .where(
            orders.c.marketplace == marketplace,
            orders.c.order_id.is_not(None),
            orders.c.ordered_at.between(since, until),
        )
        .order_by(orders.c.ordered_at.desc(), orders.c.order_ref)
        .limit(most)
    )
    return [Control(**row) for row in ledger.rows(statement)]


def refs_by_id(ledger: Transactions, marketplace: Marketplace, order_ids: Iterable[str]) -> dict[str, str]:
    """The `order_ref` of each of these ids that the ledger has."""
    statement = select(orders.c.order_id, orders.c.order_ref).where(orders.c.marketplace == marketplace)
    known: dict[str, str] = {}
    for ids in slices(order_ids):
        rows = ledger.rows(statement.where(orders.c.order_id.in_(ids)))
        known |= {str(row["order_id"]): str(row["order_ref"]) for row in rows}
    return known


def knows_orders_of(ledger: Transactions, marketplace: Marketplace) -> bool:
    """Whether it ever knew an order of this marketplace by its id."""
    known = select(orders.c.order_ref).where(orders.c.marketplace == marketplace, orders.c.order_id.is_not(None))
    return bool(ledger.rows(known.limit(1)))
