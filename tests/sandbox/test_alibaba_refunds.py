"""1688 after-sale: reasons, receipts, requests, return parcels, and the money."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from sandbox.lifecycle import domestic_parcel
from sandbox.times import HOUR
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Answer, Caller

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body")

REASONS, UPLOAD, CREATE = (
    f"/alibaba/refund/{name}"
    for name in ("reason/list", "voucher/upload", "detail/create")
)
RETURN = "/alibaba/refund/goods/return"
INFO = "/alibaba/refund/info"
JPEG = b64encode(b"\xff\xd8\xff a picture").decode()


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    """可折叠 磁力 公仔 儿童 A10001: 10 pieces at 1.28 yuan, postage 5 yuan."""
    return (await caller.rows("1688", limit=1))[0]


@pytest.fixture
async def order_id(buyer: Buyer, row: dict[str, Any]) -> str:
    """A paid order of that row: 12.80 yuan and 5 yuan of postage."""
    order_id = await buyer.create_1688(row)
    await buyer.pay_1688(order_id)
    return order_id


async def detail(caller: Caller, order_id: str) -> Any:
    return (
        await caller.post(
            "/alibaba/order/detail", {"webSite": "1688", "orderId": order_id}
        )
    ).data


async def request(caller: Caller, order_id: str, **change: Any) -> Answer:
    """A request for money back before shipping, unless changed."""
    body = {
        "orderId": order_id,
        "disputeRequest": "refund",
        "applyPayment": 1280,
        "applyCarriage": 500,
        "applyReasonId": 20001,
        "description": "not wanted",
        "goodsStatus": "refundWaitSellerSend",
        **change,
    }
    return await caller.post(CREATE, body)


async def info(caller: Caller, refund_id: str) -> Any:
    return (await caller.post(INFO, {"refundId": refund_id})).data


async def receipt(caller: Caller) -> str:
    stored = (await caller.post(UPLOAD, {"imageData": JPEG})).data
    url: str = stored["imageDomain"] + stored["imageRelativeUrl"]
    return url


def actions(refund: Any) -> list[tuple[str, str, str]]:
    return [
        (entry["action"], entry["operator"], entry["status"])
        for entry in refund["operations"]
    ]


async def test_a_refund_before_shipping(caller: Caller, order_id: str) -> None:
    """Agreed after four hours, goods and postage back at once; the order is
    terminated.
    """
    refund_id = (await request(caller, order_id)).data["refundId"]
    assert refund_id == "TQ100000000001"
    item = (await detail(caller, order_id))["productItems"][0]
    assert (item["refundId"], item["refundStatus"]) == (refund_id, "waitselleragree")
    await caller.advance(hours=4)
    refund = await info(caller, refund_id)
    assert (refund["status"], refund["refundPayment"], refund["id"]) == (
        "refundsuccess",
        1780,
        100000000001,
    )
    assert actions(refund) == [
        ("BUYER_APPLY_REFUND", "buyer", "waitselleragree"),
        ("SELLER_AGREE_REFUND", "seller", "refundsuccess"),
    ]
    base = (await detail(caller, order_id))["baseInfo"]
    assert (
        base["status"],
        base["closeReason"],
        base["refund"],
        base["refundStatus"],
    ) == (
        "terminated",
        "REFUNDED",
        17.8,
        "refundsuccess",
    )
    books = await caller.books()
    assert books["wallet"]["balance_fen"] == 100_000_000
    assert (books["refunds"][0]["amount_fen"], books["refunds"][0]["status"]) == (
        1780,
        "refundsuccess",
    )
    assert (await request(caller, order_id)).body["msg"] == "ORDER_STATUS_ERROR"


async def test_a_shipped_order_cannot_be_called_back(
    caller: Caller, order_id: str
) -> None:
    """The seller ships before he answers: closed with his reason; a new request may
    follow.
    """
    await caller.advance(hours=domestic_parcel(order_id, 0).shipped_at / HOUR - 1)
    refund_id = (await request(caller, order_id)).data["refundId"]
    await caller.advance(hours=4)
    refund = await info(caller, refund_id)
    assert (refund["status"], refund["rejectReason"]) == ("refundclose", "已发货")
    assert actions(refund)[1] == ("SELLER_REJECT_REFUND", "seller", "refundclose")
    sent = {
        "goodsStatus": "refundWaitBuyerReceive",
        "applyReasonId": 20002,
        "applyPayment": 1,
        "applyCarriage": 0,
    }
    assert (await request(caller, order_id, **sent)).data[
        "refundId"
    ] == "TQ100000000002"


async def test_reasons_follow_the_parcel(caller: Caller, order_id: str) -> None:
    """Each state of the goods has its own; the others are refused."""

    async def reasons(goods_status: str) -> Any:
        return await caller.post(
            REASONS, {"orderId": int(order_id), "goodsStatus": goods_status}
        )

    unsent = (await reasons("refundWaitSellerSend")).data["reasons"]
    assert unsent == [
        {
            "id": 20001,
            "name": "不想要了",
            "needVoucher": False,
            "noRefundCarriage": False,
            "tip": "",
        }
    ]
    assert (await reasons("refundBuyerReceived")).body["msg"] == "GOODS_STATUS_ERROR"
    await caller.advance(hours=30)
    assert [
        reason["id"]
        for reason in (await reasons("refundWaitBuyerReceive")).data["reasons"]
    ] == [20002]
    await caller.advance(days=3)
    received = (await reasons("refundBuyerReceived")).data["reasons"]
    assert [
        (reason["id"], reason["needVoucher"], reason["noRefundCarriage"])
        for reason in received
    ] == [
        (20003, True, False),
        (20004, True, True),
        (20005, False, True),
    ]
    await caller.post("/alibaba/order/receivegoods", {"orderId": order_id})
    assert (await reasons("refundBuyerReceived")).body["msg"] == "GOODS_STATUS_ERROR"
    assert [
        reason["id"]
        for reason in (await reasons("aftersaleBuyerNotReceived")).data["reasons"]
    ] == [20002]
    assert (await caller.post(REASONS, {"orderId": 1, "goodsStatus": "x"})).refusal == (
        200,
        40402,
    )


async def test_receipts(caller: Caller) -> None:
    """JPG below one megabyte; the same picture has the same name."""
    assert await receipt(caller) == await receipt(caller)
    png = await caller.post(UPLOAD, {"imageData": b64encode(b"\x89PNG").decode()})
    assert png.body["msg"].startswith("IMAGE_FORMAT_ERROR")
    large = b"\xff\xd8\xff" + b"x" * (1_048_576 - 3)
    assert (
        (await caller.post(UPLOAD, {"imageData": b64encode(large).decode()}))
        .body["msg"]
        .startswith("IMAGE_TOO_LARGE")
    )
    assert (
        "imageDomain"
        in (
            await caller.post(UPLOAD, {"imageData": b64encode(large[:-1]).decode()})
        ).data
    )
    assert (await caller.post(UPLOAD, {"imageData": "no base64!"})).refusal == (
        400,
        40001,
    )


async def test_requests_are_refused_in_order(
    caller: Caller, buyer: Buyer, row: dict[str, Any], order_id: str
) -> None:
    """From the order's status to the postage, each with its own code."""
    unpaid = await buyer.create_1688(row)
    assert (await request(caller, unpaid)).body["msg"] == "ORDER_STATUS_ERROR"
    await caller.advance(days=5)
    good = {
        "goodsStatus": "refundBuyerReceived",
        "disputeRequest": "returnRefund",
        "applyReasonId": 20003,
        "vouchers": [await receipt(caller)],
    }
    for change, code in (
        ({"goodsStatus": "refundWaitSellerSend"}, "GOODS_STATUS_ERROR"),
        ({"disputeRequest": "exchange"}, "DISPUTE_REQUEST_ERROR"),
        ({"applyReasonId": 20002}, "REASON_ERROR"),
        ({"vouchers": []}, "VOUCHER_REQUIRED"),
        ({"vouchers": ["https://cbu01.alicdn.com/mine.jpg"]}, "VOUCHER_INVALID"),
        ({"applyPayment": 0}, "APPLY_PAYMENT_ERROR"),
        ({"applyPayment": 1281}, "APPLY_PAYMENT_ERROR"),
        ({"applyCarriage": 501}, "APPLY_CARRIAGE_ERROR"),
        ({"applyReasonId": 20005, "applyCarriage": 1}, "APPLY_CARRIAGE_ERROR"),
    ):
        assert (await request(caller, order_id, **{**good, **change})).body[
            "msg"
        ] == code
    assert (await request(caller, order_id, **good, description="x")).refusal == (
        400,
        40001,
    )
    assert (await request(caller, order_id, **good, orderEntryIds=[1])).refusal == (
        200,
        40402,
    )
    assert (await request(caller, order_id, **good)).data[
        "refundId"
    ] == "TQ100000000001"
    assert (await request(caller, order_id, **good)).body["msg"] == "REFUND_EXISTS"


