"""InternationalAlibaba: what is sent, what odd answers mean, and money in other
currencies.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from connectors.marketplaces.international import InternationalChannel
from connectors.marketplaces.protocol import Created
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch, Refused, Unanswered
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import LineProblem, Problem, QuoteLine, VolumePrice
from domain.orders import SourcingOrder
from domain.witnessed import Lack
from tests.connectors.xportcn.fake_service import FakeService, no, ok
from tests.connectors.xportcn.orders import WAREHOUSE, claim, line, order

DETAIL = "/alibaba/international/product/detail/get"
FREIGHT = "/alibaba/international/order/freight/calculate"
CREATE = "/alibaba/international/order/create"
PAY = "/alibaba/international/order/pay"
LIST = "/alibaba/international/order/list"
SINCE = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def channel(client: XportcnClient) -> InternationalChannel:
    return InternationalChannel(client)


def our_order(*quantities: int) -> SourcingOrder:
    """Lines of one product, each of another SKU."""
    lines = [
        line(no, sku_id=f"1{no}", quantity=quantity)
        for no, quantity in enumerate(quantities or (2,), start=1)
    ]
    return order(*lines, marketplace=Marketplace.INTERNATIONAL)


def carrier(code: str, fee: str, **changes: Any) -> dict[str, Any]:
    expected = {
        "carrierCode": code,
        "carrierName": code,
        "fee": fee,
        "currency": "CNY",
        "minDays": 2,
        "maxDays": 5,
    }
    return expected | changes


def freight(
    amount: str = "20.00", *carriers: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    listed = carriers or (
        carrier("CN_EXPRESS", "14.00"),
        carrier("CN_STANDARD", "6.00"),
    )
    return {
        "productAmount": amount,
        "currency": "CNY",
        "carriers": list(listed),
        "problemList": [],
    } | changes


def product(
    *prices: tuple[str, dict[int, str]], currency: str = "CNY"
) -> dict[str, Any]:
    skus = [
        {
            "skuId": sku_id,
            "stock": 9,
            "ladderPrice": [
                {
                    "minQuantity": start,
                    "maxQuantity": -1,
                    "price": price,
                    "currency": currency,
                }
                for start, price in ladder.items()
            ],
        }
        for sku_id, ladder in prices
    ]
    return {
        "productId": "672991141190",
        "title": "Cup",
        "currency": currency,
        "status": "online",
        "skus": skus,
    }


async def test_an_offer_has_each_sku_s_ladder(
    channel: InternationalChannel, service: FakeService
) -> None:
    """The first step is the price at the minimum; a currency stays what it is."""
    service.answers(
        DETAIL, lambda: ok(product(("11", {2: "2.79", 100: "2.50"}), currency="USD"))
    )
    offer = await channel.offer("672991141190")
    assert offer is not None
    assert offer.skus[0].price == Money(279, "USD")
    assert offer.skus[0].volume_prices == (
        VolumePrice(start_quantity=2, price=Money(279, "USD")),
        VolumePrice(start_quantity=100, price=Money(250, "USD")),
    )


async def test_a_quote_takes_the_cheapest_carrier(
    channel: InternationalChannel, service: FakeService
) -> None:
    """Goods and fee are decimal text; of equal fees the faster carrier counts."""
    service.answers(FREIGHT, lambda: ok(freight()))
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
    assert sent["dispatchLocation"] == "CN"
    assert sent["productList"] == [
        {"productId": "672991141190", "skuId": "11", "quantity": 2}
    ]
    assert sent["shipmentAddress"] == {
        "zip": "518000",
        "country": "China",
        "countryCode": "CN",
        "province": "广东省",
        "city": "深圳市",
        "address": "宝安区1 路",
        "contactPerson": "一号仓",
        "telephone": {"country": "86", "number": "13800000000"},
    }


async def test_several_lines_are_priced_by_their_ladders(
    channel: InternationalChannel, service: FakeService
) -> None:
    """A step is reached by all pieces of the product in the order."""
    service.answers(FREIGHT, lambda: ok(freight("34.00")))
    service.answers(
        DETAIL,
        lambda: ok(
            product(("11", {1: "5.00", 5: "4.00"}), ("12", {1: "8.00", 5: "6.00"}))
        ),
    )
    quote = await channel.quote(our_order(4, 3), WAREHOUSE)
    assert [
        (priced.line_no, priced.unit_price, priced.amount) for priced in quote.lines
    ] == [
        (1, Money(400), Money(1600)),
        (2, Money(600), Money(1800)),
    ]
    assert [call.path for call in service.asked] == [FREIGHT, DETAIL]


@pytest.mark.parametrize("told", [{1: "7.99"}, None])
async def test_lines_that_do_not_add_up_to_the_goods_are_a_problem(
    channel: InternationalChannel, service: FakeService, told: dict[int, str] | None
) -> None:
    """A price limit of a line must not be held against less than the line will cost."""
    service.answers(FREIGHT, lambda: ok(freight("24.00")))
    second = [("12", told)] if told else []
    service.answers(DETAIL, lambda: ok(product(("11", {1: "8.00"}), *second)))
    quote = await channel.quote(our_order(1, 2), WAREHOUSE)
    assert [problem.problem for problem in quote.problems] == [Problem.OTHER]
    assert "the goods cost 24.00 CNY" in quote.problems[0].message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (freight(currency="USD"), "priced in USD: only orders in CNY are bought"),
        (
            freight("20.00", carrier("X", "1.00", currency="USD")),
            "no carrier charges in CNY",
        ),
        (freight(carriers=[]), "no carrier brings it to the warehouse"),
    ],
)
async def test_another_currency_is_a_problem(
    channel: InternationalChannel,
    service: FakeService,
    answer: dict[str, Any],
    words: str,
) -> None:
    """Neither quoted as if it were yuan nor ordered."""
    service.answers(FREIGHT, lambda: ok(answer))
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert quote.problems == (LineProblem(problem=Problem.RULED_OUT, message=words),)
    with pytest.raises(Refused, match=words):
        await channel.create(
            claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(10**9)
        )
    assert {call.path for call in service.asked} == {FREIGHT}


@pytest.mark.parametrize(
    ("code", "words", "problem"),
    [
        (130106, "offline", Problem.OFFLINE),
        (10005, "no SKU", Problem.SKU_UNKNOWN),
        (10007, "minimum", Problem.BELOW_MIN_QUANTITY),
        (4027, "minimum", Problem.BELOW_MIN_QUANTITY),
        (130703, "stock", Problem.OUT_OF_STOCK),
        (120019, "can't ship", Problem.ADDRESS_INVALID),
        (130608, "dispatch", Problem.ADDRESS_INVALID),
        (480006, "over 5000 USD", Problem.RULED_OUT),
    ],
)
async def test_every_refusal_is_a_problem(
    channel: InternationalChannel,
    service: FakeService,
    code: int,
    words: str,
    problem: Problem,
) -> None:
    """By the envelope for the whole order, or in the list of problems for a line."""
    line_problem = {
        "productId": 672991141190,
        "skuId": 11,
        "errorCode": code,
        "errorMessage": words,
    }
    service.answers(
        FREIGHT,
        lambda: no(code, words),
        lambda: ok(freight("0.00", carriers=[], problemList=[line_problem])),
    )
    quote, of_line = [await channel.quote(our_order(), WAREHOUSE) for _ in range(2)]
    assert quote.problems == (LineProblem(problem=problem, message=words),)
    assert of_line.problems == (LineProblem(problem=problem, message=words, line_no=1),)


def created(**changes: Any) -> dict[str, Any]:
    built = {"tradeId": 2887421737338134260, "totalAmount": "26.00", "currency": "CNY"}
    return {
        "tradeId": "2887421737338134260",
        "payUrl": None,
        "orderList": [built],
    } | changes


async def test_creating_takes_its_carrier_out_of_a_fresh_quote(
    channel: InternationalChannel, service: FakeService
) -> None:
    """Our reference is the key; the carrier is the one whose fee was quoted."""
    service.answers(FREIGHT, lambda: ok(freight()))
    service.answers(CREATE, lambda: ok(created()))
    answer = await channel.create(
        claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(2600)
    )
    assert answer == Created(order_ids=("2887421737338134260",), total=Money(2600))
    calls, sent = (call.body for call in service.asked)
    assert (sent["channelReferId"], sent["logisticsDetail"]["carrierCode"]) == (
        "R-1",
        "CN_STANDARD",
    )
    assert sent["productList"] == calls["productList"]
    assert sent["logisticsDetail"]["shipmentAddress"] == calls["shipmentAddress"]


async def test_a_code_that_nobody_knows_settles_nothing(
    channel: InternationalChannel, service: FakeService
) -> None:
    """Only the codes that the contract lists are a no."""
    service.answers(FREIGHT, lambda: ok(freight()))
    service.answers(CREATE, lambda: no(777777, "what?"))
    with pytest.raises(Unanswered):
        await channel.create(
            claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(2600)
        )


def shown(number: int, **changes: Any) -> dict[str, Any]:
    expected = {
        "tradeId": number,
        "channelReferId": "R-1",
        "tradeStatus": "unpay",
        "totalAmount": "26.00",
    }
    return (
        expected
        | {"currency": "CNY", "createDate": "2026-01-31 08:00:00", "paidAmount": None}
        | changes
    )


async def test_an_order_in_another_currency_is_not_read_as_yuan(
    channel: InternationalChannel, service: FakeService
) -> None:
    """Its amounts can't be judged against what was approved."""
    service.answers(
        LIST, lambda: ok({"totalCount": 1, "orderList": [shown(7, currency="USD")]})
    )
    with pytest.raises(ContractMismatch, match="order 7 is in USD"):
        await channel.read(["7"])


