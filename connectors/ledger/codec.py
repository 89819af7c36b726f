"""Domain objects to the ledger's JSON columns and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

from pydantic import TypeAdapter

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
    from connectors.ledger import plans

    return plans.plan_hash(plan)


def plan_row(plan: PlannedOrder, batch_id: str, *, approved: bool, tolerance: Decimal = NO_TOLERANCE) -> dict[str, Any]:
    from connectors.ledger import plans

    return plans.ledger_row(plan, batch_id, approved=approved, tolerance=tolerance)
