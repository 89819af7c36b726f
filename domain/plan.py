"""The quoted, checked order, before any money moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP
from typing import Self

from domain.decisions import FINE, Verdict
from domain.landed import NoRate, Rate, Rates
from domain.matching import Match
from domain.money import Money, by_currency, total_of
from domain.offers import FreightQuote, FreightService, Offer, Quote
from domain.orders import OrderLine, OrderRequest, SourcingOrder, lines_without_limit
from domain.reasons import Reason
from domain.states import OrderState
from domain.witnessed import Contradicted

NOTHING = Money(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    """One order with all that is known before it is bought; `state` says whether it may
    be.

    `is_postponed`: the service could not be asked, so it is still to be planned, by
    this run or the next. `contradicted` are two readings of an amount for which it is
    held. `is_begun`: it is ordered already. `withdrawn_at` is when the ledger last
    wrote to a begun one without an approval; where it `is_unpaid` as well, a yes pays
    its goods. `came_back` is what
    did of the money of a begun one, `taken` what was paid of it where that is more than
    was approved: a person's yes accepts it.
    """

    request: OrderRequest
    state: OrderState = OrderState.PLANNED
    why: Reason | None = None
    is_postponed: bool = False
    contradicted: Contradicted | None = None
    seller_id: str = ""
    lines: tuple[OrderLine, ...] = ()
    offers: tuple[Offer, ...] = field(default_factory=tuple)
    quote: Quote | None = None
    freight: FreightQuote | None = None
    freight_service: FreightService | None = None
    matches: tuple[Match, ...] = field(default_factory=tuple)
    withdrawn_at: datetime | None = None
    is_begun: bool = False
    is_unpaid: bool = False
    came_back: Money = NOTHING
    taken: Money = NOTHING

    @property
    def order_ref(self) -> str:
        return self.request.order_ref

    @property
    def reason(self) -> str:
        return str(self.why or "")

    @property
    def is_fine(self) -> bool:
        return self.state is OrderState.PLANNED and not self.is_postponed

    @property
    def pays_goods(self) -> bool:
        """Whether a yes pays its goods, and not its freight alone."""
        return self.is_unpaid or not self.is_begun

    @property
    def total(self) -> Money:
        """The amount that paying will take; zero while there is no quote."""
        return self.quote.total if self.quote else Money(0)

    @property
    def stock(self) -> int | None:
        """Pieces in stock of its scarcest SKU; None while no SKU is known."""
        stock = {
            (offer.item_id, sku.sku_id): sku.stock
            for offer in self.offers
            for sku in offer.skus
        }
        return min(
            (
                stock[key]
                for line in self.lines
                if (key := (line.item_id, line.sku_id)) in stock
            ),
            default=None,
        )

    def variant(self, line: OrderLine) -> str:
        """The name of a line's SKU, such as `颜色: 蓝色`; empty where its offer is not
        known.
        """
        names = {
            sku.sku_id: sku.name
            for offer in self.offers
            if offer.item_id == line.item_id
            for sku in offer.skus
        }
        return names.get(line.sku_id, "")

    def limit(self, line: OrderLine) -> Money | None:
        """The most that one piece of a line may cost."""
        return next(
            (
                asked.max_unit_price
                for asked in self.request.lines[line.line_no - 1 : line.line_no]
            ),
            None,
        )

    @property
    def seller(self) -> str:
        """The seller's name, else the id."""
        return next(
            (offer.seller_name for offer in self.offers if offer.seller_name),
            self.seller_id,
        )

    @property
    def sourcing_order(self) -> SourcingOrder:
        return SourcingOrder(
            request=self.request, seller_id=self.seller_id, lines=self.lines
        )

    def with_verdict(self, verdict: Verdict) -> Self:
        """The plan under a verdict; the first verdict that isn't fine stands."""
        if not self.is_fine or verdict == FINE:
            return self
        return replace(
            self,
            state=verdict.state,
            why=verdict.why,
            is_postponed=verdict.is_postponed,
            contradicted=verdict.contradicted,
        )


def contradicted_in(plans: Iterable[PlannedOrder]) -> dict[str, Contradicted]:
    """The contradicting readings of an amount, by reference, of the plans that are held
    for one.
    """
    return {plan.order_ref: plan.contradicted for plan in plans if plan.contradicted}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSummary:
    """The part of a stored plan that a decision needs, and which very plan it was."""

    order_ref: str
    plan_hash: str
    total: Money
    freight: Money | None
    is_fine: bool


@dataclass(slots=True, kw_only=True)
class PlanCost:
    """The orders to buy and to ship, added up; goods, postage and `total` in CNY.

    `total` is the amount that paying will take: goods, postage and the service's fees.
    `freight` has a sum a currency.
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
    def of(cls, plans: Iterable[PlannedOrder]) -> PlanCost:
        cost = cls()
        for plan in plans:
            cost.add(plan)
        return cost

    def add(self, plan: PlannedOrder) -> None:
        """Count an order: its freight, and its goods where a yes pays them."""
        if plan.pays_goods:
            self.to_buy += 1
            self.lines += len(plan.request.lines)
            self.without_limit += lines_without_limit([plan.request])
            if quote := plan.quote:
                self.goods += quote.goods
                self.postage += quote.postage
                self.total += quote.total
        if service := plan.freight_service:
            self.to_ship += 1
            self.freight = by_currency([*self.freight.values(), service.price])

    @property
    def fees(self) -> Money:
        """The service's fees on top of goods and postage; below zero where discounts
        are larger.
        """
        return self.total - self.goods - self.postage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Amounts in one currency, at these `rates`. Amounts without a rate are left out,
    and each is in `lacks`.
    """

    money: Money
    rates: Sequence[Rate] = ()
    lacks: Sequence[str] = ()


def in_one(
    amounts: Iterable[Money],
    into: str,
    rates: Rates,
    on: date,
    rounding: str = ROUND_HALF_UP,
) -> Sum:
    """All of it in the currency `into`, at the rates of the day `on` (see
    `Rates.at`).
    """
    sums = by_currency(amounts)
    own = sums.pop(into, Money(0, into))
    found = {one: rates.at(one.currency, into, on) for one in sums.values()}
    known = {one: rate for one, rate in found.items() if isinstance(rate, Rate)}
    return Sum(
        money=total_of(
            [own, *(rate.of(one, rounding) for one, rate in known.items())], into
        ),
        rates=[*known.values()],
        lacks=[rate.why for rate in found.values() if isinstance(rate, NoRate)],
    )
