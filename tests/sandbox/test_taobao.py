"""Taobao: find, render, create, pay, list; and everything that is refused on the
way.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import pytest

from tests.sandbox.buyer import RECEIVER, WAREHOUSE, Buyer
from tests.sandbox.client import Caller

CREATE = "/open/purchase/create/v2"
PAGE = "/open/purchase/page"


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    """复古 真丝 卫衣 送礼 T10003: 24.06 yuan, postage 5 yuan."""
    return (await caller.rows("taobao", limit=1, offset=2))[0]


async def page(caller: Caller, **filters: Any) -> Any:
    return (await caller.post(PAGE, {"pageNo": 1, "pageSize": 50, **filters})).data


async def test_search_finds_titles_that_hold_every_word(caller: Caller) -> None:
    """All words must occur; the answer is a page of products with fen prices."""
    result = (
        await caller.post(
            "/open/product/search",
            {"keyword": "卫衣 T10003", "pageNo": 1, "pageSize": 10},
        )
    ).data
    assert result == {
        "totalRecords": 1,
        "totalPage": 1,
        "pageSize": 10,
        "currentPage": 1,
        "data": [
            {
                "itemId": 600285803490,
                "title": "复古 真丝 卫衣 送礼 T10003",
                "picUrl": "https://img.alicdn.com/imgextra/600285803490.jpg",
                "price": 2406,
                "shopId": "57303740",
                "shopName": "义乌工厂店21号",
                "quantity": 106081,
            }
        ],
    }


async def test_search_bounds_and_sorts_by_price(caller: Caller) -> None:
    """priceStart and priceEnd are fen and included; sort orders by the cheapest SKU."""
    calls = {
        "keyword": "保温杯",
        "pageNo": 1,
        "pageSize": 50,
        "priceStart": 1000,
        "priceEnd": 2000,
    }
    result = (
        await caller.post("/open/product/search", {**calls, "sort": "price_asc"})
    ).data["data"]
    prices = [product["price"] for product in result]
    assert prices == sorted(prices)
    assert prices[0] >= 1000
    assert prices[-1] <= 2000


async def test_search_pages_do_not_overlap(caller: Caller) -> None:
    """Every product of a search is on exactly one page."""
    observed: list[int] = []
    for number in (1, 2, 3):
        body = {"keyword": "保温杯", "pageNo": number, "pageSize": 20}
        observed += [
            product["itemId"]
            for product in (await caller.post("/open/product/search", body)).data[
                "data"
            ]
        ]
    assert (len(observed), len(set(observed))) == (49, 49)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"keyword": ""}, "keyword"),
        ({"pageNo": 0}, "pageNo"),
        ({"pageSize": 51}, "pageSize"),
        ({"pageSize": "10"}, "pageSize"),
        ({"sort": "random"}, "sort"),
    ],
)
async def test_search_names_the_bad_field(
    caller: Caller, change: dict[str, Any], field: str
) -> None:
    """A bad field is refused with HTTP 400, code 40001 and its name."""
    answer = await caller.post(
        "/open/product/search", {"keyword": "杯", "pageNo": 1, "pageSize": 10, **change}
    )
    assert answer.refusal == (400, 40001)
    assert answer.body["msg"].startswith(f"{field}: ")


async def test_product_by_id(caller: Caller, row: dict[str, Any]) -> None:
    """A product shows its distribution ids and its SKUs, amounts in fen."""
    product = (await caller.get("/open/product/get", itemId="600285803490")).data
    assert (product["itemId"], product["mpId"]) == (600285803490, "3000003491890505")
    assert (product["status"], product["beginAmount"], product["price"]) == (
        "active",
        1,
        2406,
    )
    first = product["skuList"][0]
    assert (first["skuId"], first["mpSkuId"]) == ("3403039759040", "7000015464042973")
    assert (first["price"], first["postFee"], first["quantity"]) == (2406, 500, 34997)
    assert first["properties"][0]["propName"] == "颜色"


async def test_unknown_product(caller: Caller) -> None:
    """A product that does not exist is 40401 with HTTP 200."""
    assert (await caller.get("/open/product/get", itemId="1")).refusal == (200, 40401)


async def test_mapping_ids(caller: Caller, row: dict[str, Any]) -> None:
    """Known items get their distribution ids, the others a reason."""
    calls = [
        {"itemId": row["item_id"], "skuIds": [row["sku_id"]]},
        {"itemId": "1", "skuIds": []},
    ]
    mapped = (
        await caller.post(
            "/open/product/batch/check", {"params": orjson.dumps(calls).decode()}
        )
    ).data
    assert mapped == {
        "mpProducts": [
            {
                "itemId": "600285803490",
                "mpId": "3000003491890505",
                "skuList": [{"skuId": "3403039759040", "mpSkuId": "7000015464042973"}],
            }
        ],
        "noMpProductItemIds": ["1"],
        "noMpReasonList": [{"itemId": "1", "reason": "item does not exist"}],
    }


async def test_mapping_takes_twenty_items_at_most(caller: Caller) -> None:
    """The twenty-first item is a bad request, as is a list that is no JSON text."""
    query = orjson.dumps([{"itemId": str(number)} for number in range(21)]).decode()
    assert (
        await caller.post("/open/product/batch/check", {"params": query})
    ).refusal == (400, 40001)
    assert (
        await caller.post("/open/product/batch/check", {"params": [{"itemId": "1"}]})
    ).refusal == (400, 40001)


async def test_render_has_one_entry_a_seller(caller: Caller, buyer: Buyer) -> None:
    """Two sellers make two entries, each with its own postage."""
    rows = await caller.rows("taobao", limit=40, offset=2)
    first = rows[0]
    second = next(row for row in rows if row["seller_id"] != first["seller_id"])
    lines = [await buyer.taobao_line(first, 2), await buyer.taobao_line(second)]
    rendered = await render(caller, lines)
    assert len(rendered) == 2
    entry = next(
        entry for entry in rendered if entry["lines"][0]["itemId"] == lines[0]["itemId"]
    )
    assert entry == {
        "supplierNick": "义乌工厂店21号_taobao",
        "productAmount": 4812,
        "domesticPostFee": 500,
        "purchaseAmount": 5312,
        "currency": "CNY",
        "lines": [
            {
                "itemId": "3000003491890505",
                "skuId": "7000015464042973",
                "quantity": 2,
                "price": 2406,
                "available": True,
                "stock": 34997,
                "minQuantity": 1,
                "errorCode": None,
                "errorMessage": None,
            }
        ],
    }


async def render(caller: Caller, lines: list[dict[str, Any]]) -> Any:
    body = {
        "receiver": RECEIVER,
        "warehouseAddress": WAREHOUSE,
        "renderItemList": orjson.dumps(lines).decode(),
    }
    return (await caller.post("/open/purchase/render", body)).data["orders"]


async def test_render_tells_which_line_cannot_be_bought(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A line over the stock is marked and does not count in the amounts."""
    line = await buyer.taobao_line(row)
    rendered = await render(
        caller, [line, {**line, "quantity": 34_997}, {**line, "skuId": "1"}]
    )
    assert [entry["errorCode"] for entry in rendered[0]["lines"]] == [
        "OUT_OF_STOCK",
        "OUT_OF_STOCK",
        "SKU_NOT_FOUND",
    ]
    assert rendered[0]["purchaseAmount"] == 0


