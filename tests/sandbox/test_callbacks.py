"""The sandbox posts its messages as the contract says: 1,000 ms, again after 30 minutes
at most 5 times, unordered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from sandbox.app import Sandbox
from sandbox.callbacks import PATIENCE_S, Callbacks
from sandbox.server import listening
from sandbox.world import World
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller


class Developer:
    """Whoever receives: what was posted, and the answers that it gives."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.status = 200
        self.slow_s = 0.0

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append(orjson.loads(await request.read()))
        await asyncio.sleep(self.slow_s)
        return web.Response(status=self.status)

    @property
    def types(self) -> list[str]:
        return sorted(str(row.get("messageType", "parcel")) for row in self.heard)


@pytest.fixture
async def developer() -> AsyncIterator[tuple[Developer, str]]:
    developer = Developer()
    app = web.Application()
    app.router.add_post("/hear", developer.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield developer, f"http://127.0.0.1:{runner.addresses[0][1]}/hear"
    await runner.cleanup()


class Posting:
    """A sandbox that posts when it is told to look."""

    def __init__(
        self, caller: Caller, callbacks: Callbacks, session: aiohttp.ClientSession
    ) -> None:
        self.caller = caller
        self.callbacks = callbacks
        self._session = session

    async def post_due(self, **later: float) -> dict[str, int]:
        if later:
            await self.caller.advance(**later)
        await self.callbacks.post_due(self._session)
        return self.callbacks.counts

    async def order(self) -> str:
        return await Buyer(self.caller).create_taobao(
            (await self.caller.rows("taobao", limit=1, offset=2))[0]
        )


@pytest.fixture
async def posting(
    developer: tuple[Developer, str], request: pytest.FixtureRequest
) -> AsyncIterator[Posting]:
    """Patient unless a test says otherwise: on a busy machine an answer takes longer
    than the contract's second.
    """
    sandbox = Sandbox(World(seed=7), callbacks=developer[1])
    assert sandbox.callbacks
    timeout = aiohttp.ClientTimeout(total=getattr(request, "param", 60))
    async with (
        listening(sandbox) as origin,
        aiohttp.ClientSession(timeout=timeout) as session,
        aiohttp.ClientSession() as own,
    ):
        yield Posting(Caller(own, origin), sandbox.callbacks, session)


async def pay(posting: Posting, order_id: str) -> None:
    await Buyer(posting.caller).pay_taobao(order_id)


async def test_each_change_is_posted_once(
    posting: Posting, developer: tuple[Developer, str]
) -> None:
    """What the developer acknowledged is never posted again, whatever time goes by."""
    order_id = await posting.order()
    await posting.post_due(seconds=3)
    await pay(posting, order_id)
    await posting.post_due(hours=31)
    counts = await posting.post_due(hours=100)
    heard = [orjson.loads(row["messageBody"])["status"] for row in developer[0].heard]
    assert (sorted(heard), counts["posted"], counts["acknowledged"]) == (
        [0, 10, 11],
        3,
        3,
    )


async def test_what_is_not_acknowledged_is_posted_again(
    posting: Posting, developer: tuple[Developer, str]
) -> None:
    """After half an hour, five times; then it is given up."""
    developer[0].status = 503
    await posting.order()
    await posting.post_due(seconds=3)
    for minutes, heard in (
        (29, 1),
        (1, 2),
        (30, 3),
        (30, 4),
        (30, 5),
        (30, 6),
        (60, 6),
    ):
        counts = await posting.post_due(minutes=minutes)
        assert (minutes, len(developer[0].heard)) == (minutes, heard)
    assert (counts["given_up"], posting.callbacks.waiting) == (1, 0)


@pytest.mark.parametrize("posting", [PATIENCE_S], indirect=True)
async def test_an_answer_that_is_late_is_none(
    posting: Posting, developer: tuple[Developer, str]
) -> None:
    """The developer has heard it all the same, and hears it again."""
    developer[0].slow_s = 1.5
    await posting.order()
    await posting.post_due(seconds=3)
    developer[0].slow_s = 0
    counts = await posting.post_due(minutes=30)
    assert (len(developer[0].heard), counts["acknowledged"]) == (2, 1)


@pytest.mark.parametrize(
    ("kind", "heard"),
    [
        ("callback_lost", []),
        ("callback_tripled", ["TAOBAO_ORDER_STATUS_MODIFY"] * 3),
        (
            "callback_forged",
            ["TAOBAO_ORDER_REFUND", *["TAOBAO_ORDER_STATUS_MODIFY"] * 2],
        ),
    ],
)
async def test_faults_strike_messages(
    posting: Posting, developer: tuple[Developer, str], kind: str, heard: list[str]
) -> None:
    """Lost, tripled, forged; a rule for messages strikes no call."""
    await posting.caller.control(
        "PUT", "faults", {"rules": [{"path": "*", "kind": kind}]}
    )
    await posting.order()
    await posting.post_due(seconds=3)
    assert developer[0].types == heard


async def test_what_weighs_more_costs_more_freight_from_then_on(
    posting: Posting, developer: tuple[Developer, str]
) -> None:
    """Three times by the scales, however often it is weighed; a reset forgets it."""
    caller = posting.caller
    buyer = Buyer(posting.caller)
    row = (await caller.rows("big_major", limit=1))[0]
    items = [{"itemId": row["item_id"], "skuId": row["sku_id"], "quantity": 1}]

    async def price() -> str:
        answer = await caller.post(
            "/open/pp/logistics/orderEstimateFreight",
            {"country": "US", "renderItems": items},
        )
        return str(answer.data["services"][0]["amount"])

    before = await price()
    await caller.control(
        "PUT",
        "faults",
        {"rules": [{"path": "callbacks/*/90", "kind": "parcel_heavier"}]},
    )
    for reference in ("R-1", "R-2"):
        body = {**buyer.cargo(row), "flow": "fenxiaonew"}
        await caller.post("/alibaba/ka/order/create/preview", body)
        order = (
            await caller.post(
                "/alibaba/ka/order/create", {**body, "message": reference}
            )
        ).data["orderList"][0]
        await caller.post("/alibaba/ka/order/pay", {"orderId": order["orderId"]})
        await posting.post_due(hours=120)
    weights = [
        row["quality_inspection_info"]["weight"]
        for row in developer[0].heard
        if "alibaba_order_id" in row
    ]
    after = await price()
    await caller.control("POST", "reset", {})
    grams = [round(weight * 1000) for weight in weights]
    assert (grams, before, after, await price()) == (
        [10_440, 10_440],
        "11.46",
        "25.38",
        "11.46",
    )
