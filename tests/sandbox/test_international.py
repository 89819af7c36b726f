"""Alibaba.com: find, calculate freight, create, pay, list; and everything that is
refused on the way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Answer, Caller, opened

LIST = "/alibaba/international/product/list"
DETAIL = "/alibaba/international/product/detail/get"
CALCULATE = "/alibaba/international/order/freight/calculate"
CREATE = "/alibaba/international/order/create"
PAY = "/alibaba/international/order/pay"
ORDERS = "/alibaba/international/order/list"
ADDRESS = {
    "zip": "518103",
    "country": "China",
    "countryCode": "CN",
    "province": "广东省",
    "city": "深圳市",
    "address": "福永街道和平路1号A栋",
    "contactPerson": "华南集运仓",
    "telephone": {"country": "+86", "number": "13800000001"},
}
SECOND_DEPOT_ROW = 4_331
ITS_SELLERS_ROW = 697


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    """Premium Nylon Handbag for students I10001: 8.61, from 3 pieces 0.33 less; postage
    free.
    """
    return (await caller.rows("international", limit=1))[0]


def lines(*rows: dict[str, Any], quantity: int | None = None) -> dict[str, Any]:
    products = [
        {
            "productId": row["item_id"],
            "skuId": row["sku_id"],
            "quantity": quantity or row["min_quantity"],
        }
        for row in rows
    ]
    return {"productList": products}


async def calculate(caller: Caller, asked: dict[str, Any], **change: Any) -> Answer:
    return await caller.post(
        CALCULATE,
        {**asked, "shipmentAddress": ADDRESS, "dispatchLocation": "CN", **change},
    )


async def create(
    caller: Caller,
    asked: dict[str, Any],
    reference: str = "R-1",
    carrier: str = "CN_STANDARD",
    **change: Any,
) -> Answer:
    logistics = {
        "shipmentAddress": ADDRESS,
        "dispatchLocation": "CN",
        "carrierCode": carrier,
        **change,
    }
    return await caller.post(
        CREATE, {**asked, "channelReferId": reference, "logisticsDetail": logistics}
    )


async def ordered(caller: Caller, *rows: dict[str, Any], reference: str = "R-1") -> str:
    """A tradeId, from freight calculation and create."""
    await calculate(caller, lines(*rows))
    return str((await create(caller, lines(*rows), reference)).data["tradeId"])


async def pay(caller: Caller, trade_id: str) -> Answer:
    return await caller.post(PAY, {"orderIdList": [trade_id]})


async def orders(caller: Caller, **filters: Any) -> list[dict[str, Any]]:
    answer = await caller.post(ORDERS, {"startPage": 1, "pageSize": 50, **filters})
    listed: list[dict[str, Any]] = answer.data["orderList"]
    assert answer.data["totalCount"] == len(listed)
    return listed


async def test_product_list_counts_pages_from_zero(caller: Caller) -> None:
    """Every word must occur; the page is a slice of what was found."""
    calls = {"keyword": "handbag nylon", "size": 1}
    first, second = [
        (await caller.post(LIST, {**calls, "index": index})).data for index in (0, 1)
    ]
    assert first == {
        "resultTotal": 19,
        "resultData": [
            {
                "productId": "1657066280020",
                "title": "New Nylon Handbag for home I11131",
                "image": "https://s.alicdn.com/@sc04/kf/1657066280020.jpg",
                "price": "60.73",
                "currency": "CNY",
                "eCompanyId": "231526704",
                "minOrderQuantity": 1,
            }
        ],
    }
    assert second["resultData"][0]["productId"] == "1638164741804"


async def test_product_list_without_words(caller: Caller) -> None:
    """Everything on sale by id; a category narrows it down."""
    result = (await caller.post(LIST, {"index": 0, "size": 2})).data
    assert [product["productId"] for product in result["resultData"]] == [
        "1600574267650",
        "1600607563263",
    ]
    assert result["resultTotal"] == 7_405
    bags = (
        await caller.post(LIST, {"index": 0, "size": 50, "categoryId": "50012010"})
    ).data
    assert bags["resultTotal"] == 1_231


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (LIST, {"index": -1, "size": 10}, "index"),
        (LIST, {"index": 0, "size": 51}, "size"),
        (DETAIL, {"productId": 1600574267650}, "country"),
        (DETAIL, {"productId": 1600574267650, "country": "USA"}, "country"),
        (PAY, {"orderIdList": []}, "orderIdList"),
        (PAY, {"orderIdList": ["1", "2"]}, "orderIdList"),
        (ORDERS, {"startPage": 0, "pageSize": 10}, "startPage"),
        (ORDERS, {"startPage": 1, "pageSize": 10, "tradeIds": []}, "tradeIds"),
        (
            ORDERS,
            {"startPage": 1, "pageSize": 10, "channelReferIds": ["R"] * 51},
            "channelReferIds",
        ),
        (
            ORDERS,
            {"startPage": 1, "pageSize": 10, "createDateStart": "2026-01-01"},
            "createDateStart",
        ),
    ],
)
async def test_bad_requests_name_the_field(
    caller: Caller, path: str, body: dict[str, Any], field: str
) -> None:
    """A bad field is refused with HTTP 400, code 40001 and its name."""
    answer = await caller.post(path, body)
    assert answer.refusal == (400, 40001)
    assert answer.body["msg"].startswith(field)


async def test_product_detail(caller: Caller, row: dict[str, Any]) -> None:
    """A product shows its SKUs with a ladder of prices that begins at the minimum and
    ends open.
    """
    product = (
        await caller.post(DETAIL, {"productId": row["item_id"], "country": "US"})
    ).data
    assert (product["title"], product["status"]) == (
        "Premium Nylon Handbag for students I10001",
        "online",
    )
    assert (product["currency"], product["eCompanyId"], product["categoryId"]) == (
        "CNY",
        "231502947",
        "50012010",
    )
    assert product["skus"][0] == {
        "skuId": "100015975111",
        "image": "https://s.alicdn.com/@sc04/kf/100015975111.jpg",
        "stock": 8784,
        "ladderPrice": [
            {"minQuantity": 1, "maxQuantity": 2, "price": "8.61", "currency": "CNY"},
            {"minQuantity": 3, "maxQuantity": 9, "price": "8.28", "currency": "CNY"},
            {"minQuantity": 10, "maxQuantity": -1, "price": "7.78", "currency": "CNY"},
        ],
        "skuAttrList": [
            {"attrName": "颜色", "attrValue": "粉色"},
            {"attrName": "尺码", "attrValue": "2XL"},
        ],
    }
    assert (await caller.post(DETAIL, {"productId": 1, "country": "US"})).refusal == (
        200,
        40401,
    )


async def test_freight_is_calculated_for_each_carrier(caller: Caller) -> None:
    """The standard carrier takes the seller's postage, the express carrier 8.00
    more.
    """
    row = (await caller.rows("international", limit=1, offset=ITS_SELLERS_ROW))[0]
    assert (await calculate(caller, lines(row, quantity=2))).data == {
        "productAmount": "6.98",
        "currency": "CNY",
        "carriers": [
            {
                "carrierCode": "CN_STANDARD",
                "carrierName": "China Standard",
                "fee": "10.00",
                "currency": "CNY",
                "minDays": 3,
                "maxDays": 6,
            },
            {
                "carrierCode": "CN_EXPRESS",
                "carrierName": "China Express",
                "fee": "18.00",
                "currency": "CNY",
                "minDays": 1,
                "maxDays": 3,
            },
        ],
        "problemList": [],
    }


async def test_what_cannot_be_bought_is_listed_with_its_code(
    caller: Caller, row: dict[str, Any]
) -> None:
    """Then there are no carriers, and the amount counts the lines that can be
    bought.
    """
    answer = (await calculate(caller, lines(row, {**row, "sku_id": "7"}))).data
    assert (answer["productAmount"], answer["carriers"]) == ("8.61", [])
    assert answer["problemList"] == [
        {
            "productId": "1600574267650",
            "skuId": "7",
            "errorCode": "10005",
            "errorMessage": "product 1600574267650, SKU 7: the product has no such SKU",
        }
    ]


@pytest.mark.parametrize(
    ("place", "quantity", "code"),
    [(4_317, None, 130106), (4_257, None, 130703), (0, 8_785, 130703), (4, 4, 10007)],
    ids=["offline", "sold out", "more than in stock", "below the minimum"],
)
async def test_refusal_codes(
    caller: Caller, place: int, quantity: int | None, code: int
) -> None:
    """Calculation lists the ICBU code, create refuses with it in the envelope; nothing
    is ordered.
    """
    row = (await caller.rows("international", limit=1, offset=place))[0]
    calls = lines(row, quantity=quantity)
    calculated = (await calculate(caller, calls)).data
    assert [problem["errorCode"] for problem in calculated["problemList"]] == [
        str(code)
    ]
    refused = await create(caller, calls)
    assert refused.refusal == (200, code)
    assert f"product {row['item_id']}, SKU {row['sku_id']}" in refused.body["msg"]
    assert (await caller.books())["orders"] == []


async def test_the_minimum_and_the_ladder_count_the_product(caller: Caller) -> None:
    """Two SKUs with 2 pieces each reach the price from 3 pieces."""
    first, second = await caller.rows("international", limit=2)
    answer = (await calculate(caller, lines(first, second, quantity=2))).data
    assert answer["productAmount"] == "34.72"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"shipmentAddress": {**ADDRESS, "countryCode": "US"}}, 120019),
        ({"dispatchLocation": "US"}, 130608),
        (
            {
                "shipmentAddress": {**ADDRESS, "countryCode": "US"},
                "dispatchLocation": "US",
            },
            120019,
        ),
    ],
)
async def test_carriers_go_from_china_to_china(
    caller: Caller, row: dict[str, Any], change: dict[str, Any], code: int
) -> None:
    """Another destination or origin is refused, before anything about the lines."""
    calls = lines({**row, "sku_id": "7"})
    assert (await calculate(caller, calls, **change)).refusal == (200, code)
    assert (await create(caller, calls, **change)).refusal == (200, code)


async def test_shape_and_existence_come_first(
    caller: Caller, row: dict[str, Any]
) -> None:
    """An incomplete address is a bad request, an unknown product is not found, two
    sellers are a bad request.
    """
    no_phone = {**ADDRESS, "telephone": {"country": "+86"}}
    answer = await calculate(caller, lines(row), shipmentAddress=no_phone)
    assert (answer.refusal, answer.body["msg"][:32]) == (
        (400, 40001),
        "shipmentAddress.telephone.number",
    )
    assert (
        await calculate(caller, lines({**row, "item_id": "1"}), dispatchLocation="US")
    ).refusal == (200, 40401)
    rows = (await caller.rows("international", limit=1, offset=4))[0]
    for answer in (
        await calculate(caller, lines(row, rows)),
        await create(caller, lines(row, rows)),
    ):
        assert (answer.refusal, answer.body["msg"][:12]) == (
            (400, 40001),
            "productList:",
        )


async def test_create(caller: Caller, row: dict[str, Any]) -> None:
    """After its freight calculation an order is created with the carrier's fee; stock
    goes down.
    """
    await calculate(caller, lines(row))
    created = (await create(caller, lines(row), carrier="CN_EXPRESS")).data
    assert created == {
        "tradeId": "103294928889573135",
        "payUrl": "https://biz.alibaba.com/ta/detail.htm?orderId=103294928889573135",
        "orderList": [
            {
                "tradeId": "103294928889573135",
                "totalAmount": "16.61",
                "productAmount": "8.61",
                "freightAmount": "8.00",
                "currency": "CNY",
            }
        ],
    }
    (order,) = (await caller.books())["orders"]
    assert (order["marketplace"], order["reference"], order["amount_fen"]) == (
        "international",
        "R-1",
        1661,
    )
    assert (await caller.rows("international", limit=1))[0]["stock"] == 8783


async def test_the_carrier_must_come_from_a_recent_calculation(
    caller: Caller, row: dict[str, Any]
) -> None:
    """Without one of the same lines in the last 60 minutes, or with another carrier, it
    is 4028.
    """
    assert (await create(caller, lines(row))).refusal == (200, 4028)
    await calculate(caller, lines(row))
    assert (await create(caller, lines(row, quantity=2))).refusal == (200, 4028)
    assert (await create(caller, lines(row), carrier="CN_SLOW")).refusal == (200, 4028)
    await caller.advance(seconds=59 * 60)
    assert (await create(caller, lines(row), reference="in time")).data["tradeId"]
    await caller.advance(seconds=61)
    assert (await create(caller, lines(row), reference="too late")).refusal == (
        200,
        4028,
    )


async def test_the_reference_makes_a_repeat_harmless(
    caller: Caller, row: dict[str, Any]
) -> None:
    """The same key and lines answer the first order again, other lines are refused, a
    refused key stays free.
    """
    assert (await create(caller, lines(row))).refusal == (200, 4028)
    await calculate(caller, lines(row))
    first = (await create(caller, lines(row))).data
    await pay(caller, first["tradeId"])
    await caller.advance(hours=2)
    assert (await create(caller, lines(row))).data == first
    answer = await create(caller, lines(row, quantity=2))
    assert answer.refusal == (200, 400)
    assert answer.body["msg"].startswith("DUPLICATE_CHANNEL_REFER_ID")
    assert len((await caller.books())["orders"]) == 1


async def test_goods_from_both_depots_become_two_orders(caller: Caller) -> None:
    """Freight adds up over both; each order pays its own, and both carry the
    reference.
    """
    first = (await caller.rows("international", limit=1, offset=ITS_SELLERS_ROW))[0]
    second = (await caller.rows("international", limit=1, offset=SECOND_DEPOT_ROW))[0]
    calculated = (await calculate(caller, lines(second, first))).data
    assert calculated["productAmount"] == "13.63"
    assert [carrier["fee"] for carrier in calculated["carriers"]] == ["20.00", "36.00"]
    created = (await create(caller, lines(second, first), carrier="CN_EXPRESS")).data
    assert (created["tradeId"], created["payUrl"]) == (None, None)
    amounts = [
        (order["productAmount"], order["freightAmount"])
        for order in created["orderList"]
    ]
    assert amounts == [("3.49", "18.00"), ("10.14", "18.00")]
    assert (
        await create(caller, lines(second, first), carrier="CN_EXPRESS")
    ).data == created
    listed = await orders(caller, channelReferIds=["R-1"])
    assert [order["tradeId"] for order in reversed(listed)] == [
        order["tradeId"] for order in created["orderList"]
    ]
    assert [order["products"][0]["productId"] for order in listed] == [
        second["item_id"],
        first["item_id"],
    ]


async def test_pay(caller: Caller, row: dict[str, Any]) -> None:
    """The wallet is debited once; a second time, and for an unknown order, it is
    refused.
    """
    trade_id = await ordered(caller, row)
    assert (await pay(caller, trade_id)).data == {
        "status": "PAY_SUCCESS",
        "reasonCode": None,
        "payUrl": None,
    }
    repeated = (await pay(caller, trade_id)).data
    assert repeated == {
        "status": "PAY_FAILED",
        "reasonCode": "ORDER_STATUS_ERROR",
        "payUrl": None,
    }
    assert (await pay(caller, "1")).refusal == (200, 40402)
    assert (await caller.books())["wallet"]["balance_fen"] == 100_000_000 - 861


async def test_pay_with_a_short_wallet(caller: Caller, row: dict[str, Any]) -> None:
    """Without enough money there is a cashier's address and nothing is debited."""
    trade_id = await ordered(caller, row)
    await caller.control("PUT", "wallet", {"balance_fen": 860})
    assert (await pay(caller, trade_id)).data == {
        "status": "PAY_FAILED",
        "reasonCode": "BALANCE_NOT_ENOUGH",
        "payUrl": f"https://biz.alibaba.com/ta/detail.htm?orderId={trade_id}",
    }
    assert (await caller.books())["wallet"]["balance_fen"] == 860


