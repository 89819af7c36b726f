"""Units of a marketplace's amounts, checked until a person confirms them: prices agree, and limits make sense."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from connectors.units import setting_of
from connectors.xportcn.errors import ServiceAway, UnitUnclear, XportcnError
from domain.amounts import agreed
from domain.decisions import FINE, Verdict, contradicted, far_below_limits
from domain.money import Money
from domain.offers import Filters, Offer
from domain.plan import PlannedOrder
from domain.witnessed import Contradicted, Source, Statement
from tasks.engine.gathering import not_read
from tasks.engine.resources import Resources, UnitCheck


async def judge_units(resources: Resources, plan: PlannedOrder) -> Verdict:
    """Whether a previewed plan is held for the unit of its amounts."""
    check = resources.unit_checks[plan.request.marketplace]
    async with check.lock:
        if not check.with_order:
            await _check(resources, plan, check)
            check.with_order = plan.order_ref
    if check.is_confirmed or plan.quote is None:
        return FINE
    if check.verdict != FINE:
        return check.verdict if check.with_order == plan.order_ref else replace(check.verdict, contradicted=None)
    return far_below_limits(plan.request, plan.lines, plan.quote, setting=setting_of(plan.request.marketplace))


async def _check(resources: Resources, plan: PlannedOrder, check: UnitCheck) -> None:
    """Compare the search's price of an item with its offer, which agrees with the preview; once for each account."""
    marketplace, marks = plan.request.marketplace, resources.ledger.marks
    units = resources.client.settings.units_at(marketplace)
    check.is_confirmed = await asyncio.to_thread(marks.units_confirmed, marketplace, units)
    if check.is_confirmed or not plan.offers or await asyncio.to_thread(marks.units_agreed, marketplace, units):
        return
    try:
        check.verdict = _compared(plan.offers[0], await _searched(resources, plan, plan.offers[0]))
    except ServiceAway:
        raise
    except UnitUnclear as error:
        check.verdict = not_read("the search for it could not be read", error)
    except XportcnError:  # no search, or none that answers: offer and preview agree
        return
    if check.verdict == FINE:
        await asyncio.to_thread(marks.agree_units, marketplace, units)


async def _searched(resources: Resources, plan: PlannedOrder, offer: Offer) -> Money | None:
    """The item's price in a search: in the one for words of the request, or in one for its title."""
    shown = [one for match in plan.matches for one in match.candidates if one.item_id == offer.item_id]
    if shown or not offer.title:
        return shown[0].price if shown else None
    hits = await resources.offerings[offer.marketplace].browser.by_words(offer.title, Filters())
    return next((hit.price for hit in hits.offers if hit.item_id == offer.item_id), None)


def _compared(offer: Offer, found: Money | None) -> Verdict:
    lowest = min((sku.price for sku in offer.skus), key=lambda price: price.minor)
    if found is None or found.currency != lowest.currency:
        return FINE
    verdict = agreed(Statement(source=Source.SEARCH, value=found), Statement(source=Source.OFFER, value=lowest))
    return contradicted(verdict, offer.marketplace) if isinstance(verdict, Contradicted) else FINE
