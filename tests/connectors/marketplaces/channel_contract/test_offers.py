"""Search and offers."""

from __future__ import annotations

from domain.money import Money
from tests.connectors.marketplaces.channel_contract.shop import Shop


async def test_an_offer_shows_what_the_shelf_holds(shop: Shop) -> None:
    """Ids, price, stock, minimum and seller of every SKU agree with the sandbox's own
    catalogue.
    """
    row = shop.plain
    offer = await shop.channel.offer(row["item_id"])
    assert offer is not None
    assert (offer.marketplace, offer.title, offer.seller_id) == (
        shop.marketplace,
        row["title"],
        row["seller_id"],
    )
    assert offer.min_quantity == row["min_quantity"]
    assert offer.active
    record = {
        sku.sku_id: (sku.price, sku.stock, sku.spec_id or None)
        for sku in offer.skus
        if sku.active
    }
    held = {
        row["sku_id"]: (Money(row["price_fen"]), row["stock"], row["spec_id"])
        for row in shop.rows
        if row["item_id"] == offer.item_id
    }
    assert record == held


async def test_an_offer_that_does_not_exist_is_none(shop: Shop) -> None:
    """No exception for what is simply not there."""
    assert await shop.channel.offer("999999") is None


async def test_a_search_finds_by_the_words_of_a_title(shop: Shop) -> None:
    """The item whose title is asked for comes first, with its lowest price; nonsense
    finds nothing.
    """
    row = shop.plain
    offer_summaries = await shop.browser.search(row["title"], limit=3)
    assert len(offer_summaries) <= 3
    assert (offer_summaries[0].marketplace, offer_summaries[0].item_id) == (
        shop.marketplace,
        row["item_id"],
    )
    lowest = min(
        item["price_fen"] for item in shop.rows if item["item_id"] == row["item_id"]
    )
    assert (
        offer_summaries[0].title,
        offer_summaries[0].price,
        offer_summaries[0].seller_id,
    ) == (
        row["title"],
        Money(lowest),
        row["seller_id"],
    )
    assert await shop.browser.search("no such words here") == []


async def test_a_search_turns_pages_up_to_its_limit(shop: Shop) -> None:
    """Seventy hits take two pages; none stands twice."""
    common_word = shop.plain_rows[100]["title"].split()[0]
    many = await shop.browser.search(common_word, limit=70)
    assert len({summary.item_id for summary in many}) == 70
