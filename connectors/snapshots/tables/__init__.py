"""The snapshot tables: columns, key and description of each; the data dictionary is
generated from them.

Amounts are minor units, never null, so that pandas keeps them `int64`; 0 beside a null
currency means that there is no amount (no price limit, no freight chosen, fee not
known).
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.snapshots.tables.costs import LANDED_COSTS
from connectors.snapshots.tables.offers import FREIGHT_QUOTES, OFFERS, QUOTES
from connectors.snapshots.tables.orders import ORDER_LINES, ORDERS, OUTCOMES, PAYMENTS
from connectors.snapshots.tables.parcels import (
    SHIPMENT_ITEMS,
    SHIPMENTS,
    TRACKING_EVENTS,
)
from connectors.snapshots.tables.reconciliation import RECONCILIATION
from connectors.snapshots.tables.refunds import REFUNDS
from connectors.snapshots.tables.requests import CANDIDATES, REQUESTS
from connectors.snapshots.tables.table import ENVELOPE, Table

__all__ = ["ENVELOPE", "LANDED_COSTS", "OFFERS", "TABLES", "Table"]

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        REQUESTS,
        OFFERS,
        QUOTES,
        ORDERS,
        ORDER_LINES,
        PAYMENTS,
        FREIGHT_QUOTES,
        SHIPMENTS,
        SHIPMENT_ITEMS,
        TRACKING_EVENTS,
        REFUNDS,
        OUTCOMES,
        CANDIDATES,
        RECONCILIATION,
        LANDED_COSTS,
    )
}
