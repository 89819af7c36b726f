"""Both carts: rows in, rows out, previews and orders of some of them; and the account's
addresses.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.sandbox.buyer import ALIBABA_ADDRESS, RECEIVER, Buyer
from tests.sandbox.client import Caller

ADDRESS = {
    **{name: text for name, text in RECEIVER.items() if name != "mobilePhone"},
    "mobile_phone": "5083326888",
}


@pytest.fixture
async def taobao(caller: Caller) -> list[dict[str, Any]]:
    """Rows of two sellers, the first one 复古 真丝 卫衣 送礼 T10003."""
    rows = await caller.rows("taobao", limit=200)
    return [
        rows[2],
        next(row for row in rows if row["seller_id"] != rows[2]["seller_id"]),
    ]


@pytest.fixture
async def alibaba(caller: Caller) -> list[dict[str, Any]]:
    rows = await caller.rows("1688", limit=200)
    return [
        rows[0],
        next(row for row in rows if row["seller_id"] != rows[0]["seller_id"]),
    ]


async def taobao_row(
    caller: Caller, row: dict[str, Any], quantity: int = 1
) -> dict[str, Any]:
    product = (await caller.get("/open/product/get", itemId=row["item_id"])).data
    sku = next(sku for sku in product["skuList"] if sku["skuId"] == row["sku_id"])
    return {
        "itemId": product["itemId"],
        "skuId": sku["skuId"],
        "mpId": product["mpId"],
        "mpSkuId": sku["mpSkuId"],
        "itemTitle": "any",
        "itemPic": "any",
        "price": 1,
        "quantity": quantity,
        "shopId": 1,
        "shopName": "any",
    }


async def add_taobao(caller: Caller, row: dict[str, Any], quantity: int = 1) -> int:
    number: int = (
        await caller.post("/open/cart/add", await taobao_row(caller, row, quantity))
    ).data
    return number


async def add_1688(
    caller: Caller, row: dict[str, Any], quantity: int | None = None
) -> int:
    body = {
        "offerId": row["item_id"],
        "specId": row["spec_id"],
        "quantity": quantity or row["min_quantity"],
    }
    number: int = (await caller.post("/alibaba/cart/add", body)).data
    return number


async def test_the_taobao_cart_shows_todays_goods(
    caller: Caller, taobao: list[dict[str, Any]]
) -> None:
    """Adding the same SKU again adds to its row; prices and texts of the request are
    never used.
    """
    first = await add_taobao(caller, taobao[0], 2)
    assert await add_taobao(caller, taobao[0], 3) == first
    await add_taobao(caller, taobao[1])
    cart = (await caller.get("/open/cart/list")).data
    assert [shop["shopId"] for shop in cart["enableList"]] == [
        row["seller_id"] for row in taobao
    ]
    listing = cart["enableList"][0]["cartItemInfos"][0]
    assert (listing["id"], listing["quantity"], listing["price"]) == (
        first,
        5,
        taobao[0]["price_fen"],
    )
    assert (listing["itemId"], listing["skuQuantity"]) == (
        "600285803490",
        taobao[0]["stock"],
    )
    assert orjson.loads(listing["properties"])[0]["propName"] == "颜色"
    assert cart["disableList"] == []


async def test_sold_out_rows_are_disabled(
    caller: Caller, taobao: list[dict[str, Any]], alibaba: list[dict[str, Any]]
) -> None:
    """A SKU without stock moves to the disabled rows; the fault finds it by the row's
    number.
    """
    numbers = {
        "ids": await add_taobao(caller, taobao[0]),
        "cartIds": await add_1688(caller, alibaba[0]),
    }
    await caller.control(
        "PUT",
        "faults",
        {"rules": [{"path": "*/cart/*", "kind": "out_of_stock", "times": 2}]},
    )
    await caller.post(
        "/open/cart/preview/order", {"ids": [numbers["ids"]], "orderAddress": ADDRESS}
    )
    await caller.post(
        "/alibaba/cart/preview/order",
        {"cartIds": [numbers["cartIds"]], "addressParam": ALIBABA_ADDRESS},
    )
    for path, number in (
        ("/open/cart/list", numbers["ids"]),
        ("/v2/alibaba/cart/list", numbers["cartIds"]),
    ):
        cart = (await caller.get(path)).data
        assert (cart["enableList"], [row["id"] for row in cart["disableList"]]) == (
            [],
            [number],
        )


async def test_taobao_ids_must_belong_together(
    caller: Caller, taobao: list[dict[str, Any]]
) -> None:
    """Any of the four ids of another product makes the goods unknown."""
    right = await taobao_row(caller, taobao[0])
    second = await taobao_row(caller, taobao[1])
    for name in ("itemId", "skuId", "mpId", "mpSkuId"):
        assert (
            await caller.post("/open/cart/add", {**right, name: second[name]})
        ).refusal == (200, 40401)


async def test_rows_are_edited_and_deleted(
    caller: Caller, taobao: list[dict[str, Any]], alibaba: list[dict[str, Any]]
) -> None:
    """A quantity is absolute, a deletion passes over rows that are gone; each cart
    knows only its own rows.
    """
    own = await add_taobao(caller, taobao[0])
    theirs = await add_1688(caller, alibaba[0])
    assert (
        await caller.post("/open/cart/edit-quantity", {"id": own, "quantity": 7})
    ).data is True
    assert (
        await caller.post("/open/cart/edit-quantity", {"id": theirs, "quantity": 7})
    ).refusal == (200, 40405)
    assert (
        await caller.post("/open/cart/edit-quantity", {"id": own, "quantity": 0})
    ).refusal == (400, 40001)
    assert (
        await caller.post("/alibaba/cart/edit-quantity", {"id": theirs, "quantity": 8})
    ).data is True
    assert (await caller.post("/open/cart/delete", {"ids": [theirs, 999]})).data is True
    assert (await caller.get("/open/cart/list")).data["enableList"][0]["cartItemInfos"][
        0
    ]["quantity"] == 7
    assert (
        await caller.post("/alibaba/cart/delete", {"cartIds": [theirs]})
    ).data is True
    assert (await caller.get("/v2/alibaba/cart/list")).data == {
        "enableList": [],
        "disableList": [],
    }
    assert (await caller.post("/open/cart/delete", {"ids": []})).refusal == (400, 40001)


async def test_a_cart_holds_a_hundred_rows(caller: Caller) -> None:
    """The next SKU finds no room, one that is there still gets more."""
    rows = (await caller.rows("1688", limit=101))[:101]
    for row in rows[:100]:
        await add_1688(caller, row, 1)
    full = {
        "offerId": rows[100]["item_id"],
        "specId": rows[100]["spec_id"],
        "quantity": 1,
    }
    assert (await caller.post("/alibaba/cart/add", full)).body["msg"] == "CART_FULL"
    assert await add_1688(caller, rows[0], 1) > 0


async def test_a_taobao_preview_names_its_rows(
    caller: Caller, taobao: list[dict[str, Any]]
) -> None:
    """Render's answer, each line with its row."""
    numbers = [await add_taobao(caller, row, row["min_quantity"]) for row in taobao]
    preview = (
        await caller.post(
            "/open/cart/preview/order", {"ids": numbers, "orderAddress": ADDRESS}
        )
    ).data
    assert sorted(
        line["cartId"] for order in preview["orders"] for line in order["lines"]
    ) == sorted(numbers)
    unknown = await caller.post(
        "/open/cart/preview/order", {"ids": [999], "orderAddress": ADDRESS}
    )
    assert unknown.refusal == (200, 40405)
    nobody = await caller.post(
        "/open/cart/preview/order",
        {"ids": numbers, "orderAddress": {**ADDRESS, "name": ""}},
    )
    assert (nobody.refusal, nobody.body["msg"][:18]) == (
        (400, 40001),
        "orderAddress.name:",
    )