async def test_a_return_from_request_to_money(caller: Caller, order_id: str) -> None:
    """Agreed, sent back, received after three days; also after the receipt was
    confirmed.
    """
    await caller.advance(days=5)
    await caller.post("/alibaba/order/receivegoods", {"orderId": order_id})
    change = {
        "goodsStatus": "aftersaleBuyerReceived",
        "disputeRequest": "returnRefund",
        "applyReasonId": 20003,
        "vouchers": [await receipt(caller)],
        "applyPayment": 1000,
        "applyCarriage": 100,
    }
    refund_id = (await request(caller, order_id, **change)).data["refundId"]
    companies = (await caller.get("/alibaba/refund/logistics/company/list")).data
    assert [company["companyNo"] for company in companies] == [
        "SF",
        "ZTO",
        "YTO",
        "YUNDA",
    ]
    parcel = {"refundId": refund_id, "logisticsCompanyNo": "YTO", "freightBill": "YT1"}
    assert (await caller.post(RETURN, parcel)).body["msg"] == "REFUND_STATUS_ERROR"
    await caller.advance(hours=4)
    unknown = await caller.post(RETURN, {**parcel, "logisticsCompanyNo": "DHL"})
    assert unknown.body["msg"] == "LOGISTICS_COMPANY_UNKNOWN"
    assert (await caller.post(RETURN, parcel)).data is True
    assert (await caller.post(RETURN, parcel)).body["msg"] == "REFUND_STATUS_ERROR"
    sent = await info(caller, refund_id)
    assert (sent["status"], sent["buyerLogisticsName"], sent["freightBill"]) == (
        "waitsellerreceive",
        "圆通",
        "YT1",
    )
    await caller.advance(hours=72)
    refund = await info(caller, refund_id)
    assert [action for action, _, _ in actions(refund)] == [
        "BUYER_APPLY_REFUND",
        "SELLER_AGREE_REFUND_PROCOTOL",
        "BUYER_SEND_GOODS",
        "SELLER_RECEIVE_GOODS",
    ]
    assert (await caller.books())["orders"][0]["refunded_fen"] == 1100
    remaining = {
        **change,
        "disputeRequest": "refund",
        "applyPayment": 281,
        "applyCarriage": 400,
    }
    assert (await request(caller, order_id, **remaining)).body[
        "msg"
    ] == "APPLY_PAYMENT_ERROR"
    assert (await request(caller, order_id, **{**remaining, "applyPayment": 280})).data[
        "refundId"
    ] == "TQ100000000002"


