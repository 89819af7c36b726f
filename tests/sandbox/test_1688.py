"""1688: find, preview, create, pay, list; and everything that is refused on the way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.buyer import ALIBABA_ADDRESS, Buyer
from tests.sandbox.client import Caller

PREVIEW = "/alibaba/order/create/preview"
CREATE = "/alibaba/order/create"
DETAIL = "/alibaba/order/detail"


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    """可折叠 磁力 公仔 儿童 A10001: from 10 pieces at 1.28 yuan, from 50 at 0.07 less;
    postage 5 yuan.
    """
    return (await caller.rows("1688", limit=1))[0]


async def test_keyword_query(caller: Caller) -> None:
    """Every word must occur; prices are yuan as text."""
    body = {"keyword": "公仔 A10001", "beginPage": 1, "pageSize": 10, "country": "en"}
    result = (await caller.post("/alibaba/product/keywords/query", body)).data
    assert (
        result["totalRecords"],
        result["totalPage"],
        result["pageSize"],
        result["currentPage"],
    ) == (1, 1, 10, 1)
    offer = result["data"][0]
    assert (offer["offerId"], offer["subject"]) == (
        810123033546,
        "可折叠 磁力 公仔 儿童 A10001",
    )
    assert offer["subjectTrans"] == "Foldable Magnetic Doll for children A10001"
    assert offer["priceInfo"] == {"price": "1.28"}
    assert (offer["isJxhy"], offer["sellerOpenId"]) == (
        False,
        "BBBa94e9b1ed86be77c3df15f78",
    )


async def test_keyword_query_bounds_are_yuan(caller: Caller) -> None:
    """priceStart and priceEnd speak yuan, as text or number; sort is a JSON text."""
    body = {
        "keyword": "公仔",
        "beginPage": 1,
        "pageSize": 50,
        "country": "en",
        "sort": '{"price":"desc"}',
    }
    result = (
        await caller.post(
            "/alibaba/product/keywords/query",
            {**body, "priceStart": "1.50", "priceEnd": 3},
        )
    ).data
    prices = [float(offer["priceInfo"]["price"]) for offer in result["data"]]
    assert prices == sorted(prices, reverse=True)
    assert prices[0] <= 3
    assert prices[-1] >= 1.5


async def test_bad_sort_is_named(caller: Caller) -> None:
    """A sort that is no JSON text is a bad request."""
    body = {"keyword": "公仔", "beginPage": 1, "pageSize": 50, "sort": "price"}
    answer = await caller.post("/alibaba/product/keywords/query", body)
    assert answer.refusal == (400, 40001)
    assert answer.body["msg"].startswith("sort: ")


async def test_details(caller: Caller, row: dict[str, Any]) -> None:
    """An offer shows its minimum, its volume prices and its SKUs; offerId and skuId are
    numbers.
    """
    offer = (
        await caller.post(
            "/alibaba/product/detail/get", {"offerId": row["item_id"], "country": "en"}
        )
    ).data
    assert (offer["offerId"], offer["status"], offer["minOrderQuantity"]) == (
        810123033546,
        "published",
        10,
    )
    assert offer["productSaleInfo"]["priceRangeList"] == [
        {"startQuantity": 10, "price": "1.28"},
        {"startQuantity": 50, "price": "1.21"},
        {"startQuantity": 200, "price": "1.15"},
    ]
    assert offer["productSkuInfos"][0] == {
        "skuId": 5000209932389,
        "specId": "35f72316eade7e2e706c0ca08f417b3f",
        "price": "1.28",
        "amountOnSale": 23312,
        "skuAttributes": [
            {"attributeName": "颜色", "value": "蓝色"},
            {"attributeName": "尺码", "value": "XL"},
        ],
        "skuImageUrl": "https://cbu01.alicdn.com/img/ibank/5000209932389.jpg",
    }


async def test_unknown_offer(caller: Caller) -> None:
    """An offer that does not exist is 40401, in details and in preview."""
    assert (
        await caller.post(
            "/alibaba/product/detail/get", {"offerId": 1, "country": "en"}
        )
    ).refusal == (200, 40401)
    cargo = [{"offerId": 1, "specId": "x", "quantity": 1}]
    body = {"addressParam": ALIBABA_ADDRESS, "cargoParamList": cargo}
    assert (await caller.post(PREVIEW, body)).refusal == (200, 40401)


async def test_preview_counts_fen_and_yuan(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Sums are fen, lines are yuan; a quantity may be written 10.0."""
    body = buyer.cargo(row)
    body["cargoParamList"][0]["quantity"] = 10.0
    preview = (await caller.post(PREVIEW, body)).data
    assert (preview["success"], preview["errorCode"]) == (True, None)
    entry = preview["orderPreviewResuslt"][0]
    assert (
        entry["sumPayment"],
        entry["sumCarriage"],
        entry["sumPaymentNoCarriage"],
    ) == (1780, 500, 1280)
    assert (entry["flowFlag"], entry["tradeModeNameList"]) == (
        "general",
        ["assureTrade"],
    )
    line = entry["cargoList"][0]
    assert (line["offerId"], line["skuId"]) == (810123033546, 5000209932389)
    assert (line["amount"], line["finalUnitPrice"]) == (12.8, 1.28)


