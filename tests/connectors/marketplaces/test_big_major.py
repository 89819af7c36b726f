"""bigMajor: what is sent, and what odd answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from connectors.marketplaces.big_major import BigMajorChannel, _say_once
from connectors.marketplaces.protocol import Created
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import NotSent, Refused
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import LineProblem, Problem, QuoteLine
from domain.orders import SourcingOrder
from domain.service_orders import ServiceStatus
from domain.witnessed import Lack
from tests.connectors.xportcn.fake_service import FakeService, ok
from tests.connectors.xportcn.orders import WAREHOUSE, claim, line, order

PREVIEW = "/alibaba/ka/order/create/preview"
CREATE = "/alibaba/ka/order/create"
PAY = "/alibaba/ka/order/pay"
PAGE = "/alibaba/ka/order/page"
ORDER = "/alibaba/ka/order/detail"
SPEC = "a" * 32
SINCE = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def channel(client: XportcnClient) -> BigMajorChannel:
    return BigMajorChannel(client)


def our_order() -> SourcingOrder:
    return order(line(1), marketplace=Marketplace.BIG_MAJOR)


def item(**changes: Any) -> dict[str, Any]:
    expected = {
        "offerId": 672991141190,
        "specId": SPEC,
        "skuId": 5736673805656,
        "amount": 5800,
        "finalUnitPrice": 2900,
    }
    return expected | {"message": None} | changes


def previewed(*items: dict[str, Any]) -> dict[str, Any]:
    """The page's own sample of amounts."""
    sums = {
        "sumCarriage": 600,
        "sumPayment": 6400,
        "sumTotalPayment": 6561,
        "sumPaymentNoCarriage": 5800,
    }
    return {**sums, "orderItemTOList": list(items)}


async def test_a_quote_is_with_the_service_s_fee(
    channel: BigMajorChannel, service: FakeService
) -> None:
    """The total is what paying takes: 161 fen more than goods and carriage in the
    page's sample.
    """
    service.answers(PREVIEW, lambda: ok([previewed(item())]))
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert (quote.goods, quote.postage, quote.total) == (
        Money(5800),
        Money(600),
        Money(6561),
    )
    assert quote.lines == (
        QuoteLine(line_no=1, unit_price=Money(2900), amount=Money(5800)),
    )
    assert quote.problems == ()
    sent = service.asked[0].body
    assert sent["flow"] == "fenxiaonew"
    assert sent["cargoParamList"] == [
        {"offerId": 672991141190, "specId": SPEC, "quantity": 2}
    ]


async def test_an_order_is_created_as_its_preview_says(
    channel: BigMajorChannel, service: FakeService
) -> None:
    """In the flow that the preview names, by the first trade type that is no credit;
    with credit alone it is not.
    """
    named = {"flowFlag": "general", "tradeModeNameList": ["creditBuy", "alipay"]}
    service.answers(PREVIEW, lambda: ok([previewed(item()) | named]))
    service.answers(
        CREATE,
        lambda: ok(
            {"success": True, "orderList": [{"orderId": "7", "totalPayment": 6561}]}
        ),
    )
    await channel.create(
        claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(6561)
    )
    assert (service.asked[-1].body["flow"], service.asked[-1].body["tradeType"]) == (
        "general",
        "alipay",
    )
    service.answers(
        PREVIEW, lambda: ok([previewed(item()) | {"tradeModeNameList": ["creditBuy"]}])
    )
    assert (await channel.quote(our_order(), WAREHOUSE)).hold.startswith(
        "the seller sells it only by creditBuy"
    )
    with pytest.raises(NotSent, match=r"only by creditBuy; .*; nothing was ordered"):
        await channel.create(
            claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(6561)
        )


async def test_what_a_create_without_a_trade_type_relies_on_is_said_once(
    channel: BigMajorChannel, service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    service.answers(PREVIEW, lambda: ok([previewed(item())]))
    service.answers(
        CREATE,
        lambda: ok(
            {"success": True, "orderList": [{"orderId": "7", "totalPayment": 6561}]}
        ),
    )
    _say_once.cache_clear()
    for _ in range(2):
        await channel.create(
            claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(6561)
        )
    assert [record.message[:57] for record in caplog.records] == [
        "big_major: the preview names no trade type, so the order "
    ]
    assert service.asked[-1].body["flow"] == "fenxiaonew"


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (
            "500_001: 已下架",
            LineProblem(problem=Problem.OFFLINE, message="已下架", line_no=1),
        ),
        (
            "500_002: 不同商家",
            LineProblem(problem=Problem.SELLERS_DIFFER, message="不同商家", line_no=1),
        ),
        (
            "500_003: 规格",
            LineProblem(problem=Problem.SKU_UNKNOWN, message="规格", line_no=1),
        ),
        (
            "500_004: 库存不足",
            LineProblem(problem=Problem.OUT_OF_STOCK, message="库存不足", line_no=1),
        ),
        (
            "500_005: 起批量",
            LineProblem(
                problem=Problem.BELOW_MIN_QUANTITY, message="起批量", line_no=1
            ),
        ),
        (
            "something new",
            LineProblem(problem=Problem.OTHER, message="something new", line_no=1),
        ),
    ],
)
async def test_a_message_at_a_line_is_a_problem(
    channel: BigMajorChannel, service: FakeService, told: str, problem: LineProblem
) -> None:
    """A code, a colon and words; a line that is remarked on is not bought unread."""
    service.answers(PREVIEW, lambda: ok([previewed(item(message=told, amount=0))]))
    quote = await channel.quote(our_order(), WAREHOUSE)
    assert (quote.problems, quote.lines) == ((problem,), ())


