"""Preview orders: price, postage, availability, the unit of their amounts, and an
estimate of the freight.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.ledger.marks import Note
from connectors.marketplaces.freight import estimate
from connectors.marketplaces.refusals import is_understood
from connectors.xportcn.errors import (
    Misconfigured,
    Refused,
    ServiceAway,
    UnitUnclear,
    XportcnError,
)
from connectors.xportcn.units import setting_of
from domain.decisions import (
    FINE,
    Verdict,
    contradicted,
    far_below_limits,
    held,
    judge_availability,
    judge_quote,
    judge_request,
    match_sku,
    order_line,
    postponed,
    refused,
    refused_by_service,
    unread,
)
from domain.marketplace import sku_in
from domain.matching import Match
from domain.money import Money
from domain.offers import Filters, FreightQuote, Offer, Sku, choose_freight
from domain.orders import OrderRequest, RequestLine
from domain.plan import PlannedOrder
from domain.reasons import Reason, ReasonCode, because
from domain.sku_book import at_next_rank
from domain.spares import own_skus_alike, spare_matches, without_goods
from domain.witnessed import Contradicted, Source, Statement, agreed
from tasks.engine.gathering import OrderQueue, PartialResults, gather_queued, not_read
from tasks.engine.resources import Resources, UnitCheck, current_resources
from tasks.engine.retrying import service_task
from tasks.search import (
    Item,
    Matches,
    find_offer,
    item_of,
    items_of,
    with_matches,
    with_skus,
)

NO_MATCHES: Matches = {}


def not_looked_up(why: str) -> Reason:
    """The reason of an order that could not be planned, for the one cause that all
    have.
    """
    return unread("not looked up yet", why)


NOT_ASKED = postponed(not_looked_up("the service was away"))

log = logging.getLogger("sourcing")


@service_task("preview {label}")
async def preview_orders(
    requests: Mapping[str, OrderRequest],
    queue: OrderQueue,
    offers: Mapping[Item, Offer | Verdict],
    matches: Matches,
    found: PartialResults[str, PlannedOrder],
    *,
    label: str,
) -> None:
    """Find a plan for each request as soon as it arrives; an order that can't be bought
    carries the reason.
    """
    resources = current_resources()
    spares = SpareOffers(resources)

    async def ask(ref: str) -> PlannedOrder:
        known = with_skus(requests[ref], offers, matches)
        plan = await _preview(resources, match_lines(requests[ref], offers, known))
        return (
            await _with_spares(resources, spares, plan)
            if requests[ref].own_skus
            else plan
        )

    await gather_queued(resources, queue, ask, found)


class SpareOffers:
    """The offers of the next ranks of own SKUs, each looked up once."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._offers: dict[Item, Offer | Verdict] = {}
        self._locks = defaultdict[Item, asyncio.Lock](asyncio.Lock)

    async def of(self, request: OrderRequest) -> Mapping[Item, Offer | Verdict]:
        """The offers that a request names."""
        for item in items_of(request, NO_MATCHES):
            async with self._locks[item]:
                if item not in self._offers:
                    self._offers[item] = await find_offer(self._resources, *item)
        return self._offers


async def _with_spares(
    resources: Resources, spares: SpareOffers, first: PlannedOrder
) -> PlannedOrder:
    """The plan with the first ranks of its own SKUs that can be bought; where none can,
    the plan of their first.
    """
    plan = first
    why = dict[str, Reason]()
    while (unbuyable := without_goods(plan)) and (
        spare := at_next_rank(plan.request, unbuyable)
    ):
        why |= dict.fromkeys(unbuyable, plan.why) if plan.why else {}
        plan = await _preview(resources, match_lines(spare, await spares.of(spare)))
    if unbuyable or not (plan.lines or plan.is_postponed):
        return first
    return replace(plan, matches=spare_matches(plan, why, resources.clock()))


async def _preview(resources: Resources, plan: PlannedOrder) -> PlannedOrder:
    if not (plan.is_fine and plan.lines):
        return plan
    try:
        channel = resources.offerings[plan.request.marketplace].channel
        warehouse = await resources.warehouse()
        quote = await channel.quote(plan.sourcing_order, warehouse)
        plan = replace(plan, quote=quote).with_verdict(
            judge_quote(plan.request, plan.lines, quote, plan.offers)
        )
        return await further_checked(resources, plan)
    except (Misconfigured, ServiceAway):
        raise
    except XportcnError as error:
        if isinstance(error, Refused) and is_understood(error):
            return plan.with_verdict(refused(refused_by_service(error.message)))
        return plan.with_verdict(not_read("could not be previewed", error))


async def further_checked(resources: Resources, plan: PlannedOrder) -> PlannedOrder:
    """A plan with a quote, held where the unit of its amounts is in doubt; a fine one
    with its freight.
    """
    plan = (
        plan.with_verdict(await judge_units(resources, plan)) if plan.is_fine else plan
    )
    return await with_freight(resources, plan) if plan.is_fine else plan


async def with_freight(
    resources: Resources, plan: PlannedOrder, currency: str | None = None
) -> PlannedOrder:
    """The plan with the estimated freight, which is approved along with the goods; in
    `currency`, if it is offered.
    """
    freight = await estimate(resources.client, plan.sourcing_order)
    service = choose_freight(freight.services, plan.request.freight, currency)
    plan = replace(plan, freight=freight, freight_service=service)
    return plan if service else plan.with_verdict(_no_freight(plan.request, freight))


