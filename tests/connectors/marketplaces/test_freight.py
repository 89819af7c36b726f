"""Warehouse logistics: the contract's booking to the letter, quotes, updates, the
warehouse's address.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from connectors.marketplaces import freight
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import (
    ContractMismatch,
    Misconfigured,
    Refused,
    Unanswered,
)
from connectors.xportcn.operations import warehouse
from connectors.xportcn.signing import signature
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import FreightQuote, FreightService
from domain.service_orders import DomesticParcel, ShipmentItem
from tests.connectors.xportcn.fake_service import FakeService, ok
from tests.connectors.xportcn.orders import claim, line, order
from tests.connectors.xportcn.test_auth import CONTRACT

VECTOR = json.loads(
    (CONTRACT / "vectors" / "order_booking_freight.json").read_text(encoding="utf-8")
)
BOOK = VECTOR["path"]
RENDER = "/open/pp/logistics/orderRenderFreight"
UPDATE = "/open/pp/logistics/updateLogisticInfo"
ESTIMATE = "/open/pp/logistics/orderEstimateFreight"
SERVICE = {
    "serviceId": 1,
    "companyName": "UCS",
    "serviceCategory": "STANDARD",
    "amount": "322.92",
    "currency": "USD",
    "minDays": 8,
    "maxDays": 15,
}
STANDARD = FreightService(
    service_id="1",
    company="UCS",
    category="STANDARD",
    price=Money(32292, "USD"),
    min_days=8,
    max_days=15,
)
QUOTE = FreightQuote(render_id="FF2024080200007", services=(STANDARD,))


def b(data: object) -> web.Response:
    return web.json_response(
        {"errorCode": 200, "errorMsg": None, "success": True, "data": data}
    )


def in_order(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def test_the_booking_request_is_the_page_s_to_the_letter() -> None:
    """Same keys, same order, empty texts kept."""
    request = warehouse.BookingRequest.model_validate(VECTOR["request"])
    assert in_order(json.loads(request.body())) == in_order(VECTOR["request"])


async def test_the_booking_arrives_signed_and_its_answer_is_understood(
    client: XportcnClient, service: FakeService
) -> None:
    """The page's request reaches its path as it is; its answer makes two sub-shipments
    and 32292 cents.
    """
    service.answers(BOOK, lambda: web.json_response(VECTOR["response"]))
    request = warehouse.BookingRequest.model_validate(VECTOR["request"])
    booking = await client.effect(warehouse.BOOK, request, claim=claim(Action.BOOK))

    (call,) = service.asked
    assert (call.method, call.path) == (VECTOR["method"], VECTOR["path"])
    assert in_order(call.body) == in_order(VECTOR["request"])
    signed = signature(
        access_key="sandbox-access-key",
        timestamp=call.headers["timestamp"],
        nonce=call.headers["nonce-str"],
        access_secret="sandbox-access-secret",
    )
    assert call.headers["signature"] == signed
    assert call.query == {"timestamp": call.headers["timestamp"], "sign": signed}

    shipment = freight.shipment(booking, "FF2024080200007")
    assert shipment.shipment_order_id == "21"
    assert shipment.tracking_numbers == ("FARJP2408000013YQ", "FARJP2408000014YQ")
    assert shipment.fee == Money(32292, "USD")
    assert shipment.company == "UCS"
    assert (
        shipment.tracking_urls[0]
        == "https://www.far800.com/logistics/result?key=FARJP2408000013YQ"
    )
    assert shipment.items == (
        ShipmentItem(
            tracking_number="FARJP2408000013YQ",
            item_id="2048020617114736",
            sku_id="413185732720",
            quantity=1,
            title="这是商品1",
        ),
        ShipmentItem(
            tracking_number="FARJP2408000014YQ",
            item_id="2048232789087639",
            sku_id="4970432383383",
            quantity=2,
            title="这是商品2",
        ),
    )


async def test_the_sandbox_answers_the_page_s_booking_as_the_page_does(
    live: XportcnClient,
) -> None:
    """The page's own request, as the first booking of an empty sandbox, gets the page's
    own answer.
    """
    request = warehouse.BookingRequest.model_validate(VECTOR["request"])
    booking = await live.effect(warehouse.BOOK, request, claim=claim(Action.BOOK))
    assert booking == warehouse.Booking.model_validate(VECTOR["response"]["data"])


async def test_booking_an_order_names_its_lines_and_the_service(
    client: XportcnClient, service: FakeService
) -> None:
    """Each line travels by the chosen service, to the receiver abroad, for the
    marketplace's order.
    """
    service.answers(BOOK, lambda: web.json_response(VECTOR["response"]))
    shipment = await freight.book(
        client, claim(Action.BOOK), order(), "7", QUOTE, STANDARD
    )
    sent = service.asked[0].body
    assert sent["renderId"] == shipment.render_id == "FF2024080200007"
    assert sent["tmallOrderInfo"] == {"tmallOrderId": "7"}
    assert sent["receiverAddress"]["zip"] == "94601"
    assert sent["lineItems"] == [
        {
            "itemId": "672991141190",
            "skuId": "3452545926724",
            "quantity": 2,
            "title": "这是商品",
            "imageUrl": "http://example.com/1.jpg",
            "freightInfo": {
                "serviceId": "1",
                "companyName": "UCS",
                "serviceCategory": "STANDARD",
            },
        }
    ]


async def test_a_booking_without_an_order_id_is_unanswered(
    client: XportcnClient, service: FakeService
) -> None:
    """A success that does not say what was booked may have booked."""
    service.answers(
        BOOK, lambda: b({"orderFee": {"amount": "1.00", "currency": "USD"}})
    )
    with pytest.raises(ContractMismatch, match="orderId"):
        await freight.book(client, claim(Action.BOOK), order(), "7", QUOTE, STANDARD)


ABROAD = {"logisticNumer": "FAR1", "logisticCompanyName": "UCS", "trackingUrl": ""}
SUB_ORDER = {
    "itemInfos": [{"itemId": "1", "skuId": "2", "quantity": 1}],
    "internationalLogisticInfos": ABROAD,
}
FEE = {"amount": "1.00", "currency": "USD"}


@pytest.mark.parametrize(
    "fee",
    [{"amount": notices} for notices in ("", "1,322.92", "322.925", "a lot", None)],
)
async def test_a_booking_is_booked_whatever_its_fee(
    client: XportcnClient, service: FakeService, fee: dict[str, str | None]
) -> None:
    """There is no look-up of a booking: what names it is believed, and a fee that does
    not fit is not shown.
    """
    service.answers(
        BOOK,
        lambda: b({"orderId": 21, "orderFee": FEE | fee, "subOrders": [SUB_ORDER]}),
    )
    booked = await freight.book(
        client, claim(Action.BOOK), order(), "7", QUOTE, STANDARD
    )
    assert (booked.shipment_order_id, booked.fee, booked.tracking_numbers) == (
        "21",
        None,
        ("FAR1",),
    )
    assert [item.item_id for item in booked.items] == ["1"]


@pytest.mark.parametrize(
    ("changed", "fee", "numbers", "items"),
    [
        ({"orderFee": FEE | {"currency": "usd"}}, None, ("FAR1",), 1),
        ({"orderFee": [FEE]}, Money(100, "USD"), ("FAR1",), 1),
        ({"orderFee": 5}, None, ("FAR1",), 1),
        (
            {"subOrders": [SUB_ORDER | {"internationalLogisticInfos": [ABROAD]}]},
            Money(100, "USD"),
            ("FAR1",),
            1,
        ),
        (
            {
                "subOrders": [
                    SUB_ORDER | {"internationalLogisticInfos": [ABROAD, ABROAD]}
                ]
            },
            Money(100, "USD"),
            (),
            1,
        ),
        (
            {"subOrders": [SUB_ORDER | {"internationalLogisticInfos": "none yet"}]},
            Money(100, "USD"),
            (),
            1,
        ),
        (
            {"subOrders": [SUB_ORDER, SUB_ORDER | {"itemInfos": [{"itemId": ""}]}]},
            Money(100, "USD"),
            ("FAR1",) * 2,
            0,
        ),
        ({"subOrders": SUB_ORDER}, Money(100, "USD"), ("FAR1",), 1),
        ({"subOrders": "none"}, Money(100, "USD"), (), 0),
    ],
)
async def test_what_does_not_fit_beside_the_id_of_a_booking_is_left_out(
    client: XportcnClient,
    service: FakeService,
    changed: dict[str, Any],
    fee: Money | None,
    numbers: tuple[str, ...],
    items: int,
) -> None:
    """A list of one row is that row; items are told as a whole or not at all."""
    service.answers(
        BOOK,
        lambda: b({"orderId": 21, "orderFee": FEE, "subOrders": [SUB_ORDER]} | changed),
    )
    booked = await freight.book(
        client, claim(Action.BOOK), order(), "7", QUOTE, STANDARD
    )
    assert (booked.shipment_order_id, booked.fee, booked.tracking_numbers) == (
        "21",
        fee,
        numbers,
    )
    assert len(booked.items) == items


@pytest.mark.parametrize("order_id", ["", None, 21.5, {"id": 21}, [21]])
async def test_a_booking_whose_id_can_t_be_read_is_a_doubt(
    client: XportcnClient, service: FakeService, order_id: object
) -> None:
    service.answers(BOOK, lambda: b({"orderId": order_id, "orderFee": FEE}))
    with pytest.raises(ContractMismatch) as caught:
        await freight.book(client, claim(Action.BOOK), order(), "7", QUOTE, STANDARD)
    assert (
        caught.value.operation
        == "Warehouse logistics / Create international logistics orders"
    )


async def test_a_render_quotes_the_services(
    client: XportcnClient, service: FakeService
) -> None:
    """The request names receiver and goods, the answer render id and services with
    exact prices.
    """
    service.answers(
        RENDER,
        lambda: b(
            {
                "renderId": "FF1",
                "expireTime": "2026-01-02 00:00:00",
                "services": [SERVICE],
            }
        ),
    )
    assert await freight.render(client, order()) == FreightQuote(
        render_id="FF1", services=(STANDARD,)
    )


async def test_days_in_another_form_are_days_that_are_not_told(
    client: XportcnClient, service: FakeService
) -> None:
    """The service stays on offer, for its price."""
    odd = SERVICE | {"minDays": "5-7", "maxDays": None}
    service.answers(
        RENDER,
        lambda: b(
            {"renderId": "FF1", "expireTime": "2026-01-02 00:00:00", "services": [odd]}
        ),
    )
    (only,) = (await freight.render(client, order())).services
    assert only == replace(STANDARD, min_days=0, max_days=0)
    sent = service.asked[0].body
    assert list(sent["receiverAddress"]) == [
        "name", "email", "phone", "mobilePhone", "address", "taxId", "country", "state", "city", "zip"
    ]  # fmt: skip
    assert sent["renderItems"] == [
        {
            "itemId": "672991141190",
            "skuId": "3452545926724",
            "quantity": 2,
            "price": 1000,
            "currency": "CNY",
        }
    ]


async def test_an_estimate_has_no_render_id(
    client: XportcnClient, service: FakeService
) -> None:
    """It asks for country, zip and goods, and nothing can be booked on it."""
    service.answers(ESTIMATE, lambda: b({"currency": "USD", "services": [SERVICE]}))
    quote = await freight.estimate(client, order())
    assert quote == FreightQuote(render_id="", services=(STANDARD,))
    assert service.asked[0].body == {
        "country": "US",
        "zip": "94601",
        "renderItems": [
            {"itemId": "672991141190", "skuId": "3452545926724", "quantity": 2}
        ],
    }


async def test_a_country_nobody_ships_to_is_refused(
    client: XportcnClient, service: FakeService
) -> None:
    """Envelope B refuses with its own names; code and words come out."""
    refused = {
        "errorCode": 42001,
        "errorMsg": "no service to AQ",
        "success": False,
        "data": None,
    }
    service.answers(RENDER, lambda: web.json_response(refused))
    with pytest.raises(Refused) as caught:
        await freight.render(client, order())
    assert (caught.value.code, caught.value.message) == ("42001", "no service to AQ")


PARCEL = DomesticParcel(
    tracking_number="SF1234521212678",
    company="顺丰",
    sent_at=datetime.fromtimestamp(1754342534, UTC),
)


async def test_an_update_names_every_parcel_for_every_item(
    client: XportcnClient, service: FakeService
) -> None:
    """Domestic numbers go under the international number of each item, with the
    contract's misspelt names.
    """
    service.answers(UPDATE, lambda: b(data=True))
    booking = warehouse.Booking.model_validate(VECTOR["response"]["data"])
    shipment = freight.shipment(booking, "FF1")
    await freight.update_domestic(
        client,
        claim(Action.NOTIFY),
        shipment,
        "12345667",
        [PARCEL],
        marketplace=Marketplace.TAOBAO,
    )
    sent = service.asked[0].body
    assert (sent["orderId"], sent["tmallOrderId"]) == ("21", "12345667")
    assert [info["logisticNumer"] for info in sent["logisticInfos"]] == [
        "FARJP2408000013YQ",
        "FARJP2408000014YQ",
    ]
    assert sent["logisticInfos"][0]["lineItem"]["itemId"] == "2048020617114736"
    domestic = {
        "logisticNumer": "SF1234521212678",
        "logisticCompanyName": "顺丰",
        "rtsTime": "1754342534",
    }
    assert all(
        info["domesticLogisticInfo"] == [domestic] for info in sent["logisticInfos"]
    )


def test_lines_stand_in_for_the_items_of_a_shipment_read_back() -> None:
    """1688 shows a booking without its items: the order's lines are named instead."""
    booking = warehouse.Booking.model_validate(VECTOR["response"]["data"])
    bare = replace(freight.shipment(booking, "FF1"), items=())
    request = freight.update_request(
        bare, "7", [replace(PARCEL, sent_at=None)], [line()]
    )
    (info,) = request.logistic_infos
    assert (info.line_item.item_id, info.line_item.image_url) == (
        "672991141190",
        "http://example.com/1.jpg",
    )
    assert info.logistic_number == "FARJP2408000013YQ"
    assert "rtsTime" not in request.body()


