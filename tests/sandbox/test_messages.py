"""What the service would have posted to the developer's URL, as the sandbox lists
it.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller


async def listed(caller: Caller, **query: str) -> list[Any]:
    control: list[Any] = (await caller.control("GET", "messages", **query))["messages"]
    return control


def opened(message: Any) -> Any:
    return orjson.loads(message["body"]["messageBody"])


async def raise_prices(caller: Caller, path: str) -> None:
    await caller.control(
        "PUT", "faults", {"rules": [{"path": path, "kind": "price_change", "times": 1}]}
    )


@pytest.fixture
async def taobao(caller: Caller) -> dict[str, Any]:
    """复古 真丝 卫衣 送礼 T10003: 24.06 yuan, postage 5 yuan."""
    return (await caller.rows("taobao", limit=1, offset=2))[0]


@pytest.fixture
async def alibaba(caller: Caller) -> dict[str, Any]:
    return (await caller.rows("1688", limit=1))[0]


async def test_a_taobao_order_tells_each_status(
    caller: Caller, buyer: Buyer, taobao: dict[str, Any]
) -> None:
    """Unpaid, paid, shipped; nothing while it is being built."""
    assert await caller.control("GET", "messages") == {"total": 0, "messages": []}
    order_id = await buyer.create_taobao(taobao)
    assert await listed(caller) == []
    await caller.advance(
        seconds=3
    )  # building takes two: paid at that very instant it would not be told as unpaid
    await buyer.pay_taobao(order_id)
    await caller.advance(hours=30)
    messages = await listed(caller)
    assert [(message["nav"], opened(message)["status"]) for message in messages] == [
        (36, 0),
        (36, 10),
        (36, 11),
    ]
    body = messages[2]["body"]
    assert (body["messageType"], body["messagePlatform"]) == (
        "TAOBAO_ORDER_STATUS_MODIFY",
        0,
    )
    shipped = opened(messages[2])
    assert body["timestamp"] == str(shipped["businessTime"])
    assert (shipped["purchaseId"], shipped["outerPurchaseId"]) == (order_id, "R-1")
    assert shipped["skuList"][0]["logisticNumber"]
    assert (messages[2]["marketplace"], messages[2]["order_id"]) == ("taobao", order_id)


async def test_offline_payments_and_cancels_are_told(
    caller: Caller, buyer: Buyer, taobao: dict[str, Any]
) -> None:
    """Finance's states in turn; a cancelled order is 4."""
    paid = await buyer.create_taobao(taobao)
    cancelled = await buyer.create_taobao(taobao, reference="R-2")
    await caller.post(
        "/open/order/voucher/upload",
        {"orderId": paid, "voucherUrls": ["x"], "amount": 2906},
    )
    await caller.post("/open/order/cancel", {"orderId": cancelled})
    await caller.advance(hours=9)
    record: dict[str, list[int]] = {paid: [], cancelled: []}
    for message in await listed(caller):
        record[message["order_id"]].append(opened(message)["status"])
    assert (record[paid][:4], record[cancelled]) == ([1, 2, 5, 10], [4])


async def test_a_taobao_price_change_is_told(
    caller: Caller, buyer: Buyer, taobao: dict[str, Any]
) -> None:
    """With the amounts of that moment: a second change tells others."""
    order_id = await buyer.create_taobao(taobao)
    for _ in range(2):
        await raise_prices(caller, "/open/order/detail/get")
        await caller.get("/open/order/detail/get", purchaseOrderId=order_id)
    notices = [
        opened(message) for message in await listed(caller) if message["nav"] == 35
    ]
    assert [
        entry["purchaseOrderPriceDTO"]["purchaseTotalFee"] for entry in notices
    ] == [
        3147,
        3412,
    ]
    line = notices[0]["purchaseOrderLinePriceChangeMessageDTOList"][0]
    assert line["purchaseOrderItemPriceDTO"] == {
        "purchaseCurrency": "CNY",
        "purchaseProductUnitFee": 2647,
    }
    assert (
        notices[0]["purchaseOrderId"],
        notices[0]["salesOrderId"],
        notices[0]["purchaseMarket"],
    ) == (
        order_id,
        "R-1",
        "PANAMA",
    )


async def test_a_taobao_refund_tells_each_state(
    caller: Caller, buyer: Buyer, taobao: dict[str, Any]
) -> None:
    """10, 20, 100; the order's own closing is told beside them."""
    order_id = await buyer.create_taobao(taobao)
    await buyer.pay_taobao(order_id)
    order = (await caller.get("/open/order/detail/get", purchaseOrderId=order_id)).data
    sub_id = order["subPurchaseOrders"][0]["subPurchaseOrderId"]
    calls = {
        "subOrderId": sub_id,
        "refundType": 1,
        "goodsStatus": 1,
        "reasonId": 101,
        "refundFee": 2906,
    }
    await caller.post("/open/order/refund/submit", calls)
    await caller.advance(hours=5)
    messages = await listed(caller)
    refunds = [opened(message) for message in messages if message["nav"] == 37]
    assert [refund["refundStatus"] for refund in refunds] == [10, 20, 100]
    assert (refunds[0]["refundFee"], refunds[0]["subPurchaseOrderId"]) == (2906, sub_id)
    assert [
        opened(message)["status"] for message in messages if message["nav"] == 36
    ] == [10, 4]


