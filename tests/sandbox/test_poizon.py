"""Poizon: find, preview, create, pay, list; and everything that is refused on the
way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Answer, Caller, opened

SEARCH = "/poizon/product/keywordSearch"
PRODUCT = "/poizon/product/detail"
PREVIEW = "/poizon/order/orderPreview"
CREATE = "/poizon/order/createOrder"
PAY = "/poizon/order/payOrder"
ORDERS = "/poizon/order/orderList"
ADDRESS = {
    "name": "华南集运仓",
    "phone": "13800000001",
    "province": "广东省",
    "city": "深圳市",
    "district": "宝安区",
    "detailAddress": "福永街道和平路1号A栋",
}
SECOND_DEPOT_ROW = 4_340
ITS_SELLERS_ROW = 138


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    """新款 牛仔 T恤 送礼 P10001: 128 yuan, postage 5 yuan, free from 199 yuan."""
    return (await caller.rows("poizon", limit=1))[0]


async def line(
    caller: Caller, row: dict[str, Any], quantity: int | None = None
) -> dict[str, Any]:
    """A line for preview and create: the four ids of a catalogue row, with today's
    price.
    """
    product = (await caller.post(PRODUCT, {"dwSpuId": row["item_id"]})).data
    sku = next(sku for sku in product["skus"] if sku["dwSkuId"] == row["sku_id"])
    return {
        "dwSpuId": product["dwSpuId"],
        "dwSkuId": sku["dwSkuId"],
        "distSpuId": product["distSpuId"],
        "distSkuId": sku["distSkuId"],
        "quantity": quantity or row["min_quantity"],
        "price": row["price_fen"],
    }


async def preview(caller: Caller, *lines: dict[str, Any], **change: Any) -> Answer:
    return await caller.post(
        PREVIEW, {"shippingAddress": ADDRESS, "productList": list(lines), **change}
    )


async def create(
    caller: Caller, *lines: dict[str, Any], request_id: str = "R-1", **change: Any
) -> Answer:
    body = {
        "requestId": request_id,
        "shippingAddress": ADDRESS,
        "productList": list(lines),
        **change,
    }
    return await caller.post(CREATE, body)


async def ordered(caller: Caller, row: dict[str, Any], request_id: str = "R-1") -> str:
    created = (
        await create(caller, await line(caller, row), request_id=request_id)
    ).data
    return str(created["orderList"][0]["distOrderNo"])


async def pay(caller: Caller, order_id: str) -> Answer:
    return await caller.post(PAY, {"distOrderNo": order_id})


async def orders(caller: Caller, **filters: Any) -> list[dict[str, Any]]:
    answer = await caller.post(ORDERS, {"pageNo": 1, "pageSize": 50, **filters})
    listed: list[dict[str, Any]] = answer.data["data"]
    assert answer.data["totalRecords"] == len(listed)
    return listed


async def test_keyword_search(caller: Caller) -> None:
    """Every word must occur; a page of products with prices in yuan as text."""
    result = (
        await caller.post(
            SEARCH, {"keyword": "T恤 P10001", "pageNo": 1, "pageSize": 10}
        )
    ).data
    assert (result["totalRecords"], result["currentPage"]) == (1, 1)
    assert result["data"] == [
        {
            "dwSpuId": "20011184",
            "distSpuId": "8000001144371502",
            "title": "新款 牛仔 T恤 送礼 P10001",
            "picUrl": "https://cdn.poizon.com/pro-img/20011184.jpg",
            "categoryId": "50010850",
            "minPrice": "128.00",
            "currency": "CNY",
            "sellerId": "8800193",
            "minQuantity": 1,
        }
    ]


async def test_search_filters_and_sorts(caller: Caller) -> None:
    """No words find all on sale by id; price bounds are fen and included; a category
    narrows; price sorts.
    """
    everything = (
        await caller.post(SEARCH, {"keyword": "", "pageNo": 1, "pageSize": 2})
    ).data
    assert [product["dwSpuId"] for product in everything["data"]] == [
        "20011184",
        "20020034",
    ]
    assert everything["totalRecords"] == 7_372
    calls = {
        "keyword": "T恤",
        "pageNo": 1,
        "pageSize": 50,
        "priceStart": 12_800,
        "priceEnd": 14_000,
    }
    result = (
        await caller.post(
            SEARCH, {**calls, "categoryId": "50010850", "sort": "price_asc"}
        )
    ).data["data"]
    prices = [float(product["minPrice"]) for product in result]
    assert (prices[0], prices == sorted(prices), prices[-1] <= 140) == (
        128.0,
        True,
        True,
    )
    assert (await caller.post(SEARCH, {**calls, "categoryId": "50012010"})).data[
        "totalRecords"
    ] == 0


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (SEARCH, {"pageNo": 1, "pageSize": 10}, "keyword"),
        (SEARCH, {"keyword": "", "pageNo": 1, "pageSize": 51}, "pageSize"),
        (SEARCH, {"keyword": "", "pageNo": 1, "pageSize": 10, "sort": "new"}, "sort"),
        (ORDERS, {"pageNo": 1, "pageSize": 10, "requestIds": ["R"] * 51}, "requestIds"),
        (ORDERS, {"pageNo": 1, "pageSize": 10, "distOrderNos": []}, "distOrderNos"),
        (CREATE, {"requestId": "R" * 65}, "requestId"),
        (
            CREATE,
            {"requestId": "R", "shippingAddress": {**ADDRESS, "phone": None}},
            "shippingAddress.phone",
        ),
        (
            CREATE,
            {"requestId": "R", "shippingAddress": ADDRESS, "productList": []},
            "productList",
        ),
        (
            CREATE,
            {"requestId": "R", "shippingAddress": ADDRESS, "productList": [{}]},
            "productList[0].dwSpuId",
        ),
    ],
)
async def test_bad_requests_name_the_field(
    caller: Caller, path: str, body: dict[str, Any], field: str
) -> None:
    """A bad field is refused with HTTP 400, code 40001 and its name."""
    answer = await caller.post(path, body)
    assert answer.refusal == (400, 40001)
    assert answer.body["msg"].startswith(f"{field}: ")


async def test_product_detail(caller: Caller, row: dict[str, Any]) -> None:
    """A product shows its brand, seller and SKUs with both pairs of ids."""
    product = (await caller.post(PRODUCT, {"dwSpuId": 20011184})).data
    assert product == {
        "dwSpuId": "20011184",
        "distSpuId": "8000001144371502",
        "title": "新款 牛仔 T恤 送礼 P10001",
        "images": ["https://cdn.poizon.com/pro-img/20011184.jpg"],
        "brandName": "李宁",
        "categoryId": "50010850",
        "categoryName": "服装",
        "status": "ON_SALE",
        "sellerId": "8800193",
        "sellerName": "义乌旗舰店4号",
        "minQuantity": 1,
        "currency": "CNY",
        "skus": [
            {
                "dwSkuId": "600013404",
                "distSkuId": "9000001033957856",
                "properties": [{"name": "颜色", "value": "默认"}],
                "price": "128.00",
                "stock": 8513,
                "picUrl": "https://cdn.poizon.com/pro-img/600013404.jpg",
            }
        ],
    }
    assert (await caller.post(PRODUCT, {"dwSpuId": "1"})).refusal == (200, 40401)


async def test_preview(caller: Caller, row: dict[str, Any]) -> None:
    """Goods, freight and total in yuan as text; the line says that it can be bought."""
    assert (await preview(caller, await line(caller, row))).data == {
        "success": True,
        "errorCode": None,
        "errorMessage": None,
        "orders": [
            {
                "goodsAmount": "128.00",
                "freightAmount": "5.00",
                "totalAmount": "133.00",
                "currency": "CNY",
                "items": [
                    {
                        "dwSpuId": "20011184",
                        "dwSkuId": "600013404",
                        "quantity": 1,
                        "price": "128.00",
                        "available": True,
                        "stock": 8513,
                        "minQuantity": 1,
                        "errorCode": None,
                        "errorMessage": None,
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("place", "quantity", "code"),
    [
        (4_309, 2, "SPU_OFF_SALE"),
        (4_253, 2, "OUT_OF_STOCK"),
        (0, 8_514, "OUT_OF_STOCK"),
        (2, 1, "BELOW_MIN_QUANTITY"),
    ],
    ids=["off sale", "sold out", "more than in stock", "below the minimum"],
)
async def test_lines_that_cannot_be_bought(
    caller: Caller, place: int, quantity: int, code: str
) -> None:
    """Preview marks the line and counts nothing for it; create refuses with its
    code.
    """
    row = (await caller.rows("poizon", limit=1, offset=place))[0]
    expected = await line(caller, row, quantity)
    previewed = (await preview(caller, expected)).data
    (entry,) = previewed["orders"]
    assert (previewed["success"], entry["totalAmount"]) == (True, "0.00")
    assert (entry["items"][0]["available"], entry["items"][0]["errorCode"]) == (
        False,
        code,
    )
    created = (await create(caller, expected)).data
    assert (created["success"], created["errorCode"], created["orderList"]) == (
        False,
        code,
        [],
    )
    assert (await caller.books())["orders"] == []


async def test_the_minimum_counts_each_line_by_itself(caller: Caller) -> None:
    """Two SKUs with one piece each do not make the two pieces that the product asks
    for.
    """
    first, second = await caller.rows("poizon", limit=2, offset=2)
    lines = [await line(caller, row, 1) for row in (first, second)]
    items = (await preview(caller, *lines)).data["orders"][0]["items"]
    assert [item["errorCode"] for item in items] == [
        "BELOW_MIN_QUANTITY",
        "BELOW_MIN_QUANTITY",
    ]


@pytest.mark.parametrize("field", ["dwSkuId", "distSpuId", "distSkuId"])
async def test_the_four_ids_must_belong_together(
    caller: Caller, row: dict[str, Any], field: str
) -> None:
    """Otherwise there is no such SKU, and neither price nor stock."""
    expected = {**await line(caller, row), field: "1"}
    item = (await preview(caller, expected)).data["orders"][0]["items"][0]
    assert (item["errorCode"], item["price"], item["stock"]) == (
        "SKU_NOT_FOUND",
        None,
        None,
    )
    assert (await create(caller, expected)).data["errorCode"] == "SKU_NOT_FOUND"


async def test_what_is_wrong_with_the_order_as_a_whole(
    caller: Caller, row: dict[str, Any]
) -> None:
    """An unknown product, then an address outside China, then two sellers, before any
    line's code.
    """
    expected = {**await line(caller, row), "dwSkuId": "1"}
    second = await line(caller, (await caller.rows("poizon", limit=1, offset=1))[0])
    abroad = {**ADDRESS, "province": "California"}
    unknown = {**expected, "dwSpuId": "1"}
    for call in (preview, create):
        assert (await call(caller, unknown, shippingAddress=abroad)).refusal == (
            200,
            40401,
        )
        assert (await call(caller, expected, second, shippingAddress=abroad)).data[
            "errorCode"
        ] == "ADDRESS_INVALID"
        assert (await call(caller, expected, second)).data[
            "errorCode"
        ] == "SELLER_MISMATCH"
    assert (await preview(caller, expected, second)).data["orders"] == []


async def test_create(caller: Caller, row: dict[str, Any]) -> None:
    """An order is made, unpaid, under the caller's requestId."""
    created = (await create(caller, await line(caller, row))).data
    (order,) = created["orderList"]
    (item,) = order["orderItems"]
    assert (created["success"], created["requestId"]) == (True, "R-1")
    assert {name: value for name, value in order.items() if name != "orderItems"} == {
        "distOrderNo": "543629590080384075",
        "customerOrderNo": "OA00000001",
        "goodsAmount": "128.00",
        "freightAmount": "5.00",
        "totalAmount": "133.00",
        "currency": "CNY",
    }
    assert item["createTime"] == item["modifyTime"] > 1_700_000_000_000
    assert {
        name: value for name, value in item.items() if not name.endswith("Time")
    } == {
        "distSubOrderNo": "543629590080384076",
        "orderStatus": "UNPAID",
        "dwSpuId": "20011184",
        "dwSkuId": "600013404",
        "distSkuId": "9000001033957856",
        "title": "新款 牛仔 T恤 送礼 P10001",
        "quantity": 1,
        "price": "128.00",
        "realPayAmount": None,
        "currency": "CNY",
    }
    (stored,) = (await caller.books())["orders"]
    assert (stored["marketplace"], stored["reference"], stored["amount_fen"]) == (
        "poizon",
        "R-1",
        13_300,
    )
    assert (await caller.rows("poizon", limit=1))[0]["stock"] == 8512


