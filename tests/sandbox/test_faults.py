"""Each kind of fault does what its name says, and no more."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest

from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Answer, Caller, auth_headers

CREATE_1688 = "/alibaba/order/create"
CREATE_TAOBAO = "/open/purchase/create/v2"
PREVIEW = "/alibaba/order/create/preview"
PAY_TAOBAO = "/open/purchase/pay"


async def rule(caller: Caller, path: str, kind: str, **more: Any) -> None:
    await caller.control(
        "PUT", "faults", {"seed": 1, "rules": [{"path": path, "kind": kind, **more}]}
    )


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    return (await caller.rows("1688", limit=1))[0]


async def create(caller: Caller, buyer: Buyer, row: dict[str, Any]) -> Answer:
    return await caller.post(
        CREATE_1688, {**buyer.cargo(row), "flow": "general", "message": "R-1"}
    )


async def order_count(caller: Caller) -> int:
    return len((await caller.books())["orders"])


async def test_http_500_has_no_effect(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """The service fails before it does anything."""
    await rule(caller, CREATE_1688, "http_500")
    assert (await create(caller, buyer, row)).refusal == (500, 500)
    assert await order_count(caller) == 0


async def test_http_429_says_when_to_come_back(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Too many requests: nothing happens, Retry-After is one second."""
    await rule(caller, "/alibaba/*", "http_429")
    answer = await create(caller, buyer, row)
    assert (answer.refusal, answer.headers["Retry-After"]) == ((429, 429), "1")
    assert await order_count(caller) == 0


