"""The goods: a hundred thousand, always the same, and the first thousands of each
marketplace can be bought.
"""

from __future__ import annotations

import pytest

from sandbox.app import Sandbox
from sandbox.catalogue import Catalogue
from sandbox.generator import generate
from sandbox.world import World
from tests.sandbox.client import Caller

MARKETPLACES = ["taobao", "1688", "big_major", "international", "poizon"]


@pytest.fixture
def catalogue(shared_sandbox: Sandbox) -> Catalogue:
    shared_sandbox.reset()
    return shared_sandbox.world.catalogue


@pytest.mark.parametrize("marketplace", MARKETPLACES)
async def test_rows_can_be_bought_except_the_last(
    caller: Caller, marketplace: str
) -> None:
    """At least 4,000 SKUs have ample stock at their minimum quantity; the sold out and
    offline come after.
    """
    rows = await caller.rows(marketplace, limit=4_400)
    buyable = rows[:4_200]
    assert min(row["stock"] for row in buyable) >= 500
    assert all(row["price_fen"] > 0 and row["min_quantity"] >= 1 for row in buyable)
    assert any(row["stock"] == 0 for row in rows[4_200:])
    assert len({row["sku_id"] for row in rows}) == len(rows)


async def test_a_row_has_the_documented_fields(caller: Caller) -> None:
    """Ids are text; only 1688 has a specId."""
    taobao = (await caller.rows("taobao", limit=1, offset=2))[0]
    assert taobao == {
        "item_id": "600285803490",
        "sku_id": "3403039759040",
        "spec_id": None,
        "title": "复古 真丝 卫衣 送礼 T10003",
        "price_fen": 2406,
        "stock": 34997,
        "seller_id": "57303740",
        "min_quantity": 1,
    }
    alibaba = (await caller.rows("1688", limit=1))[0]
    assert (
        len(alibaba["item_id"]),
        len(alibaba["sku_id"]),
        len(alibaba["spec_id"]),
    ) == (12, 13, 32)


async def test_paging_through_the_catalogue(caller: Caller) -> None:
    """Limit and offset cut the listing; the total does not change with them and rows
    end where it says.
    """
    page = await caller.control(
        "GET", "catalogue", marketplace="taobao", limit="2", offset="1"
    )
    assert [item["item_id"] for item in page["items"]] == [
        "2048232789087639",
        "600285803490",
    ]
    assert page["total"] == 20_990
    assert len(await caller.rows("taobao", limit=50_000, offset=20_980)) == 10


async def test_unknown_marketplace_names_the_known(caller: Caller) -> None:
    """A marketplace that is not there is refused with the list of those that are."""
    answer = await caller.send(
        "GET", "/_sandbox/catalogue", query={"marketplace": "ebay"}
    )
    expected = "taobao, 1688, big_major, international, poizon"
    assert (answer.status, answer.body) == (
        400,
        {"error": f"marketplace: must be one of {expected}"},
    )


def test_a_hundred_thousand_skus_with_ids_of_their_own(catalogue: Catalogue) -> None:
    """The five marketplaces hold 104,997 SKUs together, and no item id or SKU id occurs
    twice anywhere.
    """
    items = [
        item
        for marketplace in MARKETPLACES
        for item in catalogue.shelf(marketplace).items
    ]
    ids = [item.id for item in items] + [sku.id for item in items for sku in item.skus]
    assert len(ids) - len(items) == 104_997
    assert len(set(ids)) == len(ids)
    assert all(6 <= len(number) <= 19 for number in ids)


@pytest.mark.parametrize("marketplace", MARKETPLACES)
async def test_second_depot(caller: Caller, marketplace: str) -> None:
    """Forty items lie in the second depot, after the first 4,298 rows, of sellers with
    items in the first.
    """
    rows = await caller.rows(marketplace, limit=30_000)
    second = [row for row in rows if "二仓" in row["title"]]
    assert len({row["item_id"] for row in second}) == 40
    assert min(rows.index(row) for row in second) >= 4_298
    assert {row["seller_id"] for row in second} <= {
        row["seller_id"] for row in rows[:4_200]
    }
    assert min(row["stock"] for row in second) >= 500


