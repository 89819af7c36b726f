"""Taobao: the second render, the older create, cancelling, paying past the wallet, and
the older order family.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.sandbox.buyer import RECEIVER, Buyer
from tests.sandbox.client import Caller

CREATE = "/open/purchase/create"
CANCEL = "/open/purchase/cancel"
VOUCHER = "/open/order/voucher/upload"
DETAIL = "/open/order/detail/get"


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    """复古 真丝 卫衣 送礼 T10003: 24.06 yuan, postage 5 yuan."""
    return (await caller.rows("taobao", limit=1, offset=2))[0]


@pytest.fixture
async def rows_of_two_sellers(
    caller: Caller, row: dict[str, Any]
) -> list[dict[str, Any]]:
    rows = await caller.rows("taobao", limit=200)
    return [
        row,
        next(second for second in rows if second["seller_id"] != row["seller_id"]),
    ]


async def order(caller: Caller, order_id: str) -> Any:
    return (await caller.get(DETAIL, purchaseOrderId=order_id)).data


async def partial_body(
    buyer: Buyer, *rows: dict[str, Any], **change: Any
) -> dict[str, Any]:
    body = await buyer.taobao_create_body(*rows)
    return {**body, "supportPartialSuccess": True, **change}


async def test_render_v2_answers_as_render(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A warehouse by id and a real list of lines give render's amounts."""
    body = {"receiver": RECEIVER, "renderItemList": [await buyer.taobao_line(row, 2)]}
    rendered = (
        await caller.post("/open/purchase/render/v2", {**body, "warehouseId": "2"})
    ).data
    assert [
        (entry["productAmount"], entry["domesticPostFee"])
        for entry in rendered["orders"]
    ] == [(4812, 500)]
    unknown = await caller.post(
        "/open/purchase/render/v2", {**body, "warehouseId": "9"}
    )
    assert unknown.refusal == (200, 40407)
    text = await caller.post(
        "/open/purchase/render/v2",
        {**body, "renderItemList": orjson.dumps([{}]).decode()},
    )
    assert text.refusal == (400, 40001)


async def test_create_v1_takes_several_sellers(
    caller: Caller, buyer: Buyer, rows_of_two_sellers: list[dict[str, Any]]
) -> None:
    """One order a seller, all with the same reference; a repeat answers the same
    orders.
    """
    body = await buyer.taobao_create_body(*rows_of_two_sellers)
    created = (await caller.post(CREATE, body)).data
    assert (
        created["success"],
        len(created["orderList"]),
        created["failedLineList"],
    ) == (True, 2, [])
    assert [entry["reference"] for entry in (await caller.books())["orders"]] == [
        "R-1",
        "R-1",
    ]
    assert (await caller.post(CREATE, body)).data == created
    v2 = (
        await caller.post(
            "/open/purchase/create/v2", {**body, "supportPartialSuccess": False}
        )
    ).data
    assert v2["orderList"] == created["orderList"]
    assert len((await caller.books())["orders"]) == 2


async def test_create_v1_leaves_out_what_cannot_be_bought(
    caller: Caller, buyer: Buyer, rows_of_two_sellers: list[dict[str, Any]]
) -> None:
    """With partial success the other lines are ordered; a repeat of the key answers the
    first outcome.
    """
    body = await partial_body(buyer, *rows_of_two_sellers)
    lines = orjson.loads(body["orderLineList"])
    lines[1]["quantity"] = 1_000_000
    body["orderLineList"] = orjson.dumps(lines).decode()
    created = (await caller.post(CREATE, body)).data
    failed = [
        {
            "orderLineNo": "2",
            "errorCode": "OUT_OF_STOCK",
            "errorMessage": "not enough stock",
        }
    ]
    assert (created["success"], created["failedLineList"]) == (True, failed)
    assert [len(entry["orderLineList"]) for entry in created["orderList"]] == [1]
    assert (await caller.post(CREATE, body)).data == created
    refused = (
        await caller.post(
            CREATE, {**body, "supportPartialSuccess": False, "outerPurchaseId": "R-2"}
        )
    ).data
    assert (refused["success"], refused["errorCode"], refused["failedLineList"]) == (
        False,
        "OUT_OF_STOCK",
        [],
    )


