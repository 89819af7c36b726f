"""An order's life by the sandbox clock, from payment to the receiver's door."""

from __future__ import annotations

from typing import Any

from sandbox.lifecycle import domestic_parcel, international_events
from sandbox.times import DAY, HOUR
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller

UPDATE = "/open/pp/logistics/updateLogisticInfo"


async def taobao_order(caller: Caller, order_id: str) -> Any:
    return (await caller.get("/open/order/detail/get", purchaseOrderId=order_id)).data


async def taobao_traces(caller: Caller, order: Any) -> dict[str, list[str]]:
    """The statuses of each parcel's trace, by tracking number."""
    sub_id = order["subPurchaseOrders"][0]["subPurchaseOrderId"]
    details = (
        await caller.get("/open/order/logistics/detail/get", subPurchaseOrderId=sub_id)
    ).data
    return {
        detail["mailNo"]: [trace["status"] for trace in detail["logisticsTraces"]]
        for detail in details["pnmLogisticsDetails"]
    }


async def test_a_taobao_order_until_it_is_delivered(
    caller: Caller, buyer: Buyer
) -> None:
    """Paid, shipped, signed at the warehouse; booked and reported, it travels on and is
    signed for.
    """
    row = (await caller.rows("taobao", limit=1))[0]
    order_id = await buyer.create_taobao(row)
    await buyer.pay_taobao(order_id)
    await caller.advance(hours=5)
    order = await taobao_order(caller, order_id)
    assert (order["status"], await taobao_traces(caller, order)) == (10, {})

    await caller.advance(hours=25)
    order = await taobao_order(caller, order_id)
    assert order["status"] == 11
    parcel = order["subPurchaseOrders"][0]["logisticOrders"][0]
    assert parcel["logisticCompanyName"] in ("顺丰", "中通", "圆通", "韵达")
    assert parcel["rtsTime"].isdigit()
    assert (await taobao_traces(caller, order))[parcel["logisticNumber"]][
        0
    ] == "CONSIGN"

    await caller.advance(days=3)
    at_warehouse = {
        parcel["logisticNumber"]: [
            "CONSIGN",
            "ACCEPT",
            "TRANSPORT",
            "TRANSPORT",
            "DELIVERING",
            "SIGN",
        ]
    }
    assert await taobao_traces(caller, order) == at_warehouse

    booking = await buyer.book(order_id, row)
    await caller.advance(days=20)
    assert await taobao_traces(caller, order) == at_warehouse, (
        "nothing moves before the number is reported"
    )

    report = buyer.report(booking, order_id, row, parcel["logisticNumber"])
    await caller.post(UPDATE, report)
    assert await taobao_traces(caller, order) == {
        **at_warehouse,
        "FARJP2408000101YQ": [
            "ACCEPT",
            "TRANSPORT",
            "TRANSPORT",
            "TRANSPORT",
            "DELIVERING",
            "SIGN",
        ],
    }


async def test_a_1688_order_until_it_is_delivered(caller: Caller, buyer: Buyer) -> None:
    """The same life in 1688's words; the international parcel moves day by day."""
    row = (await caller.rows("1688", limit=1))[0]
    order_id = await buyer.create_1688(row)
    await buyer.pay_1688(order_id)
    booking = await buyer.book(order_id, row)
    await caller.advance(hours=30)
    order = (
        await caller.post(
            "/alibaba/order/detail", {"webSite": "1688", "orderId": order_id}
        )
    ).data
    domestic = order["nativeLogistics"]["logisticsItems"][0]
    assert order["baseInfo"]["status"] == "waitbuyerreceive"
    assert order["baseInfo"]["allDeliveredTime"] == domestic["deliveredTime"]
    assert order["internationalLogistics"][0]["logisticNumer"] == "FARJP2408000101YQ"
    await caller.post(
        UPDATE, buyer.report(booking, order_id, row, domestic["logisticsBillNo"])
    )

    await caller.advance(days=4)
    assert (await statuses(caller, order_id))["FARJP2408000101YQ"][0] == "ACCEPT"
    await caller.advance(days=11)
    assert await statuses(caller, order_id) == {
        domestic["logisticsBillNo"]: [
            "CONSIGN",
            "ACCEPT",
            "TRANSPORT",
            "TRANSPORT",
            "DELIVERING",
            "SIGN",
        ],
        "FARJP2408000101YQ": [
            "ACCEPT",
            "TRANSPORT",
            "TRANSPORT",
            "TRANSPORT",
            "DELIVERING",
            "SIGN",
        ],
    }


async def statuses(caller: Caller, order_id: str) -> dict[str, list[str]]:
    traces = (
        await caller.get("/alibaba/order/logistics/trace/get", orderId=order_id)
    ).data["logisticsTrace"]
    return {
        trace["logisticsBillNo"]: [step["status"] for step in trace["logisticsSteps"]]
        for trace in traces
    }


