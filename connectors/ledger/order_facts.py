"""What became known of an order, or was decided about it, and the columns of `orders` that it fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from connectors.ledger.codec import to_json
from domain.freight import ChosenFreight
from domain.money import Money
from domain.service_orders import Shipment


class Fact(Protocol):
    """One thing to write to an order. What it does not name stays as it is."""

    @property
    def columns(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A person let an order cost this much and no more, without a plan to go by."""

    amount: Money

    @property
    def columns(self) -> Mapping[str, Any]:
        return {"approved_minor": self.amount.minor, "payable_minor": self.amount.minor}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """The service made the order. `total` is what it asks for it, `at` UTC."""

    order_id: str
    total: Money
    at: datetime

    @property
    def columns(self) -> Mapping[str, Any]:
        return {"order_id": self.order_id, "total_minor": self.total.minor, "ordered_at": self.at}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotOrdered:
    """The order that this one was taken for is another's."""

    @property
    def columns(self) -> Mapping[str, Any]:
        return {"order_id": None, "total_minor": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """The service took `amount`; `at` is UTC, None where it does not tell. Without `total` the order's stays."""

    amount: Money
    at: datetime | None
    total: Money | None = None

    @property
    def columns(self) -> Mapping[str, Any]:
        paid = {"paid_minor": self.amount.minor, "paid_at": self.at}
        return paid if self.total is None else {**paid, "total_minor": self.total.minor}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """What came back of what was paid, over all refunds of the order."""

    amount_minor: int

    @property
    def columns(self) -> Mapping[str, Any]:
        return {"refunded_minor": self.amount_minor}


@dataclass(frozen=True, slots=True, kw_only=True)
class FreightApproved:
    """Shipping may cost this much and no more."""

    price: Money

    @property
    def columns(self) -> Mapping[str, Any]:
        return {"freight_approved_minor": self.price.minor, "freight_currency": self.price.currency}


@dataclass(frozen=True, slots=True, kw_only=True)
class FreightAsked:
    """What shipping would cost now, which was not approved; the next run asks for it.

    What was approved in another currency (`voids_approval`) is no approval of it.
    """

    price: Money
    voids_approval: bool

    @property
    def columns(self) -> Mapping[str, Any]:
        asked = {"freight_minor": self.price.minor, "freight_currency": self.price.currency}
        return {**asked, "freight_approved_minor": None} if self.voids_approval else asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """The warehouse has the shipment. `freight` is what was chosen, None where the service merely shows a booking."""

    shipment: Shipment
    at: datetime
    freight: ChosenFreight | None = None

    @property
    def columns(self) -> Mapping[str, Any]:
        booked = {
            "shipment": to_json(self.shipment),
            "shipment_order_id": self.shipment.shipment_order_id,
            "booked_at": self.at,
        }
        if self.freight is None:
            return booked
        return {
            **booked,
            "freight_quote": to_json(self.freight.quote),
            "freight_service": self.freight.service.service_id,
            "freight_minor": self.freight.service.price.minor,
            "freight_currency": self.freight.service.price.currency,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBooked:
    """The shipment that a person told of is not there."""

    @property
    def columns(self) -> Mapping[str, Any]:
        return {"shipment": None, "shipment_order_id": None, "booked_at": None}
