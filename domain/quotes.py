"""International freight: services on offer, and which one the merchant wants."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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


NOTHING = Money(0)


class Problem(StrEnum):
    """Why a line can't be bought as asked."""

    OUT_OF_STOCK = "out_of_stock"
    BELOW_MIN_QUANTITY = "below_min_quantity"
    OFFLINE = "offline"
    SKU_UNKNOWN = "sku_unknown"
    SELLERS_DIFFER = "sellers_differ"
    ADDRESS_INVALID = "address_invalid"
    PRICE_CHANGED = "price_changed"
    SEVERAL_PRODUCTS = "several_products"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineProblem:
    """A problem and the service's own words for it. `line_no` 0 concerns the whole order."""

    problem: Problem
    message: str
    line_no: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteLine:
    """The price of one order line; `unit_price` rounded to whole fen, `amount` exact."""

    line_no: int
    unit_price: Money
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A preview of one order. `total` (goods, postage, fees) is the amount that paying will take.

    `discount` was taken off the goods, as far as it is shown. `order_count` is above 1 when the service would make
    several orders of it (goods in two depots). `flow` and `trade_type` are what the order must be created with; empty
    where the marketplace names none. `hold` is why a person must decide first.
    """

    goods: Money
    postage: Money
    total: Money
    lines: tuple[QuoteLine, ...] = ()
    problems: tuple[LineProblem, ...] = ()
    order_count: int = 1
    flow: str = ""
    trade_type: str = ""
    hold: str = ""
    discount: Money = NOTHING

    @property
    def less_than_parts(self) -> Money:
        """How much less than its parts the total is without a discount that explains it; 0 where it is not less."""
        return max(self.goods + self.postage - self.discount - self.total, NOTHING)
