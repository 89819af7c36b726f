"""`sourcing search` at a terminal and for programs."""

from __future__ import annotations

import pytest

from tests.running import Merchant


def test_words_with_filters(merchant: Merchant) -> None:
    """Prices in yuan in, minor units out, sorted, with the count of all pages."""
    report = merchant.report(
        *(
            "search",
            "taobao",
            "帆布",
            "--sort",
            "price-up",
            "--min-price",
            "5",
            "--max-price",
            "6",
        )
    )
    prices = [offer["price_minor"] for offer in report["offers"]]
    assert (report["marketplace"], report["page"]) == ("taobao", 1)
    assert 5 <= len(prices) <= 20
    assert prices == sorted(prices)
    assert 500 <= prices[0] <= prices[-1] <= 600
    assert report["total"] >= 5


def test_a_link_shows_the_product(merchant: Merchant) -> None:
    """One row for each of its SKUs, as the table `offers` has them."""
    report = merchant.report(
        "search", "taobao", "https://item.taobao.com/item.htm?id=600745400708"
    )
    (row,) = report["offer"]
    assert (row["item_id"], row["sku_id"], row["price_minor"], row["currency"]) == (
        "600745400708",
        "3407678668867",
        510,
        "CNY",
    )


def test_the_terminal_shows_a_table(merchant: Merchant) -> None:
    """With what to put into a request file first."""
    done = merchant.sourcing("search", "1688", "A10001")
    assert "810123033546" in done.stdout
    assert done.stdout.rstrip().endswith("1–1 of 1")


def test_the_category_tree(merchant: Merchant) -> None:
    """The roots, and what is below one of them."""
    roots = merchant.report("search", "1688", "--tree")["categories"]
    below = merchant.report(
        "search", "1688", "--tree", "--category", roots[0]["category_id"]
    )["categories"]
    assert [root["is_leaf"] for root in roots] == [False, False, False]
    assert below[0]["category_id"] != roots[0]["category_id"]


WRONG = [
    (
        ("taobao",),
        "nothing to search for: give WORDS (or a link or id), --image, --shop, --category or --tree",
    ),
    (
        ("taobao", "bag", "--shop", "1"),
        "WORDS and --shop can't be asked for together: give one",
    ),
    (
        ("poizon", "--shop", "1"),
        "poizon offers no search by shop; search by words or category",
    ),
    (
        ("taobao", "bag", "--min-price", "2", "--max-price", "1"),
        "the lowest price 2.00 CNY is above the highest 1.00 CNY",
    ),
    (("taobao", "bag", "--min-price", "cheap"), "'cheap' is not an amount of money"),
    (
        ("taobao", "--image", "none.jpg"),
        "none.jpg can't be read (No such file or directory); give an image file or a link",
    ),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_bad_usage_names_the_remedy(
    merchant: Merchant, arguments: tuple[str, ...], words: str
) -> None:
    """Exit code 2, one message, nothing sent."""
    done = merchant.sourcing("search", *arguments)
    assert (done.exit_code, done.stderr) == (2, f"sourcing: {words}\n")


def test_an_item_that_is_not_there(merchant: Merchant) -> None:
    """Exit code 3, since a person has to look."""
    done = merchant.sourcing("search", "taobao", "600000000001")
    assert (done.exit_code, done.stdout) == (3, "nothing on taobao matches\n")
