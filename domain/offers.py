"""What a marketplace offers, as the merchant sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from domain.marketplace import Marketplace
from domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumePrice:
    """From `start_quantity` pieces on, one costs `price`."""

    start_quantity: int
    price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Sku:
    """One buyable variant. `price` is for one piece at the minimum quantity, `stock` in pieces.

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
    """One product page with its variants. `volume_prices` lower the offer's base price; a SKU's price falls alike.

    `unknown_state` is the marketplace's word for an offer that is neither known to be on sale nor off it.
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


def volume_prices_of(offer: Offer, sku: Sku) -> tuple[VolumePrice, ...]:
    """The price of one piece of a SKU from each quantity on: its own steps, else its price less the offer's discount.

    A discount of more than the whole price can't be meant: that step is left out.
    """
    if sku.volume_prices or not offer.volume_prices:
        return sku.volume_prices
    base = offer.volume_prices[0].price
    steps = [(step.start_quantity, sku.price - (base - step.price)) for step in offer.volume_prices]
    return tuple(VolumePrice(start_quantity=quantity, price=price) for quantity, price in steps if price.minor > 0)


def price_at(offer: Offer, sku: Sku, pieces: int) -> Money:
    """The price of one piece of a SKU where so many pieces of the offer are bought."""
    reached = [step for step in volume_prices_of(offer, sku) if step.start_quantity <= pieces]
    return max(reached, key=lambda step: step.start_quantity).price if reached else sku.price


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSummary:
    """One hit of a search: enough to choose by, not to order by. `price` is the lowest variant's."""

    marketplace: Marketplace
    item_id: str
    title: str
    price: Money
    image_url: str = ""
    seller_id: str = ""
    seller_name: str = ""


LARGEST_PAGE = 50


class Sort(StrEnum):
    """The order of the hits."""

    RELEVANCE = "relevance"
    PRICE_UP = "price-up"
    PRICE_DOWN = "price-down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Bounds of a search, and which page is wanted. Prices bound the cheapest variant, in CNY."""

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
            raise ValueError(f"page size {self.page_size}: a page holds 1 to {LARGEST_PAGE} offers")
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise ValueError(f"the lowest price {self.min_price} is above the highest {self.max_price}")


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
