"""1688: what is sent, and what odd answers mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from connectors.marketplaces.alibaba_1688.after_sale import Alibaba1688AfterSale
from connectors.marketplaces.alibaba_1688.channel import Alibaba1688Channel
from connectors.marketplaces.protocol import Created
from connectors.marketplaces.refusals import means_it_exists, require_approved
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch, Misconfigured, NotSent, Refused
from connectors.xportcn.operations import alibaba_order
from connectors.xportcn.wire import CHINA
from domain.decisions import judge_quote
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import LineProblem, Problem, QuoteLine, VolumePrice
from domain.orders import SourcingOrder
from domain.service_orders import ServiceStatus, TraceStatus
from domain.states import OrderState
from domain.witnessed import Lack
from tests.connectors.xportcn.fake_service import FakeService, no, ok
from tests.connectors.xportcn.orders import WAREHOUSE, claim, line, order

DETAIL = "/alibaba/product/detail/get"
PREVIEW = "/alibaba/order/create/preview"
CREATE = "/alibaba/order/create"
PAY = "/alibaba/order/batch/submit/to/pay"
PAGE = "/v2/alibaba/order/page"
ORDER = "/alibaba/order/detail"
TRACE = "/alibaba/order/logistics/trace/get"
SPEC = "a" * 32
SINCE = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def channel(client: XportcnClient) -> Alibaba1688Channel:
    return Alibaba1688Channel(client)


def our_order() -> SourcingOrder:
    return order(
        line(1), line(2, spec_id="b" * 32), marketplace=Marketplace.ALIBABA_1688
    )


async def test_an_offer_has_specs_and_volume_prices(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Yuan become fen, SKUs keep both ids, ranges become volume prices."""
    sku = {
        "skuId": 5736673805656,
        "specId": SPEC,
        "price": "20.34",
        "amountOnSale": 3741,
        "skuAttributes": [{"attributeName": "颜色", "value": "白色"}],
    }
    service.answers(
        DETAIL,
        lambda: ok(
            {
                "offerId": 811556715845,
                "subject": "衬衫",
                "status": "published",
                "minOrderQuantity": 20,
                "sellerOpenId": "BBB",
                "sellerDataInfo": {"shopName": "百货"},
                "productImage": {"images": ["u"]},
                "productSkuInfos": [sku],
                "productSaleInfo": {
                    "priceRangeList": [{"startQuantity": 20, "price": "20.15"}]
                },
            }
        ),
    )
    offer = await channel.offer("811556715845")
    assert offer is not None
    assert service.asked[0].body == {"offerId": 811556715845, "country": "en"}
    assert (offer.min_quantity, offer.seller_id, offer.seller_name, offer.active) == (
        20,
        "BBB",
        "百货",
        True,
    )
    assert (offer.skus[0].sku_id, offer.skus[0].spec_id, offer.skus[0].price) == (
        "5736673805656",
        SPEC,
        Money(2034),
    )
    assert offer.skus[0].name == "颜色: 白色"
    assert offer.volume_prices == (VolumePrice(start_quantity=20, price=Money(2015)),)


