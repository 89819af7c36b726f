"""Dialects: the service as it may be instead of as the contract has it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from sandbox.dialects.known import DIALECTS
from tests.running import PATIENCE_S
from tests.sandbox.buyer import RECEIVER, WAREHOUSE, Buyer
from tests.sandbox.client import Answer, Caller

KA = "/alibaba/ka/order"
SUMS = ("sumPayment", "sumPaymentNoCarriage", "sumCarriage", "discountFee")
LIST_WITHOUT_MESSAGE = ["list-without-message"]
LIST_WITHOUT_REFERENCE = ["list-without-reference"]


@pytest.fixture
async def rows(caller: Caller) -> dict[str, dict[str, Any]]:
    return {
        location: (await caller.rows(location, limit=1))[0]
        for location in ("1688", "big_major", "taobao")
    }


async def create_1688(buyer: Buyer, row: dict[str, Any], **fields: Any) -> Answer:
    return await buyer.caller.post(
        "/alibaba/order/create", {**buyer.cargo(row), "flow": "general", **fields}
    )


async def create_ka(buyer: Buyer, row: dict[str, Any], **fields: Any) -> Answer:
    calls = {**buyer.cargo(row), "flow": "fenxiaonew"}
    await buyer.caller.post(f"{KA}/create/preview", calls)
    return await buyer.caller.post(f"{KA}/create", {**calls, **fields})


async def shown(
    buyer: Buyer, rows: Mapping[str, Any]
) -> dict[str, list[tuple[str | None, str | None]]]:
    """Message and outOrderId of one order of each, as list and detail show them."""
    caller = buyer.caller
    sent = {"message": "R-1", "outOrderId": "R-1"}
    id_1688 = (await create_1688(buyer, rows["1688"], **sent)).data["orderId"]
    id_ka = (await create_ka(buyer, rows["big_major"], **sent)).data["orderList"][0][
        "orderId"
    ]
    listed = (
        await caller.post("/v2/alibaba/order/page", {"page": 1, "pageSize": 5})
    ).data["result"]
    read = (
        await caller.post(
            "/alibaba/order/detail", {"orderId": id_1688, "webSite": "1688"}
        )
    ).data
    listed_ka = (await caller.post(f"{KA}/page", {"pageNo": 1, "pageSize": 5})).data[
        "data"
    ]
    read_ka = (await caller.post(f"{KA}/detail", {"orderId": id_ka})).data
    return {
        "1688": [
            (item["baseInfo"]["buyerFeedback"], item["baseInfo"]["outOrderId"])
            for item in (*listed, read)
        ],
        "big_major": [
            (item["message"], item["outOrderId"]) for item in (*listed_ka, read_ka)
        ],
    }


async def test_details_may_hide_references_too(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    await caller.control("PUT", "dialects", {"names": ["detail-without-reference"]})
    assert await shown(buyer, rows) == dict.fromkeys(
        ("1688", "big_major"), [(None, None)] * 2
    )


async def test_a_create_may_be_answered_before_there_is_a_number(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """The books have all three; the answers tell that they succeeded, and of none its
    number.
    """
    await caller.control("PUT", "dialects", {"names": ["create-before-number"]})
    body = await buyer.taobao_create_body(rows["taobao"])
    answers = [
        (await caller.post("/open/purchase/create/v2", body)).data,
        (await create_1688(buyer, rows["1688"])).data,
        (await create_ka(buyer, rows["big_major"])).data,
    ]
    ids = [
        answers[0]["orderList"][0]["purchaseId"],
        answers[1]["orderId"],
        answers[2]["orderList"][0]["orderId"],
    ]
    assert ([answer["success"] for answer in answers], ids) == ([True] * 3, [""] * 3)
    assert len((await caller.books())["orders"]) == 3


@pytest.mark.parametrize(
    ("names", "in_lists"),
    [
        ([], ("R-1", "R-1")),
        (LIST_WITHOUT_MESSAGE, (None, "R-1")),
        (LIST_WITHOUT_REFERENCE, (None, None)),
    ],
)
async def test_lists_may_hide_what_details_show(
    caller: Caller,
    buyer: Buyer,
    rows: dict[str, Any],
    names: list[str],
    in_lists: tuple[str | None, str | None],
) -> None:
    """Without a dialect lists and details show message and outOrderId; with one only
    the details do.
    """
    await caller.control("PUT", "dialects", {"names": names})
    expected = [in_lists, ("R-1", "R-1")]
    assert await shown(buyer, rows) == {"1688": expected, "big_major": expected}


async def test_an_order_with_an_own_id_only_is_known_by_it(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """The books' reference is the message, else outOrderId; without a dialect the same
    id orders again.
    """
    for _ in range(2):
        await create_1688(buyer, rows["1688"], outOrderId="R-7")
    orders = (await caller.books())["orders"]
    assert [(order["reference"], order["out_order_id"]) for order in orders] == [
        ("R-7", "R-7")
    ] * 2


async def test_unknown_fields_are_refused_and_order_nothing(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """outOrderId is not in the written contract; the same create without it is
    accepted.
    """
    await caller.control("PUT", "dialects", {"names": ["refuses-unknown-fields"]})
    for create, row in ((create_1688, rows["1688"]), (create_ka, rows["big_major"])):
        refused = await create(buyer, row, message="R-1", outOrderId="R-1")
        assert (refused.refusal, refused.body["msg"]) == (
            (400, 40001),
            "outOrderId: unknown field",
        )
    assert (await caller.books())["orders"] == []
    for create, row in ((create_1688, rows["1688"]), (create_ka, rows["big_major"])):
        assert (await create(buyer, row, message="R-1")).data["success"]


async def test_duplicates_are_refused(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """Also where the contract answers a repeat with the first order; one order each
    remains.
    """
    await caller.control("PUT", "dialects", {"names": ["refuses-duplicates"]})
    for create, row in ((create_1688, rows["1688"]), (create_ka, rows["big_major"])):
        assert (await create(buyer, row, outOrderId="R-1")).data["success"]
        answer = await create(buyer, row, outOrderId="R-1")
        assert (answer.refusal, answer.body["msg"][:22]) == (
            (200, 400),
            "DUPLICATE_OUT_ORDER_ID",
        )
    body = await buyer.taobao_create_body(rows["taobao"])
    answers = [
        (await caller.post("/open/purchase/create/v2", body)).data for _ in range(2)
    ]
    assert [answer["errorCode"] for answer in answers] == [None, "DUPLICATE_OUTER_ID"]
    assert len((await caller.books())["orders"]) == 3


async def test_no_tracking_yet_may_be_a_code(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """404 until the order has a parcel, for 1688 and its twin; without the dialect an
    empty list.
    """
    order_id = await buyer.create_1688(rows["1688"])
    path = "/alibaba/order/logistics/trace/get"
    assert (await caller.get(path, orderId=order_id)).data == {"logisticsTrace": []}
    await caller.control("PUT", "dialects", {"names": ["tracking-404"]})
    assert (await caller.get(path, orderId=order_id)).refusal == (200, 404)
    await buyer.pay_1688(order_id)
    await caller.advance(days=5)
    assert len((await caller.get(path, orderId=order_id)).data["logisticsTrace"]) == 1


async def standing(caller: Caller, order_id: str) -> tuple[Any, int, int, int]:
    """The state of an order, calls that debited for it, and what left the wallet less
    what came back.
    """
    books = await caller.books()
    order = next(book for book in books["orders"] if book["order_id"] == order_id)
    wallet = books["wallet"]
    return (
        order["status"],
        order["paid_times"],
        wallet["opening_fen"] - wallet["balance_fen"],
        order["amount_fen"],
    )


async def test_a_payment_may_be_a_submission(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """Debited at once, shown as unpaid for four hours, debited again by a second
    call.
    """
    await caller.control("PUT", "dialects", {"names": ["pay-is-submission"]})
    order_id = await buyer.create_taobao(rows["taobao"])
    await caller.advance(seconds=3)
    await buyer.pay_taobao(order_id)
    status, times, remaining, amount = await standing(caller, order_id)
    assert (status, times, remaining) == (0, 1, amount)
    pay_taobao = await buyer.pay_taobao(order_id)
    assert pay_taobao["willPayPurchaseOrderIds"] == [order_id]
    assert (await standing(caller, order_id))[1:3] == (2, 2 * amount)
    await caller.advance(hours=4)
    assert (await standing(caller, order_id))[0] == 10
    assert (await buyer.pay_taobao(order_id))["payFailurePurchaseOrderIds"] == [
        order_id
    ]


async def test_finance_may_refuse_a_submission(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """State 3 of Taobao after four hours, unpaid on 1688; the money is back, and a day
    after its create it closes.
    """
    await caller.control("PUT", "dialects", {"names": ["pay-refused-by-finance"]})
    order_id = await buyer.create_taobao(rows["taobao"])
    id_1688 = await buyer.create_1688(rows["1688"])
    await buyer.pay_taobao(order_id)
    await buyer.pay_1688(id_1688)
    await caller.advance(hours=4)
    assert (await standing(caller, order_id))[:3] == (3, 1, 0)
    assert (await standing(caller, id_1688))[:2] == ("waitbuyerpay", 1)
    await caller.advance(hours=20)
    assert [(await standing(caller, text))[0] for text in (order_id, id_1688)] == [
        4,
        "cancel",
    ]


async def test_a_payment_may_be_on_credit(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """Paid, and nothing left the wallet."""
    await caller.control("PUT", "dialects", {"names": ["pay-by-credit"]})
    order_id = await buyer.create_taobao(rows["taobao"])
    await buyer.pay_taobao(order_id)
    assert (await standing(caller, order_id))[:3] == (10, 1, 0)


async def test_parcels_may_have_other_words_or_none(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """Upstream's stages; or none, where the words say that it arrived."""
    order_id = await buyer.create_1688(rows["1688"])
    await buyer.pay_1688(order_id)
    await caller.advance(days=6)

    async def steps(dialect: str) -> list[tuple[str | None, str]]:
        await caller.control("PUT", "dialects", {"names": [dialect]})
        traced = (
            await caller.get("/alibaba/order/logistics/trace/get", orderId=order_id)
        ).data["logisticsTrace"]
        return [
            (step["status"], step["remark"]) for step in traced[0]["logisticsSteps"]
        ]

    assert (await steps("tracking-words"))[:2] == [
        ("WAITING_COLLECT", "商家已发货"),
        ("COLLECTED", "快件已揽收"),
    ]
    silent = await steps("tracking-without-status")
    assert {status for status, _ in silent} == {None}
    assert "快件正在派送,请准备签收" in [text for _, text in silent]


