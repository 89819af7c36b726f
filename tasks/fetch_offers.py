"""List the sources of a catalogue crawl, page by page, and fetch the offers, chunk by
chunk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import pyarrow as pa

from connectors.marketplaces.browsing import SEARCH_PAGE_SIZE
from connectors.snapshots.offer_changes import GONE
from connectors.snapshots.rows import to_arrow
from connectors.snapshots.tables.offers import OFFERS, offer_rows
from connectors.snapshots.tables.table import Row
from connectors.xportcn.errors import (
    Misconfigured,
    NotSent,
    Refused,
    ServiceAway,
    XportcnError,
)
from domain.catalogue import Item, ListedPage, Listing, SeenItems, Way, pages_of
from domain.marketplace import Marketplace
from domain.offers import Filters, Hits, Offer
from tasks.engine.gathering import PartialResults, gather_missing
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task

K = TypeVar("K")
Fetched = list[Row] | XportcnError
"""The rows of an item's offer, or why it could not be fetched."""
CLOCK_MARGIN = timedelta(minutes=10)
MAX_PAGES = 2_000
"""Pages of a list that does not count its items."""
MAX_ITEMS = 10**9
"""Items of a list: more than any has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedOffers:
    """The rows of the items that were fetched, and why the others could not be."""

    rows: pa.Table
    failures: Mapping[Item, XportcnError]


@service_task("list {source}")
async def list_offers(
    source: Listing,
    pages: PartialResults[int, ListedPage],
    *,
    changed_since: datetime | None,
    limit: int | None,
) -> None:
    """Read a list into `pages`, by number: as far as wanted, or as it counts, or to a
    page without new items.
    """
    resources = current_resources()

    async def read_page(number: int) -> ListedPage:
        try:
            hits = await _page(resources, source, number, changed_since)
        except Refused:
            first = pages.get(1)
            if first is None or number <= _counted_pages(first):
                raise
            is_counted = first.total > len(first.item_ids)
            return ListedPage(total=first.total if is_counted else 0, item_ids=())
        return ListedPage(
            total=hits.total, item_ids=tuple(offer.item_id for offer in hits.offers)
        )

    async def read_pages(numbers: Sequence[int]) -> None:
        await gather_missing(resources, numbers, read_page, pages)
        _require_all(numbers, pages)

    await read_pages([1])
    first = pages[1]
    count = pages_of(first.total, page_size=SEARCH_PAGE_SIZE, limit=limit)
    await read_pages(range(2, count + 1))

    # A count of one page, or of pages larger than the service gives, ends no list.
    max_items = limit or MAX_ITEMS
    if first.total > len(first.item_ids):
        max_items = min(max_items, first.total)

    listed_ids = {item_id for page in pages.values() for item_id in page.item_ids}
    new_ids = listed_ids
    while new_ids and len(listed_ids) < max_items and len(pages) < MAX_PAGES:
        number = len(pages) + 1
        await read_pages([number])
        new_ids = {*pages[number].item_ids} - listed_ids
        listed_ids |= new_ids


def _counted_pages(first: ListedPage) -> int:
    return pages_of(first.total, page_size=len(first.item_ids) or 1, limit=None)


@service_task("fetch {label}")
async def fetch_offers(
    items: Sequence[Item],
    fetched: PartialResults[Item, Fetched],
    *,
    label: str,
) -> FetchedOffers:
    """Fetch the offers of these items; a refused one does not stop the others."""
    resources = current_resources()
    await gather_missing(
        resources, items, lambda item: _fetch(resources, *item), fetched
    )
    _require_all(items, fetched)
    failures: dict[Item, XportcnError] = {}
    rows: list[Row] = []
    for item in items:
        answer = fetched[item]
        if isinstance(answer, XportcnError):
            failures[item] = answer
        else:
            rows += answer

    envelope = {"snapshot_id": "", "snapshot_at": resources.clock()}
    table = await asyncio.to_thread(to_arrow, OFFERS, [envelope | row for row in rows])
    return FetchedOffers(rows=table, failures=failures)


async def root_categories(resources: Resources, marketplace: Marketplace) -> list[str]:
    """The categories that hold everything, where a marketplace lists nothing without
    one; else none.
    """
    browser = resources.offerings[marketplace].browser
    return (
        []
        if browser.lists_everything
        else [one.category_id for one in await browser.categories()]
    )


def changed_since(
    resources: Resources, source: Listing, last: SeenItems | None
) -> datetime | None:
    """The time from which a list's changes are enough, as its `last` finished crawl saw
    the others; None where all has to be listed.
    """
    if source.way not in (Way.CATEGORY, Way.EVERYTHING):
        return None
    if not resources.offerings[source.marketplace].browser.lists_changes:
        return None
    if last is None or last.begun_at > resources.clock():
        return None
    return last.begun_at - CLOCK_MARGIN


async def _page(
    resources: Resources, source: Listing, number: int, since: datetime | None
) -> Hits:
    browser = resources.offerings[source.marketplace].browser
    filters = Filters(page=number, page_size=SEARCH_PAGE_SIZE)
    match source.way:
        case Way.WORDS:
            return await browser.by_words(source.key, filters)
        case Way.SHOP:
            return await browser.by_shop(source.key, filters)
        case Way.CATEGORY | Way.EVERYTHING:
            filters = Filters(
                page=number, page_size=SEARCH_PAGE_SIZE, category_id=source.key
            )
            return await browser.listing(filters, changed_since=since)


async def _fetch(
    resources: Resources, marketplace: Marketplace, item_id: str
) -> Fetched:
    """An item with its rows, or one that says it is gone."""
    try:
        offer = await resources.offerings[marketplace].channel.offer(item_id)
    except (
        Misconfigured,
        NotSent,
    ):  # the day's calls may be used up: no later item could be fetched
        raise
    except XportcnError as error:
        return error
    rows = offer_rows(replace(offer, seen_at=resources.clock())) if offer else []
    return rows or [_gone(marketplace, item_id, offer)]


def _require_all(wanted: Sequence[K], found: Mapping[K, object]) -> None:
    """Items missed while the service was away are not made up for: nothing is
    written.
    """
    if any(one not in found for one in wanted):
        raise ServiceAway("the service was away; run again to crawl anew")


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