async def test_a_listed_order(caller: Caller, row: dict[str, Any]) -> None:
    """An order shows amounts as decimal text, its lines and its reference."""
    trade_id = await ordered(caller, row)
    await pay(caller, trade_id)
    (order,) = await orders(caller, tradeIds=[trade_id])
    assert {
        name: order[name]
        for name in (
            "tradeId",
            "channelReferId",
            "tradeStatus",
            "currency",
            "carrierCode",
        )
    } == {
        "tradeId": trade_id,
        "channelReferId": "R-1",
        "tradeStatus": "undeliver",
        "currency": "CNY",
        "carrierCode": "CN_STANDARD",
    }
    amounts = [
        order[name]
        for name in ("productAmount", "freightAmount", "totalAmount", "paidAmount")
    ]
    assert amounts == ["8.61", "0.00", "8.61", "8.61"]
    assert (order["payDate"] >= order["createDate"], order["closeReason"]) == (
        True,
        None,
    )
    assert order["products"] == [
        {
            "productId": "1600574267650",
            "skuId": "100015975111",
            "title": "Premium Nylon Handbag for students I10001",
            "quantity": 1,
            "unitPrice": "8.61",
            "amount": "8.61",
        }
    ]
    assert (order["logisticsList"], order["internationalLogistics"]) == ([], [])


