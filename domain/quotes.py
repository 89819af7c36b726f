"""The answer to a preview: amounts, postage, availability."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.money import Money

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