async def test_a_wrong_domestic_number_moves_nothing(
    caller: Caller, buyer: Buyer
) -> None:
    """The warehouse cannot match a parcel to a number that the seller never used."""
    row = (await caller.rows("1688", limit=1))[0]
    order_id = await buyer.create_1688(row)
    await buyer.pay_1688(order_id)
    booking = await buyer.book(order_id, row)
    await caller.post(UPDATE, buyer.report(booking, order_id, row, "SF0000000000000"))
    await caller.advance(days=30)
    assert "FARJP2408000101YQ" not in await statuses(caller, order_id)


async def test_unpaid_orders_close_after_a_day(caller: Caller, buyer: Buyer) -> None:
    """Closed orders cannot be paid, and their stock comes back."""
    taobao = (await caller.rows("taobao", limit=1))[0]
    alibaba = (await caller.rows("1688", limit=1))[0]
    taobao_id = await buyer.create_taobao(taobao)
    alibaba_id = await buyer.create_1688(alibaba)
    await caller.advance(hours=23)
    assert [order["status"] for order in (await caller.books())["orders"]] == [
        0,
        "waitbuyerpay",
    ]
    await caller.advance(hours=1)
    assert [order["status"] for order in (await caller.books())["orders"]] == [
        4,
        "cancel",
    ]
    assert (await buyer.pay_taobao(taobao_id))["payFailedResults"][0][
        "errorCode"
    ] == "ORDER_STATUS_ERROR"
    assert (await buyer.pay_1688(alibaba_id)).body["msg"] == "ORDER_STATUS_ERROR"
    order = (
        await caller.post(
            "/alibaba/order/detail", {"webSite": "1688", "orderId": alibaba_id}
        )
    ).data
    assert order["baseInfo"]["closeReason"] == "BUYER_NO_PAY"
    assert (await caller.rows("taobao", limit=1))[0]["stock"] == taobao["stock"]
    assert (await caller.rows("1688", limit=1))[0]["stock"] == alibaba["stock"]


async def test_paid_orders_do_not_close(caller: Caller, buyer: Buyer) -> None:
    """A paid order keeps its stock and its status after a day."""
    row = (await caller.rows("taobao", limit=1))[0]
    await buyer.pay_taobao(await buyer.create_taobao(row))
    await caller.advance(days=2)
    assert (await caller.books())["orders"][0]["status"] == 11
    assert (await caller.rows("taobao", limit=1))[0]["stock"] == row["stock"] - 1


async def test_shipping_changes_the_modify_time(caller: Caller, buyer: Buyer) -> None:
    """A list by time of change shows an order again once it was shipped."""
    row = (await caller.rows("taobao", limit=1))[0]
    order_id = await buyer.create_taobao(row)
    await buyer.pay_taobao(order_id)
    paid = await taobao_order(caller, order_id)
    await caller.advance(days=2)
    shipped = await taobao_order(caller, order_id)
    assert paid["modifyTime"] == paid["payTime"]
    assert shipped["modifyTime"] > paid["modifyTime"]


def test_times_stay_in_their_ranges() -> None:
    """Shipping, arrival, acceptance and delivery of a thousand orders keep to the
    contract, and are spread out.
    """
    shipped = []
    arrived = []
    accepted = []
    delivered = []
    for number in range(1_000):
        parcel = domestic_parcel(str(number), 0)
        events = international_events(str(number), "FARJP2408000101YQ", 0)
        shipped.append(parcel.shipped_at / HOUR)
        arrived.append((parcel.signed_at - parcel.shipped_at) / DAY)
        accepted.append(events[0].at / HOUR)
        delivered.append(events[-1].at / DAY)
        for trace in (parcel.events, events):
            assert [event.at for event in trace] == sorted(event.at for event in trace)
    for findings, low, high in (
        (shipped, 6, 30),
        (arrived, 1, 3),
        (accepted, 12, 24),
        (delivered, 4, 12),
    ):
        assert low <= min(findings) < low + (high - low) / 50
        assert high - (high - low) / 50 < max(findings) <= high


def test_domestic_numbers_look_real_and_differ() -> None:
    """Two letters of the company and thirteen digits, another for every order."""
    parcels = [domestic_parcel(str(number), 0) for number in range(1_000)]
    assert {parcel.company: parcel.number[:2] for parcel in parcels} == {
        "顺丰": "SF",
        "中通": "ZT",
        "圆通": "YT",
        "韵达": "YD",
    }
    assert {len(parcel.number) for parcel in parcels} == {15}
    assert len({parcel.number for parcel in parcels}) == 1_000
