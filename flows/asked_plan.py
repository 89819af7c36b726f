"""A plan as shown for approval, read once, since its orders may lie in the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest

from connectors.ledger.plans import plan_hash
from domain.plan import PlannedOrder
from domain.plan_costs import PlanCost
from flows.approval_request import ApprovalRequest
from flows.shown.plan_table import table_row

MOST_ROWS = 1000
"""Rows of a table: Prefect keeps each three times, and a browser draws them all at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOrder:
    """An order of the plan. Where it is not to be bought any more, only its freight needs approval."""

    plan: PlannedOrder
    is_new: bool

    @property
    def row(self) -> dict[str, str]:
        return table_row(self.plan, is_new=self.is_new)

    @property
    def price(self) -> tuple[bool, int, int]:
        """The sort key: the dearest order comes first; freight is compared as if in one currency."""
        freight = self.plan.freight_service.price.minor if self.plan.freight_service else 0
        return self.is_new, self.plan.total.minor if self.is_new else 0, freight


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPlan:
    """All references of a plan, what it costs, a hash of it, and its `dearest` orders, the dearest first."""

    refs: Sequence[str]
    plan_hash: str
    cost: PlanCost
    dearest: Sequence[AskedOrder]

    @classmethod
    def of(cls, question: ApprovalRequest) -> AskedPlan:
        reading = _Reading()
        dearest = nlargest(MOST_ROWS, reading.orders(question), key=lambda one: one.price)
        shown_hash = hashlib.sha256(b"".join(sorted(reading.contents))).hexdigest()[:16]
        return cls(refs=reading.refs, plan_hash=shown_hash, cost=reading.cost, dearest=dearest)

    @property
    def rows(self) -> list[dict[str, str]]:
        return [one.row for one in self.dearest]

    def beyond(self, shown: int) -> str:
        """The words about the orders after the first so many; empty where there are none."""
        if (more := len(self.refs) - shown) <= 0:
            return ""
        last = self.dearest[shown - 1]
        at_most = f", none of them dearer than {last.plan.total}" if last.is_new else ""
        return f"And {more:,} orders more{at_most}."


class _Reading:
    """Totals gathered while the orders of a plan are read."""

    def __init__(self) -> None:
        self.refs: list[str] = []
        self.contents: list[bytes] = []
        self.cost = PlanCost()

    def orders(self, question: ApprovalRequest) -> Iterator[AskedOrder]:
        for plan in self._noted(question.to_buy):
            self.cost.buy(plan)
            yield AskedOrder(plan=plan, is_new=True)
        for plan in self._noted(question.to_ship):
            self.cost.ship(plan)
            yield AskedOrder(plan=plan, is_new=False)

    def _noted(self, plans: Iterable[PlannedOrder]) -> Iterator[PlannedOrder]:
        for plan in plans:
            freight = str(plan.freight_service.price) if plan.freight_service else ""
            self.refs.append(plan.order_ref)
            self.contents.append(hashlib.sha256(f"{plan.order_ref} {plan_hash(plan)} {freight}".encode()).digest())
            yield plan
