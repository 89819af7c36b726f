"""The rows of the snapshot tables, of plans and of the ledger's records."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.snapshots.tables.offers import FREIGHT_QUOTES, QUOTES, freight_on_offer, offer_rows
from connectors.snapshots.tables.orders import ORDER_LINES, ORDERS, OUTCOMES, PAYMENTS
from connectors.snapshots.tables.parcels import SHIPMENT_ITEMS, SHIPMENTS
from connectors.snapshots.tables.refunds import REFUND_EVENTS, REFUNDS
from connectors.snapshots.tables.requests import CANDIDATES, REQUESTS
from connectors.snapshots.tables.table import Row
from domain.plan import PlannedOrder

OF_PLANS = (REQUESTS, CANDIDATES, QUOTES)
OF_ORDERS = (ORDERS, ORDER_LINES, PAYMENTS, FREIGHT_QUOTES, SHIPMENTS, SHIPMENT_ITEMS, OUTCOMES)
OF_NO_BATCH: Row = {"batch_id": None}


def plan_tables(plans: Sequence[PlannedOrder]) -> dict[str, list[Row]]:
    """The requests and the marketplaces' offers."""
    seen = [row for plan in plans for offer in plan.offers for row in offer_rows(offer)]
    offers = {(row["marketplace"], row["item_id"], row["sku_id"]): row for row in seen}
    return {
        **{table.name: [row for plan in plans for row in table.rows(plan)] for table in OF_PLANS},
        "offers": list(offers.values()),
        "freight_quotes": [FREIGHT_QUOTES.row(one) for plan in plans for one in _freight(plan)],
    }


def _freight(plan: PlannedOrder) -> Sequence[object]:
    chosen = plan.freight_service.service_id if plan.freight_service else None
    return freight_on_offer(plan.order_ref, plan.freight, chosen)


def order_tables(orders: Sequence[OrderRecord]) -> dict[str, list[Row]]:
    """The orders of the ledger; each row under the batch of its order, whatever run writes it."""
    return {
        table.name: [{**row, "batch_id": order.batch_id} for order in orders for row in table.rows(order)]
        for table in OF_ORDERS
    }


def refund_tables(ledger: Ledger, order_refs: Sequence[str]) -> dict[str, list[Row]]:
    """The refunds of these orders and their events, under no batch, whatever run writes them."""
    events = ledger.refunds.events(order_refs=order_refs)  # before the refunds: an event's own is never missing then
    return {
        "refunds": [REFUNDS.row(refund) | OF_NO_BATCH for refund in ledger.refunds.of_orders(order_refs)],
        "refund_events": [REFUND_EVENTS.row(event) | OF_NO_BATCH for event in events],
    }