def match_lines(
    request: OrderRequest,
    offers: Mapping[Item, Offer | Verdict],
    matches: Matches = NO_MATCHES,
) -> PlannedOrder:
    """The request with every line matched to a SKU, or judged by the first line that
    can't be.
    """
    if missing := [line.wanted for line in request.lines if not line.is_in_book]:
        return PlannedOrder(request=request).with_verdict(
            held(because(ReasonCode.OWN_SKU_MISSING, own_skus=missing))
        )
    places = list(
        dict.fromkeys(own.marketplace for own in request.own_skus if own.marketplace)
    )
    if len(places) > 1:
        return PlannedOrder(request=request).with_verdict(of_several_sellers(places))
    by_words = {
        line.item: match
        for line in request.lines
        if (match := matches.get((request.order_ref, line.item)))
    }
    plan = with_matches(PlannedOrder(request=request), matches).with_verdict(
        judge_request(request)
    )
    found = [
        _match(
            line,
            offers.get(item_of(request, line, matches), NOT_ASKED),
            by_words.get(line.item),
        )
        for line in request.lines
    ]
    problems = [match for match in found if isinstance(match, Verdict)]
    if problems or not plan.is_fine:
        return plan.with_verdict(problems[0]) if problems else plan
    good = [match for match in found if not isinstance(match, Verdict)]
    available = judge_availability(
        [
            (line, offer, sku)
            for line, (offer, sku) in zip(request.lines, good, strict=True)
        ]
    )
    sellers = {offer.seller_id: offer.seller_name for offer, _ in good}
    if len(sellers) > 1:
        return plan.with_verdict(of_several_sellers([*sellers.values()]))
    lines = tuple(
        order_line(line_no, line, offer, sku)
        for line_no, (line, (offer, sku)) in enumerate(
            zip(request.lines, good, strict=True), start=1
        )
    )
    if alike := own_skus_alike(request, lines):
        return plan.with_verdict(held(alike))
    distinct = tuple({offer.item_id: offer for offer, _ in good}.values())
    return replace(
        plan, seller_id=next(iter(sellers)), lines=lines, offers=distinct
    ).with_verdict(available)


def of_several_sellers(sellers: Sequence[str]) -> Verdict:
    """The verdict on an order that no one seller has; marketplaces stand for sellers
    where these are not known.
    """
    return held(because(ReasonCode.SEVERAL_SELLERS, sellers=sellers))


def _match(
    line: RequestLine, offer: Offer | Verdict, match: Match | None
) -> tuple[Offer, Sku] | Verdict:
    if isinstance(offer, Verdict):
        return offer if offer.is_postponed else _as_matched(offer, match)
    sku = match_sku(
        offer, line.sku or sku_in(line.item) or (match.sku_id if match else "")
    )
    return _as_matched(sku, match) if isinstance(sku, Verdict) else (offer, sku)


def _as_matched(verdict: Verdict, match: Match | None) -> Verdict:
    """A verdict on an item not named by id has whose choice it was, and how to choose
    anew.
    """
    if match is None or not match.item_id:
        return verdict
    return replace(verdict, why=verdict.why and verdict.why.but(taken_for=match.words))


def _no_freight(request: OrderRequest, freight: FreightQuote) -> Verdict:
    country = request.receiver.country
    wish = request.freight if freight.services else ""
    return held(
        because(
            ReasonCode.FREIGHT_SERVICE_UNKNOWN,
            wish=wish,
            country=country,
            offered=offered(freight),
        )
    )


def offered(freight: FreightQuote) -> list[str]:
    return [
        f"{s.service_id} ({s.company} {s.category}, {s.price}, {s.days or 'no'} days{'' if s.days else ' told'})"
        for s in freight.services
    ]


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
        return (
            check.verdict
            if check.with_order == plan.order_ref
            else replace(check.verdict, contradicted=None)
        )
    return far_below_limits(
        plan.request,
        plan.lines,
        plan.quote,
        setting=setting_of(plan.request.marketplace),
    )


async def _check(resources: Resources, plan: PlannedOrder, check: UnitCheck) -> None:
    """Compare the search's price of an item with its offer, which agrees with the
    preview; once for each account.
    """
    marketplace = plan.request.marketplace
    marks = resources.ledger.marks
    units = resources.client.settings.units_at(marketplace)
    check.is_confirmed = await asyncio.to_thread(
        marks.is_noted, Note.UNITS.at(marketplace), units
    )
    if (
        check.is_confirmed
        or not plan.offers
        or await asyncio.to_thread(marks.units_agreed, marketplace, units)
    ):
        return
    try:
        check.verdict = _compared(
            plan.offers[0], await _searched(resources, plan, plan.offers[0])
        )
    except ServiceAway:
        raise
    except UnitUnclear as error:
        check.verdict = not_read("the search for it could not be read", error)
    except XportcnError:  # no search, or none that answers: offer and preview agree
        return
    if check.verdict == FINE:
        await asyncio.to_thread(marks.note, Note.PRICES.at(marketplace), units)


async def _searched(
    resources: Resources, plan: PlannedOrder, offer: Offer
) -> Money | None:
    """The item's price in a search: in the one for words of the request, or in one for
    its title.
    """
    shown = [
        one
        for match in plan.matches
        for one in match.candidates
        if one.item_id == offer.item_id
    ]
    if shown or not offer.title:
        return shown[0].price if shown else None
    hits = await resources.offerings[offer.marketplace].browser.by_words(
        offer.title, Filters()
    )
    return next(
        (hit.price for hit in hits.offers if hit.item_id == offer.item_id), None
    )


def _compared(offer: Offer, found: Money | None) -> Verdict:
    lowest = min((sku.price for sku in offer.skus), key=lambda price: price.minor)
    if found is None or found.currency != lowest.currency:
        return FINE
    verdict = agreed(
        Statement(source=Source.SEARCH, value=found),
        Statement(source=Source.OFFER, value=lowest),
    )
    return (
        contradicted(verdict, offer.marketplace)
        if isinstance(verdict, Contradicted)
        else FINE
    )
