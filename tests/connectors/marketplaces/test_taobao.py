"""Taobao: what is sent, and what odd answers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.marketplaces.protocol import Created, Target
from connectors.marketplaces.taobao.after_sale import TaobaoAfterSale
from connectors.marketplaces.taobao.browser import TaobaoBrowser
from connectors.marketplaces.taobao.channel import TaobaoChannel
from connectors.marketplaces.taobao.reading import service_order
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch, Refused
from connectors.xportcn.operations import taobao_order
from domain.after_sale import RefundKind
from domain.effects import Action
from domain.money import Money
from domain.offers import LineProblem, Problem, QuoteLine
from domain.service_orders import ServiceOrder, ServiceStatus, TraceStatus
from domain.witnessed import Lack
from tests.connectors.xportcn.fake_service import FakeService, no, ok
from tests.connectors.xportcn.orders import RECEIVER, WAREHOUSE, claim, line, order

PRODUCT = "/open/product/get"
MAPPING = "/open/product/batch/check"
RENDER = "/open/purchase/render"
CREATE = "/open/purchase/create/v2"
PAY = "/open/purchase/pay"
PAGE = "/open/purchase/page"
LOGISTICS = "/open/order/logistics/detail/get"
SINCE = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def channel(client: XportcnClient) -> TaobaoChannel:
    return TaobaoChannel(client)


def product(**changes: Any) -> dict[str, Any]:
    sku = {
        "skuId": "11",
        "mpSkuId": "8011",
        "price": 1000,
        "promotionPrice": None,
        "quantity": 5,
        "status": "active",
    }
    known = {
        "itemId": 672991141190,
        "title": "茶",
        "mpId": "9001",
        "status": "active",
        "shopId": 5,
        "skuList": [sku],
    }
    return known | changes


def purchase(purchase_id: str = "7", **changes: Any) -> dict[str, Any]:
    known = {
        "purchaseId": purchase_id,
        "outerPurchaseId": "R-1",
        "status": 0,
        "purchaseAmount": 2570,
        "payAmount": None,
    }
    return known | {"createdTime": "2026-01-31 08:00:00"} | changes


def page(*orders: dict[str, Any]) -> dict[str, Any]:
    return {
        "totalRecords": len(orders),
        "totalPage": 1,
        "pageSize": 50,
        "currentPage": 1,
        "data": list(orders),
    }


async def test_an_offer_has_the_ids_that_orders_need(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """Product and SKU bring their distribution ids; no second call is made for them."""
    service.answers(PRODUCT, lambda: ok(product()))
    offer = await channel.offer("672991141190")
    assert offer is not None
    assert (offer.distribution_item_id, offer.skus[0].distribution_sku_id) == (
        "9001",
        "8011",
    )
    assert offer.active
    assert len(service.asked) == 1


async def test_missing_distribution_ids_are_looked_up(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """The mapping is asked with the product's SKUs; a SKU that it does not know can't
    be ordered.
    """
    skus = [
        {"skuId": sku_id, "price": 1000, "quantity": 5, "status": "active"}
        for sku_id in ("11", "12")
    ]
    service.answers(PRODUCT, lambda: ok(product(mpId=None, skuList=skus)))
    mapped = {
        "itemId": "672991141190",
        "mpId": "9001",
        "skuList": [{"skuId": 11, "mpSkuId": 8011}],
    }
    service.answers(
        MAPPING,
        lambda: ok(
            {"mpProducts": [mapped], "noMpProductItemIds": [], "noMpReasonList": []}
        ),
    )
    offer = await channel.offer("672991141190")
    assert offer is not None
    assert offer.distribution_item_id == "9001"
    assert [(sku.distribution_sku_id, sku.active) for sku in offer.skus] == [
        ("8011", True),
        ("", False),
    ]
    assert json.loads(service.asked[1].body["params"]) == [
        {"itemId": "672991141190", "skuIds": ["11", "12"]}
    ]


async def test_an_item_without_distribution_id_is_not_active(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """What the service does not distribute can't be ordered through it."""
    service.answers(PRODUCT, lambda: ok(product(mpId=None)))
    service.answers(
        MAPPING, lambda: ok({"mpProducts": [], "noMpProductItemIds": ["672991141190"]})
    )
    offer = await channel.offer("672991141190")
    assert offer is not None
    assert not offer.active