async def test_request_id_makes_a_repeat_harmless(
    caller: Caller, row: dict[str, Any]
) -> None:
    """The same lines answer the first time again, even at another price; other lines
    are refused.
    """
    expected = await line(caller, row)
    first = (await create(caller, expected)).data
    await pay(caller, first["orderList"][0]["distOrderNo"])
    assert (await create(caller, {**expected, "price": 1})).data == first
    answer = (
        await create(
            caller, {**expected, "quantity": 2}, shippingAddress={**ADDRESS, "city": ""}
        )
    ).data
    assert (answer["success"], answer["errorCode"], answer["requestId"]) == (
        False,
        "DUPLICATE_REQUEST_ID",
        "R-1",
    )
    assert len((await caller.books())["orders"]) == 1


async def test_a_line_dearer_than_quoted_is_refused(
    caller: Caller, row: dict[str, Any]
) -> None:
    """The price of each line guards the purse, and the refused key can be used
    again.
    """
    expected = await line(caller, row)
    assert (await create(caller, {**expected, "price": 12_799})).data[
        "errorCode"
    ] == "PRICE_CHANGED"
    await fault(caller, CREATE, "price_change")
    assert (await create(caller, expected)).data["errorCode"] == "PRICE_CHANGED"
    assert (await create(caller, {**expected, "price": 14_080})).data["success"]


