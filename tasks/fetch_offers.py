"""Read the lists of a catalogue crawl, and fetch the offers, chunk by chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from connectors.concurrently import concurrently
from connectors.marketplaces.browsing import SEARCH_PAGE_SIZE
from connectors.snapshots.offer_changes import GONE
from connectors.snapshots.rows import to_arrow
from connectors.snapshots.tables.offers import OFFERS, offer_rows
from connectors.snapshots.tables.table import Row
from connectors.xportcn.errors import Misconfigured, NotSent, Refused, XportcnError
from domain.catalogue import Item, Listing, Way
from domain.marketplace import Marketplace
from domain.offers import Filters, Hits, Offer
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task

MAX_PAGES = 2_000
"""Pages of a list that does not count its items."""
MAX_ITEMS = 10**9
"""Items of a list: more than any has."""
MAX_CALLS = 100
"""Calls of a task at once, where the circuit breaker allows as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedItems:
    """The items of a list, and how many pages it took."""

    source: Listing
    items: Sequence[Item]
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedOffers:
    """Of so many items the rows of those that were fetched, and why the others could
    not be.
    """

    count: int
    rows: pa.Table
    failures: Mapping[Item, XportcnError]


@service_task("list {source}")
async def list_items(source: Listing, *, limit: int | None) -> ListedItems:
    """Read a list as far as it counts, and on to a page without new items; of a list
    with a `limit` only so many items.
    """
    resources = current_resources()
    first = await _page(resources, source, 1)
    item_ids = {offer.item_id: None for offer in first.offers}
    counted_pages = -(-first.total // (len(first.offers) or 1))

    # A count of one page, or of pages larger than the service gives, ends no list.
    max_items = limit or MAX_ITEMS
    if first.total > len(first.offers):
        max_items = min(max_items, first.total)

    async def read_page(number: int) -> Hits:
        return await _page(resources, source, number)

    page_count = max(-(-min(max_items, first.total) // SEARCH_PAGE_SIZE), 1)
    pages = await concurrently(range(2, page_count + 1), read_page, at_once=MAX_CALLS)
    item_ids |= _item_ids(pages)

    has_new = bool(item_ids)
    while has_new and len(item_ids) < max_items and page_count < MAX_PAGES:
        page_count += 1
        known_count = len(item_ids)
        try:
            item_ids |= _item_ids([await read_page(page_count)])
        except Refused:
            if page_count <= counted_pages:
                raise
        has_new = len(item_ids) > known_count

    items = [(source.marketplace, item_id) for item_id in item_ids]
    return ListedItems(source=source, items=items[:limit], pages=page_count)


def _item_ids(pages: Iterable[Hits]) -> dict[str, None]:
    return {offer.item_id: None for page in pages for offer in page.offers}


@service_task("fetch {label}")
async def fetch_offers(items: Sequence[Item], *, label: str) -> FetchedOffers:
    """Fetch the offers of these items; a refused one does not stop the others."""
    resources = current_resources()
    answers = await concurrently(
        items, lambda item: _fetch(resources, *item), at_once=MAX_CALLS
    )
    failures: dict[Item, XportcnError] = {}
    rows: list[Row] = []
    for item, answer in zip(items, answers, strict=True):
        if isinstance(answer, XportcnError):
            failures[item] = answer
        else:
            rows += answer

    envelope = {"snapshot_id": "", "snapshot_at": resources.clock()}
    table = await asyncio.to_thread(to_arrow, OFFERS, [envelope | row for row in rows])
    return FetchedOffers(count=len(items), rows=table, failures=failures)


async def root_categories(resources: Resources, marketplace: Marketplace) -> list[str]:
    """The categories that hold everything, where a marketplace lists nothing without
    one; else none.
    """
    browser = resources.offerings[marketplace].browser
    if browser.lists_everything:
        return []
    return [category.category_id for category in await browser.categories()]


async def _page(resources: Resources, source: Listing, number: int) -> Hits:
    browser = resources.offerings[source.marketplace].browser
    filters = Filters(page=number, page_size=SEARCH_PAGE_SIZE)
    match source.way:
        case Way.WORDS:
            return await browser.by_words(source.key, filters)
        case Way.SHOP:
            return await browser.by_shop(source.key, filters)
        case Way.CATEGORY | Way.EVERYTHING:
            return await browser.listing(replace(filters, category_id=source.key))


async def _fetch(
    resources: Resources, marketplace: Marketplace, item_id: str
) -> list[Row] | XportcnError:
    """The rows of an item, one that says it is gone, or why it could not be fetched."""
    try:
        offer = await resources.offerings[marketplace].channel.offer(item_id)
    except (Misconfigured, NotSent):  # no later item could be fetched either
        raise
    except XportcnError as error:
        return error
    rows = offer_rows(replace(offer, seen_at=resources.clock())) if offer else []
    return rows or [_gone(marketplace, item_id, offer)]


def _gone(marketplace: Marketplace, item_id: str, offer: Offer | None) -> Row:
    return {
        "marketplace": marketplace,
        "item_id": item_id,
        "sku_id": GONE,
        "title": offer.title if offer else None,
        "price_minor": 0,
        "currency": "CNY",
        "stock": 0,
        "min_quantity": 0,
        "active": False,
    }
