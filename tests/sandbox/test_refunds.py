"""Taobao after-sale: what may be asked when, a refund's life by the clock, and the
money.
"""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.lifecycle import domestic_parcel
from sandbox.times import HOUR
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Answer, Caller

REFUND = "/open/order/refund"
SUBMIT = f"{REFUND}/submit"
MODIFY = f"{REFUND}/modify"
BEFORE_SHIPPING = {"refundType": 1, "goodsStatus": 1, "reasonId": 101}
NOT_ARRIVED = {"refundType": 1, "goodsStatus": 3, "reasonId": 201}
WITHOUT_RETURN = {"refundType": 1, "goodsStatus": 4, "reasonId": 202}
RETURN = {"refundType": 2, "goodsStatus": 4, "reasonId": 301}


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    """复古 真丝 卫衣 送礼 T10003: 24.06 yuan, postage 5 yuan."""
    return (await caller.rows("taobao", limit=1, offset=2))[0]


@pytest.fixture
async def order_id(buyer: Buyer, row: dict[str, Any]) -> str:
    """A paid order of that row: 29.06 yuan."""
    order_id = await buyer.create_taobao(row)
    await buyer.pay_taobao(order_id)
    return order_id


async def order(caller: Caller, order_id: str) -> Any:
    return (await caller.get("/open/order/detail/get", purchaseOrderId=order_id)).data


async def sub_id(caller: Caller, order_id: str, place: int = 0) -> str:
    text: str = (await order(caller, order_id))["subPurchaseOrders"][place][
        "subPurchaseOrderId"
    ]
    return text


async def submit(
    caller: Caller, order_id: str, asked: dict[str, Any], fee: int, **more: Any
) -> Any:
    body = {
        "subOrderId": await sub_id(caller, order_id),
        **asked,
        "refundFee": fee,
        **more,
    }
    return (await caller.post(SUBMIT, body)).data


async def status(caller: Caller, refund_id: str) -> int:
    code: int = (await query(caller, refund_id))["refundOrder"]["refundStatus"]
    return code


async def query(caller: Caller, refund_id: str) -> Any:
    return (await caller.get("/v2/taobao/order/refund/query", refundId=refund_id)).data[
        "refundOrderAggregate"
    ]


async def cancel(caller: Caller, refund_id: str) -> bool:
    done: bool = (await caller.get(f"{REFUND}/cancel/{refund_id}")).data[
        "cancelSuccess"
    ]
    return done


def shipping_hours(order_id: str) -> float:
    """From payment until the seller ships."""
    return domestic_parcel(order_id, 0).shipped_at / HOUR


async def test_a_refund_before_shipping(caller: Caller, order_id: str) -> None:
    """Agreed after four hours, paid back after five; the order never ships and is
    closed.
    """
    accepted = await submit(caller, order_id, BEFORE_SHIPPING, 2906)
    assert (accepted["success"], accepted["refundId"]) == (True, "300000000000000001")
    sub = (await order(caller, order_id))["subPurchaseOrders"][0]
    assert (sub["refundId"], sub["refundStatus"], sub["status"]) == (
        "300000000000000001",
        10,
        10,
    )
    await caller.advance(hours=4)
    assert await status(caller, "300000000000000001") == 20
    await caller.advance(hours=1)
    closed = await order(caller, order_id)
    assert (closed["status"], closed["closeReason"]) == (4, "REFUNDED")
    assert closed["subPurchaseOrders"][0]["refundStatus"] == 100
    books = await caller.books()
    assert books["wallet"] == {"opening_fen": 100_000_000, "balance_fen": 100_000_000}
    assert (books["orders"][0]["paid_fen"], books["orders"][0]["refunded_fen"]) == (
        2906,
        2906,
    )
    refund = books["refunds"][0]
    assert (refund["amount_fen"], refund["status"], refund["refunded_fen"]) == (
        2906,
        100,
        2906,
    )
    assert (refund["marketplace"], refund["order_id"]) == ("taobao", order_id)
    assert refund["refunded_at"] > refund["created_at"]
    await caller.advance(days=5)
    assert (await order(caller, order_id))["subPurchaseOrders"][0][
        "logisticOrders"
    ] == []


