"""1688's big sellers: find, preview, create, pay, list, track; and everything that is
refused on the way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.goods import service_fee
from tests.sandbox.buyer import ALIBABA_ADDRESS, Buyer
from tests.sandbox.client import Answer, Caller, opened

KEYWORDS = "/alibaba/ka/product/keywords/query"
PRODUCT = "/alibaba/ka/product/detail/get"
PREVIEW = "/alibaba/ka/order/create/preview"
CREATE = "/alibaba/ka/order/create"
PAY = "/alibaba/ka/order/pay"
PAGE = "/alibaba/ka/order/page"
DETAIL = "/alibaba/ka/order/detail"
LOGISTICS = "/alibaba/ka/order/logistics"
SECOND_DEPOT_ROW = 4_354
ITS_SELLERS_ROW = 2_369


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    """简约 尼龙 双肩包 儿童 K10001: from 6 pieces at 4.91 yuan; postage 3 yuan, free
    from 49 yuan.
    """
    return (await caller.rows("big_major", limit=1))[0]


def cargo(
    *rows: dict[str, Any], quantity: float | None = None, **change: Any
) -> dict[str, Any]:
    lines = [
        {
            "offerId": int(row["item_id"]),
            "specId": row["spec_id"],
            "quantity": quantity or row["min_quantity"],
        }
        for row in rows
    ]
    return {
        "flow": "fenxiaonew",
        "addressParam": ALIBABA_ADDRESS,
        "cargoParamList": lines,
        **change,
    }


async def ordered(
    caller: Caller, *rows: dict[str, Any], message: str = "R-1"
) -> dict[str, Any]:
    """The first order, from preview and create."""
    await caller.post(PREVIEW, cargo(*rows))
    created = (await caller.post(CREATE, cargo(*rows, message=message))).data
    order: dict[str, Any] = created["orderList"][0]
    return order


async def pay(caller: Caller, order_id: str) -> Answer:
    return await caller.post(PAY, {"orderId": order_id})


async def details(caller: Caller, order_id: str) -> Any:
    return (await caller.post(DETAIL, {"orderId": order_id})).data


async def listed(caller: Caller, **filters: Any) -> list[dict[str, Any]]:
    answer = await caller.post(PAGE, {"pageNo": 1, "pageSize": 50, **filters})
    orders: list[dict[str, Any]] = answer.data["data"]
    assert answer.data["totalRecords"] == len(orders)
    return orders


async def test_keywords_and_details_answer_as_those_of_1688(
    caller: Caller, row: dict[str, Any]
) -> None:
    """Its own offers, in the shape of 1688; neither marketplace knows the other's."""
    calls = {
        "keyword": "双肩包 K10001",
        "beginPage": 1,
        "pageSize": 10,
        "country": "en",
    }
    result = (await caller.post(KEYWORDS, calls)).data
    assert result["totalRecords"] == 1
    assert (result["data"][0]["offerId"], result["data"][0]["priceInfo"]) == (
        400026379533,
        {"price": "4.33"},
    )
    offer = (
        await caller.post(PRODUCT, {"offerId": 400026379533, "country": "en"})
    ).data
    assert (offer["subject"], offer["status"], offer["minOrderQuantity"]) == (
        "简约 尼龙 双肩包 儿童 K10001",
        "published",
        6,
    )
    assert (
        offer["productSkuInfos"][0]["skuId"],
        offer["productSkuInfos"][0]["price"],
    ) == (6000030748267, "4.91")
    strange = {"offerId": 400026379533, "country": "en"}
    assert (await caller.post("/alibaba/product/detail/get", strange)).refusal == (
        200,
        40401,
    )
    assert (
        await caller.post(PRODUCT, {"offerId": 810123033546, "country": "en"})
    ).refusal == (200, 40401)


@pytest.mark.parametrize(
    ("fen", "fee"),
    [(6_400, 161), (0, 0), (19, 0), (20, 1), (99_980, 2_515), (100_000, 2_516)],
)
def test_the_fee_is_rounded_half_up(fen: int, fee: int) -> None:
    """2.516 percent; 6400 is the example of the service's own page."""
    assert service_fee(fen) == fee


