"""List the sources of a catalogue crawl, page by page, and fetch the offers, part by
part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from connectors.crawl_files import CrawlFiles, Item
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
from domain.catalogue import ListedPage, Listing, Way, pages_of
from domain.marketplace import Marketplace
from domain.offers import Filters, Hits, Offer
from domain.reasons import Detail, Part, detail
from tasks.engine.gathering import PartialResults, gather_missing
from tasks.engine.resources import Resources
from tasks.engine.retrying import service_task

K = TypeVar("K")
Fetched = list[Row] | XportcnError
"""The rows of an item's offer, or why it could not be fetched."""
CLOCK_MARGIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedOffers:
    """The result of one run of the task: how many items it fetched, and why it could
    not fetch the others.
    """

    items: int
    troubles: dict[Item, Detail] = field(default_factory=dict)


@service_task("list {label}")
async def list_offers(
    resources: Resources,
    crawl: CrawlFiles,
    pages: Sequence[tuple[Listing, int]],
    read: PartialResults[tuple[Listing, int], None],
    *,
    turn: int,
    changed_only: bool,
    label: str,
) -> None:
    """Read these pages of these sources and keep each as it comes. `changed_only` where
    a marketplace can filter.

    One that is refused behind what page 1 counts is kept as an empty one.
    """

    async def one(page: tuple[Listing, int]) -> None:
        source, number = page
        since = _changed_since(resources, crawl, source) if changed_only else None
        try:
            hits = await _page(resources, source, number, since)
            listed = ListedPage(
                total=hits.total, item_ids=tuple(offer.item_id for offer in hits.offers)
            )
        except Refused:
            first = (await asyncio.to_thread(crawl.pages, source, turn)).get(1)
            if first is None or number <= pages_of(
                first.total, page_size=len(first.item_ids) or 1, limit=None
            ):
                raise
            listed = ListedPage(
                total=first.total if first.total > len(first.item_ids) else 0,
                item_ids=(),
            )
        await asyncio.to_thread(crawl.keep_page, source, turn, number, listed)

    await gather_missing(resources, pages, one, read)
    _require_all(pages, read)


@service_task("fetch {label}")
async def fetch_offers(
    resources: Resources,
    crawl: CrawlFiles,
    items: Sequence[Item],
    fetched: PartialResults[Item, Fetched],
    *,
    part: int,
    may_fail: bool,
    label: str,
) -> FetchedOffers:
    """Fetch these items and keep them as one part. Raises when none could be fetched,
    unless they `may_fail`.
    """
    await gather_missing(
        resources, items, lambda item: _fetch(resources, *item), fetched
    )
    _require_all(items, fetched)
    found = [fetched[item] for item in items]
    failures = [answer for answer in found if isinstance(answer, XportcnError)]
    if failures and len(failures) == len(items) and not may_fail:
        raise failures[0]
    rows = [
        row
        for answer in found
        if not isinstance(answer, XportcnError)
        for row in answer
    ]
    envelope = {"snapshot_id": crawl.name, "snapshot_at": resources.clock()}
    table = await asyncio.to_thread(to_arrow, OFFERS, [envelope | row for row in rows])
    await asyncio.to_thread(crawl.keep_part, part, table)
    told = zip(items, found, strict=True)
    troubles = {
        item: detail(
            Part.NOT_FETCHED, marketplace=item[0], item=item[1], failure=str(error)
        )
        for item, error in told
        if isinstance(error, XportcnError)
    }
    return FetchedOffers(items=len(items) - len(failures), troubles=troubles)


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


def lists_changes(resources: Resources, crawl: CrawlFiles, source: Listing) -> bool:
    """Whether the source can leave out what has not changed since the last crawl."""
    return _changed_since(resources, crawl, source) is not None


def _changed_since(
    resources: Resources, crawl: CrawlFiles, source: Listing
) -> datetime | None:
    if source.way not in (Way.CATEGORY, Way.EVERYTHING):
        return None
    if not resources.offerings[source.marketplace].browser.lists_changes:
        return None
    seen = crawl.seen(source)
    return (
        seen.begun_at - CLOCK_MARGIN
        if seen and seen.begun_at <= resources.clock()
        else None
    )


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
    ):  # the day's calls may be used up: the crawl goes on later
        raise
    except XportcnError as error:
        return error
    rows = offer_rows(replace(offer, seen_at=resources.clock())) if offer else []
    return rows or [_gone(marketplace, item_id, offer)]


def _require_all(wanted: Sequence[K], found: Mapping[K, object]) -> None:
    """A crawl that was broken off goes on where it was: items missed while the service
    was away are not made up for.
    """
    if any(one not in found for one in wanted):
        raise ServiceAway("the service was away; run again to go on with the crawl")


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
