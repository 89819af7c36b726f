"""Preview the orders of a chunk: price, postage, availability, and an estimate of the freight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.xportcn.errors import Misconfigured, XportcnError
from connectors.xportcn.freight import estimate
from domain.decisions import Verdict, held, judge_availability, judge_quote, judge_request, match_sku, refused
from domain.freight import FreightQuote, choose_freight
from domain.offers import Offer, Sku
from domain.orders import OrderLine, OrderRequest, RequestLine
from domain.plan import PlannedOrder
from tasks.bounded import each
from tasks.resources import Resources
from tasks.retrying import passing_trouble
from tasks.search import Item


@task(
    name="preview",
    task_run_name="preview {label}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=[1, 5],
    retry_condition_fn=passing_trouble,
)
async def preview_orders(
    resources: Resources, requests: Sequence[OrderRequest], offers: Mapping[Item, Offer | str], *, label: str
) -> list[PlannedOrder]:
    """A plan for each request, in order; what can't be bought carries the reason."""
    return await each(
        requests, lambda request: _preview(resources, match_lines(request, offers)), at_once=resources.concurrency
    )


async def _preview(resources: Resources, plan: PlannedOrder) -> PlannedOrder:
    if not plan.lines or not plan.is_fine:
        return plan
    channel = resources.channels[plan.request.marketplace]
    try:
        quote = await channel.quote(plan.sourcing_order, await resources.warehouse())
        plan = replace(plan, quote=quote).judged(judge_quote(plan.request, plan.lines, quote))
        return await with_freight(resources, plan) if plan.is_fine else plan
    except Misconfigured:
        raise
    except XportcnError as error:
        return plan.judged(held(f"could not be previewed ({error.message}). Run again"))


async def with_freight(resources: Resources, plan: PlannedOrder) -> PlannedOrder:
    """The plan with what shipping it will cost, which is approved along with the goods."""
    freight = await estimate(
        resources.client, plan.lines, country=plan.request.receiver.country, zip_code=plan.request.receiver.zip
    )
    service = choose_freight(freight.services, plan.request.freight)
    plan = replace(plan, freight=freight, freight_service=service)
    return plan if service else plan.judged(_no_freight(plan.request, freight))


def match_lines(request: OrderRequest, offers: Mapping[Item, Offer | str]) -> PlannedOrder:
    """The request with every line matched to a SKU, or judged by the first line that can't be."""
    plan = PlannedOrder(request=request).judged(judge_request(request))
    matches = [_match(line, offers[request.marketplace, line.item]) for line in request.lines]
    problems = [match for match in matches if isinstance(match, Verdict)]
    if problems or not plan.is_fine:
        return plan.judged(problems[0]) if problems else plan
    good = [match for match in matches if not isinstance(match, Verdict)]
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


def _match(line: RequestLine, offer: Offer | str) -> tuple[Offer, Sku] | Verdict:
    if isinstance(offer, str):
        return held(offer) if offer.endswith("Run again") else refused(offer)
    sku = match_sku(offer, line.sku)
    return sku if isinstance(sku, Verdict) else (offer, sku)


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
