"""News of the SKU book: each change once, and nothing of what could not be looked
up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Sku
from domain.sku_book import SkuBook
from domain.spares import CAUSE, BookNews, judge_least, news_of, notified_by
from tests.domain.test_sku_book import FERN, MOSS, book, row

CUP = Offer(
    marketplace=Marketplace.ALIBABA_1688,
    item_id=FERN,
    title="cup",
    image_url="",
    seller_id="s",
    seller_name="Shop",
    min_quantity=2,
    active=True,
    skus=(Sku(sku_id="1", name="", price=Money(400), stock=9),),
)
OFF_SALE = replace(CUP, active=False)
SPARE = replace(CUP, item_id=MOSS)


def priced(minor: int, stock: int = 9) -> Offer:
    return replace(CUP, skus=(replace(CUP.skus[0], price=Money(minor), stock=stock),))


class Watcher:
    """Nights of one book; a night has the offers that could be looked up."""

    def __init__(self, of: SkuBook) -> None:
        self.book = of
        self.causes: list[str] = []

    def night(self, offers: Mapping[str, Offer | None]) -> list[str]:
        rows = [one for one in self.book.rows if one.component.item in offers]
        why = {one: judge_least(one, offers[one.component.item]) for one in rows}
        news = news_of(self.book.rows, why, notified_by(self.causes))
        self.causes += [one.cause.removeprefix(CAUSE) for one in news]
        return [_words(one) for one in news]


def _words(one: BookNews) -> str:
    return f"{one.state}: {one}"


def test_each_change_is_told_once_with_the_rank_that_is_bought() -> None:
    watch = Watcher(
        book(row("FERN-1", FERN, max_unit_price="4.50"), row("FERN-1", MOSS, rank="2"))
    )
    assert watch.night({FERN: CUP, MOSS: SPARE}) == []
    dear = "dear: FERN-1 rank 1 (1688 610000000001): cup costs 4.80 CNY each, limit 4.50 CNY; rank 2 is bought now"
    assert watch.night({FERN: priced(480), MOSS: SPARE}) == [dear]
    assert watch.night({FERN: priced(490), MOSS: SPARE}) == []
    gone = "gone: FERN-1 rank 1 (1688 610000000001): 1688 has no item 610000000001; rank 2 is bought now"
    assert watch.night({FERN: None, MOSS: SPARE}) == [gone]
    spare = "gone: FERN-1 rank 2 (1688 610000000002): 1688 has no item 610000000002; nothing can be bought in its place"
    assert watch.night({FERN: None, MOSS: None}) == [spare]
    assert watch.night({FERN: CUP, MOSS: None}) == [
        "yes: FERN-1 rank 1 (1688 610000000001): rank 1 is bought now"
    ]
    assert watch.night({FERN: None, MOSS: None}) == [
        gone.replace("rank 2 is bought now", "nothing can be bought in its place")
    ]


def test_what_could_not_be_looked_up_is_as_it_was_told_last() -> None:
    watch = Watcher(book(row("FERN-1", FERN), row("FERN-1", MOSS, rank="2")))
    assert watch.night({}) == []
    assert len(watch.night({FERN: CUP, MOSS: None})) == 1
    (told,) = watch.night({FERN: OFF_SALE})
    assert told.endswith("is no longer on sale; nothing can be bought in its place")
    assert watch.night({FERN: OFF_SALE, MOSS: None}) == []


def test_a_seller_s_minimum_hides_neither_price_nor_stock() -> None:
    """One piece makes the own SKU, the seller sells two and more."""
    watch = Watcher(book(row("FERN-1", FERN, max_unit_price="4.50")))
    assert watch.night({FERN: CUP}) == []
    assert watch.night({FERN: priced(400, stock=1)}) == [
        "gone: FERN-1 rank 1 (1688 610000000001): cup (610000000001): 1 in stock, asked 2; "
        "nothing can be bought in its place"
    ]


def test_a_bundle_is_bought_where_all_of_it_can_be_and_countries_are_apart() -> None:
    watch = Watcher(
        book(row("SET", FERN), row("SET", MOSS), row("SET", MOSS, country="DE"))
    )
    told = watch.night({FERN: CUP, MOSS: None})
    assert [one.rpartition("; ")[2] for one in told] == [
        "nothing can be bought in its place"
    ] * 2
    assert told[1].startswith("gone: SET DE rank 1 (1688 610000000002)")


def test_several_variants_are_no_news_and_are_not_bought() -> None:
    """`sourcing book check` shows them."""
    several = replace(CUP, skus=(CUP.skus[0], replace(CUP.skus[0], sku_id="2")))
    watch = Watcher(book(row("FERN-1", FERN), row("FERN-1", MOSS, rank="2")))
    assert watch.night({FERN: several, MOSS: SPARE}) == []
    (told,) = watch.night({FERN: several, MOSS: None})
    assert told.endswith("nothing can be bought in its place")