async def fault(caller: Caller, path: str, kind: str, **more: Any) -> None:
    rules = [{"path": path, "kind": kind, "times": 1, **more}]
    await caller.control("PUT", "faults", {"seed": 1, "rules": rules})


async def test_goods_from_both_depots_become_two_orders(caller: Caller) -> None:
    """Preview has two entries, create two orders under one requestId, and a repeat
    answers both.
    """
    rows = [
        (await caller.rows("poizon", limit=1, offset=index))[0]
        for index in (SECOND_DEPOT_ROW, ITS_SELLERS_ROW)
    ]
    lines = [await line(caller, row) for row in rows]
    previewed = (await preview(caller, *lines)).data["orders"]
    created = (await create(caller, *lines)).data
    amounts = [("44.00", "3.00"), ("275.00", "3.00")]
    assert [
        (order["goodsAmount"], order["freightAmount"]) for order in previewed
    ] == amounts
    assert [
        (order["goodsAmount"], order["freightAmount"]) for order in created["orderList"]
    ] == amounts
    assert (await create(caller, *reversed(lines))).data == created
    findings = [
        order["distOrderNo"] for order in await orders(caller, requestIds=["R-1"])
    ]
    assert findings == [
        order["distOrderNo"] for order in reversed(created["orderList"])
    ]


