"""What is to be approved before money is spent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from domain.money import Money, total_of
from domain.plan import PlannedOrder, PlanSummary
from domain.request_remarks import Remark


@dataclass(frozen=True, kw_only=True)
class ApprovalRequest:
    """What is to be approved: orders to buy, and freight of orders that were begun earlier.

    `to_buy` may be read from the ledger each time that it is looked at. `warnings` are what was said about the request
    file.
    """

    batch_id: str
    to_buy: Sequence[PlannedOrder]
    to_ship: Sequence[PlannedOrder]
    warnings: Sequence[Remark] = ()

    @property
    def all(self) -> Iterable[PlannedOrder]:
        return chain(self.to_buy, self.to_ship)

    @property
    def refs(self) -> list[str]:
        """The orders that are asked about."""
        return [plan.order_ref for plan in self.all]

    @property
    def total(self) -> Money:
        """What buying costs: goods and domestic postage."""
        return total_of([plan.total for plan in self.to_buy])


@dataclass(frozen=True, kw_only=True)
class SummarizedRequest(ApprovalRequest):
    """The same, where summaries tell what need not be read."""

    summaries: Sequence[PlanSummary] = field(default_factory=tuple)

    @property
    def refs(self) -> list[str]:
        return [*(plan.order_ref for plan in self.summaries), *(plan.order_ref for plan in self.to_ship)]

    @property
    def total(self) -> Money:
        return total_of([plan.total for plan in self.summaries])
