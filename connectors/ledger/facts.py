"""What the ledger says of all its orders at once, as far as the service can confirm it; without what is large."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, select

from connectors.ledger.claiming import effect_records
from connectors.ledger.records import EffectRecord
from connectors.ledger.repeating import repeating
from connectors.ledger.schema import effects, orders
from connectors.ledger.transactions import Transactions
from domain.effects import OPEN
from domain.findings import LedgerOrder
from domain.marketplace import Marketplace
from domain.money import Money
from domain.states import OrderState

COLUMNS = (
    orders.c.order_ref,
    orders.c.marketplace,
    orders.c.state,
    orders.c.order_id,
    orders.c.ordered_at,
    orders.c.total_minor,
    orders.c.paid_minor,
    orders.c.paid_at,
    orders.c.refunded_minor,
    orders.c.currency,
    orders.c.shipment_order_id,
    orders.c.shipment,
)


@repeating
def every_order(ledger: Transactions) -> list[LedgerOrder]:
    """Every order, oldest first, without its effects."""
    statement = select(*COLUMNS).order_by(orders.c.recorded_at, orders.c.order_ref)
    with ledger.reading() as connection:
        return [_order(row) for row in connection.execute(statement).mappings()]


@repeating
def every_open_effect(ledger: Transactions) -> list[EffectRecord]:
    """Every effect that may have been sent and has no outcome, oldest first."""
    statement = select(effects).where(effects.c.status.in_(OPEN)).order_by(effects.c.intent_at, effects.c.key)
    with ledger.reading() as connection:
        return effect_records(connection, statement)


def _order(row: RowMapping) -> LedgerOrder:
    shipment: dict[str, Any] = row["shipment"] or {}
    return LedgerOrder(
        order_ref=row["order_ref"],
        marketplace=Marketplace(row["marketplace"]),
        state=OrderState(row["state"]),
        order_id=row["order_id"] or "",
        ordered_at=row["ordered_at"],
        total=_money(row["total_minor"], row["currency"]),
        paid=_money(row["paid_minor"], row["currency"]),
        paid_at=row["paid_at"],
        refunded=Money(row["refunded_minor"] or 0, row["currency"]),
        shipment_order_id=row["shipment_order_id"] or "",
        tracking_numbers=tuple(shipment.get("tracking_numbers", ())),
    )


def _money(minor: int | None, currency: str) -> Money | None:
    return None if minor is None else Money(minor, currency)
