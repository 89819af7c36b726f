"""Domain objects to the ledger's JSON columns and back."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import TypeAdapter

from domain.budget import payable
from domain.offers import Offer
from domain.orders import OrderLine, SourcingOrder
from domain.plan import PlannedOrder
from domain.service_orders import Shipment

T = TypeVar("T")

NO_TOLERANCE = Decimal(0)

_ADAPTERS: dict[object, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(value: object) -> Any:
    """A domain dataclass as plain JSON values."""
    return _adapter(type(value)).dump_python(value, mode="json")


def from_json(kind: type[T], value: Any) -> T:
    """A domain dataclass from plain JSON values."""
    made: T = _adapter(kind).validate_python(value)
    return made


def lines_of(order: Any) -> tuple[OrderLine, ...]:
    lines: tuple[OrderLine, ...] = order.lines
    return lines


def offers_of(order: Any) -> tuple[Offer, ...]:
    offers: tuple[Offer, ...] = order.offers
    return offers


def shipment_of(order: Any) -> Shipment | None:
    shipment: Shipment | None = order.shipment
    return shipment


def sourcing_order_of(order: Any) -> SourcingOrder:
    sourcing_order: SourcingOrder = order.sourcing_order
    return sourcing_order


def plan_of(order: Any) -> PlannedOrder:
    plan: PlannedOrder = order.plan
    return plan


def plan_hash(plan: PlannedOrder) -> str:
    """A hash of what a person approves: what is bought, for whom, from whom, and for how much at most."""
    content = [plan.request.fingerprint, plan.seller_id, [to_json(line) for line in plan.lines], str(plan.total)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def plan_row(plan: PlannedOrder, batch_id: str, *, approved: bool, tolerance: Decimal = NO_TOLERANCE) -> dict[str, Any]:
    """The `orders` columns that a plan fills. Nothing may be bought on a plan before it is written as `approved`.

    `tolerance` is how many percent dearer than approved the order may have become and still be paid.
    Raises `ValueError` for an approved plan that costs nothing: budgets add them up.
    """
    if approved and plan.is_fine and plan.total.minor <= 0:
        raise ValueError(f"{plan.order_ref}: nothing can be approved for {plan.total}")
    freight = plan.freight_service.price if plan.freight_service else None
    return {
        "order_ref": plan.order_ref,
        "batch_id": batch_id,
        "marketplace": plan.request.marketplace,
        "state": plan.state,
        "reason": plan.reason,
        "fingerprint": plan.request.fingerprint,
        "request": to_json(plan.request),
        "lines": [to_json(line) for line in plan.lines],
        "offers": [to_json(offer) for offer in plan.offers],
        "quote": to_json(plan.quote) if plan.quote else None,
        "seller_id": plan.seller_id,
        "approved_minor": plan.total.minor if approved else None,
        "payable_minor": payable(plan.total, tolerance).minor if approved else None,
        "plan_hash": plan_hash(plan) if approved else None,
        "currency": plan.total.currency,
        "freight_quote": to_json(plan.freight) if plan.freight else None,
        "freight_service": plan.freight_service.service_id if plan.freight_service else None,
        "freight_approved_minor": freight.minor if freight and approved else None,
        "freight_currency": freight.currency if freight else None,
    }
