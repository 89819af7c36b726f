"""Pages of a list that the service refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.marketplaces import Offering
from connectors.xportcn.errors import Refused
from domain.catalogue import ListedPage, Listing, Way, listed_steadily
from domain.marketplace import Marketplace
from domain.offers import Filters, Hits
from tasks.engine.gathering import PartialResults
from tasks.engine.resources import Resources
from tasks.fetch_offers import list_offers

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


async def read(resources: Resources, shop: RefusingShop) -> list[ListedPage]:
    resources.offerings[Marketplace.TAOBAO] = Offering(cast(Any, None), cast(Any, shop))
    pages: PartialResults[int, ListedPage] = PartialResults()
    await list_offers(SHOP, pages, changed_since=None, limit=None)
    return [page for _, page in sorted(pages.items())]


async def test_a_refused_page_behind_what_the_first_counts_ends_the_list(
    resources: Resources,
) -> None:
    """It counts each page alone, so that no count ends the list."""
    pages = await read(resources, RefusingShop(3, counts_pages=True))
    assert [page.item_ids for page in pages] == [("1", "2"), ("3", "4"), ()]
    assert listed_steadily(pages)


async def test_a_list_that_counts_its_items_ends_with_the_last(
    resources: Resources,
) -> None:
    pages = await read(resources, RefusingShop(3, counts_pages=False))
    assert [page.item_ids for page in pages] == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize("ends", [1, 2])
async def test_a_refused_page_that_the_first_counts_is_a_failure(
    resources: Resources, ends: int
) -> None:
    with pytest.raises(Refused, match="page out of range"):
        await read(resources, RefusingShop(ends, counts_pages=False))