def test_marketplaces_are_filled_when_first_asked_for() -> None:
    """A start makes no goods; a look-up fills no more marketplaces than it must."""
    catalogue = World(seed=7).catalogue
    assert catalogue.filled == []
    item = catalogue.find("600285803490")
    assert item is not None
    assert item.title == "复古 真丝 卫衣 送礼 T10003"
    assert catalogue.filled == ["taobao"]


def test_items_are_found_whichever_marketplace_they_are_of(
    catalogue: Catalogue,
) -> None:
    """By their own id or their distribution id; nothing is found for an id that nobody
    has.
    """
    poizon = catalogue.find("20011184")
    assert poizon is not None
    assert poizon.marketplace == "poizon"
    assert catalogue.named("8000001144371502") is poizon
    assert catalogue.named("600013404") is None


def test_search_without_words_lists_by_id(catalogue: Catalogue) -> None:
    """Everything on sale, ids ascending as numbers."""
    items = catalogue.shelf("taobao").search(" ", None, None)
    assert [item.id for item in items[:2]] == ["600285803490", "600361057916"]
    assert (len(items), items[-1].id) == (7_373, "2048232789087639")


def test_search_remembers_no_price(catalogue: Catalogue) -> None:
    """A repeated search sees today's prices and hands out a list of its own."""
    shelf = catalogue.shelf("taobao")
    shelf.search("卫衣 T10003", None, None).clear()
    (item,) = shelf.search("卫衣 T10003", 2_406, 2_406)
    catalogue.raise_prices([item])
    assert shelf.search("卫衣 T10003", 2_406, 2_406) == []
    assert shelf.search("卫衣 T10003", 2_647, None) == [item]


async def test_the_public_products_are_there(caller: Caller) -> None:
    """The two products of the public booking page are first, from one seller."""
    first, second = await caller.rows("taobao", limit=2)
    assert (first["item_id"], first["sku_id"], first["title"]) == (
        "2048020617114736",
        "413185732720",
        "这是商品1",
    )
    assert (second["item_id"], second["sku_id"], second["title"]) == (
        "2048232789087639",
        "4970432383383",
        "这是商品2",
    )
    assert first["seller_id"] == second["seller_id"]


def test_the_seed_decides(catalogue: Catalogue) -> None:
    """The same seed gives the same goods, another seed others."""
    assert generate(7, "1688") == catalogue.shelf("1688").items
    assert generate(8, "1688") != catalogue.shelf("1688").items


def test_sellers_and_shapes(catalogue: Catalogue) -> None:
    """Dozens of sellers with many items each; one to six SKUs; 1688 minimums from 1 to
    20 with volume prices.
    """
    items = catalogue.shelf("1688").items
    assert len({item.seller.id for item in items}) == 40
    assert {len(item.skus) for item in items} == {1, 2, 3, 4, 6}
    assert {item.min_quantity for item in items} == {1, 2, 3, 5, 6, 10, 12, 20}
    assert {len(item.ranges) for item in items} == {1, 2, 3}


@pytest.mark.parametrize("marketplace", ["1688", "big_major", "international"])
def test_volume_prices_only_go_down(catalogue: Catalogue, marketplace: str) -> None:
    """The unit price at the minimum quantity is the SKU's own; larger quantities cost
    less each, never nothing.
    """
    for item in catalogue.shelf(marketplace).items:
        for sku in item.skus:
            prices = [item.unit_fen(sku, start) for start, _ in item.ranges]
            assert prices[0] == sku.price_fen
            assert prices == sorted(prices, reverse=True)
            assert prices[-1] > 0
