"""1688: several merchants in one call, bulk payment, cancelling, confirming the
receipt.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.buyer import ALIBABA_ADDRESS, Buyer
from tests.sandbox.client import Caller

PREVIEW_BATCH = "/alibaba/order/create/previewbatch"
CREATE_BATCH = "/alibaba/order/batch/create"
CANCEL = "/alibaba/order/cancel"
RECEIVE = "/alibaba/order/receivegoods"
PAY_BATCH = "/alibaba/order/batch/submit/to/pay"


@pytest.fixture
async def rows(caller: Caller) -> list[dict[str, Any]]:
    """One row each of the first three sellers."""
    by_seller: dict[str, dict[str, Any]] = {}
    for row in await caller.rows("1688", limit=300):
        by_seller.setdefault(row["seller_id"], row)
    return list(by_seller.values())[:3]


def batch(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    cargo = [
        {
            "offerId": int(row["item_id"]),
            "specId": row["spec_id"],
            "quantity": row["min_quantity"],
            "sellerOpenId": row["seller_id"],
        }
        for row in rows
    ]
    return {"addressParam": ALIBABA_ADDRESS, "cargoParamList": cargo, **more}


async def detail(caller: Caller, order_id: str) -> Any:
    return (
        await caller.post(
            "/alibaba/order/detail", {"webSite": "1688", "orderId": order_id}
        )
    ).data


async def test_preview_of_several_merchants(
    caller: Caller, buyer: Buyer, rows: list[dict[str, Any]]
) -> None:
    """One preview a merchant, the same as it would get alone."""
    previews = (await caller.post(PREVIEW_BATCH, batch(*rows))).data
    assert [preview.pop("sellerOpenId") for preview in previews] == [
        row["seller_id"] for row in rows
    ]
    alone = [
        (await caller.post("/alibaba/order/create/preview", buyer.cargo(row))).data
        for row in rows
    ]
    assert previews == alone


async def test_a_line_of_another_seller_spoils_its_entry(
    caller: Caller, rows: list[dict[str, Any]]
) -> None:
    """The other merchants are previewed all the same; an unknown offer refuses the
    whole call.
    """
    body = batch(*rows)
    body["cargoParamList"][1]["sellerOpenId"] = rows[0]["seller_id"]
    previews = (await caller.post(PREVIEW_BATCH, body)).data
    assert [(preview["success"], preview["errorCode"]) for preview in previews] == [
        (False, "500_002"),
        (True, None),
    ]
    body["cargoParamList"][1]["offerId"] = 1
    assert (await caller.post(PREVIEW_BATCH, body)).refusal == (200, 40401)


async def test_each_merchant_has_its_own_outcome(
    caller: Caller, rows: list[dict[str, Any]]
) -> None:
    """A refused merchant leaves the others ordered, all with the same message."""
    body = batch(*rows, flow="general", message="R-1 R-2 R-3")
    body["cargoParamList"][1]["quantity"] = 10_000_000
    outcomes = (await caller.post(CREATE_BATCH, body)).data
    assert [(outcome["success"], outcome["code"]) for outcome in outcomes] == [
        (True, None),
        (False, "500_004"),
        (True, None),
    ]
    assert outcomes[1]["failedOfferList"][0]["offerId"] == int(rows[1]["item_id"])
    orders = (await caller.books())["orders"]
    assert [order["reference"] for order in orders] == ["R-1 R-2 R-3"] * 2
    assert [order["order_id"] for order in orders] == [
        outcomes[0]["orderId"],
        outcomes[2]["orderId"],
    ]


async def test_a_batch_has_bounds(caller: Caller, rows: list[dict[str, Any]]) -> None:
    """Ten merchants, five hundred characters, a complete address."""
    lines = [
        {
            "offerId": int(rows[0]["item_id"]),
            "specId": "x",
            "quantity": 1,
            "sellerOpenId": f"B{n}",
        }
        for n in range(11)
    ]
    assert (
        await caller.post(PREVIEW_BATCH, {**batch(), "cargoParamList": lines})
    ).refusal == (400, 40001)
    wordy = batch(rows[0], flow="general", message="x" * 501)
    assert (await caller.post(CREATE_BATCH, wordy)).refusal == (400, 40001)
    no_such = {**batch(rows[0], flow="general", message=""), "addressParam": {}}
    assert (await caller.post(CREATE_BATCH, no_such)).body["msg"] == "AddressId invalid"


async def test_bulk_payment(
    caller: Caller, buyer: Buyer, rows: list[dict[str, Any]]
) -> None:
    """In the given order while the money lasts; each order has its own outcome."""
    first, second, third = [
        await buyer.create_1688(row, reference=f"R-{n}") for n, row in enumerate(rows)
    ]
    amounts = [order["amount_fen"] for order in (await caller.books())["orders"]]
    await caller.control("PUT", "wallet", {"balance_fen": amounts[0] + amounts[2]})
    order_ids = [first, first, "1", third, second]
    outcome = (await caller.post(PAY_BATCH, {"orderIds": order_ids})).data
    assert outcome["successOrderIds"] == [first, third]
    assert [
        (failed["orderId"], failed["errorCode"])
        for failed in outcome["failedOrderList"]
    ] == [
        (first, "ORDER_STATUS_ERROR"),
        ("1", "ORDER_NOT_EXIST"),
        (second, "BALANCE_NOT_ENOUGH"),
    ]
    assert (await caller.post(PAY_BATCH, {"orderIds": ["1"] * 31})).refusal == (
        400,
        40001,
    )


async def test_cancel_before_payment(
    caller: Caller, buyer: Buyer, rows: list[dict[str, Any]]
) -> None:
    """Not in the first ten seconds, not when paid; the status is looked at first."""
    order_id = await buyer.create_1688(rows[0])
    paid = await buyer.create_1688(rows[1])
    await buyer.pay_1688(paid)
    body = {
        "webSite": "1688",
        "orderId": int(order_id),
        "cancelReason": "changed my mind",
    }
    assert (await caller.post(CANCEL, body)).body["msg"] == "CLOSE_ORDER_TOO_FAST"
    assert (await caller.post(CANCEL, {**body, "orderId": paid})).body[
        "msg"
    ] == "ORDER_STATUS_ERROR"
    await caller.advance(seconds=10)
    assert (await caller.post(CANCEL, body)).data is True
    info = (await detail(caller, order_id))["baseInfo"]
    assert (info["status"], info["closeReason"]) == ("cancel", "BUYER_CANCEL")
    assert (await caller.post(CANCEL, body)).refusal == (200, 400)
    assert (await caller.post(CANCEL, {**body, "orderId": 1})).refusal == (200, 40402)
    assert (await caller.post(CANCEL, {**body, "cancelReason": "x" * 101})).refusal == (
        400,
        40001,
    )


async def test_confirming_the_receipt(
    caller: Caller, buyer: Buyer, rows: list[dict[str, Any]]
) -> None:
    """Only what is on its way; an hour later the order has succeeded. Nobody confirms
    by himself.
    """
    order_id = await buyer.create_1688(rows[0])
    await buyer.pay_1688(order_id)
    early = (await caller.post(RECEIVE, {"orderId": order_id})).data
    assert (early["success"], early["errorCode"]) == (False, "ORDER_STATUS_ERROR")
    await caller.advance(days=60)
    order = await detail(caller, order_id)
    assert order["baseInfo"]["status"] == "waitbuyerreceive"
    assert (
        await caller.post(RECEIVE, {"orderId": order_id, "orderEntryIds": [1]})
    ).refusal == (400, 40001)
    entries = [int(item["subItemIDString"]) for item in order["productItems"]]
    confirmed = (
        await caller.post(RECEIVE, {"orderId": int(order_id), "orderEntryIds": entries})
    ).data
    assert confirmed == {"success": True, "errorCode": None, "errorInfo": None}
    confirmed_order = await detail(caller, order_id)
    assert (
        confirmed_order["baseInfo"]["status"]
        == confirmed_order["productItems"][0]["status"]
        == "confirm_goods"
    )
    await caller.advance(hours=1)
    assert (await detail(caller, order_id))["baseInfo"]["status"] == "success"
    assert (await caller.post(RECEIVE, {"orderId": 1})).data["errorCode"] == "4003"
