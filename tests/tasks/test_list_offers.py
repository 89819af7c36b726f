"""Pages of a list that the service refuses."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.crawl_files import CrawlFiles
from connectors.marketplaces import Offering
from connectors.xportcn.errors import Refused
from domain.catalogue import ListedPage, Listing, Way, listed_steadily
from domain.marketplace import Marketplace
from domain.offers import Filters, Hits
from tasks.engine.gathering import PartialResults
from tasks.engine.resources import Resources
from tasks.fetch_offers import list_offers
from tests.clock import MovableClock

SHOP = Listing(marketplace=Marketplace.TAOBAO, way=Way.SHOP, key="77")
ITEMS = ("1", "2", "3", "4")


class RefusingShop:
    """Gives two items a page and refuses those from `ends` on; it counts all, or each
    page alone.
    """

    def __init__(self, ends: int, *, counts_pages: bool) -> None:
        self.ends = ends
        self.counts_pages = counts_pages

    async def by_shop(self, _key: str, filters: Filters) -> Hits:
        if filters.page >= self.ends:
            raise Refused("page out of range")
        ids = ITEMS[2 * filters.page - 2 : 2 * filters.page]
        found = tuple(SimpleNamespace(item_id=one) for one in ids)
        return Hits(
            total=len(ids) if self.counts_pages else len(ITEMS), offers=cast(Any, found)
        )


async def read(
    resources: Resources, files: CrawlFiles, shop: RefusingShop, number: int
) -> ListedPage:
    resources.offerings[Marketplace.TAOBAO] = Offering(cast(Any, None), cast(Any, shop))
    wanted = [(SHOP, number)]
    await list_offers.fn(
        resources, files, wanted, PartialResults(), turn=1, changed_only=False, label=""
    )
    return files.pages(SHOP, 1)[number]


@pytest.mark.parametrize("counts_pages", [True, False])
async def test_a_refused_page_behind_what_the_first_counts_ends_the_list(
    resources: Resources, tmp_path: Path, clock: MovableClock, *, counts_pages: bool
) -> None:
    shop = RefusingShop(3, counts_pages=counts_pages)
    with CrawlFiles.open(tmp_path / "catalogue", "one", clock()) as files:
        assert [
            (await read(resources, files, shop, number)).item_ids
            for number in (1, 2, 3)
        ] == [
            ("1", "2"),
            ("3", "4"),
            (),
        ]
        assert listed_steadily(files.pages(SHOP, 1).values())


async def test_a_refused_page_that_the_first_counts_is_a_failure(
    resources: Resources, tmp_path: Path, clock: MovableClock
) -> None:
    shop = RefusingShop(2, counts_pages=False)
    with CrawlFiles.open(tmp_path / "catalogue", "one", clock()) as files:
        await read(resources, files, shop, 1)
        with pytest.raises(Refused, match="page out of range"):
            await read(resources, files, shop, 2)
        shop.ends = 1
        with pytest.raises(Refused, match="page out of range"):
            await read(resources, files, shop, 1)