async def test_preview(caller: Caller, row: dict[str, Any]) -> None:
    """Amounts are fen; the total payment has the fee on top; a quantity may be written
    2.0.
    """
    (entry,) = (await caller.post(PREVIEW, cargo(row, quantity=6.0))).data
    assert entry == {
        "sumCarriage": 300,
        "sumPayment": 3246,
        "sumTotalPayment": 3328,
        "sumPaymentNoCarriage": 2946,
        "orderItemTOList": [
            {
                "offerId": 400026379533,
                "openOfferId": "NDAwMDI2Mzc5NTMz",
                "specId": row["spec_id"],
                "skuId": 6000030748267,
                "amount": 2946,
                "finalUnitPrice": 491,
                "message": None,
            }
        ],
    }


async def test_preview_tells_of_each_line_that_cannot_be_bought(
    caller: Caller, row: dict[str, Any]
) -> None:
    """Such a line costs nothing and says why; the sums count the others."""
    body = cargo(row, {**row, "spec_id": "0" * 32})
    (entry,) = (await caller.post(PREVIEW, body)).data
    good, bad = entry["orderItemTOList"]
    assert (good["message"], entry["sumPayment"]) == (None, 3246)
    assert (bad["message"], bad["amount"], bad["finalUnitPrice"], bad["skuId"]) == (
        "500_003: the offer has no such spec",
        0,
        0,
        None,
    )


async def test_preview_of_two_sellers(caller: Caller, row: dict[str, Any]) -> None:
    """One entry, in which every line is refused."""
    rows = (await caller.rows("big_major", limit=1, offset=6))[0]
    (entry,) = (await caller.post(PREVIEW, cargo(row, rows))).data
    assert [line["message"][:7] for line in entry["orderItemTOList"]] == [
        "500_002",
        "500_002",
    ]
    assert (entry["sumPayment"], entry["sumTotalPayment"]) == (0, 0)