async def test_only_not_found_means_none(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Another refusal is an error, for offers and for orders alike."""
    for path in (DETAIL, ORDER):
        service.answers(path, lambda: no(40401, "gone"), lambda: no(403, "not for you"))
    assert await channel.offer("1") is None
    with pytest.raises(Refused):
        await channel.offer("not a number")
    service.answers(ORDER, lambda: no(40402, "no such order"))
    assert await channel.read(["1"]) == {}
    service.answers(ORDER, lambda: no(403, "not for you"))
    with pytest.raises(Refused):
        await channel.read(["1", "2"])


def cargo(spec: str = SPEC, **changes: Any) -> dict[str, Any]:
    expected = {
        "offerId": 672991141190,
        "specId": spec,
        "amount": 19.99,
        "finalUnitPrice": 9.995,
        "resultCode": "200",
    }
    return expected | changes


def previewed(*cargos: dict[str, Any], **changes: Any) -> dict[str, Any]:
    sums = {
        "sumPayment": 6561,
        "sumCarriage": 600,
        "sumPaymentNoCarriage": 5800,
        "additionalFee": 161,
    }
    return {"status": True, **sums, "cargoList": list(cargos)} | changes


async def test_a_quote_takes_sums_in_fen_and_lines_in_yuan(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """The total is what the service will take, fees included; unit prices are rounded,
    amounts exact.
    """
    result = previewed(cargo(), cargo("b" * 32, amount=57.99999999999999))
    service.answers(
        PREVIEW, lambda: ok({"success": True, "orderPreviewResuslt": [result]})
    )
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert (quote.goods, quote.postage, quote.total) == (
        Money(5800),
        Money(600),
        Money(6561),
    )
    assert quote.lines == (
        QuoteLine(line_no=1, unit_price=Money(1000), amount=Money(1999)),
        QuoteLine(line_no=2, unit_price=Money(2900), amount=Money(5800)),
    )
    assert quote.problems == ()
    sent = service.asked[0].body
    assert sent["addressParam"]["fullName"] == "一号仓"
    assert sent["addressParam"]["provinceText"] == "广东省"
    assert sent["cargoParamList"][0] == {
        "offerId": 672991141190,
        "specId": SPEC,
        "quantity": 2,
    }


@pytest.mark.parametrize(
    ("named", "trade_type"),
    [
        (["assureTrade"], "assureTrade"),
        (["creditBuy", "alipay", "assureTrade"], "alipay"),
    ],
)
async def test_an_order_is_created_as_its_preview_says(
    channel: Alibaba1688Channel, service: FakeService, named: list[str], trade_type: str
) -> None:
    """In the flow that it priced, and by the first trade type that is no credit: left
    out, 1688 may pick credit.
    """
    result = previewed(
        cargo(), cargo("b" * 32), flowFlag="fenxiaonew", tradeModeNameList=named
    )
    service.answers(
        PREVIEW, lambda: ok({"success": True, "orderPreviewResuslt": [result]})
    )
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert (quote.flow, quote.trade_type, quote.hold) == ("fenxiaonew", trade_type, "")
    service.answers(
        CREATE, lambda: ok({"success": True, "orderId": 7, "totalSuccessAmount": 1})
    )
    order = replace(our_order(), flow=quote.flow, trade_type=quote.trade_type)
    await channel.create(claim(Action.CREATE), order, WAREHOUSE, approved=Money(1))
    sent = service.asked[-1].body
    assert (sent["flow"], sent["tradeType"], sent["outOrderId"]) == (
        "fenxiaonew",
        trade_type,
        "R-1",
    )


async def test_a_preview_that_says_no_is_no_quote(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Whatever its code is, inside a success."""
    result = previewed(
        cargo(), cargo("b" * 32), status=False, resultCode="999", message="今日不接单"
    )
    service.answers(
        PREVIEW, lambda: ok({"success": True, "orderPreviewResuslt": [result]})
    )
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert quote.problems == (LineProblem(problem=Problem.OTHER, message="今日不接单"),)


async def test_a_total_alone_is_split_by_its_lines(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """What is left above the lines is postage; a total that the lines can't come to is
    no quote.
    """
    result = previewed(
        cargo(), cargo("b" * 32, amount=58), sumPaymentNoCarriage=None, sumCarriage=None
    )
    service.answers(
        PREVIEW,
        lambda: ok(
            {"success": True, "orderPreviewResuslt": [result | {"sumPayment": 8400}]}
        ),
    )
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert (quote.goods, quote.postage, quote.total) == (
        Money(7799),
        Money(601),
        Money(8400),
    )
    service.answers(
        PREVIEW,
        lambda: ok(
            {"success": True, "orderPreviewResuslt": [result | {"sumPayment": 840000}]}
        ),
    )
    with pytest.raises(
        ContractMismatch,
        match=r"a total of 8,400.00 CNY alone, and prices of 77.99 CNY: .*XPORTCN_UNITS",
    ):
        await channel.quote(our_order(), WAREHOUSE)


async def test_a_total_without_any_price_is_nothing_to_compare(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """It is shown, and nothing is ordered by it."""
    result = previewed(
        cargo(amount=None),
        cargo("b" * 32, amount=None),
        sumPaymentNoCarriage=None,
        sumCarriage=None,
    )
    service.answers(
        PREVIEW,
        lambda: ok(
            {"success": True, "orderPreviewResuslt": [result | {"sumPayment": 8400}]}
        ),
    )
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert (quote.goods, quote.lines, quote.total) == (Money(0), (), Money(8400))
    verdict = judge_quote(
        our_order().request, our_order().lines, replace(quote, hold="")
    )
    assert verdict.state is OrderState.HELD
    assert str(verdict.why).startswith(
        "the preview can't be right: it shows 84.00 CNY in all and no other price; the offer costs 40.00 CNY"
    )
    with pytest.raises(NotSent, match="no price; nothing was ordered"):
        require_approved(alibaba_order.CREATE, quote, Money(8400))


@pytest.mark.parametrize(
    ("named", "offered"),
    [(["creditBuy", "period"], "only by creditBuy, period"), ([], "by no")],
)
async def test_what_is_sold_on_credit_only_is_held(
    channel: Alibaba1688Channel, service: FakeService, named: list[str], offered: str
) -> None:
    """A person decides, and can name the trade type in a setting."""
    result = previewed(cargo(), cargo("b" * 32), tradeModeNameList=named)
    service.answers(
        PREVIEW, lambda: ok({"success": True, "orderPreviewResuslt": [result]})
    )
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert quote.hold.startswith(f"the seller sells it {offered}")
    assert quote.hold.endswith("; allowed are assureTrade, fxassure, alipay, assure")


async def test_a_field_that_the_service_does_not_know_is_named_with_its_setting(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """And a duplicate is not taken for that: without the field it would be ordered
    again.
    """
    service.answers(CREATE, lambda: no(40001, "outOrderId: unknown field", status=400))
    with pytest.raises(
        Refused, match=r"unknown field: .* Leave it out with XPORTCN_OUT_ORDER_ID=false"
    ):
        await channel.create(
            claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(1)
        )
    service.answers(
        CREATE,
        lambda: no(
            400, "DUPLICATE_OUT_ORDER_ID: there is an order with outOrderId R-1"
        ),
    )
    with pytest.raises(Refused) as caught:
        await channel.create(
            claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(1)
        )
    assert "XPORTCN_OUT_ORDER_ID" not in caught.value.message
    assert means_it_exists(caught.value)


async def test_a_preview_that_splits_the_order_is_added_up(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Several results make one quote."""
    results = [previewed(cargo()), previewed(cargo("b" * 32))]
    service.answers(
        PREVIEW, lambda: ok({"success": True, "orderPreviewResult": results})
    )
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert quote.total == Money(13122)
    assert [priced.line_no for priced in quote.lines] == [1, 2]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("500_001", Problem.OFFLINE),
        ("500_002", Problem.SELLERS_DIFFER),
        ("500_003", Problem.SKU_UNKNOWN),
        ("500_004", Problem.OUT_OF_STOCK),
        ("500_005", Problem.BELOW_MIN_QUANTITY),
        ("500_006", Problem.RULED_OUT),
        ("500_009", Problem.BELOW_MIN_QUANTITY),
        ("something", Problem.OTHER),
    ],
)
async def test_a_preview_that_says_no_is_a_problem(
    channel: Alibaba1688Channel, service: FakeService, code: str, problem: Problem
) -> None:
    """The service's code in our word, its own words kept."""
    answer = {
        "success": False,
        "errorCode": code,
        "errorMsg": "不行",
        "orderPreviewResuslt": None,
    }
    service.answers(PREVIEW, lambda: ok(answer))
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert quote.problems == (LineProblem(problem=problem, message="不行"),)
    assert quote.total == Money(0)


async def test_a_problem_of_a_line_names_the_line(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Where the cargo carries the code, the line is known."""
    bad = cargo("b" * 32, resultCode="500_004", message="库存不足", amount=None)
    service.answers(
        PREVIEW,
        lambda: ok(
            {"success": False, "orderPreviewResuslt": [previewed(cargo(), bad)]}
        ),
    )
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert quote.problems == (
        LineProblem(problem=Problem.OUT_OF_STOCK, message="库存不足", line_no=2),
    )


async def test_an_address_refused_at_the_preview_is_a_problem(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Code 400 says it in words only."""
    service.answers(PREVIEW, lambda: no(400, "AddressId invalid"))
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert quote.problems == (
        LineProblem(problem=Problem.ADDRESS_INVALID, message="AddressId invalid"),
    )


@pytest.mark.parametrize("results", [[], [previewed(cargo(), sumPayment=None)]])
async def test_a_preview_without_sums_is_no_quote(
    channel: Alibaba1688Channel, service: FakeService, results: list[dict[str, Any]]
) -> None:
    """An agreed preview that names no price must not look like a free order."""
    service.answers(
        PREVIEW, lambda: ok({"success": True, "orderPreviewResuslt": results})
    )
    with pytest.raises(ContractMismatch, match="no sums"):
        await channel.quote(our_order(), WAREHOUSE)


async def test_the_reference_travels_as_the_message(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """`message` is exactly our reference: it is all we have to find the order again."""
    service.answers(
        CREATE,
        lambda: ok(
            {
                "success": True,
                "orderId": "2612179450800013491",
                "totalSuccessAmount": 6561,
            }
        ),
    )
    answer = await channel.create(
        claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(6561)
    )
    assert answer == Created(order_ids=("2612179450800013491",), total=Money(6561))
    sent = service.asked[0].body
    assert (sent["flow"], sent["message"]) == ("general", "R-1")
    assert "tradeType" not in sent


async def test_a_create_that_made_several_orders_names_them_all(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """`orderId` is empty then; the list has ids and amounts, misspelt."""
    pieces = [
        {"orderId": 71, "orderAmmount": 1000, "success": True},
        {"orderId": "72", "orderAmount": 500},
    ]
    service.answers(
        CREATE, lambda: ok({"success": True, "orderId": None, "orderList": pieces})
    )
    answer = await channel.create(
        claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(1500)
    )
    assert answer == Created(order_ids=("71", "72"), total=Money(1500))


async def test_failed_lines_without_an_order_are_a_refusal(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Each failed offer is a problem of its line."""
    failed = {
        "offerId": 672991141190,
        "specId": "b" * 32,
        "errorCode": "500_004",
        "errorMessage": "库存不足",
    }
    service.answers(CREATE, lambda: ok({"success": False, "failedOfferList": [failed]}))
    with pytest.raises(Refused) as caught:
        await channel.create(
            claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(1)
        )
    assert (caught.value.code, caught.value.message) == ("500_004", "库存不足")
    assert caught.value.problems == (
        LineProblem(problem=Problem.OUT_OF_STOCK, message="库存不足", line_no=2),
    )


@pytest.mark.parametrize(
    ("word", "back"),
    [("waitselleragree", 0), ("refundclose", 0), ("refundsuccess", 50000)],
)
async def test_the_sum_of_a_refund_came_back_once_it_is_done(
    client: XportcnClient, service: FakeService, word: str, back: int
) -> None:
    """Until then it may be what is asked for."""
    record = {
        "refundId": "7",
        "status": word,
        "applyPayment": 50000,
        "refundPayment": 50000,
    }
    service.answers("/alibaba/refund/info", lambda: ok(record))
    assert (await Alibaba1688AfterSale(client).read("7")).refunded == Money(back)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"refundPayment": None}, "a refund is done without its sum"),
        (
            {"refundId": "8", "refundPayment": 50000},
            "7 was asked for, and the answer is about 8",
        ),
    ],
)
async def test_the_end_of_a_refund_is_not_believed_without_its_sum_or_of_another(
    client: XportcnClient, service: FakeService, changes: dict[str, Any], why: str
) -> None:
    """It would be over with nothing, or with what came back for another order; so it is
    read again.
    """
    record = {
        "refundId": "7",
        "status": "refundsuccess",
        "applyPayment": 50000,
    } | changes
    service.answers("/alibaba/refund/info", lambda: ok(record))
    with pytest.raises(ContractMismatch, match=why):
        await Alibaba1688AfterSale(client).read("7")


async def test_no_refund_is_planned_on_another_order_s_lines(
    client: XportcnClient, service: FakeService
) -> None:
    """Its entries may be alike."""
    service.answers(ORDER, lambda: ok(listed(8)))
    with pytest.raises(
        ContractMismatch, match="7 was asked for, and the answer is about 8"
    ):
        await Alibaba1688AfterSale(client).targets("7", our_order().lines, {1})


FAILED = {"offerId": 672991141190, "specId": SPEC, "errorCode": "500_004"}


@pytest.mark.parametrize(
    ("code", "words", "ours"),
    [
        (400, "ORDER_STATUS_ERROR", "ORDER_STATUS_ERROR"),
        (40402, "order 7 does not exist", "ORDER_NOT_EXIST"),
        (403, "x", "403"),
    ],
)
async def test_a_refused_payment_has_taobao_s_code(
    channel: Alibaba1688Channel, service: FakeService, code: int, words: str, ours: str
) -> None:
    """Callers need one set of codes."""
    service.answers(PAY, lambda: no(code, words))
    with pytest.raises(Refused) as caught:
        await channel.pay(claim(Action.PAY), "7")
    assert (caught.value.code, caught.value.message) == (ours, words)


def listed(
    number: int, reference: str = "", created: datetime = SINCE, **changes: Any
) -> dict[str, Any]:
    base = {
        "id": number,
        "idOfStr": str(number),
        "status": "waitbuyerpay",
        "totalAmount": 65.61,
        "createTime": created.astimezone(CHINA).strftime("%Y%m%d%H%M%S") + "000+0800",
        "buyerFeedback": reference,
    }
    return {"baseInfo": base | changes}


def pages(
    service: FakeService, orders: Iterable[dict[str, Any]], *, total: int | None = None
) -> None:
    """Make the list answer the page of these orders that it is asked for."""
    notices = list(orders)
    count = len(notices) if total is None else total
    service.lists(
        PAGE,
        notices,
        lambda rows: {"totalRecord": count, "result": rows},
        "page",
        "pageSize",
    )


def turned(service: FakeService) -> list[tuple[int, int]]:
    return [(call.body["page"], call.body["pageSize"]) for call in service.asked]


async def test_find_turns_every_page(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """The newest alone, then all to an empty page: further down a reference may stand a
    second time.
    """
    pages(
        service,
        [
            listed(1, "R-1"),
            *(listed(number) for number in range(2, 120)),
            listed(120, "R-1"),
        ],
    )
    result = (await channel.find(["R-1"], since=SINCE)).found
    assert {
        reference: [order.order_id for order in orders]
        for reference, orders in result.items()
    } == {"R-1": ["1", "120"]}
    assert turned(service) == [(1, 1), (1, 50), (2, 50), (3, 50), (4, 50)]
    assert service.asked[0].body["createStartTime"] == "2026-01-31 07:50:00"


async def test_find_ends_once_all_are_found_and_orders_get_older(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """If the list ignores the time filter, the past is not read for nothing."""
    old = [
        listed(number, created=SINCE - timedelta(days=1)) for number in range(2, 200)
    ]
    pages(service, [listed(1, "R-1"), *old])
    assert set((await channel.find(["R-1"], since=SINCE)).found) == {"R-1"}
    assert turned(service) == [(1, 1), (1, 50)]


async def test_find_matches_exactly(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Neither a longer message nor an older order is ours."""
    old = SINCE - timedelta(minutes=10, seconds=1)
    pages(
        service,
        [
            listed(1, "R-10"),
            listed(2, "r-1"),
            listed(3, "R-1", old),
            listed(4, "R-1 please hurry"),
        ],
    )
    assert (await channel.find(["R-1"], since=SINCE)).found == {}


async def test_find_does_not_trust_a_page_size_it_did_not_get(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """A list that gives ten a page when fifty were asked for is read on in tens: it may
    count in fifties.
    """
    notices = [listed(number, f"R-{number}") for number in range(1, 26)]

    def page() -> web.Response:
        number = service.asked[-1].body["page"]
        size = service.asked[-1].body["pageSize"]
        return ok(
            {
                "totalRecord": 25,
                "result": notices[(number - 1) * size :][: min(size, 10)],
            }
        )

    service.answers(PAGE, page)
    reading = await channel.find(["R-25", "R-0"], since=SINCE)
    assert (set(reading.found), reading.lacks, reading.ended) == ({"R-25"}, None, True)
    assert turned(service) == [(1, 1), (1, 50), (2, 10), (3, 10), (4, 10)]


async def test_a_list_that_repeats_a_page_has_no_end(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Were `page` not honoured, `not found` would be a reason to order twice."""
    same = {"totalRecord": 50, "result": [listed(number) for number in range(50)]}
    service.answers(PAGE, lambda: ok(same))
    reading = await channel.find(["R-1"], since=SINCE)
    assert (reading.ended, reading.covers, reading.lacks) == (False, None, None)


async def test_a_list_that_shows_fewer_than_it_counts_proves_nothing(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Fewer orders than counted is no proof of absence."""
    pages(service, [listed(1)], total=5)
    assert (await channel.find(["R-1"], since=SINCE)).lacks is Lack.WHOLE_LIST


async def test_a_list_that_counts_its_pages_from_0_proves_nothing(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Page 1 is its second: the newest fifty would never be read."""
    notices = [listed(number) for number in range(60)]

    def page() -> web.Response:
        number = service.asked[-1].body["page"]
        size = service.asked[-1].body["pageSize"]
        return ok(
            {"totalRecord": 0, "result": notices[number * size : (number + 1) * size]}
        )

    service.answers(PAGE, page)
    reading = await channel.find(["R-1"], since=SINCE)
    assert (
        reading.lacks,
        [service_order.order_id for service_order in reading.listed][:1],
    ) == (
        Lack.WHOLE_LIST,
        ["50"],
    )


async def test_new_orders_that_push_the_list_down_do_no_harm(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """An order seen on two pages is one order."""
    head = {"totalRecord": 60, "result": [listed(60)]}
    first = {
        "totalRecord": 60,
        "result": [listed(number) for number in range(60, 10, -1)],
    }
    second = {
        "totalRecord": 62,
        "result": [
            listed(number, "R-1" if number == 1 else "") for number in range(12, 0, -1)
        ],
    }
    service.answers(
        PAGE, *(lambda page=page: ok(page) for page in (head, first, second))
    )
    result = (await channel.find(["R-1"], since=SINCE)).found
    assert [service_order.order_id for service_order in result["R-1"]] == ["1"]


async def test_an_order_is_read_with_all_its_digits_and_times(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """The text id wins over the number, which samples show rounded; paid is what it
    costs once there is a pay time.
    """
    paid = listed(
        2542285634920880600,
        idOfStr="2542285634920880794",
        payTime="20260131081500298+0800",
        closeReason="BUYER_NO_PAY",
    )
    parcel = {
        "logisticsBillNo": "SF1",
        "logisticsCompanyName": "顺丰",
        "deliveredTime": "20260131090000000+0800",
    }
    abroad = [
        {
            "orderId": 21,
            "logisticNumer": number,
            "logisticCompanyName": "UCS",
            "trackingUrl": number,
            "renderId": "F",
        }
        for number in ("FAR1", "FAR2")
    ]
    order_seen = paid | {
        "nativeLogistics": {"logisticsItems": [parcel]},
        "internationalLogistics": abroad,
    }
    service.answers(ORDER, lambda: ok(order_seen))
    read = (await channel.read(["2542285634920880794"]))["2542285634920880794"]
    assert service.asked[0].body == {
        "webSite": "1688",
        "orderId": "2542285634920880794",
    }
    assert (read.total, read.paid, read.close_reason) == (
        Money(6561),
        Money(6561),
        "BUYER_NO_PAY",
    )
    assert read.paid_at == datetime(2026, 1, 31, 0, 15, 0, 298000, tzinfo=UTC)
    assert read.parcels[0].sent_at == datetime(2026, 1, 31, 1, tzinfo=UTC)
    (shipment,) = read.shipments
    assert (shipment.shipment_order_id, shipment.tracking_numbers) == (
        "21",
        ("FAR1", "FAR2"),
    )


async def test_a_trace_is_oldest_first(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Domestic and international steps in one row of time; unknown stages are
    `OTHER`.
    """
    steps = [
        {"acceptTime": "2026-01-02 08:00:00", "remark": "已签收", "status": "SIGN"},
        {"acceptTime": "2026-01-01 08:00:00", "remark": "已发货", "status": None},
    ]
    service.answers(
        TRACE,
        lambda: ok(
            {"logisticsTrace": [{"logisticsBillNo": "SF1", "logisticsSteps": steps}]}
        ),
    )
    service.answers(ORDER, lambda: ok(listed(7)))
    (read,) = (await channel.read(["7"])).values()
    events = await channel.trace(read)
    assert [(event.status, event.description) for event in events] == [
        (TraceStatus.OTHER, "已发货"),
        (TraceStatus.SIGN, "已签收"),
    ]


@pytest.mark.parametrize(
    ("code", "words", "is_missing"),
    [
        (404, "订单不存在", True),
        (404, "数据不存在", True),
        (500, "订单不存在", True),
        (500, "ORDER_STATUS_ERROR", False),
        (404, "no such thing", False),
        (404, "", False),
    ],
)
async def test_an_order_that_is_not_there_concerns_itself_alone(
    channel: Alibaba1688Channel,
    service: FakeService,
    code: int,
    words: str,
    *,
    is_missing: bool,
) -> None:
    """Java's plain words for it, after an answer; and where those words are known
    before one too.

    Others may be of the path: an order that was not read is no missing one.
    """
    service.answers(ORDER, lambda: ok(listed(7)), lambda: no(code, words))
    await channel.read(["7"])
    if is_missing:
        assert await channel.read(["8"]) == {}
    else:
        with pytest.raises(Refused):
            await channel.read(["8"])


@pytest.mark.parametrize(
    "words", ["没找到请求", "No handler found for GET /x", "404 NOT_FOUND", "Not Found"]
)
async def test_a_gateway_that_wraps_its_own_errors_says_nothing_about_an_order(
    channel: Alibaba1688Channel, service: FakeService, words: str
) -> None:
    """During a deployment all orders would be told as missing; it is tried again, as
    its bare page is.
    """
    service.answers(
        ORDER, lambda: ok(listed(7)), lambda: no(404, words), lambda: ok(listed(8))
    )
    await channel.read(["7"])
    assert set(await channel.read(["8"])) == {"8"}


async def test_an_item_that_is_gone_in_plain_words_is_no_offer(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """One item taken off sale ends no run, be it the first that is asked about."""
    service.answers(DETAIL, lambda: no(404, "商品不存在"))
    assert await channel.offer("1") is None


async def test_no_tracking_after_tracking_is_no_tracking(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Code 404 with words or none, of a path that has answered."""
    service.answers(ORDER, lambda: ok(listed(7)))
    (read,) = (await channel.read(["7"])).values()
    service.answers(
        TRACE,
        lambda: ok({"logisticsTrace": []}),
        lambda: no(404, "no logistics"),
        lambda: no(404, ""),
    )
    assert [await channel.trace(read) for _ in range(3)] == [[], [], []]
    assert [call.path for call in service.asked].count(TRACE) == 3


@pytest.mark.parametrize(
    ("status", "nothing_yet"), [(200, True), (400, True), (404, False)]
)
async def test_tracking_that_is_not_there_yet(
    channel: Alibaba1688Channel, service: FakeService, status: int, *, nothing_yet: bool
) -> None:
    """1688 answers code 404 for an order without a parcel; with HTTP 404 the path is
    wrong.
    """
    service.answers(ORDER, lambda: ok(listed(7)))
    (read,) = (await channel.read(["7"])).values()
    service.answers(TRACE, lambda: no(404, "no logistics", status=status))
    if nothing_yet:
        assert await channel.trace(read) == []
    else:
        with pytest.raises(Misconfigured):
            await channel.trace(read)


async def test_an_order_is_found_by_its_own_id(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Where the list hides the message, or shows another; both places are told."""
    bare = listed(1)
    second = listed(2, "please hurry")
    for row, own_id in ((bare, "R-1"), (second, "R-2")):
        row["baseInfo"]["outOrderId"] = own_id
    pages(service, [bare, second, listed(3, "R-3")])
    result = (await channel.find(["R-1", "R-2", "R-3"], since=SINCE)).found
    locations = {
        name: [sorted(order.places_of(name)) for order in orders]
        for name, orders in result.items()
    }
    assert locations == {
        "R-1": [["outOrderId"]],
        "R-2": [["outOrderId"]],
        "R-3": [["reference"]],
    }


def shown_order(
    order_id: int, *, reference: str = "R-1", status: str = "waitsellersend"
) -> dict[str, Any]:
    base = {
        "id": order_id,
        "idOfStr": str(order_id),
        "status": status,
        "totalAmount": 17.8,
        "buyerFeedback": reference,
    }
    return {"baseInfo": base, "productItems": []}


def asked_for(service: FakeService) -> list[Any]:
    return [
        call.path if call.path == PAGE else call.body["orderId"]
        for call in service.asked
    ]


async def test_orders_are_read_one_by_one_unless_the_answer_may_lag(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Before an effect only the order itself counts; a list may be some moments old."""
    service.answers(ORDER, *(lambda at=at: ok(shown_order(at)) for at in (1, 2, 3)))
    assert set(await channel.read(["1", "2", "3"])) == {"1", "2", "3"}
    assert asked_for(service) == ["1", "2", "3"]


async def test_several_orders_whose_answer_may_lag_come_with_a_page_of_the_list(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """What it does not show, or shows twice, is asked for alone; two orders are not
    worth a page.
    """
    rows = [shown_order(at) for at in (9, 1, 2, 3, 8, 4, 4)]
    service.answers(PAGE, lambda: ok({"totalRecord": 7, "result": rows}))
    service.answers(
        ORDER,
        *(lambda at=at: ok(shown_order(at, status="success")) for at in (4, 5, 1, 2)),
    )
    service_orders = await channel.read(["1", "2", "3", "4", "5"], may_lag=True)
    assert {
        order_id: service_order.status
        for order_id, service_order in service_orders.items()
    } == {
        **dict.fromkeys(("1", "2", "3"), ServiceStatus.PAID),
        **dict.fromkeys(("4", "5"), ServiceStatus.FINISHED),
    }
    assert asked_for(service) == [PAGE, "4", "5"]
    assert service.asked[0].body == {"page": 1, "pageSize": 20}
    assert set(await channel.read(["1", "2"], may_lag=True)) == {"1", "2"}
    assert asked_for(service)[3:] == ["1", "2"]


async def test_a_list_that_can_not_be_read_costs_no_order(
    channel: Alibaba1688Channel, service: FakeService
) -> None:
    """Each is asked for alone, which tells what is wrong if something is."""
    service.answers(PAGE, lambda: no(40001, "page", status=400))
    service.answers(ORDER, *(lambda at=at: ok(shown_order(at)) for at in (1, 2, 3)))
    assert set(await channel.read(["1", "2", "3"], may_lag=True)) == {"1", "2", "3"}
    assert asked_for(service) == [PAGE, "1", "2", "3"]