async def test_volume_price_counts_all_skus_of_the_offer(
    caller: Caller, buyer: Buyer
) -> None:
    """Two SKUs with 25 each reach the price for 50, less the same discount on each
    SKU's own price.
    """
    first, second = await caller.rows("1688", limit=2)
    preview = (await caller.post(PREVIEW, buyer.cargo(first, second, quantity=25))).data
    units = [
        line["finalUnitPrice"]
        for line in preview["orderPreviewResuslt"][0]["cargoList"]
    ]
    assert units == [1.21, 1.31]


async def refused_with(caller: Caller, body: dict[str, Any]) -> tuple[str, str]:
    """The codes with which preview and create refuse."""
    preview = (await caller.post(PREVIEW, body)).data
    created = (
        await caller.post(CREATE, {**body, "flow": "general", "message": "R"})
    ).data
    assert (preview["success"], preview["orderPreviewResuslt"]) == (False, [])
    assert (created["success"], created["orderId"], created["orderList"]) == (
        False,
        None,
        [],
    )
    return preview["errorCode"], created["failedOfferList"][0]["errorCode"]


async def test_refusals(caller: Caller, buyer: Buyer, row: dict[str, Any]) -> None:
    """Each reason has its upstream code, the same in preview and create; nothing is
    ordered.
    """
    rows = await caller.rows("1688")
    second = next(row_ for row_ in rows if row_["seller_id"] != row["seller_id"])
    offline = rows[4_299]
    assert await refused_with(caller, buyer.cargo(offline)) == ("500_001", "500_001")
    assert await refused_with(caller, buyer.cargo(row, second)) == (
        "500_002",
        "500_002",
    )
    assert await refused_with(caller, buyer.cargo({**row, "spec_id": "0" * 32})) == (
        "500_003",
        "500_003",
    )
    assert await refused_with(caller, buyer.cargo(row, quantity=23_313)) == (
        "500_004",
        "500_004",
    )
    assert await refused_with(caller, buyer.cargo(row, quantity=9)) == (
        "500_005",
        "500_005",
    )
    assert (await caller.books())["orders"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"fullName": ""},
        {"mobile": ""},
        {"cityText": ""},
        {"address": ""},
        {"provinceText": "California"},
    ],
)
async def test_invalid_address(
    caller: Caller, buyer: Buyer, row: dict[str, Any], change: dict[str, str]
) -> None:
    """An address that no parcel in China reaches is refused with the upstream's
    words.
    """
    body = {
        **buyer.cargo(row),
        "addressParam": {**ALIBABA_ADDRESS, **change},
        "flow": "general",
        "message": "R",
    }
    for path in (PREVIEW, CREATE):
        answer = await caller.post(path, body)
        assert answer.refusal == (200, 400)
        assert answer.body["msg"] == "AddressId invalid"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"flow": "fenxiao"}, 400, 40001),
        ({"flow": None}, 400, 40001),
        ({"tradeType": "period"}, 200, 400),
        ({"cargoParamList": []}, 400, 40001),
        (
            {
                "cargoParamList": [
                    {"offerId": 810123033546, "specId": "x", "quantity": 1.5}
                ]
            },
            400,
            40001,
        ),
        (
            {"cargoParamList": [{"offerId": 8.1e11, "specId": "x", "quantity": 1}]},
            400,
            40001,
        ),
    ],
)
async def test_create_form(
    caller: Caller,
    buyer: Buyer,
    row: dict[str, Any],
    change: dict[str, Any],
    status: int,
    code: int,
) -> None:
    """A create that cannot be read, or asks for what is not offered, is refused as a
    whole.
    """
    body = {**buyer.cargo(row), "flow": "general", "message": "R", **change}
    assert (await caller.post(CREATE, body)).refusal == (status, code)


