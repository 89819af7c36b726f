"""The quoted, checked order, before any money moves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from domain.decisions import FINE, Verdict
from domain.freight import FreightQuote, FreightService
from domain.matching import Match
from domain.money import Money
from domain.offers import Offer
from domain.orders import OrderLine, OrderRequest, SourcingOrder
from domain.quotes import Quote
from domain.reasons import Reason
from domain.states import OrderState
from domain.witnessed import Contradicted


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    """One order with all that is known before it is bought; `state` says whether it may be.

    `is_postponed`: the service could not be asked, so it is still to be planned, by this run or the next.
    `contradicted` are two readings of an amount for which it is held.
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
    def total(self) -> Money:
        """The amount that paying will take; zero while there is no quote."""
        return self.quote.total if self.quote else Money(0)

    @property
    def stock(self) -> int | None:
        """Pieces in stock of its scarcest SKU; None while no SKU is known."""
        stock = {(offer.item_id, sku.sku_id): sku.stock for offer in self.offers for sku in offer.skus}
        return min((stock[key] for line in self.lines if (key := (line.item_id, line.sku_id)) in stock), default=None)

    @property
    def sourcing_order(self) -> SourcingOrder:
        return SourcingOrder(request=self.request, seller_id=self.seller_id, lines=self.lines)

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
    """The contradicting readings of an amount, by reference, of the plans that are held for one."""
    return {plan.order_ref: plan.contradicted for plan in plans if plan.contradicted}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSummary:
    """The part of a stored plan that a decision needs, and which very plan it was."""

    order_ref: str
    plan_hash: str
    total: Money
    freight: Money | None
    is_fine: bool