async def test_a_return_that_never_comes(caller: Caller, order_id: str) -> None:
    """Seven days after the seller's yes the request is closed by the system."""
    await caller.advance(days=5)
    change = {
        "goodsStatus": "refundBuyerReceived",
        "disputeRequest": "returnRefund",
        "applyReasonId": 20005,
    }
    refund_id = (await request(caller, order_id, **change, applyCarriage=0)).data[
        "refundId"
    ]
    await caller.advance(days=7, hours=4)
    refund = await info(caller, refund_id)
    assert (refund["status"], refund["rejectReason"]) == ("refundclose", "超时未退货")
    assert actions(refund)[-1] == ("BUYER_RECEIVE_CLOSE", "system", "refundclose")


async def test_a_refused_request(caller: Caller, order_id: str) -> None:
    """The refusing word in the description closes it."""
    refund_id = (await request(caller, order_id, description="请拒绝我")).data[
        "refundId"
    ]
    await caller.advance(hours=4)
    assert (await info(caller, refund_id))["rejectReason"] == "卖家拒绝"
    assert (await caller.books())["refunds"][0]["refunded_at"] is None
    assert (await caller.post(INFO, {"refundId": "TQ1"})).refusal == (200, 40406)


async def test_entry_by_entry(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Single entries give no postage back; the last agreed one terminates the order."""
    rows = await caller.rows("1688", limit=400)
    second = next(
        findings
        for findings in rows
        if findings["seller_id"] == row["seller_id"]
        and findings["item_id"] != row["item_id"]
    )
    order_id = await buyer.create_1688(row, second)
    await buyer.pay_1688(order_id)
    entries = [
        item["subItemIDString"]
        for item in (await detail(caller, order_id))["productItems"]
    ]
    amounts = [
        round(item["itemAmount"] * 100)
        for item in (await detail(caller, order_id))["productItems"]
    ]
    with_postage = await request(
        caller, order_id, orderEntryIds=entries[:1], applyPayment=amounts[0]
    )
    assert with_postage.body["msg"] == "APPLY_CARRIAGE_ERROR"
    for entry, amount in zip(entries, amounts, strict=True):
        answer = await request(
            caller,
            order_id,
            orderEntryIds=[int(entry)],
            applyPayment=amount,
            applyCarriage=0,
        )
        assert answer.data["refundId"]
    await caller.advance(hours=4)
    order = await detail(caller, order_id)
    assert order["baseInfo"]["status"] == "terminated"
    assert order["baseInfo"]["refund"] == sum(amounts) / 100
