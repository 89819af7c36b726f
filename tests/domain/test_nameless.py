"""An order without a reference is ours only with exactly our goods, our total and our
time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.absence import is_as_created, left_out
from domain.money import Money
from domain.orders import OrderLine
from domain.service_orders import Goods, ServiceOrder, ServiceStatus

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
TWO = Goods(item_id="1", sku_id="2", quantity=2)
LINE = OrderLine(
    line_no=1,
    item_id="1",
    sku_id="2",
    title="cup",
    image_url="",
    quantity=1,
    unit_price=Money(50),
)
LINES = (LINE, replace(LINE, line_no=2))
SHOWN = ServiceOrder(
    order_id="77",
    reference="",
    status=ServiceStatus.UNPAID,
    total=Money(100),
    paid=None,
    created_at=AT + timedelta(minutes=2),
    goods=(TWO,),
)


def test_pieces_of_one_sku_count_together() -> None:
    assert is_as_created(SHOWN, LINES, Money(100), AT)


@pytest.mark.parametrize(
    "other",
    [
        {"goods": ()},
        {"goods": (replace(TWO, quantity=3),)},
        {"goods": (replace(TWO, sku_id="3"),)},
        {"goods": (TWO, replace(TWO, item_id="9"))},
        {"total": Money(99)},
        {"created_at": None},
        {"created_at": AT + timedelta(hours=8)},
    ],
)
def test_whatever_differs_or_is_not_shown_makes_it_another_s(
    other: dict[str, Any],
) -> None:
    assert not is_as_created(replace(SHOWN, **other), LINES, Money(100), AT)


@pytest.mark.parametrize(
    ("goods", "lacks"),
    [
        ((TWO,), []),
        ((replace(TWO, quantity=3),), []),
        ((replace(TWO, quantity=1), TWO), []),
        ((replace(TWO, quantity=1),), [1, 2]),
        ((TWO, replace(TWO, sku_id="3")), []),
        ((replace(TWO, quantity=1), replace(TWO, sku_id="3")), [1, 2]),
        ((replace(TWO, sku_id="3"),), []),
        ((replace(TWO, sku_id="3", quantity=1),), [1, 2]),
        ((Goods(item_id="mp1", sku_id="mp2", quantity=2),), []),
        (
            (Goods(item_id="mp1", sku_id="mp2", quantity=1), replace(TWO, quantity=1)),
            [],
        ),
        (
            (Goods(item_id="mp1", sku_id="mp2", quantity=1), replace(TWO, sku_id="3")),
            [1, 2],
        ),
        ((), []),
        ((replace(TWO, sku_id="", quantity=1),), []),
        ((replace(TWO, item_id="", quantity=1),), []),
        ((replace(TWO, quantity=0),), []),
    ],
)
def test_an_order_that_shows_fewer_pieces_lacks_their_lines(
    goods: tuple[Goods, ...], lacks: list[int]
) -> None:
    """By the shop's ids or the distribution's; by ids of another kind pieces count, and
    what is not counted is no proof.
    """
    lines = [
        replace(line, distribution_item_id="mp1", distribution_sku_id="mp2")
        for line in LINES
    ]
    assert [
        line.line_no for line in left_out(replace(SHOWN, goods=goods), lines)
    ] == lacks


@pytest.mark.parametrize(
    ("sku_id", "quantity", "lacks"),
    [("0", 1, []), ("0", 2, []), ("20", 1, []), ("", 0, [2])],
)
def test_an_item_whose_sku_is_named_otherwise_is_counted_by_its_pieces(
    sku_id: str, quantity: int, lacks: list[int]
) -> None:
    """Beside another that is named as ours: an item without SKUs has its own id for us,
    and 0 for the service.
    """
    lines = [LINES[0], replace(LINES[1], item_id="20", sku_id="20", quantity=1)]
    first = Goods(
        item_id=LINES[0].item_id, sku_id=LINES[0].sku_id, quantity=LINES[0].quantity
    )
    goods = (
        (first, Goods(item_id="20", sku_id=sku_id, quantity=quantity))
        if quantity
        else (first,)
    )
    assert [
        line.line_no for line in left_out(replace(SHOWN, goods=goods), lines)
    ] == lacks