async def test_split_orders_fill_more_than_a_page(
    channel: InternationalChannel, service: FakeService
) -> None:
    """Fifty references may be a hundred orders: every page is turned, and a short list
    proves nothing.
    """
    references = [f"R-{number}" for number in range(50)]
    orders = [
        shown(number, channelReferId=references[number % 50]) for number in range(100)
    ]
    for total, lacks in ((100, None), (101, Lack.WHOLE_LIST)):
        service.lists(LIST, orders, partial(counted, total), "startPage", "pageSize")
        reading = await channel.find(references, since=SINCE)
        assert (
            {len(service_order) for service_order in reading.found.values()},
            reading.lacks,
        ) == (
            {2},
            lacks,
        )
    calls = [
        (call.body["startPage"], len(call.body["channelReferIds"]))
        for call in service.asked[:3]
    ]
    assert calls == [(1, 50), (2, 50), (3, 50)]


def counted(total: int, rows: list[Any]) -> dict[str, Any]:
    return {"totalCount": total, "orderList": rows}


async def test_an_order_in_another_currency_is_listed_with_it(
    channel: InternationalChannel, service: FakeService
) -> None:
    """Somebody may have ordered in dollars at the console: that must not hide all other
    orders.
    """
    service.answers(
        LIST,
        lambda: ok(
            {
                "totalCount": 1,
                "orderList": [shown(7, currency="USD", totalAmount="12.50")],
            }
        ),
    )
    listed = (await channel.list_orders(since=SINCE)).listed
    assert [
        (service_order.order_id, service_order.total) for service_order in listed
    ] == [("7", Money(1250, "USD"))]
    assert service.asked[0].body["createDateStart"] == "2026-01-31 07:50:00"