async def test_create_v1_refusals_leave_the_key_unused(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Nothing left, too dear, or other lines under a used key: refused; only the last
    key is used up.
    """
    body = await partial_body(buyer, row)
    too_many = await buyer.taobao_create_body(row, quantity=1_000_000)
    nothing = (
        await caller.post(CREATE, {**body, "orderLineList": too_many["orderLineList"]})
    ).data
    assert (nothing["errorCode"], len(nothing["failedLineList"])) == ("OUT_OF_STOCK", 1)
    assert (await caller.post(CREATE, {**body, "purchaseAmount": 2905})).data[
        "errorCode"
    ] == "PRICE_CHANGED"
    assert (await caller.post(CREATE, {**body, "purchaseAmount": 2906})).data[
        "success"
    ] is True
    taobao_create_body = await buyer.taobao_create_body(row, quantity=2)
    assert (await caller.post(CREATE, taobao_create_body)).data[
        "errorCode"
    ] == "DUPLICATE_OUTER_ID"


async def test_purchase_cancel_is_asynchronous(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Accepted at once, closed five seconds later; the stock comes back."""
    order_id = await buyer.create_taobao(row)
    body = {"purchaseId": order_id, "cancelReason": "changed my mind"}
    for _ in range(2):
        accepted = (await caller.post(CANCEL, body)).data
        assert accepted == {
            "success": True,
            "purchaseId": order_id,
            "errorCode": None,
            "errorMessage": None,
        }
    assert (await order(caller, order_id))["status"] == 12
    await caller.advance(seconds=5)
    closed = await order(caller, order_id)
    assert (closed["status"], closed["closeReason"]) == (4, "BUYER_CANCEL")
    assert (await caller.rows("taobao", limit=1, offset=2))[0]["stock"] == row["stock"]
    assert (await caller.post(CANCEL, body)).data["errorCode"] == "ORDER_STATUS_ERROR"


async def test_a_payment_makes_a_pending_cancel_lapse(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Paid within the five seconds, the order stays paid."""
    order_id = await buyer.create_taobao(row)
    await caller.post(CANCEL, {"purchaseId": order_id, "cancelReason": "x"})
    await buyer.pay_taobao(order_id)
    await caller.advance(hours=1)
    assert (await order(caller, order_id))["status"] == 10
    refused = (
        await caller.post(CANCEL, {"purchaseId": order_id, "cancelReason": "x"})
    ).data
    assert (refused["success"], refused["errorCode"]) == (False, "ORDER_STATUS_ERROR")
    assert (
        await caller.post(CANCEL, {"purchaseId": "1", "cancelReason": "x"})
    ).refusal == (200, 40402)
    assert (
        await caller.post(CANCEL, {"purchaseId": order_id, "cancelReason": "x" * 201})
    ).refusal == (400, 40001)


async def test_cancel_of_the_older_family_closes_at_once(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Unpaid orders only."""
    order_id = await buyer.create_taobao(row)
    assert (await caller.post("/open/order/cancel", {"orderId": order_id})).data is True
    assert (await order(caller, order_id))["closeReason"] == "BUYER_CANCEL"
    answer = await caller.post("/open/order/cancel", {"orderId": order_id})
    assert (answer.refusal, answer.body["msg"]) == ((200, 400), "ORDER_STATUS_ERROR")


async def test_pay_of_the_older_family(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Debits once; a second time and an empty wallet are refused in the answer."""
    order_id = await buyer.create_taobao(row)
    dear = await buyer.create_taobao(row, reference="R-2")
    paid = (await caller.post("/open/order/pay", {"orderId": order_id})).data
    assert paid == {
        "orderId": order_id,
        "paySuccess": True,
        "errorCode": None,
        "errorMessage": None,
    }
    assert (await caller.post("/open/order/pay", {"orderId": order_id})).data[
        "errorCode"
    ] == "ORDER_STATUS_ERROR"
    await caller.control("PUT", "wallet", {"balance_fen": 2905})
    short = (await caller.post("/open/order/pay", {"orderId": dear})).data
    assert (short["paySuccess"], short["errorCode"]) == (False, "BALANCE_NOT_ENOUGH")


async def test_the_list_of_the_older_family(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Query texts filter as page list does, newest first."""
    first = await buyer.create_taobao(row)
    second = await buyer.create_taobao(row, reference="R-2")
    listed = (await caller.get("/open/order/page", pageNo="1", pageSize="10")).data
    assert [entry["purchaseId"] for entry in listed["data"]] == [second, first]
    by_reference = (
        await caller.get(
            "/open/order/page", pageNo="1", pageSize="10", outerPurchaseId="R-1"
        )
    ).data
    assert [entry["purchaseId"] for entry in by_reference["data"]] == [first]
    by_id = (
        await caller.get(
            "/open/order/page", pageNo="1", pageSize="10", purchaseOrderId=second
        )
    ).data
    assert [entry["purchaseId"] for entry in by_id["data"]] == [second]
    assert (
        await caller.get("/open/order/page", pageNo="1", pageSize="10", status="4")
    ).data["data"] == []
    assert (
        await caller.get("/open/order/page", pageNo="one", pageSize="10")
    ).refusal == (400, 40001)


async def test_an_offline_payment(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Checked, accepted, paid by finance; the wallet is not touched, and nothing closes
    meanwhile.
    """
    order_id = await buyer.create_taobao(row)
    await caller.advance(hours=20)
    body = {
        "orderId": order_id,
        "voucherUrls": ["https://example.com/slip.jpg"],
        "amount": 2906,
    }
    assert (await caller.post(VOUCHER, body)).data is True
    observed = []
    for hours in (0, 2, 3, 3.99, 0.01):
        await caller.advance(hours=hours)
        observed.append((await order(caller, order_id))["status"])
        if hours == 0:
            assert (await buyer.pay_taobao(order_id))["payFailedResults"][0][
                "errorCode"
            ] == "ORDER_STATUS_ERROR"
            assert (await caller.post(VOUCHER, body)).body[
                "msg"
            ] == "ORDER_STATUS_ERROR"
            assert (
                await caller.post("/open/order/cancel", {"orderId": order_id})
            ).refusal == (200, 400)
    assert observed == [1, 2, 5, 5, 10]
    books = await caller.books()
    assert (books["payments"][0]["source"], books["payments"][0]["amount_fen"]) == (
        "offline",
        2906,
    )
    assert (books["orders"][0]["paid_times"], books["wallet"]["balance_fen"]) == (
        1,
        100_000_000,
    )


@pytest.mark.parametrize(
    ("change", "age", "status"),
    [({"amount": 2905}, 0, 3), ({"remark": "请拒绝"}, 0, 3), ({"amount": 1}, 23, 4)],
    ids=["other amount", "refusing word", "time is over"],
)
async def test_a_refused_voucher(
    caller: Caller,
    buyer: Buyer,
    row: dict[str, Any],
    change: dict[str, Any],
    age: int,
    status: int,
) -> None:
    """Finance says no after two hours: the order can be paid again, or closes if its
    day is over.
    """
    order_id = await buyer.create_taobao(row)
    await caller.advance(hours=age)
    body = {
        "orderId": order_id,
        "voucherUrls": ["https://example.com/slip.jpg"],
        "amount": 2906,
        **change,
    }
    await caller.post(VOUCHER, body)
    await caller.advance(hours=2)
    assert (await order(caller, order_id))["status"] == status
    paid = (await buyer.pay_taobao(order_id))["willPayPurchaseOrderIds"]
    assert paid == ([order_id] if status == 3 else [])


async def test_voucher_form(caller: Caller, buyer: Buyer, row: dict[str, Any]) -> None:
    """From one to five addresses."""
    order_id = await buyer.create_taobao(row)
    for urls in ([], ["x"] * 6, "x"):
        answer = await caller.post(
            VOUCHER, {"orderId": order_id, "voucherUrls": urls, "amount": 1}
        )
        assert answer.refusal == (400, 40001)


async def test_the_warehouse_can_be_named_until_shipping(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """The order shows it; once shipped it is too late."""
    order_id = await buyer.create_taobao(row)
    body = {
        "orderId": order_id,
        "warehouseName": "一号仓库",
        "warehouseAddress": "广西省",
    }
    assert (await caller.post("/open/order/updateWarehouse", body)).data is True
    listing = await order(caller, order_id)
    assert (listing["warehouseName"], listing["warehouseAddress"]) == (
        "一号仓库",
        "广西省",
    )
    await buyer.pay_taobao(order_id)
    await caller.advance(hours=30)
    answer = await caller.post("/open/order/updateWarehouse", body)
    assert (answer.refusal, answer.body["msg"]) == ((200, 400), "ORDER_STATUS_ERROR")


async def test_the_chat_link(caller: Caller, buyer: Buyer, row: dict[str, Any]) -> None:
    """For an item or an order; unknown ones have codes of their own."""
    order_id = await buyer.create_taobao(row)

    async def ask(kind: str, biz_id: str) -> Any:
        return await caller.post(
            "/open/order/page/link/get",
            {
                "pageParamMap": orjson.dumps(
                    {"sourceType": kind, "bizId": biz_id}
                ).decode()
            },
        )

    link = (await ask("order", order_id)).data
    assert link.startswith(
        "https://distributor.taobao.global/apps/open/imchat?loginToken="
    )
    assert (await ask("item", row["item_id"])).data != link
    assert (await ask("item", "1")).refusal == (200, 40401)
    assert (await ask("order", "1")).refusal == (200, 40402)
    assert (await ask("shop", "1")).refusal == (400, 40001)


async def test_a_price_change_spoils_a_voucher(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A price change while finance checks makes the voucher too small."""
    order_id = await buyer.create_taobao(row)
    await caller.post(
        VOUCHER, {"orderId": order_id, "voucherUrls": ["x"], "amount": 2906}
    )
    await caller.control(
        "PUT",
        "faults",
        {"rules": [{"path": DETAIL, "kind": "price_change", "times": 1}]},
    )
    await order(caller, order_id)
    await caller.advance(hours=2)
    assert (await order(caller, order_id))["status"] == 3
