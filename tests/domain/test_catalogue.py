"""What a catalogue crawl looks at."""

from __future__ import annotations

import pytest

from domain.catalogue import Listing, Selection, Way, sources_of
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Sku, VolumePrice, volume_prices_of

TAOBAO = Marketplace.TAOBAO
ALIBABA = Marketplace.ALIBABA_1688


def test_each_list_is_a_source_once() -> None:
    """Blanks around a keyword make no second source."""
    selections = [
        Selection(marketplace=TAOBAO, keywords=("bag", " bag "), shops=("7",)),
        Selection(marketplace=ALIBABA, everything=True),
    ]
    assert [str(source) for source in sources_of(selections)] == [
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
    link = "https://item.taobao.com/item.htm?id=600745400708"
    assert Selection(marketplace=TAOBAO, items=(link, "600001")).item_ids() == (
        "600745400708",
        "600001",
    )


def test_what_a_list_would_show_is_what_it_is_of() -> None:
    """A search for words may rank an offer away."""
    keys = {"seller_id": "7", "category_id": "21"}
    listing = [
        str(source)
        for source in (
            Listing(marketplace=TAOBAO, way=Way.EVERYTHING),
            Listing(marketplace=TAOBAO, way=Way.SHOP, key="7"),
            Listing(marketplace=TAOBAO, way=Way.SHOP, key="8"),
            Listing(marketplace=TAOBAO, way=Way.CATEGORY, key="21"),
            Listing(marketplace=TAOBAO, way=Way.WORDS, key="7"),
            Listing(marketplace=ALIBABA, way=Way.EVERYTHING),
        )
        if source.would_show(TAOBAO, **keys)
    ]
    assert listing == ["taobao everything", "taobao shop 7", "taobao category 21"]


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
