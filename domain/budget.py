"""Budgets: which planned orders may be paid, given what is already spent or may be.

They are sums of amounts that can only grow: what costs nothing or less has no place in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from domain.decisions import Verdict, held
from domain.money import Money
from domain.reasons import ReasonCode, because

NOTHING = Money(0)
HUNDREDTHS_OF_A_PERCENT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimits:
    """Upper bounds in CNY; None is no bound. What is in flight or unknown counts as spent.

    With `tolerance`, in percent, an order counts for the most that it may come to.
    """

    order: Money | None = None
    batch: Money | None = None
    day: Money | None = None
    batch_spent: Money = NOTHING
    day_spent: Money = NOTHING
    tolerance: Decimal = Decimal(0)


def payable(approved: Money, tolerance: Decimal) -> Money:
    """The most that may be paid for what was approved. `tolerance` is in percent, to the hundredth; rounded down."""
    hundredths = int(tolerance * 100)
    return Money(approved.minor + approved.minor * hundredths // HUNDREDTHS_OF_A_PERCENT, approved.currency)


def over_budget(orders: Sequence[tuple[str, Money]], limits: BudgetLimits) -> dict[str, Verdict]:
    """The orders that don't fit, each held with the reason. Taken in file order; a smaller later one may still fit.

    Raises `ValueError` for an order that costs nothing: its preview is not taken.
    """
    over: dict[str, Verdict] = {}
    batch, day = limits.batch_spent, limits.day_spent
    for order_ref, total in orders:
        most = payable(total, limits.tolerance)
        if verdict := _over(most, batch, day, limits):
            over[order_ref] = verdict
        else:
            batch, day = batch + most, day + most
    return over


def start_of_day(now: datetime, timezone: str) -> datetime:
    """The first instant, in UTC, of the day of `now` in the merchant's time zone.

    Where clocks go back at midnight the day begins with the first of the two; where they skip it, with the jump.
    """
    midnight = now.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return midnight.astimezone(UTC)  # a local time that is skipped or comes twice equals no time of another zone


def _over(most: Money, batch: Money, day: Money, limits: BudgetLimits) -> Verdict | None:
    if most.minor <= 0:
        raise ValueError(f"an order can't cost {most}")
    why = None
    if limits.order is not None and most > limits.order:
        why = because(ReasonCode.OVER_ORDER_LIMIT, limit=limits.order)
    elif limits.batch is not None and batch + most > limits.batch:
        why = because(ReasonCode.OVER_BUDGET, taken=batch, limit=limits.batch)
    elif limits.day is not None and day + most > limits.day:
        why = because(ReasonCode.OVER_DAY_LIMIT, taken=day, limit=limits.day)
    return held(why.but(costs=most, tolerated=bool(limits.tolerance))) if why else None
