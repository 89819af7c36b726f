"""Own SKUs as their offers stand: what can't be bought, and what is bought instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.decisions import (
    Verdict,
    above_limit,
    above_limits,
    judge_availability,
    match_sku,
    no_such_item,
    price_above_limit,
)
from domain.matching import Match
from domain.offers import Candidate, Offer, Problem, price_at
from domain.orders import OrderLine, OrderRequest, RequestLine
from domain.plan import PlannedOrder
from domain.reasons import Reason, ReasonCode, because
from domain.sku_book import BookRow

ABOUT_AN_ITEM = (
    ReasonCode.NO_SUCH_ITEM,
    ReasonCode.NOT_ON_SALE,
    ReasonCode.SKU_UNKNOWN,
    ReasonCode.OUT_OF_STOCK,
    ReasonCode.BELOW_MINIMUM,
)
ABOUT_GOODS = (
    Problem.OUT_OF_STOCK,
    Problem.OFFLINE,
    Problem.SKU_UNKNOWN,
    Problem.BELOW_MIN_QUANTITY,
)

WHOLE = 0  # the line number of a problem with the whole order


def without_goods(plan: PlannedOrder) -> set[str]:
    """The own SKUs whose goods are sold out, gone or above their limit, where nothing
    else keeps the order back.
    """
    if plan.is_postponed or plan.is_fine or plan.why is None:
        return set()
    blamed = [line.own if line else None for line in _lines_at_fault(plan, plan.why)]
    return {own.sku for own in blamed if own} if all(blamed) else set()


def _lines_at_fault(plan: PlannedOrder, reason: Reason) -> list[RequestLine | None]:
    """The lines whose goods can't be bought; None stands for the whole order."""
    lines = dict(enumerate(plan.request.lines, start=1))
    numbers = set[int]()
    if reason.code in ABOUT_AN_ITEM:
        item = reason.facts.get("item")
        wish = reason.facts.get("wish")
        numbers = {number for number, line in lines.items() if line.item == item}
        if reason.code is ReasonCode.SKU_UNKNOWN:
            numbers = {number for number in numbers if lines[number].sku == wish}
        elif reason.code is ReasonCode.OUT_OF_STOCK:
            numbers &= _short_of_stock(plan)
    elif reason.code is ReasonCode.QUOTE_REFUSED and plan.quote:
        problems = plan.quote.problems
        if all(problem.problem in ABOUT_GOODS for problem in problems):
            numbers = {problem.line_no for problem in problems}
    elif reason.code is ReasonCode.PRICE_ABOVE_LIMIT and plan.quote:
        numbers = {*above_limits(plan.request, plan.quote)}

    if numbers == {WHOLE} and len(plan.request.own_skus) == 1:
        return [*lines.values()]
    return [lines.get(number) for number in numbers]


def _short_of_stock(plan: PlannedOrder) -> set[int]:
    stock = {
        (offer.item_id, sku.sku_id): sku.stock
        for offer in plan.offers
        for sku in offer.skus
    }
    return {
        line.line_no
        for line in plan.lines
        if stock[line.item_id, line.sku_id] < line.quantity
    }


def spare_matches(
    plan: PlannedOrder, reasons: Mapping[str, Reason], at: datetime
) -> tuple[Match, ...]:
    """A match for each own SKU in whose place a spare offer was taken, with why the one
    before could not be bought.
    """
    matches: dict[str, Match] = {}
    offers = {offer.item_id: offer for offer in plan.offers}
    for request_line, line in (
        zip(plan.request.lines, plan.lines, strict=True) if plan.lines else ()
    ):
        if (own := request_line.own) and own.rank and own.sku not in matches:
            offer = offers[line.item_id]
            candidate = Candidate(
                item_id=offer.item_id,
                title=offer.title,
                price=line.unit_price,
                seller_id=offer.seller_id,
                seller_name=offer.seller_name,
                image_url=offer.image_url,
            )
            matches[own.sku] = Match(
                marketplace=plan.request.marketplace,
                words=own.sku,
                candidates=(candidate,),
                item_id=line.item_id,
                sku_id=line.sku_id,
                note=f"number {own.rank + 1} in the SKU book, since the one before can't be "
                f"bought: {reasons.get(own.sku) or 'not known why'}",
                decided_at=at,
            )
    return tuple(matches.values())


def own_skus_alike(request: OrderRequest, lines: Sequence[OrderLine]) -> Reason | None:
    """Why an order can't be bought whose own SKUs mean one variant; None where each is
    another's.
    """
    seen_keys: dict[tuple[str, str, str], str] = {}
    for own_line, line in zip(request.lines, lines, strict=True):
        first = seen_keys.setdefault(
            (line.item_id, line.sku_id, line.spec_id), own_line.wanted
        )
        if own_line.own and first != own_line.wanted:
            return because(
                ReasonCode.OWN_SKUS_ALIKE,
                own_skus=[first, own_line.wanted],
                item=line.item_id,
            )
    return None


def judge_row(row: BookRow, offer: Offer | None) -> Reason | None:
    """Why a row of the SKU book can't be bought as it stands; None where it can. An
    item may have no offer.
    """
    component = row.component
    item = component.item
    pieces = component.pieces
    limit = component.max_unit_price
    if offer is None:
        return no_such_item(row.marketplace, item)
    sku = match_sku(offer, component.sku)
    if isinstance(sku, Verdict):
        return sku.why
    line = RequestLine(
        row=row.row, item=item, sku=component.sku, quantity=pieces, max_unit_price=limit
    )
    short = judge_availability([(line, offer, sku)])
    price = price_at(offer, sku, pieces)
    dear = (
        price_above_limit([above_limit(offer.title, price, limit)])
        if limit is not None and price > limit
        else None
    )
    return short.why or dear
