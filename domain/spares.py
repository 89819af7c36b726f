"""Own SKUs as their offers stand: what can't be bought, what is taken in its place, and
the news of that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.decisions import (
    Verdict,
    above_limit,
    above_limits,
    judge_availability,
    match_sku,
    no_such_item,
)
from domain.matching import Match
from domain.offers import Candidate, Offer, Problem, price_at
from domain.orders import OrderLine, OrderRequest, RequestLine
from domain.plan import PlannedOrder
from domain.reasons import Part, Reason, ReasonCode, because, detail
from domain.sku_book import BookRow
from domain.wording import Worded

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
    request, code = plan.request, plan.why.code if plan.why else None
    if plan.is_postponed or plan.is_fine or code is None or plan.why is None:
        return set()
    lines = dict(enumerate(request.lines, start=1))
    at: set[int] = set()
    if code in ABOUT_AN_ITEM:
        at = {
            line_no
            for line_no, line in lines.items()
            if line.item == plan.why.facts.get("item")
        }
        if code is ReasonCode.SKU_UNKNOWN:
            at = {
                line_no
                for line_no in at
                if lines[line_no].sku == plan.why.facts.get("wish")
            }
        elif code is ReasonCode.OUT_OF_STOCK:
            stock = {
                (offer.item_id, sku.sku_id): sku.stock
                for offer in plan.offers
                for sku in offer.skus
            }
            at &= {
                one.line_no
                for one in plan.lines
                if stock[one.item_id, one.sku_id] < one.quantity
            }
    elif code is ReasonCode.QUOTE_REFUSED and plan.quote:
        problems = plan.quote.problems
        at = (
            {one.line_no for one in problems}
            if all(one.problem in ABOUT_GOODS for one in problems)
            else set()
        )
    elif code is ReasonCode.PRICE_ABOVE_LIMIT and plan.quote:
        at = {*above_limits(request, plan.quote)}
    if at == {WHOLE} and len(request.own_skus) == 1:
        at = set(lines)
    blamed = [lines[line_no].own if line_no in lines else None for line_no in at]
    return {own.sku for own in blamed if own} if all(blamed) else set()


def spare_matches(
    plan: PlannedOrder, why: Mapping[str, Reason], at: datetime
) -> tuple[Match, ...]:
    """A match for each own SKU in whose place a spare offer was taken, with why the one
    before could not be bought.
    """
    matches: dict[str, Match] = {}
    offers = {offer.item_id: offer for offer in plan.offers}
    for wanted, line in (
        zip(plan.request.lines, plan.lines, strict=True) if plan.lines else ()
    ):
        if (own := wanted.own) and own.rank and own.sku not in matches:
            offer = offers[line.item_id]
            taken = Candidate(
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
                candidates=(taken,),
                item_id=line.item_id,
                sku_id=line.sku_id,
                why=detail(Part.SPARE_OFFER, place=own.rank + 1, why=why.get(own.sku)),
                decided_at=at,
            )
    return tuple(matches.values())


def own_skus_alike(request: OrderRequest, lines: Sequence[OrderLine]) -> Reason | None:
    """Why an order can't be bought whose own SKUs mean one variant; None where each is
    another's.
    """
    seen: dict[tuple[str, str, str], str] = {}
    for wanted, line in zip(request.lines, lines, strict=True):
        first = seen.setdefault(
            (line.item_id, line.sku_id, line.spec_id), wanted.wanted
        )
        if wanted.own and first != wanted.wanted:
            return because(
                ReasonCode.OWN_SKUS_ALIKE,
                own_skus=[first, wanted.wanted],
                item=line.item_id,
            )
    return None


def judge_row(row: BookRow, offer: Offer | None) -> Reason | None:
    """Why a row of the SKU book can't be bought as it stands; None where it can. An
    item may have no offer.
    """
    component = row.component
    item, pieces, limit = component.item, component.pieces, component.max_unit_price
    if offer is None:
        return no_such_item(row.marketplace, item)
    sku = match_sku(offer, component.sku)
    if isinstance(sku, Verdict):
        return sku.why
    line = RequestLine(
        row=row.row, item=item, sku=component.sku, quantity=pieces, max_unit_price=limit
    )
    short, price = (
        judge_availability([(line, offer, sku)]),
        price_at(offer, sku, pieces),
    )
    dear = (
        above_limit(offer.title, price, limit)
        if limit is not None and price > limit
        else None
    )
    return short.why or dear


CAUSE = "book-row:"


class Buyable(Worded):
    """Whether a row of the SKU book can be bought as it stands."""

    DEAR = "dear", "above your limit"
    GONE = "gone", "sold out or gone"
    YES = "yes", "back again"


NOT_BUYABLE = {
    ReasonCode.LINE_ABOVE_LIMIT: Buyable.DEAR,
    ReasonCode.NO_SUCH_ITEM: Buyable.GONE,
    ReasonCode.NOT_ON_SALE: Buyable.GONE,
    ReasonCode.SKU_UNKNOWN: Buyable.GONE,
    ReasonCode.OUT_OF_STOCK: Buyable.GONE,
}
"""Other reasons, such as several variants, are no news: `sourcing book check` shows
them.
"""
Notified = Mapping[str, tuple[int, Buyable]]
"""The news of each row that were sent, by its key: how many, and the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookNews:
    """The `number`-th news of a row. `bought_rank` is what is bought for the own SKU
    now; 0: nothing can be.
    """

    row: BookRow
    number: int
    state: Buyable
    why: Reason | None
    bought_rank: int

    @property
    def cause(self) -> str:
        return f"{CAUSE}{key_of(self.row)}:{self.number}:{self.state}"

    def __str__(self) -> str:
        one, item = self.row, f"{self.row.marketplace} {self.row.component.item}"
        name = " ".join(filter(None, (one.own_sku, one.country, f"rank {one.rank}")))
        now = (
            f"rank {self.bought_rank} is bought now"
            if self.bought_rank
            else "nothing can be bought in its place"
        )
        return f"{name} ({item}): {f'{self.why}; ' if self.why else ''}{now}"


