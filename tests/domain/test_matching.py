"""Which hit the words of a request line mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.decisions import refused
from domain.marketplace import Marketplace
from domain.matching import Match, choose, missing_words
from domain.money import Money
from domain.offers import Offer, OfferSummary, Sku
from tests.verdicts import in_these_words

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def hit(item_id: str, title: str, fen: int = 100) -> OfferSummary:
    return OfferSummary(
        marketplace=Marketplace.TAOBAO,
        item_id=item_id,
        title=title,
        price=Money(fen),
        seller_id="7",
    )


def chosen(words: str, *hits: OfferSummary) -> Match:
    return choose(Marketplace.TAOBAO, words, hits, AT)


def offer(*skus: tuple[str, bool]) -> Offer:
    return Offer(
        marketplace=Marketplace.TAOBAO,
        item_id="600001",
        title="red bag",
        image_url="",
        seller_id="7",
        seller_name="shop",
        min_quantity=1,
        active=True,
        skus=tuple(
            Sku(sku_id=sku_id, name="", price=Money(1), stock=1, active=active)
            for sku_id, active in skus
        ),
    )


def test_the_first_title_with_all_the_words_is_taken() -> None:
    """A better ranked hit that lacks a word is passed over."""
    match = chosen(
        "red bag",
        hit("600001", "blue bag"),
        hit("600002", "Red canvas BAG"),
        hit("600003", "bag, red"),
    )
    assert match.item_id == "600002"
    assert (
        match.note
        == "the first of the 2 offers whose titles hold all the words, as the marketplace ranks them"
    )
    assert match.decided_at == AT


def test_a_title_with_the_words_as_they_are_written_goes_before_one_with_their_plurals() -> (
    None
):
    """Short is not shorts, where there is a choice."""
    hits = (hit("600001", "black shorts dress"), hit("600002", "short dress, black"))
    assert chosen("short dress black", *hits).item_id == "600002"
    assert chosen("short dress black", hits[0]).item_id == "600001"


def test_the_only_one_with_all_the_words_says_so() -> None:
    """The reason counts what was looked at."""
    match = chosen("red bag", hit("600001", "red bag"), hit("600002", "blue bag"))
    assert (
        match.note
        == "the only one of the first 2 offers found whose title holds all the words"
    )


def test_a_single_hit_says_so() -> None:
    """There was nothing to choose from."""
    assert (
        chosen("bag", hit("600001", "bag")).note
        == "the only offer found; its title holds the word"
    )


def test_no_title_with_all_the_words_takes_none() -> None:
    """A guess would spend money: the candidates are named, and the column to put one
    into.
    """
    match = chosen("red bag", hit("600001", "blue bag", 250), hit("600002", "red box"))
    assert match.item_id == ""
    assert match.taken is None
    assert match.pin == ""
    assert match.note == (
        "no title on taobao holds all of 'red bag'; put one of these ids in column item: "
        "600001 (blue bag, 2.50 CNY); 600002 (red box, 1.00 CNY)"
    )


def test_nothing_found_says_so() -> None:
    """Without hits there are no candidates."""
    match = chosen("red bag")
    assert match.candidates == ()
    assert match.note == "nothing on taobao matches 'red bag'; a dry run searches anew"


def test_five_candidates_are_kept() -> None:
    """In the order of the marketplace, with what a person chooses by."""
    match = chosen("bag", *(hit(f"60000{number}", "bag") for number in range(7)))
    assert [candidate.item_id for candidate in match.candidates] == [
        "600000",
        "600001",
        "600002",
        "600003",
        "600004",
    ]
    assert (match.taken or match.candidates[1]).seller_id == "7"


@pytest.mark.parametrize(
    ("words", "title", "missing"),
    [
        ("帆布 置物架", "可折叠 帆布 置物架 送礼", []),
        ("帆布置", "帆布 置物架", ["帆布置"]),
        ("Ａ１０ bag", "BAG a10", []),
        ("red bag", "redbag, covered baggage", ["red", "bag"]),
        ("cable 1m", "Cable 1mm", ["1m"]),
        ("cable 1m", "Cable黑色1m黑色", []),
        ("hoodie XL", "Hoodie black XXL cotton", ["XL"]),
        ("hoodie XL", "Hoodie (XL/XXL) cotton", []),
        ("500g L", "Fleece 500gsm 2XL", ["500g", "L"]),
        ("保温杯 50ml", "不锈钢保温杯 350ml 大容量", ["50ml"]),
        ("保温杯 50ml", "保温杯350ml/50ml可选", []),
        ("手机壳 iPhone 1", "手机壳 iPhone 15", ["1"]),
        ("A10 5W 2米 iPhone15", "a100 65W 12米 iPhone15", ["A10", "5W", "2米"]),
        ("1.5m 5m ５０", "线 1.5m 50", ["5m"]),
        ("1 12", "线 1.5m 12.", ["1"]),
        ("canvas bag T-shirt", "Canvas Bags, T-Shirts", []),
        ("box watch", "Boxes Watches", []),
        ("glass dress case", "Reading glasses, dresses, cases", ["glass", "dress"]),
        ("bags cap dress", "bag capes dressers", ["bags", "cap", "dress"]),
        ("XXL 10kg PC", "XXLS 10KGS PCs", ["XXL", "10kg", "PC"]),
        ("mat 30cm 20cm", "Mat 30CMx20CM", []),
        ("mat 30cm 5m", "Mat 30cmX, 5mXL", ["30cm", "5m"]),
    ],
)
def test_case_and_width_do_not_count(
    words: str, title: str, missing: list[str]
) -> None:
    """Chinese titles have no blanks to go by: a word may stand inside another."""
    assert missing_words(words, title) == missing


def test_the_pin_names_the_sku_when_there_is_just_one() -> None:
    """One beside it that is not on sale may be the one that is meant."""
    match = chosen("red bag", hit("600001", "red bag"))
    assert match.pin == "item=600001"
    assert match.sold_as(offer(("1", True))).pin == "item=600001 sku=1"
    assert match.sold_as(offer(("1", True), ("2", False))).pin == "item=600001"
    assert match.sold_as(offer(("1", True), ("2", True))).pin == "item=600001"
    assert (
        match.sold_as(refused(in_these_words("taobao has no item 600001"))).pin
        == "item=600001"
    )


def test_another_choice_than_before_says_so() -> None:
    """A dry run that searches anew must not change its mind in silence."""
    before = chosen("bag", hit("600001", "bag"))
    instant = chosen("bag", hit("600002", "bag"))
    assert instant.in_place_of(before).note.endswith(
        "; an earlier run had taken 600001"
    )
    assert before.in_place_of(before) == before
