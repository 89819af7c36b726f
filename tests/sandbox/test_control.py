"""The control endpoints: who may use them, what they refuse, and that a reset forgets
everything.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request

from sandbox.app import Sandbox
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller


async def test_health_needs_no_signature(caller: Caller) -> None:
    """Whether a sandbox is up can be asked without credentials."""
    assert await caller.control("GET", "health") == {"ok": True}


@pytest.mark.parametrize(
    ("peer", "status"),
    [("192.0.2.7", 403), ("2001:db8::1", 403), ("127.0.0.1", 200), ("::1", 200)],
)
async def test_only_this_machine(
    shared_sandbox: Sandbox, peer: str, status: int
) -> None:
    """A peer from elsewhere is turned away with 403."""
    transport = Mock()
    transport.get_extra_info = lambda name, default=None: (
        (peer, 4711) if name == "peername" else default
    )
    request = make_mocked_request("GET", "/_sandbox/health", transport=transport)
    assert (await shared_sandbox.handle(request)).status == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        (
            "GET",
            "nothing",
            None,
            404,
            "no GET /_sandbox/nothing; there are GET /_sandbox/health",
        ),
        ("POST", "clock", {"advance_s": -1}, 400, "advance_s: must be from 0 to"),
        ("POST", "clock", {"advance_s": "1"}, 400, "advance_s: a number is required"),
        ("POST", "clock", {"advance": 1}, 400, "advance: unknown; known are advance_s"),
        ("POST", "clock", [], 400, "body: must be a JSON object"),
        (
            "PUT",
            "wallet",
            {"balance_fen": 1.5},
            400,
            "balance_fen: a whole number is required",
        ),
        (
            "GET",
            "catalogue?marketplace=taobao&limit=x",
            None,
            400,
            "limit: must be a whole number",
        ),
        (
            "GET",
            "catalogue?marketplace=1688&page=2",
            None,
            400,
            "page: unknown; known are marketplace",
        ),
    ],
)
async def test_bad_control_calls_say_what_is_wrong(
    caller: Caller, method: str, path: str, body: Any, status: int, message: str
) -> None:
    """A control call that cannot be carried out is answered with the reason."""
    answer = await caller.send(method, f"/_sandbox/{path}", body=body)
    assert answer.status == status
    assert answer.body["error"].startswith(message)


async def test_the_clock_moves_and_adds_up(caller: Caller) -> None:
    """The answer names the new time and everything advanced so far."""
    await caller.control("POST", "clock", {"advance_s": 86_400})
    moved = await caller.control("POST", "clock", {"advance_s": 0.5})
    assert moved["advanced_s"] == 86_400.5
    ahead = datetime.fromisoformat(moved["now"]) - datetime.now(UTC)
    assert (
        timedelta(days=1) < ahead + timedelta(seconds=5) < timedelta(days=1, seconds=10)
    )


async def test_an_empty_sandbox_has_empty_books(caller: Caller) -> None:
    """Every list is there and empty, and the wallet is full."""
    assert await caller.books() == {
        "orders": [],
        "payments": [],
        "refunds": [],
        "shipments": [],
        "domestic_updates": [],
        "wallet": {"opening_fen": 100_000_000, "balance_fen": 100_000_000},
        "late_effects": {"pending": 0, "landed": 0, "refused": 0},
    }


async def test_orders_in_the_books_name_their_items(
    caller: Caller, buyer: Buyer
) -> None:
    """An order can be checked line by line."""
    row = (await caller.rows("1688", limit=1))[0]
    await buyer.create_1688(row)
    order = (await caller.books())["orders"][0]
    assert order["items"] == [
        {
            "item_id": "810123033546",
            "sku_id": "5000209932389",
            "quantity": 10,
            "unit_fen": 128,
        }
    ]
    assert datetime.fromisoformat(order["created_at"]).tzinfo is not None


async def test_setting_the_wallet_keeps_the_sum_right(
    caller: Caller, buyer: Buyer
) -> None:
    """Opening less payments is always the balance."""
    row = (await caller.rows("1688", limit=1))[0]
    await buyer.pay_1688(await buyer.create_1688(row))
    wallet = await caller.control("PUT", "wallet", {"balance_fen": 5_000})
    assert wallet == {"opening_fen": 6_780, "balance_fen": 5_000}


async def test_a_reset_can_leave_the_given_ids_given(
    caller: Caller, buyer: Buyer
) -> None:
    """A client that keeps its ledger over a reset is never told an id that it knows
    from before.
    """
    row = (await caller.rows("1688", limit=1))[0]
    before = await buyer.create_1688(row)
    await caller.control("POST", "reset", {"keep_ids": True})
    assert await buyer.create_1688(row) != before


async def test_reset_forgets_everything(caller: Caller, buyer: Buyer) -> None:
    """Books, prices, stock, faults, clock, wallet and counters are as at the start."""
    before = await everything(caller)
    row = (await caller.rows("1688", limit=1))[0]
    await caller.control(
        "PUT", "faults", {"rules": [{"path": "/alibaba/*", "kind": "price_change"}]}
    )
    first = await buyer.create_1688(row)
    await buyer.pay_1688(first)
    await buyer.book(first, row)
    delayed = {"path": "/alibaba/order/create", "kind": "late_effect", "delay_s": 60}
    await caller.control("PUT", "faults", {"rules": [delayed]})
    await caller.post(
        "/alibaba/order/create",
        {**buyer.cargo(row), "flow": "general", "message": "late"},
    )
    await caller.advance(seconds=30)
    assert await everything(caller) != before

    await caller.control("POST", "reset")
    assert await everything(caller) == before
    await caller.advance(seconds=60)
    assert await everything(caller) == before, (
        "a late effect from before the reset must not land"
    )
    assert await buyer.create_1688(row) == first


async def everything(caller: Caller) -> str:
    state = [
        await caller.books(),
        await caller.rows("taobao"),
        await caller.rows("1688"),
        await caller.control("GET", "faults"),
    ]
    return json.dumps(state)
