"""What the `item` cell means: an id, a link or words."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.marketplace import (
    ItemId,
    Marketplace,
    Words,
    product_page,
    read_item,
    sku_in,
    sku_of,
)

TAOBAO = Marketplace.TAOBAO
ALIBABA = Marketplace.ALIBABA_1688
BIG_MAJOR = Marketplace.BIG_MAJOR
INTERNATIONAL = Marketplace.INTERNATIONAL
POIZON = Marketplace.POIZON


@pytest.mark.parametrize("marketplace", list(Marketplace))
@pytest.mark.parametrize(
    ("text", "item_id"),
    [
        ("123456", "123456"),
        (" 672991141190 ", "672991141190"),
        ("6729911411901234567", "6729911411901234567"),
    ],
)
def test_six_digits_and_more_are_an_id(
    marketplace: Marketplace, text: str, item_id: str
) -> None:
    assert read_item(marketplace, text) == ItemId(item_id)


@pytest.mark.parametrize(
    "link",
    [
        "https://item.taobao.com/item.htm?id=672991141190",
        "http://item.taobao.com/item.htm?spm=a21n57.1&id=672991141190&ns=1&abbucket=12#detail",
        "HTTPS://ITEM.TAOBAO.COM/item.htm?id=672991141190",
        "item.taobao.com/item.htm?id=672991141190",
        "//item.taobao.com/item.htm?id=672991141190",
        "https://detail.tmall.com/item.htm?abbucket=9&id=672991141190&skuId=5736673805656",
        "https://chaoshi.detail.tmall.com/item.htm?id=672991141190",
        "https://detail.tmall.hk/hk/item.htm?id=672991141190",
        "https://detail.m.tmall.com/item.htm?id=672991141190",
        "https://h5.m.taobao.com/awp/core/detail.htm?id=672991141190",
        "https://m.intl.taobao.com/detail/detail.html?id=672991141190",
        "https://m.taobao.com/?id=672991141190",
        "https://world.taobao.com/item/672991141190.htm",
        "https://world.taobao.com/item.htm?id=672991141190",
    ],
)
def test_a_taobao_or_tmall_link_gives_its_item(link: str) -> None:
    assert read_item(TAOBAO, link) == ItemId("672991141190")


@pytest.mark.parametrize(
    "link",
    [
        "https://detail.1688.com/offer/889512351602.html",
        "https://detail.1688.com/offer/889512351602.html?spm=a2615.7691456&offerId=889512351602",
        "http://m.1688.com/offer/889512351602.html",
        "detail.1688.com/offer/889512351602.html",
        "https://detail.m.1688.com/page/index.html?offerId=889512351602",
    ],
)
@pytest.mark.parametrize("marketplace", [ALIBABA, BIG_MAJOR])
def test_a_1688_link_gives_its_offer(link: str, marketplace: Marketplace) -> None:
    """1688 and big_major have their product pages on the same site."""
    assert read_item(marketplace, link) == ItemId("889512351602")


@pytest.mark.parametrize(
    "link",
    [
        "https://www.alibaba.com/product-detail/Wireless-Earbuds-5-3_1600123456789.html",
        "https://www.alibaba.com/product-detail/Cup_350_ml_1600123456789.html?spm=a2700.7724857",
        "https://www.alibaba.com/product-detail/1600123456789.html",
        "https://french.alibaba.com/product-detail/tasse-1234567_1600123456789.html",
        "www.alibaba.com/product-detail/1600123456789.html#reviews",
    ],
)
def test_an_alibaba_com_link_gives_its_product(link: str) -> None:
    """The id is the last number of the page's name, after the words."""
    assert read_item(INTERNATIONAL, link) == ItemId("1600123456789")


@pytest.mark.parametrize(
    "link",
    [
        "https://m.dewu.com/router/product/ProductDetail?spuId=81293114&sourceName=x",
        "https://www.dewu.com/product-detail.html?spuId=81293114",
        "https://www.poizon.com/product/nike-air-force-1-low-81293114",
        "https://www.poizon.com/product/nike-air-force-1-low-81293114/?track=1",
        "https://www.poizon.com/product/nike-81293114?spuId=81293114",
    ],
)
def test_a_poizon_link_gives_its_product(link: str) -> None:
    """The id stands in the query, or at the end of the path."""
    assert read_item(POIZON, link) == ItemId("81293114")


@pytest.mark.parametrize(
    ("link", "sku"),
    [
        (
            "https://detail.tmall.com/item.htm?abbucket=9&id=672991141190&skuId=5736673805656",
            "5736673805656",
        ),
        (
            "//item.taobao.com/item.htm?skuid=5736673805656&id=672991141190",
            "5736673805656",
        ),
        (
            "https://detail.1688.com/offer/889512351602.html?skuId=5736673805656#x",
            "5736673805656",
        ),
        (
            "m.dewu.com/router/product/ProductDetail?spuId=81293114&skuId=600123456",
            "600123456",
        ),
        *(
            (f"https://item.taobao.com/item.htm?id=672991141190&skuId={no}", "")
            for no in ("", "0", "undefined")
        ),
        *(
            (text, "")
            for text in ("672991141190", "红色 skuId=5736673805656", "http://[", "")
        ),
    ],
)
def test_a_link_may_name_its_variant(link: str, sku: str) -> None:
    """It does once a variant was clicked on its page."""
    assert sku_in(link) == sku


LINK = "https://detail.tmall.com/item.htm?id=672991141190&skuId=5736673805656"


