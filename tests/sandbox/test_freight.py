"""Warehouse and freight: addresses, quotes, bookings, reported domestic numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.buyer import RECEIVER, Buyer
from tests.sandbox.client import Caller

VECTOR = json.loads(
    (
        Path(__file__).parents[2]
        / "docs"
        / "contract"
        / "vectors"
        / "order_booking_freight.json"
    ).read_text()
)
ESTIMATE = "/open/pp/logistics/orderEstimateFreight"
RENDER = "/open/pp/logistics/orderRenderFreight"
BOOK = "/open/pp/logistics/orderBookingFreight"
UPDATE = "/open/pp/logistics/updateLogisticInfo"


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    """这是商品1, 2,785 g."""
    return (await caller.rows("taobao", limit=1))[0]


async def test_warehouse_addresses(caller: Caller) -> None:
    """The account has two warehouses in China; the first is the default."""
    addresses = (await caller.get("/open/address/get")).data
    assert [(address["id"], address["isDefault"]) for address in addresses] == [
        ("1", True),
        ("2", False),
    ]
    assert list(addresses[0]) == [
        "id",
        "name",
        "phone",
        "province",
        "city",
        "district",
        "address",
        "postCode",
        "isDefault",
    ]


async def test_the_public_booking_to_the_letter(caller: Caller) -> None:
    """The public page's request is answered with the public page's answer."""
    answer = await caller.post(VECTOR["path"], VECTOR["request"])
    assert answer.status == 200
    assert json.dumps(answer.body) == json.dumps(VECTOR["response"])


async def test_the_public_booking_twice_makes_two_shipments(caller: Caller) -> None:
    """The second booking has fresh numbers; the page's own order stays out of the
    books.
    """
    await caller.post(VECTOR["path"], VECTOR["request"])
    repeated = (await caller.post(VECTOR["path"], VECTOR["request"])).data
    assert (repeated["orderId"], repeated["orderFee"]) == (
        "101",
        {"amount": "322.92", "currency": "USD"},
    )
    books = await caller.books()
    assert [shipment["tracking_numbers"] for shipment in books["shipments"]] == [
        ["FARJP2408000013YQ", "FARJP2408000014YQ"],
        ["FARJP2408000101YQ", "FARJP2408000102YQ"],
    ]
    assert (books["orders"], books["payments"]) == ([], [])
    assert books["wallet"]["balance_fen"] == 100_000_000


async def test_the_public_render_never_expires(caller: Caller) -> None:
    """Even after a year the page's request is answered."""
    await caller.advance(days=365)
    assert (await caller.post(VECTOR["path"], VECTOR["request"])).body == VECTOR[
        "response"
    ]


async def test_estimate_and_render_agree(caller: Caller, row: dict[str, Any]) -> None:
    """Both offer the same services at the same prices; render adds an id that is good
    for 24 hours.
    """
    items = [{"itemId": row["item_id"], "skuId": row["sku_id"], "quantity": 1}]
    estimate = (
        await caller.post(ESTIMATE, {"country": "US", "renderItems": items})
    ).data
    render = (
        await caller.post(RENDER, {"receiverAddress": RECEIVER, "renderItems": items})
    ).data
    assert (estimate["currency"], render["renderId"]) == ("USD", "FF2024080200101")
    assert estimate["services"] == render["services"]
    assert render["services"] == [
        {
            "serviceId": "1",
            "companyName": "UCS",
            "serviceCategory": "STANDARD",
            "amount": "37.92",
            "currency": "USD",
            "minDays": 8,
            "maxDays": 15,
        },
        {
            "serviceId": "2",
            "companyName": "UCS",
            "serviceCategory": "EXPRESS",
            "amount": "64.70",
            "currency": "USD",
            "minDays": 4,
            "maxDays": 7,
        },
    ]


