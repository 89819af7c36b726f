"""Poizon: what is sent, and what odd answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.marketplaces.poizon import PoizonChannel
from connectors.marketplaces.protocol import Created
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch, Refused
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import LineProblem, Problem, QuoteLine
from domain.orders import SourcingOrder
from tests.connectors.xportcn.fake_service import FakeService, no, ok
from tests.connectors.xportcn.orders import WAREHOUSE, claim, line, order

PREVIEW = "/poizon/order/orderPreview"
CREATE = "/poizon/order/createOrder"
PAY = "/poizon/order/payOrder"
LIST = "/poizon/order/orderList"
SINCE = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def channel(client: XportcnClient) -> PoizonChannel:
    return PoizonChannel(client)


def our_order() -> SourcingOrder:
    return order(line(1), marketplace=Marketplace.POIZON)


def item(**changes: Any) -> dict[str, Any]:
    expected = {
        "dwSpuId": "672991141190",
        "dwSkuId": 3452545926724,
        "quantity": 2,
        "price": "10.00",
        "available": True,
    }
    return (
        expected
        | {"stock": 9, "minQuantity": 1, "errorCode": None, "errorMessage": None}
        | changes
    )


def preview(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    amounts = {
        "goodsAmount": "20.00",
        "freightAmount": "6.00",
        "totalAmount": "26.00",
        "currency": "CNY",
    }
    return {
        "success": True,
        "errorCode": None,
        "orders": [{**amounts, "items": list(items)}],
    } | changes


async def test_a_quote_is_in_yuan_text(
    channel: PoizonChannel, service: FakeService
) -> None:
    """All four ids are asked for."""
    service.answers(PREVIEW, lambda: ok(preview(item())))
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert (quote.goods, quote.postage, quote.total) == (
        Money(2000),
        Money(600),
        Money(2600),
    )
    assert quote.lines == (
        QuoteLine(line_no=1, unit_price=Money(1000), amount=Money(2000)),
    )
    assert quote.problems == ()
    sent = service.asked[0].body
    calls = {
        "dwSpuId": "672991141190",
        "dwSkuId": "3452545926724",
        "distSpuId": "9001",
        "distSkuId": "8001",
    }
    assert sent["productList"] == [calls | {"quantity": 2}]
    assert sent["shippingAddress"] == {
        "name": "一号仓",
        "phone": "13800000000",
        "province": "广东省",
        "city": "深圳市",
        "district": "宝安区",
        "detailAddress": "1 路",
    }


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("OUT_OF_STOCK", Problem.OUT_OF_STOCK),
        ("BELOW_MIN_QUANTITY", Problem.BELOW_MIN_QUANTITY),
        ("SPU_OFF_SALE", Problem.OFFLINE),
        ("SKU_NOT_FOUND", Problem.SKU_UNKNOWN),
        ("SOMETHING_NEW", Problem.OTHER),
    ],
)
async def test_a_line_that_can_not_be_bought_is_a_problem_of_that_line(
    channel: PoizonChannel, service: FakeService, code: str, problem: Problem
) -> None:
    """An unknown SKU comes without price and stock."""
    bad = item(
        available=False, errorCode=code, errorMessage="不行", price=None, stock=None
    )
    service.answers(PREVIEW, lambda: ok(preview(bad)))
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert (quote.problems, quote.lines) == (
        (LineProblem(problem=problem, message="不行", line_no=1),),
        (),
    )


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            {"success": False, "errorCode": "SELLER_MISMATCH", "orders": []},
            Problem.SELLERS_DIFFER,
        ),
        (
            {"success": False, "errorCode": "ADDRESS_INVALID", "orders": []},
            Problem.ADDRESS_INVALID,
        ),
        ({"success": True, "orders": []}, Problem.OTHER),
        (preview(), Problem.OTHER),
        (preview(item(), success=None), Problem.OTHER),
    ],
)
async def test_a_preview_without_a_clear_yes_is_a_problem(
    channel: PoizonChannel,
    service: FakeService,
    answer: dict[str, Any],
    problem: Problem,
) -> None:
    """Refused as a whole, silent about a line, or neither yes nor no."""
    service.answers(PREVIEW, lambda: ok(answer))
    assert [
        problem.problem
        for problem in (await channel.quote(our_order(), WAREHOUSE)).problems
    ] == [problem]


@pytest.mark.parametrize(
    ("code", "problem"),
    [("400", Problem.SEVERAL_PRODUCTS), ("SELLER_MISMATCH", Problem.SELLERS_DIFFER)],
)
async def test_a_refused_preview_of_several_products_may_be_about_that(
    channel: PoizonChannel, service: FakeService, code: str, problem: Problem
) -> None:
    """A known code says what it is about; of one product it is a no like any other."""
    service.answers(PREVIEW, lambda: no(code, "ORDER_PRODUCT_LIMIT"))
    sourcing_order = order(
        line(1), line(2, item_id="7"), marketplace=Marketplace.POIZON
    )
    assert [
        problem.problem
        for problem in (await channel.quote(sourcing_order, WAREHOUSE)).problems
    ] == [problem]
    assert (await channel.quote(our_order(), WAREHOUSE)).problems[
        0
    ].problem is not Problem.SEVERAL_PRODUCTS


async def test_another_currency_does_not_fit(
    channel: PoizonChannel, service: FakeService
) -> None:
    """Dollars must not be read as yuan."""
    answer = preview(item())
    answer["orders"][0]["currency"] = "USD"
    service.answers(PREVIEW, lambda: ok(answer))
    with pytest.raises(ContractMismatch) as caught:
        await channel.quote(our_order(), WAREHOUSE)
    assert caught.value.field == "orders.0.currency"


def created(**changes: Any) -> dict[str, Any]:
    built = {
        "distOrderNo": 2887421737338134260,
        "customerOrderNo": "OA00835379",
        "totalAmount": "26.00",
        "currency": "CNY",
    }
    return {
        "success": True,
        "errorCode": None,
        "requestId": "R-1",
        "orderList": [built],
    } | changes


async def test_creating_sends_the_key_and_the_most_that_a_piece_may_cost(
    channel: PoizonChannel, service: FakeService
) -> None:
    """Our reference is the key, prices go in fen, amounts come in yuan."""
    service.answers(CREATE, lambda: ok(created()))
    answer = await channel.create(
        claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(2600)
    )
    assert answer == Created(order_ids=("2887421737338134260",), total=Money(2600))
    sent = service.asked[0].body
    assert (sent["requestId"], sent["productList"][0]["price"]) == ("R-1", 1000)


async def test_nothing_is_created_when_the_goods_alone_are_above_the_limit(
    channel: PoizonChannel, service: FakeService
) -> None:
    """What the guard of each line lets through must not add up to more than was
    approved.
    """
    with pytest.raises(Refused, match=r"it costs 20\.00 CNY now, approved 19\.99 CNY"):
        await channel.create(
            claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(1999)
        )
    assert service.asked == []


async def test_an_unknown_order_has_the_code_of_all_channels(
    channel: PoizonChannel, service: FakeService
) -> None:
    """40402 in the envelope."""
    service.answers(PAY, lambda: no(40402, "no such order"))
    with pytest.raises(Refused) as caught:
        await channel.pay(claim(Action.PAY), "7")
    assert caught.value.code == "ORDER_NOT_EXIST"


def shown(number: int, **changes: Any) -> dict[str, Any]:
    expected = {
        "distOrderNo": number,
        "requestId": "R-1",
        "orderStatus": "UNPAID",
        "totalAmount": "26.00",
    }
    return (
        expected
        | {"currency": "CNY", "createTime": 1769817600000, "realPayAmount": None}
        | changes
    )


async def test_times_are_milliseconds(
    channel: PoizonChannel, service: FakeService
) -> None:
    """As number or text."""
    paid = shown(7, orderStatus="PAID", payTime="1769817601500", realPayAmount="26.00")
    service.answers(LIST, lambda: ok({"totalRecords": 1, "data": [paid]}))
    read = (await channel.read(["7"]))["7"]
    assert (read.created_at, read.paid) == (
        datetime(2026, 1, 31, tzinfo=UTC),
        Money(2600),
    )
    assert read.paid_at == datetime(2026, 1, 31, 0, 0, 1, 500000, tzinfo=UTC)


async def test_a_number_of_the_marketplace_is_no_reference(
    channel: PoizonChannel, service: FakeService
) -> None:
    """Else an order that does not show ours would be another's for good; without any a
    person can tell.
    """
    numbered = shown(7, requestId=None, customerOrderNo="OA00835379")
    service.answers(LIST, lambda: ok({"totalRecords": 1, "data": [numbered]}))
    assert (await channel.read(["7"]))["7"].names == ()


async def test_split_orders_fill_more_than_a_page(
    channel: PoizonChannel, service: FakeService
) -> None:
    """Fifty references may be a hundred orders: every page is turned."""
    references = [f"R-{number}" for number in range(50)]
    orders = [shown(number, requestId=references[number % 50]) for number in range(100)]
    service.lists(
        LIST,
        orders,
        lambda rows: {"totalRecords": 100, "data": rows},
        "pageNo",
        "pageSize",
    )
    result = (await channel.find(references, since=SINCE)).found
    assert {len(service_order) for service_order in result.values()} == {2}
