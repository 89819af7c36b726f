"""Find the offers that request lines mean: words are matched to an item first, then
each item is looked up once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.xportcn.errors import Misconfigured, ServiceAway, XportcnError
from domain.decisions import Verdict, no_such_item, refused
from domain.marketplace import ItemId, Marketplace, Words, read_item
from domain.matching import CANDIDATES, Match, choose
from domain.offers import Offer
from domain.orders import OrderRequest, RequestLine
from domain.plan import PlannedOrder
from tasks.engine.gathering import PartialResults, gather_missing, not_read
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task

Item = tuple[Marketplace, str]
Matches = Mapping[tuple[str, str], Match]  # by order_ref and words


@service_task("match words {label}")
async def match_words(
    items: Collection[Item],
    found: PartialResults[Item, Match],
    *,
    label: str,
) -> None:
    """Find for each marketplace and words the match, with its candidates."""
    resources = current_resources()
    await gather_missing(resources, items, lambda item: _match(resources, *item), found)


@service_task("search {label}")
async def search_items(
    items: Collection[Item],
    found: PartialResults[Item, Offer | Verdict],
    *,
    label: str,
) -> None:
    """Find for each item its offer, or the verdict on an order without one."""
    resources = current_resources()
    await gather_missing(
        resources, items, lambda item: find_offer(resources, *item), found
    )


def lines_with_words(
    requests: Iterable[OrderRequest],
) -> Iterator[tuple[OrderRequest, RequestLine]]:
    """The lines whose item is neither an id nor a link."""
    for request in requests:
        for line in request.lines:
            if line.own is None and isinstance(
                read_item(request.marketplace, line.item), Words
            ):
                yield request, line


def item_of(request: OrderRequest, line: RequestLine, matches: Matches) -> Item:
    """The item to look up for a line: its own item, or the one that its words were
    matched to.
    """
    match = None if line.own else matches.get((request.order_ref, line.item))
    return request.marketplace, (
        match.item_id if match and match.item_id else line.item
    )


def items_of(request: OrderRequest, matches: Matches) -> list[Item]:
    """The items to look up for a request, each once; none for an own SKU that the SKU
    book lacks.
    """
    return list(
        dict.fromkeys(
            item_of(request, line, matches) for line in request.lines if line.is_in_book
        )
    )


def with_matches(plan: PlannedOrder, matches: Matches) -> PlannedOrder:
    """The plan with the matches of its lines; one that took another offer for an own
    SKU is past.
    """
    bought = {line.item_id for line in plan.lines}
    own = {
        line.wanted: match
        for line in plan.request.lines
        if (match := matches.get((plan.order_ref, line.wanted)))
        and (line.own is None or match.item_id in bought)
    }
    return replace(plan, matches=tuple(own.values()))


def with_skus(
    request: OrderRequest, offers: Mapping[Item, Offer | Verdict], matches: Matches
) -> Matches:
    """The matches of one order, with the SKU where the item has just one."""
    own = (
        {(request.order_ref, line.item) for line in request.lines} & matches.keys()
        if matches
        else ()
    )
    return {key: _with_sku(matches[key], offers) for key in own}


def _with_sku(match: Match, offers: Mapping[Item, Offer | Verdict]) -> Match:
    offer = offers.get((match.marketplace, match.item_id))
    return (
        match.sold_as(offer) if offer and match.item_id and not match.sku_id else match
    )


async def stored_matches(
    resources: Resources, order_refs: Sequence[str]
) -> dict[tuple[str, str], Match]:
    """The matches that earlier runs have shown for these orders."""
    return await asyncio.to_thread(resources.ledger.matches.of, order_refs)


async def keep_matches(resources: Resources, matches: Matches) -> None:
    """Store matches, so that a later run buys the item that this one shows."""
    decided = {key: match for key, match in matches.items() if match.decided_at}
    await asyncio.to_thread(resources.ledger.matches.keep, decided)


async def _match(resources: Resources, marketplace: Marketplace, words: str) -> Match:
    try:
        hits = await resources.offerings[marketplace].browser.search(
            words, limit=CANDIDATES
        )
    except (Misconfigured, ServiceAway):
        raise
    except XportcnError as error:
        return Match(
            marketplace=marketplace,
            words=words,
            note=error.message,
        )
    return choose(marketplace, words, hits, resources.clock())


async def find_offer(
    resources: Resources, marketplace: Marketplace, text: str
) -> Offer | Verdict:
    """The offer of an item, or the verdict on an order without one."""
    item = read_item(marketplace, text)
    try:
        if isinstance(item, ItemId):
            offer = await resources.offerings[marketplace].channel.offer(item.id)
            return (
                replace(offer, seen_at=resources.clock())
                if offer
                else refused(no_such_item(marketplace, item.id))
            )
        match = await _match(resources, marketplace, text)
        return (
            await find_offer(resources, marketplace, match.item_id)
            if match.item_id
            else match.verdict
        )
    except (Misconfigured, ServiceAway):
        raise
    except XportcnError as error:
        return not_read("could not be looked up", error)
