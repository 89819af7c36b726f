"""A request that has arrived is carried out, whatever becomes of its sender."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import orjson
import pytest

from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller, auth_headers


def raw_create(buyer: Buyer, row: dict[str, Any], reference: str) -> bytes:
    body = orjson.dumps({**buyer.cargo(row), "flow": "general", "message": reference})
    headers = {
        **auth_headers(),
        "Host": "sandbox",
        "Content-Type": "application/json",
        "Content-Length": len(body),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /alibaba/order/create HTTP/1.1\r\n{lines}\r\n".encode() + body


def port_of(caller: Caller) -> int:
    return int(caller.origin.rpartition(":")[2])


def send_and_vanish(port: int, *requests: bytes) -> None:
    """Send each request on a connection of its own and close it at once, as the kernel
    does for a killed client.
    """
    for request in requests:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)


async def references_kept(caller: Caller, count: int) -> list[str]:
    """The references in the books, once there are `count`, or after three seconds."""
    for _ in range(150):
        orders = (await caller.books())["orders"]
        if len(orders) >= count:
            break
        await asyncio.sleep(0.02)
    return sorted(order["reference"] for order in orders)


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    return (await caller.rows("1688", limit=1))[0]


@pytest.mark.parametrize("length", [10, 300_000], ids=["small", "many segments"])
async def test_orders_of_vanished_clients_are_made(
    caller: Caller, buyer: Buyer, row: dict[str, Any], length: int
) -> None:
    """Each of twenty creates whose sender closed at once is in the books."""
    references = [f"{number:02d}".ljust(length, "x") for number in range(20)]
    requests = [raw_create(buyer, row, reference) for reference in references]
    await asyncio.to_thread(send_and_vanish, port_of(caller), *requests)
    assert await references_kept(caller, 20) == references


async def test_a_vanished_client_does_not_cut_a_latency_short(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A call that waits for its latency is carried out after its sender has gone."""
    delayed = {"path": "*", "kind": "latency", "delay_s": 1.0, "times": 1}
    await caller.control("PUT", "faults", {"rules": [delayed]})
    await asyncio.to_thread(
        send_and_vanish, port_of(caller), raw_create(buyer, row, "R-1")
    )
    assert (await caller.books())["orders"] == []
    assert await references_kept(caller, 1) == ["R-1"]


async def test_half_a_request_has_no_effect(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """A body that never arrived completely orders nothing, and the sandbox lives on."""
    await asyncio.to_thread(
        send_and_vanish, port_of(caller), raw_create(buyer, row, "R-1")[:-10]
    )
    await asyncio.sleep(0.05)
    assert (await caller.books())["orders"] == []
    assert await caller.control("GET", "health") == {"ok": True}
