"""What was still to come survives a restart: cancels, vouchers, refunds; so do carts,
addresses and receipts.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller, opened


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.db"


async def shown(caller: Caller) -> list[Any]:
    return [
        await caller.books(),
        await caller.control("GET", "messages"),
        (await caller.get("/open/cart/list")).data,
        (await caller.get("/v2/alibaba/cart/list")).data,
        (await caller.get("/open/address/get")).data,
        (
            await caller.post(
                "/open/order/refund/queryList", {"pageNo": 1, "pageSize": 50}
            )
        ).data["totalRecords"],
    ]


async def receipt(caller: Caller) -> str:
    picture = b64encode(b"\xff\xd8\xff").decode()
    stored = (
        await caller.post("/alibaba/refund/voucher/upload", {"imageData": picture})
    ).data
    url: str = stored["imageDomain"] + stored["imageRelativeUrl"]
    return url


async def fill(caller: Caller) -> list[str]:
    """One of everything that waits, in the order: cancelled, paid past the wallet,
    refunded.
    """
    buyer = Buyer(caller)
    row = (await caller.rows("taobao", limit=1, offset=2))[0]
    order_ids = [
        await buyer.create_taobao(row, reference=f"R-{number}") for number in range(3)
    ]
    cancelled, offline, refunded = order_ids
    await buyer.pay_taobao(refunded)
    await caller.post(
        "/open/purchase/cancel", {"purchaseId": cancelled, "cancelReason": "x"}
    )
    await caller.post(
        "/open/order/voucher/upload",
        {"orderId": offline, "voucherUrls": ["x"], "amount": 2906},
    )
    order = (await caller.get("/open/order/detail/get", purchaseOrderId=refunded)).data
    calls = {
        "subOrderId": order["subPurchaseOrders"][0]["subPurchaseOrderId"],
        "refundType": 1,
        "goodsStatus": 1,
    }
    await caller.post(
        "/open/order/refund/submit", {**calls, "reasonId": 101, "refundFee": 2906}
    )
    offer = (await caller.rows("1688", limit=1))[0]
    await caller.post(
        "/alibaba/cart/add",
        {"offerId": offer["item_id"], "specId": offer["spec_id"], "quantity": 9},
    )
    address = {
        "name": "仓",
        "province": "上海",
        "city": "上海",
        "district": "浦东",
        "address": "1",
        "phone": "1",
    }
    await caller.post("/open/address/addOrUpdate", address)
    return order_ids


async def test_what_waits_goes_on_after_a_restart(state: Path) -> None:
    """Another process shows the same, lets it all happen at its time, once, and knows
    the receipts.
    """
    async with opened(state) as caller:
        order_ids = await fill(caller)
        url = await receipt(caller)
        offer = (await caller.rows("1688", limit=1))[0]
        arrived = await Buyer(caller).create_1688(offer, reference="R-3")
        await Buyer(caller).pay_1688(arrived)
        await caller.advance(hours=0.01)  # past the moments in which an order is built
        before = await shown(caller)
    async with opened(state) as caller:
        assert await shown(caller) == before
        await caller.advance(hours=4.5)
    async with opened(state) as caller:
        await caller.advance(hours=4.5)
        books = await caller.books()
        status = {order["order_id"]: order["status"] for order in books["orders"]}
        assert [status[order_id] for order_id in order_ids] == [4, 10, 4]
        assert [payment["source"] for payment in books["payments"]] == [
            "wallet",
            "wallet",
            "offline",
        ]
        paid_1688 = books["orders"][3]["paid_fen"]
        assert (books["orders"][2]["refunded_fen"], books["wallet"]["balance_fen"]) == (
            2906,
            100_000_000 - paid_1688,
        )
        await caller.advance(days=5)
        assert await proven_refund(caller, arrived, url) == "TQ100000000001"


async def proven_refund(caller: Caller, order_id: str, url: str) -> Any:
    body = {
        "orderId": order_id,
        "disputeRequest": "refund",
        "applyPayment": 1,
        "applyCarriage": 0,
        "applyReasonId": 20003,
        "description": "broken",
        "goodsStatus": "refundBuyerReceived",
        "vouchers": [url],
    }
    return (await caller.post("/alibaba/refund/detail/create", body)).data["refundId"]


async def test_a_reset_forgets_all_of_it(state: Path) -> None:
    """Carts, addresses, refunds and what was to come are gone, also after a restart."""
    async with opened(state) as caller:
        fresh = await shown(caller)
        await fill(caller)
        await caller.control("POST", "reset")
        await caller.advance(days=1)
        assert await shown(caller) == fresh
    async with opened(state) as caller:
        assert await shown(caller) == fresh
