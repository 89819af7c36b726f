"""What a catalogue crawl looks at."""

from __future__ import annotations

import pytest

from domain.catalogue import (
    ListedPage,
    Listing,
    Selection,
    Way,
    crawl_name,
    listed_steadily,
    pages_of,
    sources_of,
    to_fetch,
)
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Sku, VolumePrice, volume_prices_of

TAOBAO, ALIBABA = Marketplace.TAOBAO, Marketplace.ALIBABA_1688


def test_each_list_is_a_source_once() -> None:
    """Blanks around a keyword make no second source."""
    wanted = [
        Selection(marketplace=TAOBAO, keywords=("bag", " bag "), shops=("7",)),
        Selection(marketplace=ALIBABA, everything=True),
    ]
    assert [str(source) for source in sources_of(wanted)] == [
        "taobao words bag",
        "taobao shop 7",
        "1688 everything",
    ]


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({}, "name keywords, categories, shops or items, or ask for everything"),
        ({"keywords": (" ",)}, "an empty keyword, category or shop"),
        ({"items": ("red bag",)}, "red bag: neither item id nor product link"),
        (
            {"items": ("https://detail.1688.com/offer/810123033546.html",)},
            "belongs to 1688, not to taobao",
        ),
    ],
)
def test_questions_without_sense_are_refused(
    wanted: dict[str, tuple[str, ...]], problem: str
) -> None:
    """Before anything is sent, naming the marketplace and the remedy."""
    with pytest.raises(ValueError, match=problem):
        Selection(marketplace=TAOBAO, **wanted)  # type: ignore[arg-type]


def test_items_are_read_from_ids_and_links() -> None:
    """An item named twice counts once."""
    link = "https://item.taobao.com/item.htm?id=600745400708"
    assert Selection(marketplace=TAOBAO, items=(link, "600745400708")).item_ids() == (
        "600745400708",
    )


def test_the_same_question_has_the_same_name() -> None:
    """So a crawl that was broken off is found again, and only by the very same
    question.
    """
    bags, boxes = (
        [Selection(marketplace=TAOBAO, keywords=("bag",))],
        [Selection(marketplace=TAOBAO, keywords=("box",))],
    )
    name = crawl_name(bags, full=False, limit=None)
    assert name == crawl_name(list(bags), full=False, limit=None)
    others = {
        crawl_name(boxes, full=False, limit=None),
        crawl_name(bags, full=True, limit=None),
    }
    assert len(others | {crawl_name(bags, full=False, limit=5), name}) == 4


def test_the_same_source_has_the_same_name_for_files() -> None:
    """Whatever characters its key has."""
    assert (
        Listing(marketplace=TAOBAO, way=Way.WORDS, key="帆布/../x").name
        == "taobao-words-8f88eecf0789"
    )


@pytest.mark.parametrize(
    ("total", "limit", "pages"),
    [(0, None, 0), (1, None, 1), (100, None, 2), (101, 60, 2)],
)
def test_pages_cover_what_is_wanted(total: int, limit: int | None, pages: int) -> None:
    """The last page may be half full, or cut off by the limit."""
    assert pages_of(total, page_size=50, limit=limit) == pages


def test_a_list_that_counts_otherwise_half_way_is_not_steady() -> None:
    """Items may have slipped from one page to the one before, which was read
    already.
    """
    assert listed_steadily(
        [ListedPage(total=60, item_ids=()), ListedPage(total=60, item_ids=())]
    )
    assert not listed_steadily(
        [ListedPage(total=60, item_ids=()), ListedPage(total=59, item_ids=())]
    )


def test_a_list_that_counts_its_pages_is_steady() -> None:
    """Each total is that of the page, and of the empty one after the last."""
    pages = [
        ListedPage(total=2, item_ids=("1", "2")),
        ListedPage(total=1, item_ids=("3",)),
    ]
    assert listed_steadily([*pages, ListedPage(total=0, item_ids=())])
    assert not listed_steadily([*pages, ListedPage(total=2, item_ids=("4",))])


def test_each_item_is_fetched_once() -> None:
    """Those that lists show no longer come last."""
    listed = {TAOBAO: ["600001", "600002", "600001"], ALIBABA: ["600001"]}
    assert to_fetch(listed, {TAOBAO: ["600002", "600003"]}) == [
        (TAOBAO, "600001"),
        (TAOBAO, "600002"),
        (ALIBABA, "600001"),
        (TAOBAO, "600003"),
    ]


def sku(fen: int, *steps: VolumePrice) -> Sku:
    return Sku(sku_id="1", name="", price=Money(fen), stock=1, volume_prices=steps)


def step(start: int, fen: int) -> VolumePrice:
    return VolumePrice(start_quantity=start, price=Money(fen))


def test_a_skus_price_falls_as_the_offers_does() -> None:
    """1688's volume price is of the cheapest SKU; one that costs 20 fen more keeps the
    distance.
    """
    offer = Offer(
        marketplace=ALIBABA,
        item_id="810001",
        title="",
        image_url="",
        seller_id="",
        seller_name="",
        min_quantity=2,
        active=True,
        skus=(),
        volume_prices=(step(2, 500), step(10, 475)),
    )
    assert volume_prices_of(offer, sku(520)) == (step(2, 520), step(10, 495))
    assert volume_prices_of(offer, sku(520, step(3, 7))) == (step(3, 7),)
