"""The traps between the client and the wire: what was sent, how often, and who allowed
it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.once_transport import OnceTransport
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import NotSent, Unanswered
from connectors.xportcn.operations import alibaba_order, taobao_order, taobao_product
from domain.effects import Action, Claim
from tests.connectors.xportcn.fake_service import listening, raw_ok, raw_server
from tests.connectors.xportcn.orders import Naps, claim, client_of

PAID = {"orderId": "7", "protocolPaySuccess": True}
CUT_SHORT = b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"code": 200'


async def pay(client: XportcnClient) -> object:
    """1688's payment: a GET that moves money."""
    return await client.effect(
        alibaba_order.PAY,
        alibaba_order.OrderRequest(order_id="7"),
        claim=claim(Action.PAY),
    )


async def create(client: XportcnClient) -> taobao_order.PayAnswer:
    """An effect with a body."""
    request = taobao_order.PayRequest(purchase_order_id_list=("7",))
    return await client.effect(taobao_order.PAY, request, claim=claim(Action.PAY))


async def read(client: XportcnClient) -> taobao_product.Product:
    return await client.read(
        taobao_product.PRODUCT, taobao_product.ProductRequest(item_id="1")
    )


async def test_a_read_on_a_dropped_connection_comes_with_a_fresh_nonce() -> None:
    """Reads are repeated by us and not by the transport, whose copy would carry a used
    nonce.
    """
    async with (
        raw_server(raw_ok({"itemId": 1}), None, raw_ok({"itemId": 2})) as server,
        client_of(server.url) as client,
    ):
        await read(client)
        assert (await read(client)).item_id == "2"
    nonces = [
        line
        for head in server.heads
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"nonce-str")
    ]
    assert len(set(nonces)) == 3


@pytest.mark.parametrize("effect", [pay, create])
@pytest.mark.parametrize(
    "answer", [None, CUT_SHORT, b"HTTP/1.1 200 OK\r\n", b"nonsense\r\n\r\n"]
)
async def test_a_connection_that_breaks_after_the_request_is_unanswered(
    effect: Any, answer: bytes | None
) -> None:
    """Cut without a word, in the head, in the body, or with nonsense: it may have
    happened, whatever httpx says.
    """
    async with raw_server(answer) as server, client_of(server.url) as client:
        with pytest.raises(Unanswered, match="it may have been carried out"):
            await effect(client)
    assert len(server.heads) == 1


