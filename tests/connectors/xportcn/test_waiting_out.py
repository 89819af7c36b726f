"""The client at the gate, against a service that answers over real HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.xportcn.api import basics, taobao_order, taobao_product
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import NotSent, ServiceAway, Unanswered
from connectors.xportcn.gate import Gate, impatient
from domain.effects import Action
from tests.connectors.xportcn.fake_service import FakeService, bare, no, ok
from tests.connectors.xportcn.orders import claim, client_of

PRODUCT = "/open/product/get"
PAY = "/open/purchase/pay"
ADDRESSES = basics.ADDRESSES.operation.path
ITEM = taobao_product.ProductRequest(item_id="672991141190")
ORDER = taobao_order.PayRequest(purchase_order_id_list=("7",))


def patient_client(service: FakeService) -> XportcnClient:
    return client_of(service.url, gate=Gate(at_once=8, patience_s=60))


def paths(service: FakeService) -> list[str]:
    return [asked.path for asked in service.asked]


async def test_a_read_outlasts_a_service_that_is_away(service: FakeService) -> None:
    """After four failures only the signed probe asks, before and after a pause; then the read is made."""
    service.answers(PRODUCT, *[lambda: bare(503)] * 4, lambda: ok({"itemId": 1}))
    service.answers(ADDRESSES, lambda: bare(503), lambda: ok([]))
    async with patient_client(service) as client:
        assert (await client.read(taobao_product.PRODUCT, ITEM)).item_id == "1"
    assert paths(service) == [*[PRODUCT] * 4, *[ADDRESSES] * 2, PRODUCT]
    assert len(service.asked[4].headers["signature"]) == 32


async def test_a_read_that_fails_alone_is_given_up_as_ever(service: FakeService) -> None:
    """Five tries, while the probe shows that the service is there."""
    service.answers(PRODUCT, lambda: no(500, "系统异常", status=500))
    service.answers(ADDRESSES, lambda: ok([]))
    async with patient_client(service) as client:
        with pytest.raises(Unanswered, match="系统异常"):
            await client.read(taobao_product.PRODUCT, ITEM)
    assert paths(service).count(PRODUCT) == 5


async def test_a_throttled_read_is_made_again_when_the_service_wants_it(service: FakeService) -> None:
    """Two 429 with and without a time to wait; more tries than `retries` allows are no matter."""
    service.answers(PRODUCT, *[lambda: no(429, "慢", status=429)] * 2, lambda: ok({"itemId": 1}))
    async with client_of(service.url, gate=Gate(at_once=8, patience_s=60), retries=0) as client:
        assert (await client.read(taobao_product.PRODUCT, ITEM)).item_id == "1"
    assert paths(service) == [PRODUCT] * 3


async def test_an_effect_is_sent_once_and_not_at_all_while_the_service_is_away(service: FakeService) -> None:
    """A throttled payment is its caller's to repeat; while the gate is closed nothing is asked or sent."""
    service.answers(PAY, lambda: no(429, "慢", status=429, **{"Retry-After": "30"}))
    asked: list[str] = []
    gate = Gate(at_once=8, patience_s=60)
    async with client_of(service.url, gate=gate, on_send=lambda our: asked.append(our.key)) as client:
        with pytest.raises(NotSent, match="it asks to wait 30 seconds; nothing was done"):
            await client.effect(taobao_order.PAY, ORDER, claim=claim(Action.PAY))
        with pytest.raises(ServiceAway, match="the service has too many calls; the next in 30 s"):
            await client.effect(taobao_order.PAY, ORDER, claim=claim(Action.PAY))
        with impatient(), pytest.raises(ServiceAway):
            await client.read(taobao_product.PRODUCT, ITEM)
    assert paths(service) == [PAY]
    assert asked == ["R-1:pay"]


async def test_waiting_at_the_gate_is_not_part_of_a_call_s_time_out(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve slow calls through one place take longer together than one may, and all are answered."""
    service.answers(PRODUCT, lambda: ok({"itemId": 1}))
    async with client_of(service.url, gate=Gate(at_once=1), timeout_s=0.4) as client:
        exchange = client._http.exchange

        async def slow(*asked: Any, **further: Any) -> Any:
            await asyncio.sleep(0.05)
            return await exchange(*asked, **further)

        monkeypatch.setattr(client._http, "exchange", slow)
        answers = await asyncio.gather(*(client.read(taobao_product.PRODUCT, ITEM) for _ in range(12)))
    assert [answer.item_id for answer in answers] == ["1"] * 12
    assert paths(service) == [PRODUCT] * 12
