"""What a marketplace offers, as the merchant sees it, and what its preview and its
freight say an order costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine
from domain.wording import Worded

CHEAPEST = "cheapest"
FASTEST = "fastest"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreightService:
    """One way to ship an order abroad; days are from the warehouse to the door, 0 where
    they are not known.
    """

    service_id: str
    company: str
    category: str
    price: Money
    min_days: int
    max_days: int

    @property
    def days(self) -> str:
        return f"{self.min_days}–{self.max_days}" if self.max_days else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreightQuote:
    """What the warehouse offers for one order. `render_id` is empty for a mere
    estimate.
    """

    render_id: str
    services: tuple[FreightService, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFreight:
    """A rendered quote and the service in it that the merchant wants; `read_at` is when
    the order was read for it.

    `unsent` are the lines that are not in it, since they came back.
    """

    quote: FreightQuote
    service: FreightService
    read_at: datetime
    unsent: frozenset[int] = frozenset()


def choose_freight(
    services: Sequence[FreightService], wish: str, currency: str | None = None
) -> FreightService | None:
    """The service that the merchant wants, or None when it is not on offer.

    `wish` is `cheapest` (then the faster), `fastest` (then the cheaper; of those that
    tell their days) or a service id. Prices are compared within `currency`, where it is
    offered; without that none of several is the cheaper one.
    """
    if wish not in (CHEAPEST, FASTEST):
        return next(
            (service for service in services if service.service_id == wish), None
        )
    if wish == FASTEST:
        services = [s for s in services if s.max_days]
        days = min(((s.max_days, s.min_days) for s in services), default=None)
        services = [s for s in services if (s.max_days, s.min_days) == days]
    services = [s for s in services if s.price.currency == currency] or services
    if len({s.price.currency for s in services}) > 1:
        return None
    return min(
        services,
        key=lambda s: (s.price.minor, not s.max_days, s.max_days, s.service_id),
        default=None,
    )


NOTHING = Money(0)


class Problem(Worded):
    """Why a line can't be bought as asked; by `OTHER` words, which are not
    understood.
    """

    OUT_OF_STOCK = "out_of_stock", "not enough stock"
    BELOW_MIN_QUANTITY = "below_min_quantity", "below the seller's minimum quantity"
    OFFLINE = "offline", "no longer on sale"
    SKU_UNKNOWN = "sku_unknown", "this variant does not exist"
    SELLERS_DIFFER = (
        "sellers_differ",
        "items of different sellers: give each seller an order_ref of its own",
    )
    ADDRESS_INVALID = "address_invalid", "the service does not accept the address"
    PRICE_CHANGED = "price_changed", "the price has changed"
    SEVERAL_PRODUCTS = "several_products", "the service may take one product an order"
    RULED_OUT = (
        "ruled_out",
        "the service refuses it",
    )  # a no that is listed, without a term of its own
    OTHER = "other", "the service refuses it"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineProblem:
    """A problem and the service's own words for it. `line_no` 0 concerns the whole
    order.
    """

    problem: Problem
    message: str
    line_no: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteLine:
    """The price of one order line; `unit_price` rounded to whole fen, `amount`
    exact.
    """

    line_no: int
    unit_price: Money
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A preview of one order. `total` (goods, postage, fees) is the amount that paying
    will take.

    `discount` was taken off the goods, as far as it is shown. `order_count` is above 1
    when the service would make several orders of it (goods in two depots). `flow` and
    `trade_type` are what the order must be created with; empty where the marketplace
    names none. `hold` is why a person must decide first.
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
        """How much less than its parts the total is without a discount that explains
        it; 0 where it is not less.
        """
        return max(self.goods + self.postage - self.discount - self.total, NOTHING)


def priced(lines: Iterable[OrderLine], quote: Quote | None) -> tuple[QuoteLine, ...]:
    """What each line costs: by the preview, else by its offer, whose price is without
    volume prices and discounts.
    """
    quote_lines = {line.line_no: line for line in quote.lines} if quote else {}
    return tuple(
        quote_lines.get(line.line_no)
        or QuoteLine(
            line_no=line.line_no,
            unit_price=line.unit_price,
            amount=line.unit_price * line.quantity,
        )
        for line in lines
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumePrice:
    """From `start_quantity` pieces on, one costs `price`."""

    start_quantity: int
    price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Sku:
    """One buyable variant. `price` is for one piece at the minimum quantity, `stock` in
    pieces.

    `volume_prices` are its own, where the marketplace has them for each variant.
    """

    sku_id: str
    name: str
    price: Money
    stock: int
    spec_id: str = ""
    distribution_sku_id: str = ""
    image_url: str = ""
    active: bool = True
    volume_prices: tuple[VolumePrice, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One product page with its variants. `volume_prices` lower the offer's base price;
    a SKU's price falls alike.

    `unknown_state` is the marketplace's word for an offer that is neither known to be
    on sale nor off it. `seen_at` is when the marketplace showed it so.
    """

    marketplace: Marketplace
    item_id: str
    title: str
    image_url: str
    seller_id: str
    seller_name: str
    min_quantity: int
    active: bool
    skus: tuple[Sku, ...]
    distribution_item_id: str = ""
    volume_prices: tuple[VolumePrice, ...] = field(default_factory=tuple)
    category_id: str = ""
    category_name: str = ""
    image_urls: tuple[str, ...] = field(default_factory=tuple)
    unknown_state: str = ""
    seen_at: datetime | None = field(default=None, compare=False)

    @property
    def only_sku(self) -> Sku | None:
        """The SKU of an offer that has no other, which may be meant while it is not on
        sale.
        """
        return self.skus[0] if len(self.skus) == 1 else None