@pytest.mark.parametrize("effect", [pay, create])
async def test_an_effect_without_an_answer_in_time_is_unanswered(effect: Any) -> None:
    """A time-out after the request left says nothing about what happened."""

    async def silent(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()

    async with listening(silent) as url, client_of(url, timeout_s=0.2) as client:
        with pytest.raises(
            Unanswered,
            match=r"no answer in time \(0\.2 s\); it may have been carried out",
        ):
            await effect(client)


@pytest.mark.parametrize("is_of_the_call", [True, False])
async def test_an_effect_that_could_not_connect_in_time_is_not_sent(
    *, is_of_the_call: bool
) -> None:
    """A time-out before the request left is provably without effect; connecting has a
    limit of its own.
    """
    hellos: list[bytes] = []

    async def never_shakes_hands(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        hellos.append(await reader.read(1))
        await reader.read()

    async with listening(never_shakes_hands) as plain_url:
        url = plain_url.replace("http", "https")
        quick = OnceTransport(connect_timeout_s=0.2)
        client = (
            client_of(url, timeout_s=0.2)
            if is_of_the_call
            else client_of(url, transport=quick)
        )
        async with client:
            with pytest.raises(NotSent, match="no connection"):
                await pay(client)
    assert len(hellos) == 1


async def test_a_host_that_can_be_no_name_is_told() -> None:
    """A slip in the address ends in words that name the setting, also where Python's
    resolver gives up on it.
    """
    async with client_of(
        "http://api..invalid", access_key="k", access_secret="s", user_id="7"
    ) as client:
        with pytest.raises(NotSent, match="Check XPORTCN_BASE_URL"):
            await pay(client)


@pytest.mark.parametrize("effect", [pay, create])
async def test_leave_is_asked_right_before_the_first_byte(effect: Any) -> None:
    """`on_send` runs once, with the claim, when nothing has arrived at the service
    yet.
    """
    calls: list[tuple[Claim, int]] = []
    answer = {**PAID, "willPayPurchaseOrderIds": ["7"]}
    async with (
        raw_server(raw_ok(answer)) as server,
        client_of(
            server.url, on_send=lambda our: calls.append((our, len(server.heads)))
        ) as client,
    ):
        await effect(client)
    assert [(our.key, heads) for our, heads in calls] == [("R-1:pay", 0)]
    assert len(server.heads) == 1


@pytest.mark.parametrize("effect", [pay, create])
@pytest.mark.parametrize("kept", [False, True])
async def test_without_leave_nothing_is_written(effect: Any, *, kept: bool) -> None:
    """When the lease is gone, `NotSent` passes as it is and the service hears nothing,
    on any connection.
    """

    def too_late(our: Claim) -> None:
        raise NotSent(f"the lease of {our.key} ran out", retry_after_s=3)

    async with (
        raw_server(raw_ok({"itemId": 1}), raw_ok(PAID)) as server,
        client_of(server.url, on_send=too_late) as client,
    ):
        if kept:
            await read(client)
        with pytest.raises(NotSent, match="the lease of R-1:pay ran out") as caught:
            await effect(client)
        await _settled()
    assert caught.value.retry_after_s == 3
    assert len(server.heads) == int(kept)


@pytest.mark.parametrize(
    "trouble",
    [ConnectionResetError("database gone"), KeyError("bug"), TimeoutError("locked")],
)
async def test_a_send_that_can_not_be_recorded_is_not_sent(trouble: Exception) -> None:
    """Whatever `on_send` raises, also what the transport raises itself, nothing is
    written and the cause is kept.
    """

    def broken(our: Claim) -> None:
        raise trouble

    async with (
        raw_server(raw_ok(PAID)) as server,
        client_of(server.url, on_send=broken) as client,
    ):
        with pytest.raises(NotSent, match="leave to send was not given") as caught:
            await pay(client)
        await _settled()
    assert caught.value.__cause__ is trouble
    assert server.heads == []


async def test_reads_ask_nobody_for_leave() -> None:
    """`on_send` is for effects only."""

    def never(our: Claim) -> None:
        raise AssertionError

    async with (
        raw_server(raw_ok({"itemId": 1})) as server,
        client_of(server.url, on_send=never) as client,
    ):
        await read(client)


async def test_claims_sent_at_once_are_not_mixed_up() -> None:
    """Each of many concurrent effects asks leave with its own claim, once."""
    calls: list[str] = []
    answers = [raw_ok({"willPayPurchaseOrderIds": ["7"]})] * 20

    async with (
        raw_server(*answers) as server,
        client_of(
            server.url, on_send=lambda our: calls.append(our.key), at_once=3
        ) as client,
    ):
        request = taobao_order.PayRequest(purchase_order_id_list=("7",))
        refs = [f"R-{number}" for number in range(20)]
        await asyncio.gather(
            *(
                client.effect(taobao_order.PAY, request, claim=claim(Action.PAY, ref))
                for ref in refs
            )
        )
    assert sorted(calls) == sorted(f"{ref}:pay" for ref in refs)


async def test_cancelling_passes_through() -> None:
    """A cancelled call raises `CancelledError`, no error of ours, and nothing is tried
    again.
    """
    arrived = asyncio.Event()

    async def silent(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()

    naps = Naps()
    async with listening(silent) as url, client_of(url, naps=naps) as client:
        call = asyncio.create_task(read(client))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert naps.taken == []


@pytest.mark.parametrize("named", ["UTF-8", "utf8", "gbk"])
async def test_a_character_set_is_no_packing(named: str) -> None:
    """A slip of Java servers: an effect whose answer alone has it would be in doubt
    each time.
    """
    notices = raw_ok(PAID).replace(
        b"\r\n", f"\r\ncontent-encoding: {named}\r\n".encode(), 1
    )
    async with raw_server(notices) as server, client_of(server.url) as client:
        await pay(client)


async def _settled() -> None:
    """Give bytes that should not have been written the time to arrive."""
    await asyncio.sleep(0.05)
