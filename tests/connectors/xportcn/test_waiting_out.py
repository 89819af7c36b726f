"""The client at the gate, against a service that answers over real HTTP."""

from __future__ import annotations

import asyncio
import socket
import struct

import httpx
import pytest

from connectors.xportcn.breaker import CircuitBreaker, fail_fast
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch, NotSent, ServiceAway, Unanswered
from connectors.xportcn.models import Nothing
from connectors.xportcn.operations import taobao_order, taobao_product, warehouse
from domain.effects import Action
from tests.connectors.xportcn.broken_answers import BROKEN, whole
from tests.connectors.xportcn.fake_service import (
    FakeService,
    bare,
    listening,
    no,
    ok,
    raw_server,
)
from tests.connectors.xportcn.orders import claim, client_of
from tests.connectors.xportcn.test_client import pay, read

PRODUCT = "/open/product/get"
PAY = "/open/purchase/pay"
ADDRESSES = warehouse.ADDRESSES.path
ITEM = taobao_product.ProductRequest(item_id="672991141190")
ORDER = taobao_order.PayRequest(purchase_order_id_list=("7",))


def patient_client(service: FakeService) -> XportcnClient:
    return client_of(service.url, breaker=CircuitBreaker(at_once=8, patience_s=60))


def paths(service: FakeService) -> list[str]:
    return [call.path for call in service.asked]


async def test_a_read_outlasts_a_service_that_is_away(service: FakeService) -> None:
    """After four failures only the signed probe asks, before and after a pause; then
    the read is made.
    """
    service.answers(PRODUCT, *[lambda: bare(503)] * 4, lambda: ok({"itemId": 1}))
    service.answers(ADDRESSES, lambda: bare(503), lambda: ok([]))
    async with patient_client(service) as client:
        assert (await client.read(taobao_product.PRODUCT, ITEM)).item_id == "1"
    assert paths(service) == [*[PRODUCT] * 4, *[ADDRESSES] * 2, PRODUCT]
    assert len(service.asked[4].headers["signature"]) == 32


@pytest.mark.parametrize("page", [302, 404])
async def test_a_maintenance_page_is_waited_out(
    service: FakeService, page: int
) -> None:
    """What a gateway shows while the service behind it is changed is no answer of the
    service, nor is it to a probe.
    """
    service.answers(
        PRODUCT,
        lambda: ok({"itemId": 1}),
        *[lambda: bare(page)] * 4,
        lambda: ok({"itemId": 2}),
    )
    service.answers(ADDRESSES, lambda: ok([]), lambda: bare(page), lambda: ok([]))
    async with patient_client(service) as client:
        await client.read(taobao_product.PRODUCT, ITEM)
        await client.read(warehouse.ADDRESSES, Nothing())
        assert (await client.read(taobao_product.PRODUCT, ITEM)).item_id == "2"
    assert paths(service) == [
        PRODUCT,
        ADDRESSES,
        *[PRODUCT] * 4,
        *[ADDRESSES] * 2,
        PRODUCT,
    ]


@pytest.mark.parametrize("page", [302, 403, 404, 405])
async def test_payments_do_not_go_on_into_a_page_of_a_gateway(
    service: FakeService, page: int
) -> None:
    """Four are in doubt; what comes after them is not sent while the probe finds the
    same page.
    """
    service.answers(PAY, lambda: bare(page))
    service.answers(ADDRESSES, lambda: ok([]), lambda: bare(page))
    service.answers(PRODUCT, lambda: ok({"itemId": 1}))
    async with patient_client(service) as client:
        await client.read(warehouse.ADDRESSES, Nothing())
        for _ in range(4):
            with pytest.raises(Unanswered, match="may have been carried out"):
                await pay(client)
        with pytest.raises(ServiceAway):
            await pay(client)
    assert paths(service).count(PAY) == 4


async def test_a_read_that_fails_alone_is_given_up_as_ever(
    service: FakeService,
) -> None:
    """Five tries, while the probe shows that the service is there."""
    service.answers(PRODUCT, lambda: no(500, "系统异常", status=500))
    service.answers(ADDRESSES, lambda: ok([]))
    async with patient_client(service) as client:
        with pytest.raises(Unanswered, match="系统异常"):
            await client.read(taobao_product.PRODUCT, ITEM)
    assert paths(service).count(PRODUCT) == 5


