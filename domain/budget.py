"""Budgets: which planned orders may spend, given what is already spent or may be.

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
from domain.reasons import ReasonCode

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
    """The orders that don't fit, each held with the reason. Taken in file order; a smaller later one may still fit."""
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
        return held(f"it would cost {most}, and nothing is free: look it up at the marketplace")
    costs = f"{most} with the price tolerance" if limits.tolerance else str(most)
    if limits.order is not None and most > limits.order:
        return held(f"{costs} is above the limit for one order, {limits.order}")
    if limits.batch is not None and batch + most > limits.batch:
        taken = f"{costs} does not fit the budget: {batch} of {limits.batch} is taken"
        return held(taken, ReasonCode.OVER_BUDGET)
    if limits.day is not None and day + most > limits.day:
        taken = f"{costs} does not fit the day's limit: {day} of {limits.day} is taken"
        return held(taken, ReasonCode.OVER_DAY_LIMIT)
    return None