async def test_garbage_is_not_json_and_has_no_effect(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """HTTP 200 with a body that no JSON reader takes."""
    await rule(caller, CREATE_1688, "garbage")
    with pytest.raises(orjson.JSONDecodeError):
        await create(caller, buyer, row)
    assert await order_count(caller) == 0


@pytest.mark.parametrize(("kind", "orders"), [("drop_before", 0), ("drop_after", 1)])
async def test_dropped_connections(
    caller: Caller, buyer: Buyer, row: dict[str, Any], kind: str, orders: int
) -> None:
    """The connection is cut without an answer, before or after the effect."""
    await rule(caller, CREATE_1688, kind)
    with pytest.raises(aiohttp.ClientConnectionError):
        await create(caller, buyer, row)
    assert await order_count(caller) == orders


async def test_latency_only_takes_time(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """The call is carried out after delay_s real seconds."""
    await rule(caller, CREATE_1688, "latency", delay_s=0.15)
    started = time.monotonic()
    assert (await create(caller, buyer, row)).data["success"]
    assert time.monotonic() - started >= 0.15


async def test_a_late_1688_create_makes_its_own_order(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """The first call answers 500 and lands an hour later; the second made an order of
    its own.
    """
    await rule(caller, CREATE_1688, "late_effect", delay_s=3600, times=1)
    assert (await create(caller, buyer, row)).refusal == (500, 500)
    assert await order_count(caller) == 0
    assert (await create(caller, buyer, row)).data["success"]
    assert await order_count(caller) == 1
    await caller.advance(hours=1)
    orders = (await caller.books())["orders"]
    assert [order["reference"] for order in orders] == ["R-1", "R-1"]
    assert orders[0]["created_at"] < orders[1]["created_at"]


async def test_a_late_taobao_create_is_deduplicated(
    caller: Caller, buyer: Buyer
) -> None:
    """The late call finds the order that its outerPurchaseId already has."""
    row = (await caller.rows("taobao", limit=1))[0]
    body = await buyer.taobao_create_body(row)
    await rule(caller, CREATE_TAOBAO, "late_effect", delay_s=60, times=1)
    assert (await caller.post(CREATE_TAOBAO, body)).status == 500
    assert (await caller.post(CREATE_TAOBAO, body)).data["success"]
    await caller.advance(hours=1)
    assert await order_count(caller) == 1


async def test_a_late_effect_lands_by_itself(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Without delay the effect is there at the next look."""
    await rule(caller, CREATE_1688, "late_effect", times=1)
    assert (await create(caller, buyer, row)).status == 500
    assert await order_count(caller) == 1


async def paid_late_and_in_between(
    caller: Caller, path: str, pay: Callable[[], Awaitable[Any]]
) -> Any:
    """The books after a payment that answers 500, one that goes through, and half a
    minute.
    """
    await rule(caller, path, "late_effect", delay_s=30, times=1)
    with pytest.raises(AssertionError, match="系统异常"):
        await pay()
    assert (await caller.books())["orders"][0]["paid_times"] == 0
    await pay()
    await caller.advance(seconds=30)
    return await caller.books()


async def test_a_late_taobao_pay_debits_twice(caller: Caller, buyer: Buyer) -> None:
    """A payment made in between does not stop the late one: the order is paid two
    times.
    """
    row = (await caller.rows("taobao", limit=1, offset=2))[0]
    order_id = await buyer.create_taobao(row)
    books = await paid_late_and_in_between(
        caller, PAY_TAOBAO, lambda: buyer.pay_taobao(order_id)
    )
    assert (books["orders"][0]["paid_times"], books["orders"][0]["paid_fen"]) == (
        2,
        5812,
    )
    assert [payment["amount_fen"] for payment in books["payments"]] == [2906, 2906]
    assert books["wallet"]["balance_fen"] == 100_000_000 - 5812


async def test_a_late_1688_pay_debits_twice(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """The same for 1688, whose payment is a GET."""
    order_id = await buyer.create_1688(row)

    async def pay() -> Any:
        return (await buyer.pay_1688(order_id)).data

    books = await paid_late_and_in_between(caller, "/alibaba/order/pay/url", pay)
    assert (books["orders"][0]["paid_times"], books["orders"][0]["paid_fen"]) == (
        2,
        3560,
    )
    assert books["wallet"]["balance_fen"] == 100_000_000 - 3560


async def test_a_late_pay_of_a_paid_order_does_nothing(
    caller: Caller, buyer: Buyer
) -> None:
    """What would have been refused at once is refused late, too."""
    row = (await caller.rows("taobao", limit=1))[0]
    order_id = await buyer.create_taobao(row)
    await buyer.pay_taobao(order_id)
    await rule(caller, PAY_TAOBAO, "late_effect", times=1)
    await caller.post(PAY_TAOBAO, {"purchaseOrderIdList": [order_id]})
    assert (await caller.books())["orders"][0]["paid_times"] == 1


async def test_a_late_pay_after_closing_does_nothing(
    caller: Caller, buyer: Buyer
) -> None:
    """An order that closed before the payment landed is not paid."""
    row = (await caller.rows("taobao", limit=1))[0]
    order_id = await buyer.create_taobao(row)
    await rule(caller, PAY_TAOBAO, "late_effect", delay_s=2 * 86_400, times=1)
    await caller.post(PAY_TAOBAO, {"purchaseOrderIdList": [order_id]})
    await caller.advance(days=3)
    order = (await caller.books())["orders"][0]
    assert (order["status"], order["paid_times"]) == (4, 0)


async def test_price_change_on_a_request_with_items(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """The named items cost 10 % more from that request on, and stay so."""
    await rule(caller, PREVIEW, "price_change", times=1)
    for _ in range(2):
        preview = (await caller.post(PREVIEW, buyer.cargo(row))).data
        assert preview["orderPreviewResuslt"][0]["sumPaymentNoCarriage"] == 1410
    assert (await caller.rows("1688", limit=1))[0]["price_fen"] == 141


async def test_price_change_on_a_taobao_create_is_noticed(
    caller: Caller, buyer: Buyer
) -> None:
    """Distribution ids in JSON text are found; the order is refused since it costs more
    than planned.
    """
    row = (await caller.rows("taobao", limit=1))[0]
    body = await buyer.taobao_create_body(row, amount=row["price_fen"] + 1_200)
    await rule(caller, CREATE_TAOBAO, "price_change", times=1)
    assert (await caller.post(CREATE_TAOBAO, body)).data["errorCode"] is None
    body = await buyer.taobao_create_body(row, reference="R-2", amount=row["price_fen"])
    assert (await caller.post(CREATE_TAOBAO, body)).data["errorCode"] == "PRICE_CHANGED"


async def test_price_change_on_an_unpaid_order(caller: Caller, buyer: Buyer) -> None:
    """The seller raised the price between create and pay: pay takes the new amount."""
    row = (await caller.rows("taobao", limit=1, offset=2))[0]
    order_id = await buyer.create_taobao(row)
    await rule(caller, PAY_TAOBAO, "price_change", times=1)
    await buyer.pay_taobao(order_id)
    order = (await caller.books())["orders"][0]
    assert (order["amount_fen"], order["paid_fen"]) == (2647 + 500, 2647 + 500)


async def test_out_of_stock(caller: Caller, buyer: Buyer, row: dict[str, Any]) -> None:
    """The named items are sold out before the request is handled."""
    await rule(caller, CREATE_1688, "out_of_stock", times=1)
    assert (await create(caller, buyer, row)).data["code"] == "500_004"
    assert (await caller.rows("1688", limit=1))[0]["stock"] == 0


async def test_rules_count_and_end(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """`times` ends a rule; the listing shows how often each has fired."""
    await rule(caller, CREATE_1688, "http_500", times=2)
    assert [(await create(caller, buyer, row)).status for _ in range(3)] == [
        500,
        500,
        200,
    ]
    assert await caller.control("GET", "faults") == {
        "seed": 1,
        "rules": [
            {
                "path": CREATE_1688,
                "kind": "http_500",
                "probability": 1,
                "times": 2,
                "delay_s": 0,
                "fired": 2,
            }
        ],
    }


async def test_the_first_rule_that_strikes_wins(caller: Caller) -> None:
    """Rules are tried in order; other paths are left alone."""
    rules = [
        {"path": "/open/purchase/*", "kind": "http_429"},
        {"path": "/open/*", "kind": "http_500", "probability": 0},
        {"path": "/open/*", "kind": "http_500"},
    ]
    await caller.control("PUT", "faults", {"seed": 1, "rules": rules})
    assert (await caller.post("/open/purchase/page", {})).status == 429
    assert (await caller.get("/open/address/get")).status == 500
    assert (await caller.get("/alibaba/order/pay/url", orderId="1")).status == 200
    await caller.control("PUT", "faults", {"rules": []})
    assert (await caller.get("/open/address/get")).status == 200


async def test_probability_is_seeded(caller: Caller) -> None:
    """The same seed strikes the same calls."""

    async def struck() -> list[int]:
        await rule(caller, "/open/*", "http_500", probability=0.5)
        return [(await caller.get("/open/address/get")).status for _ in range(12)]

    first = await struck()
    assert first == await struck()
    assert set(first) == {200, 500}


async def test_faults_come_after_the_signature(caller: Caller) -> None:
    """An unsigned call is refused as such and uses up no rule."""
    await rule(caller, "*", "http_500", times=1)
    answer = await caller.send(
        "GET", "/open/address/get", headers=auth_headers(user="1")
    )
    assert answer.refusal == (401, 40105)
    assert (await caller.get("/open/address/get")).status == 500


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "rules: a list with at least one entry is required"),
        ({"rules": [{"kind": "http_500"}]}, "rules[0].path: a text is required"),
        (
            {"rules": [{"path": "*", "kind": "http_404"}]},
            "rules[0].kind: unknown; known are latency",
        ),
        (
            {"rules": [{"path": "*", "kind": "http_500", "probability": 2}]},
            "rules[0].probability: must be from 0 to 1",
        ),
        (
            {"rules": [{"path": "*", "kind": "http_500", "times": -1}]},
            "rules[0].times: must be at least 0",
        ),
        (
            {"rules": [{"path": "*", "kind": "latency", "delay": 1}]},
            "rules[0].delay: unknown; known are path",
        ),
        ({"rule": []}, "rule: unknown; known are seed, rules"),
    ],
)
async def test_bad_rules_are_refused(
    caller: Caller, body: dict[str, Any], message: str
) -> None:
    """A rule that is wrong is named, and the rules in force stay."""
    await rule(caller, "/open/*", "http_500")
    answer = await caller.send("PUT", "/_sandbox/faults", body=body)
    assert answer.status == 400
    assert answer.body["error"].startswith(message)
    assert (await caller.get("/open/address/get")).status == 500
