"""Orders that ledger and service agree on, for tests that then make one side say
something else.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.differences import LedgerOrder
from domain.marketplace import Marketplace
from domain.money import Money
from domain.service_orders import ServiceOrder, ServiceStatus, Shipment
from domain.states import OrderState

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
ORDERED_AT = NOW - timedelta(days=2)


def ours(order_ref: str = "A-1", **facts: Any) -> LedgerOrder:
    """A paid and booked order of the ledger."""
    known: dict[str, Any] = {
        "marketplace": Marketplace.TAOBAO,
        "state": OrderState.BOOKED,
        "order_id": f"id-{order_ref}",
        "ordered_at": ORDERED_AT,
        "total": Money(1200),
        "paid": Money(1200),
        "paid_at": ORDERED_AT,
        "shipment_order_id": f"ship-{order_ref}",
        "tracking_numbers": (f"T-{order_ref}",),
    }
    return LedgerOrder(order_ref=order_ref, **known | facts)


def unpaid(order_ref: str = "A-1", **facts: Any) -> LedgerOrder:
    """An ordered and unpaid order of the ledger."""
    known: dict[str, Any] = {"state": OrderState.ORDERED, "paid": None, "paid_at": None}
    return ours(
        order_ref, **known | {"shipment_order_id": "", "tracking_numbers": ()} | facts
    )


def theirs(order_ref: str = "A-1", **facts: Any) -> ServiceOrder:
    """The same paid and booked order as the service shows it."""
    known: dict[str, Any] = {
        "order_id": f"id-{order_ref}",
        "reference": order_ref,
        "status": ServiceStatus.PAID,
        "total": Money(1200),
        "paid": Money(1200),
        "created_at": ORDERED_AT,
        "paid_at": ORDERED_AT,
        "shipments": (
            Shipment(
                shipment_order_id=f"ship-{order_ref}",
                tracking_numbers=(f"T-{order_ref}",),
            ),
        ),
    }
    return ServiceOrder(**known | facts)


def theirs_unpaid(order_ref: str = "A-1", **facts: Any) -> ServiceOrder:
    """The same unpaid order as the service shows it."""
    known: dict[str, Any] = {
        "status": ServiceStatus.UNPAID,
        "paid": None,
        "paid_at": None,
        "shipments": (),
    }
    return theirs(order_ref, **known | facts)