async def test_a_shipped_order_cannot_be_called_back(
    caller: Caller, order_id: str
) -> None:
    """The seller ships before he answers: refused; asked anew by what is then allowed,
    it is agreed.
    """
    await caller.advance(hours=shipping_hours(order_id) - 1)
    refund_id = (await submit(caller, order_id, BEFORE_SHIPPING, 2906))["refundId"]
    await caller.advance(hours=4)
    refused = (await query(caller, refund_id))["refundOrder"]
    assert (refused["refundStatus"], refused["sellerRefuseReason"]) == (-10, "已发货")
    repeated = {"refundId": refund_id, "reasonId": 101, "refundFee": 2906}
    assert (await caller.post(MODIFY, repeated)).data["errorCode"] == "REASON_INVALID"
    assert (await caller.post(MODIFY, {**repeated, "reasonId": 201})).data[
        "errorCode"
    ] == "REFUND_FEE_INVALID"
    assert (
        await caller.post(MODIFY, {**repeated, "reasonId": 201, "refundFee": 2406})
    ).data["success"] is True
    await caller.advance(hours=5)
    assert await status(caller, refund_id) == 100
    assert (await order(caller, order_id))["status"] == 11


async def test_one_line_of_two_is_left_out(caller: Caller, buyer: Buyer) -> None:
    """The rest is shipped; the refunded line is closed and never has a parcel."""
    rows = await caller.rows("taobao", limit=400)
    seller = rows[2]["seller_id"]
    pair = [
        row
        for row in rows
        if row["seller_id"] == seller and row["item_id"] != rows[2]["item_id"]
    ][:1]
    order_id = await buyer.create_taobao(rows[2], *pair)
    await buyer.pay_taobao(order_id)
    fee = (await order(caller, order_id))["subPurchaseOrders"][1]["purchaseAmount"]
    body = {
        "subOrderId": await sub_id(caller, order_id, 1),
        **BEFORE_SHIPPING,
        "refundFee": fee,
    }
    assert (await caller.post(SUBMIT, body)).data["success"] is True
    await caller.advance(days=2)
    listing = await order(caller, order_id)
    assert (
        listing["status"],
        [sub["status"] for sub in listing["subPurchaseOrders"]],
    ) == (
        11,
        [11, 4],
    )
    assert [len(sub["logisticOrders"]) for sub in listing["subPurchaseOrders"]] == [
        1,
        0,
    ]
    assert (await caller.post(SUBMIT, body)).data["errorCode"] == "ORDER_STATUS_ERROR"


async def test_what_may_be_asked_follows_the_parcel(
    caller: Caller, order_id: str
) -> None:
    """Render offers reasons and limits of the present row, and refuses the others."""

    async def render(kind: int, goods: int) -> Answer:
        body = {
            "subOrderId": await sub_id(caller, order_id),
            "refundType": kind,
            "goodsStatus": goods,
        }
        return await caller.post("/v2/taobao/order/refund/render", body)

    template = (await render(1, 1)).data["refundOrderTemplate"]
    assert [reason["reasonId"] for reason in template["refundReasons"]] == [101, 102]
    assert (template["goodsStatusList"], template["refundOrder"]) == ([1], None)
    assert (
        template["maxRefundFee"]["refundFee"]
        == template["maxRefundFee"]["minRefundFee"]
        == 2906
    )
    assert (await render(2, 2)).body["msg"] == "GOODS_STATUS_ERROR"

    await caller.advance(hours=30)
    sent = (await render(1, 3)).data["refundOrderTemplate"]
    assert [reason["reasonId"] for reason in sent["refundReasons"]] == [201]
    assert (
        sent["maxRefundFee"]["refundFee"],
        sent["maxRefundFee"]["minRefundFee"],
    ) == (2406, 1)

    await caller.advance(days=3)
    assert [
        reason["reasonId"]
        for reason in (await render(1, 4)).data["refundOrderTemplate"]["refundReasons"]
    ] == [
        202,
        203,
    ]
    assert (await render(2, 4)).data["refundOrderTemplate"]["goodsStatusList"] == [4]
    assert (await render(1, 1)).body["msg"] == "GOODS_STATUS_ERROR"


