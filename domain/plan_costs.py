"""The cost of a plan: goods, postage and freight as quoted, and their sum in one currency."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP

from domain.money import Money
from domain.orders import lines_without_limit
from domain.plan import PlannedOrder
from domain.rates import Converted, NoRate, Rate, Rates

NOTHING = Money(0)


def add_to(sums: dict[str, Money], amount: Money) -> None:
    """Add an amount to the sum of its currency."""
    sums[amount.currency] = sums.get(amount.currency, Money(0, amount.currency)) + amount


@dataclass(slots=True, kw_only=True)
class PlanCost:
    """The orders to buy and to ship, added up; goods, postage and `total` in CNY.

    `total` is the amount that paying will take: goods, postage and the service's fees. `freight` has a sum a currency.
    """

    to_buy: int = 0
    to_ship: int = 0
    lines: int = 0
    without_limit: int = 0
    goods: Money = NOTHING
    postage: Money = NOTHING
    total: Money = NOTHING
    freight: dict[str, Money] = field(default_factory=dict)

    @classmethod
    def of(cls, to_buy: Iterable[PlannedOrder], to_ship: Iterable[PlannedOrder] = ()) -> PlanCost:
        """The cost of orders to buy and ship, and of others `to_ship` alone."""
        cost = cls()
        for plan in to_buy:
            cost.buy(plan)
        for plan in to_ship:
            cost.ship(plan)
        return cost

    def buy(self, plan: PlannedOrder) -> None:
        """Count a new order, its freight too."""
        self.to_buy += 1
        self.lines += len(plan.request.lines)
        self.without_limit += lines_without_limit([plan.request])
        if quote := plan.quote:
            self.goods, self.postage = self.goods + quote.goods, self.postage + quote.postage
            self.total += quote.total
        self.ship(plan)

    def ship(self, plan: PlannedOrder) -> None:
        """Count an order that is only shipped."""
        if service := plan.freight_service:
            self.to_ship += 1
            add_to(self.freight, service.price)

    @property
    def fees(self) -> Money:
        """The service's fees on top of goods and postage."""
        return self.total - self.goods - self.postage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Amounts in one currency, at these `rates`. Amounts without a rate are left out, and each is in `lacks`."""

    money: Money
    rates: Sequence[Rate] = ()
    lacks: Sequence[str] = ()

    def is_within(self, limit: Money) -> bool:
        """Only a complete sum is: an amount without a rate never counts as nothing."""
        return self.money <= limit and not self.lacks


def in_one(amounts: Iterable[Money], into: str, rates: Rates, on: date, rounding: str = ROUND_HALF_UP) -> Sum:
    """All of it in the currency `into`, at the rates of the day `on` (see `Rates.at`)."""
    found = [rates.convert(one, into, on, rounding) for one in amounts]
    known = [one for one in found if isinstance(one, Converted)]
    return Sum(
        money=sum((one.money for one in known), start=Money(0, into)),
        rates=[*dict.fromkeys(one.rate for one in known if one.rate)],
        lacks=[*dict.fromkeys(one.why for one in found if isinstance(one, NoRate))],
    )
