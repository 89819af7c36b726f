"""Plans as the ledger keeps them, read a few at a time, since the plans of a batch are large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import overload

from connectors.ledger.chunked import chunked
from connectors.ledger.plans import plan_hash
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from domain.plan import PlannedOrder, PlanSummary
from tasks.search import with_matches


class StoredPlans(Sequence[PlannedOrder]):
    """Plans that a run has stored, without those that another run has made anew since: they can't be approved here."""

    def __init__(self, ledger: Ledger, summaries: Sequence[PlanSummary]) -> None:
        self._ledger = ledger
        self._summaries = summaries

    def __len__(self) -> int:
        return len(self._summaries)

    def __iter__(self) -> Iterator[PlannedOrder]:
        return self._read(self._summaries)

    @overload
    def __getitem__(self, at: int) -> PlannedOrder: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[PlannedOrder]: ...
    def __getitem__(self, at: int | slice) -> PlannedOrder | Sequence[PlannedOrder]:
        if isinstance(at, slice):
            return StoredPlans(self._ledger, self._summaries[at])
        return next(self._read([self._summaries[at]]))

    def _read(self, summaries: Iterable[PlanSummary]) -> Iterator[PlannedOrder]:
        for some in chunked(summaries):
            made = {summary.order_ref: summary.plan_hash for summary in some}
            matches = self._ledger.matches(made)
            plans = map(plan_in, self._ledger.each_order(made))
            yield from (with_matches(plan, matches) for plan in plans if plan_hash(plan) == made[plan.order_ref])


def plan_in(order: OrderRecord) -> PlannedOrder:
    """The whole plan of an order that is planned."""
    services = order.freight_quote.services if order.freight_quote else ()
    chosen = next((service for service in services if service.service_id == order.freight_service), None)
    stands = replace(order.plan, state=order.state, why=order.why)
    return replace(stands, freight_service=chosen)


def summary_of(plan: PlannedOrder) -> PlanSummary:
    return PlanSummary(
        order_ref=plan.order_ref,
        plan_hash=plan_hash(plan) if plan.is_fine else "",
        total=plan.total,
        freight=plan.freight_service.price if plan.freight_service else None,
        is_fine=plan.is_fine,
    )