async def test_countries_differ(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Near countries have one service more; where nobody ships to is refused."""
    near = await buyer.render_freight(row, country="JP")
    assert [service["serviceId"] for service in near["services"]] == ["1", "2", "3"]
    body = {
        "receiverAddress": {**RECEIVER, "country": "KP"},
        "renderItems": [_item(row)],
    }
    assert (await caller.post(RENDER, body)).refusal == (200, 42001)


def _item(row: dict[str, Any]) -> dict[str, Any]:
    return {"itemId": row["item_id"], "skuId": row["sku_id"], "quantity": 1}


async def test_render_refusals(caller: Caller, row: dict[str, Any]) -> None:
    """Unknown items are 40401; missing fields are named."""
    unknown = {
        "receiverAddress": RECEIVER,
        "renderItems": [{**_item(row), "skuId": "1"}],
    }
    assert (await caller.post(RENDER, unknown)).refusal == (200, 40401)
    answer = await caller.post(
        RENDER, {"receiverAddress": {}, "renderItems": [_item(row)]}
    )
    assert answer.status == 400
    assert answer.body["errorMsg"] == "receiverAddress.country: a text is required"


@pytest.fixture
async def booking(buyer: Buyer, row: dict[str, Any]) -> dict[str, Any]:
    """A booking body for a paid order."""
    order_id = await buyer.create_taobao(row)
    await buyer.pay_taobao(order_id)
    render = await buyer.render_freight(row)
    return buyer.booking(render["renderId"], order_id, row)


async def test_booking_costs_what_the_render_said(
    caller: Caller, booking: dict[str, Any]
) -> None:
    """Freight is invoiced: the fee is the render's amount and the wallet is not
    touched.
    """
    before = (await caller.books())["wallet"]
    booked = (await caller.post(BOOK, booking)).data
    assert booked["orderFee"] == {"amount": "37.92", "currency": "USD"}
    books = await caller.books()
    assert books["wallet"] == before
    shipment = books["shipments"][0]
    assert (shipment["order_id"], shipment["tmall_order_id"]) == (
        "101",
        booking["tmallOrderInfo"]["tmallOrderId"],
    )
    assert (shipment["render_id"], shipment["amount"], shipment["currency"]) == (
        "FF2024080200101",
        "37.92",
        "USD",
    )
    assert shipment["tracking_numbers"] == ["FARJP2408000101YQ"]


async def test_booking_twice_makes_two_shipments(
    caller: Caller, booking: dict[str, Any]
) -> None:
    """Nothing makes a repeated booking harmless; the order shows both."""
    first = (await caller.post(BOOK, booking)).data
    second = (await caller.post(BOOK, booking)).data
    assert (first["orderId"], second["orderId"]) == ("101", "102")
    order_id = booking["tmallOrderInfo"]["tmallOrderId"]
    order = (await caller.get("/open/order/detail/get", purchaseOrderId=order_id)).data
    assert order["subPurchaseOrders"][0]["internationalLogisticOrders"] == [
        {
            "orderId": "101",
            "logisticNumer": "FARJP2408000101YQ",
            "logisticCompanyName": "UCS",
            "trackingUrl": "https://www.far800.com/logistics/result?key=FARJP2408000101YQ",
            "renderId": "FF2024080200101",
        },
        {
            "orderId": "102",
            "logisticNumer": "FARJP2408000102YQ",
            "logisticCompanyName": "UCS",
            "trackingUrl": "https://www.far800.com/logistics/result?key=FARJP2408000102YQ",
            "renderId": "FF2024080200101",
        },
    ]


async def test_a_1688_order_can_be_booked(caller: Caller, buyer: Buyer) -> None:
    """tmallOrderId takes a 1688 order id too."""
    row = (await caller.rows("1688", limit=1))[0]
    order_id = await buyer.create_1688(row)
    await buyer.pay_1688(order_id)
    assert (await buyer.book(order_id, row))["subOrders"][0]["itemInfos"][0][
        "itemId"
    ] == row["item_id"]


async def test_an_expired_render_is_refused(
    caller: Caller, booking: dict[str, Any]
) -> None:
    """After 24 hours a render is as good as none."""
    await caller.advance(hours=24)
    assert (await caller.post(BOOK, booking)).refusal == (200, 40403)


async def test_an_unpaid_order_is_refused(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Only paid orders are shipped."""
    order_id = await buyer.create_taobao(row)
    render = await buyer.render_freight(row)
    body = buyer.booking(render["renderId"], order_id, row)
    assert (await caller.post(BOOK, body)).refusal == (200, 40402)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"renderId": "FF2024080299999"}, 200, 40403),
        ({"tmallOrderInfo": {"tmallOrderId": "1"}}, 200, 40402),
        ({"receiverAddress": {**RECEIVER, "country": "GB"}}, 400, 40001),
        ({"receiverAddress": {**RECEIVER, "name": ""}}, 400, 40001),
        (
            {"receiverAddress": {**RECEIVER, "phone": None, "mobilePhone": None}},
            400,
            40001,
        ),
        ({"lineItems": []}, 400, 40001),
    ],
)
async def test_booking_refusals(
    caller: Caller,
    booking: dict[str, Any],
    change: dict[str, Any],
    status: int,
    code: int,
) -> None:
    """What does not fit the render or the order is refused, and nothing is booked."""
    assert (await caller.post(BOOK, {**booking, **change})).refusal == (status, code)
    assert (await caller.books())["shipments"] == []