async def test_1688_may_show_further_states_times_and_less(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """States for ten minutes and later; times in 1688's form, in filters too; a list
    without the seller.
    """
    order_id = await buyer.create_1688(rows["1688"])
    await caller.control(
        "PUT", "dialects", {"names": ["states-1688", "time-compact", "list-basic"]}
    )
    await buyer.pay_1688(order_id)

    async def listed(start: str) -> Answer:
        return await caller.post(
            "/v2/alibaba/order/page",
            {"page": 1, "pageSize": 5, "createStartTime": start},
        )

    (order,) = (await listed("20200101000000000+0800")).data["result"]
    assert order["baseInfo"]["status"] == "paid_but_not_fund"
    assert ("sellerOpenId" in order["baseInfo"], "nativeLogistics" in order) == (
        False,
        False,
    )
    assert (await listed("2020-01-01 00:00:00")).refusal == (400, 40001)
    await caller.advance(minutes=11)
    (order,) = (await listed("20200101000000000+0800")).data["result"]
    assert order["baseInfo"]["status"] == "wait_seller_accept_order"
    await caller.advance(days=6)
    traced = (
        await caller.get("/alibaba/order/logistics/trace/get", orderId=order_id)
    ).data["logisticsTrace"]
    assert traced[0]["logisticsSteps"][0]["acceptTime"].endswith("000+0800")


@pytest.mark.parametrize("code", [500, 1009])
async def test_every_no_may_have_one_code(caller: Caller, code: int) -> None:
    """With its words; only the account is refused as ever."""
    await caller.control("PUT", "dialects", {"names": [f"code-{code}"]})
    answer = await caller.get("/open/product/get", itemId="1")
    assert (answer.refusal, answer.body["msg"]) == (
        (200, code),
        "product 1 does not exist",
    )


async def test_the_calls_of_a_day_may_be_used_up(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 until midnight in China."""
    monkeypatch.setattr("sandbox.dialects.daily_quota.CALLS_A_DAY", 3)
    await caller.control("PUT", "dialects", {"names": ["daily-quota"]})
    answers = [await caller.get("/open/address/get") for _ in range(4)]
    assert answers[2].body["code"] == 200
    assert answers[3].refusal == (200, 429)
    await caller.advance(days=1)
    assert (await caller.get("/open/address/get")).body["code"] == 200


async def test_searches_may_have_small_pages_and_no_total(caller: Caller) -> None:
    await caller.control("PUT", "dialects", {"names": ["pages-of-20-without-total"]})
    path = "/open/product/spu/page"
    calls = {"pageNo": 1, "pageSize": 20}
    page = (await caller.post(path, calls)).data
    assert (len(page["data"]), "totalRecords" in page) == (20, False)
    assert (await caller.post(path, {**calls, "pageSize": 21})).refusal == (400, 40001)


async def test_nothing_may_be_an_empty_text_or_minus_one(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    order_id = await buyer.create_taobao(rows["taobao"])
    await caller.control("PUT", "dialects", {"names": ["empty-for-null"]})
    order = (await caller.get("/open/order/detail/get", purchaseOrderId=order_id)).data
    assert (order["payAmount"], order["payTime"]) == (-1, "")


async def test_an_order_of_poizon_may_have_one_product(caller: Caller) -> None:
    await caller.control("PUT", "dialects", {"names": ["poizon-one-product"]})
    products = [{"dwSpuId": str(number)} for number in (1, 2)]
    refused = await caller.post("/poizon/order/orderPreview", {"productList": products})
    assert refused.body["msg"] == "ORDER_PRODUCT_LIMIT: one product an order"


async def test_taobao_may_speak_yuan(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """In details as decimals and text, in searches as text; everywhere as numbers,
    whole ones without a point.
    """
    row = rows["taobao"]
    fen = rows["taobao"]["price_fen"]
    item = {"itemId": row["item_id"]}
    search = {"keyword": row["title"], "pageNo": 1, "pageSize": 5}
    await caller.control(
        "PUT", "dialects", {"names": ["taobao-yuan", "search-yuan-text"]}
    )
    sku = (await caller.get("/open/product/get", **item)).data["skuList"][0]
    assert (sku["price"], sku["promotionPrice"]) == (fen / 100, f"{fen / 100:.2f}")
    assert (await caller.post("/open/product/search", search)).data["data"][0][
        "price"
    ] == f"{fen / 100:.2f}"
    await caller.control("PUT", "dialects", {"names": ["taobao-yuan-everywhere"]})
    post = (await caller.get("/open/product/get", **item)).data["skuList"][0]["postFee"]
    assert (post, type(post)) == (6, int)
    body = await buyer.taobao_create_body(row)
    body["purchaseAmount"] = (fen + 600) / 100
    assert (await caller.post("/open/purchase/create/v2", body)).data["orderList"][0][
        "estimateAmount"
    ] == 6 + fen / 100
    assert [order["amount_fen"] for order in (await caller.books())["orders"]] == [
        fen + 600
    ]


async def test_a_preview_may_tell_its_parts_before_a_discount_or_not_at_all(
    caller: Caller, buyer: Buyer, rows: dict[str, Any]
) -> None:
    """The total stays what is paid; 1688 tells the discount."""
    cargo = buyer.cargo(rows["1688"])

    async def told() -> dict[str, Any]:
        data = (await caller.post("/alibaba/order/create/preview", cargo)).data
        return {name: data["orderPreviewResuslt"][0][name] for name in SUMS}

    plain = await told()
    await caller.control("PUT", "dialects", {"names": ["preview-discount"]})
    off = plain["sumPaymentNoCarriage"] // 20
    assert await told() == plain | {
        "sumCarriage": plain["sumCarriage"] + off,
        "discountFee": off,
    }
    await caller.control("PUT", "dialects", {"names": ["preview-total-only"]})
    assert await told() == plain | {"sumPaymentNoCarriage": None, "sumCarriage": None}


@pytest.mark.parametrize(
    ("dialect", "codes"),
    [
        ([], [200, 40401]),
        (["freight-distribution-ids"], [40401, 200]),
    ],
)
async def test_freight_knows_goods_by_other_ids(
    caller: Caller,
    buyer: Buyer,
    rows: dict[str, Any],
    dialect: list[str],
    codes: list[int],
) -> None:
    """Taobao's, by those of the shop or of distribution; a refusal names the id."""
    await caller.control("PUT", "dialects", {"names": dialect})
    shop = {
        "itemId": rows["taobao"]["item_id"],
        "skuId": rows["taobao"]["sku_id"],
        "quantity": 1,
    }
    for line, code in zip(
        (shop, await buyer.taobao_line(rows["taobao"], 1)), codes, strict=True
    ):
        calls = {"country": "US", "renderItems": [line]}
        answer = await caller.post("/open/pp/logistics/orderEstimateFreight", calls)
        assert answer.refusal == (200, code)
        assert code == 200 or line["itemId"] in answer.body["errorMsg"]


@pytest.mark.parametrize(
    ("dialect", "abroad", "in_china"),
    [
        ([], True, False),
        (["receiver-china"], False, True),
    ],
)
async def test_the_receiver_is_abroad_or_the_warehouse(
    caller: Caller,
    buyer: Buyer,
    rows: dict[str, Any],
    dialect: list[str],
    *,
    abroad: bool,
    in_china: bool,
) -> None:
    """Render and create refuse the other one, with a word about the address, and order
    nothing.
    """
    await caller.control("PUT", "dialects", {"names": dialect})
    line = await buyer.taobao_line(rows["taobao"])
    render = {"warehouseAddress": WAREHOUSE, "renderItemList": json.dumps([line])}
    for receiver, is_taken in (
        (RECEIVER, abroad),
        ({**WAREHOUSE, "country": "中国"}, in_china),
    ):
        rendered = await caller.post(
            "/open/purchase/render", {**render, "receiver": receiver}
        )
        body = {**await buyer.taobao_create_body(rows["taobao"]), "receiver": receiver}
        created = await caller.post("/open/purchase/create/v2", body)
        assert [answer.status == 200 for answer in (rendered, created)] == [
            is_taken
        ] * 2
        assert (
            is_taken
            or "地址" in rendered.body["msg"]
            or "address" in rendered.body["msg"]
        )
    assert bool((await caller.books())["orders"]) == (abroad or in_china)


async def test_unknown_dialects_are_refused_by_name(caller: Caller) -> None:
    """And leave those in force as they were; a reset brings back those of the start."""
    await caller.control("PUT", "dialects", {"names": LIST_WITHOUT_MESSAGE})
    answer = await caller.send(
        "PUT", "/_sandbox/dialects", body={"names": ["list-without-mesage"]}
    )
    assert answer.status == 400
    assert answer.body["error"].startswith(
        "names: there is no dialect list-without-mesage; known are list-without-message, "
    )
    assert (await caller.control("GET", "dialects"))["names"] == LIST_WITHOUT_MESSAGE
    await caller.control("POST", "reset")
    assert (await caller.control("GET", "dialects"))["names"] == []


def test_the_command_lists_the_dialects_and_knows_their_names() -> None:
    """Each with a sentence; a misspelt one starts nothing."""
    listed = sandbox("--dialects").stdout.splitlines()
    assert listed == [f"{dialect.name:32} {dialect.sentence}" for dialect in DIALECTS]
    wrong = sandbox("--dialect", "polite")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith(
        "sandbox: names: there is no dialect polite; known are "
    )


def sandbox(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("names", "second", "anew"),
    [
        ([], True, True),
        (["booking-repeated"], True, True),
        (["booking-one-a-render"], False, True),
        (["booking-one-an-order"], False, False),
    ],
)
async def test_a_second_booking_may_be_refused_of_one_render_or_of_one_order(
    caller: Caller,
    buyer: Buyer,
    rows: dict[str, Any],
    names: list[str],
    *,
    second: bool,
    anew: bool,
) -> None:
    """The same call again, then one under a new render; what is refused books
    nothing.
    """
    order_id = await buyer.create_taobao(rows["taobao"])
    await buyer.pay_taobao(order_id)
    await caller.control("PUT", "dialects", {"names": names})
    row = rows["taobao"]
    first, other = [(await buyer.render_freight(row))["renderId"] for _ in range(2)]
    calls = [
        buyer.booking(render_id, order_id, row) for render_id in (first, first, other)
    ]
    answers = [
        await caller.post("/open/pp/logistics/orderBookingFreight", body)
        for body in calls
    ]
    assert [answer.body["success"] for answer in answers] == [True, second, anew]
    assert len((await caller.books())["shipments"]) == 1 + second + anew


async def test_lists_may_count_their_pages_from_0(caller: Caller) -> None:
    calls = {"keyword": "帆布", "pageSize": 2}
    first, second = [
        (await caller.post("/open/product/search", {**calls, "pageNo": page})).data[
            "data"
        ]
        for page in (1, 2)
    ]
    await caller.control("PUT", "dialects", {"names": ["pages-from-0"]})
    assert [
        (await caller.post("/open/product/search", {**calls, "pageNo": page})).data[
            "data"
        ]
        for page in (0, 1)
    ] == [
        first,
        second,
    ]
