"""What a marketplace offers, as the merchant sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.marketplace import Marketplace
from domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Sku:
    """One buyable variant. `price` is for one piece at the minimum quantity, `stock` in pieces."""

    sku_id: str
    name: str
    price: Money
    stock: int
    spec_id: str = ""
    distribution_sku_id: str = ""
    image_url: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumePrice:
    """From `start_quantity` pieces on, the offer's base price is `price` (a SKU's price falls alike)."""

    start_quantity: int
    price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One product page with its variants."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSummary:
    """One hit of a search: enough to choose by, not to order by. `price` is the lowest variant's."""

    marketplace: Marketplace
    item_id: str
    title: str
    price: Money
    image_url: str = ""
    seller_id: str = ""