async def test_a_throttled_read_is_made_again_when_the_service_wants_it(
    service: FakeService,
) -> None:
    """Two 429 with and without a time to wait; more tries than `retries` allows are no
    matter.
    """
    service.answers(
        PRODUCT, *[lambda: no(429, "慢", status=429)] * 2, lambda: ok({"itemId": 1})
    )
    async with client_of(
        service.url, breaker=CircuitBreaker(at_once=8, patience_s=60), retries=0
    ) as client:
        assert (await client.read(taobao_product.PRODUCT, ITEM)).item_id == "1"
    assert paths(service) == [PRODUCT] * 3


async def test_an_effect_is_sent_once_and_not_at_all_while_the_service_is_away(
    service: FakeService,
) -> None:
    """A throttled payment is its caller's to repeat; while the gate is closed nothing
    is asked or sent.
    """
    service.answers(PAY, lambda: no(429, "慢", status=429, **{"Retry-After": "30"}))
    calls: list[str] = []
    breaker = CircuitBreaker(at_once=8, patience_s=60)
    async with client_of(
        service.url, breaker=breaker, on_send=lambda our: calls.append(our.key)
    ) as client:
        with pytest.raises(
            NotSent, match="it asks to wait 30 seconds; nothing was done"
        ):
            await client.effect(taobao_order.PAY, ORDER, claim=claim(Action.PAY))
        with pytest.raises(
            ServiceAway, match="the service has too many calls; the next in 30 s"
        ):
            await client.effect(taobao_order.PAY, ORDER, claim=claim(Action.PAY))
        with fail_fast(), pytest.raises(ServiceAway):
            await client.read(taobao_product.PRODUCT, ITEM)
    assert paths(service) == [PAY]
    assert calls == ["R-1:pay"]


async def test_waiting_at_the_gate_is_not_part_of_a_call_s_time_out() -> None:
    """Twelve slow calls through one place take longer together than one may, and all
    are answered.
    """
    calls: list[str] = []

    async def slow(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        await asyncio.sleep(0.05)
        return httpx.Response(200, json={"code": 200, "data": {"itemId": 1}})

    async with client_of(
        "http://127.0.0.1:1",
        breaker=CircuitBreaker(at_once=1),
        transport=httpx.MockTransport(slow),
        timeout_s=0.4,
    ) as client:
        answers = await asyncio.gather(
            *(client.read(taobao_product.PRODUCT, ITEM) for _ in range(12))
        )
    assert [answer.item_id for answer in answers] == ["1"] * 12
    assert calls == [PRODUCT] * 12


UNFIT = [
    "longer than it said",
    "shorter than it said",
    "a chunk whose size is words",
    "a chunk without an end",
    "a header without a colon",
    "packed, as it says",
    "latin-1 for utf-8",
    "plain text",
    "a page",
]


@pytest.mark.parametrize(
    "answer", [*(BROKEN[name] for name in UNFIT), whole(b"")], ids=[*UNFIT, "empty"]
)
async def test_answers_that_are_none_of_the_service_s_are_no_reason_to_wait(
    answer: bytes,
) -> None:
    """However many come: each call fails by itself, and an effect may have happened."""
    breaker = CircuitBreaker(at_once=8, patience_s=60)
    for call in (read, read, read, read, pay):
        async with (
            raw_server(answer) as server,
            client_of(server.url, breaker=breaker, retries=0) as client,
        ):
            with pytest.raises(Unanswered, match="does not fit the contract") as caught:
                await call(client)
            assert ("may have been carried out" in str(caught.value)) is (call is pay)
            assert not isinstance(caught.value, ContractMismatch)
            assert breaker.blocked_by == ""


async def test_a_reset_in_an_answer_is_an_outage() -> None:
    """Of a service that is killed as it answers nothing is said about the contract."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(BROKEN["shorter than it said"])
        await asyncio.sleep(0.02)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )

    async with listening(reset) as url, client_of(url, retries=0) as client:
        with pytest.raises(Unanswered, match="the connection broke before the answer"):
            await read(client)