async def test_a_1688_order_tells_its_life(
    caller: Caller, buyer: Buyer, alibaba: dict[str, Any]
) -> None:
    """Made, dearer, paid, shipped, received, finished; after-sale by its own types."""
    order_id = await buyer.create_1688(alibaba)
    await raise_prices(caller, "/alibaba/order/detail")
    await caller.post("/alibaba/order/detail", {"webSite": "1688", "orderId": order_id})
    await buyer.pay_1688(order_id)
    await caller.advance(days=5)
    calls = {
        "orderId": order_id,
        "disputeRequest": "refund",
        "goodsStatus": "refundBuyerReceived",
        "applyPayment": 1,
        "applyCarriage": 0,
        "applyReasonId": 20005,
        "description": "请拒绝我",
    }
    await caller.post("/alibaba/refund/detail/create", calls)
    await caller.advance(hours=4, seconds=1)
    await caller.post("/alibaba/order/receivegoods", {"orderId": order_id})
    await caller.advance(hours=1)
    after = {**calls, "goodsStatus": "aftersaleBuyerReceived"}
    await caller.post("/alibaba/refund/detail/create", after)
    notices = [
        (
            message["nav"],
            message["body"]["messageType"].removeprefix("ORDER_BUYER_VIEW_"),
            opened(message)["currentStatus"],
        )
        for message in await listed(caller)
    ]
    assert notices == [
        (67, "BUYER_MAKE", "waitbuyerpay"),
        (66, "ORDER_PRICE_MODIFY", "waitbuyerpay"),
        (67, "ORDER_PAY", "waitsellersend"),
        (67, "ANNOUNCE_SENDGOODS", "waitbuyerreceive"),
        (68, "ORDER_BUYER_REFUND_IN_SALES", "waitbuyerreceive"),
        (68, "ORDER_BUYER_REFUND_IN_SALES", "waitbuyerreceive"),
        (67, "ORDER_COMFIRM_RECEIVEGOODS", "confirm_goods"),
        (67, "ORDER_SUCCESS", "success"),
        (68, "ORDER_REFUND_AFTER_SALES", "success"),
    ]
    refund = opened((await listed(caller))[4])
    assert (refund["orderId"], refund["refundAction"], refund["operator"]) == (
        int(order_id),
        "BUYER_APPLY_REFUND",
        "buyer",
    )


async def test_closed_1688_orders_say_who_closed(
    caller: Caller, buyer: Buyer, alibaba: dict[str, Any]
) -> None:
    """The buyer's cancel has one type, the clock's closing another."""
    cancelled = await buyer.create_1688(alibaba)
    forgotten = await buyer.create_1688(alibaba, reference="R-2")
    await caller.advance(seconds=10)
    await caller.post(
        "/alibaba/order/cancel",
        {"webSite": "1688", "orderId": cancelled, "cancelReason": "x"},
    )
    await caller.advance(days=1)
    closing = {
        message["order_id"]: message["body"]["messageType"]
        for message in await listed(caller)
    }
    assert closing == {
        cancelled: "ORDER_BUYER_VIEW_ORDER_BUYER_CLOSE",
        forgotten: "ORDER_BUYER_VIEW_ORDER_BOPS_CLOSE",
    }


async def test_messages_come_by_pages(
    caller: Caller, buyer: Buyer, alibaba: dict[str, Any]
) -> None:
    """limit and offset cut the list, total counts all of it."""
    for number in range(3):
        await buyer.create_1688(alibaba, reference=f"R-{number}")
    page = await caller.control("GET", "messages", limit="1", offset="2")
    assert (page["total"], len(page["messages"])) == (3, 1)


async def test_a_big_sellers_order_tells_its_life(caller: Caller, buyer: Buyer) -> None:
    """By the URLs of 1688, with amounts of the moment; the warehouse reports its parcel
    without an envelope.
    """
    row = (await caller.rows("big_major", limit=1))[0]
    body = {**buyer.cargo(row), "flow": "fenxiaonew"}
    await caller.post("/alibaba/ka/order/create/preview", body)
    order = (
        await caller.post("/alibaba/ka/order/create", {**body, "message": "R-1"})
    ).data["orderList"][0]
    await raise_prices(caller, "/alibaba/ka/order/detail")
    dearer = (
        await caller.post("/alibaba/ka/order/detail", {"orderId": order["orderId"]})
    ).data
    await caller.post("/alibaba/ka/order/pay", {"orderId": order["orderId"]})
    await caller.advance(days=5)
    messages = await listed(caller)
    notices = [
        (message["nav"], message["body"].get("messageType")) for message in messages
    ]
    assert notices == [
        (67, "ORDER_CREATE"),
        (66, "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"),
        (67, "ORDER_PAY_SUCCESS"),
        (67, "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS"),
        (90, None),
    ]
    built, changed, paid = (opened(message) for message in messages[:3])
    assert (built["totalAmount"], built["orderStatus"], built["payStatus"]) == (
        order["totalAmount"],
        "WAITING_FOR_PAYMENT",
        1,
    )
    assert (changed["totalAmount"], changed["orderNo"]) == (
        dearer["totalAmount"],
        order["orderNo"],
    )
    assert (paid["payStatus"], paid["payTime"] is None) == (2, False)
    inbound = messages[4]["body"]
    assert (inbound["out_order_id"], inbound["alibaba_order_id"]) == (
        "R-1",
        order["orderId"],
    )
    assert inbound["quality_inspection_info"]["status"] == "质检通过"
    assert {message["marketplace"] for message in messages} == {"big_major"}
