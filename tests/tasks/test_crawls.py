"""Crawls of a catalogue in which items can't be read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.marketplaces import Offering
from connectors.snapshots.files import snapshots_below
from connectors.snapshots.reader import sql
from connectors.xportcn.errors import NotSent, Refused, XportcnError
from domain.catalogue import Selection
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Filters, Hits, Offer, Sku
from flows.sync_catalog import CatalogReport, Crawl
from tasks.engine.resources import Resources
from tests.clock import MovableClock

ITEMS = [str(number) for number in range(600001, 600102)]
MORE = [*ITEMS, *map(str, range(700001, 700050))]
LAST = ITEMS[-1]
ALL = [Selection(marketplace=Marketplace.TAOBAO, everything=True)]
BAG = Offer(
    marketplace=Marketplace.TAOBAO,
    item_id=LAST,
    title="bag",
    image_url="",
    seller_id="s",
    seller_name="Shop",
    min_quantity=1,
    active=True,
    skus=(Sku(sku_id="1", name="", price=Money(400), stock=9),),
)


class Shop:
    """101 items on sale, of which some can't be read: the last is a part of its own."""

    lists_everything = True

    def __init__(
        self,
        unreadable: set[str],
        error: XportcnError | None = None,
        items: Sequence[str] = ITEMS,
    ) -> None:
        self.unreadable, self.asked, self.items = unreadable, list[str](), items
        self.gone = set[str]()
        self.error = error or Refused("the detail can't be read")

    async def listing(self, filters: Filters) -> Hits:
        ids = self.items
        page = ids[
            (filters.page - 1) * filters.page_size : filters.page * filters.page_size
        ]
        return Hits(
            total=len(ids),
            offers=cast(Any, tuple(SimpleNamespace(item_id=text) for text in page)),
        )

    async def offer(self, item_id: str) -> Any:
        self.asked.append(item_id)
        if item_id in self.unreadable:
            raise self.error
        return None if item_id in self.gone else replace(BAG, item_id=item_id)


async def crawled(
    resources: Resources, shop: Shop, limit: int | None = None
) -> CatalogReport:
    resources.offerings[Marketplace.TAOBAO] = Offering(cast(Any, shop), cast(Any, shop))
    shop.asked.clear()
    return await Crawl(resources=resources, limit=limit).run(ALL)


async def test_an_item_that_can_not_be_read_is_asked_for_by_each_crawl(
    resources: Resources, clock: MovableClock
) -> None:
    shop = Shop({LAST})
    counts = list[tuple[int, int]]()
    for _ in range(2):
        report = await crawled(resources, shop)
        counts.append((report.fetched, report.trouble_count))
        clock.advance(3600)
    assert counts == [(100, 1), (100, 1)]
    shop.unreadable.clear()
    report = await crawled(resources, shop)
    assert (report.new, report.unchanged, report.trouble_count) == (1, 100, 0)


async def test_what_a_whole_list_shows_no_longer_is_looked_up_until_it_is_gone(
    resources: Resources, clock: MovableClock
) -> None:
    """The tables know it as on sale; a part of a list tells of no other item."""
    shop = Shop(set())
    await crawled(resources, shop)
    clock.advance(3600)
    shop.items = ITEMS[:-1]
    shop.unreadable = {LAST}
    report = await crawled(resources, shop)
    assert (report.items, report.gone, report.trouble_count) == (101, 0, 1)
    clock.advance(3600)
    shop.unreadable = set()
    shop.gone = {LAST}
    assert (await crawled(resources, shop, limit=5)).items == 5
    report = await crawled(resources, shop)
    assert (report.items, report.gone) == (101, 1)
    clock.advance(3600)
    report = await crawled(resources, shop)
    assert (report.items, report.unchanged, report.snapshot_id) == (100, 100, None)


async def test_a_crawl_that_can_read_nothing_fails_and_knows_nothing(
    resources: Resources, clock: MovableClock
) -> None:
    shop = Shop({*ITEMS})
    for _ in range(2):
        with pytest.raises(Refused, match="the detail can't be read"):
            await crawled(resources, shop)
        assert len(shop.asked) == 100
        clock.advance(25 * 3600)


async def test_a_broken_off_crawl_writes_nothing_and_the_next_begins_anew(
    resources: Resources, clock: MovableClock
) -> None:
    """The calls of the day were used up at its last item."""
    shop = Shop({MORE[-1]}, NotSent("the calls of today are used up"), MORE)
    with pytest.raises(NotSent, match="the calls of today are used up"):
        await crawled(resources, shop)
    assert not list(snapshots_below(resources.settings.snapshot_root))
    clock.advance(3600)
    shop.unreadable.clear()
    report = await crawled(resources, shop)
    assert (report.trouble_count, set(shop.asked)) == (0, {*MORE})


async def test_items_that_are_refused_together_do_not_stop_the_others(
    resources: Resources,
) -> None:
    report = await crawled(resources, Shop({*MORE[100:]}, items=MORE))
    assert (report.fetched, report.trouble_count) == (100, 50)


async def test_two_crawls_at_once_do_each_other_no_harm(resources: Resources) -> None:
    """Each reads everything, and each item has one current row."""
    shop = Shop(set())
    first, second = await asyncio.gather(
        crawled(resources, shop), crawled(resources, shop)
    )
    assert (first.fetched, second.fetched) == (101, 101)
    assert first.snapshot_id != second.snapshot_id
    count = sql(resources.settings.snapshot_root, "select count(*) from offers").rows
    assert count == ((101,),)
