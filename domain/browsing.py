"""Searching for offers: what can be asked of a marketplace, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.money import Money
from domain.offers import OfferSummary

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
