"""Which items the words of request lines mean: as an earlier run has shown it, else as searched now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.matching import Match
from domain.offers import Offer
from domain.orders import OrderRequest
from flows.chunks import told_chunks
from tasks.resources import Resources
from tasks.search import Item, Matches, keep_matches, kept_matches, lines_with_words, match_words


async def match_requests(
    resources: Resources, requests: Sequence[OrderRequest], *, chunk_size: int, anew: bool
) -> dict[tuple[str, str], Match]:
    """A match for each line with words. What an earlier run has shown stands, unless it is to be made `anew`."""
    wanted = {
        (request.order_ref, line.item): (request.marketplace, line.item) for request, line in lines_with_words(requests)
    }
    if not wanted:
        return {}
    kept = await kept_matches(resources, [order_ref for order_ref, _ in wanted])
    stands = {} if anew else {key: match for key, match in kept.items() if wanted.get(key) == match.item}
    items = list(dict.fromkeys(item for key, item in wanted.items() if key not in stands))
    found: dict[Item, Match] = {}
    for label, chunk in told_chunks("match words", items, chunk_size):
        found |= await match_words(resources, chunk, label=label)
    return {key: stands.get(key) or _against(kept.get(key), found[item]) for key, item in wanted.items()}


async def remember(resources: Resources, matches: Matches, offers: Mapping[Item, Offer | str]) -> Matches:
    """The matches with the SKU where there is just one, kept for the runs to come."""
    full = {
        key: match.sold_as(offers[match.marketplace, match.item_id]) if match.item_id and not match.sku_id else match
        for key, match in matches.items()
    }
    await keep_matches(resources, full)
    return full


def unmatched(matches: Matches) -> dict[Item, Offer | str]:
    """Words that mean no item, with the reason."""
    return {(match.marketplace, match.words): match.why for match in matches.values() if not match.item_id}


def _against(kept: Match | None, found: Match) -> Match:
    return found.in_place_of(kept) if kept else found