async def test_a_taobao_order_of_the_cart(
    caller: Caller, taobao: list[dict[str, Any]]
) -> None:
    """One order a seller, without a reference; the rows leave the cart, so a repeat is
    refused.
    """
    numbers = [await add_taobao(caller, row, row["min_quantity"]) for row in taobao]
    body = {"ids": numbers, "orderAddress": ADDRESS}
    created = (await caller.post("/open/cart/create/order", body)).data
    assert (
        created["success"],
        created["outerPurchaseId"],
        len(created["orderList"]),
    ) == (True, None, 2)
    orders = (await caller.books())["orders"]
    assert [order["reference"] for order in orders] == ["", ""]
    first = created["orderList"][0]["purchaseId"]
    listing = (await caller.get("/open/order/detail/get", purchaseOrderId=first)).data
    assert listing["receiver"]["mobilePhone"] == "5083326888"
    assert (await caller.post("/open/cart/create/order", body)).refusal == (200, 40405)


async def test_a_taobao_cart_order_is_all_or_nothing(
    caller: Caller, taobao: list[dict[str, Any]]
) -> None:
    """One line that can't be bought, or an incomplete address, and nothing is ordered;
    the rows stay.
    """
    numbers = [await add_taobao(caller, row, row["min_quantity"]) for row in taobao]
    await caller.post(
        "/open/cart/edit-quantity", {"id": numbers[1], "quantity": 10_000_000}
    )
    body = {"ids": numbers, "orderAddress": ADDRESS}
    assert (await caller.post("/open/cart/create/order", body)).data[
        "errorCode"
    ] == "OUT_OF_STOCK"
    no_such = {"ids": numbers[:1], "orderAddress": {**ADDRESS, "city": ""}}
    assert (await caller.post("/open/cart/create/order", no_such)).data[
        "errorCode"
    ] == "ADDRESS_INVALID"
    assert (await caller.books())["orders"] == []
    assert len((await caller.get("/open/cart/list")).data["enableList"]) == 2


