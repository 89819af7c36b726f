"""Planning a batch: words matched to items, items looked up, orders previewed and
decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from connectors.concurrently import task_group
from connectors.ledger.engine import chunked
from connectors.xportcn.errors import ServiceAway
from domain.decisions import Verdict
from domain.matching import Match
from domain.offers import Offer
from domain.orders import OrderRequest
from domain.plan import PlannedOrder
from flows.batch.chunks import label_of, work_on_chunks
from tasks.engine.gathering import OrderQueue, PartialResults
from tasks.engine.progress import progress
from tasks.engine.resources import Resources
from tasks.preview import NOT_ASKED, preview_orders
from tasks.search import (
    Item,
    Matches,
    items_of,
    keep_matches,
    lines_with_words,
    match_words,
    search_items,
    stored_matches,
)


async def match_requests(
    resources: Resources,
    requests: Sequence[OrderRequest],
    *,
    anew: bool,
) -> dict[tuple[str, str], Match]:
    """A match for each line with words. A match of an earlier run stands, unless it is
    to be made `anew`.
    """
    wanted = {
        (request.order_ref, line.item): (request.marketplace, line.item)
        for request, line in lines_with_words(requests)
    }
    if not wanted:
        return {}
    kept = await stored_matches(resources, [order_ref for order_ref, _ in wanted])
    fits = {key: match for key, match in kept.items() if wanted.get(key) == match.item}
    stands = {} if anew else fits
    items = list(
        dict.fromkeys(item for key, item in wanted.items() if key not in stands)
    )
    found: PartialResults[Item, Match] = PartialResults()

    listener = progress.get()
    listener.start("match words", len(items))

    async def match(
        chunk: Sequence[Item], label: str, through: Callable[[], None]
    ) -> None:
        matched = PartialResults[Item, Match](then=lambda _item: through())
        await match_words(dict.fromkeys(chunk), matched, label=label)
        found.update(matched)
        listener.advance("match words", len(chunk))

    await work_on_chunks(resources, [*items], match)
    unasked = {
        item: Match(marketplace=item[0], words=item[1], note="the service was away")
        for item in items
    }
    new = {**unasked, **found}
    matches = {
        key: stands.get(key) or _against(kept.get(key), new[item])
        for key, item in wanted.items()
    }
    await keep_matches(
        resources, {key: match for key, match in matches.items() if key not in stands}
    )
    return matches


def _against(stored: Match | None, found: Match) -> Match:
    return found.in_place_of(stored) if stored else found


Take = Callable[[Sequence[PlannedOrder]], Awaitable[None]]


async def plan_each(
    resources: Resources,
    requests: list[OrderRequest],
    take: Take,
    *,
    match_anew: bool,
) -> None:
    """Plan these requests, which leave the list; `take` gets the plans of each chunk
    once they are made.

    `match_anew` searches for words again that an earlier run matched.
    """
    matches = await match_requests(resources, requests, anew=match_anew)
    planning = Planning(resources, requests, matches)

    async def one(
        chunk: Sequence[OrderRequest], label: str, through: Callable[[], None]
    ) -> None:
        await take(await planning.plan(chunk, label, through))

    await work_on_chunks(resources, requests, one)
    for rest in chunked(requests):
        await take([unplanned(request) for request in rest])


def unplanned(request: OrderRequest) -> PlannedOrder:
    """The postponed plan of an order that could not be looked up."""
    return PlannedOrder(request=request).with_verdict(NOT_ASKED)


class Planning:
    """Each item is looked up once, by the chunk that needs it first; an order is
    previewed once its items are there.

    These `requests` are planned, a chunk at a time; their words mean `matches`.
    """

    def __init__(
        self, resources: Resources, requests: Sequence[OrderRequest], matches: Matches
    ) -> None:
        self._resources = resources
        self._matches = matches
        self._waiting: dict[Item, list[Callable[[], None]]] = {}
        self._needed = Counter(
            item for request in requests for item in items_of(request, matches)
        )
        self._offers: PartialResults[Item, Offer | Verdict] = PartialResults(
            then=self._is_there
        )
        self._offers.update(
            {
                match.item: match.verdict
                for match in matches.values()
                if not match.item_id
            }
        )
        self._looked_up = 0
        self._items = len(self._needed.keys() - self._offers.keys())
        self._listener = progress.get()
        self._listener.start("search", self._items)
        self._listener.start("preview", len(requests))

    async def plan(
        self, chunk: Sequence[OrderRequest], label: str, through: Callable[[], None]
    ) -> Sequence[PlannedOrder]:
        """Plans for these, in their order; calls `through` for each. Orders without
        answers are postponed.
        """
        requests = {request.order_ref: request for request in chunk}
        plans: PartialResults[str, PlannedOrder] = PartialResults(
            then=lambda _ref: through()
        )
        queue = OrderQueue(requests)
        items = self._still_to_look_up(chunk)
        for request in chunk:
            self._put_once_known(request, queue)
        async with task_group() as running:
            if items:
                running.create_task(self._search(items))
            running.create_task(self._preview(requests, queue, plans, label))
        await self._keep_matches(plans.values())
        self._forget(chunk)
        return [
            plans.get(ref) or unplanned(request) for ref, request in requests.items()
        ]

    async def _search(self, items: Mapping[Item, None]) -> None:
        start = self._looked_up
        self._looked_up = self._looked_up + len(items)
        label = label_of(start, self._looked_up, self._items)
        try:
            with suppress(ServiceAway):
                await search_items(items, self._offers, label=label)
        finally:  # the preview does not wait for missing items, and reports them
            for item in items:
                self._is_there(item)
        self._listener.advance("search", len(items))

    async def _preview(
        self,
        requests: Mapping[str, OrderRequest],
        queue: OrderQueue,
        plans: PartialResults[str, PlannedOrder],
        label: str,
    ) -> None:
        with suppress(ServiceAway):
            await preview_orders(
                requests,
                queue,
                self._offers,
                self._matches,
                plans,
                label=label,
            )
        self._listener.advance("preview", len(requests))

    def _still_to_look_up(self, chunk: Sequence[OrderRequest]) -> Mapping[Item, None]:
        """The chunk's items in the order of the file, without those of earlier
        chunks.
        """
        wanted = dict.fromkeys(
            item for request in chunk for item in items_of(request, self._matches)
        )
        items = [
            item
            for item in wanted
            if item not in self._offers and item not in self._waiting
        ]
        self._waiting |= {item: [] for item in items}
        return dict.fromkeys(items)

    def _put_once_known(self, request: OrderRequest, queue: OrderQueue) -> None:
        missing = [
            item for item in items_of(request, self._matches) if item in self._waiting
        ]
        left = len(missing)

        def one_more() -> None:
            nonlocal left
            left -= 1
            if not left:
                queue.put(request.order_ref)

        for item in missing:
            self._waiting[item].append(one_more)
        if not missing:
            queue.put(request.order_ref)

    def _is_there(self, item: Item) -> None:
        for one_more in self._waiting.pop(item, ()):
            one_more()

    def _forget(self, chunk: Sequence[OrderRequest]) -> None:
        """Drop the offers that no other order needs."""
        for request in chunk:
            for item in items_of(request, self._matches):
                self._needed[item] -= 1
                if not self._needed[item]:
                    self._offers.pop(item, None)

    async def _keep_matches(self, plans: Iterable[PlannedOrder]) -> None:
        """Store the matches of words, where the preview found the only SKU of the
        item.
        """
        shown = {
            (plan.order_ref, match.words): match
            for plan in plans
            for match in plan.matches
        }
        if further := {
            key: match
            for key, match in shown.items()
            if match != self._matches.get(key)
        }:
            await keep_matches(self._resources, further)
