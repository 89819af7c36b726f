"""Values that recorded or live answers show: what is proven, what is open, what another
service than assumed says.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.marketplaces.seen_values import (
    SeenValue,
    Verdict,
    setting_lines,
    values_in,
)
from connectors.units import parse_units
from connectors.xportcn.live_check.examination import Checked, Conformance, Examination
from connectors.xportcn.operations import alibaba_order, taobao_product
from connectors.xportcn.operations.operation import Operation
from tests.connectors.xportcn.orders import client_of
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import opened
from tests.sandbox.test_big_major import ordered, pay

SPOKEN = (
    *(
        "list-without-reference",
        "states-1688",
        "list-basic",
        "time-compact",
        "code-500",
        "tracking-words",
    ),
    *("tracking-404", "taobao-yuan", "search-yuan-text", "preview-discount"),
)
"""Ten dialects that answers to reads can show, all at once."""


def answered(operation: Operation, answer: Any, request: Any = None) -> Checked:
    return Checked(operation, Conformance.MATCHES, request=request, data=answer)


def of(values: Sequence[SeenValue], about: str, place: str) -> tuple[str, Verdict, str]:
    """What was seen of a value, what that says, and the setting that mends it."""
    value = next(
        one for one in values if one.about == about and one.place.startswith(place)
    )
    return value.seen, value.verdict, "=".join(value.setting or ())


async def values_of_an_account(folder: Path, *dialects: str) -> list[SeenValue]:
    """Of an account with a Taobao order that has arrived, and younger ones at 1688 and
    big_major, paid for an hour.
    """
    async with opened(folder / "sandbox.db") as caller:
        buyer = Buyer(caller)
        await buyer.pay_taobao(
            await buyer.create_taobao((await caller.rows("taobao", limit=1))[0])
        )
        await caller.advance(days=10)
        await buyer.pay_1688(
            await buyer.create_1688((await caller.rows("1688", limit=1))[0])
        )
        order = await ordered(caller, (await caller.rows("big_major", limit=1))[0])
        await pay(caller, order["orderId"])
        await caller.advance(hours=1)
        await caller.control("PUT", "dialects", {"names": list(dialects)})
        async with client_of(caller.origin) as client:
            return values_in(await Examination(client).all(), {})


async def test_nothing_contradicts_a_service_as_assumed(tmp_path: Path) -> None:
    """Yuan with decimals prove themselves; whole fen stay open. The orders of 1688 and
    big_major got no outOrderId.
    """
    values = await values_of_an_account(tmp_path)
    contradicted = [value for value in values if value.verdict is Verdict.CONTRADICTED]
    assert [(value.about, value.seen) for value in contradicted] == [
        ("references in the list", "no outOrderId")
    ] * 2
    assert of(values, "unit", "1688.search")[1] is Verdict.PROVEN
    assert of(values, "unit", "taobao.detail")[1] is Verdict.OPEN
    assert of(values, "parcel stages", "24")[1] is Verdict.PROVEN
    assert setting_lines(values, "") == []


async def test_ten_dialects_at_once_are_each_named(tmp_path: Path) -> None:
    """Each contradicts a value."""
    values = await values_of_an_account(tmp_path, *SPOKEN)
    named = {
        "list-without-reference": of(values, "references in the list", "59")[0]
        == "no outOrderId, buyerFeedback",
        "states-1688": of(values, "order states", "59")[0]
        == "wait_seller_accept_order",
        "list-basic": of(values, "list rows", "59")[0] == "no parcels or no seller",
        "time-compact": of(values, "times", "86")[1] is Verdict.CONTRADICTED,
        "code-500": of(values, "refusals", "26")[0].startswith("500 "),
        "tracking-words": of(values, "parcel stages", "24")[0]
        == "COLLECTED, SIGNED, WAITING_COLLECT",
        "tracking-404": of(values, "parcels", "58")[0] == "404",
        "taobao-yuan": of(values, "unit", "taobao.detail")[2]
        == "XPORTCN_UNITS=taobao.detail=yuan",
        "search-yuan-text": of(values, "unit", "taobao.search")[2]
        == "XPORTCN_UNITS=taobao.search=yuan",
        "preview-discount": of(values, "sums", "13")[1] is Verdict.CONTRADICTED,
    }
    assert [dialect for dialect in SPOKEN if not named[dialect]] == []
    assert setting_lines(values, "") == [
        "XPORTCN_UNITS=taobao.search=yuan, taobao.detail=yuan"
    ]


async def test_another_receiver_and_other_ids_are_named_with_their_settings(
    tmp_path: Path,
) -> None:
    """The preview refuses the customer abroad, the freight the shop's ids."""
    values = await values_of_an_account(
        tmp_path, "receiver-china", "freight-distribution-ids"
    )
    assert setting_lines(values, "") == [
        "XPORTCN_TAOBAO_RECEIVER=warehouse",
        "XPORTCN_FREIGHT_IDS=distribution",
    ]