@pytest.mark.parametrize(
    ("place", "problem"),
    [(4_297, "ITEM_OFFLINE"), (4_228, "OUT_OF_STOCK")],
    ids=["offline", "sold out"],
)
async def test_special_items_after_the_first(
    caller: Caller, buyer: Buyer, place: int, problem: str
) -> None:
    """Offline and sold-out items are in the listing but refused by render."""
    row = (await caller.rows("taobao"))[place]
    rendered = await render(caller, [await buyer.taobao_line(row)])
    assert rendered[0]["lines"][0]["errorCode"] == problem
    assert not rendered[0]["lines"][0]["available"]


async def test_below_minimum_quantity(caller: Caller, buyer: Buyer) -> None:
    """One of an item that sells from two is refused."""
    row = next(row for row in await caller.rows("taobao") if row["min_quantity"] == 2)
    rendered = await render(caller, [await buyer.taobao_line(row, 1)])
    assert rendered[0]["lines"][0]["errorCode"] == "BELOW_MIN_QUANTITY"


async def test_own_ids_are_not_distribution_ids(
    caller: Caller, row: dict[str, Any]
) -> None:
    """Ordering with Taobao's ids instead of the distribution's finds nothing."""
    line = {"itemId": row["item_id"], "skuId": row["sku_id"], "quantity": 1}
    body = {
        "receiver": RECEIVER,
        "warehouseAddress": WAREHOUSE,
        "renderItemList": orjson.dumps([line]).decode(),
    }
    assert (await caller.post("/open/purchase/render", body)).refusal == (200, 40401)


