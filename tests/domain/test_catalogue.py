"""What a catalogue crawl looks at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.catalogue import (
    ListedPage,
    Listing,
    ReadListing,
    SeenItems,
    Selection,
    Way,
    items_to_fetch,
    listed_steadily,
    pages_of,
    sources_of,
)
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Sku, VolumePrice, volume_prices_of

BEFORE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
AFTER = BEFORE + timedelta(days=1)
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


def read_listing(*item_ids: str, of_changes: bool = False) -> ReadListing:
    """A list that showed the items 1, 2 and 3 before, of which 2 could not be
    fetched.
    """
    return ReadListing(
        source=Listing(marketplace=TAOBAO, way=Way.EVERYTHING),
        item_ids=item_ids,
        pages=1,
        of_changes=of_changes,
        last=SeenItems(begun_at=BEFORE, item_ids=("1", "2", "3"), missed=("2",)),
    )


def test_each_item_is_fetched_once() -> None:
    """Those that lists show no longer come last; of a list of changes those that could
    not be fetched. A part of a list tells of none.
    """
    wanted = [
        Selection(marketplace=ALIBABA, items=("810001",)),
        Selection(marketplace=TAOBAO, everything=True),
    ]
    listed = [(ALIBABA, "810001"), (TAOBAO, "4"), (TAOBAO, "1")]
    whole, changes = (
        read_listing("4", "1", "4"),
        read_listing("4", "1", of_changes=True),
    )
    assert items_to_fetch(wanted, [whole], with_unlisted=True) == [
        *listed,
        (TAOBAO, "2"),
        (TAOBAO, "3"),
    ]
    assert items_to_fetch(wanted, [changes], with_unlisted=True) == [
        *listed,
        (TAOBAO, "2"),
    ]
    assert items_to_fetch(wanted, [whole], with_unlisted=False) == listed


def test_what_a_list_shows_no_longer_is_known_until_it_could_be_looked_up() -> None:
    """A list of changes leaves the unchanged out, and these stay known."""
    missed = {(TAOBAO, "3"), (TAOBAO, "4"), (ALIBABA, "1")}
    assert read_listing("4", "1").seen_items(AFTER, missed) == SeenItems(
        begun_at=AFTER, item_ids=("3", "4", "1"), missed=("3", "4")
    )
    changes = read_listing("4", "1", of_changes=True)
    assert changes.seen_items(AFTER, missed) == SeenItems(
        begun_at=AFTER, item_ids=("1", "2", "3", "4"), missed=("3", "4")
    )


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
