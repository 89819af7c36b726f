"""International freight: services on offer, and which one the merchant wants."""

from __future__ import annotations

from dataclasses import dataclass

from domain.money import Money

CHEAPEST = "cheapest"
FASTEST = "fastest"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreightService:
    """One way to ship an order abroad; days are from the warehouse to the door."""

    service_id: str
    company: str
    category: str
    price: Money
    min_days: int
    max_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FreightQuote:
    """What the warehouse offers for one order. `render_id` is empty for a mere estimate."""

    render_id: str
    services: tuple[FreightService, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFreight:
    """A rendered quote and the service in it that the merchant wants."""

    quote: FreightQuote
    service: FreightService


def choose_freight(services: tuple[FreightService, ...], wish: str) -> FreightService | None:
    """The service that the merchant wants, or None when it is not on offer.

    `wish` is `cheapest` (then the faster), `fastest` (then the cheaper) or a service id.
    """
    if wish == CHEAPEST:
        return min(services, key=lambda s: (s.price.minor, s.max_days, s.service_id), default=None)
    if wish == FASTEST:
        return min(services, key=lambda s: (s.max_days, s.min_days, s.price.minor, s.service_id), default=None)
    return next((service for service in services if service.service_id == wish), None)