async def test_list_filters(caller: Caller, row: dict[str, Any]) -> None:
    """Orders are found by id, reference, status and times; newest first."""
    ids = []
    for reference in ("A", "B", "C"):
        ids.append(await ordered(caller, row, reference=reference))
        await caller.advance(hours=1)
    await pay(caller, ids[1])

    async def found(**filters: Any) -> list[str]:
        return [order["channelReferId"] for order in await orders(caller, **filters)]

    built = (await orders(caller, tradeIds=[ids[1]]))[0]
    assert await found() == ["C", "B", "A"]
    assert await found(status="unpay") == ["C", "A"]
    assert await found(channelReferIds=["A", "B", "nobody's"]) == ["B", "A"]
    assert await found(tradeIds=ids[:2], channelReferIds=["B"]) == ["B"]
    assert await found(
        createDateStart=built["createDate"], createDateEnd=built["createDate"]
    ) == ["B"]
    assert await found(
        channelReferIds=["A", "B"], createDateEnd=built["createDate"]
    ) == ["B", "A"]
    assert await found(modifyDateStart=built["modifyDate"]) == ["B"]


async def test_life_until_the_door(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Unpaid, paid, sent, at the warehouse; booked and reported, the international
    parcel moves.
    """
    trade_id = await ordered(caller, row)
    await pay(caller, trade_id)
    await caller.advance(hours=30)
    (order,) = await orders(caller)
    (parcel,) = order["logisticsList"]
    assert (order["tradeStatus"], parcel["traces"][0]["status"]) == (
        "delivering",
        "CONSIGN",
    )
    assert (parcel["traces"][0]["desc"], parcel["sentDate"]) == (
        "商家已发货",
        parcel["traces"][0]["time"],
    )
    await caller.advance(days=3)
    (order,) = await orders(caller)
    assert order["tradeStatus"] == "wait_confirm_receipt"
    assert order["logisticsList"][0]["traces"][-1]["status"] == "SIGN"

    booking = await buyer.book(trade_id, row)
    (order,) = await orders(caller)
    assert order["internationalLogistics"] == [
        {
            "orderId": booking["orderId"],
            "logisticNumer": "FARJP2408000101YQ",
            "logisticCompanyName": "UCS",
            "trackingUrl": "https://www.far800.com/logistics/result?key=FARJP2408000101YQ",
            "renderId": "FF2024080200101",
            "traces": [],
        }
    ]
    await caller.post(
        "/open/pp/logistics/updateLogisticInfo",
        buyer.report(booking, trade_id, row, parcel["trackingNumber"]),
    )
    await caller.advance(days=12)
    (order,) = await orders(caller)
    statuses = [
        trace["status"] for trace in order["internationalLogistics"][0]["traces"]
    ]
    assert statuses == [
        "ACCEPT",
        "TRANSPORT",
        "TRANSPORT",
        "TRANSPORT",
        "DELIVERING",
        "SIGN",
    ]


async def test_an_unpaid_order_closes_and_gives_its_stock_back(
    caller: Caller, row: dict[str, Any]
) -> None:
    """After 24 hours the order is closed, cannot be paid or booked, and the goods are
    back.
    """
    trade_id = await ordered(caller, row)
    await caller.advance(hours=24)
    (order,) = await orders(caller)
    assert (order["tradeStatus"], order["closeReason"], order["paidAmount"]) == (
        "trade_close",
        "BUYER_NO_PAY",
        None,
    )
    assert (await pay(caller, trade_id)).data["reasonCode"] == "ORDER_STATUS_ERROR"
    assert (await caller.rows("international", limit=1))[0]["stock"] == 8784


async def test_faults_find_products_and_orders(
    caller: Caller, row: dict[str, Any]
) -> None:
    """price_change raises what productId or orderIdList name; out_of_stock sells out
    what productId names.
    """
    await fault(caller, CALCULATE, "price_change")
    assert (await calculate(caller, lines(row))).data["productAmount"] == "9.48"
    trade_id = await ordered(caller, row)
    await fault(caller, PAY, "price_change")
    await pay(caller, trade_id)
    assert (await caller.books())["orders"][0]["paid_fen"] == 1043
    await fault(caller, CREATE, "out_of_stock")
    assert (await create(caller, lines(row), reference="R-2")).refusal == (200, 130703)


async def fault(caller: Caller, path: str, kind: str, **more: Any) -> None:
    rules = [{"path": path, "kind": kind, "times": 1, **more}]
    await caller.control("PUT", "faults", {"seed": 1, "rules": rules})


async def test_late_effects(caller: Caller, row: dict[str, Any]) -> None:
    """A late create finds the order of its key; a late pay debits a second time."""
    await calculate(caller, lines(row))
    await fault(caller, CREATE, "late_effect", delay_s=60)
    assert (await create(caller, lines(row))).refusal == (500, 500)
    trade_id = (await create(caller, lines(row))).data["tradeId"]
    await fault(caller, PAY, "late_effect", delay_s=60)
    assert (await pay(caller, trade_id)).refusal == (500, 500)
    await pay(caller, trade_id)
    await caller.advance(seconds=60)
    (order,) = (await caller.books())["orders"]
    assert (order["paid_times"], order["paid_fen"]) == (2, 1722)


async def test_calculations_and_first_answers_survive_a_restart(tmp_path: Path) -> None:
    """A create may follow its freight calculation in another process, and a repeat is
    known there.
    """
    state = tmp_path / "sandbox.db"
    async with opened(state) as caller:
        row = (await caller.rows("international", limit=1))[0]
        await calculate(caller, lines(row))
    async with opened(state) as caller:
        first = (await create(caller, lines(row), carrier="CN_EXPRESS")).data
        before = await orders(caller)
    async with opened(state) as caller:
        assert (await create(caller, lines(row), carrier="CN_EXPRESS")).data == first
        assert await orders(caller) == before
        await caller.control("POST", "reset")
        assert (await create(caller, lines(row))).refusal == (200, 4028)
