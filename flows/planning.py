"""The plan: every item looked up once, every order previewed and judged, budgets applied."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from domain.budget import Limits, over_budget
from domain.decisions import held
from domain.money import Money
from domain.offers import Offer
from domain.orders import OrderRequest
from domain.plan import PlannedOrder
from tasks.preview import preview_orders
from tasks.progress import progress
from tasks.resources import Resources
from tasks.search import Item, search_items


async def plan_orders(resources: Resources, requests: Sequence[OrderRequest], *, chunk_size: int) -> list[PlannedOrder]:
    """Plans for these requests, in their order."""
    listener = progress.get()
    items = list(dict.fromkeys((request.marketplace, line.item) for request in requests for line in request.lines))
    listener.start("search", len(items))
    offers: dict[Item, Offer | str] = {}
    for label, chunk in chunks(items, chunk_size):
        offers |= await search_items(resources, chunk, label=label)
        listener.advance("search", len(chunk))
    listener.start("preview", len(requests))
    plans: list[PlannedOrder] = []
    for label, batch in chunks(requests, chunk_size):
        plans += await preview_orders(resources, batch, offers, label=label)
        listener.advance("preview", len(batch))
    return plans


def within_budget(plans: Sequence[PlannedOrder], limits: Limits) -> list[PlannedOrder]:
    """The plans, with those held that the budgets don't allow."""
    reasons = over_budget([(plan.order_ref, plan.total) for plan in plans if plan.is_fine], limits)
    return [plan.judged(held(reasons[plan.order_ref])) if plan.order_ref in reasons else plan for plan in plans]


def limits_for(resources: Resources, budget: Money | None, batch_spent: Money) -> Limits:
    """The limits in force now."""
    now, settings = resources.clock(), resources.settings
    return Limits(
        order=_limit(settings.order_limit_cny),
        batch=budget,
        day=_limit(settings.day_limit_cny),
        batch_spent=batch_spent,
        day_spent=Money(resources.ledger.spent_since(start_of_day(now, settings.timezone))),
    )


def start_of_day(now: datetime, timezone: str) -> datetime:
    """Midnight before `now` in the merchant's time zone."""
    return now.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)


T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> list[tuple[str, Sequence[T]]]:
    """Slices of `size`, each with a label such as `101–200 of 1,000`."""
    total = len(items)
    return [
        (f"{start + 1:,}–{min(start + size, total):,} of {total:,}", items[start : start + size])
        for start in range(0, total, size)
    ]


def _limit(text: str) -> Money | None:
    return Money.parse(text) if text else None