async def test_submit_refuses_in_order(
    caller: Caller, buyer: Buyer, row: dict[str, Any], order_id: str
) -> None:
    """Status, open refund, goods, reason, fee; an unknown sub-order is 40402."""
    unpaid = await buyer.create_taobao(row, reference="R-2")
    assert (await submit(caller, unpaid, BEFORE_SHIPPING, 2906))[
        "errorCode"
    ] == "ORDER_STATUS_ERROR"
    assert (await submit(caller, order_id, {**BEFORE_SHIPPING, "refundType": 3}, 1))[
        "errorCode"
    ] == "GOODS_STATUS_ERROR"
    assert (await submit(caller, order_id, {**BEFORE_SHIPPING, "reasonId": 201}, 1))[
        "errorCode"
    ] == "REASON_INVALID"
    assert (await submit(caller, order_id, BEFORE_SHIPPING, 2905))[
        "errorCode"
    ] == "REFUND_FEE_INVALID"
    accepted = await submit(caller, order_id, BEFORE_SHIPPING, 2906)
    repeated = await submit(caller, order_id, RETURN, 1)
    assert (repeated["success"], repeated["errorCode"]) == (False, "REFUND_EXISTS")
    assert repeated["refundId"] == accepted["refundId"]
    unknown = await caller.post(
        SUBMIT, {"subOrderId": "1", **BEFORE_SHIPPING, "refundFee": 1}
    )
    assert unknown.refusal == (200, 40402)
    wordy = {
        "subOrderId": "1",
        **BEFORE_SHIPPING,
        "refundFee": 1,
        "refundDesc": "x" * 201,
    }
    assert (await caller.post(SUBMIT, wordy)).refusal == (400, 40001)


async def test_earlier_refunds_lower_the_maximum(caller: Caller, order_id: str) -> None:
    """What was given back cannot be asked for again; with nothing left any fee is
    wrong.
    """
    await caller.advance(days=5)
    first = await submit(caller, order_id, WITHOUT_RETURN, 2000)
    await caller.advance(hours=5)
    assert await status(caller, first["refundId"]) == 100
    assert (await submit(caller, order_id, WITHOUT_RETURN, 407))[
        "errorCode"
    ] == "REFUND_FEE_INVALID"
    second = await submit(caller, order_id, WITHOUT_RETURN, 406)
    await caller.advance(hours=5)
    assert await status(caller, second["refundId"]) == 100
    assert (await submit(caller, order_id, WITHOUT_RETURN, 1))[
        "errorCode"
    ] == "REFUND_FEE_INVALID"
    books = await caller.books()
    assert (books["orders"][0]["refunded_fen"], books["wallet"]["balance_fen"]) == (
        2406,
        99_999_500,
    )
    assert books["orders"][0]["status"] == 11


async def test_a_return_from_request_to_money(caller: Caller, order_id: str) -> None:
    """Agreed, sent back, received three days later; only then the wallet has the
    money.
    """
    await caller.advance(days=5)
    calls = await submit(
        caller, order_id, RETURN, 2406, refundImages="https://a/1.jpg,https://a/2.jpg"
    )
    refund_id = calls["refundId"]
    assert (await query(caller, refund_id))["refundOrder"][
        "timeoutType"
    ] == "SELLER_ANSWER"
    early = await caller.get(f"{REFUND}/return/logistics/render", refundId=refund_id)
    assert early.body["msg"] == "REFUND_STATUS_ERROR"
    await caller.advance(hours=4)
    waiting = await query(caller, refund_id)
    assert (
        waiting["refundOrder"]["refundStatus"],
        waiting["refundOrder"]["timeoutType"],
    ) == (20, "BUYER_RETURN")
    assert waiting["logistics"]["mailNo"] is None
    location = (
        await caller.get(f"{REFUND}/return/logistics/render", refundId=refund_id)
    ).data
    assert [
        company["logisticsCompanyCode"] for company in location["logisticsCompanyList"]
    ] == [
        "SF",
        "ZTO",
        "YTO",
        "YUNDA",
    ]
    parcel = {
        "refundId": refund_id,
        "logisticsCompanyCode": "SF",
        "mailNo": "SF1",
        "buyerPhone": "138",
    }
    unknown = await caller.post(
        f"{REFUND}/return/logistics/submit", {**parcel, "logisticsCompanyCode": "DHL"}
    )
    assert unknown.body["msg"] == "LOGISTICS_COMPANY_UNKNOWN"
    assert (await caller.post(f"{REFUND}/return/logistics/submit", parcel)).data is True
    assert (await caller.post(f"{REFUND}/return/logistics/submit", parcel)).body[
        "msg"
    ] == "REFUND_STATUS_ERROR"
    sent = await query(caller, refund_id)
    assert (sent["refundOrder"]["refundStatus"], sent["logistics"]["mailNo"]) == (
        30,
        "SF1",
    )
    assert sent["logistics"]["logisticsCompany"] == {
        "logisticsCompanyCode": "SF",
        "logisticsCompanyName": "顺丰",
    }
    await caller.advance(hours=71.9)
    assert await status(caller, refund_id) == 30
    await caller.advance(hours=0.1)
    assert await status(caller, refund_id) == 100
    assert (await caller.books())["wallet"]["balance_fen"] == 100_000_000 - 500


