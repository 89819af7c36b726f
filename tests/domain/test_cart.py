"""Which rows of a cart are an order's, and what they make of its lines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.money import Money
from domain.orders import CartFault, CartRow, OrderLine, lines_as_carted, row_of

TAOBAO = OrderLine(
    line_no=1,
    item_id="611",
    sku_id="21",
    title="cup",
    image_url="",
    quantity=2,
    unit_price=Money(100),
)
ROW = CartRow(
    row_id="7",
    item_id="611",
    sku_id="21",
    spec_id="",
    title="cup",
    price=Money(100),
    quantity=3,
    stock=9,
    seller_id="s",
    seller_name="shop",
)


def test_a_row_is_found_by_its_sku() -> None:
    """1688 knows SKUs by the spec id, Taobao by the SKU id; neither is guessed from the
    item.
    """
    assert row_of([replace(ROW, sku_id="22"), ROW], TAOBAO) == ROW
    assert row_of([replace(ROW, item_id="612")], TAOBAO) is None
    spec = replace(TAOBAO, spec_id="a" * 32)
    assert row_of([ROW], spec) is None
    assert row_of([replace(ROW, spec_id="a" * 32, sku_id="")], spec) is not None


def test_the_cart_has_the_last_word_on_quantities() -> None:
    """What was changed by hand is what is ordered."""
    assert lines_as_carted([TAOBAO], [ROW], {1: "7"}) == (replace(TAOBAO, quantity=3),)


@pytest.mark.parametrize(
    ("rows", "row_ids", "words"),
    [
        ([], {1: "7"}, r"line 1 \(cup\) does not lie in the cart any more"),
        ([ROW], {}, r"line 1 \(cup\) does not lie in the cart any more"),
        (
            [replace(ROW, buyable=False)],
            {1: "7"},
            r"row 7 \(cup\) can't be bought any more",
        ),
    ],
)
def test_a_line_that_is_not_there_is_named(
    rows: list[CartRow], row_ids: dict[int, str], words: str
) -> None:
    """An order is never made of fewer lines than were asked for."""
    with pytest.raises(CartFault, match=words):
        lines_as_carted([TAOBAO], rows, row_ids)