async def test_the_promotion_price_is_what_a_buyer_pays(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """Where there is one; otherwise the price."""
    skus = [
        {
            "skuId": "11",
            "mpSkuId": "1",
            "price": 1000,
            "promotionPrice": 900,
            "status": "active",
        },
        {"skuId": "12", "mpSkuId": "2", "price": 1000, "status": "offline"},
    ]
    service.answers(PRODUCT, lambda: ok(product(skuList=skus)))
    offer = await channel.offer("672991141190")
    assert offer is not None
    assert [(sku.price, sku.active) for sku in offer.skus] == [
        (Money(900), True),
        (Money(1000), False),
    ]


async def test_only_not_found_means_none(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """Another refusal is an error."""
    service.answers(
        PRODUCT, lambda: no(40401, "no such product"), lambda: no(403, "not for you")
    )
    assert await channel.offer("1") is None
    with pytest.raises(Refused, match="not for you"):
        await channel.offer("1")


async def test_a_search_turns_pages_until_it_has_enough(
    client: XportcnClient, channel: TaobaoChannel, service: FakeService
) -> None:
    """Sixty hits take two pages of at most fifty."""
    hits = [{"itemId": number, "title": "茶", "price": 1} for number in range(100)]
    pages = [
        {"totalRecords": 100, "data": hits[:50]},
        {"totalRecords": 100, "data": hits[50:]},
    ]
    service.answers(
        "/open/product/search", *(lambda page=page: ok(page) for page in pages)
    )
    found = await TaobaoBrowser(client, channel).search("茶", limit=60)
    assert [summary.item_id for summary in found] == [
        str(number) for number in range(60)
    ]
    assert [asked.body["pageNo"] for asked in service.asked] == [1, 2]


async def test_receiver_and_warehouse_go_where_they_belong(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """The receiver is abroad, the warehouse in China; render and create send both."""
    service.answers(RENDER, lambda: ok({"success": False, "errorCode": "X"}))
    service.answers(CREATE, lambda: ok(created()))
    await channel.quote(order(), WAREHOUSE)
    await channel.create(claim(Action.CREATE), order(), WAREHOUSE, approved=Money(2570))
    rendered, create = (asked.body for asked in service.asked)
    assert rendered["receiver"] == create["receiver"]
    assert rendered["receiver"]["country"] == RECEIVER.country
    assert rendered["warehouseAddress"] == create["warehouseAddressInfo"]
    assert create["warehouseAddressInfo"] == {
        "country": "CN",
        "state": "广东省",
        "city": "深圳市",
        "district": "宝安区",
        "address": "1 路",
        "zip": "518000",
        "name": "一号仓",
        "phone": "13800000000",
        "mobilePhone": "13800000000",
    }


def rendered_line(number: int, **changes: Any) -> dict[str, Any]:
    known = {
        "itemId": f"900{number}",
        "skuId": f"800{number}",
        "quantity": 2,
        "price": 1000,
        "available": True,
    }
    return known | changes


def rendered(*lines: dict[str, Any], seller: str = "s1") -> dict[str, Any]:
    amounts = {
        "productAmount": 2000,
        "domesticPostFee": 600,
        "purchaseAmount": 2600,
        "currency": "CNY",
    }
    return {"supplierNick": seller, **amounts, "lines": list(lines)}


async def test_a_quote_adds_up_in_fen(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """Goods, postage and total come from the service, line by line as it answered."""
    service.answers(RENDER, lambda: ok({"orders": [rendered(rendered_line(1))]}))
    quote = await channel.quote(order(), WAREHOUSE)
    assert (quote.goods, quote.postage, quote.total) == (
        Money(2000),
        Money(600),
        Money(2600),
    )
    assert quote.lines == (
        QuoteLine(line_no=1, unit_price=Money(1000), amount=Money(2000)),
    )
    assert quote.problems == ()
    items = json.loads(service.asked[0].body["renderItemList"])
    assert items == [{"itemId": "9001", "skuId": "8001", "quantity": 2}]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("OUT_OF_STOCK", Problem.OUT_OF_STOCK),
        ("BELOW_MIN_QUANTITY", Problem.BELOW_MIN_QUANTITY),
        ("ITEM_OFFLINE", Problem.OFFLINE),
        ("SKU_NOT_FOUND", Problem.SKU_UNKNOWN),
        ("SOMETHING_NEW", Problem.OTHER),
    ],
)
async def test_a_line_that_can_not_be_bought_is_a_problem_of_that_line(
    channel: TaobaoChannel, service: FakeService, code: str, problem: Problem
) -> None:
    """The service's code in our word, and its own words kept."""
    bad = rendered_line(2, available=False, errorCode=code, errorMessage="不行")
    service.answers(RENDER, lambda: ok({"orders": [rendered(rendered_line(1), bad)]}))
    quote = await channel.quote(order(line(1), line(2)), WAREHOUSE)
    assert quote.problems == (LineProblem(problem=problem, message="不行", line_no=2),)
    assert [priced.line_no for priced in quote.lines] == [1]


async def test_two_lines_of_one_sku_are_told_apart(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """The second answer for the same ids belongs to the second line."""
    twin = line(2, distribution_item_id="9001", distribution_sku_id="8001")
    bad = rendered_line(1, available=False, errorCode="OUT_OF_STOCK")
    service.answers(RENDER, lambda: ok({"orders": [rendered(rendered_line(1), bad)]}))
    quote = await channel.quote(order(line(1), twin), WAREHOUSE)
    assert [problem.line_no for problem in quote.problems] == [2]


async def test_lines_of_two_sellers_are_a_problem(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """One order is of one seller; the sums cover both."""
    service.answers(
        RENDER,
        lambda: ok(
            {
                "orders": [
                    rendered(rendered_line(1)),
                    rendered(rendered_line(2), seller="s2"),
                ]
            }
        ),
    )
    quote = await channel.quote(order(line(1), line(2)), WAREHOUSE)
    assert [problem.problem for problem in quote.problems] == [Problem.SELLERS_DIFFER]
    assert "s1, s2" in quote.problems[0].message
    assert quote.total == Money(5200)


async def test_a_line_that_the_preview_is_silent_about_is_a_problem(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """No price is no quote."""
    service.answers(RENDER, lambda: ok({"orders": [rendered(rendered_line(1))]}))
    quote = await channel.quote(order(line(1), line(2)), WAREHOUSE)
    assert [(problem.problem, problem.line_no) for problem in quote.problems] == [
        (Problem.OTHER, 2)
    ]


async def test_a_preview_refused_as_a_whole_is_a_problem_too(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """What can't be bought is in the quote, not an exception."""
    service.answers(RENDER, lambda: no("ADDRESS_INVALID", "地址无效"))
    quote = await channel.quote(order(), WAREHOUSE)
    assert quote.problems == (
        LineProblem(problem=Problem.ADDRESS_INVALID, message="地址无效"),
    )
    assert quote.total == Money(0)


def created(**changes: Any) -> dict[str, Any]:
    made = {
        "purchaseId": 205302264452352630,
        "estimateAmount": 2570,
        "estimateCurrency": "CNY",
    }
    return {"success": True, "outerPurchaseId": "R-1", "orderList": [made]} | changes


async def test_creating_sends_reference_limit_and_lines(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """Our reference is the key, the approved amount the limit, the lines a JSON text
    with distribution ids.
    """
    service.answers(CREATE, lambda: ok(created()))
    answer = await channel.create(
        claim(Action.CREATE), order(line(1)), WAREHOUSE, approved=Money(2600)
    )
    assert answer == Created(order_ids=("205302264452352630",), total=Money(2570))
    sent = service.asked[0].body
    assert (sent["outerPurchaseId"], sent["purchaseAmount"]) == ("R-1", 2600)
    assert (sent["channelOrderType"], sent["supportPartialSuccess"]) == (
        "PANAMA",
        False,
    )
    assert json.loads(sent["orderLineList"]) == [
        {
            "itemId": "9001",
            "skuId": "8001",
            "orderLineNo": "1",
            "quantity": 2,
            "price": 1000,
            "currency": "CNY",
            "title": "这是商品",
        }
    ]


async def test_orders_are_found_by_reference(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """One question a reference; the answer has only those found, created after
    `since`.
    """
    service.answers(PAGE, lambda: ok(page(purchase())), lambda: ok(page()))
    found = (await channel.find(["R-1", "R-2", "R-1"], since=SINCE)).found
    assert {
        reference: [one.order_id for one in orders]
        for reference, orders in found.items()
    } == {"R-1": ["7"]}
    assert sorted(asked.body["outerPurchaseId"] for asked in service.asked) == [
        "R-1",
        "R-2",
    ]


async def test_orders_from_before_are_not_found(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """Ten minutes are allowed for the clocks, not more."""
    service.answers(PAGE, lambda: ok(page(purchase(createdTime="2026-01-31 07:50:00"))))
    assert set((await channel.find(["R-1"], since=SINCE)).found) == {"R-1"}
    service.answers(PAGE, lambda: ok(page(purchase(createdTime="2026-01-31 07:49:59"))))
    assert (await channel.find(["R-1"], since=SINCE)).found == {}


async def test_reading_goes_in_batches_of_fifty(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """120 ids take three calls; unknown ids are missing from the answer."""
    ids = [str(number) for number in range(120)]
    service.answers(PAGE, lambda: ok(page()))
    assert await channel.read([*ids, "0"]) == {}
    assert sorted(len(asked.body["purchaseIds"]) for asked in service.asked) == [
        20,
        50,
        50,
    ]


async def test_an_order_shows_parts_parcels_and_shipments(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """Two lines in one domestic parcel and one booking come out as one parcel and one
    shipment of two items.
    """
    domestic = {
        "logisticCompanyName": "顺丰",
        "logisticNumber": "SF1",
        "rtsTime": "1754342534",
    }
    abroad = {
        "orderId": 21,
        "logisticNumer": "FAR1",
        "logisticCompanyName": "UCS",
        "trackingUrl": "u",
        "renderId": "F",
    }
    parts = [
        {
            "subPurchaseOrderId": number,
            "itemId": number,
            "skuId": number,
            "quantity": 1,
            "logisticOrders": [domestic],
            "internationalLogisticOrders": [abroad],
        }
        for number in (71, 72)
    ]
    service.answers(
        PAGE,
        lambda: ok(page(purchase(status=11, payAmount=2570, subPurchaseOrders=parts))),
    )
    read = (await channel.read(["7"]))["7"]
    assert (read.parts, read.paid, read.total) == (
        ("71", "72"),
        Money(2570),
        Money(2570),
    )
    assert [(parcel.tracking_number, parcel.sent_at) for parcel in read.parcels] == [
        ("SF1", datetime.fromtimestamp(1754342534, UTC))
    ]
    (shipment,) = read.shipments
    assert (shipment.shipment_order_id, shipment.tracking_numbers) == ("21", ("FAR1",))
    assert [item.item_id for item in shipment.items] == ["71", "72"]


@pytest.mark.parametrize(
    ("second", "is_partly_sent"),
    [
        ({"logisticNumber": "SF2"}, False),
        ({"rtsTime": "1754342534"}, False),
        ({"logisticNumber": None}, True),
        ({}, True),
    ],
)
def test_the_place_of_a_parcel_that_is_not_sent_yet_is_no_parcel(
    second: dict[str, Any], *, is_partly_sent: bool
) -> None:
    """A carrier's name may stand there before the number does."""
    told = [{"logisticNumber": "SF1"}, {"logisticCompanyName": "顺丰"} | second]
    parts = [
        {"subPurchaseOrderId": 71 + place, "logisticOrders": [one]}
        for place, one in enumerate(told)
    ]
    shown = taobao_order.ORDER_PAGE.parse(
        page(purchase(status=11, subPurchaseOrders=parts))
    ).data[0]
    assert service_order(shown).is_partly_sent is is_partly_sent


async def test_goods_without_a_parcels_number_are_asked_back_as_not_sent(
    client: XportcnClient, service: FakeService
) -> None:
    part = {
        "subPurchaseOrderId": "71",
        "logisticOrders": [{"logisticCompanyName": "顺丰", "logisticNumber": None}],
    }
    service.answers(
        "/open/order/detail/get", lambda: ok(purchase("7", subPurchaseOrders=[part]))
    )
    service.answers("/v2/taobao/order/refund/render", lambda: no("40001", "no"))
    target = Target(lines=(1,), entry_ids=("71",), refund_ids=())
    with pytest.raises(Refused):
        await TaobaoAfterSale(client).options("7", target, RefundKind.REFUND)
    assert [asked.body["goodsStatus"] for asked in service.asked[1:]] == [1]


def whole(*parts: str) -> ServiceOrder:
    return ServiceOrder(
        order_id="7",
        reference="R-1",
        status=ServiceStatus.SHIPPED,
        total=Money(1),
        paid=None,
        created_at=None,
        parts=parts,
    )


async def test_a_trace_is_of_all_parts_oldest_first_and_each_event_once(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """Parts that share a parcel tell the same events; a part without logistics tells
    none.
    """
    traces = [
        {
            "time": "2026-01-02 08:00:00",
            "status": "SIGN",
            "standerdDesc": "已签收",
            "city": "深圳市",
        },
        {
            "time": "2026-01-01 08:00:00",
            "status": "TMS_STATION_IN",
            "statusDesc": "到站",
            "facilityName": "杭州站",
        },
    ]
    told = {"pnmLogisticsDetails": [{"mailNo": "SF1", "logisticsTraces": traces}]}
    service.answers(
        LOGISTICS, lambda: ok(told), lambda: ok(told), lambda: no(40402, "nothing yet")
    )
    events = await channel.trace(whole("71", "72", "73"))
    assert [(event.status, event.description, event.place) for event in events] == [
        (TraceStatus.OTHER, "到站", "杭州站"),
        (TraceStatus.SIGN, "已签收", "深圳市"),
    ]


async def test_a_list_that_goes_further_back_than_asked_is_cut(
    channel: TaobaoChannel, service: FakeService
) -> None:
    """The filter is not confirmed: what is older is left out, and one that shows less
    than it counts is no list.
    """
    old = purchase("7", createdTime="2026-01-30 00:00:00")
    new = purchase("8", createdTime="2026-02-01 00:00:00")
    service.answers(PAGE, lambda: ok({"totalRecords": 2, "data": [new, old]}))
    assert [
        one.order_id for one in (await channel.list_orders(since=SINCE)).listed
    ] == ["8"]
    assert service.asked[0].body["createTimeStart"] == 1769817000000
    service.answers(
        PAGE,
        lambda: ok({"totalRecords": 2, "data": [new]}),
        lambda: ok({"totalRecords": 2, "data": []}),
    )
    assert (await channel.list_orders(since=SINCE)).lacks is Lack.WHOLE_LIST


async def test_refunds_of_the_account_are_listed_to_a_page_that_brings_nothing_new(
    client: XportcnClient, service: FakeService
) -> None:
    """Whichever program asked for them; the order is named in either place."""

    def row(number: int, **order: str) -> dict[str, Any]:
        refund = {
            "refundId": str(number),
            "refundFee": 100 * number,
            "refundStatus": 10,
        }
        return {
            "refundOrder": {**refund, **order},
            "purchaseOrderLine": {"purchaseOrderId": f"line-{number}"},
        }

    pages = iter([[row(1, payOrderId="77"), row(2)], [row(2), row(3)], [row(3)]])
    service.answers("/open/order/refund/queryList", lambda: ok({"data": next(pages)}))
    listed = await TaobaoAfterSale(client).list_refunds(
        since=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert [(one.refund_id, one.order_id, one.amount, one.word) for one in listed] == [
        ("1", "77", Money(100), "10"),
        ("2", "line-2", Money(200), "10"),
        ("3", "line-3", Money(300), "10"),
    ]
    assert [call.body["pageNo"] for call in service.asked] == [1, 2, 3]
    assert service.asked[0].body["refundStartTime"] == 1767225600000


def refund(refund_id: str = "1", **changes: Any) -> dict[str, Any]:
    shown = {"refundId": refund_id, "refundFee": 100, "refundStatus": 100} | changes
    return {"refundOrderAggregate": {"refundOrder": shown}}


async def test_the_answer_about_another_refund_or_order_is_not_believed(
    client: XportcnClient, service: FakeService
) -> None:
    """A cache, or a parameter that is ignored: another refund's end is not this one's,
    nor its order's lines.
    """
    after_sale = TaobaoAfterSale(client)
    service.answers("/v2/taobao/order/refund/query", lambda: ok(refund("3")))
    with pytest.raises(
        ContractMismatch, match="1 was asked for, and the answer is about 3"
    ):
        await after_sale.read("1")
    part = {"subPurchaseOrderId": "71", "itemId": "1", "skuId": "11", "quantity": 1}
    service.answers(
        "/open/order/detail/get", lambda: ok(purchase("8", subPurchaseOrders=[part]))
    )
    with pytest.raises(
        ContractMismatch, match="7 was asked for, and the answer is about 8"
    ):
        await after_sale.targets("7", order().lines, {1})