async def test_the_1688_cart_list(
    caller: Caller, alibaba: list[dict[str, Any]]
) -> None:
    """Rows by seller, with today's price in yuan and an opaque id beside the plain
    one.
    """
    number = await add_1688(caller, alibaba[0], 500)
    cart = (await caller.get("/v2/alibaba/cart/list")).data
    row = cart["enableList"][0]["cartItemInfos"][0]
    assert cart["enableList"][0]["sellerOpenId"] == alibaba[0]["seller_id"]
    assert (row["id"], row["offerId"], row["quantity"], row["price"]) == (
        number,
        810123033546,
        500,
        1.28,
    )
    assert 16 <= len(row["offerMapId"]) <= 64
    unknown = {
        "offerId": alibaba[0]["item_id"],
        "specId": alibaba[1]["spec_id"],
        "quantity": 1,
    }
    assert (await caller.post("/alibaba/cart/add", unknown)).refusal == (200, 40401)


async def test_a_1688_preview_of_several_sellers(
    caller: Caller, alibaba: list[dict[str, Any]]
) -> None:
    """Several sellers are no fault; a line that can't be bought refuses the whole. The
    address comes first.
    """
    numbers = [await add_1688(caller, row) for row in alibaba]
    body = {"addressParam": ALIBABA_ADDRESS, "cartIds": numbers}
    preview = (await caller.post("/alibaba/cart/preview/order", body)).data
    assert (preview["success"], len(preview["orderPreviewResuslt"])) == (True, 2)
    await caller.post(
        "/alibaba/cart/edit-quantity", {"id": numbers[1], "quantity": 10_000_000}
    )
    refused = (await caller.post("/alibaba/cart/preview/order", body)).data
    assert (
        refused["success"],
        refused["errorCode"],
        refused["orderPreviewResuslt"],
    ) == (False, "500_004", [])
    no_such = await caller.post(
        "/alibaba/cart/preview/order", {"addressParam": {}, "cartIds": [999]}
    )
    assert no_such.body["msg"] == "AddressId invalid"


async def test_1688_cart_orders_seller_by_seller(
    caller: Caller, alibaba: list[dict[str, Any]]
) -> None:
    """A refused seller's rows stay in the cart and can be ordered later; ordered rows
    are gone.
    """
    numbers = [await add_1688(caller, row) for row in alibaba]
    await caller.post(
        "/alibaba/cart/edit-quantity", {"id": numbers[1], "quantity": 10_000_000}
    )
    body = {
        "flow": "general",
        "message": "R-1 R-2",
        "addressParam": ALIBABA_ADDRESS,
        "cartIds": numbers,
    }
    created = (await caller.post("/alibaba/cart/create/order", body)).data
    assert (created["success"], created["code"], len(created["orderList"])) == (
        True,
        None,
        1,
    )
    assert created["orderId"] == created["orderList"][0]["orderId"]
    assert [failed["errorCode"] for failed in created["failedOfferList"]] == ["500_004"]
    assert (await caller.books())["orders"][0]["reference"] == "R-1 R-2"
    assert (await caller.post("/alibaba/cart/create/order", body)).refusal == (
        200,
        40405,
    )
    nothing = (
        await caller.post(
            "/alibaba/cart/create/order", {**body, "cartIds": numbers[1:]}
        )
    ).data
    assert (nothing["success"], nothing["code"], nothing["orderId"]) == (
        False,
        "500_004",
        None,
    )


async def test_addresses_are_added_and_changed(caller: Caller, buyer: Buyer) -> None:
    """Without an id another address each time, answered without data; with an id that
    one is replaced.
    """
    fields = {
        "name": "二号仓",
        "province": "上海",
        "city": "上海市",
        "district": "",
        "address": "路1号",
        "phone": "1",
    }
    fields["district"] = "浦东新区"
    for _ in range(2):
        answer = await caller.post("/open/address/addOrUpdate", fields)
        assert (answer.status, answer.body) == (200, {"code": 200, "msg": "成功"})
    listed = (await caller.get("/open/address/get")).data
    assert [address["id"] for address in listed] == ["1", "2", "3", "4"]
    assert listed[2] == {**fields, "id": "3", "postCode": "", "isDefault": False}
    await caller.post("/open/address/addOrUpdate", {**fields, "id": 1})
    first = (await caller.get("/open/address/get")).data[0]
    assert first == {**fields, "id": "1", "postCode": "518103", "isDefault": True}
    assert (
        await caller.post("/open/address/addOrUpdate", {**fields, "id": 9})
    ).refusal == (200, 40407)
    assert (await caller.post("/open/address/addOrUpdate", {"name": "x"})).refusal == (
        400,
        40001,
    )
