"""Looking around on each marketplace, against the sandbox; and what a marketplace does
not offer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.marketplaces import offering_of
from connectors.marketplaces.browsing import Browser, Image, NotOffered, UnreadableImage
from connectors.xportcn.client import XportcnClient
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Filters, Hits, Sort
from tests.connectors.xportcn.sandbox_process import Sandbox

TAOBAO, ALIBABA, BIG, INTERNATIONAL, POIZON = Marketplace
ALL = pytest.mark.parametrize("marketplace", list(Marketplace))
WORDS = {
    TAOBAO: "帆布",
    ALIBABA: "尼龙",
    BIG: "尼龙",
    INTERNATIONAL: "nylon",
    POIZON: "牛仔",
}


def filters(page: int = 1, page_size: int = 10, **changes: object) -> Filters:
    return Filters(page=page, page_size=page_size, **changes)  # type: ignore[arg-type]


def prices(hits: Hits) -> list[int]:
    return [offer.price.minor for offer in hits.offers]


@ALL
async def test_words_find_offers_page_by_page(
    live: XportcnClient, marketplace: Marketplace
) -> None:
    """Pages follow each other without gap or repeat, and each counts the whole."""
    browser = offering_of(marketplace, live).browser
    hits = await browser.by_words(WORDS[marketplace], filters(page_size=20))
    first = await browser.by_words(WORDS[marketplace], filters())
    second = await browser.by_words(WORDS[marketplace], filters(page=2))
    assert first.offers + second.offers == hits.offers
    assert first.total == hits.total > 20
    assert all(
        WORDS[marketplace] in offer.title.lower() and offer.marketplace is marketplace
        for offer in hits.offers
    )


@pytest.mark.parametrize("marketplace", [TAOBAO, ALIBABA, BIG, POIZON])
async def test_prices_bound_and_sort(
    live: XportcnClient, marketplace: Marketplace
) -> None:
    """Bounds are of the cheapest variant and inclusive; both directions list the same
    offers.
    """
    browser = offering_of(marketplace, live).browser
    message = WORDS[marketplace]
    expected = sorted(prices(await browser.by_words(message, filters(page_size=50))))
    bounded = Filters(
        min_price=Money(expected[2]), max_price=Money(expected[-3]), page_size=50
    )
    up = await browser.by_words(message, replace(bounded, sort=Sort.PRICE_UP))
    down = await browser.by_words(message, replace(bounded, sort=Sort.PRICE_DOWN))
    assert prices(up) == sorted(prices(up))
    assert prices(down) == sorted(prices(down), reverse=True)
    assert expected[2] <= min(prices(up)) <= max(prices(down)) <= expected[-3]
    assert up.total == down.total


@pytest.mark.parametrize("marketplace", [TAOBAO, ALIBABA])
async def test_an_image_finds_what_it_shows(
    live: XportcnClient, sandbox: Sandbox, marketplace: Marketplace, tmp_path: Path
) -> None:
    """By its address and by its content; the sandbox reads the item's id in either."""
    item_id = sandbox.rows(marketplace, offset=40, limit=1)[0]["item_id"]
    file = tmp_path / "picture.jpg"
    file.write_bytes(b"\xff\xd8\xff" + item_id.encode())
    browser = offering_of(marketplace, live).browser
    for image in (Image.of(f"https://example.com/{item_id}.jpg"), Image.of(str(file))):
        hits = await browser.by_image(image, filters())
        assert hits.offers[0].item_id == item_id
        assert hits.total == 20


@pytest.mark.parametrize("marketplace", [TAOBAO, ALIBABA])
async def test_a_shop_lists_its_own(
    live: XportcnClient, sandbox: Sandbox, marketplace: Marketplace
) -> None:
    """All of one seller, and nobody else's."""
    row = sandbox.rows(marketplace, offset=40, limit=1)[0]
    hits = await offering_of(marketplace, live).browser.by_shop(
        row["seller_id"], filters(page_size=50)
    )
    assert {offer.seller_id for offer in hits.offers} == {row["seller_id"]}
    assert hits.total > 50


@pytest.mark.parametrize(
    ("marketplace", "category"),
    [(TAOBAO, ""), (ALIBABA, "1"), (INTERNATIONAL, ""), (POIZON, "")],
)
async def test_a_listing_holds_each_item_once(
    live: XportcnClient, marketplace: Marketplace, category: str
) -> None:
    """In an order that stays."""
    browser = offering_of(marketplace, live).browser
    pages = [
        await browser.listing(filters(page, 50, category_id=category))
        for page in (1, 2, 3)
    ]
    ids = [offer.item_id for page in pages for offer in page.offers]
    assert len(set(ids)) == 150
    hits = await browser.listing(filters(2, 50, category_id=category))
    assert [offer.item_id for offer in hits.offers] == ids[50:100]


@pytest.mark.parametrize("marketplace", [ALIBABA, BIG])
async def test_the_category_tree_leads_to_leaves_with_offers(
    live: XportcnClient, marketplace: Marketplace
) -> None:
    """From the roots down, each on its level."""
    browser = offering_of(marketplace, live).browser
    roots = await browser.categories()
    assert [root.level for root in roots] == [1, 1, 1]
    below = await browser.categories(roots[0].category_id)
    assert {category.level for category in below} == {2}
    assert (await browser.listing(filters(category_id=below[0].category_id))).total > 0


