"""Orders of ours that the service must know: by them a reading shows what it can show."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from connectors.ledger.schema import orders
from connectors.ledger.slices import slices
from connectors.ledger.transactions import Transactions
from domain.absence import Control
from domain.marketplace import Marketplace


def newest_until(
    ledger: Transactions, marketplace: Marketplace, until: datetime, *, since: datetime, most: int
) -> list[Control]:
    """The newest orders of a marketplace that were ordered in this time."""
    in_time = _known(marketplace).where(orders.c.ordered_at.between(since, until))
    return _controls(ledger, in_time.order_by(orders.c.ordered_at.desc(), orders.c.order_ref), most)


def oldest_since(ledger: Transactions, marketplace: Marketplace, since: datetime, *, most: int) -> list[Control]:
    """The first orders of a marketplace that were ordered from then on."""
    in_time = _known(marketplace).where(orders.c.ordered_at >= since)
    return _controls(ledger, in_time.order_by(orders.c.ordered_at, orders.c.order_ref), most)


def _known(marketplace: Marketplace) -> Select[Any]:
    known = select(orders.c.order_ref, orders.c.order_id, orders.c.ordered_at)
    return known.where(orders.c.marketplace == marketplace, orders.c.order_id.is_not(None))


def _controls(ledger: Transactions, statement: Select[Any], most: int) -> list[Control]:
    return [Control(**row) for row in ledger.rows(statement.limit(most))]


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