async def test_pay(caller: Caller, row: dict[str, Any]) -> None:
    """The wallet is debited once; a second time, and for an unknown order, it is
    refused.
    """
    order_id = await ordered(caller, row)
    assert (await pay(caller, order_id)).data == {
        "success": True,
        "distOrderNo": order_id,
        "realPayAmount": "133.00",
        "errorCode": None,
        "errorMessage": None,
    }
    repeated = (await pay(caller, order_id)).data
    assert (repeated["success"], repeated["realPayAmount"], repeated["errorCode"]) == (
        False,
        None,
        "ORDER_STATUS_ERROR",
    )
    assert (await pay(caller, "1")).refusal == (200, 40402)
    assert (await caller.books())["wallet"]["balance_fen"] == 100_000_000 - 13_300


async def test_pay_with_a_short_wallet(caller: Caller, row: dict[str, Any]) -> None:
    """Without enough money nothing is debited."""
    order_id = await ordered(caller, row)
    await caller.control("PUT", "wallet", {"balance_fen": 13_299})
    answer = (await pay(caller, order_id)).data
    assert (answer["success"], answer["errorCode"]) == (False, "BALANCE_NOT_ENOUGH")
    assert (await caller.books())["wallet"]["balance_fen"] == 13_299


async def test_price_change_on_an_unpaid_order(
    caller: Caller, row: dict[str, Any]
) -> None:
    """distOrderNo names the order: pay takes the new amount."""
    order_id = await ordered(caller, row)
    await fault(caller, PAY, "price_change")
    assert (await pay(caller, order_id)).data["realPayAmount"] == "145.80"


async def test_out_of_stock_by_distribution_id(
    caller: Caller, row: dict[str, Any]
) -> None:
    """distSpuId alone names the product, too."""
    await fault(caller, SEARCH, "out_of_stock")
    await caller.post(
        SEARCH,
        {"keyword": "", "pageNo": 1, "pageSize": 1, "distSpuId": "8000001144371502"},
    )
    assert (await caller.rows("poizon", limit=1))[0]["stock"] == 0


