"""A list's first page is found whether the service counts from 0 or from 1, and that is
kept.
"""

from __future__ import annotations

from typing import Any

import pytest

from connectors.xportcn.assumptions import PageBases, ids_of
from connectors.xportcn.errors import (
    Misconfigured,
    Refused,
    ServiceAway,
    Unanswered,
    XportcnError,
)
from connectors.xportcn.models import FittingRows, PageOf
from connectors.xportcn.operations import taobao_after_sale, taobao_product
from connectors.xportcn.settings import XportcnSettings
from connectors.xportcn.wire import Bounds
from domain.money import Money

PRICE = Money(1)
REAL = XportcnSettings(base_url="https://service.example", access_key="k", user_id="1")


class Kept:
    """The marks of a ledger."""

    def __init__(self) -> None:
        self.marks: dict[str, str] = {}

    def shown(self, name: str) -> str:
        return self.marks.get(name, "")

    def show(self, name: str, value: str) -> None:
        assert len(name) <= 16
        self.marks[name] = value


class List:
    """Two hits a page; `zero` is what page 0 comes to at a list from 1. So many
    readings find new hits after them.
    """

    def __init__(
        self,
        base: int,
        zero: XportcnError | str = "empty",
        hits: int = 5,
        moves: int = 0,
    ) -> None:
        self.base, self.zero, self.hits, self.asked = base, zero, hits, list[int]()
        self.first, self.moves = 1, moves

    async def read(self, _call: Any, request: Any, *, once: bool = False) -> Any:
        page = request.page_no
        assert once == (page == 0 and len(self.asked) > 0 and self.asked[-1] == 1)
        self.asked.append(page)
        if page < self.base:
            if isinstance(self.zero, XportcnError):
                raise self.zero
            page = self.base if self.zero == "clamped" else 99
        start = (page - self.base) * 2
        numbers = range(self.first, self.hits + 1)[start : start + 2]
        if len(self.asked) <= self.moves:
            self.first -= 2
        hits = [
            taobao_product.SearchHit.model_construct(item_id=str(number), price=PRICE)
            for number in numbers
        ]
        return PageOf[taobao_product.SearchHit].model_construct(data=FittingRows(hits))


async def pages(bases: PageBases, shop: List, *numbers: int) -> list[list[str]]:
    read: Any = shop.read
    asked = [
        taobao_product.SearchRequest(keyword="cup", page_no=number, page_size=2)
        for number in numbers
    ]
    return [ids_of(await bases.read(read, taobao_product.SEARCH, one)) for one in asked]


ALL = [["1", "2"], ["3", "4"], ["5"], []]


async def test_a_list_from_0_is_read_from_its_first_page_on_and_asked_twice_once() -> (
    None
):
    shop, kept = List(0), Kept()
    assert await pages(PageBases(REAL, kept), shop, 1, 2, 3, 4) == ALL
    assert shop.asked == [1, 0, 1, 1, 2, 3]
    again = List(0)
    assert await pages(PageBases(REAL, kept), again, 1, 2) == ALL[:2]
    assert again.asked == [0, 1]


@pytest.mark.parametrize("zero", [Refused("pageNo"), "clamped", "empty"])
async def test_a_list_from_1_is_asked_for_page_0_once(zero: XportcnError | str) -> None:
    """Refused, the first page again, or nothing."""
    shop, kept = List(1, zero), Kept()
    assert await pages(PageBases(REAL, kept), shop, 1, 2, 3, 4, 1) == [*ALL, ALL[0]]
    assert shop.asked == [1, 0, 2, 3, 4, 1]
    assert [*kept.marks.values()] == ["1"]


@pytest.mark.parametrize("hits", [0, 5])
async def test_a_list_that_moves_between_both_readings_is_not_learned_from_them(
    hits: int,
) -> None:
    """Its first page is another one then, read as page 0 or as page 1: the next reading
    tells.
    """
    shop, kept = List(1, "clamped", hits, moves=1), Kept()
    bases = PageBases(REAL, kept)
    await pages(bases, shop, 1)
    assert kept.marks == {}
    assert await pages(bases, shop, 1) == [["-1", "0"]]
    assert [*kept.marks.values()] == ["1"]


def test_the_rows_of_a_list_are_known_by_their_first_id() -> None:
    """Of a list that has to fit as a whole too, and in a row's parts."""
    row = {"refundOrder": {"refundId": "7", "refundFee": 1, "refundStatus": 10}}
    assert ids_of(
        taobao_after_sale.RefundPage.model_validate(
            {"data": [row]}, context=Bounds(most_minor=100)
        )
    ) == ["7"]
    assert ids_of(taobao_after_sale.RefundPage()) == []
    assert ids_of(
        taobao_after_sale.MessagePage.model_validate(
            {"data": [{"messageId": 8, "content": "x"}]}
        )
    ) == ["8"]


async def test_an_only_page_at_0_is_found() -> None:
    shop = List(0, hits=1)
    assert await pages(PageBases(REAL), shop, 1) == [["1"]]


async def test_an_empty_list_tells_nothing_and_is_looked_at_again() -> None:
    shop, kept = List(1, "clamped", hits=0), Kept()
    bases = PageBases(REAL, kept)
    assert await pages(bases, shop, 1) == [[]]
    shop.hits = 3
    assert await pages(bases, shop, 1, 2) == [["1", "2"], ["3"]]
    assert (shop.asked, [*kept.marks.values()]) == ([1, 0, 1, 0, 2], ["1"])


@pytest.mark.parametrize(
    "error", [Unanswered("HTTP 500"), Misconfigured("404"), ServiceAway("away")]
)
async def test_a_failure_at_page_0_fails_nothing_and_is_not_kept(
    error: XportcnError,
) -> None:
    shop, kept = List(1, error), Kept()
    assert await pages(PageBases(REAL, kept), shop, 1, 2) == ALL[:2]
    assert kept.marks == {}


async def test_a_local_sandbox_counts_as_the_contract_does() -> None:
    shop = List(1)
    assert (
        await pages(
            PageBases(XportcnSettings(base_url="http://127.0.0.1:1")), shop, 1, 2
        )
        == ALL[:2]
    )
    assert shop.asked == [1, 2]