async def test_returned_goods_cannot_be_booked(
    caller: Caller, buyer: Buyer, row: dict[str, Any], order_id: str
) -> None:
    """An order whose every line went back has nothing to travel."""
    await caller.advance(days=5)
    refund_id = (await submit(caller, order_id, RETURN, 1000))["refundId"]
    await caller.advance(hours=4)
    parcel = {"refundId": refund_id, "logisticsCompanyCode": "ZTO", "mailNo": "Z1"}
    await caller.post(f"{REFUND}/return/logistics/submit", parcel)
    await caller.advance(days=3)
    render = await buyer.render_freight(row)
    booked = await caller.post(
        "/open/pp/logistics/orderBookingFreight",
        buyer.booking(render["renderId"], order_id, row),
    )
    assert booked.refusal == (200, 40402)


async def test_a_return_that_never_comes(caller: Caller, order_id: str) -> None:
    """Seven days after the seller's yes the refund is closed, and another may be asked
    for.
    """
    await caller.advance(days=5)
    refund_id = (await submit(caller, order_id, RETURN, 2406))["refundId"]
    await caller.advance(hours=4, days=7)
    assert await status(caller, refund_id) == -20
    assert (await submit(caller, order_id, WITHOUT_RETURN, 1))["success"] is True
    assert (await caller.books())["orders"][0]["refunded_fen"] == 0


async def test_a_refused_refund(caller: Caller, order_id: str) -> None:
    """The seller says no; modified it is asked anew, left alone it closes after seven
    days.
    """
    refund_id = (
        await submit(caller, order_id, BEFORE_SHIPPING, 2906, refundDesc="请拒绝我")
    )["refundId"]
    await caller.advance(hours=4)
    refused = (await query(caller, refund_id))["refundOrder"]
    assert (refused["refundStatus"], refused["sellerRefuseReason"]) == (-10, "卖家拒绝")
    assert (refused["timeoutType"], refused["remainingTime"] > 0) == (
        "BUYER_MODIFY",
        True,
    )
    assert (await submit(caller, order_id, BEFORE_SHIPPING, 2906))[
        "errorCode"
    ] == "REFUND_EXISTS"
    await caller.advance(days=7)
    assert await status(caller, refund_id) == -20
    modify = await caller.post(
        MODIFY, {"refundId": refund_id, "reasonId": 202, "refundFee": 1}
    )
    assert modify.data["errorCode"] == "REFUND_STATUS_ERROR"


async def test_modifying_starts_the_clock_anew(caller: Caller, order_id: str) -> None:
    """Four hours count from the last asking."""
    refund_id = (
        await submit(caller, order_id, BEFORE_SHIPPING, 2906, refundDesc="拒绝")
    )["refundId"]
    await caller.advance(hours=3)
    body = {"refundId": refund_id, "reasonId": 102, "refundFee": 2906}
    assert (await caller.post(MODIFY, body)).data["success"] is True
    await caller.advance(hours=1)
    assert await status(caller, refund_id) == 10