@pytest.mark.parametrize(
    "sku", ["", "5736673805656", "b1946ac92492d2347c6235b4d2611184"]
)
def test_the_variant_of_a_link_may_be_named_once_more(sku: str) -> None:
    """1688 has a spec id for each variant too, which can't be compared."""
    assert sku_of(LINK, sku) == (sku or "5736673805656")


@pytest.mark.parametrize(
    ("link", "sku", "problem"),
    [
        (
            LINK,
            "5736673805657",
            "this link names SKU 5736673805656, and column sku 5736673805657",
        ),
        (f"{LINK}&skuId=5736673805657", "", "this link names several SKUs"),
    ],
)
def test_two_variants_for_one_line_are_refused(
    link: str, sku: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        sku_of(link, sku)


@pytest.mark.parametrize(
    "text",
    [
        "蓝牙耳机 主动降噪",
        "12345",
        "usb-c cable 2m",
        "USB3.0",
        "model 672991141190",
        "6.5 inch",
        "size 10/12",
        "@",
        "a:b",
        "[x",
    ],
)
def test_anything_else_is_words(text: str) -> None:
    assert read_item(TAOBAO, text) == Words(text)


NO_ITEM = "names no single item; open it and copy the product page's own address"


@pytest.mark.parametrize(
    ("marketplace", "link", "problem"),
    [
        (
            TAOBAO,
            "https://detail.1688.com/offer/889512351602.html",
            "belongs to 1688, not to taobao; give a taobao link or item id",
        ),
        (
            ALIBABA,
            "https://item.taobao.com/item.htm?id=672991141190",
            "belongs to taobao, not to 1688; give a 1688 link or item id",
        ),
        (
            TAOBAO,
            "https://www.amazon.com/dp/B0123",
            "leads to www.amazon.com, not to taobao; give a taobao link or item id",
        ),
        (
            TAOBAO,
            "https://nottaobao.com/item.htm?id=672991",
            "leads to nottaobao.com, not to taobao; give a taobao link or item id",
        ),
        (
            BIG_MAJOR,
            "https://www.alibaba.com/product-detail/1600123456789.html",
            "belongs to international, not to big_major; give a big_major link or item id",
        ),
        (
            INTERNATIONAL,
            "https://detail.1688.com/offer/889512351602.html",
            "belongs to 1688, not to international; give a international link or item id",
        ),
        (
            POIZON,
            "https://notdewu.com/?spuId=81293114",
            "leads to notdewu.com, not to poizon; give a poizon link or item id",
        ),
        (INTERNATIONAL, "https://www.alibaba.com/showroom/cup.html", NO_ITEM),
        (INTERNATIONAL, "https://www.alibaba.com/product-detail/cup_12.html", NO_ITEM),
        (POIZON, "https://www.poizon.com/category/sneakers-500", NO_ITEM),
        (
            POIZON,
            "https://www.poizon.com/product/nike-81293114?spuId=81293115",
            NO_ITEM,
        ),
        (TAOBAO, "https://s.taobao.com/search?q=cup", NO_ITEM),
        (
            TAOBAO,
            "https://store.taobao.com/shop/view_shop.htm?id=672991141190",
            NO_ITEM,
        ),
        (
            TAOBAO,
            "https://item.taobao.com/item.htm?id=672991141190&id=672991141191",
            NO_ITEM,
        ),
        (TAOBAO, "https://e.tb.cn/h.6abcDEF", NO_ITEM),
        (ALIBABA, "https://detail.1688.com/offer/12.html", NO_ITEM),
        (
            ALIBABA,
            "https://detail.1688.com/offer/889512351602.html?offerId=889512351603",
            NO_ITEM,
        ),
        (
            TAOBAO,
            "look: https://e.tb.cn/h.6abcDEF",
            "is a link among other words; give the link alone, or the item id",
        ),
        (TAOBAO, "https://[::1", "is not a link that can be read; give the item id"),
    ],
)
def test_a_link_that_names_no_item_here_is_refused(
    marketplace: Marketplace, link: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'{link!r} {problem}')}$"):
        read_item(marketplace, link)


def test_an_empty_item_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^empty; give an item id, a product link or words to search$"
    ):
        read_item(TAOBAO, " \u3000")


@given(st.sampled_from(list(Marketplace)), st.text())
def test_any_text_is_an_item_words_or_a_value_error(
    marketplace: Marketplace, text: str
) -> None:
    with suppress(ValueError):
        assert isinstance(read_item(marketplace, text), ItemId | Words)


@given(st.integers(min_value=100_000, max_value=10**19 - 1))
def test_a_link_made_from_an_id_reads_back_that_id(number: int) -> None:
    assert read_item(TAOBAO, f"https://item.taobao.com/item.htm?id={number}") == ItemId(
        str(number)
    )
    assert read_item(ALIBABA, f"https://detail.1688.com/offer/{number}.html") == ItemId(
        str(number)
    )
    assert read_item(
        INTERNATIONAL, f"https://www.alibaba.com/product-detail/x_{number}.html"
    ) == ItemId(str(number))
    assert read_item(POIZON, f"https://www.poizon.com/product/x-{number}") == ItemId(
        str(number)
    )


@given(
    st.sampled_from(list(Marketplace)),
    st.integers(min_value=100_000, max_value=10**19 - 1),
)
def test_the_page_of_an_item_reads_back_its_id(
    marketplace: Marketplace, number: int
) -> None:
    assert read_item(marketplace, product_page(marketplace, str(number))) == ItemId(
        str(number)
    )


def test_what_is_no_id_has_no_page() -> None:
    assert [
        product_page(TAOBAO, text)
        for text in ("", "12345", "6)](http://x)", "６７２９９１")
    ] == [""] * 4