@pytest.mark.parametrize(
    ("search", "detail", "units", "seen"),
    [
        (1200, 1200, "", ("whole numbers, read as fen: 1200", Verdict.OPEN, "")),
        (1200, 12, "", ("100 times off taobao.detail", Verdict.CONTRADICTED, "")),
        (12, 12, "taobao=yuan", ("whole numbers, read as yuan: 12", Verdict.OPEN, "")),
        (
            1200,
            Decimal("12.5"),
            "",
            ("the prices of taobao.detail", Verdict.PROVEN, ""),
        ),
        ("12.90", 1290, "taobao.search=yuan", ("12.90 is yuan", Verdict.PROVEN, "")),
    ],
)
def test_the_price_of_one_thing_is_compared_between_search_and_detail(
    search: object, detail: object, units: str, seen: tuple[str, Verdict, str]
) -> None:
    """A decimal point proves yuan; whole numbers agree or are a hundred times apart."""
    findings = [
        answered(
            taobao_product.SEARCH,
            {"data": [{"itemId": 1, "title": "a", "price": search}]},
        ),
        answered(
            taobao_product.PRODUCT,
            {"itemId": 1, "skuList": [{"skuId": 2, "price": detail}]},
        ),
    ]
    assert of(values_in(findings, parse_units(units)), "unit", "taobao.search") == seen


def test_settings_that_are_there_stay_in_the_line() -> None:
    """A later line of a file replaces an earlier one."""
    [value] = values_in(
        [answered(taobao_product.PRODUCT, {"itemId": 1, "price": Decimal("59.9")})], {}
    )
    assert setting_lines([value], "1688.preview=fen") == [
        "XPORTCN_UNITS=1688.preview=fen, taobao.detail=yuan"
    ]


def test_ids_that_went_through_doubles_are_seen() -> None:
    """The number beside the text is another order's."""
    order = {"baseInfo": {"id": 2612179450807013500, "idOfStr": "2612179450807013512"}}
    seen = of(
        values_in([answered(alibaba_order.ORDER_PAGE, {"result": [order]})], {}),
        "ids",
        "59",
    )
    assert seen == (
        "2612179450807013500 beside 2612179450807013512",
        Verdict.CONTRADICTED,
        "",
    )


@pytest.mark.parametrize(
    ("answer", "about", "seen"),
    [
        (
            {"totalRecords": 400, "data": [{}] * 20},
            "page size",
            ("20 rows of 400, asked 50", Verdict.CONTRADICTED, ""),
        ),
        ({"data": [{}] * 20}, "total", ("none", Verdict.CONTRADICTED, "")),
        (
            {"totalRecords": 20, "data": [{}] * 20},
            "page size",
            ("20 rows of 20", Verdict.PROVEN, ""),
        ),
    ],
)
def test_pages_are_seen(
    answer: Any, about: str, seen: tuple[str, Verdict, str]
) -> None:
    """Fewer rows than were asked for, and no total."""
    checked = answered(taobao_product.SEARCH, answer, request={"pageSize": 50})
    assert of(values_in([checked], {}), about, "5 ") == seen


def test_a_word_without_a_meaning_is_told_alone() -> None:
    """Among the known ones it would be overlooked."""
    rows = [
        {"baseInfo": {"status": word}}
        for word in ("waitsellersend", "signinsuccess", "on_the_moon")
    ]
    [value] = values_in([answered(alibaba_order.ORDER_PAGE, {"result": rows})], {})[:1]
    assert (value.about, value.seen, value.verdict) == (
        "order states",
        "on_the_moon",
        Verdict.CONTRADICTED,
    )