async def test_cancelling_a_refund(caller: Caller, order_id: str) -> None:
    """A GET with an effect: once, and not when the money is on its way."""
    first = (await submit(caller, order_id, BEFORE_SHIPPING, 2906))["refundId"]
    assert await cancel(caller, first) is True
    assert await cancel(caller, first) is False
    second = (await submit(caller, order_id, BEFORE_SHIPPING, 2906))["refundId"]
    await caller.advance(hours=4)
    assert await cancel(caller, second) is False
    assert (await caller.get(f"{REFUND}/cancel/1")).refusal == (200, 40406)
    listing = (await order(caller, order_id))["subPurchaseOrders"][0]
    assert (listing["refundId"], listing["refundStatus"]) == (second, 20)


async def test_a_late_cancel_lands(caller: Caller, order_id: str) -> None:
    """A path with the id in it can be named by a fault and land late."""
    refund_id = (await submit(caller, order_id, BEFORE_SHIPPING, 2906))["refundId"]
    rule = {
        "path": f"{REFUND}/cancel/*",
        "kind": "late_effect",
        "delay_s": 60,
        "times": 1,
    }
    await caller.control("PUT", "faults", {"rules": [rule]})
    assert (await caller.get(f"{REFUND}/cancel/{refund_id}")).refusal == (500, 500)
    assert await status(caller, refund_id) == 10
    await caller.advance(seconds=60)
    assert await status(caller, refund_id) == -20


async def test_the_list_filters(
    caller: Caller, buyer: Buyer, row: dict[str, Any], order_id: str
) -> None:
    """By refund, order, our reference, status and time; newest first."""
    create_taobao = await buyer.create_taobao(row, reference="R-2")
    await buyer.pay_taobao(create_taobao)
    first = (await submit(caller, order_id, BEFORE_SHIPPING, 2906))["refundId"]
    second = (await submit(caller, create_taobao, BEFORE_SHIPPING, 2906))["refundId"]
    await cancel(caller, second)

    async def listed(**filters: Any) -> list[str]:
        body = {"pageNo": 1, "pageSize": 50, **filters}
        page = (await caller.post(f"{REFUND}/queryList", body)).data
        return [entry["refundOrder"]["refundId"] for entry in page["data"]]

    assert await listed() == [second, first]
    assert (
        await listed(refundId=first)
        == await listed(purchaseOrderId=order_id)
        == [first]
    )
    assert (
        await listed(salesOrderId="R-2") == await listed(refundStatus=-20) == [second]
    )
    assert (
        await listed(refundEndTime=1)
        == await listed(refundStartTime=9_000_000_000_000)
        == []
    )


async def test_messages_of_a_refund(caller: Caller, order_id: str) -> None:
    """Persons and states, oldest first; the seller answers each message an hour
    later.
    """
    refund_id = (await submit(caller, order_id, BEFORE_SHIPPING, 2906))["refundId"]
    message = {
        "refundId": refund_id,
        "refundMessage": "please hurry",
        "refundImages": "https://a/1.jpg",
    }
    assert (await caller.post(f"{REFUND}/submit/message", message)).data is True
    assert len(await said(caller, refund_id)) == 2
    await caller.advance(hours=5)
    entries = await said(caller, refund_id)
    assert [(entry["role"], entry["refundStatus"]) for entry in entries] == [
        ("system", 10),
        ("buyer", None),
        ("seller", None),
        ("system", 20),
        ("system", 100),
    ]
    assert (entries[1]["content"], entries[1]["images"]) == (
        "please hurry",
        ["https://a/1.jpg"],
    )
    assert entries[2]["content"] == "已收到您的留言"
    assert len({entry["messageId"] for entry in entries}) == 5
    answer = await caller.post(f"{REFUND}/submit/message", message)
    assert answer.body["msg"] == "REFUND_STATUS_ERROR"


async def said(caller: Caller, refund_id: str) -> list[Any]:
    body = {"refundId": refund_id, "pageNo": 1, "pageSize": 50}
    page = (await caller.post(f"{REFUND}/message/list", body)).data
    entries: list[Any] = page["data"]
    return entries