LINKS = [
    (TAOBAO, "https://item.taobao.com/item.htm?id={}"),
    (ALIBABA, "https://detail.1688.com/offer/{}.html"),
    (BIG, "https://detail.1688.com/offer/{}.html"),
    (INTERNATIONAL, "https://www.alibaba.com/product-detail/Some-bag_{}.html"),
    (POIZON, "https://www.dewu.com/product-detail?spuId={}"),
]


@pytest.mark.parametrize(("marketplace", "link"), LINKS)
async def test_a_link_leads_to_its_product(
    live: XportcnClient, sandbox: Sandbox, marketplace: Marketplace, link: str
) -> None:
    """With variants, seller, category and pictures, as the catalogue needs them."""
    row = sandbox.rows(marketplace, offset=40, limit=1)[0]
    offer = await offering_of(marketplace, live).browser.by_url(
        link.format(row["item_id"])
    )
    assert offer is not None
    assert (offer.marketplace, offer.item_id, offer.title) == (
        marketplace,
        row["item_id"],
        row["title"],
    )
    assert row["sku_id"] in [sku.sku_id for sku in offer.skus]
    assert all(
        (offer.seller_id, offer.seller_name, offer.category_id, offer.image_urls)
    )


async def test_a_link_that_names_no_item_is_for_taobao_to_follow(
    live: XportcnClient,
) -> None:
    """A link of another marketplace is not asked about."""
    browser = offering_of(TAOBAO, live).browser
    assert (
        await browser.by_url("https://item.taobao.com/item.htm?id=600000000001") is None
    )
    with pytest.raises(ValueError, match="belongs to 1688, not to taobao"):
        await browser.by_url("https://detail.1688.com/offer/810123033546.html")


Way = Callable[[Browser], Awaitable[object]]
IMAGE = Image(url="https://example.com/1.jpg")
MISSING: list[tuple[Marketplace, Way, str]] = [
    (TAOBAO, lambda b: b.categories(), "taobao offers no category tree"),
    (
        TAOBAO,
        lambda b: b.by_words("x", filters(category_id="1")),
        "taobao can't filter words by category; it knows sort",
    ),
    (
        TAOBAO,
        lambda b: b.listing(filters(sort=Sort.PRICE_UP)),
        "taobao can't filter listings by sort",
    ),
    (ALIBABA, lambda b: b.listing(filters()), "1688 offers no list of everything"),
    (
        ALIBABA,
        lambda b: b.by_shop("x", filters(category_id="1")),
        "1688 can't filter a shop's offers by category",
    ),
    (
        BIG,
        lambda b: b.by_image(IMAGE, filters()),
        "big_major offers no search by image",
    ),
    (BIG, lambda b: b.by_shop("x", filters()), "big_major offers no search by shop"),
    (BIG, lambda b: b.listing(filters()), "big_major offers no list of everything"),
    (
        INTERNATIONAL,
        lambda b: b.by_words("x", filters(max_price=Money(1))),
        "international can't filter words by price",
    ),
    (
        INTERNATIONAL,
        lambda b: b.by_image(IMAGE, filters()),
        "international offers no search by image",
    ),
    (
        INTERNATIONAL,
        lambda b: b.by_shop("x", filters()),
        "international offers no search by shop",
    ),
    (INTERNATIONAL, lambda b: b.categories(), "international offers no category tree"),
    (
        POIZON,
        lambda b: b.by_image(IMAGE, filters()),
        "poizon offers no search by image",
    ),
    (POIZON, lambda b: b.by_shop("x", filters()), "poizon offers no search by shop"),
    (POIZON, lambda b: b.categories(), "poizon offers no category tree"),
]


@pytest.mark.parametrize(("marketplace", "way", "words"), MISSING)
async def test_what_a_marketplace_does_not_offer_is_named(
    live: XportcnClient, marketplace: Marketplace, way: Way, words: str
) -> None:
    """One error for all, naming the marketplace, and what there is instead."""
    with pytest.raises(NotOffered, match=words):
        await way(offering_of(marketplace, live).browser)


def test_images_that_can_not_be_used_are_named(tmp_path: Path) -> None:
    """A missing file, an empty one, one too large for the service; an image of the
    largest size is fine.
    """
    with pytest.raises(UnreadableImage, match="No such file"):
        Image.of(str(tmp_path / "none.jpg"))
    file = tmp_path / "image.jpg"
    file.write_bytes(b"")
    with pytest.raises(UnreadableImage, match="is empty"):
        Image.of(str(file))
    file.write_bytes(bytes(3 * 1024 * 1024 + 1))
    with pytest.raises(
        UnreadableImage,
        match="has 3,145,729 bytes; the service takes 3,145,728 at most",
    ):
        Image.of(str(file))
    file.write_bytes(bytes(3 * 1024 * 1024))
    assert len(Image.of(str(file)).base64 or "") == 4 * 1024 * 1024
