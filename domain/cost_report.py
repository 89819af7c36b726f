"""The result of a run of `costs`, order by order and batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from domain.money import Money, by_currency
from domain.wording import pluralize

CostRow = dict[str, Any]
"""A row of the table `landed_costs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCost:
    """One order: what was paid for the goods less what came back, freight, and all of
    it in the books' currency.

    `landed` is None, and `problem` says why, where no sum could be made; `freight`
    where there is none or is not known.
    """

    order_ref: str
    batch_id: str
    lines: int
    net_paid: Money
    freight: Money | None
    landed: Money | None
    problem: str

    def to_json(self) -> dict[str, Any]:
        return {
            "order_ref": self.order_ref,
            "batch_id": self.batch_id or None,
            "lines": self.lines,
            "net_paid_minor": self.net_paid.minor,
            "currency": self.net_paid.currency,
            "freight_minor": self.freight.minor if self.freight else 0,
            "freight_currency": self.freight.currency if self.freight else None,
            "landed_minor": self.landed.minor if self.landed else None,
            "problem": self.problem or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSum:
    """The sums of a batch's orders, by currency; `landed` counts those that have a sum,
    `open` those without.
    """

    batch_id: str
    orders: int
    net_paid: tuple[Money, ...]
    freight: tuple[Money, ...]
    landed: Money | None
    open: int

    def to_json(self) -> dict[str, Any]:
        return {
            "batch_id": self.batch_id or None,
            "orders": self.orders,
            "net_paid_minor": {sum_.currency: sum_.minor for sum_ in self.net_paid},
            "freight_minor": {sum_.currency: sum_.minor for sum_ in self.freight},
            "landed_minor": self.landed.minor if self.landed else None,
            "without_sum": self.open,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """The orders, their sums by batch, and where they were written. `notes` say what
    was not written, and why.
    """

    currency: str
    since: str
    orders: Sequence[OrderCost] = ()
    notes: Sequence[str] = ()
    csv: str | None = None
    xlsx: str | None = None
    snapshot_id: str | None
    snapshot_root: str

    @property
    def sums(self) -> list[CostSum]:
        """One sum a batch, in the order in which batches first appear."""
        batches: dict[str, list[OrderCost]] = {}
        for order in self.orders:
            batches.setdefault(order.batch_id, []).append(order)
        return [
            sum_of(batch, orders, self.currency) for batch, orders in batches.items()
        ]

    @property
    def problems(self) -> dict[str, list[str]]:
        """The orders without a sum, by the reason."""
        orders_by_problem: dict[str, list[str]] = {}
        for order in self.orders:
            if order.problem:
                orders_by_problem.setdefault(order.problem, []).append(order.order_ref)
        return orders_by_problem

    @property
    def all_fine(self) -> bool:
        """Whether each order has a sum, and all files were written."""
        return not self.notes and not self.problems

    @property
    def summary(self) -> str:
        """The run in one line."""
        cost_sum = sum_of("", self.orders, self.currency)
        cost = f"{pluralize(cost_sum.orders, 'paid order')}" + (
            f": {cost_sum.landed}" if cost_sum.landed else ""
        )
        return (
            f"{cost}, {pluralize(cost_sum.open, 'order')} without a sum"
            if cost_sum.open
            else cost
        )

    def to_json(self) -> dict[str, Any]:
        """The report that `sourcing costs --json` prints; amounts in minor units."""
        return {
            "currency": self.currency or None,
            "since": self.since or None,
            "orders": [order.to_json() for order in self.orders],
            "sums": [batch.to_json() for batch in self.sums],
            "notes": list(self.notes),
            "csv": self.csv,
            "xlsx": self.xlsx,
            "snapshot_id": self.snapshot_id,
            "snapshot_root": self.snapshot_root,
        }


def sum_of(batch_id: str, orders: Sequence[OrderCost], currency: str) -> CostSum:
    sums = [order.landed.minor for order in orders if order.landed]
    return CostSum(
        batch_id=batch_id,
        orders=len(orders),
        net_paid=_sums(order.net_paid for order in orders),
        freight=_sums(order.freight for order in orders),
        landed=Money(sum(sums), currency) if sums else None,
        open=len(orders) - len(sums),
    )


def _sums(amounts: Iterable[Money | None]) -> tuple[Money, ...]:
    return tuple(sum_ for _, sum_ in sorted(by_currency(filter(None, amounts)).items()))


def orders_of(rows: Iterable[CostRow]) -> list[OrderCost]:
    """The orders of the table's rows, which are in the order of its key."""
    return [
        _order(ref, list(own)) for ref, own in groupby(rows, itemgetter("order_ref"))
    ]


def _order(ref: str, lines: Sequence[CostRow]) -> OrderCost:
    first = lines[0]
    total = sum(
        row["goods_minor"] + row["postage_minor"] + row["surcharge_minor"]
        for row in lines
    )
    off = sum(row["discount_minor"] + row["refunded_minor"] for row in lines)
    freight = Money(
        sum(row["freight_minor"] for row in lines), first["freight_currency"] or "CNY"
    )
    has_sum = all(row["landed_minor"] is not None for row in lines)
    return OrderCost(
        order_ref=ref,
        batch_id=first["batch_id"] or "",
        lines=len(lines),
        net_paid=Money(total - off, first["currency"]),
        freight=freight if first["freight_currency"] else None,
        landed=Money(
            sum(row["landed_minor"] for row in lines), first["landed_currency"]
        )
        if has_sum
        else None,
        problem=first["problem"] or "",
    )