async def test_an_update_that_is_answered_false_is_unanswered(
    client: XportcnClient, service: FakeService
) -> None:
    """A success that holds false says nothing."""
    service.answers(UPDATE, lambda: b(data=False))
    booking = warehouse.Booking.model_validate(VECTOR["response"]["data"])
    shipment = freight.shipment(booking, "FF1")
    with pytest.raises(Unanswered, match="false"):
        await freight.update_domestic(
            client,
            claim(Action.NOTIFY),
            shipment,
            "7",
            [PARCEL],
            marketplace=Marketplace.TAOBAO,
        )


def address(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "name": name,
        "phone": "1",
        "province": "p",
        "city": "c",
        "address": "a",
    } | changes


@pytest.mark.parametrize(
    ("addresses", "name"),
    [
        ([address("first"), address("default", isDefault=True)], "default"),
        ([address("only", isDefault=None)], "only"),
        ([address("twice", isDefault=True), address("twice", isDefault=True)], "twice"),
    ],
)
async def test_the_default_address_is_the_warehouse(
    client: XportcnClient,
    service: FakeService,
    addresses: list[dict[str, Any]],
    name: str,
) -> None:
    """The default one, or the only one."""
    service.answers("/open/address/get", lambda: ok(addresses))
    assert freight.warehouse_of(await freight.addresses_of(client)).name == name


@pytest.mark.parametrize("default", [None, True])
async def test_of_several_addresses_none_is_taken_for_the_warehouse(
    client: XportcnClient, service: FakeService, *, default: bool | None
) -> None:
    """Their order may change with each edit: tonight's first would get the goods."""
    pair = [
        address("east", city="Yiwu", isDefault=default),
        address("south", isDefault=default),
    ]
    service.answers("/open/address/get", lambda: ok(pair))
    with pytest.raises(
        Misconfigured,
        match=r"2 addresses .*: east \(p Yiwu\), south \(p c\)\. Make one the default",
    ):
        freight.warehouse_of(await freight.addresses_of(client))


async def test_an_account_without_address_must_be_set_up(
    client: XportcnClient, service: FakeService
) -> None:
    """Nothing can be ordered without one; the remedy is the person's."""
    service.answers("/open/address/get", lambda: ok([]))
    with pytest.raises(Misconfigured, match="no warehouse address"):
        freight.warehouse_of(await freight.addresses_of(client))
