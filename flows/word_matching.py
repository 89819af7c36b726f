"""The items that the words of request lines mean: as an earlier run has shown them, else as searched now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.decisions import Verdict
from domain.matching import Match
from domain.offers import Offer
from domain.orders import OrderRequest
from flows.chunks import side_by_side
from tasks.gathering import PartialResults
from tasks.preview import NOT_ASKED
from tasks.progress import progress
from tasks.resources import Resources
from tasks.search import Item, Matches, keep_matches, lines_with_words, match_words, stored_matches


async def match_requests(
    resources: Resources, requests: Sequence[OrderRequest], *, chunk_size: int, anew: bool
) -> dict[tuple[str, str], Match]:
    """A match for each line with words. A match of an earlier run stands, unless it is to be made `anew`."""
    wanted = {
        (request.order_ref, line.item): (request.marketplace, line.item) for request, line in lines_with_words(requests)
    }
    if not wanted:
        return {}
    kept = await stored_matches(resources, [order_ref for order_ref, _ in wanted])
    stands = {} if anew else {key: match for key, match in kept.items() if wanted.get(key) == match.item}
    items = list(dict.fromkeys(item for key, item in wanted.items() if key not in stands))
    found: PartialResults[Item, Match] = PartialResults()

    listener = progress.get()
    listener.start("match words", len(items))

    async def match(chunk: Sequence[Item], label: str, through: Callable[[], None]) -> None:
        matched = PartialResults[Item, Match](then=lambda _item: through())
        await match_words(resources, dict.fromkeys(chunk), matched, label=label)
        found.update(matched)
        listener.advance("match words", len(chunk))

    await side_by_side(resources, items, chunk_size, match)
    unasked = {item: Match(marketplace=item[0], words=item[1], why=str(NOT_ASKED.why)) for item in items}
    new = {**unasked, **found}
    matches = {key: stands.get(key) or _against(kept.get(key), new[item]) for key, item in wanted.items()}
    await keep_matches(resources, {key: match for key, match in matches.items() if key not in stands})
    return matches


def unmatched(matches: Matches) -> dict[Item, Offer | Verdict]:
    """Words that mean no item, with the reason."""
    return {match.item: match.verdict for match in matches.values() if not match.item_id}


def _against(stored: Match | None, found: Match) -> Match:
    return found.in_place_of(stored) if stored else found