async def test_create_has_no_idempotency(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """The same request twice makes two orders with ids beyond what a float holds."""
    first = await buyer.create_1688(row)
    second = await buyer.create_1688(row)
    assert (first, second) == ("2612179450800013491", "2612179450801013494")
    assert int(float(first)) != int(first)
    books = (await caller.books())["orders"]
    assert [
        (order["marketplace"], order["reference"], order["amount_fen"])
        for order in books
    ] == [
        ("1688", "R-1", 1780),
        ("1688", "R-1", 1780),
    ]
    assert (await caller.rows("1688", limit=1))[0]["stock"] == row["stock"] - 20


async def test_pay(caller: Caller, buyer: Buyer, row: dict[str, Any]) -> None:
    """An unpaid order is debited at once; a second time it is refused."""
    order_id = await buyer.create_1688(row)
    assert (await buyer.pay_1688(order_id)).data == {
        "orderId": order_id,
        "protocolPaySuccess": True,
        "payUrl": None,
        "cantPayOrderList": [],
    }
    answer = await buyer.pay_1688(order_id)
    assert (answer.refusal, answer.body["msg"]) == ((200, 400), "ORDER_STATUS_ERROR")
    assert (await caller.books())["wallet"]["balance_fen"] == 100_000_000 - 1780


async def test_pay_with_a_short_wallet(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Without enough money there is a cashier's address instead, and nothing is
    debited.
    """
    order_id = await buyer.create_1688(row)
    await caller.control("PUT", "wallet", {"balance_fen": 1779})
    answer = (await buyer.pay_1688(order_id)).data
    assert answer["protocolPaySuccess"] is False
    assert (
        answer["payUrl"]
        == f"https://trade.1688.com/order/cashier.htm?orderId={order_id}"
    )
    assert (await caller.books())["wallet"]["balance_fen"] == 1779


async def test_an_order_in_list_and_details(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A listed order carries our reference and amounts in yuan; details show the
    same.
    """
    order_id = await buyer.create_1688(row, reference="R-77")
    await buyer.pay_1688(order_id)
    listed = (
        await caller.post("/v2/alibaba/order/page", {"page": 1, "pageSize": 50})
    ).data
    assert (listed["totalRecord"], listed["page"], listed["pageSize"]) == (1, 1, 50)
    order = listed["result"][0]
    info = order["baseInfo"]
    assert (info["id"], info["idOfStr"], info["status"]) == (
        int(order_id),
        order_id,
        "waitsellersend",
    )
    assert (info["totalAmount"], info["sumProductPayment"], info["shippingFee"]) == (
        17.8,
        12.8,
        5.0,
    )
    assert (info["buyerFeedback"], info["closeReason"], info["allDeliveredTime"]) == (
        "R-77",
        None,
        None,
    )
    assert info["createTime"].endswith("+0800")
    assert len(info["createTime"]) == 22
    item = order["productItems"][0]
    assert (item["productID"], item["skuID"], item["quantity"]) == (
        810123033546,
        5000209932389,
        10,
    )
    assert (item["price"], item["itemAmount"]) == (1.28, 12.8)
    assert order["nativeLogistics"] == {"logisticsItems": []}
    assert order["internationalLogistics"] == []
    assert (
        await caller.post(DETAIL, {"webSite": "1688", "orderId": order_id})
    ).data == order


async def test_list_filters(caller: Caller, buyer: Buyer, row: dict[str, Any]) -> None:
    """Orders are found by status and by time of creation; newest first."""
    ids = []
    for reference in ("A", "B", "C"):
        ids.append(await buyer.create_1688(row, reference=reference))
        await caller.advance(hours=1)
    await buyer.pay_1688(ids[1])

    async def found(**filters: Any) -> list[str]:
        answer = await caller.post(
            "/v2/alibaba/order/page", {"page": 1, "pageSize": 50, **filters}
        )
        return [order["baseInfo"]["idOfStr"] for order in answer.data["result"]]

    orders = (
        await caller.post("/v2/alibaba/order/page", {"page": 1, "pageSize": 50})
    ).data["result"]
    stamp = orders[1]["baseInfo"]["createTime"]
    second = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]} {stamp[8:10]}:{stamp[10:12]}:{stamp[12:14]}"
    assert await found() == ids[::-1]
    assert await found(orderStatus="waitbuyerpay") == [ids[2], ids[0]]
    assert await found(createStartTime=second) == [ids[2], ids[1]]
    assert await found(createEndTime=second) == [ids[1], ids[0]]
    assert await found(createStartTime=second, createEndTime=second) == [ids[1]]
    answer = await caller.post(
        "/v2/alibaba/order/page", {"page": 1, "pageSize": 50, "createStartTime": stamp}
    )
    assert answer.refusal == (400, 40001)


async def test_unknown_order(caller: Caller) -> None:
    """An order that does not exist is 40402 everywhere."""
    assert (await caller.post(DETAIL, {"webSite": "1688", "orderId": "1"})).refusal == (
        200,
        40402,
    )
    assert (
        await caller.post(DETAIL, {"webSite": "taobao", "orderId": "1"})
    ).refusal == (400, 40001)
    assert (await caller.get("/alibaba/order/pay/url", orderId="1")).refusal == (
        200,
        40402,
    )
    assert (
        await caller.get("/alibaba/order/logistics/trace/get", orderId="1")
    ).refusal == (200, 40402)


async def test_marketplaces_do_not_mix(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A 1688 order does not exist for Taobao."""
    order_id = await buyer.create_1688(row)
    assert (await buyer.pay_taobao(order_id))["payFailedResults"][0][
        "errorCode"
    ] == "ORDER_NOT_EXIST"