async def test_booking_lines_must_fit(caller: Caller, booking: dict[str, Any]) -> None:
    """Neither another service, nor more pieces, nor another item than rendered."""
    line = booking["lineItems"][0]
    service = {**line, "freightInfo": {"serviceId": "3"}}
    assert (await caller.post(BOOK, {**booking, "lineItems": [service]})).refusal == (
        200,
        40404,
    )
    assert (
        await caller.post(BOOK, {**booking, "lineItems": [{**line, "quantity": 2}]})
    ).refusal == (400, 40001)
    second = {**line, "itemId": "2048232789087639", "skuId": "4970432383383"}
    assert (await caller.post(BOOK, {**booking, "lineItems": [second]})).refusal == (
        400,
        40001,
    )


async def test_updates_are_stored_as_often_as_they_come(
    caller: Caller, buyer: Buyer, booking: dict[str, Any], row: dict[str, Any]
) -> None:
    """The books show every report of a domestic number."""
    booked = (await caller.post(BOOK, booking)).data
    order_id = booking["tmallOrderInfo"]["tmallOrderId"]
    report = buyer.report(booked, order_id, row, "SF1234521212678")
    assert (await caller.post(UPDATE, report)).data is True
    await caller.post(UPDATE, report)
    updates = (await caller.books())["domestic_updates"]
    assert [
        (update["order_id"], update["logistic_number"], update["domestic_number"])
        for update in updates
    ] == [
        ("101", "FARJP2408000101YQ", "SF1234521212678"),
        ("101", "FARJP2408000101YQ", "SF1234521212678"),
    ]


async def test_update_refusals(
    caller: Caller, buyer: Buyer, booking: dict[str, Any], row: dict[str, Any]
) -> None:
    """A booking, order or tracking number that does not belong together is refused."""
    booked = (await caller.post(BOOK, booking)).data
    order_id = booking["tmallOrderInfo"]["tmallOrderId"]
    report = buyer.report(booked, order_id, row, "SF1")
    info = report["logisticInfos"][0]
    assert (await caller.post(UPDATE, {**report, "orderId": "999"})).refusal == (
        200,
        40402,
    )
    assert (await caller.post(UPDATE, {**report, "tmallOrderId": "1"})).refusal == (
        200,
        40402,
    )
    changes: list[dict[str, Any]] = [
        {"logisticNumer": "FARJP2408000999YQ"},
        {"domesticLogisticInfo": []},
        {"lineItem": None},
    ]
    for change in changes:
        body = {**report, "logisticInfos": [{**info, **change}]}
        assert (await caller.post(UPDATE, body)).refusal == (400, 40001)
    assert (await caller.books())["domestic_updates"] == []
