"""What is to be approved before money is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.money import Money, total_of
from domain.plan import PlannedOrder
from domain.request_remarks import Remark


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """What is to be approved: orders to buy, and freight of orders that were begun earlier.

    `warnings` are what was said about the request file.
    """

    batch_id: str
    to_buy: Sequence[PlannedOrder]
    to_ship: Sequence[PlannedOrder]
    warnings: Sequence[Remark] = ()

    @property
    def all(self) -> list[PlannedOrder]:
        return [*self.to_buy, *self.to_ship]

    @property
    def total(self) -> Money:
        """What buying costs: goods and domestic postage."""
        return total_of([plan.total for plan in self.to_buy])
