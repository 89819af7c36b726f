"""Goods from a seller's two depots become two orders, on Taobao and 1688 as on the
other marketplaces.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.sandbox.buyer import RECEIVER, WAREHOUSE, Buyer
from tests.sandbox.client import Caller

TAOBAO_ROWS = 4_304, 141  # second depot first: the answer's order is the depots'
ALIBABA_OFFSET = 4_300
CREATE_TAOBAO = "/open/purchase/create/v2"
RENDER = "/open/purchase/render"
CREATE_1688 = "/alibaba/order/create"
PREVIEW_1688 = "/alibaba/order/create/preview"


@pytest.fixture
async def taobao(caller: Caller) -> list[dict[str, Any]]:
    """加厚 牛皮纸 衣架 儿童 二仓 T11488 at 3.40 and 大号 尼龙 行李箱 办公 T10047 at
    66.20; postage 3 yuan.
    """
    return [
        (await caller.rows("taobao", limit=1, offset=index))[0] for index in TAOBAO_ROWS
    ]


@pytest.fixture
async def alibaba(caller: Caller) -> list[dict[str, Any]]:
    """A second-depot offer and the first offer of its seller."""
    rows = await caller.rows("1688", limit=4_400)
    second = next(
        row
        for row in rows[ALIBABA_OFFSET:]
        if "二仓" in row["title"] and row["min_quantity"] == 1
    )
    return [
        second,
        next(row for row in rows if row["seller_id"] == second["seller_id"]),
    ]


async def test_taobao_render_shows_two_orders(
    caller: Caller, buyer: Buyer, taobao: list[dict[str, Any]]
) -> None:
    """Both entries have the same supplier, each its own postage, the first depot's
    goods first.
    """
    lines = [await buyer.taobao_line(row) for row in taobao]
    addresses = {"receiver": RECEIVER, "warehouseAddress": WAREHOUSE}
    body = {**addresses, "renderItemList": orjson.dumps(lines).decode()}
    rendered = (await caller.post(RENDER, body)).data["orders"]
    assert [
        (entry["productAmount"], entry["domesticPostFee"]) for entry in rendered
    ] == [(6620, 300), (340, 300)]
    assert rendered[0]["supplierNick"] == rendered[1]["supplierNick"]


async def test_taobao_create_makes_two_orders(
    caller: Caller, buyer: Buyer, taobao: list[dict[str, Any]]
) -> None:
    """Both carry the key, a repeat answers both, and purchaseAmount must cover their
    sum.
    """
    body = await buyer.taobao_create_body(*taobao, amount=7_559)
    assert (await caller.post(CREATE_TAOBAO, body)).data["errorCode"] == "PRICE_CHANGED"
    body["purchaseAmount"] = 7_560
    created = (await caller.post(CREATE_TAOBAO, body)).data
    assert [order["estimateAmount"] for order in created["orderList"]] == [6920, 640]
    assert [
        order["orderLineList"][0]["orderLineNo"] for order in created["orderList"]
    ] == ["2", "1"]
    assert (await caller.post(CREATE_TAOBAO, body)).data == created
    books = (await caller.books())["orders"]
    assert [(order["reference"], order["amount_fen"]) for order in books] == [
        ("R-1", 6920),
        ("R-1", 640),
    ]
    answer = await caller.post(
        "/open/purchase/page", {"pageNo": 1, "pageSize": 50, "outerPurchaseId": "R-1"}
    )
    assert answer.data["totalRecords"] == 2


async def test_taobao_split_orders_live_their_own_lives(
    caller: Caller, buyer: Buyer, taobao: list[dict[str, Any]]
) -> None:
    """Each is paid and booked by itself; the unpaid one closes alone."""
    created = (
        await caller.post(CREATE_TAOBAO, await buyer.taobao_create_body(*taobao))
    ).data
    first, second = [order["purchaseId"] for order in created["orderList"]]
    await buyer.pay_taobao(first)
    await caller.advance(hours=24)
    assert [order["paid_fen"] for order in (await caller.books())["orders"]] == [
        6920,
        0,
    ]
    assert (await buyer.pay_taobao(second))["payFailedResults"][0][
        "errorCode"
    ] == "ORDER_STATUS_ERROR"
    assert (await buyer.book(first, taobao[1]))["subOrders"][0]["itemInfos"][0][
        "itemId"
    ] == taobao[1]["item_id"]


async def test_1688_preview_and_create(
    caller: Caller, buyer: Buyer, alibaba: list[dict[str, Any]]
) -> None:
    """Preview has two entries, create two orders; what speaks of one order is null."""
    body = buyer.cargo(*alibaba)
    previewed = (await caller.post(PREVIEW_1688, body)).data["orderPreviewResuslt"]
    created = (
        await caller.post(CREATE_1688, {**body, "flow": "general", "message": "R-1"})
    ).data
    assert (created["success"], created["orderId"]) == (True, None)
    assert (created["totalSuccessAmount"], created["postFee"]) == (None, None)
    amounts = [order["orderAmmount"] for order in created["orderList"]]
    assert amounts == [entry["sumPayment"] for entry in previewed]
    assert [entry["sumCarriage"] for entry in previewed] == [500, 500]
    books = (await caller.books())["orders"]
    assert [(order["reference"], order["amount_fen"]) for order in books] == [
        ("R-1", amount) for amount in amounts
    ]
    assert [order["items"][0]["item_id"] for order in books] == [
        row["item_id"] for row in reversed(alibaba)
    ]


async def test_1688_volume_prices_count_before_the_split(
    caller: Caller, buyer: Buyer, alibaba: list[dict[str, Any]]
) -> None:
    """Two SKUs of a second-depot offer reach its volume price together, whatever else
    is in the order.
    """
    second, first = alibaba
    rows = [
        row
        for row in await caller.rows("1688", limit=4_500)
        if row["item_id"] == second["item_id"]
    ]
    body = buyer.cargo(first)
    body["cargoParamList"] += buyer.cargo(rows[0], rows[1], quantity=3)[
        "cargoParamList"
    ]
    preview = (await caller.post(PREVIEW_1688, body)).data["orderPreviewResuslt"]
    assert [line["finalUnitPrice"] for line in preview[1]["cargoList"]] == [0.84, 0.82]
