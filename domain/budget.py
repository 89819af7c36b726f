"""Budgets: which planned orders may spend, given what is already spent or may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.money import Money

NOTHING = Money(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds in CNY; None is no bound. What is in flight or unknown counts as spent."""

    order: Money | None = None
    batch: Money | None = None
    day: Money | None = None
    batch_spent: Money = NOTHING
    day_spent: Money = NOTHING


def over_budget(orders: Sequence[tuple[str, Money]], limits: Limits) -> dict[str, str]:
    """The orders that don't fit, each with the reason. Taken in file order; a smaller later one may still fit."""
    reasons: dict[str, str] = {}
    batch, day = limits.batch_spent, limits.day_spent
    for order_ref, total in orders:
        reason = _over(total, batch, day, limits)
        if reason:
            reasons[order_ref] = reason
        else:
            batch, day = batch + total, day + total
    return reasons


def _over(total: Money, batch: Money, day: Money, limits: Limits) -> str:
    if limits.order is not None and total > limits.order:
        return f"{total} is above the limit for one order, {limits.order}"
    if limits.batch is not None and batch + total > limits.batch:
        return f"{total} does not fit the budget: {batch} of {limits.batch} is taken"
    if limits.day is not None and day + total > limits.day:
        return f"{total} does not fit the day's limit: {day} of {limits.day} is taken"
    return ""
