"""What odd answers mean, marketplace by marketplace: a doubt is never a no, and a no
says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import (
    ContractMismatch,
    NotSent,
    Refused,
    Unanswered,
    XportcnError,
)
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import LineProblem, Problem
from domain.service_orders import ServiceStatus
from tests.connectors.marketplaces import test_alibaba_1688 as alibaba_1688
from tests.connectors.marketplaces import test_big_major as big_major
from tests.connectors.marketplaces import test_international as international
from tests.connectors.marketplaces import test_poizon as poizon
from tests.connectors.marketplaces import test_taobao as taobao
from tests.connectors.marketplaces.channel_contract.wires import WIRES, channel_of
from tests.connectors.xportcn.fake_service import FakeService, Maker, bare, no, ok
from tests.connectors.xportcn.orders import WAREHOUSE, claim

SINCE = datetime(2026, 1, 31, tzinfo=UTC)


def each(
    table: Mapping[Marketplace, Iterable[tuple[Any, ...]]],
) -> list[tuple[Any, ...]]:
    return [(marketplace, *row) for marketplace, rows in table.items() for row in rows]


PAYMENTS: dict[
    Marketplace, list[tuple[dict[str, Any], type[XportcnError] | None, str]]
] = {
    Marketplace.TAOBAO: [
        ({"willPayPurchaseOrderIds": ["7"]}, None, ""),
        ({"willPayPurchaseOrderIds": [7], "payFailedResults": None}, None, ""),
        (
            {
                "payFailedResults": [
                    {"gspOrderId": 7, "errorCode": "BALANCE_NOT_ENOUGH"}
                ]
            },
            Refused,
            "BALANCE_NOT_ENOUGH",
        ),
        (
            {
                "payFailedResults": [
                    {"gspOrderId": "7", "errorCode": "ORDER_STATUS_ERROR"}
                ]
            },
            Refused,
            "ORDER_STATUS_ERROR",
        ),
        ({"payFailurePurchaseOrderIds": ["7"]}, Refused, "FAILED"),
        ({"willPayPurchaseOrderIds": ["8"]}, Unanswered, ""),
        (
            {"willPayPurchaseOrderIds": ["7"], "payFailurePurchaseOrderIds": ["7"]},
            Unanswered,
            "",
        ),
        ({}, Unanswered, ""),
    ],
    Marketplace.ALIBABA_1688: [
        ({"successOrderIds": ["7"]}, None, ""),
        ({"successOrderIds": [7], "failedOrderList": None}, None, ""),
        (
            {"failedOrderList": [{"orderId": 7, "errorCode": "BALANCE_NOT_ENOUGH"}]},
            Refused,
            "BALANCE_NOT_ENOUGH",
        ),
        (
            {"failedOrderList": [{"orderId": "7", "errorCode": "40402"}]},
            Refused,
            "ORDER_NOT_EXIST",
        ),
        ({"successOrderIds": ["8"]}, Unanswered, ""),
        (
            {"successOrderIds": ["7"], "failedOrderList": [{"orderId": "7"}]},
            Unanswered,
            "",
        ),
        (
            {
                "orderId": 7,
                "protocolPaySuccess": True,
                "payUrl": None,
                "cantPayOrderList": [],
            },
            Unanswered,
            "",
        ),
        ({}, Unanswered, ""),
    ],
    Marketplace.BIG_MAJOR: [
        ({"orderId": 7, "paySuccess": True}, None, ""),
        (
            {"paySuccess": False, "errorCode": "BALANCE_NOT_ENOUGH"},
            Refused,
            "BALANCE_NOT_ENOUGH",
        ),
        ({"paySuccess": False}, Unanswered, ""),
        ({"paySuccess": True, "errorCode": "X"}, Unanswered, ""),
        ({"orderId": "8", "paySuccess": True}, Unanswered, ""),
        ({}, Unanswered, ""),
    ],
    Marketplace.INTERNATIONAL: [
        ({"status": "PAY_SUCCESS"}, None, ""),
        (
            {"status": "PAY_FAILED", "reasonCode": "BALANCE_NOT_ENOUGH", "payUrl": "u"},
            Refused,
            "BALANCE_NOT_ENOUGH",
        ),
        ({"status": "PAY_SUCCESS", "reasonCode": "X"}, Unanswered, ""),
        ({"status": "PAYING"}, Unanswered, ""),
        ({}, Unanswered, ""),
    ],
    Marketplace.POIZON: [
        ({"success": True, "distOrderNo": 7, "realPayAmount": "26.00"}, None, ""),
        (
            {"success": False, "errorCode": "BALANCE_NOT_ENOUGH"},
            Refused,
            "BALANCE_NOT_ENOUGH",
        ),
        ({"success": False}, Unanswered, ""),
        ({"success": True, "errorCode": "X"}, Unanswered, ""),
        ({"success": True, "distOrderNo": "8"}, Unanswered, ""),
        ({}, Unanswered, ""),
    ],
}


@pytest.mark.parametrize(("marketplace", "answer", "error", "code"), each(PAYMENTS))
async def test_a_payment_is_what_the_answer_says_of_this_order(
    client: XportcnClient,
    service: FakeService,
    marketplace: Marketplace,
    answer: dict[str, Any],
    error: type[XportcnError] | None,
    code: str,
) -> None:
    """Paid or will be, refused for a reason given, or neither."""
    wire = WIRES[marketplace]
    channel = channel_of(marketplace, client)
    service.answers(wire.pay, lambda: ok(answer))
    if error is None:
        await channel.pay(claim(Action.PAY), "7")
    else:
        with pytest.raises(error) as caught:
            await channel.pay(claim(Action.PAY), "7")
        assert caught.value.code == code
    (call,) = service.asked
    assert (call.body if call.text else call.query) == wire.paying


STATUSES: dict[Marketplace, list[tuple[float | str | None, ServiceStatus]]] = {
    Marketplace.TAOBAO: [
        (12, ServiceStatus.BUILDING),
        (0, ServiceStatus.UNPAID),
        (1, ServiceStatus.PAYMENT_PENDING),
        (2, ServiceStatus.PAYMENT_PENDING),
        (3, ServiceStatus.PAYMENT_REFUSED),
        (5, ServiceStatus.PAYMENT_PENDING),
        (10, ServiceStatus.PAID),
        (11, ServiceStatus.SHIPPED),
        (4, ServiceStatus.CLOSED),
        (9, ServiceStatus.OTHER),
        (77, ServiceStatus.OTHER),
        ("10", ServiceStatus.PAID),
        ("待发货", ServiceStatus.OTHER),
        ("-10", ServiceStatus.OTHER),
        (1.5, ServiceStatus.OTHER),
        (None, ServiceStatus.OTHER),
    ],
    Marketplace.ALIBABA_1688: [
        ("waitbuyerpay", ServiceStatus.UNPAID),
        ("waitsellersend", ServiceStatus.PAID),
        ("waitbuyerreceive", ServiceStatus.SHIPPED),
        ("confirm_goods", ServiceStatus.FINISHED),
        ("success", ServiceStatus.FINISHED),
        ("cancel", ServiceStatus.CLOSED),
        ("terminated", ServiceStatus.CLOSED),
        ("waitsomething", ServiceStatus.OTHER),
        ("WAITBUYERPAY", ServiceStatus.UNPAID),
        ("wait_seller_send", ServiceStatus.PAID),
        (" waitsellersend ", ServiceStatus.PAID),
        ("交易成功", ServiceStatus.OTHER),
        (7, ServiceStatus.OTHER),
        (None, ServiceStatus.OTHER),
    ],
    Marketplace.BIG_MAJOR: [
        ("WAITING_FOR_PAYMENT", ServiceStatus.UNPAID),
        ("WAITING_FOR_SENT", ServiceStatus.PAID),
        ("WAITING_FOR_RECEIVE", ServiceStatus.SHIPPED),
        ("CANCEL", ServiceStatus.CLOSED),
        ("SOMETHING", ServiceStatus.OTHER),
    ],
    Marketplace.INTERNATIONAL: [
        ("unpay", ServiceStatus.UNPAID),
        ("paying", ServiceStatus.PAYMENT_PENDING),
        ("paid", ServiceStatus.PAID),
        ("captured", ServiceStatus.PAID),
        ("undeliver", ServiceStatus.PAID),
        ("delivering", ServiceStatus.SHIPPED),
        ("wait_confirm_receipt", ServiceStatus.SHIPPED),
        ("trade_success", ServiceStatus.FINISHED),
        ("trade_close", ServiceStatus.CLOSED),
        ("to_be_audited", ServiceStatus.OTHER),
        ("frozen", ServiceStatus.OTHER),
        ("charge_back", ServiceStatus.OTHER),
    ],
    Marketplace.POIZON: [
        ("UNPAID", ServiceStatus.UNPAID),
        ("PAID", ServiceStatus.PAID),
        ("SHIPPED", ServiceStatus.SHIPPED),
        ("CLOSED", ServiceStatus.CLOSED),
        ("SOMETHING", ServiceStatus.OTHER),
    ],
}


@pytest.mark.parametrize(("marketplace", "status", "ours"), each(STATUSES))
async def test_every_status_has_a_word(
    client: XportcnClient,
    service: FakeService,
    marketplace: Marketplace,
    status: float | str | None,
    ours: ServiceStatus,
) -> None:
    """The states of contract 4.1, 4.3 and all 5, in other capitals too, and words that
    they do not have.
    """
    wire = WIRES[marketplace]
    service.answers(wire.read, lambda: ok(wire.shown(status)))
    service_order = (await channel_of(marketplace, client).read(["7"]))["7"]
    assert (service_order.status, service_order.state_word) == (
        ours,
        "" if status is None else str(status).strip(),
    )


MADE_ABROAD = {"tradeId": "2887421737338134260", "totalAmount": "26.00"}
MADE = {"orderId": "7", "orderAmmount": 6000, "success": True}
DOUBTS: dict[Marketplace, list[dict[str, Any]]] = {
    Marketplace.TAOBAO: [
        taobao.created(success=False),
        taobao.created(success=None),
        taobao.created(orderList=[]),
        taobao.created(orderList=[{"purchaseId": 7}]),
        taobao.created(
            failedLineList=[{"orderLineNo": 2, "errorCode": "OUT_OF_STOCK"}]
        ),
        {},
    ],
    Marketplace.ALIBABA_1688: [
        {"success": False, "orderId": "7", "code": "500"},
        {
            "success": True,
            "orderId": "7",
            "totalSuccessAmount": 1,
            "failedOfferList": [alibaba_1688.FAILED],
        },
        {
            "success": True,
            "orderList": [
                MADE,
                {"orderId": None, "orderAmmount": 4000, "success": False},
            ],
        },
        {
            "success": True,
            "totalSuccessAmount": 6000,
            "orderList": [MADE, {"resultCode": "500_004"}],
        },
        {
            "success": True,
            "orderId": "7",
            "totalSuccessAmount": 6000,
            "orderList": [{**MADE, "success": False}],
        },
        {"success": True, "orderId": "7"},
        {"success": True},
        {"orderId": "7", "totalSuccessAmount": 1},
        {},
    ],
    Marketplace.BIG_MAJOR: [
        big_major.created(success=False),
        big_major.created(success=None),
        big_major.created(orderList=[]),
        big_major.created(orderList=[{"orderId": 7}]),
        big_major.created(orderList=[{"totalPayment": 7}]),
        big_major.created(failedOfferList=[big_major.FAILED]),
        {},
    ],
    Marketplace.INTERNATIONAL: [
        international.created(orderList=[]),
        international.created(orderList=None, tradeId=None),
        international.created(tradeId="7"),
        international.created(
            orderList=[
                {
                    "tradeId": "2887421737338134260",
                    "totalAmount": "26.00",
                    "currency": "USD",
                }
            ]
        ),
        international.created(
            orderList=[{"tradeId": "2887421737338134260", "totalAmount": "26.00"}]
        ),
    ],
    Marketplace.POIZON: [
        poizon.created(success=False),
        poizon.created(success=None),
        poizon.created(orderList=[]),
        poizon.created(orderList=[{"distOrderNo": 7}]),
        poizon.created(orderList=[{"totalAmount": "1.00"}]),
        {},
    ],
}


@pytest.mark.parametrize(
    ("marketplace", "answer"),
    [(marketplace, row) for marketplace, rows in DOUBTS.items() for row in rows],
)
async def test_a_create_that_may_have_made_an_order_is_unanswered(
    client: XportcnClient,
    service: FakeService,
    marketplace: Marketplace,
    answer: dict[str, Any],
) -> None:
    """A no beside an order, a yes without one, or without its amount: look before doing
    anything.
    """
    wire = WIRES[marketplace]
    wire.may_create(service)
    service.answers(wire.create, lambda: ok(answer))
    with pytest.raises(Unanswered) as caught:
        await channel_of(marketplace, client).create(
            claim(Action.CREATE), wire.order, WAREHOUSE, approved=wire.costs
        )
    assert caught.value.request_id == "r" * 32


REFUSED_BY_THE_ANSWER: dict[Marketplace, list[tuple[str, Problem]]] = {
    Marketplace.TAOBAO: [
        ("PRICE_CHANGED", Problem.PRICE_CHANGED),
        ("SELLER_MISMATCH", Problem.SELLERS_DIFFER),
        ("ADDRESS_INVALID", Problem.ADDRESS_INVALID),
        ("OUT_OF_STOCK", Problem.OUT_OF_STOCK),
        ("DUPLICATE_OUTER_ID", Problem.OTHER),
    ],
    Marketplace.POIZON: [
        ("DUPLICATE_REQUEST_ID", Problem.OTHER),
        ("ADDRESS_INVALID", Problem.ADDRESS_INVALID),
        ("PRICE_CHANGED", Problem.PRICE_CHANGED),
        ("OUT_OF_STOCK", Problem.OUT_OF_STOCK),
    ],
}


@pytest.mark.parametrize(
    ("marketplace", "code", "problem"), each(REFUSED_BY_THE_ANSWER)
)
async def test_a_create_that_is_refused_says_why(
    client: XportcnClient,
    service: FakeService,
    marketplace: Marketplace,
    code: str,
    problem: Problem,
) -> None:
    """Success false without an order is a no, with code, words, problem and the
    envelope's request id.
    """
    wire = WIRES[marketplace]
    channel = channel_of(marketplace, client)
    service.answers(
        wire.create,
        lambda: ok(
            {
                "success": False,
                "errorCode": code,
                "errorMessage": "不行",
                "orderList": None,
            }
        ),
    )
    with pytest.raises(Refused) as caught:
        await channel.create(
            claim(Action.CREATE), wire.order, WAREHOUSE, approved=wire.costs
        )
    assert (caught.value.code, caught.value.message, caught.value.request_id) == (
        code,
        "不行",
        "r" * 32,
    )
    assert caught.value.problems == (LineProblem(problem=problem, message="不行"),)
    assert caught.value.operation == wire.creating


REFUSED_BY_THE_ENVELOPE: dict[Marketplace, list[tuple[int, str, str, Problem]]] = {
    Marketplace.ALIBABA_1688: [
        (400, "AddressId invalid", "400", Problem.ADDRESS_INVALID),
    ],
    Marketplace.BIG_MAJOR: [
        (400, "PREVIEW_REQUIRED", "PREVIEW_REQUIRED", Problem.OTHER),
        (400, "PREVIEW_REQUIRED: preview first", "PREVIEW_REQUIRED", Problem.OTHER),
        (400, "AddressId invalid", "400", Problem.ADDRESS_INVALID),
    ],
    Marketplace.INTERNATIONAL: [
        (
            400,
            "DUPLICATE_CHANNEL_REFER_ID",
            "DUPLICATE_CHANNEL_REFER_ID",
            Problem.OTHER,
        ),
        (4028, "carrier", "4028", Problem.RULED_OUT),
        (130703, "stock", "130703", Problem.OUT_OF_STOCK),
    ],
}


@pytest.mark.parametrize(
    ("marketplace", "told", "words", "code", "problem"), each(REFUSED_BY_THE_ENVELOPE)
)
async def test_a_create_refused_by_the_envelope_is_explained(
    client: XportcnClient,
    service: FakeService,
    marketplace: Marketplace,
    told: int,
    words: str,
    code: str,
    problem: Problem,
) -> None:
    """The service's code, which under 400 stands in the message, and our word for
    it.
    """
    wire = WIRES[marketplace]
    channel = channel_of(marketplace, client)
    wire.may_create(service)
    service.answers(wire.create, lambda: no(told, words))
    with pytest.raises(Refused) as caught:
        await channel.create(
            claim(Action.CREATE), wire.order, WAREHOUSE, approved=wire.costs
        )
    assert (caught.value.code, caught.value.problems[0].problem) == (code, problem)
    assert caught.value.request_id == "r" * 32


@pytest.mark.parametrize(
    ("marketplace", "approved", "words"),
    [
        (
            Marketplace.BIG_MAJOR,
            Money(6560),
            r"it costs 65\.61 CNY now, approved 65\.60 CNY; nothing was ordered",
        ),
        (
            Marketplace.INTERNATIONAL,
            Money(2599),
            r"it costs 26\.00 CNY now, approved 25\.99 CNY; nothing was ordered",
        ),
    ],
)
async def test_nothing_is_created_above_the_limit(
    client: XportcnClient,
    service: FakeService,
    marketplace: Marketplace,
    approved: Money,
    words: str,
) -> None:
    """The service guards no amount: the preview inside says a fen more than approved,
    and no create is sent.
    """
    wire = WIRES[marketplace]
    channel = channel_of(marketplace, client)
    wire.may_create(service)
    with pytest.raises(Refused, match=words) as caught:
        await channel.create(
            claim(Action.CREATE), wire.order, WAREHOUSE, approved=approved
        )
    assert caught.value.code == "PRICE_CHANGED"
    assert [call.path for call in service.asked] == [wire.preview]


@pytest.mark.parametrize(
    ("marketplace", "answer"),
    [
        (Marketplace.BIG_MAJOR, lambda: bare(502)),
        (Marketplace.BIG_MAJOR, lambda: ok([{"sumPayment": 1}])),
        (Marketplace.INTERNATIONAL, lambda: bare(502)),
    ],
)
async def test_a_preview_inside_a_create_leaves_no_doubt(
    client: XportcnClient, service: FakeService, marketplace: Marketplace, answer: Maker
) -> None:
    """Whatever goes wrong with it, nothing was ordered."""
    wire = WIRES[marketplace]
    channel = channel_of(marketplace, client)
    service.answers(wire.preview, answer)
    with pytest.raises(NotSent, match="nothing was ordered") as caught:
        await channel.create(
            claim(Action.CREATE), wire.order, WAREHOUSE, approved=wire.costs
        )
    assert caught.value.operation == wire.creating


@pytest.mark.parametrize(
    ("marketplace", "answer"),
    [
        (Marketplace.TAOBAO, taobao.page(taobao.purchase(outerPurchaseId="X"))),
        (
            Marketplace.INTERNATIONAL,
            {
                "totalCount": 1,
                "orderList": [international.shown(7, channelReferId="X")],
            },
        ),
        (
            Marketplace.POIZON,
            {"totalRecords": 1, "data": [poizon.shown(7, requestId="X")]},
        ),
    ],
)
async def test_a_list_that_ignores_the_question_proves_nothing(
    client: XportcnClient,
    service: FakeService,
    marketplace: Marketplace,
    answer: dict[str, Any],
) -> None:
    """Were the filter not honoured, `not found` would be a reason to order twice."""
    channel = channel_of(marketplace, client)
    service.answers(WIRES[marketplace].read, lambda: ok(answer))
    reading = await channel.find(["R-1"], since=SINCE)
    assert (reading.found, reading.covers) == ({}, None)
    with pytest.raises(
        ContractMismatch, match="the order list was not read to an empty page"
    ):
        await channel.read(["8"])
    assert set(await channel.read(["7"])) == {"7"}
