"""Orders that ledger and service agree on, for tests that then make one side say
something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connectors.ledger.records import OrderRecord
from connectors.ledger.schema import to_json
from domain.marketplace import Marketplace
from domain.money import Money
from domain.service_orders import ServiceOrder, ServiceStatus, Shipment
from domain.states import OrderState
from tasks.comparison import LedgerSide

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
ORDERED_AT = NOW - timedelta(days=2)


ROW: dict[str, Any] = dict.fromkeys(field.name for field in fields(OrderRecord)) | {
    "batch_id": "batch",
    "currency": "CNY",
    "fingerprint": "",
    "seller_id": "S1",
    "recorded_at": ORDERED_AT,
    "updated_at": ORDERED_AT,
}


def ours(order_ref: str = "A-1", **facts: Any) -> OrderRecord:
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
    order = OrderRecord(**ROW | {"order_ref": order_ref, "stored": {}})
    return changed(order, **known | facts)


def changed(order: OrderRecord, **facts: Any) -> OrderRecord:
    """The order with these facts: its columns, amounts, numbers, and what is known of
    its payment.
    """
    stored = {**order.stored}
    for name in ("paid", "total", "refunded"):
        if name in facts:
            amount = facts.pop(name)
            facts[f"{name}_minor"] = amount and amount.minor
            facts |= {"currency": amount.currency} if amount else {}
    if "tracking_numbers" in facts:
        shipment = Shipment(
            shipment_order_id="", tracking_numbers=tuple(facts.pop("tracking_numbers"))
        )
        stored["shipment"] = orjson.dumps(to_json(shipment)).decode()
    for name in ("payment_clear_at", "in_hand"):
        if name in facts:
            stored[name] = facts.pop(name)
    return replace(order, **facts, stored=stored)


def side(orders: Iterable[OrderRecord], **known: Any) -> LedgerSide:
    """These orders as the ledger's side of a comparison."""
    listed = list(orders)
    return LedgerSide(
        orders=listed,
        shows_by={
            order.order_ref: order.stored["payment_clear_at"]
            for order in listed
            if order.stored.get("payment_clear_at")
        },
        in_hand={order.order_ref for order in listed if order.stored.get("in_hand")},
        **known,
    )


def unpaid(order_ref: str = "A-1", **facts: Any) -> OrderRecord:
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