def volume_prices_of(offer: Offer, sku: Sku) -> tuple[VolumePrice, ...]:
    """The price of one piece of a SKU from each quantity on: its own steps, else its
    price less the offer's discount.

    A discount of more than the whole price can't be meant: that step is left out.
    """
    if sku.volume_prices or not offer.volume_prices:
        return sku.volume_prices
    base = offer.volume_prices[0].price
    steps = [
        (step.start_quantity, sku.price - (base - step.price))
        for step in offer.volume_prices
    ]
    return tuple(
        VolumePrice(start_quantity=quantity, price=price)
        for quantity, price in steps
        if price.minor > 0
    )


def price_at(offer: Offer, sku: Sku, pieces: int) -> Money:
    """The price of one piece of a SKU where so many pieces of the offer are bought."""
    reached = [
        step for step in volume_prices_of(offer, sku) if step.start_quantity <= pieces
    ]
    return (
        max(reached, key=lambda step: step.start_quantity).price
        if reached
        else sku.price
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A product that words may mean: enough to choose by, not to order by. `price` is
    the cheapest variant's.
    """

    item_id: str
    title: str
    price: Money
    seller_id: str = ""
    seller_name: str = ""
    image_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSummary(Candidate):
    """One hit of a search."""

    marketplace: Marketplace


LARGEST_PAGE = 50


class Sort(StrEnum):
    """The order of the hits."""

    RELEVANCE = "relevance"
    PRICE_UP = "price-up"
    PRICE_DOWN = "price-down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Bounds of a search, and which page is wanted. Prices bound the cheapest variant,
    in CNY.
    """

    sort: Sort = Sort.RELEVANCE
    min_price: Money | None = None
    max_price: Money | None = None
    category_id: str = ""
    page: int = 1
    page_size: int = 20

    def __post_init__(self) -> None:
        if self.page < 1:
            raise ValueError(f"page {self.page}: pages count from 1")
        if not 1 <= self.page_size <= LARGEST_PAGE:
            raise ValueError(
                f"page size {self.page_size}: a page holds 1 to {LARGEST_PAGE} offers"
            )
        if (
            self.min_price is not None
            and self.max_price is not None
            and self.min_price > self.max_price
        ):
            raise ValueError(
                f"the lowest price {self.min_price} is above the highest {self.max_price}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """One page of a search; `total` counts all pages."""

    total: int
    offers: tuple[OfferSummary, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A node of a marketplace's category tree; roots are on level 1."""

    category_id: str
    name: str
    level: int
    is_leaf: bool
