"""Preview the orders of a chunk: price, postage, availability, and an estimate of the freight."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.xportcn.channels.base import QuotesMany
from connectors.xportcn.errors import Misconfigured, Refused, ServiceAway, XportcnError
from connectors.xportcn.freight import estimate
from domain.decisions import (
    Verdict,
    held,
    judge_availability,
    judge_quote,
    judge_request,
    match_sku,
    postponed,
    refused,
)
from domain.freight import FreightQuote, choose_freight
from domain.matching import Match
from domain.offers import Offer, Sku
from domain.orders import OrderLine, OrderRequest, RequestLine
from domain.plan import PlannedOrder
from domain.quotes import Quote
from tasks.asking import Found, ask_each, not_read
from tasks.resources import Resources
from tasks.retrying import retrying_task
from tasks.search import Item, Matches, item_of, with_matches

NO_MATCHES: Matches = {}
NOT_ASKED = postponed("not looked up yet: the service was away")

log = logging.getLogger(__name__)


@retrying_task("preview", "preview {label}")
async def preview_orders(
    resources: Resources,
    requests: Sequence[OrderRequest],
    offers: Found[Item, Offer | Verdict],
    matches: Matches,
    found: Found[str, PlannedOrder],
    *,
    label: str,
) -> None:
    """Find a plan for each request; what can't be bought carries the reason."""
    left = [match_lines(one, offers, matches) for one in requests if one.order_ref not in found]
    plans = {plan.order_ref: plan for plan in left}
    quotes = await _quotes_together(resources, [plan for plan in left if _is_quotable(plan)])
    await ask_each(resources, plans, lambda ref: _preview(resources, plans[ref], quotes.get(ref)), found)


def _is_quotable(plan: PlannedOrder) -> bool:
    return plan.is_fine and bool(plan.lines)


async def _quotes_together(resources: Resources, plans: Sequence[PlannedOrder]) -> dict[str, Quote]:
    """Quotes of orders whose channel previews several with one request; after any trouble each is asked for alone."""
    quotes: dict[str, Quote] = {}
    for marketplace, offering in resources.offerings.items():
        channel = offering.channel
        orders = [plan.sourcing_order for plan in plans if plan.request.marketplace is marketplace]
        if len(orders) > 1 and isinstance(channel, QuotesMany):
            try:
                quotes |= await channel.quote_many(orders, await resources.warehouse())
            except Misconfigured:
                raise
            except XportcnError as error:  # while the service is away, asking for each alone says so
                log.debug("%s: previewed one by one, since together failed: %s", marketplace, error)
    return quotes


async def _preview(resources: Resources, plan: PlannedOrder, quoted: Quote | None) -> PlannedOrder:
    if not _is_quotable(plan):
        return plan
    channel = resources.offerings[plan.request.marketplace].channel
    try:
        quote = quoted or await channel.quote(plan.sourcing_order, await resources.warehouse())
        plan = replace(plan, quote=quote).judged(judge_quote(plan.request, plan.lines, quote))
        return await with_freight(resources, plan) if plan.is_fine else plan
    except (Misconfigured, ServiceAway):
        raise
    except Refused as error:
        return plan.judged(refused(error.message))
    except XportcnError as error:
        return plan.judged(not_read("could not be previewed", error))


async def with_freight(resources: Resources, plan: PlannedOrder) -> PlannedOrder:
    """The plan with what shipping it will cost, which is approved along with the goods."""
    freight = await estimate(
        resources.client, plan.lines, country=plan.request.receiver.country, zip_code=plan.request.receiver.zip
    )
    service = choose_freight(freight.services, plan.request.freight)
    plan = replace(plan, freight=freight, freight_service=service)
    return plan if service else plan.judged(_no_freight(plan.request, freight))


def match_lines(
    request: OrderRequest, offers: Mapping[Item, Offer | Verdict], matches: Matches = NO_MATCHES
) -> PlannedOrder:
    """The request with every line matched to a SKU, or judged by the first line that can't be."""
    by_words = {line.item: match for line in request.lines if (match := matches.get((request.order_ref, line.item)))}
    plan = with_matches(PlannedOrder(request=request), matches).judged(judge_request(request))
    found = [
        _match(line, offers.get(item_of(request, line, matches), NOT_ASKED), by_words.get(line.item))
        for line in request.lines
    ]
    problems = [match for match in found if isinstance(match, Verdict)]
    if problems or not plan.is_fine:
        return plan.judged(problems[0]) if problems else plan
    good = [match for match in found if not isinstance(match, Verdict)]
    available = judge_availability([(line, offer, sku) for line, (offer, sku) in zip(request.lines, good, strict=True)])
    sellers = {offer.seller_id: offer.seller_name for offer, _ in good}
    if len(sellers) > 1:
        names = ", ".join(sellers.values())
        return plan.judged(held(f"one order, several sellers ({names}): give each seller an order_ref of its own"))
    lines = tuple(
        _order_line(line_no, line, offer, sku)
        for line_no, (line, (offer, sku)) in enumerate(zip(request.lines, good, strict=True), start=1)
    )
    distinct = tuple({offer.item_id: offer for offer, _ in good}.values())
    return replace(plan, seller_id=next(iter(sellers)), lines=lines, offers=distinct).judged(available)


def _match(line: RequestLine, offer: Offer | Verdict, match: Match | None) -> tuple[Offer, Sku] | Verdict:
    if isinstance(offer, Verdict):
        return offer if offer.is_postponed else _as_matched(offer, match)
    sku = match_sku(offer, line.sku or (match.sku_id if match else ""))
    return _as_matched(sku, match) if isinstance(sku, Verdict) else (offer, sku)


def _as_matched(verdict: Verdict, match: Match | None) -> Verdict:
    """A verdict on what was not named by id says whose choice it was, and how to choose anew."""
    if match is None or not match.item_id:
        return verdict
    words = f"{verdict.reason} (taken for {match.words!r}; a dry run searches anew)"
    return replace(verdict, reason=words)


def _order_line(line_no: int, line: RequestLine, offer: Offer, sku: Sku) -> OrderLine:
    return OrderLine(
        line_no=line_no,
        item_id=offer.item_id,
        sku_id=sku.sku_id,
        title=offer.title,
        image_url=sku.image_url or offer.image_url,
        quantity=line.quantity,
        unit_price=sku.price,
        spec_id=sku.spec_id,
        distribution_item_id=offer.distribution_item_id,
        distribution_sku_id=sku.distribution_sku_id,
    )


def _no_freight(request: OrderRequest, freight: FreightQuote) -> Verdict:
    if not freight.services:
        return held(f"no freight service to {request.receiver.country}")
    offered = ", ".join(f"{s.service_id} ({s.company} {s.category}, {s.price})" for s in freight.services)
    return held(f"no freight service {request.freight!r} to {request.receiver.country}; offered: {offered}")