def key_of(row: BookRow) -> str:
    """A short name of what a row says is bought, whatever else stands in it."""
    what = (
        row.own_sku,
        row.country,
        str(row.rank),
        row.marketplace,
        row.component.item,
        row.component.sku,
    )
    return hashlib.sha256("\n".join(what).encode()).hexdigest()[:16]


def notified_by(causes: Iterable[str]) -> Notified:
    """The news that were sent, from the causes of earlier news without `CAUSE`."""
    notified: dict[str, tuple[int, Buyable]] = {}
    for cause in causes:
        key, number, state = cause.split(":")
        notified[key] = max(
            notified.get(key, (0, Buyable.YES)), (int(number), Buyable(state))
        )
    return notified


def judge_least(row: BookRow, offer: Offer | None) -> Reason | None:
    """Why not even the fewest pieces that the seller sells can be bought at the row's
    limit; None where they can.
    """
    least = max(row.component.pieces, offer.min_quantity if offer else 0)
    return judge_row(
        replace(row, component=replace(row.component, pieces=least)), offer
    )


def news_of(
    rows: Sequence[BookRow], why: Mapping[BookRow, Reason | None], notified: Notified
) -> list[BookNews]:
    """What has changed of the rows in `why`; rows that could not be looked up are as
    they were sent last.
    """
    before = {row: notified.get(key_of(row), (0, Buyable.YES)) for row in rows}
    now = {row: before[row][1] for row in rows}
    now |= {
        row: NOT_BUYABLE.get(one.code, before[row][1]) if one else Buyable.YES
        for row, one in why.items()
    }
    ranks: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        ranks.setdefault((row.own_sku, row.country), set()).add(row.rank)
    for row in rows:
        if now[row] is not Buyable.YES or why.get(row):
            ranks[row.own_sku, row.country].discard(row.rank)
    return [
        BookNews(
            row=row,
            number=before[row][0] + 1,
            state=now[row],
            why=one,
            bought_rank=min(ranks[row.own_sku, row.country], default=0),
        )
        for row, one in why.items()
        if now[row] is not before[row][1]
    ]