@pytest.mark.parametrize(
    ("place", "quantity", "code"),
    [
        (4_310, None, "500_001"),
        (4_260, None, "500_004"),
        (0, 5, "500_005"),
        (0, 35_314, "500_004"),
    ],
    ids=["offline", "sold out", "below the minimum", "more than in stock"],
)
async def test_preview_codes(
    caller: Caller, place: int, quantity: int | None, code: str
) -> None:
    """Each reason has its upstream code, and no such preview lets an order through."""
    row = (await caller.rows("big_major", limit=1, offset=place))[0]
    (entry,) = (await caller.post(PREVIEW, cargo(row, quantity=quantity))).data
    assert entry["orderItemTOList"][0]["message"][:7] == code
    answer = await caller.post(CREATE, cargo(row, quantity=quantity))
    assert (answer.refusal, answer.body["msg"][:17]) == (
        (200, 400),
        "PREVIEW_REQUIRED:",
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"flow": "general"}, "flow"),
        ({"flow": None}, "flow"),
        ({"addressParam": None}, "addressParam"),
        ({"cargoParamList": []}, "cargoParamList"),
        (
            {"cargoParamList": [{"offerId": 400026379533, "quantity": 6}]},
            "cargoParamList[0].specId",
        ),
        (
            {
                "cargoParamList": [
                    {"offerId": 400026379533, "specId": "x", "quantity": 1.5}
                ]
            },
            "cargoParamList[0].quantity",
        ),
        ({"message": "x" * 501}, "message"),
    ],
)
async def test_the_form_is_checked_first(
    caller: Caller, row: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    """A create that cannot be read is a bad request that names the field."""
    answer = await caller.post(CREATE, {**cargo(row), **change})
    assert answer.refusal == (400, 40001)
    assert answer.body["msg"].startswith(f"{field}: ")


async def test_address_then_offer_then_preview(
    caller: Caller, row: dict[str, Any]
) -> None:
    """An address outside China comes before an unknown offer, that before the missing
    preview.
    """
    unknown = {**row, "item_id": "1"}
    abroad = {**ALIBABA_ADDRESS, "provinceText": "California"}
    for path in (PREVIEW, CREATE):
        answer = await caller.post(path, cargo(unknown, addressParam=abroad))
        assert (answer.refusal, answer.body["msg"]) == ((200, 400), "AddressId invalid")
        assert (await caller.post(path, cargo(unknown))).refusal == (200, 40401)


async def test_create(caller: Caller, row: dict[str, Any]) -> None:
    """After its preview an order is made at the previewed amount; the books count the
    fee.
    """
    await caller.post(PREVIEW, cargo(row))
    created = (await caller.post(CREATE, cargo(row, message="R-1"))).data
    (order,) = created["orderList"]
    assert {
        name: created[name]
        for name in ("success", "code", "message", "failedOfferList")
    } == {
        "success": True,
        "code": None,
        "message": None,
        "failedOfferList": [],
    }
    assert order["orderNo"].startswith("PO20")
    assert order["orderNo"][2:].isdigit()
    assert {name: value for name, value in order.items() if name != "orderNo"} == {
        "orderId": "2890534531329857923",
        "totalAmount": 3246,
        "productAmount": 2946,
        "shippingFee": 300,
        "serviceFee": 82,
        "totalPayment": 3328,
    }
    (stored,) = (await caller.books())["orders"]
    assert (stored["marketplace"], stored["reference"], stored["amount_fen"]) == (
        "big_major",
        "R-1",
        3328,
    )
    assert stored["status"] == "WAITING_FOR_PAYMENT"


async def test_a_preview_serves_for_half_an_hour_and_again(
    caller: Caller, row: dict[str, Any]
) -> None:
    """The same cargo in any order and to any address; another quantity or a later hour
    needs its own.
    """
    second = (await caller.rows("big_major", limit=2))[1]
    await caller.post(PREVIEW, cargo(row, second))
    elsewhere = {**ALIBABA_ADDRESS, "cityText": "广州市"}
    for _ in range(2):
        assert (
            await caller.post(CREATE, cargo(second, row, addressParam=elsewhere))
        ).data["success"]
    assert (await caller.post(CREATE, cargo(row, second, quantity=7))).refusal == (
        200,
        400,
    )
    await caller.advance(seconds=30 * 60 + 1)
    assert (await caller.post(CREATE, cargo(row, second))).refusal == (200, 400)
    assert len((await caller.books())["orders"]) == 2


async def test_sold_out_after_the_preview(caller: Caller, row: dict[str, Any]) -> None:
    """Create looks again: what has gone meanwhile is refused with its code, nothing is
    ordered.
    """
    await caller.post(PREVIEW, cargo(row))
    await fault(caller, CREATE, "out_of_stock")
    assert (await caller.post(CREATE, cargo(row))).data == {
        "success": False,
        "code": "500_004",
        "message": "the stock of the spec is not enough",
        "orderList": [],
        "failedOfferList": [
            {
                "offerId": 400026379533,
                "specId": row["spec_id"],
                "errorCode": "500_004",
                "errorMessage": "the stock of the spec is not enough",
            }
        ],
    }
    assert (await caller.books())["orders"] == []


async def fault(caller: Caller, path: str, kind: str, **more: Any) -> None:
    rules = [{"path": path, "kind": kind, "times": 1, **more}]
    await caller.control("PUT", "faults", {"seed": 1, "rules": rules})


async def test_goods_from_both_depots_become_two_orders(caller: Caller) -> None:
    """Preview has two entries, create two orders with the same message, each with
    postage and fee of its own.
    """
    first = (await caller.rows("big_major", limit=1, offset=ITS_SELLERS_ROW))[0]
    second = (await caller.rows("big_major", limit=1, offset=SECOND_DEPOT_ROW))[0]
    previewed = (await caller.post(PREVIEW, cargo(second, first))).data
    created = (await caller.post(CREATE, cargo(second, first, message="R-1"))).data[
        "orderList"
    ]
    assert [entry["sumPaymentNoCarriage"] for entry in previewed] == [312, 1872]
    assert [entry["sumCarriage"] for entry in previewed] == [800, 800]
    assert [entry["sumTotalPayment"] for entry in previewed] == [1140, 2739]
    assert [order["totalPayment"] for order in created] == [1140, 2739]
    assert [order["message"] for order in await listed(caller)] == ["R-1", "R-1"]


async def test_pay(caller: Caller, row: dict[str, Any]) -> None:
    """The wallet is debited by the total payment, once."""
    order_id = (await ordered(caller, row))["orderId"]
    assert (await pay(caller, order_id)).data == {
        "orderId": order_id,
        "paySuccess": True,
        "errorCode": None,
        "errorMessage": None,
    }
    repeated = (await pay(caller, order_id)).data
    assert (repeated["paySuccess"], repeated["errorCode"]) == (
        False,
        "ORDER_STATUS_ERROR",
    )
    assert (await pay(caller, "1")).refusal == (200, 40402)
    assert (await caller.books())["wallet"]["balance_fen"] == 100_000_000 - 3328


async def test_pay_with_a_short_wallet(caller: Caller, row: dict[str, Any]) -> None:
    """Money for all but the fee is not enough."""
    order_id = (await ordered(caller, row))["orderId"]
    await caller.control("PUT", "wallet", {"balance_fen": 3327})
    answer = (await pay(caller, order_id)).data
    assert (answer["paySuccess"], answer["errorCode"]) == (False, "BALANCE_NOT_ENOUGH")
    assert (await caller.books())["wallet"]["balance_fen"] == 3327


async def test_price_change_brings_a_fee_of_its_own(
    caller: Caller, row: dict[str, Any]
) -> None:
    """An unpaid order costs ten percent more and the fee is counted anew: that is what
    is paid.
    """
    order_id = (await ordered(caller, row))["orderId"]
    await fault(caller, PAY, "price_change")
    await pay(caller, order_id)
    order = await details(caller, order_id)
    assert (order["productAmount"], order["totalAmount"], order["serviceFee"]) == (
        3246,
        3546,
        89,
    )
    assert (await caller.books())["orders"][0]["paid_fen"] == 3635


async def test_list_and_details(caller: Caller, row: dict[str, Any]) -> None:
    """Details show amounts in fen, items and states; the list shows the same."""
    order_id = (await ordered(caller, row, message="R-7"))["orderId"]
    order = await details(caller, order_id)
    assert (order["orderStatus"], order["payStatus"], order["payTime"]) == (
        "WAITING_FOR_PAYMENT",
        1,
        None,
    )
    assert (
        order["message"],
        order["refundAmount"],
        order["refundStatus"],
        order["closeReason"],
    ) == (
        "R-7",
        0,
        None,
        None,
    )
    assert order["orderItems"] == [
        {
            "orderEntryId": "2890534531329857924",
            "offerId": 400026379533,
            "skuId": 6000030748267,
            "specId": row["spec_id"],
            "title": "简约 尼龙 双肩包 儿童 K10001",
            "quantity": 6,
            "unitPrice": 491,
            "amount": 2946,
        }
    ]
    await pay(caller, order_id)
    order = await details(caller, order_id)
    assert (order["orderStatus"], order["payStatus"]) == ("WAITING_FOR_SENT", 2)
    assert await listed(caller) == [order]
    assert (await caller.post(DETAIL, {"orderId": "1"})).refusal == (200, 40402)


async def test_list_filters(caller: Caller, row: dict[str, Any]) -> None:
    """Orders are found by status and times, newest first."""
    ids = []
    for message in ("A", "B", "C"):
        ids.append((await ordered(caller, row, message=message))["orderId"])
        await caller.advance(seconds=1200)
    await pay(caller, ids[0])

    async def found(**filters: Any) -> list[str]:
        return [order["message"] for order in await listed(caller, **filters)]

    created = (await details(caller, ids[1]))["tbCreateTime"]
    changed = (await details(caller, ids[0]))["modifyTime"]
    assert await found() == ["C", "B", "A"]
    assert await found(orderStatus="WAITING_FOR_PAYMENT") == ["C", "B"]
    assert await found(createTimeStart=created, createTimeEnd=created) == ["B"]
    assert await found(modifyTimeStart=changed) == ["A"]
    assert await found(modifyTimeEnd=created) == ["B"]


async def test_life_until_the_door(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Sent, signed at the warehouse, booked, reported: parcels stand in the order,
    traces in the logistics call.
    """
    order_id = (await ordered(caller, row))["orderId"]
    await pay(caller, order_id)
    assert (await caller.post(LOGISTICS, {"orderId": order_id})).data == {
        "logisticsTrace": []
    }
    await caller.advance(days=5)
    order = await details(caller, order_id)
    (parcel,) = order["logisticsItems"]
    assert order["orderStatus"] == "WAITING_FOR_RECEIVE"
    booking = await buyer.book(order_id, row)
    report = buyer.report(booking, order_id, row, parcel["logisticsBillNo"])
    await caller.post("/open/pp/logistics/updateLogisticInfo", report)
    await caller.advance(days=12)
    domestic, abroad = (await caller.post(LOGISTICS, {"orderId": order_id})).data[
        "logisticsTrace"
    ]
    assert (domestic["logisticsBillNo"], domestic["orderId"]) == (
        parcel["logisticsBillNo"],
        order_id,
    )
    assert domestic["logisticsSteps"][-1]["status"] == "SIGN"
    assert abroad["logisticsSteps"][0]["status"] == "ACCEPT"
    assert (await details(caller, order_id))["internationalLogistics"] == [
        {
            "orderId": booking["orderId"],
            "logisticNumer": "FARJP2408000101YQ",
            "logisticCompanyName": "UCS",
            "trackingUrl": "https://www.far800.com/logistics/result?key=FARJP2408000101YQ",
            "renderId": "FF2024080200101",
        }
    ]
    assert (await caller.post(LOGISTICS, {"orderId": "1"})).refusal == (200, 40402)


async def test_an_unpaid_order_closes(caller: Caller, row: dict[str, Any]) -> None:
    """After 24 hours it is cancelled, with a time of payment, as on the page, and its
    goods are back.
    """
    order_id = (await ordered(caller, row))["orderId"]
    await caller.advance(hours=24)
    order = await details(caller, order_id)
    assert (order["orderStatus"], order["payStatus"], order["closeReason"]) == (
        "CANCEL",
        1,
        "buyer_no_pay",
    )
    assert order["payTime"] is not None
    assert (await caller.rows("big_major", limit=1))[0]["stock"] == row["stock"]


async def test_a_late_create_makes_its_own_order(
    caller: Caller, row: dict[str, Any]
) -> None:
    """There is no key: what landed late stands beside what was repeated."""
    await caller.post(PREVIEW, cargo(row))
    await fault(caller, CREATE, "late_effect", delay_s=60)
    assert (await caller.post(CREATE, cargo(row, message="R-1"))).refusal == (500, 500)
    assert (await caller.post(CREATE, cargo(row, message="R-1"))).data["success"]
    await caller.advance(seconds=60)
    assert [order["message"] for order in await listed(caller)] == ["R-1", "R-1"]


async def test_previews_and_orders_survive_a_restart(tmp_path: Path) -> None:
    """A create may follow its preview in another process, and the order is there in a
    third.
    """
    state = tmp_path / "sandbox.db"
    async with opened(state) as caller:
        row = (await caller.rows("big_major", limit=1))[0]
        await caller.post(PREVIEW, cargo(row))
    async with opened(state) as caller:
        order_id = (await caller.post(CREATE, cargo(row))).data["orderList"][0][
            "orderId"
        ]
        before = await details(caller, order_id)
    async with opened(state) as caller:
        assert await details(caller, order_id) == before
        assert (await pay(caller, order_id)).data["paySuccess"]