async def test_create_answers_with_the_order(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """The answer names the order, its amount and its lines."""
    created = (
        await caller.post(CREATE, await buyer.taobao_create_body(row, quantity=2))
    ).data
    order = created["orderList"][0]
    assert (created["success"], created["outerPurchaseId"], created["errorCode"]) == (
        True,
        "R-1",
        None,
    )
    assert order["purchaseId"] == "205302264452352630"
    assert (
        order["estimateAmount"],
        order["estimateCurrency"],
        order["sourceMarket"],
    ) == (5312, "CNY", "taobao")
    assert order["orderLineList"] == [
        {
            "itemId": "3000003491890505",
            "skuId": "7000015464042973",
            "orderLineNo": "1",
            "quantity": 2,
            "estimateAmount": 5312,
            "estimateCurrency": "CNY",
            "subPurchaseOrderId": "205302264452352631",
        }
    ]
    books = (await caller.books())["orders"][0]
    assert (books["marketplace"], books["reference"], books["amount_fen"]) == (
        "taobao",
        "R-1",
        5312,
    )
    assert (books["status"], books["paid_fen"], books["paid_times"]) == (12, 0, 0)


async def test_create_takes_from_the_stock(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """What is ordered cannot be ordered by anybody else."""
    await caller.post(CREATE, await buyer.taobao_create_body(row, quantity=7))
    assert (await caller.rows("taobao", limit=1, offset=2))[0]["stock"] == 34_990


async def test_same_key_and_lines_answer_with_the_first_order(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """outerPurchaseId is the idempotency key."""
    body = await buyer.taobao_create_body(row)
    first = (await caller.post(CREATE, body)).data
    second = (await caller.post(CREATE, body)).data
    assert first == second
    assert len((await caller.books())["orders"]) == 1


async def test_same_key_with_other_lines_is_refused(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A key cannot be used for another order."""
    await buyer.create_taobao(row)
    refused = (
        await caller.post(CREATE, await buyer.taobao_create_body(row, quantity=2))
    ).data
    assert (refused["success"], refused["errorCode"], refused["orderList"]) == (
        False,
        "DUPLICATE_OUTER_ID",
        [],
    )


async def test_create_refuses_to_cost_more_than_planned(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """One fen over purchaseAmount, postage included, is too much."""
    refused = (
        await caller.post(CREATE, await buyer.taobao_create_body(row, amount=2905))
    ).data
    assert (refused["success"], refused["errorCode"]) == (False, "PRICE_CHANGED")
    assert (
        await caller.post(CREATE, await buyer.taobao_create_body(row, amount=2906))
    ).data["success"]


async def test_create_takes_one_seller(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Lines of two sellers are not one order."""
    second = next(
        row_
        for row_ in await caller.rows("taobao")
        if row_["seller_id"] != row["seller_id"]
    )
    refused = (
        await caller.post(CREATE, await buyer.taobao_create_body(row, second))
    ).data
    assert refused["errorCode"] == "SELLER_MISMATCH"


@pytest.mark.parametrize("missing", ["country", "state", "city", "address", "name"])
async def test_create_needs_a_full_address(
    caller: Caller, buyer: Buyer, row: dict[str, Any], missing: str
) -> None:
    """A receiver without one of its parts is refused, and nothing is ordered."""
    body = await buyer.taobao_create_body(row)
    refused = (
        await caller.post(CREATE, {**body, "receiver": {**RECEIVER, missing: " "}})
    ).data
    assert (refused["success"], refused["errorCode"]) == (False, "ADDRESS_INVALID")
    assert (await caller.books())["orders"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outerPurchaseId": None}, "outerPurchaseId"),
        ({"purchaseAmount": 29.06}, "purchaseAmount"),
        ({"channelOrderType": "NORMAL"}, "channelOrderType"),
        ({"supportPartialSuccess": True}, "supportPartialSuccess"),
        ({"orderLineList": "[]"}, "orderLineList"),
        ({"orderLineList": "nonsense"}, "orderLineList"),
        ({"warehouseAddressInfo": None}, "warehouseAddressInfo"),
    ],
)
async def test_create_names_the_bad_field(
    caller: Caller,
    buyer: Buyer,
    row: dict[str, Any],
    change: dict[str, Any],
    field: str,
) -> None:
    """A form that cannot be read is a bad request, not a refusal of the order."""
    answer = await caller.post(
        CREATE, {**await buyer.taobao_create_body(row), **change}
    )
    assert answer.refusal == (400, 40001)
    assert answer.body["msg"].startswith(f"{field}: ")


async def test_pay_debits_the_wallet_once(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A paid order is refused when paid again; the wallet is debited once."""
    order_id = await buyer.create_taobao(row)
    assert (await buyer.pay_taobao(order_id))["willPayPurchaseOrderIds"] == [order_id]
    pay_taobao = await buyer.pay_taobao(order_id, "1")
    assert pay_taobao["willPayPurchaseOrderIds"] == []
    assert [
        (failed["gspOrderId"], failed["errorCode"])
        for failed in pay_taobao["payFailedResults"]
    ] == [
        (order_id, "ORDER_STATUS_ERROR"),
        ("1", "ORDER_NOT_EXIST"),
    ]
    books = await caller.books()
    assert books["wallet"] == {"opening_fen": 100_000_000, "balance_fen": 99_997_094}
    assert [
        (payment["order_id"], payment["amount_fen"]) for payment in books["payments"]
    ] == [(order_id, 2906)]
    assert (books["orders"][0]["paid_fen"], books["orders"][0]["paid_times"]) == (
        2906,
        1,
    )


async def test_pay_stops_where_the_balance_ends(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Of two orders, only the one that the balance covers is paid."""
    first = await buyer.create_taobao(row, reference="A")
    second = await buyer.create_taobao(row, reference="B")
    await caller.control("PUT", "wallet", {"balance_fen": 3000})
    paid = await buyer.pay_taobao(first, second)
    assert paid["willPayPurchaseOrderIds"] == [first]
    assert paid["payFailedResults"][0]["errorCode"] == "BALANCE_NOT_ENOUGH"


async def test_pay_takes_ten_orders_at_most(caller: Caller) -> None:
    """Eleven ids, and none, are bad requests."""
    path = "/open/purchase/pay"
    ids = [str(number) for number in range(11)]
    assert (await caller.post(path, {"purchaseOrderIdList": ids})).refusal == (
        400,
        40001,
    )
    assert (await caller.post(path, {"purchaseOrderIdList": []})).refusal == (
        400,
        40001,
    )


async def test_an_order_in_the_list(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A listed order shows what was ordered and what was paid."""
    order_id = await buyer.create_taobao(row)
    await buyer.pay_taobao(order_id)
    listed = (await page(caller, outerPurchaseId="R-1"))["data"]
    order = listed[0]
    assert (order["purchaseId"], order["outerPurchaseId"], order["status"]) == (
        order_id,
        "R-1",
        10,
    )
    assert (
        order["purchaseAmount"],
        order["productAmount"],
        order["domesticPostFee"],
    ) == (2906, 2406, 500)
    assert (order["payAmount"], order["supplierNick"]) == (
        2906,
        "义乌工厂店21号_taobao",
    )
    line = order["subPurchaseOrders"][0]
    assert (line["itemId"], line["skuId"], line["quantity"]) == (
        "600285803490",
        "3403039759040",
        1,
    )
    assert (line["refundStatus"], line["purchaseAmount"]) == (0, 2906)
    assert (line["logisticOrders"], line["internationalLogisticOrders"]) == ([], [])
    assert (
        await caller.get("/open/order/detail/get", purchaseOrderId=order_id)
    ).data == order


async def test_building_lasts_two_seconds(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A new order is 12 for two seconds, then 0."""
    await buyer.create_taobao(row)
    assert (await page(caller))["data"][0]["status"] == 12
    await caller.advance(seconds=2)
    assert (await page(caller))["data"][0]["status"] == 0


async def test_list_filters(caller: Caller, buyer: Buyer, row: dict[str, Any]) -> None:
    """Orders are found by reference, by ids, by status and by time of creation; newest
    first.
    """
    ids = []
    for reference in ("A", "B", "C"):
        ids.append(await buyer.create_taobao(row, reference=reference))
        await caller.advance(hours=1)
    await buyer.pay_taobao(ids[0])

    async def found(**filters: Any) -> list[str]:
        return [
            order["purchaseId"] for order in (await page(caller, **filters))["data"]
        ]

    assert await found() == ids[::-1]
    assert await found(sortField="modify_time", sortType="DESC") == [
        ids[0],
        ids[2],
        ids[1],
    ]
    assert await found(sortType="ASC") == ids
    assert await found(outerPurchaseId="B") == [ids[1]]
    assert await found(outerPurchaseId="D") == []
    assert await found(purchaseIds=[ids[0], ids[2], "1"]) == [ids[2], ids[0]]
    assert await found(status=10) == [ids[0]]
    created = [order["created_at"] for order in (await caller.books())["orders"]]
    assert created == sorted(created)
    start = _milliseconds(created[1])
    assert await found(createTimeStart=start) == [ids[2], ids[1]]
    assert await found(createTimeEnd=start - 1) == [ids[0]]
    assert (await page(caller, pageSize=2))["totalPage"] == 2


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


async def test_unknown_orders(caller: Caller) -> None:
    """An order that does not exist is 40402."""
    assert (
        await caller.get("/open/order/detail/get", purchaseOrderId="1")
    ).refusal == (200, 40402)
    answer = await caller.get(
        "/open/order/logistics/detail/get", subPurchaseOrderId="1"
    )
    assert answer.refusal == (200, 40402)