async def test_late_effects(caller: Caller, row: dict[str, Any]) -> None:
    """A late create finds the order of its key; a late pay debits a second time."""
    expected = await line(caller, row)
    await fault(caller, CREATE, "late_effect", delay_s=60)
    assert (await create(caller, expected)).refusal == (500, 500)
    order_id = await ordered(caller, row)
    await fault(caller, PAY, "late_effect", delay_s=60)
    assert (await pay(caller, order_id)).refusal == (500, 500)
    await pay(caller, order_id)
    await caller.advance(seconds=60)
    (order,) = (await caller.books())["orders"]
    assert (order["paid_times"], order["paid_fen"]) == (2, 26_600)


async def test_list_filters(caller: Caller, row: dict[str, Any]) -> None:
    """Orders are found by number, requestId, status and time in milliseconds; newest
    first.
    """
    ids = []
    for request_id in ("A", "B", "C"):
        ids.append(await ordered(caller, row, request_id))
        await caller.advance(hours=1)
    await pay(caller, ids[0])

    async def found(**filters: Any) -> list[str]:
        return [order["requestId"] for order in await orders(caller, **filters)]

    created = (await orders(caller, distOrderNos=[ids[1]]))[0]["createTime"]
    assert await found() == ["C", "B", "A"]
    assert await found(orderStatus="UNPAID") == ["C", "B"]
    assert await found(requestIds=["A", "C", "nobody's"]) == ["C", "A"]
    assert await found(createTimeStart=created, createTimeEnd=created) == ["B"]
    assert await found(distOrderNos=ids, createTimeEnd=created - 1) == ["A"]


async def test_life_until_the_door(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Paid, sent, at the warehouse, booked, reported: the list shows every parcel with
    its trace in milliseconds.
    """
    order_id = await ordered(caller, row)
    await pay(caller, order_id)
    (order,) = await orders(caller)
    assert (order["orderStatus"], order["realPayAmount"], order["logisticsList"]) == (
        "PAID",
        "133.00",
        [],
    )
    assert (
        order["orderItems"][0]["orderStatus"],
        order["orderItems"][0]["realPayAmount"],
    ) == ("PAID", "128.00")
    await caller.advance(days=5)
    (order,) = await orders(caller)
    (parcel,) = order["logisticsList"]
    assert (order["orderStatus"], parcel["traces"][0]["time"]) == (
        "SHIPPED",
        parcel["sentTime"],
    )
    assert (
        order["modifyTime"]
        == parcel["traces"][-1]["time"]
        > order["payTime"]
        >= order["createTime"]
    )
    booking = await buyer.book(order_id, row)
    report = buyer.report(booking, order_id, row, parcel["expressNo"])
    await caller.post("/open/pp/logistics/updateLogisticInfo", report)
    await caller.advance(days=12)
    (abroad,) = (await orders(caller))[0]["internationalLogistics"]
    assert (abroad["orderId"], abroad["logisticNumer"]) == (
        booking["orderId"],
        "FARJP2408000101YQ",
    )
    assert abroad["traces"][0]["status"] == "ACCEPT"
    assert abroad["traces"][-1]["desc"] == "收件人已签收"


async def test_an_unpaid_order_closes(caller: Caller, row: dict[str, Any]) -> None:
    """After 24 hours it is closed and its goods are back."""
    await ordered(caller, row)
    await caller.advance(hours=24)
    (order,) = await orders(caller)
    assert (order["orderStatus"], order["closeReason"], order["payTime"]) == (
        "CLOSED",
        "BUYER_NO_PAY",
        None,
    )
    assert (await caller.rows("poizon", limit=1))[0]["stock"] == 8513


async def test_first_answers_survive_a_restart(tmp_path: Path) -> None:
    """A repeat in another process gets the first answer, and the list shows the same
    order.
    """
    answers = []
    for _ in range(2):
        async with opened(tmp_path / "sandbox.db") as caller:
            row = (await caller.rows("poizon", limit=1))[0]
            answers.append(
                [
                    (await create(caller, await line(caller, row))).data,
                    await orders(caller),
                ]
            )
    assert answers[0] == answers[1]