async def test_a_line_that_the_preview_is_silent_about_is_a_problem(
    channel: BigMajorChannel, service: FakeService
) -> None:
    """No price is no quote."""
    answers: tuple[list[dict[str, Any]], ...] = (
        [],
        [previewed()],
        [previewed(item(amount=None))],
    )
    service.answers(PREVIEW, *(lambda answer=answer: ok(answer) for answer in answers))
    for _ in answers:
        assert [
            problem.problem
            for problem in (await channel.quote(our_order(), WAREHOUSE)).problems
        ] == [Problem.OTHER]


def created(**changes: Any) -> dict[str, Any]:
    built = {
        "orderId": 2887421737338134260,
        "orderNo": "PO1",
        "totalAmount": 6400,
        "totalPayment": 6561,
    }
    return {
        "success": True,
        "code": None,
        "orderList": [built],
        "failedOfferList": [],
    } | changes


async def test_creating_previews_first_and_sends_the_reference_as_message(
    channel: BigMajorChannel, service: FakeService
) -> None:
    """The service demands a preview; the order costs what is paid, fee included."""
    service.answers(PREVIEW, lambda: ok([previewed(item())]))
    service.answers(CREATE, lambda: ok(created()))
    answer = await channel.create(
        claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(6561)
    )
    assert answer == Created(order_ids=("2887421737338134260",), total=Money(6561))
    assert [call.path for call in service.asked] == [PREVIEW, CREATE]
    assert (
        service.asked[0].body["cargoParamList"]
        == service.asked[1].body["cargoParamList"]
    )
    assert (service.asked[1].body["message"], service.asked[1].body["flow"]) == (
        "R-1",
        "fenxiaonew",
    )


FAILED = {
    "offerId": 672991141190,
    "specId": SPEC,
    "errorCode": "500_004",
    "errorMessage": "库存不足",
}


async def test_failed_lines_without_an_order_are_a_refusal(
    channel: BigMajorChannel, service: FakeService
) -> None:
    """Each failed offer is a problem of its line."""
    service.answers(PREVIEW, lambda: ok([previewed(item())]))
    service.answers(
        CREATE,
        lambda: ok(
            created(
                success=False, code="500_004", orderList=[], failedOfferList=[FAILED]
            )
        ),
    )
    with pytest.raises(Refused) as caught:
        await channel.create(
            claim(Action.CREATE), our_order(), WAREHOUSE, approved=Money(6561)
        )
    assert (caught.value.code, caught.value.request_id) == ("500_004", "r" * 32)
    assert caught.value.problems == (
        LineProblem(problem=Problem.OUT_OF_STOCK, message="库存不足", line_no=1),
    )


def shown(number: int, **changes: Any) -> dict[str, Any]:
    expected = {
        "orderId": number,
        "orderStatus": "WAITING_FOR_PAYMENT",
        "payStatus": 1,
        "totalPayment": 6561,
    }
    return (
        expected | {"tbCreateTime": "2026-01-31 08:00:00", "message": "R-1"} | changes
    )


@pytest.mark.parametrize(
    ("told", "is_paid"),
    [
        ({"payStatus": 1}, False),
        ({"payStatus": 2}, True),
        ({"payStatus": 4}, True),
        ({}, True),
    ],
)
async def test_a_time_of_payment_is_none_where_the_order_is_told_to_be_unpaid(
    channel: BigMajorChannel,
    service: FakeService,
    told: dict[str, Any],
    *,
    is_paid: bool,
) -> None:
    """As the page of messages shows one that was cancelled unpaid."""
    cancelled = (
        shown(1, orderStatus="CANCEL", payStatus=None, payTime="2026-01-31 09:00:00")
        | told
    )
    service.answers(ORDER, lambda: ok(cancelled))
    order = (await channel.read(["1"]))["1"]
    assert (order.status, order.paid is not None, order.paid_at is not None) == (
        ServiceStatus.CLOSED,
        is_paid,
        is_paid,
    )


async def test_find_turns_every_page(
    channel: BigMajorChannel, service: FakeService
) -> None:
    """The list can't be asked for a message, so it is read to its end; a short one
    proves nothing.
    """
    orders = [
        shown(number, message="R-1" if number in (1, 60) else "R-10")
        for number in range(1, 61)
    ]
    for total, lacks in ((60, None), (61, Lack.WHOLE_LIST)):
        service.lists(PAGE, orders, partial(counted, total), "pageNo", "pageSize")
        reading = await channel.find(["R-1"], since=SINCE)
        assert (
            [service_order.order_id for service_order in reading.found["R-1"]],
            reading.lacks,
        ) == (
            ["1", "60"],
            lacks,
        )
    assert service.asked[1].body == {
        "pageNo": 1,
        "pageSize": 50,
        "createTimeStart": "2026-01-31 07:50:00",
    }


def counted(total: int, rows: list[Any]) -> dict[str, Any]:
    return {"totalRecords": total, "data": rows}
