"""The plan: every item looked up once, every order previewed and judged, budgets applied."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.ledger.records import SpendLimits
from domain.budget import Limits, over_budget
from domain.decisions import Verdict, held
from domain.money import Money
from domain.offers import Offer
from domain.orders import OrderRequest
from domain.plan import PlannedOrder
from flows.chunks import each_chunk
from flows.word_matching import match_requests, remember, unmatched
from tasks.asking import Found
from tasks.opaque import opaque
from tasks.preview import NOT_ASKED, preview_orders
from tasks.resources import Resources
from tasks.search import Item, item_of, search_items


async def plan_orders(
    resources: Resources, requests: Sequence[OrderRequest], *, chunk_size: int, match_anew: bool = False
) -> list[PlannedOrder]:
    """Plans for these requests, in their order; what the service being away left out is postponed.

    `match_anew` searches for words again that an earlier run matched.
    """
    matches = await match_requests(resources, requests, chunk_size=chunk_size, anew=match_anew)
    offers: Found[Item, Offer | Verdict] = Found(unmatched(matches))
    wanted = dict.fromkeys(item_of(request, line, matches) for request in requests for line in request.lines)
    items = [item for item in wanted if item not in offers]

    async def search(chunk: Sequence[Item], label: str) -> None:
        await search_items(resources, chunk, offers, label=label)

    await each_chunk(resources, "search", items, chunk_size, search)
    known = opaque(await remember(resources, matches, offers))
    plans: Found[str, PlannedOrder] = Found()

    async def preview(chunk: Sequence[OrderRequest], label: str) -> None:
        await preview_orders(resources, chunk, offers, known, plans, label=label)

    await each_chunk(resources, "preview", requests, chunk_size, preview)
    return [plans.get(one.order_ref) or PlannedOrder(request=one).judged(NOT_ASKED) for one in requests]


def within_budget(plans: Sequence[PlannedOrder], limits: Limits) -> list[PlannedOrder]:
    """The plans, with those held that the budgets don't allow."""
    reasons = over_budget([(plan.order_ref, plan.total) for plan in plans if plan.is_fine], limits)
    return [plan.judged(held(reasons[plan.order_ref])) if plan.order_ref in reasons else plan for plan in plans]


def spend_limits(resources: Resources, batch_id: str, budget: Money | None) -> SpendLimits:
    """What this batch may spend, as the ledger checks it once more with every claim."""
    settings = resources.settings
    return SpendLimits(
        batch_id=batch_id,
        batch=budget,
        day=settings.day_limit,
        timezone=settings.timezone,
    )


def limits_now(resources: Resources, limits: SpendLimits) -> Limits:
    """The limits with what is spent or may be by now."""
    return Limits(
        order=resources.settings.order_limit,
        batch=limits.batch,
        day=limits.day,
        batch_spent=Money(resources.ledger.committed_in(limits.batch_id)),
        day_spent=Money(resources.ledger.spent_since(limits.day_start(resources.clock()))),
        tolerance=resources.settings.price_tolerance_percent,
    )
