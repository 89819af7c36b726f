"""The goods: many, always the same, and the first thousands can be bought."""

from __future__ import annotations

import pytest

from sandbox.generator import generate
from sandbox.world import World
from tests.sandbox.client import Caller


@pytest.mark.parametrize("marketplace", ["taobao", "1688"])
async def test_rows_can_be_bought_except_the_last(caller: Caller, marketplace: str) -> None:
    """At least 4,000 SKUs have ample stock at their minimum quantity; the sold out and offline come after."""
    rows = await caller.rows(marketplace)
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
    assert (len(alibaba["item_id"]), len(alibaba["sku_id"]), len(alibaba["spec_id"])) == (12, 13, 32)


async def test_paging_through_the_catalogue(caller: Caller) -> None:
    """Limit and offset cut the listing; the total does not change with them."""
    page = await caller.control("GET", "catalogue", marketplace="taobao", limit="2", offset="1")
    assert [item["item_id"] for item in page["items"]] == ["2048232789087639", "600285803490"]
    assert page["total"] == len(await caller.rows("taobao"))


async def test_unknown_marketplace_names_the_known(caller: Caller) -> None:
    """A marketplace that is not there is refused with the list of those that are."""
    answer = await caller.send("GET", "/_sandbox/catalogue", query={"marketplace": "ebay"})
    assert (answer.status, answer.body) == (400, {"error": "marketplace: must be one of taobao, 1688"})


async def test_the_public_products_are_there(caller: Caller) -> None:
    """The two products of the public booking page are first, from one seller."""
    first, second = await caller.rows("taobao", limit=2)
    assert (first["item_id"], first["sku_id"], first["title"]) == ("2048020617114736", "413185732720", "这是商品1")
    assert (second["item_id"], second["sku_id"], second["title"]) == ("2048232789087639", "4970432383383", "这是商品2")
    assert first["seller_id"] == second["seller_id"]


def test_the_seed_decides() -> None:
    """The same seed gives the same goods, another seed others."""
    assert generate(7, "1688") == generate(7, "1688")
    assert generate(7, "1688") != generate(8, "1688")


def test_sellers_and_shapes() -> None:
    """Dozens of sellers with many items each; one to six SKUs; 1688 minimums from 1 to 20 with volume prices."""
    items = generate(7, "1688")
    assert len({item.seller.id for item in items}) == 40
    assert {len(item.skus) for item in items} == {1, 2, 3, 4, 6}
    assert {item.min_quantity for item in items} == {1, 2, 3, 5, 6, 10, 12, 20}
    assert {len(item.ranges) for item in items} == {1, 2, 3}


def test_volume_prices_only_go_down() -> None:
    """The unit price at the minimum quantity is the SKU's own; larger quantities cost less each, never nothing."""
    for item in World(seed=7).catalogue.shelf("1688").items:
        for sku in item.skus:
            prices = [item.unit_fen(sku, start) for start, _ in item.ranges]
            assert prices[0] == sku.price_fen
            assert prices == sorted(prices, reverse=True)
            assert prices[-1] > 0
